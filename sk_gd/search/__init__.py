"""`GDGridSearchCV` and `GDRandomizedSearchCV`: scikit-learn's searches, with shared training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from .._links import DocumentationLink
from ..estimators.base import GDEstimator
from ..estimators.validation import check_in_memory
from .backend import sharing_fits_of
from .sklearn_private import PackedSplitsMixin

if TYPE_CHECKING:
    from typing import Any, Self

    from .. import _typing as types

__all__ = ["GDGridSearchCV", "GDRandomizedSearchCV"]


class _Search(PackedSplitsMixin, DocumentationLink):
    """A search of scikit-learn whose fits go to a `SharingBackend`."""

    def fit(self, X: types.MatrixLike, y: types.ArrayLike = None, **params: Any) -> Self:
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
        if getattr(type(self.estimator), "_pose", None) is GDEstimator._pose:
            kind = "GDGridSearchCV" if isinstance(self, GridSearchCV) else "GDRandomizedSearchCV"
            check_in_memory(kind, "X", X)
            check_in_memory(kind, "y", y)
        with sharing_fits_of(self):
            return super().fit(X, y, **params)


PARAMETERS = """
    scoring : str, callable, list, tuple or dict, default=None
        The score, or several, as in `sklearn.model_selection.GridSearchCV`;
        None is the ``score`` of the estimator.
    n_jobs : int, default=None
        Number of threads that train. Each takes one fold at a time, or a part of
        its candidates. None means 1 unless ``joblib.parallel_config`` says
        otherwise; -1 means all processors. Fits that cannot be shared run in
        processes, as in scikit-learn.
    refit : bool, str or callable, default=True
        Whether the best candidate is fitted to all data. With several scores,
        the name of the one that decides. A function chooses the best candidate
        from the results.
    cv : int, splitter or iterable, default=None
        The splits; None means five folds.
    verbose : int, default=0
        From 1 on, a line says which fits are not shared, and why. Everything
        else is as in scikit-learn.
    pre_dispatch : int or str, default="2*n_jobs"
        How many of the fits that cannot be shared are dispatched at a time.{random_state}
    error_score : "raise" or float, default=nan
        The score of a candidate that cannot be fitted, for instance because its
        training diverges.
    return_train_score : bool, default=False
        Whether the training data are scored, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        Parameters, scores and times, with an entry for each candidate.
        ``fit_time`` is the candidate's share of the time of its pass.
    best_estimator_ : estimator
        The best candidate, fitted to all data, if `refit`.
    best_score_ : float
        Mean score of the best candidate.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Position of the best candidate in the results.
    scorer_ : callable or dict
        The scorer, or the scorers by their names.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Seconds that the fit to all data took.
    multimetric_ : bool
        Whether there are several scores."""

RANDOM_STATE = """
    random_state : int, RandomState instance or None, default=None
        Seeds the draws."""


class GDGridSearchCV(_Search, GridSearchCV):
    __doc__ = f"""`GridSearchCV` that trains all candidates of a fold at once.

    The results are those of `sklearn.model_selection.GridSearchCV`, up to rounding,
    if ``random_state`` is an int. The search takes about as long as one fit for each
    fold, or a few.

    Candidates that read the same rows in the same order are trained together, in
    one pass over the data. They may differ in the optimizer and its parameters,
    ``learning_rate``, ``schedule``, ``alpha``, ``l1_ratio``, ``average``,
    ``max_iter``, ``tol`` and ``n_iter_no_change``. Candidates that differ only in
    ``max_iter`` are one run, which gives each of them its model on the way, unless
    the schedule depends on ``max_iter``. Each value of any other parameter, such
    as ``batch_size`` or ``loss``, takes a pass of its own. So does an ``alpha`` so
    large that it changes the coordinates; if the optimizer is "auto", one above a
    thousand times the ``alpha`` "auto". Fits of this optimizer that differ in ``alpha`` end
    at their minima, and most of them begin near that of the next stronger ``alpha``: their
    results are the same up to ``tol``. "Grid search in one pass" in the user guide says which
    begin at zero, as in scikit-learn. The transformers of a pipeline are fitted once for
    each combination of their own parameters.

    Some fits cannot be shared and are done one by one: those of other
    estimators; of estimators and pipelines that have a ``fit`` of their own,
    callbacks or ``verbose``; and those that are given more than
    ``sample_weight``.

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

    if TYPE_CHECKING:  # scikit-learn's constructor, which has no types

        def __init__(self, estimator: Any, param_grid: Any, **options: Any) -> None: ...


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
    >>> rates = {{"learning_rate": loguniform(1e-3, 0.1), "alpha": loguniform(1e-6, 1e-3)}}
    >>> model = GDRegressor("adam", max_iter=50, tol=None, random_state=0)
    >>> search = GDRandomizedSearchCV(model, rates, n_iter=20, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.45)
    True
    """

    if TYPE_CHECKING:  # scikit-learn's constructor, which has no types

        def __init__(
            self, estimator: Any, param_distributions: Any, *, n_iter: int = 10, **options: Any
        ) -> None: ...
