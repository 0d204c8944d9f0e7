"""GDRegressor and GDClassifier: targets, predictions, documentation."""

import contextlib

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.metrics import r2_score
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from . import losses
from ._docstrings import ATTRIBUTES, CLASSES, FIT, PARTIAL_FIT, documented, parameters
from .base import GDEstimator

__all__ = ["GDClassifier", "GDRegressor"]


class GDRegressor(MultiOutputMixin, RegressorMixin, GDEstimator):
    __doc__ = f"""Linear regression, trained by any gradient descent.

    Minimises

    .. math::
        F(W, b) = \\frac{{\\sum_i s_i \\, \\ell(y_i, W x_i + b)}}{{\\sum_i s_i}}
        + \\alpha \\left[ \\rho \\|W\\|_1 + \\tfrac12 (1 - \\rho) \\|W\\|^2 \\right]

    with the weights s of the rows and :math:`\\rho` the `l1_ratio`.

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

    _kind = "regressor"
    _target_checks = {"y_numeric": True, "multi_output": True}

    def __init__(
        self,
        optimizer="auto",
        *,
        loss="squared_error",
        alpha=1e-4,
        l1_ratio=0.0,
        fit_intercept=True,
        learning_rate="auto",
        schedule="constant",
        batch_size="auto",
        max_iter=100,
        tol=1e-4,
        n_iter_no_change=5,
        early_stopping=False,
        validation_fraction=0.1,
        average="auto",
        precondition="standardize",
        shuffle=True,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.optimizer = optimizer
        self.loss = loss
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.average = average
        self.precondition = precondition
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(FIT, y="(n_samples,) or (n_samples, n_outputs)", target="Targets")
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(
        PARTIAL_FIT, y="(n_samples,) or (n_samples, n_outputs)", target="Targets", classes=""
    )
    def partial_fit(self, X, y, sample_weight=None):
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
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
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        return self._respond(safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_)

    def _respond(self, p):
        """What is predicted, given the raw predictions."""
        p = losses.get(self.loss, "regressor").response(p)
        return p.ravel() if np.ndim(self.intercept_) == 0 else p

    def sparsify(self):
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

    def densify(self):
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

    def _encode(self, X, y, classes, resumed, running):
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if resumed:
            self._check_resumed(X, n_outputs)
        self._flat = y.ndim == 1
        return np.ascontiguousarray(y.reshape(len(y), n_outputs), dtype=float)

    def _encode_validation(self, y_val, y):
        y_val = np.ascontiguousarray(y_val.reshape(len(y_val), -1), dtype=float)
        if y_val.shape[1] != y.shape[1]:
            raise ValueError(
                f"y_val must have as many outputs as y, {y.shape[1]}. Got {y_val.shape[1]} instead."
            )
        return y_val

    def _n_outputs(self, y):
        return y.shape[1]

    def _score(self, y, p, weight):
        # A model that has lost its way may be beyond what has a square.
        with np.errstate(over="ignore"):
            p = losses.get(self.loss, "regressor").response(p)
            return r2_score(y, p, sample_weight=weight)

    def _shape(self, coef, intercept):
        return (coef[0], intercept[0]) if self._flat else (coef, intercept)


def _has_probabilities(classifier):
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
        + \\alpha \\left[ \\rho \\|W\\|_1 + \\tfrac12 (1 - \\rho) \\|W\\|^2 \\right]

    with the weights s of the rows and :math:`\\rho` the `l1_ratio`. With more
    than two classes the loss is the multinomial one, never one-versus-all.

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

    _kind = "classifier"
    _target_checks = {}
    _parameter_constraints = {
        **GDEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        optimizer="auto",
        *,
        loss="log_loss",
        alpha=1e-4,
        l1_ratio=0.0,
        fit_intercept=True,
        learning_rate="auto",
        schedule="constant",
        batch_size="auto",
        max_iter=100,
        tol=1e-4,
        n_iter_no_change=5,
        early_stopping=False,
        validation_fraction=0.1,
        average="auto",
        precondition="standardize",
        shuffle=True,
        warm_start=False,
        random_state=None,
        verbose=0,
        class_weight=None,
    ):
        self.optimizer = optimizer
        self.loss = loss
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.average = average
        self.precondition = precondition
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(FIT, y="(n_samples,)", target="Labels")
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @_fit_context(prefer_skip_nested_validation=True)
    @documented(PARTIAL_FIT, y="(n_samples,)", target="Labels", classes=CLASSES)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return self._partial_fit(X, y, sample_weight, classes)

    @available_if(_has_probabilities)
    def predict_proba(self, X):
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
        scores = self.decision_function(X)
        return losses.get(self.loss, "classifier").probabilities(scores)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X):
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
        scores = self.decision_function(X)
        return losses.get(self.loss, "classifier").log_probabilities(scores)

    def _encode(self, X, y, classes, resumed, running):
        check_classification_targets(y)
        if classes is not None:
            classes = np.unique(classes)
            if resumed and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes must be those of the first call, {self.classes_}. "
                    f"Got {classes} instead."
                )
        elif resumed:
            classes = self.classes_
        elif running:
            raise ValueError(
                "The first call of partial_fit needs classes: all labels there will be. "
                "Got None instead."
            )
        else:
            classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes in y. "
                f"Got {len(classes)} class: {classes.tolist()}."
            )
        self.classes_ = classes
        if running and self.class_weight == "balanced":
            raise ValueError(
                "partial_fit sees a part of the data only and cannot balance the classes: "
                "class_weight must be a dict or None. Got 'balanced' instead; weigh the rows with "
                "sample_weight."
            )
        if resumed:
            self._check_resumed(X, self._n_outputs(y))
        return self._codes(y, "y")

    def _encode_validation(self, y_val, y):
        return self._codes(y_val, "y_val")

    def _codes(self, y, name):
        """The index of every label, as a column of floats."""
        codes = np.searchsorted(self.classes_, y)
        np.minimum(codes, len(self.classes_) - 1, out=codes)
        known = self.classes_[codes] == y
        if not np.all(known):
            raise ValueError(
                f"{name} must have the labels {self.classes_.tolist()} only. "
                f"Got {np.unique(y[~known]).tolist()} too."
            )
        return codes.astype(float)[:, None]

    def _balance(self, weight, y):
        """The factor of every class."""
        there, labels = np.arange(len(self.classes_)), y[:, 0].astype(np.intp)
        if self.class_weight == "balanced":
            if weight is not None:
                labels, weight = labels[weight > 0], weight[weight > 0]
            there = np.unique(labels)  # the others have no frequency
        factors = np.ones(len(self.classes_))
        factors[there] = compute_class_weight(
            self.class_weight,
            classes=self.classes_[there],
            y=self.classes_[labels],
            sample_weight=weight,
        )
        return factors

    def _weigh(self, sample_weight, y, among=None):
        weight = super()._weigh(sample_weight, y)
        if self.class_weight is None:
            return weight
        if among is None:
            balance = self._balance(weight, y)
        else:
            balance = self._balance(super()._weigh(among[0], among[1]), among[1])
        each = balance[y[:, 0].astype(np.intp)]
        weight = each if weight is None else each * weight
        if not (np.all(weight >= 0) and np.all(np.isfinite(weight)) and np.any(weight > 0)):
            raise ValueError(
                "class_weight must be finite, not negative, and positive for a class that y has. "
                f"Got {self.class_weight!r} instead."
            )
        return weight

    def _n_outputs(self, y):
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _score(self, y, p, weight):
        predicted = p[:, 0] > 0 if p.shape[1] == 1 else p.argmax(axis=1)
        # What accuracy_score is, without its checks, which take longer than an epoch of few rows.
        return np.average(predicted == y[:, 0], weights=weight)

    def _shape(self, coef, intercept):
        # Of all models that differ by a number added to every intercept publish the
        # centred one, as LogisticRegression does.
        relative = len(intercept) > 1 and losses.get(self.loss, "classifier").relative
        return coef, intercept - intercept.mean() if relative else intercept
