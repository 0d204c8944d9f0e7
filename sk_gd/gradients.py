"""Whether a gradient is the derivative of its loss."""

import copy
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from . import losses
from .base import GDEstimator
from .estimators import GDClassifier, GDRegressor
from .loop import Lane, run_epoch
from .objectives.coordinates import Coordinates, Moments
from .optimizers import Optimizer
from .penalties import ElasticNet
from .problem import Problem, mean_loss, normalise
from .training import Run

__all__ = ["GradientCheck", "check_gradient"]

# Of a central difference: the truncation grows with its square, the rounding with its inverse.
STEP = 6e-6
# The second step, to tell a corner: there one-sided slopes differ whatever the step.
FINER = 1 / 32
# What a gradient is compared with at least, as a share of the objective.
LEAST = 1e-3


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradient` has found.

    Attributes
    ----------
    error : float
        The worst relative error; infinite where a gradient is not a number.
    where : str
        The coefficient or intercept that has it.
    analytical, numerical : ndarray of shape (n_outputs, n_features + 1)
        The gradients; the last column is that of the intercepts, if there are any.
    errors : ndarray of shape (n_outputs, n_features + 1)
        The relative errors.
    corners : int
        Entries that lie on a corner of the objective, at which every slope
        between the two one-sided ones is right.
    """

    error: float
    where: str
    analytical: np.ndarray
    numerical: np.ndarray
    errors: np.ndarray
    corners: int

    def __repr__(self):
        worst = np.unravel_index(np.argmax(self.errors), self.errors.shape)
        text = (
            f"GradientCheck(error={self.error:.2g} at the {self.where}: analytical "
            f"{self.analytical[worst]:.9g}, numerical {self.numerical[worst]:.9g}"
        )
        return text + (f"; {self.corners} at a corner)" if self.corners else ")")


class Recorder(Optimizer):
    """Stays where it is, and keeps the gradient, lasso's subgradient included."""

    def step(self, w, g, lr, state):
        state["gradient"] = g.copy()


def check_gradient(loss_or_estimator, X, y, *, sample_weight=None, at=None, random_state=None):
    """Compare the gradient that training uses with central differences of the objective.

    The gradient is that of the compiled loop, on `X` as it is stored; the
    objective is evaluated from its definition. They are compared in the
    coefficients and the intercepts, one by one: four passes over the data for
    each, so take some hundred rows.

    The relative error of an entry is the difference over the larger of the
    two, or over a thousandth of the objective where both are small, as at a
    minimum. A right gradient has errors of some 1e-8, a wrong one seldom less
    than 1e-3.

    Where the objective has a corner (a target that is met exactly by the
    absolute error, a coefficient that is exactly zero under the L1 penalty)
    there is no derivative. Entries in which the one-sided slopes differ at
    every step are counted as `corners`, and there the error is the distance
    from the interval between these slopes. A random point hardly ever is on a
    corner; the minimum of such an objective mostly is.

    Parameters
    ----------
    loss_or_estimator : str, Loss, GDRegressor or GDClassifier
        A loss, which is checked without a penalty, or an estimator, whose penalty,
        intercept and weights of classes belong to the objective.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets or labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.
    at : tuple of (coef, intercept), default=None
        The point, in the shapes of ``coef_`` and ``intercept_``. By default
        that of a fitted estimator, and a random one otherwise.
    random_state : int, RandomState or None, default=None
        Of the random point.

    Returns
    -------
    GradientCheck
        The worst relative error, where it is, and both gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd import GDRegressor, check_gradient
    >>> from sk_gd.losses import Loss
    >>> class Cubic(Loss):
    ...     kinds = ("regressor",)
    ...     def value(self, y, p):
    ...         return np.abs(y - p) ** 3
    ...     def gradient(self, y, p):
    ...         return 3 * (y - p) ** 2  # the sign is missing
    >>> X, y = np.arange(12.0).reshape(6, 2) % 5, np.arange(6.0)
    >>> check_gradient(Cubic(), X, y, random_state=0).error > 0.1
    True
    >>> check_gradient(GDRegressor(alpha=0.5), X, y, random_state=0).error < 1e-6
    True
    """
    estimator = _estimator(loss_or_estimator)
    fitted = hasattr(estimator, "coef_") and at is None
    objective = ModelObjective(estimator, X, y, sample_weight, reset=not fitted)
    if fitted:
        at = model_of(estimator)
    estimator, coordinates = objective.estimator, objective.coordinates
    unit, point = _place(objective, at, random_state)

    middle = objective(point)
    if not np.isfinite(middle):
        raise ValueError(
            f"The objective must be finite where its gradient is checked. Got {middle} with "
            f"loss={estimator.loss!r}; choose another point with at=(coef, intercept)."
        )
    n_rows = objective.X.shape[0]
    problem = Problem(objective.X, objective.y, objective.weight, objective.loss)
    data = problem.data(coordinates, n_rows, False)
    analytical = _analytical(data, objective.penalty, point)
    found = [
        _compare(objective, middle, point, j, unit[j], slope) for j, slope in enumerate(analytical)
    ]
    numerical, errors, cornered = (np.array(column) for column in zip(*found, strict=True))
    shape = coordinates.n_outputs, coordinates.n_columns
    errors = np.where(np.isfinite(errors), errors, np.inf).reshape(shape)
    worst = np.unravel_index(np.argmax(errors), shape)
    return GradientCheck(
        error=float(errors[worst]),
        where=_name(estimator, objective.X, *worst, shape[0]),
        analytical=analytical.reshape(shape),
        numerical=numerical.reshape(shape),
        errors=errors,
        corners=int(cornered.sum()),
    )


class ModelObjective:
    """The objective of an estimator on data, of any model, from its definition.

    Attributes
    ----------
    estimator : GDRegressor or GDClassifier
        A copy, that has seen the targets.
    X, y, weight, loss, penalty : object
        What the objective consists of; the penalty is that of raw weights.
    coordinates : Coordinates
        Raw ones: coefficients and intercepts as they are.
    fitting : Coordinates
        Those in which all weights are of one size, whatever the features measure.
    """

    def __init__(self, estimator, X, y, sample_weight, *, reset):
        # It encodes the targets, of which the caller's estimator must know nothing.
        self.estimator = estimator = copy.copy(estimator)
        _, self.loss, _ = estimator._resolve()
        self.X, y = estimator._validate(X, y, reset=reset)
        classes = getattr(estimator, "classes_", None)
        self.y = estimator._encode(self.X, y, classes, False, False)
        estimator._check_domain(self.loss, self.y)
        weight = estimator._weigh(sample_weight, self.y)
        self.weight = None if weight is None else normalise(weight, None)
        shape = self.X.shape[1], estimator._n_outputs(self.y), estimator.fit_intercept
        self.coordinates, self.fitting = Coordinates(*shape), Coordinates(*shape)
        self.penalty = ElasticNet(estimator.alpha, estimator.l1_ratio).kernel(
            *self.coordinates.weight_scales(), proximal=False
        )
        self.features = Moments().update(self.X, self.weight)
        regression = isinstance(estimator, GDRegressor)
        targets = Moments().update(self.y, self.weight) if regression else None
        self.units = self.loss.units(targets)
        centre = self.coordinates.intercept
        self.fitting.standardize(self.features, self.units, 1.0, 0.0, centre=centre)

    def __call__(self, w):
        """The objective of the model with the raw weights `w`, flat."""
        model = self.coordinates.to_model(w)
        fit = mean_loss(self.loss, self.X, self.y, self.weight, *model)
        return fit + self.penalty(w)

    def model(self, coef, intercept, name):
        """The model in shapes (n_outputs, n_features) and (n_outputs,); `name` is for errors."""
        n_outputs, n_features = self.coordinates.n_outputs, self.coordinates.n_features
        model = np.atleast_2d(coef), np.atleast_1d(intercept).astype(float)
        if model[0].shape != (n_outputs, n_features) or len(model[1]) != n_outputs:
            raise ValueError(
                f"{name} must be (coef, intercept) of {n_outputs} outputs and {n_features} "
                f"features. Got shapes {np.shape(coef)} and {np.shape(intercept)} instead."
            )
        return model


def model_of(estimator):
    """Coefficients and intercept of a fitted estimator, as arrays."""
    coef = estimator.coef_.toarray() if sp.issparse(estimator.coef_) else estimator.coef_
    return coef, estimator.intercept_


def _estimator(given):
    """The estimator, or an estimator without a penalty for a loss."""
    if isinstance(given, GDEstimator):
        return given
    loss = losses.get(given)
    make = GDRegressor if "regressor" in loss.kinds else GDClassifier
    return make(loss=given, alpha=0)


def _place(objective, at, random_state):
    """The size of a change of each weight that matters, and the point, both flat."""
    coordinates, features = objective.coordinates, objective.features
    scale = np.ones(coordinates.n_outputs) if objective.units is None else objective.units[1]
    reach = np.sqrt(np.maximum(features.variance, 0) + features.mean**2)
    reach = np.append(np.where(reach > 0, reach, 1.0), np.ones(int(coordinates.intercept)))
    unit = (scale[:, None] / reach).ravel()
    if at is None:
        normal = check_random_state(random_state).normal(size=len(unit))
        model = objective.fitting.to_model(normal / np.sqrt(coordinates.n_columns))
    else:
        model = objective.model(*at, "at")
    return unit, coordinates.from_model(*model)


def _analytical(data, penalty, point):
    """The gradient of the loop, the subgradient of an L1 penalty included."""
    rule = Recorder().rule(len(point))
    rule.start(point)
    lane = Lane(rule, point)
    lane.penalty = penalty
    run = Run(0)
    run.lane = lane
    run_epoch(data.objective([run]), [lane], [np.zeros(1)], None, data.n, data.n)
    return rule.state["gradient"]


def _compare(objective, middle, point, j, unit, slope):
    """Numerical slope along coordinate j, the error of `slope`, and whether there is a corner.

    A change of the coordinate by `unit` changes the predictions by about one of their units.
    """
    coarse, fine = (_one_sided(objective, middle, point, j, h * unit) for h in (STEP, STEP * FINER))
    # The longer step has the less rounding, the shorter one is less likely to cross a corner.
    numerical = min((np.mean(coarse), np.mean(fine)), key=lambda value: abs(value - slope))
    error = abs(numerical - slope)
    rounding = 32 * np.finfo(float).eps * abs(middle) / (STEP * FINER * unit)
    cornered = abs(fine[1] - fine[0]) > max(abs(coarse[1] - coarse[0]) / 4, rounding)
    if cornered:
        low, high = min(fine) - rounding, max(fine) + rounding
        error = min(error, max(low - slope, slope - high, 0.0))
    size = max(abs(slope), abs(numerical), LEAST * abs(middle) / unit)
    return numerical, error / size if error != 0 else 0.0, cornered


def _one_sided(objective, middle, point, j, h):
    """The slopes of the objective to the left and to the right along coordinate j."""
    found = []
    for step in (-h, h):
        w = point.copy()
        w[j] += step
        found.append((objective(w) - middle) / (w[j] - point[j]))
    return found


def _name(estimator, X, output, column, n_outputs):
    """What a weight is called in a report."""
    text = "intercept"
    if column < X.shape[1]:
        text = f"coefficient of feature {column}"
        names = getattr(estimator, "feature_names_in_", None)
        text += "" if names is None else f" ({names[column]!r})"
    return text if n_outputs == 1 else f"{text} of output {output}"
