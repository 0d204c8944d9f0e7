"""Searches whose candidates are trained side by side; all the rest is scikit-learn's."""

import inspect
import threading
import types
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from sklearn import config_context, get_config
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics._scorer import _MultimetricScorer, _PassthroughScorer, _Scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches, get_tags
from sklearn.utils._indexing import _safe_indexing
from sklearn.utils.parallel import Parallel
from sklearn.utils.validation import _check_method_params

from .estimators import GDClassifier, GDRegressor
from .side_by_side import OF_A_LANE, Pass, fingerprint, has_callbacks, learned_by, refusal, without
from .training import CHUNK

__all__ = ["GDGridSearchCV", "GDRandomizedSearchCV"]


class Stopped(BaseException):
    """The search is over, for what happened elsewhere."""


class Rows:
    """Some rows of X, not copied, for models that know what to do with them."""

    def __init__(self, X, rows):
        self.X = X
        self.rows = rows
        self.shape = (len(rows), *X.shape[1:])

    def predictions(self, model):
        """The raw predictions of a linear model, a chunk of rows at a time."""
        p = np.empty((self.shape[0], *np.shape(model.intercept_)), dtype=model.coef_.dtype)
        for chunk in gen_batches(len(p), CHUNK):
            p[chunk] = self.X[self.rows[chunk]] @ model.coef_.T + model.intercept_
        return p


class Fold:
    """X as scikit-learn sees it in one split: no rows are copied that nobody looks at.

    Parameters
    ----------
    X : array-like, sparse matrix or dataframe
        All rows.
    train, test : ndarray
        Which rows are which.
    whole : bool
        Whether anybody but the estimator looks at the rows that train.
    valid : ndarray, CSR matrix or None
        X as the estimators read it, if nobody but them looks at any rows.
    """

    def __init__(self, X, train, test, whole, valid):
        self.X = X
        self.train = train
        self.test = test
        self.whole = whole
        self.valid = valid
        self.shape = X.shape if hasattr(X, "shape") else (len(X),)
        self._taken = {}

    def __getitem__(self, key):
        rows = key[0] if isinstance(key, tuple) else key
        if self.valid is not None:
            return Rows(self.valid, positions(rows))
        return self.take(rows) if self.whole or rows is not self.train else self

    def take(self, rows):
        """These rows of X, which are `train` or `test`."""
        name = "train" if rows is self.train else "test"
        if name not in self._taken:
            self._taken[name] = _safe_indexing(self.X, rows)
        return self._taken[name]


def positions(rows):
    """The indices of rows, which may be a mask."""
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp, copy=False)


class Task:
    """One fit that scikit-learn wants: a candidate on a split."""

    def __init__(self, function, arguments, options):
        self.function = function
        self.estimator, self.X, self.y = arguments
        self.options = options
        self.candidate = options["candidate_progress"][0]
        self.split = options["split_progress"][0]
        self.result = None
        self.reason = None

    @property
    def model(self):
        """The GD estimator itself."""
        return self.estimator.steps[-1][1] if self.is_pipeline else self.estimator

    @property
    def is_pipeline(self):
        """Whether there are transformers before it."""
        return isinstance(self.estimator, Pipeline)

    def set_parameters(self):
        """Make the estimator this candidate."""
        self.estimator.set_params(**clone(self.options["parameters"], safe=False))

    def refusal(self):
        """Why the fit cannot be shared; None if it can."""
        if self.y is None:
            return "there is no y"
        if get_config()["array_api_dispatch"]:
            return "array_api_dispatch is on"
        if self.is_pipeline and has_callbacks(self.estimator):
            return "Pipeline has callbacks, which are told of every fit"
        if get_tags(self.estimator).input_tags.pairwise:
            return "X is a matrix of pairs of rows"
        return refusal(self.model)

    def model_key(self):
        """The same for models that can be trained side by side."""
        parameters = self.model.get_params(deep=False)
        return type(self.model), fingerprint(without(parameters, OF_A_LANE))

    def transformers_key(self):
        """The same for pipelines that agree in all but the last step."""
        parameters = self.estimator.get_params(deep=False)
        parameters["steps"] = parameters["steps"][:-1]
        return type(self.estimator), fingerprint(parameters)

    def only_predicts(self):
        """Whether X is only handed back to the model, to predict: so do scorers by name."""
        scorer = self.options["scorer"]
        scorers = scorer._scorers.values() if isinstance(scorer, _MultimetricScorer) else [scorer]
        return (
            type(self.estimator) in (GDClassifier, GDRegressor)
            and all(isinstance(each, (_Scorer, _PassthroughScorer)) for each in scorers)
            and not has_callbacks(self.options["caller"])
        )

    def deliver(self, fold, outcome, steps):
        """Have scikit-learn score what the pass made of this candidate, as if it had fitted it."""
        self.estimator.fit = self._fit_for(fold, outcome, steps)
        options = self.options | {"train": fold.train, "test": fold.test}
        self.result = self.function(self.estimator, fold, self.y, **options)
        self.result["fit_time"] += outcome.seconds

    def _fit_for(self, fold, outcome, steps):
        estimator = self.estimator

        def fit(X, y=None, **parameters):
            del estimator.fit
            if outcome.error is not None:
                raise outcome.error.with_traceback(None)
            if self.is_pipeline:
                estimator.steps = [*steps, estimator.steps[-1]]
            self.model.__dict__.update(outcome.attributes)
            if fold.valid is not None:
                estimator.__dict__.update(understanding_rows(estimator))
            if outcome.complaint is not None:
                warnings.warn(outcome.complaint, ConvergenceWarning, stacklevel=2)
            return estimator

        return fit


def understanding_rows(model):
    """What a fitted model needs to predict for `Rows`; scorers want it by its name."""

    def decision_function(rows):
        scores = rows.predictions(model)
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(rows):
        return model._respond(rows.predictions(model))

    method = decision_function if isinstance(model, GDClassifier) else predict
    return {method.__name__: method}


class SideBySide(Parallel):
    """Takes all fits of a search, and shares what can be shared; does the others as they are."""

    def __call__(self, iterable):
        calls = list(iterable)
        tasks = [Task(call.function, *rest) for call, *rest in calls]
        self._stop = threading.Event()
        self._valid = {}
        self._share(tasks)
        alone = [i for i, task in enumerate(tasks) if task.result is None]
        if tasks and tasks[0].options["verbose"] > 0:
            for reason, count in Counter(tasks[i].reason for i in alone).items():
                print(f"{count} of {len(tasks)} fits are done one by one: {reason}")
        results = super().__call__(calls[i] for i in alone) if alone else []
        for i, result in zip(alone, results, strict=True):
            tasks[i].result = result
        return [task.result for task in tasks]

    def _share(self, tasks):
        """Give the tasks that can be shared their results."""
        units, keys = {}, {}
        for task in tasks:
            if task.candidate not in keys:
                keys[task.candidate] = self._key(task)
            key, task.reason = keys[task.candidate]
            if task.reason is None:
                task.set_parameters()
                units.setdefault((task.split, key), []).append(task)
        n_jobs = joblib.effective_n_jobs(self.n_jobs)
        if n_jobs == 1 or len(units) <= 1:
            for unit in units.values():
                self._work(unit)
            return
        config = get_config()
        with ThreadPoolExecutor(n_jobs) as pool:
            futures = [pool.submit(self._work, unit, config) for unit in units.values()]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _key(self, task):
        """What the candidates of a unit have in common; or why this one is in none."""
        try:
            task.set_parameters()
            reason = task.refusal()
            if reason is not None:
                return None, reason
            task.model._validate_params()
            task.model._resolve()
            if task.is_pipeline:
                return task.transformers_key(), None
            self._validate(task)
        except Exception as error:
            # What is wrong with it a fit of its own will say, as scikit-learn wants it said.
            return None, f"{type(error).__name__}: {error}"
        return task.model_key(), None

    def _work(self, unit, config=None):
        """Train the tasks of a unit, of one split, and have them scored."""
        with config_context(**(config or {})):
            self._go_on()
            options = unit[0].options
            first = unit[0]
            fold = Fold(
                first.X,
                np.asarray(options["train"]),
                np.asarray(options["test"]),
                options["return_train_score"] or has_callbacks(options["caller"]),
                self._valid[type(first.model)][0] if first.only_predicts() else None,
            )
            try:
                given = self._given(first, fold)
            except Exception as error:
                for task in unit:
                    task.reason = f"{type(error).__name__}: {error}"
                return
            groups = {}
            for task in unit:
                # The others have been told apart already.
                key = task.model_key() if task.is_pipeline else None
                groups.setdefault(key, []).append(task)
            for group in groups.values():
                self._train(group, fold, *given)

    def _train(self, group, fold, steps, *given):
        try:
            outcomes = Pass([task.model for task in group], *given).train(self._go_on)
        except Exception as error:
            for task in group:
                task.reason = f"{type(error).__name__}: {error}"
            return
        for task, outcome in zip(group, outcomes, strict=True):
            self._go_on()
            if outcome is None:
                task.reason = "it cannot be trained"
            else:
                task.deliver(fold, outcome, steps)

    def _go_on(self):
        if self._stop.is_set():
            raise Stopped

    def _given(self, task, fold):
        """What the models of a unit learn from, and the fitted transformers before them."""
        parameters = task.options["fit_params"] or {}
        parameters = _check_method_params(task.X, params=parameters, indices=fold.train)
        if task.is_pipeline:
            return self._transformed(task, fold, parameters)
        X, y, learned = self._valid[type(task.model)]
        rows = positions(fold.train)
        y = y[rows]
        if len(np.unique(rows)) < len(rows) or rows.min() < 0:
            X, rows = X[rows], None  # a row that is there twice counts twice
        return None, X, y, rows, weight_only(parameters), learned

    def _validate(self, task):
        """Have X and y, all rows, as the estimators want them; once for the whole search."""
        kind = type(task.model)
        if kind not in self._valid:
            X, y = task.model._validate(task.X, task.y, reset=True)
            self._valid[kind] = X, y, learned_by(task.model)

    def _transformed(self, task, fold, parameters):
        given = {}

        def take(X, y, **parameters):
            given.update(X=X, y=y, parameters=parameters)

        pipeline, model = task.estimator, task.model
        model.fit = take
        try:
            pipeline.fit(fold.take(fold.train), _safe_indexing(task.y, fold.train), **parameters)
        finally:
            del model.fit
        X, y = model._validate(given["X"], given["y"], reset=True)
        weight = weight_only(given["parameters"])
        return pipeline.steps[:-1], X, y, None, weight, learned_by(model)


def weight_only(parameters):
    """The sample_weight among the parameters of a fit, which must be all there is."""
    others = sorted(set(parameters) - {"sample_weight"})
    if others:
        raise ValueError(f"fits cannot be shared that are given {', '.join(others)}")
    return parameters.get("sample_weight")


def _with_parallel(method, parallel):
    """A function like `method` for which the name ``Parallel`` means `parallel`."""
    function = inspect.unwrap(method)
    other = types.FunctionType(
        function.__code__,
        {**function.__globals__, "Parallel": parallel},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    other.__kwdefaults__ = function.__kwdefaults__
    return other


class _Search:
    """A search of scikit-learn, which hands its fits over to `SideBySide`."""

    _search = staticmethod(_with_parallel(BaseSearchCV.fit, SideBySide))

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Evaluate all candidates, and fit the best.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. A C-contiguous array of floats and a CSR matrix are not copied.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, or labels.
        **params : dict of str -> object
            Passed on to the estimator, the scorer and the splitter, as
            `sklearn.model_selection.GridSearchCV` does: ``sample_weight``,
            ``groups`` …

        Returns
        -------
        self : object
            The search, with its results.
        """
        return self._search(self, X, y, **params)


class GDGridSearchCV(_Search, GridSearchCV):
    __doc__ = ""


class GDRandomizedSearchCV(_Search, RandomizedSearchCV):
    __doc__ = ""
