"""The Hessian of a loss in the optimizer's coordinates, and its inverse."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrf, dpotrs

from ..indices import chunks
from .smoothness import second_moment_of

# So many numbers (8 MB) of the rows in the coordinates are kept for the next Hessian.
KEPT = 1 << 20
# The share of the curvature of single scores that all scores together are given.
TOGETHER = 1e-2
# So large shares of the curvature along each weight are added until a Hessian can be inverted.
SHARES = (0.0, 1e-9, 1e-6, 1e-3)
# If a direction has less of the curvature along the weight, its inverse would be of rounding.
LEAST_PIVOT = 1e-12


class LossHessian:
    """The Hessian of the mean loss, as a function of the flat weights.

    If a loss stays the same when the scores of all classes grow together, there is nothing to gain
    in these directions. They are given a small share of the curvature of single scores: the matrix
    then has an inverse, and rounding does not move the weights along them.

    Parameters
    ----------
    data : Data
        The rows. Their coordinates are not along axes.
    """

    def __init__(self, data):
        self._data = data
        self._parts = None
        if data.n * data.coordinates.n_columns <= KEPT:
            self._parts = list(self._rows())

    def __call__(self, weights):
        """The matrix at these weights; None if it has no finite numbers."""
        data = self._data
        coordinates, loss = data.coordinates, data.problem.loss
        origin, unit = coordinates.origin[:, None], coordinates.unit[:, None]
        relative = unit * unit / (data.n * coordinates.loss_scale[:, None])
        w = coordinates.before_rotation(weights)
        n_outputs, width = w.shape
        # By outputs and columns of the rows, those of the columns.
        found = np.zeros((n_outputs, width, n_outputs, width))
        with np.errstate(over="ignore", invalid="ignore"):
            for z, y, weight in self._parts or self._rows():
                p = origin + unit * (w @ z)
                for k, curvature in enumerate(loss.second_derivatives(y, p, unit)):
                    curvature = curvature * relative[k:]
                    if weight is not None:
                        curvature *= weight
                    curved = (curvature[:, None] * z).reshape(-1, z.shape[1])
                    found[k:, :, k] += (curved @ z.T).reshape(-1, width, width)
            for k in range(n_outputs):
                found[k, :, k:] = found[k:, :, k].transpose(2, 0, 1)
            if coordinates.rotation is not None:
                rotation = coordinates.rotation
                found = rotation.T @ found.swapaxes(1, 2) @ rotation
                found = found.swapaxes(1, 2)
            if loss.relative and n_outputs > 1:
                largest = np.einsum("kiki->ki", found).max(axis=0)
                found += np.diag(TOGETHER / n_outputs * largest)[:, None]
            found = found.reshape(w.size, w.size)
            return found if np.isfinite(found.sum()) and found.any() else None

    def _rows(self):
        """Some rows before the rotation at a time, a row a column, with targets and weights."""
        problem, coordinates = self._data.problem, self._data.coordinates.unrotated()
        X, subset = problem.X, problem.subset
        for batch in chunks(self._data.n, coordinates.n_columns * coordinates.n_outputs):
            rows = batch if subset is None else subset[batch]
            x = X[rows].toarray() if sp.issparse(X) else X[rows]
            y = np.ascontiguousarray(problem.y[rows].T)
            weight = None if problem.weight is None else problem.weight[rows]
            yield coordinates.points(x, order="F").T, y, weight


def hessian_of_constant(data):
    """The Hessian where all predictions are equal, from the moments of the features.

    It is that of one output, with the mean of the second derivatives of the loss over all of them,
    and over about a thousand rows. None if one is negative, or not finite.

    Parameters
    ----------
    data : Data
        The rows. Their coordinates are not along axes.
    """
    problem, coordinates, some = data.problem, data.coordinates, data.small_sample()
    moments = problem.joint_moments
    if moments is None or some is None:
        return None
    unit = coordinates.unit[:, None]
    y = problem.y if some.problem.subset is None else problem.y[some.problem.subset]
    y = np.ascontiguousarray(y.T)
    p = np.repeat(coordinates.origin[:, None], y.shape[1], axis=1)
    curvature = np.array([each[0] for each in problem.loss.second_derivatives(y, p, unit)])
    curvature *= unit**2 / coordinates.loss_scale[:, None]
    least, most = curvature.min(), curvature.max()
    if not (0 <= least and 0 < most < np.inf):
        return None
    found = second_moment_of(moments.part(slice(0, coordinates.n_features)), coordinates)
    found *= curvature.mean()
    if coordinates.rotation is not None:
        found = coordinates.rotation.T @ found @ coordinates.rotation
    return found


def updated_by_bfgs(hessian, pairs):
    """A Hessian after the steps of `pairs`: the changes of the weights, and of the gradient."""
    found = np.array(hessian)
    for s, y in zip(*pairs, strict=True):
        image = found @ s
        found += y[:, None] * (y / (s @ y)) - image[:, None] * (image / (s @ image))
    return found


def inverse_hessian(hessian):
    """The inverse of a Hessian; None if there is none.

    A weight that changes nothing, as that of a feature that is left out, stays as it is. If other
    directions have no curvature, a small share of the curvature along each weight is added, or a
    larger one if that is less than the rounding.
    """
    curvature = hessian.diagonal()
    for share in SHARES:
        matrix = np.array(hessian)
        matrix.flat[:: len(matrix) + 1] += share * curvature + (curvature == 0)
        factor, failed = dpotrf(matrix.T, overwrite_a=True)
        if not failed and (factor.diagonal() ** 2 >= LEAST_PIVOT * curvature).all():
            return dpotrs(factor, np.eye(len(matrix)), overwrite_b=True)[0].T
    return None
