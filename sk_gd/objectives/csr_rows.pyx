# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Sparse rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from sk_gd.objectives.csr_entries cimport add_row, dot_row, fetch_csr, integer
from sk_gd.objectives.csr_transposed cimport TILE, shift_and_scale, subtract_shift, transpose
from sk_gd.objectives.rows cimport AHEAD, ROUNDING, SK_GD_PREFETCH, Rows, multiply_slopes, real

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
            fetch_csr(data, indices, indptr, row[i + AHEAD])
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
    cdef double slope
    for i in range(count):
        slope = r[i]
        if scale == NULL:
            for a in range(indptr[row[i]], indptr[row[i] + 1]):
                g[indices[a]] += slope * data[a]
        else:
            for a in range(indptr[row[i]], indptr[row[i] + 1]):
                g[indices[a]] += slope * data[a] * scale[indices[a]]


cdef void dot_columns(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, Py_ssize_t n_ahead, const double[:, ::1] w, double[::1] total,
    Py_ssize_t n_outputs, double *p, int stride,
) noexcept nogil:
    """p (outputs × rows) = rows · w, with w (features × outputs); `total` is a buffer.

    The last row of w is added: the intercepts.
    """
    cdef Py_ssize_t i, k, a, last = w.shape[0] - 1
    for i in range(count):
        if i < n_ahead:
            fetch_csr(data, indices, indptr, row[i + AHEAD])
        a = indptr[row[i]]
        dot_row(
            data + a, indices + a, indptr[row[i] + 1] - a, &w[0, 0], w.shape[1], &total[0]
        )
        for k in range(n_outputs):
            p[k * stride + i] = total[k] + w[last, k]


cdef void add_columns(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, const double *r, int stride, Py_ssize_t n_outputs, double[::1] slope,
    double[:, ::1] g,
) noexcept nogil:
    """g (features × outputs) += rows · r, with r (outputs × rows); `slope` is a buffer."""
    cdef Py_ssize_t i, k, a
    for i in range(count):
        for k in range(n_outputs):
            slope[k] = r[k * stride + i]
        a = indptr[row[i]]
        add_row(
            data + a, indices + a, indptr[row[i] + 1] - a, &slope[0], g.shape[1], &g[0, 0]
        )


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


def check_entries(
    const integer[::1] indices, const integer[::1] indptr, Py_ssize_t n_entries,
    Py_ssize_t n_rows, Py_ssize_t n_columns,
):
    """Raise a ValueError unless these are the indices of a CSR matrix of this shape."""
    cdef Py_ssize_t i
    cdef bint wrong = indptr.shape[0] != n_rows + 1 or indices.shape[0] < n_entries
    with nogil:
        if not wrong:
            wrong = indptr[0] != 0 or indptr[n_rows] > n_entries
            for i in range(n_rows):
                wrong |= indptr[i] > indptr[i + 1]
        # No branch in this loop, so that the compiler can use vector instructions.
        for i in range(n_entries if not wrong else 0):
            wrong |= <size_t> indices[i] >= <size_t> n_columns
    if wrong:
        raise ValueError(
            f"X must be a sparse matrix whose indices fit its shape, ({n_rows}, {n_columns}). Got "
            "indices or indptr that lead outside; X.check_format() says where."
        )


def has_duplicates(const integer[::1] indices, const integer[::1] indptr, Py_ssize_t n_columns):
    """Whether an entry of a CSR matrix is there twice. The columns of a row need not be sorted."""
    check_entries(indices, indptr, indices.shape[0], indptr.shape[0] - 1, n_columns)
    cdef Py_ssize_t[::1] last = np.full(n_columns, -1, dtype=np.intp)
    cdef Py_ssize_t i, a, found = 0
    with nogil:
        for i in range(indptr.shape[0] - 1):
            for a in range(indptr[i], indptr[i + 1]):
                found += last[indices[a]] == i
                last[indices[a]] = i
    return found > 0


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
    cdef bint shifted

    def __init__(self, X, shift, scale, level, intercept, capacity, order):
        Rows.__init__(self, X, shift, scale, level, intercept, capacity, order)
        # Without entries an array has no address.
        data, indices = (a if len(a) else np.zeros(1, a.dtype) for a in (X.data, X.indices))
        self.floats = data if X.dtype == np.float32 else None
        self.doubles = data if X.dtype == np.float64 else None
        narrow = indices.dtype.itemsize == 4 and X.indptr.dtype.itemsize == 4
        self.indices = indices if narrow else None
        self.indptr = X.indptr if narrow else None
        self.wide_indices = None if narrow else indices.astype(np.int64, copy=False)
        self.wide_indptr = None if narrow else X.indptr.astype(np.int64, copy=False)
        self.row = np.empty(capacity + 2 * AHEAD, dtype=np.intp)
        self.v = np.empty((self.n_outputs, self.n_columns))
        self.shifted = shift is not None and np.any(shift * scale)

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t _, j, d = self.n_features
        cdef const double *scale
        cdef double *v
        cdef double shifted = 0
        Rows.begin(self, w, n_rows)
        self.w = w
        self.entry_scale = NULL
        if self.scale is None:
            return True
        if self.local:
            self.entry_scale = &self.scale[0]
            return True
        scale = &self.scale[0]
        v = &self.v[0, 0]
        for _ in range(self.n_outputs):
            for j in range(d):
                v[j] = w[j] * scale[j]
            if self.shifted:
                shifted = 0
                for j in range(d):
                    shifted += self.shift[j] * v[j]
            if self.n_columns > d:
                v[d] = w[d] - shifted
            w += self.n_columns
            v += self.n_columns
        self.w = &self.v[0, 0]
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef Py_ssize_t _, n_ahead = self.find(order, begin, count)
        cdef const double *w = self.w
        cdef double bias = 0
        for _ in range(self.n_outputs):
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
            n_ahead = 0

    cdef Py_ssize_t find(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """List the rows of a block, and those after it; for how many rows one ahead is known."""
        cdef Py_ssize_t i, known = min(count + 2 * AHEAD, self.n_ordered - begin)
        self.count = count
        for i in range(known):
            self.row[i] = begin + i if order == NULL else order[begin + i]
        if order != NULL:
            # Where the rows begin must be known before they can be fetched.
            for i in range(2 * AHEAD, known):
                if self.indices is not None:
                    SK_GD_PREFETCH(&self.indptr[self.row[i]])
                else:
                    SK_GD_PREFETCH(&self.wide_indptr[self.row[i]])
        return known - AHEAD

    cdef void backward(
        self, double *r, const double *factors, int stride, double *g
    ) noexcept nogil:
        cdef Py_ssize_t _
        multiply_slopes(r, factors, self.n_outputs, self.count, stride)
        self.add_intercepts(r, stride, g)
        for _ in range(self.n_outputs):
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
            g += self.n_columns
            r += stride

    cdef void add_intercepts(self, const double *r, int stride, double *g) noexcept nogil:
        """Add the slopes of a block to the gradients of the intercepts, and their sizes."""
        cdef Py_ssize_t i, k
        cdef double total, size
        for k in range(self.n_outputs):
            total = size = 0
            for i in range(self.count):
                total += r[i]
                size += fabs(r[i])
            self.sizes[k] += size
            if self.n_columns > self.n_features:
                g[self.n_features] += total
            g += self.n_columns
            r += stride

    cdef const double *finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t k, d = self.n_features
        cdef const double *found = g
        self.collect(g)
        for k in range(self.n_outputs):
            if self.scale is not None and not self.local:
                self.to_coordinates(k, g)
            if self.n_columns > d and self.n_rows > 1:
                if fabs(g[d]) <= ROUNDING * (self.sizes[k] + self.level[k]):
                    g[d] = 0
            g += self.n_columns
        return found

    cdef void to_coordinates(self, Py_ssize_t k, double *g) noexcept nogil:
        """Shift and scale the gradient `g` of output k. The slopes add up to its last entry."""
        cdef Py_ssize_t j
        if self.shifted:
            # Only models with an intercept have a shift.
            shift_and_scale(
                g, &self.shift[0], &self.scale[0], g[self.n_features], ROUNDING * self.sizes[k],
                self.n_features,
            )
            return
        for j in range(self.n_features):
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


cdef class ManyOutputRows(CSRRows):
    """The same for many outputs, in batches that have more entries than X has columns.

    Weights and gradient are transposed, so that the outputs of a feature are side by side. An
    entry of X is then read once, and multiplied with all outputs by vector instructions, four
    outputs at a time; columns of zeros make their number a multiple of four. Sums are in the same
    order as in `CSRRows`, and have the same bits.
    """

    cdef double[:, ::1] gradient
    cdef double[::1] buffer
    cdef bint empty

    def __init__(self, X, shift, scale, level, intercept, capacity, order):
        CSRRows.__init__(self, X, shift, scale, level, intercept, capacity, order)
        # The last row has the intercepts, or zeros. Four outputs are one step of the loops.
        stride = 4 * ((self.n_outputs + 3) // 4)
        self.v = np.zeros((self.n_features + 1, stride))
        self.gradient = np.empty((self.n_features, stride))
        self.buffer = np.zeros(stride)

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t k, d = self.n_features, stride = self.v.shape[1]
        cdef const double *scale = NULL
        Rows.begin(self, w, n_rows)
        self.empty = True
        if self.scale is not None:
            scale = &self.scale[0]
        transpose(w, self.n_columns, self.n_outputs, scale, d, &self.v[0, 0], stride)
        if self.n_columns > d:
            for k in range(self.n_outputs):
                self.v[d, k] = w[k * self.n_columns + d]
            if self.shifted:
                subtract_shift(&self.shift[0], &self.v[0, 0], d, stride, &self.v[d, 0])
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef Py_ssize_t n_ahead = self.find(order, begin, count)
        if self.indices is not None:
            if self.floats is not None:
                dot_columns[float, int32_t](
                    &self.floats[0], &self.indices[0], &self.indptr[0], &self.row[0], count,
                    n_ahead, self.v, self.buffer, self.n_outputs, p, stride,
                )
            else:
                dot_columns[double, int32_t](
                    &self.doubles[0], &self.indices[0], &self.indptr[0], &self.row[0], count,
                    n_ahead, self.v, self.buffer, self.n_outputs, p, stride,
                )
        elif self.floats is not None:
            dot_columns[float, int64_t](
                &self.floats[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0], count,
                n_ahead, self.v, self.buffer, self.n_outputs, p, stride,
            )
        else:
            dot_columns[double, int64_t](
                &self.doubles[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0], count,
                n_ahead, self.v, self.buffer, self.n_outputs, p, stride,
            )

    cdef void backward(
        self, double *r, const double *factors, int stride, double *g
    ) noexcept nogil:
        multiply_slopes(r, factors, self.n_outputs, self.count, stride)
        if self.empty:
            memset(
                &self.gradient[0, 0], 0, self.n_features * self.gradient.shape[1] * sizeof(double)
            )
            self.empty = False
        if self.indices is not None:
            if self.floats is not None:
                add_columns[float, int32_t](
                    &self.floats[0], &self.indices[0], &self.indptr[0], &self.row[0], self.count,
                    r, stride, self.n_outputs, self.buffer, self.gradient,
                )
            else:
                add_columns[double, int32_t](
                    &self.doubles[0], &self.indices[0], &self.indptr[0], &self.row[0], self.count,
                    r, stride, self.n_outputs, self.buffer, self.gradient,
                )
        elif self.floats is not None:
            add_columns[float, int64_t](
                &self.floats[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                self.count, r, stride, self.n_outputs, self.buffer, self.gradient,
            )
        else:
            add_columns[double, int64_t](
                &self.doubles[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                self.count, r, stride, self.n_outputs, self.buffer, self.gradient,
            )
        self.add_intercepts(r, stride, g)

    cdef void collect(self, double *g) noexcept nogil:
        cdef Py_ssize_t first = 0, j, k
        if self.empty:
            return
        while first < self.n_features:
            for k in range(self.n_outputs):
                for j in range(first, min(first + TILE, self.n_features)):
                    g[k * self.n_columns + j] = self.gradient[j, k]
            first += TILE
        self.empty = True
