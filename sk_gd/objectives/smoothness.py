"""How long a step may be: smoothness constant, trace and largest eigenvalue of the Hessian."""

from typing import NamedTuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from .moments import Moments

# Up to so many columns the Gram matrix is cheaper than a few passes over the data.
MAX_GRAM_COLUMNS = 257


def root_trace(mean_square, coordinates, penalty):
    """Root of the trace of the Hessian, in the optimizer's coordinates.

    The trace is the curvature of the loss times `mean_square`, the mean squared length of
    the rows without the constant column, plus that of the penalty. Where the features are
    shorter than the constant column, as without any variance, its length counts in their place.
    """
    if coordinates.rotation is not None:
        # These coordinates give loss and penalty together a curvature of one.
        return np.sqrt(coordinates.n_features)
    ridge = penalty.curvature(*coordinates.weight_scales())
    longest = max(mean_square, float(coordinates.intercept))
    with np.errstate(over="ignore"):
        trace = coordinates.curvature * longest + ridge.sum() / coordinates.n_outputs
    return np.sqrt(trace) if trace > 0 else 1.0


class Extent(NamedTuple):
    """What the smoothness constant needs to know of the rows, in the optimizer's coordinates.

    Attributes
    ----------
    largest : float
        The largest eigenvalue of the second moment of the rows; zero in whitened coordinates,
        which do not need it.
    longest : float
        The largest squared length of a row, times its weight.
    n : float
        How many rows the batches are drawn from; infinite if they are a sample of a larger
        population.
    """

    largest: float
    longest: float
    n: float


def extent_of(X, weight, coordinates, n):
    """The extent of the rows of X, dense or CSR, of which n train.

    The `weight` of the rows has mean one over those that train, and is zero on the others.
    """
    w = np.ones(X.shape[0]) if weight is None else weight
    with np.errstate(over="ignore", invalid="ignore"):
        norms = coordinates.squared_norms(X, weight)
        longest = float(np.max(w * norms))
        largest = 0.0
        if not longest * np.sum(w) < np.inf:
            return Extent(np.inf, np.inf, n)
        if coordinates.rotation is None and np.any(norms):
            largest = _largest_eigenvalue(X, w, coordinates)
    return Extent(largest, longest, n)


def smoothness(extent, coordinates, penalty, batch_size, noise_gain=1.0):
    """Expected smoothness L of a mini-batch gradient, in the optimizer's coordinates.

    It lies between the largest eigenvalue of the Hessian, for the full batch, and the
    largest curvature of a single row, for a batch of one [1]_.

    Parameters
    ----------
    extent : Extent
        The extent of the rows.
    coordinates : Coordinates
        The optimizer's coordinates.
    penalty : Penalty
        Its smooth part adds to the curvature.
    batch_size : int
        Rows a step.
    noise_gain : float
        By how much the rule multiplies the noise of a mini-batch gradient.

    Returns
    -------
    float
        The constant; one if there is no curvature at all.

    References
    ----------
    .. [1] Gower, R. et al. (2019). SGD: general analysis and improved rates.
       ICML. arXiv:1901.09401
    """
    largest, longest, n = extent
    ridge = penalty.curvature(*coordinates.weight_scales())
    if coordinates.rotation is None:
        whole, stiffest = coordinates.curvature * largest, float(ridge.max())
    else:
        # These coordinates give loss and penalty together a curvature of one.
        whole, stiffest = 1.0, 0.0
    if batch_size >= n:
        return whole + stiffest or 1.0
    single = coordinates.curvature * longest
    b = batch_size
    noise = (n - b) / (b * (n - 1)) if np.isfinite(n) else 1 / b
    return whole * (1 - noise) + noise_gain * noise * single + stiffest or 1.0


def _largest_eigenvalue(X, weight, coordinates):
    """Largest eigenvalue of the second moment of the columns; `weight` has mean one."""
    z = coordinates.columns(X)
    share = weight / np.sum(weight)
    return largest_eigenvalue(
        z.shape[1],
        lambda: second_moment_of(Moments(full=True).update(X, weight), coordinates),
        lambda v: z.rmatvec(share * z.matvec(v)),
    )


def largest_eigenvalue(k, gram, product):
    """Largest eigenvalue of a Gram matrix of k columns, or a bound a little above it.

    `gram()` returns the matrix, and `product(v)` its product with a vector: of many columns only
    products are computed.
    """
    if k <= MAX_GRAM_COLUMNS:
        # All eigenvalues cost as much as one, and methods for a few fail on singular matrices.
        return float(np.linalg.eigvalsh(gram())[-1])
    # The same start every time, with a part in every direction.
    start = np.random.default_rng(0).standard_normal(k)
    operator = LinearOperator((k, k), matvec=product, dtype=float)
    # eigsh approaches the eigenvalue from below, and L must be a bound.
    return 1.01 * float(eigsh(operator, k=1, v0=start, tol=1e-3, return_eigenvectors=False)[0])


def second_moment_of(moments, coordinates):
    """Weighted mean of z zᵀ over the rows, z being the features and the constant one."""
    d = coordinates.n_features
    mean, second = moments.mean, moments.covariance
    if coordinates.scale is not None:
        mean = (mean - coordinates.shift) * coordinates.scale
        second = second * np.outer(coordinates.scale, coordinates.scale)
    gram = np.ones((coordinates.n_columns, coordinates.n_columns))
    gram[:d, :d] = second + np.outer(mean, mean)
    if coordinates.intercept:
        gram[d, :d] = gram[:d, d] = mean
    return gram
