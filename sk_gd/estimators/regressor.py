"""GDRegressor: linear regression."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from .. import losses
from .base import GDEstimator
from .docstrings import ATTRIBUTES, FIT, PARTIAL_FIT, documented, parameters

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import NDArray

    from .. import _typing as types

__all__ = ["GDRegressor"]


class GDRegressor(MultiOutputMixin, RegressorMixin, GDEstimator):
    __doc__ = f"""Linear regression, trained by any gradient descent.

    Minimises

    .. math::
        F(W, b) = \\frac{{\\sum_i s_i \\, \\ell(y_i, W x_i + b)}}{{\\sum_i s_i}}
        + \\alpha \\left[ \\rho \\|U\\|_1 + \\tfrac12 (1 - \\rho) \\|U\\|^2 \\right]

    Here s are the weights of the rows, :math:`\\rho` is the `l1_ratio`, and U are the
    coefficients W times the sizes of their features (`scale_penalty`). The intercept
    is not penalised.

    Parameters
    ----------{parameters("regressor", loss="squared_error")}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients, of the type of X; a row an output if y is 2-D.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept.{ATTRIBUTES.format(score="R²")}

    See Also
    --------
    GDClassifier : The same for classification.
    sklearn.linear_model.SGDRegressor : Stochastic gradient descent, one row a step.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDRegressor("adam", average=True, random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.51
    """

    coef_: Any  # an array, or a sparse matrix after `sparsify`
    intercept_: Any  # a float, or an array

    _kind = "regressor"

    def __init__(
        self,
        optimizer: types.OptimizerLike = "auto",
        *,
        loss: types.LossLike = "squared_error",
        alpha: types.Alpha = "auto",
        l1_ratio: float = 0.0,
        scale_penalty: bool = True,
        fit_intercept: bool = True,
        learning_rate: types.Rate = "auto",
        schedule: types.ScheduleLike = "constant",
        batch_size: types.BatchSize = "auto",
        max_iter: int = 100,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: types.Scoring = None,
        average: types.Average = "auto",
        precondition: types.Precondition = "standardize",
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: types.RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.optimizer = optimizer
        self.loss = loss
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.scale_penalty = scale_penalty
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.average = average
        self.precondition = precondition
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(FIT, y="(n_samples,) or (n_samples, n_outputs)", target="Targets")
    def fit(
        self,
        X: types.MatrixLike,
        y: types.ArrayLike,
        sample_weight: types.ArrayLike = None,
        *,
        X_val: types.MatrixLike = None,
        y_val: types.ArrayLike = None,
        sample_weight_val: types.ArrayLike = None,
    ) -> Self:
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(
        PARTIAL_FIT, y="(n_samples,) or (n_samples, n_outputs)", target="Targets", classes=""
    )
    def partial_fit(
        self, X: types.MatrixLike, y: types.ArrayLike, sample_weight: types.ArrayLike = None
    ) -> Self:
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: types.MatrixLike) -> NDArray[Any]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        return predictions(self, self._raw(X))

    def sparsify(self) -> Self:
        """Store the coefficients as a sparse matrix; worth it when most are zero.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        check_is_fitted(self)
        if not sp.issparse(self.coef_):
            self.coef_ = np.atleast_2d(self.coef_)
        return super().sparsify()

    def densify(self) -> Self:
        """Turn the coefficients back into an array, after `sparsify`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        super().densify()
        if np.ndim(self.intercept_) == 0:
            self.coef_ = self.coef_.ravel()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with contextlib.suppress(TypeError, ValueError):  # of a loss that does not exist
            loss = losses.get(self.loss, "regressor")
            tags.target_tags.positive_only = not loss.allows(-1.0)
        return tags


def predictions(model, raw):
    """What a fitted regressor predicts, given the raw predictions: the link is applied."""
    p = losses.get(model.loss, "regressor").response(raw)
    return p.ravel() if np.ndim(model.intercept_) == 0 else p
