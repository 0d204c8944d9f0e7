"""Searches whose candidates are trained side by side; all the rest is scikit-learn's."""

import functools
import inspect
import threading
import types
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import joblib
import numpy as np
from sklearn import config_context, get_config
from sklearn.base import _fit_context, clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._indexing import _safe_indexing
from sklearn.utils.parallel import Parallel
from sklearn.utils.validation import _check_method_params, _num_samples

from .._links import DocumentationLink
from ..estimators.base import check_parameters
from ..estimators.fitting import Given, Witness, check_weight, pose, targets_of
from ..estimators.settings import settings_of
from ..indices import Packed, are_different, packed, positions
from ..training.callbacks import has_callbacks
from .lanes import Pass
from .tasks import Fold, Task, remembering

__all__ = ["GDGridSearchCV", "GDRandomizedSearchCV"]


class Stopped(BaseException):
    """The search is over, for what happened elsewhere."""


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
        results = super().__call__(unpacked(*calls[i]) for i in alone) if alone else []
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
        units = in_pairs(list(units.values()))
        n_jobs = joblib.effective_n_jobs(self.n_jobs)
        if n_jobs == 1 or len(units) <= 1:
            for unit in units:
                self._work(unit)
            return
        config = get_config()
        with ThreadPoolExecutor(n_jobs) as pool:
            futures = [pool.submit(self._work, unit, config) for unit in units]
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
            check_parameters(task.model)
            settings_of(task.model)
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
            try:
                fold = self._fold(unit[0])
                given = self._given(unit[0], fold)
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

    def _fold(self, task):
        options = task.options
        return Fold(
            task.X,
            np.asarray(options["train"]),
            np.asarray(options["test"]),
            whole=options["return_train_score"] or has_callbacks(options["caller"]),
            untouched=task.only_hands_over(),
            valid=self._valid[type(task.model)][0].X if task.only_predicts() else None,
        )

    def _train(self, group, fold, steps, *given):
        models = [task.model for task in group]
        try:
            candidates = [settings_of(model) for model in models]
            rows, data, seen = given
            problem = pose(candidates[0], targets_of(candidates[0], data.y), data, rows=rows)
            passed = Pass(candidates, problem, seen, resumable=not fold.untouched)
            outcomes = passed.train(self._go_on)
        except Exception as error:
            for task in group:
                task.reason = f"{type(error).__name__}: {error}"
            return
        fold.expected += [each.attributes for each in outcomes if each and each.attributes]
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
        data, seen = self._valid[type(task.model)]
        rows = positions(fold.train)
        X, y = data.X, data.y[rows]
        if not are_different(rows):
            X, rows = X[rows], None  # a row that is there twice counts twice
        weight = check_weight(weight_only(parameters), y)
        return None, rows, Given(X, y, weight), seen

    def _validate(self, task):
        """Have X and y, all rows, as the estimators want them; once for the whole search."""
        kind = type(task.model)
        if kind not in self._valid:
            witness = Witness(task.model)
            data = witness.validate(task.X, task.y)
            self._valid[kind] = data, witness.attributes

    def _transformed(self, task, fold, parameters):
        given = {}

        def take(X, y, **parameters):
            given.update(X=X, y=y, parameters=parameters)

        # Of its own: scikit-learn is yet to set the parameters of this one, and of its parts.
        pipeline = clone(task.estimator)
        model = pipeline.steps[-1][1]
        model.fit = take
        pipeline.fit(fold.take(fold.train), _safe_indexing(task.y, fold.train), **parameters)
        witness = Witness(model)
        data = witness.validate(given["X"], given["y"], weight_only(given["parameters"]))
        steps = pipeline.steps[:-1]
        if fold.untouched:
            steps = remembering(steps)
            if fold.whole:
                # The rows are scored, too, by steps that may work in place.
                data = replace(data, X=data.X.copy())
        return steps, None, data, witness.attributes


class _Splits:
    """A splitter whose splits take little memory: a list of indices is a number a row."""

    def __init__(self, cv):
        self.cv = cv

    def split(self, X, y=None, **params):
        n = _num_samples(X)
        for train, test in self.cv.split(X, y, **params):
            yield packed(train, n), packed(test, n)


def unpacked(function, arguments, options):
    """The call of a fit, its rows as indices."""
    rows = {
        name: np.asarray(options[name])
        for name in ("train", "test")
        if isinstance(options[name], Packed)
    }
    return function, arguments, options | rows


def in_pairs(units):
    """An even number of units of work, since five folds are three rounds for two workers.

    The last one is halved, whatever the number of workers: which candidates are
    trained together decides the last bits of their results. Candidates that are
    one run stay together, and so do those that share transformers.
    """
    if len(units) % 2 == 0 or units[-1][0].is_pipeline:
        return units
    runs = {}
    for task in units[-1]:
        runs.setdefault(task.run_key(), []).append(task)
    runs = list(runs.values())
    middle = len(runs) // 2
    halves = runs[:middle], runs[middle:]
    return units[:-1] + [[task for run in half for task in run] for half in halves if half]


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


class _Search(DocumentationLink):
    """A search of scikit-learn, which hands its fits over to `SideBySide`."""

    _search = staticmethod(_with_parallel(BaseSearchCV.fit, SideBySide))

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        evaluate = functools.partial(evaluate_candidates, cv=_Splits(self._checked_cv_orig))
        super()._run_search(evaluate, callback_ctx=callback_ctx)

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
            `sklearn.model_selection.GridSearchCV` does, such as ``sample_weight``
            or ``groups``.

        Returns
        -------
        self : object
            The search, with its results.
        """
        return self._search(self, X, y, **params)


PARAMETERS = """
    scoring : str, callable, list, tuple or dict, default=None
        The score, or several, as in `sklearn.model_selection.GridSearchCV`;
        None is the ``score`` of the estimator.
    n_jobs : int, default=None
        Threads that train, each a fold at a time, or a part of the candidates
        on it. None is 1, -1 is all processors. What cannot be shared is fitted
        in processes, as scikit-learn does.
    refit : bool, str or callable, default=True
        Whether the best candidate is fitted to all data; with several scores,
        the name of the one that counts; or a function that chooses from the
        results.
    cv : int, splitter or iterable, default=None
        The splits; None is five folds.
    verbose : int, default=0
        From 1 on, a line says which fits are not shared, and why; the rest as
        in scikit-learn.
    pre_dispatch : int or str, default="2*n_jobs"
        For fits that are not shared: how many are dispatched at a time.{random_state}
    error_score : "raise" or float, default=nan
        The score of a candidate that cannot be fitted, that has diverged for
        instance.
    return_train_score : bool, default=False
        Whether there are scores of the data trained on, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        The scores and all the rest, with an entry a candidate. ``fit_time`` is
        a candidate's share in the time of all that were trained together.
    best_estimator_ : estimator
        The best candidate, fitted to all data, if `refit`.
    best_score_ : float
        Its mean score.
    best_params_ : dict
        Its parameters.
    best_index_ : int
        Its place in the results.
    scorer_ : callable or dict
        The scorer, or the scorers by their names.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Seconds that the last fit took.
    multimetric_ : bool
        Whether there are several scores."""

RANDOM_STATE = """
    random_state : int, RandomState instance or None, default=None
        Of the draws."""


class GDGridSearchCV(_Search, GridSearchCV):
    __doc__ = f"""`GridSearchCV` that trains all candidates of a fold at once.

    The answers are those of `sklearn.model_selection.GridSearchCV`, to rounding,
    if ``random_state`` is an int; the price is about that of one fit a fold.

    Candidates that read the same rows in the same order are trained side by
    side, in one pass. They may differ in the optimizer and its parameters,
    ``learning_rate``, ``schedule``, ``alpha``, ``l1_ratio``, ``average``,
    ``max_iter``, ``tol`` and ``n_iter_no_change``. Those that differ in
    ``max_iter`` only are one run, looked at several times, unless the schedule
    depends on the horizon. Every other parameter, such as ``batch_size`` or
    ``loss``, and a ridge so strong that it changes the coordinates, takes a pass
    for each of its values. Transformers of a pipeline are fitted once for each
    combination of their own parameters.

    What cannot be shared is fitted one by one: estimators that are not of this
    package, those (and pipelines) with a ``fit`` of their own, with callbacks or
    with ``verbose``, and those whose fit is given more than ``sample_weight``.

    Parameters
    ----------
    estimator : estimator
        A `GDRegressor`, a `GDClassifier`, or a `Pipeline` that ends in one.
    param_grid : dict or list of dicts
        Names of parameters, and the values to try.{PARAMETERS.format(random_state="")}

    See Also
    --------
    GDRandomizedSearchCV : The same for candidates drawn at random.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier, GDGridSearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> grid = {{"learning_rate": [0.001, 0.01, 0.1], "max_iter": [5, 20, 50]}}
    >>> search = GDGridSearchCV(GDClassifier("adam", tol=None, random_state=0), grid).fit(X, y)
    >>> bool(search.best_score_ > 0.97)
    True
    """


class GDRandomizedSearchCV(_Search, RandomizedSearchCV):
    __doc__ = f"""`RandomizedSearchCV` that trains all candidates of a fold at once.

    What is shared, and what is not, is described at `GDGridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        A `GDRegressor`, a `GDClassifier`, or a `Pipeline` that ends in one.
    param_distributions : dict or list of dicts
        Names of parameters, and the values, or the distributions, to draw from.
    n_iter : int, default=10
        How many candidates are drawn.{PARAMETERS.format(random_state=RANDOM_STATE)}

    See Also
    --------
    GDGridSearchCV : The same for all combinations.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDRandomizedSearchCV, GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rates = {{"learning_rate": loguniform(1e-3, 1), "alpha": loguniform(1e-6, 1e-3)}}
    >>> model = GDRegressor("adam", max_iter=50, tol=None, random_state=0)
    >>> search = GDRandomizedSearchCV(model, rates, n_iter=20, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.45)
    True
    """
