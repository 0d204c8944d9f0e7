"""The Hessian of a loss with one output, in the optimizer's coordinates, and pairs that know it."""

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from .held_out import raw_predictions
from .moments import Moments
from .problem import spread
from .smoothness import second_moment_of

# Predictions are moved by so much of their unit: the slope of the loss changes by a few digits.
STEP = 1e-4


def loss_hessian(data, weights):
    """The Hessian of the mean loss at these weights; None if it has no finite numbers.

    The second derivative of the loss in a prediction is the difference of two slopes.

    Parameters
    ----------
    data : Data
        Rows with one output. Their coordinates are not along axes.
    weights : ndarray of shape (n_columns,)
        Weights in the coordinates.

    Returns
    -------
    ndarray of shape (n_columns, n_columns) or None
        The matrix.
    """
    problem, coordinates = data.problem, data.coordinates
    rows = problem.subset
    X, y, weight = problem.X, problem.y.T, problem.weight
    if rows is not None:
        y, weight = y[:, rows], None if weight is None else weight[rows]
    unit = float(coordinates.unit[0])
    p = raw_predictions(X if rows is None else X[rows], *coordinates.to_model(weights)).T
    kernel, y = problem.loss.kernel(1), np.ascontiguousarray(y)
    with np.errstate(over="ignore", invalid="ignore"):
        above, below = (kernel.slope(y, p + sign * STEP * unit) for sign in (1, -1))
        curvature = np.maximum((above - below)[0] / (2 * STEP * unit), 0.0)
        if weight is not None:
            curvature *= weight
        if not 0 < curvature.sum() < np.inf:
            return None
        if rows is not None:
            curvature = spread(curvature, rows, X.shape[:1])
        moments = Moments(full=True).update(X, curvature, rows)
        found = second_moment_of(moments, coordinates)
        found *= moments.total / problem.n * unit**2 / float(coordinates.loss_scale[0])
    if coordinates.rotation is not None:
        found = coordinates.rotation.T @ found @ coordinates.rotation
    return found if np.isfinite(found).all() else None


def conjugate_pairs(hessian):
    """Changes of the weights, one a row, and of the gradient: all that the Hessian knows.

    The changes are conjugate. The formula of BFGS, applied to each pair in turn, then gives the
    inverse of the Hessian. None if it has a direction without curvature.
    """
    factor, failed = dpotrf(hessian, lower=True)
    if failed:
        return None
    return dtrtri(factor, lower=True)[0], factor.T
