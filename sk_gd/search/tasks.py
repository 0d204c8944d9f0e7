"""What a search of scikit-learn asks for: a fit of a candidate on a split, and its scores."""

import copy
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics._scorer import _MultimetricScorer, _PassthroughScorer, _Scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches, get_tags
from sklearn.utils._indexing import _safe_indexing

from ..estimators import GDClassifier, GDRegressor
from ..estimators.base import GDEstimator
from ..estimators.regressor import predictions
from ..indices import positions, without_copy
from ..parameters import fingerprint, requests
from ..training.callbacks import has_callbacks
from .lanes import OF_A_LANE

# Numbers of X that are copied at a time to predict.
CHUNK = 32768
# Predictions of a row that are computed together: more would take memory.
TOGETHER = 4


class Rows:
    """Some rows of X, not copied, for models that know what to do with them.

    Parameters
    ----------
    X : ndarray or CSR matrix
        All rows.
    rows : ndarray of intp
        Which ones.
    expected : list of dict
        The attributes of the fitted models that are to predict, in their order:
        several are served by one product.
    """

    def __init__(self, X, rows, expected):
        self.X = X
        self.shape = (len(rows), *X.shape[1:])
        self._expected = expected
        width = X.nnz // X.shape[0] if sp.issparse(X) else X.shape[1]
        chunks = gen_batches(len(rows), max(1, CHUNK // max(1, width)))
        self._chunks = [(chunk, without_copy(rows[chunk])) for chunk in chunks]
        self._known = []

    def predictions(self, model):
        """The raw predictions of one of the models."""
        known = [p for coef, p in self._known if coef is model.coef_]
        if known:
            return known[0]
        all_coef = [each["coef_"] for each in self._expected]
        begin = next(i for i, coef in enumerate(all_coef) if coef is model.coef_)
        # Another product rounds otherwise, which single precision would show.
        several = TOGETHER // model.intercept_.size if model.coef_.dtype == np.float64 else 1
        self._predict(self._expected[begin : begin + max(1, several)])
        return self._known[0][1]

    def _predict(self, fitted):
        coef = np.vstack([each["coef_"] for each in fitted])
        intercept = np.hstack([each["intercept_"] for each in fitted])
        p = np.empty((self.shape[0], len(coef)), dtype=coef.dtype, order="F")
        for chunk, rows in self._chunks:
            p[chunk] = self.X[rows] @ coef.T + intercept
        self._known = [
            (each["coef_"], part.reshape(-1, *np.shape(each["intercept_"])))
            for each, part in zip(fitted, np.split(p, len(fitted), axis=1), strict=True)
        ]


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
    untouched : bool
        Whether nobody changes rows: all candidates are given the same ones then.
    valid : ndarray, CSR matrix or None
        X as the estimators read it, if nobody but them looks at any rows.
    """

    def __init__(self, X, train, test, whole, untouched, valid):
        self.X = X
        self.train = train
        self.test = test
        self.whole = whole
        self.untouched = untouched
        # That there is nothing to predict scikit-learn will want to say.
        self.valid = valid if len(positions(test)) else None
        self.shape = X.shape if hasattr(X, "shape") else (len(X),)
        # In place of the rows that train, where nobody looks at them.
        self.unseen = train[:0]
        self.expected = []
        self._taken = {}

    def __getitem__(self, key):
        rows = key[0] if isinstance(key, tuple) else key
        return self if rows is self.unseen else self.take(rows)

    def take(self, rows):
        """These rows of X, which are `train` or `test`."""
        name = "train" if rows is self.train else "test"
        if name in self._taken:
            return self._taken[name]
        taken = (
            _safe_indexing(self.X, rows)
            if self.valid is None
            else Rows(self.valid, positions(rows), self.expected)
        )
        if self.untouched:
            self._taken[name] = taken
        return taken


class _Remembered:
    """The transform of a fitted transformer, computed once for the same X."""

    def __init__(self, transform):
        self._transform = transform
        self._known = []

    def __call__(self, X, **params):
        if params:
            return self._transform(X, **params)
        for given, found in self._known:
            if given is X:
                return found
        self._known.append((X, self._transform(X)))
        return self._known[-1][1]


def remembering(steps):
    """Fitted steps like these that transform the same rows only once, for many candidates."""
    others = [(name, copy.copy(step)) for name, step in steps]
    for _, step in others:
        if hasattr(step, "transform"):
            step.transform = _Remembered(step.transform)
    return others


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
        if self.is_pipeline and self.estimator.verbose:
            return f"verbose={self.estimator.verbose!r} of Pipeline reports every fit"
        if self.is_pipeline and type(self.estimator).fit is not Pipeline.fit:
            return f"{type(self.estimator).__name__} has a fit of its own"
        if get_tags(self.estimator).input_tags.pairwise:
            return "X is a matrix of pairs of rows"
        return refusal(self.model)

    def model_key(self):
        """The same for models that can be trained side by side."""
        parameters = self.model.get_params(deep=False)
        return type(self.model), fingerprint(without(parameters, OF_A_LANE))

    def run_key(self):
        """The same for models that may be one run, looked at several times."""
        return fingerprint(without(self.model.get_params(deep=False), {"max_iter"}))

    def transformers_key(self):
        """The same for pipelines that agree in all but the last step."""
        parameters = self.estimator.get_params(deep=False)
        parameters["steps"] = parameters["steps"][:-1]
        # What is passed on to the fit of the last one decides what is shared, too.
        return type(self.estimator), fingerprint(parameters), requests(self.model)

    def only_hands_over(self):
        """Whether whoever scores does nothing with X but hand it to the estimator, unchanged."""
        scorer = self.options["scorer"]
        scorers = scorer._scorers.values() if isinstance(scorer, _MultimetricScorer) else [scorer]
        known_score = type(self.model).score in (GDClassifier.score, GDRegressor.score) and (
            not self.is_pipeline or type(self.estimator).score is Pipeline.score
        )
        return all(
            isinstance(each, _Scorer) or (isinstance(each, _PassthroughScorer) and known_score)
            for each in scorers
        ) and not has_callbacks(self.options["caller"])

    def only_predicts(self):
        """Whether X is only handed back to the model, to predict."""
        return type(self.estimator) in (GDClassifier, GDRegressor) and self.only_hands_over()

    def deliver(self, fold, outcome, steps):
        """Have scikit-learn score what the pass made of this candidate, as if it had fitted it."""
        self.estimator.fit = self._fit_for(fold, outcome, steps)
        train = fold.train if fold.whole else fold.unseen
        options = self.options | {"train": train, "test": fold.test}
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
            vars(self.model).update(outcome.attributes)
            if fold.valid is not None:
                estimator.__dict__.update(understanding_rows(estimator))
            if outcome.convergence_message is not None:
                warnings.warn(outcome.convergence_message, ConvergenceWarning, stacklevel=2)
            return estimator

        return fit


def understanding_rows(model):
    """What a fitted model needs to predict for `Rows`; scorers want it by its name."""

    def decision_function(rows):
        scores = rows.predictions(model)
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(rows):
        return predictions(model, rows.predictions(model))

    method = decision_function if isinstance(model, GDClassifier) else predict
    return {method.__name__: method}


def refusal(model):
    """Why the fits of `model` cannot be shared; None if they can."""
    if not isinstance(model, GDEstimator):
        return f"{type(model).__name__} is neither a GDRegressor nor a GDClassifier"
    if type(model).fit not in (GDRegressor.fit, GDClassifier.fit):
        return f"{type(model).__name__} has a fit of its own"
    if has_callbacks(model):
        return f"{type(model).__name__} has callbacks, which are told of every fit"
    if model.verbose:
        return f"verbose={model.verbose!r} of {type(model).__name__} reports every fit"
    return None


def without(parameters, names):
    """The parameters but for some."""
    return {name: value for name, value in parameters.items() if name not in names}
