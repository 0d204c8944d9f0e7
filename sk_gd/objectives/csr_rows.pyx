# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Sparse rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t

from sk_gd.objectives.rows cimport AHEAD, ROUNDING, SK_GD_PREFETCH, Rows, real

ctypedef fused integer:
    int32_t
    int64_t


cdef void dot_csr(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, Py_ssize_t n_ahead, const double *w, const double *scale, double bias,
    double *p,
) noexcept nogil:
    """p = rows · (scale * w) + bias, row by row, with the rows ahead being prefetched."""
    cdef Py_ssize_t i, a
    cdef double total
    for i in range(count):
        if i < n_ahead:
            a = indptr[row[i + AHEAD]]
            while a < indptr[row[i + AHEAD] + 1]:
                SK_GD_PREFETCH(data + a)
                SK_GD_PREFETCH(indices + a)
                a += 8
        total = 0
        if scale == NULL:
            for a in range(indptr[row[i]], indptr[row[i] + 1]):
                total += data[a] * w[indices[a]]
        else:
            for a in range(indptr[row[i]], indptr[row[i] + 1]):
                total += data[a] * (scale[indices[a]] * w[indices[a]])
        p[i] = total + bias


cdef void add_csr(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, const double *r, const double *scale, double *g,
) noexcept nogil:
    """g += r · rows * scale."""
    cdef Py_ssize_t i, a
    for i in range(count):
        if scale == NULL:
            for a in range(indptr[row[i]], indptr[row[i] + 1]):
                g[indices[a]] += r[i] * data[a]
        else:
            for a in range(indptr[row[i]], indptr[row[i] + 1]):
                g[indices[a]] += r[i] * data[a] * scale[indices[a]]


cdef Py_ssize_t list_csr(
    const integer *indices, const integer *indptr, const Py_ssize_t *row, Py_ssize_t count,
    Py_ssize_t *where, Py_ssize_t found, Py_ssize_t *stamp, Py_ssize_t mark,
) noexcept nogil:
    """Append the columns of the rows to `where`, each once; return how many there are then."""
    cdef Py_ssize_t i, a
    for i in range(count):
        for a in range(indptr[row[i]], indptr[row[i] + 1]):
            if stamp[indices[a]] != mark:
                stamp[indices[a]] = mark
                where[found] = indices[a]
                found += 1
    return found


cdef class CSRRows(Rows):
    """Rows of a CSR matrix of float32 or float64, with 32- or 64-bit indices.

    The weights and the gradient are scaled, and shifted, in place of the rows, as with dense
    rows. Where steps are local each entry is scaled, so that only touched columns are read. The
    features are not shifted then.
    """

    cdef const float[::1] floats
    cdef const double[::1] doubles
    cdef const int32_t[::1] indices
    cdef const int32_t[::1] indptr
    cdef const int64_t[::1] wide_indices
    cdef const int64_t[::1] wide_indptr
    cdef Py_ssize_t[::1] row
    cdef double[:, ::1] v
    cdef const double *w
    cdef const double *entry_scale
    cdef Py_ssize_t count

    def __init__(self, X, shift, scale, level, intercept, capacity, n_ordered):
        Rows.__init__(self, X, shift, scale, level, intercept, capacity, n_ordered)
        self.floats = X.data if X.dtype == np.float32 else None
        self.doubles = X.data if X.dtype == np.float64 else None
        narrow = X.indices.dtype.itemsize == 4 and X.indptr.dtype.itemsize == 4
        self.indices = X.indices if narrow else None
        self.indptr = X.indptr if narrow else None
        self.wide_indices = None if narrow else X.indices.astype(np.int64, copy=False)
        self.wide_indptr = None if narrow else X.indptr.astype(np.int64, copy=False)
        self.row = np.empty(capacity + AHEAD, dtype=np.intp)
        self.v = np.empty((self.n_outputs, self.n_columns))

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t j, k
        cdef double shifted
        Rows.begin(self, w, n_rows)
        self.w = w
        self.entry_scale = NULL
        if self.scale is None:
            return True
        if self.local:
            self.entry_scale = &self.scale[0]
            return True
        for k in range(self.n_outputs):
            shifted = 0
            for j in range(self.n_features):
                self.v[k, j] = w[j] * self.scale[j]
                shifted += self.shift[j] * self.v[k, j]
            if self.n_columns > self.n_features:
                self.v[k, self.n_features] = w[self.n_features] - shifted
            w += self.n_columns
        self.w = &self.v[0, 0]
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef Py_ssize_t i, k, known, n_ahead
        cdef const double *w = self.w
        cdef double bias = 0
        self.count = count
        # The rows after this block, too: they are prefetched.
        known = min(count + AHEAD, self.n_ordered - begin)
        for i in range(known):
            self.row[i] = begin + i if order == NULL else order[begin + i]
        for k in range(self.n_outputs):
            n_ahead = known - AHEAD if k == 0 else 0
            if self.n_columns > self.n_features:
                bias = w[self.n_features]
            if self.indices is not None:
                if self.floats is not None:
                    dot_csr[float, int32_t](
                        &self.floats[0], &self.indices[0], &self.indptr[0], &self.row[0], count,
                        n_ahead, w, self.entry_scale, bias, p,
                    )
                else:
                    dot_csr[double, int32_t](
                        &self.doubles[0], &self.indices[0], &self.indptr[0], &self.row[0], count,
                        n_ahead, w, self.entry_scale, bias, p,
                    )
            elif self.floats is not None:
                dot_csr[float, int64_t](
                    &self.floats[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    count, n_ahead, w, self.entry_scale, bias, p,
                )
            else:
                dot_csr[double, int64_t](
                    &self.doubles[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    count, n_ahead, w, self.entry_scale, bias, p,
                )
            w += self.n_columns
            p += stride

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef Py_ssize_t i, k
        for k in range(self.n_outputs):
            if self.indices is not None:
                if self.floats is not None:
                    add_csr[float, int32_t](
                        &self.floats[0], &self.indices[0], &self.indptr[0], &self.row[0],
                        self.count, r, self.entry_scale, g,
                    )
                else:
                    add_csr[double, int32_t](
                        &self.doubles[0], &self.indices[0], &self.indptr[0], &self.row[0],
                        self.count, r, self.entry_scale, g,
                    )
            elif self.floats is not None:
                add_csr[float, int64_t](
                    &self.floats[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    self.count, r, self.entry_scale, g,
                )
            else:
                add_csr[double, int64_t](
                    &self.doubles[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    self.count, r, self.entry_scale, g,
                )
            for i in range(self.count):
                self.sizes[k] += fabs(r[i])
                if self.n_columns > self.n_features:
                    g[self.n_features] += r[i]
            g += self.n_columns
            r += stride

    cdef void finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t j, k, d = self.n_features
        for k in range(self.n_outputs):
            if self.scale is not None and not self.local:
                for j in range(d):
                    if self.shift[j] != 0:
                        # The slopes add up to g[d]: only models with an intercept are shifted.
                        g[j] -= self.shift[j] * g[d]
                        if fabs(g[j]) <= ROUNDING * self.sizes[k] * fabs(self.shift[j]):
                            g[j] = 0  # the rounding of sums that cancel
                    g[j] *= self.scale[j]
            if self.n_columns > d and self.n_rows > 1:
                if fabs(g[d]) <= ROUNDING * (self.sizes[k] + self.level[k]):
                    g[d] = 0
            g += self.n_columns

    cdef Py_ssize_t touch(
        self, Py_ssize_t *where, Py_ssize_t found, Py_ssize_t *stamp, Py_ssize_t mark
    ) noexcept nogil:
        if self.indices is not None:
            found = list_csr[int32_t](
                &self.indices[0], &self.indptr[0], &self.row[0], self.count, where, found, stamp,
                mark,
            )
        else:
            found = list_csr[int64_t](
                &self.wide_indices[0], &self.wide_indptr[0], &self.row[0], self.count, where,
                found, stamp, mark,
            )
        if self.n_columns > self.n_features and stamp[self.n_features] != mark:
            stamp[self.n_features] = mark
            where[found] = self.n_features
            found += 1
        return found
