"""`GDGridSearchCV` and `GDRandomizedSearchCV` for collections of Dask."""

import contextlib
import time
import warnings
from numbers import Integral

from sklearn.base import _fit_context, clone
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    PredefinedSplit,
    RandomizedSearchCV,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._links import DocumentationLink
from ..estimators.base import check_parameters
from ..estimators.settings import settings_of
from ..search.lanes import reason_not_shared
from ..search.sklearn_private import ScoredElsewhereMixin
from ..search.tasks import warn_of
from .cluster import client_of
from .collections import is_collection
from .estimators import GDClassifier, GDRegressor
from .folds import DEFAULT, MEANS, Folding, numbers_of_folds
from .posing import checked, describe_all
from .predicting import plain_of
from .trials import Trial, score_all, score_collections, train_all

__all__ = ["GDGridSearchCV", "GDRandomizedSearchCV"]


class _Search(ScoredElsewhereMixin, DocumentationLink):
    """A search whose candidates are trained, on all folds, in the same rounds."""

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Evaluate all candidates, and fit the best.

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.
        y : the same
            Labels or targets.
        sample_weight : the same, default=None
            Weights of the rows, for the training and for the scores.

        Returns
        -------
        self : object
            The search, with its results.
        """
        began = time.perf_counter()
        scores = self._scores()
        candidates = list(self._candidates())
        models = [_checked(_model(self.estimator, parameters)) for parameters in candidates]
        rows, like = self._rows(X, y, sample_weight)
        with contextlib.closing(rows):
            folding = self._folding(rows)
            self.n_splits_ = len(folding.numbers)
            if self.verbose > 0:
                print(
                    f"Fitting {self.n_splits_} folds for each of {len(candidates)} candidates, "
                    f"totalling {self.n_splits_ * len(candidates)} fits"
                )
            trials = [
                Trial(model, settings, fold)
                for model, settings in models
                for fold in range(self.n_splits_)
            ]
            self.n_rounds_ = train_all(trials, rows, folding, like)
            trained = time.perf_counter()
            score_all(trials, rows, folding, list(scores.values()), self.return_train_score)
        seconds = trained - began, time.perf_counter() - trained
        self._report(trials, candidates)
        share = [each / len(trials) for each in seconds]
        fits = [
            trial.result(list(scores), self.error_score, share, self.return_train_score)
            for trial in trials
        ]
        self._finish(candidates, fits)
        if self.refit:
            self._refit(X, y, sample_weight)
        return self

    def score(self, X, y):
        """The score of the best candidate, fitted to all rows.

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.
        y : the same
            Labels or targets.

        Returns
        -------
        float
            The score that ``scoring`` names; with several, the one that decided.
        """
        check_is_fitted(self)
        if not (is_collection(X) and self.refit):
            return super().score(X, y)
        scores = self._scores()
        name = scores[self.refit if self.multimetric_ else "score"]
        return score_collections(self.best_estimator_, name, X, y)

    def _scores(self):
        """The scores: scikit-learn's names, by the names that they have in the results."""
        if type(self.estimator) not in (GDClassifier, GDRegressor):
            raise TypeError(
                "estimator must be a GDRegressor or a GDClassifier of sk_gd.dask. Got "
                f"{type(self.estimator).__name__} of {type(self.estimator).__module__} instead; "
                "the search of sk_gd is for estimators and pipelines in memory."
            )
        kind = self.estimator._kind
        default = DEFAULT[kind]
        scoring = default if self.scoring is None else self.scoring
        if isinstance(scoring, (list, tuple, set)):
            scoring = {name: name for name in scoring}
        elif not isinstance(scoring, dict):
            scoring = {"score": scoring}
        allowed = sorted({default, *MEANS[kind]})
        for name in scoring.values():
            if not (isinstance(name, str) and name in allowed):
                raise ValueError(
                    "scoring must be a score that is a sum over the rows of all partitions: "
                    f"{', '.join(map(repr, allowed))}, or several of them. Got {name!r} instead."
                )
        return scoring

    def _rows(self, X, y, sample_weight):
        """Validated partitions, and what they are like."""
        estimator = self.estimator
        columns = {"X": X, "y": y, "sample_weight": sample_weight}
        if not _is_number(self.cv):
            columns["cv"] = _fold_numbers(self.cv)
        client = client_of(estimator.client)
        rows = checked(client, plain_of(estimator), estimator.persist, **columns)
        return rows, describe_all(rows, estimator._kind)[0]

    def _folding(self, rows):
        """How the rows are divided into folds."""
        if _is_number(self.cv):
            numbers = range(5 if self.cv is None else self.cv)
            if len(numbers) < 2:
                raise ValueError(f"cv must be at least 2. Got {self.cv} instead.")
        else:
            numbers = sorted({n for found in rows.ask(numbers_of_folds) for n in found} - {-1})
            if not numbers:
                raise ValueError("cv must have numbers other than -1. Got -1 for all rows.")
        return Folding(tuple(numbers), self.fold_seed, self.estimator._kind == "classifier")

    def _report(self, trials, candidates):
        """Warn of what went wrong, or raise it."""
        for i, trial in enumerate(trials):
            if self.error_score == "raise" and not trial.is_trained:
                raise trial.outcome.error
            told_when_to_stop = "max_iter" in candidates[i // self.n_splits_]
            warn_of(trial.outcome, told_when_to_stop, stacklevel=4)
            for score in trial.test_scores + trial.train_scores:
                if not isinstance(score, Exception):
                    continue
                if self.error_score == "raise":
                    raise score
                warnings.warn(
                    "Scoring failed. The score on this fold for these parameters is set to "
                    f"{self.error_score}. {type(score).__name__}: {score}",
                    stacklevel=3,
                )
        if self.verbose > 0:
            print(f"All fits took {self.n_rounds_} rounds")

    def _refit(self, X, y, sample_weight):
        began = time.perf_counter()
        self.best_estimator_ = _model(self.estimator, self.best_params_)
        self.best_estimator_.client = self.estimator.client  # which a clone does not have
        self.best_estimator_.fit(X, y, sample_weight)
        self.refit_time_ = time.perf_counter() - began
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def _is_number(cv):
    return cv is None or isinstance(cv, Integral)


def _fold_numbers(cv):
    """The collection that says which fold tests each row."""
    if isinstance(cv, PredefinedSplit):
        return cv.test_fold
    if hasattr(cv, "split") or not (hasattr(cv, "shape") or isinstance(cv, list)):
        raise TypeError(
            "cv must be a number of folds, or have for every row the number of the fold that "
            f"tests it: a collection like y, or a PredefinedSplit. Got {type(cv).__name__} "
            "instead, which needs all rows in one place."
        )
    return cv


def _model(estimator, parameters):
    """The estimator with the parameters of a candidate."""
    return clone(estimator).set_params(**clone(parameters, safe=False))


def _checked(model):
    """A model with its settings, or with the error of its parameters."""
    reason = reason_not_shared(model)
    if reason is not None:
        raise ValueError(f"The fits of a search share their rounds. They cannot, as {reason}.")
    try:
        check_parameters(model)
        return model, settings_of(model)
    except Exception as error:
        return model, error


PARAMETERS = """
    scoring : str, list, tuple or dict, default=None
        The score, or several: names of scikit-learn's scores that are means over the
        rows ("accuracy" and "neg_log_loss", or "r2", "neg_mean_squared_error",
        "neg_mean_absolute_error", "neg_mean_poisson_deviance" and
        "neg_mean_gamma_deviance"). None is accuracy, or R².
    refit : bool, str or callable, default=True
        Whether the best candidate is fitted to all rows. With several scores, the
        name of the one that decides. A function chooses the best candidate from the
        results.
    cv : int, PredefinedSplit, dask array or series, list of Delayed or array-like, default=None
        The number of folds, five by default; or, in the partitions of X, for every
        row the number of the fold that tests it, and -1 for rows that always train.
    fold_seed : int, default=0
        Seeds the folds, if `cv` is a number. They also depend on how the rows are
        divided into partitions. For a classifier they are stratified.{random_state}
    verbose : int, default=0
        From 1 on, the number of fits and of rounds is printed.
    error_score : "raise" or float, default=nan
        The score of a candidate that cannot be fitted, for instance because its
        training diverges.
    return_train_score : bool, default=False
        Whether the rows that train are scored, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        Parameters, scores and times, with an entry for each candidate, as in
        scikit-learn. ``fit_time`` is the total time divided by the number of fits.
    best_estimator_ : GDRegressor or GDClassifier
        The best candidate, fitted to all rows, if `refit`.
    best_score_ : float
        Mean score of the best candidate.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Position of the best candidate in the results.
    scorer_ : callable or dict
        The scorer of scikit-learn, or the scorers by their names.
    n_splits_ : int
        Number of folds.
    n_rounds_ : int
        In how many rounds all candidates were trained on all folds.
    refit_time_ : float
        Seconds that the fit to all rows took.
    multimetric_ : bool
        Whether there are several scores."""

RANDOM_STATE = """
    random_state : int, RandomState instance or None, default=None
        Seeds the draws of the candidates."""


class GDGridSearchCV(_Search, GridSearchCV):
    __doc__ = f"""Search over a grid, with all candidates and folds in the same rounds.

    A round is a question to all partitions. In each round the workers answer for all
    candidates of all folds, and read a partition once. So the search takes about as
    many rounds as its slowest fit. Each fold has some rows of each partition, and no
    row is moved. The results are those of `sk_gd.GDGridSearchCV` with the same folds,
    up to rounding, or up to ``tol`` where that trains a regularization path.

    Candidates may differ in any parameter. Those that differ in the optimizer,
    ``learning_rate``, ``schedule``, ``alpha``, ``l1_ratio``, ``average``,
    ``max_iter``, ``tol`` and ``n_iter_no_change`` are evaluated in the same products;
    those that differ only in ``max_iter`` are one run. Every other combination of
    parameters, such as another loss, is evaluated beside them, and needs a few more
    bytes a row.

    Parameters
    ----------
    estimator : GDRegressor or GDClassifier of sk_gd.dask
        The estimator. Its ``client`` and ``persist`` are those of the search.
    param_grid : dict or list of dicts
        Names of parameters, and the values to try.{PARAMETERS.format(random_state="")}

    See Also
    --------
    GDRandomizedSearchCV : The same for candidates drawn at random.
    sk_gd.GDGridSearchCV : The same for data in memory, with all scores and splitters.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sk_gd.dask import GDClassifier, GDGridSearchCV
    >>> client = Client(processes=False, dashboard_address=None)
    >>> X = da.random.default_rng(0).normal(size=(1000, 5), chunks=(250, 5))
    >>> search = GDGridSearchCV(GDClassifier(), {{"alpha": [1e-4, 1e-2, 1]}}, cv=3)
    >>> bool(search.fit(X, X[:, 0] > 0).best_score_ > 0.97)
    True
    >>> client.close()
    """

    _parameter_constraints = {
        **GridSearchCV._parameter_constraints,
        "cv": "no_validation",
        "fold_seed": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        refit=True,
        cv=None,
        fold_seed=0,
        verbose=0,
        error_score=float("nan"),
        return_train_score=False,
    ):
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.fold_seed = fold_seed
        self.verbose = verbose
        self.error_score = error_score
        self.return_train_score = return_train_score

    def _candidates(self):
        return ParameterGrid(self.param_grid)


class GDRandomizedSearchCV(_Search, RandomizedSearchCV):
    __doc__ = f"""Search over candidates drawn at random, all in the same rounds.

    What is shared is described at `GDGridSearchCV`.

    Parameters
    ----------
    estimator : GDRegressor or GDClassifier of sk_gd.dask
        The estimator. Its ``client`` and ``persist`` are those of the search.
    param_distributions : dict or list of dicts
        Names of parameters, and the values, or the distributions, to draw from.
    n_iter : int, default=10
        How many candidates are drawn.{PARAMETERS.format(random_state=RANDOM_STATE)}

    See Also
    --------
    GDGridSearchCV : The same for all combinations.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from scipy.stats import loguniform
    >>> from sk_gd.dask import GDRandomizedSearchCV, GDRegressor
    >>> client = Client(processes=False, dashboard_address=None)
    >>> X = da.random.default_rng(0).normal(size=(1000, 5), chunks=(250, 5))
    >>> strengths = {{"alpha": loguniform(1e-6, 1)}}
    >>> search = GDRandomizedSearchCV(GDRegressor(), strengths, n_iter=5, random_state=0)
    >>> bool(search.fit(X, X @ range(5)).best_score_ > 0.99)
    True
    >>> client.close()
    """

    _parameter_constraints = {
        **RandomizedSearchCV._parameter_constraints,
        "cv": "no_validation",
        "fold_seed": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        refit=True,
        cv=None,
        fold_seed=0,
        random_state=None,
        verbose=0,
        error_score=float("nan"),
        return_train_score=False,
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.fold_seed = fold_seed
        self.random_state = random_state
        self.verbose = verbose
        self.error_score = error_score
        self.return_train_score = return_train_score

    def _candidates(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
