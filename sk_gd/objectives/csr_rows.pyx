# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Sparse rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from sk_gd.objectives.rows cimport AHEAD, ROUNDING, SK_GD_PREFETCH, Rows, real

cdef extern from *:
    """
    #define SK_GD_TOGETHER 4
    """
    enum:
        TOGETHER "SK_GD_TOGETHER"  # outputs whose sums the compiler keeps in registers


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


cdef void dot_csr_together(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, Py_ssize_t n_ahead, const double *v, Py_ssize_t n_groups,
    const double *bias, double *p, Py_ssize_t n_outputs, int stride,
) noexcept nogil:
    """p = rows · v + bias for several outputs, `TOGETHER` of them at a time.

    In `v` the weights of all outputs for a feature are beside each other.
    """
    cdef Py_ssize_t i, a, b, k, first, last, width = n_groups * TOGETHER
    cdef double sums[TOGETHER]
    cdef const double *line
    cdef double x
    for i in range(count):
        first, last = indptr[row[i]], indptr[row[i] + 1]
        if i < n_ahead:
            a = indptr[row[i + AHEAD]]
            while a < indptr[row[i + AHEAD] + 1]:
                SK_GD_PREFETCH(data + a)
                SK_GD_PREFETCH(indices + a)
                a += 8
        for b in range(n_groups):
            for k in range(TOGETHER):
                sums[k] = 0
            for a in range(first, last):
                x = data[a]
                line = v + indices[a] * width + b * TOGETHER
                for k in range(TOGETHER):
                    sums[k] += x * line[k]
            for k in range(min(TOGETHER, n_outputs - b * TOGETHER)):
                p[(b * TOGETHER + k) * stride + i] = sums[k] + bias[b * TOGETHER + k]


cdef void add_csr_together(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, const double *r, int stride, Py_ssize_t n_outputs, double *g,
    Py_ssize_t n_groups,
) noexcept nogil:
    """g += r · rows for several outputs; `g` is laid out as `v` of `dot_csr_together`."""
    cdef Py_ssize_t i, a, b, k, first, last, width = n_groups * TOGETHER
    cdef double slopes[TOGETHER]
    cdef double *line
    cdef double x
    for i in range(count):
        first, last = indptr[row[i]], indptr[row[i] + 1]
        for b in range(n_groups):
            for k in range(TOGETHER):
                slopes[k] = 0
            for k in range(min(TOGETHER, n_outputs - b * TOGETHER)):
                slopes[k] = r[(b * TOGETHER + k) * stride + i]
            for a in range(first, last):
                x = data[a]
                line = g + indices[a] * width + b * TOGETHER
                for k in range(TOGETHER):
                    line[k] += x * slopes[k]


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
    cdef double[:, ::1] sums
    cdef double[::1] bias
    cdef bint together
    cdef Py_ssize_t n_groups
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
        # The weights of all outputs are beside each other for several outputs.
        self.n_groups = (self.n_outputs + TOGETHER - 1) // TOGETHER
        together = self.n_outputs > 1
        shape = self.n_features, self.n_groups * TOGETHER
        self.v = np.zeros(shape if together else (1, self.n_columns))
        self.sums = np.zeros(shape if together else (0, 0))
        self.bias = np.zeros(self.n_groups * TOGETHER)

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t j, k
        cdef double shifted
        Rows.begin(self, w, n_rows)
        self.w = w
        self.entry_scale = NULL
        self.together = self.n_outputs > 1 and not self.local
        if self.local:
            if self.scale is not None:
                self.entry_scale = &self.scale[0]
            return True
        if self.together:
            memset(&self.sums[0, 0], 0, self.sums.shape[0] * self.sums.shape[1] * sizeof(double))
        for k in range(self.n_outputs):
            shifted = self.take_weights(w, k)
            self.bias[k] = 0
            if self.n_columns > self.n_features:
                self.bias[k] = w[self.n_features] - shifted
            w += self.n_columns
        return True

    cdef double take_weights(self, const double *w, Py_ssize_t k) noexcept nogil:
        """Scale the weights of output k; returns what the shift adds to its predictions."""
        cdef Py_ssize_t j, width = self.v.shape[1] if self.together else 1
        cdef double shifted = 0
        cdef double *v = &self.v[0, 0] + (k if self.together else 0)
        if self.scale is None:
            if self.together:
                for j in range(self.n_features):
                    v[j * width] = w[j]
            return 0
        for j in range(self.n_features):
            v[j * width] = w[j] * self.scale[j]
            shifted += self.shift[j] * v[j * width]
        if not self.together:
            self.w = v
        return shifted

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef Py_ssize_t i, known
        self.count = count
        # The rows after this block, too: they are prefetched.
        known = min(count + AHEAD, self.n_ordered - begin)
        for i in range(known):
            self.row[i] = begin + i if order == NULL else order[begin + i]
        if self.indices is not None:
            if self.floats is not None:
                self.multiply(&self.floats[0], &self.indices[0], &self.indptr[0], known, p, stride)
            else:
                self.multiply(&self.doubles[0], &self.indices[0], &self.indptr[0], known, p, stride)
        elif self.floats is not None:
            self.multiply(
                &self.floats[0], &self.wide_indices[0], &self.wide_indptr[0], known, p, stride
            )
        else:
            self.multiply(
                &self.doubles[0], &self.wide_indices[0], &self.wide_indptr[0], known, p, stride
            )

    cdef void multiply(
        self, const real *data, const integer *indices, const integer *indptr, Py_ssize_t known,
        double *p, int stride,
    ) noexcept nogil:
        """The products of the rows of a block, of which `known` have been listed, with w."""
        cdef Py_ssize_t k, n_ahead = known - AHEAD
        cdef const double *w = self.w
        if self.together:
            dot_csr_together(
                data, indices, indptr, &self.row[0], self.count, n_ahead, &self.v[0, 0],
                self.n_groups, &self.bias[0], p, self.n_outputs, stride,
            )
            return
        for k in range(self.n_outputs):
            if self.local:
                self.bias[k] = w[self.n_features] if self.n_columns > self.n_features else 0
            dot_csr(
                data, indices, indptr, &self.row[0], self.count, n_ahead if k == 0 else 0, w,
                self.entry_scale, self.bias[k], p,
            )
            w += self.n_columns
            p += stride

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef Py_ssize_t i, k
        if self.indices is not None:
            if self.floats is not None:
                self.add(&self.floats[0], &self.indices[0], &self.indptr[0], r, stride, g)
            else:
                self.add(&self.doubles[0], &self.indices[0], &self.indptr[0], r, stride, g)
        elif self.floats is not None:
            self.add(&self.floats[0], &self.wide_indices[0], &self.wide_indptr[0], r, stride, g)
        else:
            self.add(&self.doubles[0], &self.wide_indices[0], &self.wide_indptr[0], r, stride, g)
        for k in range(self.n_outputs):
            for i in range(self.count):
                self.sizes[k] += fabs(r[i])
                if self.n_columns > self.n_features:
                    g[self.n_features] += r[i]
            g += self.n_columns
            r += stride

    cdef void add(
        self, const real *data, const integer *indices, const integer *indptr, const double *r,
        int stride, double *g,
    ) noexcept nogil:
        """Add the products of the slopes with the rows of the block to the sums."""
        cdef Py_ssize_t k
        if self.together:
            add_csr_together(
                data, indices, indptr, &self.row[0], self.count, r, stride, self.n_outputs,
                &self.sums[0, 0], self.n_groups,
            )
            return
        for k in range(self.n_outputs):
            add_csr(data, indices, indptr, &self.row[0], self.count, r, self.entry_scale, g)
            g += self.n_columns
            r += stride

    cdef void finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t j, k, d = self.n_features
        for k in range(self.n_outputs):
            if self.together:
                for j in range(d):
                    g[j] = self.sums[j, k]
            if self.scale is not None and not self.local:
                self.to_coordinates(k, g)
            if self.n_columns > d and self.n_rows > 1:
                if fabs(g[d]) <= ROUNDING * (self.sizes[k] + self.level[k]):
                    g[d] = 0
            g += self.n_columns

    cdef void to_coordinates(self, Py_ssize_t k, double *g) noexcept nogil:
        """Shift and scale the gradient `g` of output k. The slopes add up to its last entry."""
        cdef Py_ssize_t j
        for j in range(self.n_features):
            # Only models with an intercept have a shift.
            if self.shift[j] != 0:
                g[j] -= self.shift[j] * g[self.n_features]
                if fabs(g[j]) <= ROUNDING * self.sizes[k] * fabs(self.shift[j]):
                    g[j] = 0  # the rounding of sums that cancel
            g[j] *= self.scale[j]

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
