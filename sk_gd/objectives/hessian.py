"""The Hessian of a loss with one output, in the optimizer's coordinates, and its inverse."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dposv

from ..indices import chunks
from .smoothness import second_moment_of

# The step of finite differences of the slope of the loss, in the unit of the predictions.
STEP = 1e-4
# So many numbers (8 MB) of the rows in the coordinates are kept for the next Hessian.
KEPT = 1 << 20
# Second derivatives that differ by less, relatively, are equal up to rounding.
EQUAL = 1e-6


class LossHessian:
    """The Hessian of the mean loss, as a function of the weights.

    The second derivative of the loss in a prediction is computed from two slopes.

    Parameters
    ----------
    data : Data
        Rows with one output. Their coordinates are not along axes.
    """

    def __init__(self, data):
        self._data = data
        self._parts = None
        if data.n * data.coordinates.n_columns <= KEPT:
            self._parts = list(self._rows())

    def __call__(self, weights):
        """The matrix at these weights; None if it has no finite numbers."""
        data = self._data
        coordinates, kernel = data.coordinates, data.problem.loss.kernel(1)
        origin, unit = float(coordinates.origin[0]), float(coordinates.unit[0])
        found = np.zeros((coordinates.n_columns, coordinates.n_columns))
        with np.errstate(over="ignore", invalid="ignore"):
            for z, y, weight in self._parts or self._rows():
                p = (origin + unit * (z @ weights))[None]
                above = kernel.slope(y, p + STEP * unit)
                curvature = np.maximum(above - kernel.slope(y, p - STEP * unit), 0.0)[0]
                if weight is not None:
                    curvature *= weight
                found += (z * curvature[:, None]).T @ z
            found *= unit / (2 * STEP * data.n * float(coordinates.loss_scale[0]))
            return found if np.isfinite(found.sum()) and found.any() else None

    def _rows(self):
        """Some rows in the coordinates at a time, with their targets and weights."""
        problem, coordinates = self._data.problem, self._data.coordinates
        X, subset = problem.X, problem.subset
        for batch in chunks(self._data.n, coordinates.n_columns):
            rows = batch if subset is None else subset[batch]
            x = X[rows].toarray() if sp.issparse(X) else X[rows]
            y = np.ascontiguousarray(problem.y[rows].T)
            weight = None if problem.weight is None else problem.weight[rows]
            yield coordinates.points(x), y, weight


def hessian_of_constant(data):
    """The Hessian where all predictions are equal, from the moments of the features.

    None if the second derivatives of the loss differ, or if the moments are not finite.

    Parameters
    ----------
    data : Data
        Rows with one output. Their coordinates are not along axes.
    """
    problem, coordinates = data.problem, data.coordinates
    moments = problem.joint_moments
    if moments is None:
        return None
    unit, kernel = float(coordinates.unit[0]), problem.loss.kernel(1)
    y = problem.y if problem.subset is None else problem.y[problem.subset]
    y = np.ascontiguousarray(y.T)
    p = np.full(y.shape, float(coordinates.origin[0]))
    change = kernel.slope(y, p + STEP * unit) - kernel.slope(y, p - STEP * unit)
    least, most = change.min(), change.max()
    if not 0 < most < np.inf or most - least > EQUAL * most:
        return None
    found = second_moment_of(moments.part(slice(0, coordinates.n_features)), coordinates)
    found *= change.mean() * unit / (2 * STEP * float(coordinates.loss_scale[0]))
    if coordinates.rotation is not None:
        found = coordinates.rotation.T @ found @ coordinates.rotation
    return found


def updated_by_bfgs(hessian, pairs):
    """A Hessian after the steps of `pairs`: the changes of the weights, and of the gradient."""
    found = np.array(hessian)
    for s, y in zip(*pairs, strict=True):
        image = found @ s
        found += np.outer(y, y) / (s @ y) - np.outer(image, image) / (s @ image)
    return found


def inverse_hessian(hessian):
    """The inverse of a Hessian; None if it has a direction without curvature.

    A weight that changes nothing, as that of a feature that is left out, stays as it is.
    """
    idle = np.einsum("jj->j", hessian) == 0
    identity = np.eye(len(hessian))
    _, inverse, failed = dposv(hessian + idle * identity if idle.any() else hessian, identity)
    return None if failed else inverse.T  # by rows
