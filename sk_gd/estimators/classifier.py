"""GDClassifier: linear classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import _fit_context
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from .. import losses
from ..losses.checks import probabilities_of
from .base import GDEstimator
from .docstrings import ATTRIBUTES, CLASSES, FIT, PARTIAL_FIT, documented, parameters

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import NDArray

    from .. import _typing as types

__all__ = ["GDClassifier"]


def has_probabilities(classifier):
    """True if the loss has a model of the probabilities; else raise an AttributeError."""
    loss = losses.get(classifier.loss, "classifier")
    if not hasattr(loss, "probabilities"):
        raise AttributeError(
            f"Probabilities are not available with loss={classifier.loss!r}; "
            "use loss='log_loss' or loss='modified_huber', or "
            "sklearn.calibration.CalibratedClassifierCV."
        )
    return True


class GDClassifier(LinearClassifierMixin, GDEstimator):
    __doc__ = f"""Linear classification, trained by any gradient descent.

    Minimises

    .. math::
        F(W, b) = \\frac{{\\sum_i s_i \\, \\ell(y_i, W x_i + b)}}{{\\sum_i s_i}}
        + \\alpha \\left[ \\rho \\|U\\|_1 + \\tfrac12 (1 - \\rho) \\|U\\|^2 \\right]

    Here s are the weights of the rows, :math:`\\rho` is the `l1_ratio`, and U are the
    coefficients W times the sizes of their features (`scale_penalty`). The intercept
    is not penalised. With more than two classes the loss is the multinomial one,
    never one-versus-all.

    Parameters
    ----------{parameters("classifier", loss="log_loss")}
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" gives every class the same total.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, of the type of X; one row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercept.{ATTRIBUTES.format(score="Accuracy")}

    See Also
    --------
    GDRegressor : The same for regression.
    sklearn.linear_model.SGDClassifier : Stochastic gradient descent, one row a step.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adam", random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    classes_: NDArray[Any]
    coef_: Any  # an array, or a sparse matrix after `sparsify`
    intercept_: types.Floats

    _kind = "classifier"
    _parameter_constraints = {
        **GDEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        optimizer: types.OptimizerLike = "auto",
        *,
        loss: types.LossLike = "log_loss",
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
        class_weight: types.ClassWeight = None,
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
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(FIT, y="(n_samples,)", target="Labels")
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
    @documented(PARTIAL_FIT, y="(n_samples,)", target="Labels", classes=CLASSES)
    def partial_fit(
        self,
        X: types.MatrixLike,
        y: types.ArrayLike,
        classes: types.ArrayLike = None,
        sample_weight: types.ArrayLike = None,
    ) -> Self:
        return self._partial_fit(X, y, sample_weight, classes)

    def decision_function(self, X: types.MatrixLike) -> types.Floats:
        """Compute the scores of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One score a class. Of two classes there is only that of the second; it is
            predicted if its score is above zero.
        """
        scores = self._raw(X)
        return scores.ravel() if scores.shape[1] == 1 else scores

    @available_if(has_probabilities)
    def predict_proba(self, X: types.MatrixLike) -> types.Floats:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._probabilities(X, "probabilities")

    @available_if(has_probabilities)
    def predict_log_proba(self, X: types.MatrixLike) -> types.Floats:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of `classes_`.
        """
        return self._probabilities(X, "log_probabilities")

    def _probabilities(self, X, method):
        scores, loss = self.decision_function(X), losses.get(self.loss, "classifier")
        return probabilities_of(loss, method, scores, len(self.classes_))
