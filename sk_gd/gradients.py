"""check_gradient: compares a gradient with numerical derivatives of its objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from . import losses
from .estimators import GDClassifier, GDRegressor
from .estimators.base import GDEstimator
from .estimators.model_objective import ModelObjective, model_of
from .optimizers import Optimizer
from .training.lanes import connect, new_lane
from .training.loop import run_epoch

if TYPE_CHECKING:
    from typing import Any

    from . import _typing as types

__all__ = ["GradientCheck", "check_gradient"]

# Step of the central differences. Truncation grows with its square, rounding with its inverse.
STEP = 6e-6
# The second step is smaller by this factor. At a corner the one-sided slopes differ at both.
FINER = 1 / 32
# Gradients below this share of the objective are compared with that share.
LEAST = 1e-3


@dataclass(frozen=True)
class GradientCheck:
    """The result of `check_gradient`.

    Attributes
    ----------
    error : float
        The largest relative error; infinite if a gradient is not finite.
    where : str
        The coefficient or intercept with this error.
    analytical, numerical : ndarray of shape (n_outputs, n_features + 1)
        The gradients; the last column is that of the intercepts, if there are any.
    errors : ndarray of shape (n_outputs, n_features + 1)
        The relative errors.
    corners : int
        Number of entries at a corner of the objective. There every slope between the two
        one-sided slopes is right.
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
    """Does not move; keeps the gradient, with the subgradient of an L1 penalty."""

    def step(self, w, g, lr, state):
        state["gradient"] = g.copy()


def check_gradient(
    loss_or_estimator: Any,
    X: types.MatrixLike,
    y: types.ArrayLike,
    *,
    sample_weight: types.ArrayLike = None,
    at: Any = None,
    random_state: types.RandomState = None,
) -> GradientCheck:
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
    unit, point = _point(objective, at, random_state)

    middle = objective(point)
    if not np.isfinite(middle):
        raise ValueError(
            f"The objective must be finite where its gradient is checked. Got {middle} with "
            f"loss={estimator.loss!r}; choose another point with at=(coef, intercept)."
        )
    analytical = _analytical(objective, point)
    found = [
        _compare(objective, middle, point, j, unit[j], slope) for j, slope in enumerate(analytical)
    ]
    numerical, errors, at_corner = (np.array(column) for column in zip(*found, strict=True))
    shape = objective.coordinates.n_outputs, objective.coordinates.n_columns
    errors = np.where(np.isfinite(errors), errors, np.inf).reshape(shape)
    worst = np.unravel_index(np.argmax(errors), shape)
    return GradientCheck(
        error=float(errors[worst]),
        where=_name(objective, *worst),
        analytical=analytical.reshape(shape),
        numerical=numerical.reshape(shape),
        errors=errors,
        corners=int(at_corner.sum()),
    )


def _estimator(given):
    """The estimator, or an estimator without a penalty for a loss."""
    if isinstance(given, GDEstimator):
        return given
    if not isinstance(given, str | losses.Loss):
        is_class = isinstance(given, type)
        got = f"the class {given.__name__}: write {given.__name__}()" if is_class else repr(given)
        raise TypeError(
            "loss_or_estimator must be the name of a loss, or an instance of Loss, GDRegressor or "
            f"GDClassifier. Got {got}."
        )
    loss = losses.get(given)
    make = GDRegressor if "regressor" in loss.kinds else GDClassifier
    return make(loss=given, alpha=0)


def _point(objective, at, random_state):
    """The change of each weight that changes predictions noticeably, and the point, both flat."""
    coordinates, features = objective.coordinates, objective.statistics.features
    scale = objective.standardised.unit
    length = np.sqrt(np.maximum(features.variance, 0) + features.mean**2)
    length = np.append(np.where(length > 0, length, 1.0), np.ones(int(coordinates.intercept)))
    unit = (scale[:, None] / length).ravel()
    if at is None:
        normal = check_random_state(random_state).normal(size=len(unit))
        model = objective.standardised.to_model(normal / np.sqrt(coordinates.n_columns))
    elif isinstance(at, list | tuple) and len(at) == 2:
        model = objective.model(*at, "at")
    else:
        raise ValueError(
            "at must be (coef, intercept), in the shapes of coef_ and intercept_. "
            f"Got {at!r} instead."
        )
    return unit, coordinates.from_model(*model)


def _analytical(objective, point):
    """The gradient that the training loop uses, with the subgradient of an L1 penalty."""
    problem = objective.problem
    data = problem.data(objective.coordinates, problem.n, False)
    lane = new_lane(Recorder(), point, 0)
    lane.penalty = objective.penalty
    run_epoch(connect([lane], data), [lane], [np.zeros(1)], None, data.n, data.n)
    return lane.rule.state["gradient"]


def _compare(objective, middle, point, j, unit, slope):
    """Numerical slope along coordinate j, relative error of `slope`, and whether j is at a corner.

    A change of the coordinate by `unit` changes the predictions by about one of their units.
    """
    coarse, fine = (_one_sided(objective, middle, point, j, h * unit) for h in (STEP, STEP * FINER))
    # The longer step has less rounding; the shorter one is less likely to cross a corner.
    numerical = min((np.mean(coarse), np.mean(fine)), key=lambda value: abs(value - slope))
    error = abs(numerical - slope)
    rounding = 32 * np.finfo(float).eps * abs(middle) / (STEP * FINER * unit)
    at_corner = abs(fine[1] - fine[0]) > max(abs(coarse[1] - coarse[0]) / 4, rounding)
    if at_corner:
        low, high = min(fine) - rounding, max(fine) + rounding
        error = min(error, max(low - slope, slope - high, 0.0))
    if not np.isfinite(error):
        return numerical, np.inf, at_corner
    size = max(abs(slope), abs(numerical), LEAST * abs(middle) / unit)
    return numerical, error / size if error != 0 else 0.0, at_corner


def _one_sided(objective, middle, point, j, h):
    """The slopes of the objective to the left and to the right along coordinate j."""
    found = []
    for step in (-h, h):
        w = point.copy()
        w[j] += step
        found.append((objective(w) - middle) / (w[j] - point[j]))
    return found


def _name(objective, output, column):
    """What a weight is called in a report."""
    text = "intercept"
    if column < objective.coordinates.n_features:
        text = f"coefficient of feature {column}"
        names = objective.feature_names
        text += "" if names is None else f" ({names[column]!r})"
    n_outputs = objective.coordinates.n_outputs
    return text if n_outputs == 1 else f"{text} of output {output}"
