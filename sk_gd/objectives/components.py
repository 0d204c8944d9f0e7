"""Principal components: few rows of many features become rows of few numbers.

With a ridge penalty the best coefficients are linear combinations of the rows, whatever the loss
[1]_. So n rows need no more than n weights, and these are along axes on which the rows are not
correlated.

.. [1] Schölkopf, B., Herbrich, R. & Smola, A. (2001). A generalized representer theorem. COLT.
   doi:10.1007/3-540-44581-1_27
"""

from dataclasses import dataclass

import numpy as np

from .moments import SMALLEST_SQUARE, Moments

# An axis along which the variance of the rows is less than this share of the largest one is mostly
# rounding. What a model could gain along it is less than `tol`.
SHORTEST = 1e-10


@dataclass(eq=False)
class Components:
    """The rows that train, along axes on which they are not correlated.

    Attributes
    ----------
    rows : ndarray of shape (n, n_axes)
        The rows; zero for those without weight.
    axes : ndarray of shape (n_features, n_axes)
        Orthonormal directions in the space of the features divided by their sizes.
    middle : ndarray of shape (n_features,)
        What is subtracted from the rows.
    moments : Moments
        Those of `rows`.
    """

    rows: np.ndarray
    axes: np.ndarray
    middle: np.ndarray
    moments: Moments


def components(problem, features, size, centre):
    """The components of the rows of a problem.

    Parameters
    ----------
    problem : Problem
        The rows and their weights.
    features : Moments
        The moments of the features.
    size : ndarray of shape (n_features,) or float
        Their sizes.
    centre : bool
        Whether the mean of the rows is subtracted.

    Returns
    -------
    Components
        At least one.
    """
    inverse, middle = np.ones(problem.n_features) / size, np.zeros(problem.n_features)
    if centre:
        # Constant features are left to the intercept.
        inverse, middle = np.where(features.is_constant(), 0.0, inverse), features.mean
    rows = problem.centred_rows(middle, inverse)
    squares, vectors = np.linalg.eigh(rows.gram)
    kept = squares > max(SHORTEST * squares[-1], SMALLEST_SQUARE)
    # Rows that are all the same have one axis, along which all are zero.
    kept[-1] = True
    lengths, vectors = np.sqrt(np.maximum(squares[kept], 0.0)), vectors[:, kept]
    root = np.sqrt(rows.share)[:, None]
    along = np.zeros(vectors.shape)
    np.divide(vectors * lengths, root, out=along, where=root > 0)
    axes = rows.combined(root * vectors / np.where(lengths > 0, lengths, 1.0))
    moments = Moments()
    moments.update(along, None if problem.weight is None else rows.share * problem.n)
    return Components(along, axes, middle, moments)
