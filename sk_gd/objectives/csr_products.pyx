# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Products of a matrix with a few dense columns, of a sparse one with itself, and its moments."""

import numpy as np
import scipy.sparse as sp

from sk_gd.objectives.csr_entries cimport add_row, dot_row, integer
from sk_gd.objectives.rows cimport real

from ..aligned import aligned
from .csr_rows import check_entries


def padded_width(n):
    """The least width from `n` on that suits vector instructions: 2, or a multiple of 4."""
    return 2 if n <= 2 else n + -n % 4


class Products:
    """Products of a matrix with a few dense columns, many times.

    If X is sparse, and the columns have a `padded_width`, they take a third of SciPy's time. The
    indices are checked once.
    """

    def __init__(self, X):
        self.X = X
        self.entries = None
        if sp.issparse(X) and X.nnz > 0:
            self.entries = X.data, X.indices, _checked_indptr(X)

    def times(self, V):
        """X @ V."""
        return self._product(V, False)

    def transposed_times(self, V):
        """X.T @ V."""
        return self._product(V, True)

    def _product(self, V, transposed):
        n, inner = self.X.shape[::-1] if transposed else self.X.shape
        if len(V) != inner:
            raise ValueError(f"A matrix of {n} by {inner} times {len(V)} rows: it needs {inner}.")
        if self.entries is None or V.shape[1] != padded_width(V.shape[1]):
            return self.X.T @ V if transposed else self.X @ V
        out = np.zeros((n, V.shape[1]))
        _multiply_rows(*self.entries, np.ascontiguousarray(V), out, transposed)
        return out


def scaled(V, factor):
    """Each row of V times its factor, for which NumPy's loops are too short."""
    if len(factor) != len(V):
        raise ValueError(f"{len(factor)} factors of {len(V)} rows: each row must have one.")
    out = np.empty(V.shape)
    _scale_rows(np.ascontiguousarray(V), factor, out)
    return out


def self_product(X, weight=None):
    """X.T @ X as a dense matrix, of a sparse X whose rows are weighted.

    SciPy makes a sparse matrix of it first, which takes longer.
    """
    out = np.zeros((X.shape[1], X.shape[1]))
    _multiply_pairs(X.data, X.indices, _checked_indptr(X), _checked_weight(X, weight), out)
    # Only one of two entries that mirror each other has its sum, and half of the diagonal.
    out += out.T
    return out


def column_moments(X, weight=None):
    """Weighted moments of the columns of a sparse matrix.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features)
        The rows.
    weight : ndarray of shape (n_samples,), optional
        Their weights. A row without weight is not read.

    Returns
    -------
    tuple or None
        As from `centred_sums` with squares only.
    """
    stored = aligned(np.zeros((X.shape[1], 4)))
    total = _add_entries(
        X.data, X.indices, _checked_indptr(X), _checked_weight(X, weight), stored
    )
    if total == 0:
        return None
    filled, first, mean, squares = stored.T.copy()
    mean += first
    share = filled / total
    # The deviations within the entries that are not zero, and between these and the zeros.
    return total, mean * share, squares + (total - filled) * share * mean**2, filled


def _checked_indptr(X):
    """The `indptr` of a CSR matrix, in the type of its indices, which fit the shape."""
    indptr = X.indptr.astype(X.indices.dtype, copy=False)
    check_entries(X.indices, indptr, X.nnz, *X.shape)
    return indptr


def _checked_weight(X, weight):
    """The weights of the rows, one each, as contiguous doubles; ones for None."""
    if weight is None:
        return np.ones(X.shape[0])
    if len(weight) != X.shape[0]:
        raise ValueError(f"{len(weight)} weights of {X.shape[0]} rows: each row must have one.")
    return np.ascontiguousarray(weight, dtype=float)


def _scale_rows(const double[:, ::1] V, const double[::1] factor, double[:, ::1] out):
    cdef Py_ssize_t i, k
    with nogil:
        for i in range(V.shape[0]):
            for k in range(V.shape[1]):
                out[i, k] = factor[i] * V[i, k]


def _multiply_rows(
    const real[::1] data, const integer[::1] indices, const integer[::1] indptr,
    const double[:, ::1] V, double[:, ::1] out, bint transposed,
):
    cdef Py_ssize_t i, a, n = indptr.shape[0] - 1, width = V.shape[1]
    with nogil:
        for i in range(n):
            a = indptr[i]
            if transposed:
                add_row(
                    &data[a], &indices[a], indptr[i + 1] - a, &V[i, 0], width, &out[0, 0]
                )
            else:
                dot_row(
                    &data[a], &indices[a], indptr[i + 1] - a, &V[0, 0], width, &out[i, 0]
                )


def _add_entries(
    const real[::1] data, const integer[::1] indices, const integer[::1] indptr,
    const double[::1] weight, double[:, ::1] stored,
):
    """Add the entries that are not zero to what is known of their columns; returns all weight.

    Of every column it is the sum of the weights, the first entry, and of the differences from it
    the mean and the sum of the squared deviations from that mean. They are exactly zero if all
    entries are the same. (West, D. H. D. (1979). Updating mean and variance estimates: an improved
    method. Communications of the ACM, 22(9), 532-535.)
    """
    cdef Py_ssize_t i, a
    cdef double w, apart, step, total = 0
    cdef double *column
    with nogil:
        for i in range(indptr.shape[0] - 1):
            w = weight[i]
            if w == 0:
                continue
            # In the order of the columns' own sums: a column without zeros has the same sum.
            total += w
            for a in range(indptr[i], indptr[i + 1]):
                if data[a] == 0:
                    continue
                column = &stored[indices[a], 0]
                if column[0] == 0:
                    column[1] = data[a]
                apart = data[a] - column[1] - column[2]
                step = apart * w / (column[0] + w)
                column[3] += column[0] * step * apart
                column[2] += step
                column[0] += w
    return total


def _multiply_pairs(
    const real[::1] data, const integer[::1] indices, const integer[::1] indptr,
    const double[::1] weight, double[:, ::1] out,
):
    cdef Py_ssize_t i, a, b, n = indptr.shape[0] - 1
    cdef double x
    cdef double *row
    with nogil:
        for i in range(n):
            for a in range(indptr[i], indptr[i + 1]):
                x = weight[i] * data[a]
                row = &out[indices[a], 0]
                for b in range(indptr[i], a):
                    row[indices[b]] += x * data[b]
                row[indices[a]] += 0.5 * x * data[a]
