"""A few rows with the same squared error as many: those with the same Gram matrix."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpstrf

from .indicators import Indicators
from .moments import Moments

# With more columns the Gram matrix costs more than some dozen passes over the data. Passes over
# sparse rows skip zeros, which steps on a few rows that stand for them cannot.
MAX_COLUMNS, MAX_SPARSE_COLUMNS = 1024, 256


def worth_condensing(n_rows, n_columns, *, sparse=False):
    """Whether it saves time to condense so many rows of features and targets."""
    most = MAX_SPARSE_COLUMNS if sparse else MAX_COLUMNS
    return n_columns <= most and n_rows > 2 * (n_columns + 1)


def joint_moments(X, Y, weight=None, rows=None):
    """Moments, covariances included, of the columns of X and of Y side by side.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Features.
    Y : ndarray or Indicators of shape (n_samples, n_columns)
        Targets.
    weight : ndarray of shape (n_samples,) or None
        Weights of the rows. If X is sparse, those of rows that do not count are zero.
    rows : ndarray of intp or None
        The rows of a dense X that count; None for all.

    Returns
    -------
    Moments or None
        None if squares of the numbers overflow.
    """
    moments = Moments(full=True)
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(Y, Indicators):
            moments = moments.update(X, weight, rows).with_classes(X, Y, weight, rows)
        elif sp.issparse(X):
            # The rounding of the products is relative to the means. Those of X stay, as it is
            # sparse.
            origin = np.average(Y, axis=0, weights=weight)
            origin = np.where(np.abs(origin) > np.std(Y, axis=0), origin, 0.0)
            moments.update_sparse(X, Y - origin, weight)
            moments.mean[X.shape[1] :] += origin
        else:
            moments.update(X, weight, rows, Y)
    return moments if np.isfinite(moments.covariance).all() else None


def condense(moments, n_features):
    r"""Few rows that have the weighted means and covariances of many.

    The mean of the squared error is a function of these: it is the same for both, whatever the
    linear model. With the covariance :math:`S = R^\top R` of features and targets, each in units of
    its standard deviation, and a matrix Q whose orthonormal columns add up to zero, the rows of
    :math:`\sqrt m \, Q R` have mean zero and covariance S; there are m of them, one more than the
    rank of S.

    Parameters
    ----------
    moments : Moments
        Those of features and targets, as `joint_moments` gives them.
    n_features : int
        How many of the columns are features.

    Returns
    -------
    tuple of ndarray
        ``X, y, x_mean, y_mean``: at most n_features + n_targets + 1 rows, all of
        the same weight, measured from the means (added to the rows, these would
        round them), and the means.
    """
    unit = np.sqrt(np.where(moments.variance > 0, moments.variance, 1.0))
    # With pivoting, since columns may be linearly dependent. Beyond the rank is only rounding.
    factor, pivots, rank, _ = dpstrf(moments.covariance / np.outer(unit, unit))
    root = np.triu(factor[:rank])[:, np.argsort(pivots)]
    root *= np.sqrt(rank + 1) * unit
    few = _spread_out(root)
    d = n_features
    return (
        np.ascontiguousarray(few[:, :d]),
        np.ascontiguousarray(few[:, d:]),
        moments.mean[:d],
        moments.mean[d:],
    )


def _spread_out(rows):
    """One row more, with the same products of columns, and columns that add up to zero.

    It is the product with the transposed Helmert matrix, by sums in place of a matrix.
    """
    k = np.arange(1, len(rows) + 1)[:, None]
    scaled = rows / np.sqrt(k * (k + 1))
    out = np.zeros((len(rows) + 1, rows.shape[1]))
    np.cumsum(scaled[::-1], axis=0, out=out[-2::-1])
    scaled *= k
    out[1:] -= scaled
    return out
