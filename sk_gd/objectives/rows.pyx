# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Rows of X, dense or sparse, a block at a time: products with weights, and with slopes.

A block is read where it is, or gathered into a buffer that stays in the cache,
as if it were in the coordinates of the optimizer and had a constant column for
the intercept.
"""

import numpy as np
import scipy.sparse as sp

from libc.math cimport fabs, fmin
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm

ctypedef fused real:
    float
    double

ctypedef fused integer:
    int32_t
    int64_t

BLOCK = 4096


cdef class Rows:
    """The rows of X, a block at a time, as if they were in the optimizer's coordinates.

    The columns are the features, shifted and scaled, and, for a model with an
    intercept, a constant one. X itself is neither changed nor copied.
    """

    def __init__(self, X, shift, scale, level, bint intercept, capacity, n_ordered):
        n_outputs = len(level)
        self.n_features = X.shape[1]
        self.n_columns = X.shape[1] + intercept
        self.capacity = capacity
        self.n_ordered = n_ordered
        self.n_outputs = n_outputs
        self.shift = shift
        self.scale = scale
        self.level = level
        self.local = False
        self.sizes = np.zeros(n_outputs)
        self.n_rows = 0

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        """Take the weights (outputs × columns) for the blocks of the next `n_rows` rows.

        True if the sums are to begin at zero, False if `finish` writes them all.
        """
        cdef Py_ssize_t k
        self.n_rows = n_rows
        for k in range(self.n_outputs):
            self.sizes[k] = 0
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        """p (outputs × rows, `stride` apart) = weights · rows order[begin:begin + count].

        Without an order the rows are begin, begin + 1 …
        """

    cdef void fetch(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """Begin to fetch rows order[begin:begin + count] from memory, those that there are."""

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        """g (outputs × columns) += r (outputs × rows) · the block of the last `forward`."""

    cdef void finish(self, double *g) noexcept nogil:
        """Bring the sums that `backward` made into the optimizer's coordinates."""

    cdef Py_ssize_t touch(
        self, Py_ssize_t *where, Py_ssize_t found, Py_ssize_t *stamp, Py_ssize_t mark
    ) noexcept nogil:
        """Append the columns in which the block has entries to `where`, each once.

        `stamp` remembers by `mark` which are there already; the number listed
        is returned. A dense block says -1: all of them.
        """
        return -1


cdef void take_dense(
    const real *X, Py_ssize_t n_ahead, Py_ssize_t d, const Py_ssize_t *order, Py_ssize_t begin,
    Py_ssize_t count, bint copy, double *block, const double **line,
) noexcept nogil:
    """Point `line` at the rows of a block, copied (as doubles) or where they are."""
    cdef Py_ssize_t i, j, a
    cdef const real *source
    for i in range(begin, begin + count):
        source = X + (i if order == NULL else order[i]) * d
        if order != NULL and i + AHEAD < n_ahead:
            a = 0
            while a < d:
                SK_GD_PREFETCH(X + order[i + AHEAD] * d + a)
                a += 64 // sizeof(real)
            SK_GD_PREFETCH(X + order[i + AHEAD] * d + d - 1)
        if copy:
            for j in range(d):
                block[j] = source[j]
            line[i - begin] = block
            block += d
        else:
            line[i - begin] = <const double *> source


cdef class DenseRows(Rows):
    """Rows of a C-contiguous array of float32 or float64.

    Shift and scale are folded into the weights, and out of the gradient again:
    less work than touching every row, unless the batch is one row. Rows of
    doubles are used where they are; several outputs want them side by side, for
    one matrix product.
    """

    cdef const float[:, ::1] single
    cdef const double[:, ::1] double_
    cdef double[::1] block
    cdef double[:, ::1] v
    cdef double[::1] sums
    cdef const double *w
    cdef bint lonely
    cdef bint fetched
    cdef const double **line
    cdef int count

    def __cinit__(self, X, shift, scale, level, intercept, Py_ssize_t capacity, n_ordered):
        self.line = <const double **> malloc(capacity * sizeof(void *))
        if self.line == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.line)

    def __init__(self, X, shift, scale, level, intercept, capacity, n_ordered):
        Rows.__init__(self, X, shift, scale, level, intercept, capacity, n_ordered)
        self.single = X if X.dtype == np.float32 else None
        self.double_ = X if X.dtype == np.float64 else None
        self.block = np.empty(capacity * self.n_features)
        self.v = np.zeros((self.n_outputs, self.n_features + 1))
        self.sums = np.zeros(self.n_outputs)
        self.fetched = False

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t j, k
        cdef int d = <int> self.n_features, one = 1
        cdef double *v
        Rows.begin(self, w, n_rows)
        self.w = w
        self.lonely = n_rows == 1 and self.n_outputs == 1
        if self.lonely:
            return False
        for k in range(self.n_outputs):
            self.sums[k] = 0
            v = &self.v[k, 0]
            v[d] = w[d] if self.n_columns > d else 0
            if self.scale is None:
                memcpy(v, w, d * sizeof(double))
            else:
                for j in range(d):
                    v[j] = w[j] * self.scale[j]
                v[d] -= ddot(&d, &self.shift[0], &one, v, &one)
            w += self.n_columns
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef int one = 1, d = <int> self.n_features, rows = <int> count, ld = d + 1
        cdef int n_outputs = <int> self.n_outputs
        cdef double plus = 1, none = 0
        cdef Py_ssize_t i, k, n_ahead = 0 if self.fetched else self.n_ordered
        self.count = rows
        if self.single is not None:
            take_dense[float](
                &self.single[0, 0], n_ahead, d, order, begin, count, True, &self.block[0],
                self.line,
            )
        else:
            take_dense[double](
                &self.double_[0, 0], n_ahead, d, order, begin, count, n_outputs > 1,
                &self.block[0], self.line,
            )
        if self.lonely:
            p[0] = self.lonely_forward()
        elif n_outputs == 1:
            for i in range(count):
                p[i] = self.v[0, d] + ddot(&d, <double *> self.line[i], &one, &self.v[0, 0], &one)
        else:
            dgemm(
                'T', 'N', &rows, &n_outputs, &d, &plus, &self.block[0], &d, &self.v[0, 0], &ld,
                &none, p, &stride,
            )
            for k in range(n_outputs):
                for i in range(count):
                    p[k * stride + i] += self.v[k, d]

    cdef void fetch(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        cdef Py_ssize_t i, a, size = self.n_features
        cdef const char *X
        self.fetched = True
        if self.single is not None:
            X = <const char *> &self.single[0, 0]
            size *= sizeof(float)
        else:
            X = <const char *> &self.double_[0, 0]
            size *= sizeof(double)
        for i in range(begin, min(begin + count, self.n_ordered)):
            for a in range(0, size, 64):
                SK_GD_PREFETCH(X + order[i] * size + a)
            SK_GD_PREFETCH(X + order[i] * size + size - 1)

    cdef double lonely_forward(self) noexcept nogil:
        """The prediction of a batch of one row, which is brought into the coordinates itself."""
        cdef int one = 1, d = <int> self.n_features
        cdef Py_ssize_t j
        cdef const double *x = self.line[0]
        if self.scale is not None:
            for j in range(d):
                self.block[j] = (x[j] - self.shift[j]) * self.scale[j]
            self.line[0] = &self.block[0]
        return (
            ddot(&d, <double *> self.line[0], &one, <double *> self.w, &one)
            + (self.w[d] if self.n_columns > d else 0)
        )

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef int one = 1, d = <int> self.n_features, k = <int> self.n_columns
        cdef int n_outputs = <int> self.n_outputs
        cdef double plus = 1, total, size
        cdef Py_ssize_t i, j
        if self.lonely:
            self.sums[0] = r[0]
            return
        if n_outputs == 1:
            for i in range(self.count):
                daxpy(&d, <double *> &r[i], <double *> self.line[i], &one, g, &one)
        else:
            dgemm(
                'N', 'N', &d, &n_outputs, &self.count, &plus, &self.block[0], &d, <double *> r,
                &stride, &plus, g, &k,
            )
        for j in range(n_outputs):
            total = size = 0
            for i in range(self.count):
                total += r[i]
                size += fabs(r[i])
            self.sums[j] += total
            self.sizes[j] += size
            r += stride

    cdef void finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t j, k, d = self.n_features
        cdef double total, blur, far
        cdef const double *z = self.line[0]
        if self.lonely:
            for j in range(d):
                g[j] = self.sums[0] * z[j]
            if self.n_columns > d:
                g[d] = self.sums[0]
            return
        for k in range(self.n_outputs):
            total = self.sums[k]
            blur = 0
            if self.scale is not None:
                for j in range(d):
                    g[j] = (g[j] - self.shift[j] * total) * self.scale[j]
                if self.n_rows > 1:
                    # What the predictions were summed from, in size: their rounding comes with
                    # what a feature is off its mean, that of the sum with all of the feature.
                    blur = self.level[k]
                    for j in range(d):
                        blur += fabs(self.v[k, j] * self.shift[j])
                    for j in range(d):
                        far = fabs(self.shift[j]) * self.scale[j]
                        if fabs(g[j]) <= ROUNDING * (self.sizes[k] * far + blur * fmin(far, 1)):
                            g[j] = 0
                    blur = ROUNDING * (blur + self.sizes[k])
            if self.n_columns > d:
                g[d] = 0 if fabs(total) <= blur else total
            g += self.n_columns


cdef void dot_csr(
    const real *data, const integer *indices, const integer *indptr, const Py_ssize_t *row,
    Py_ssize_t count, Py_ssize_t n_ahead, const double *w, const double *scale, double bias,
    double *p,
) noexcept nogil:
    """p = rows · (scale * w) + bias, row by row, the next ones being fetched meanwhile."""
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
    """Append the columns of the rows to `where`, each once; how many there are then."""
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

    The scale is folded into the weights and out of the gradient again, as with
    dense rows, unless steps are local: then it is applied entry by entry, so
    that only touched columns are looked at. A shift would fill in the zeros.
    """

    cdef const float[::1] single
    cdef const double[::1] double_
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
        self.single = X.data if X.dtype == np.float32 else None
        self.double_ = X.data if X.dtype == np.float64 else None
        narrow = X.indices.dtype.itemsize == 4 and X.indptr.dtype.itemsize == 4
        self.indices = X.indices if narrow else None
        self.indptr = X.indptr if narrow else None
        self.wide_indices = None if narrow else X.indices.astype(np.int64, copy=False)
        self.wide_indptr = None if narrow else X.indptr.astype(np.int64, copy=False)
        self.row = np.empty(capacity + AHEAD, dtype=np.intp)
        self.v = np.empty((self.n_outputs, self.n_columns))

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t j, k
        Rows.begin(self, w, n_rows)
        self.w = w
        self.entry_scale = NULL
        if self.scale is None:
            return True
        if self.local:
            self.entry_scale = &self.scale[0]
            return True
        for k in range(self.n_outputs):
            for j in range(self.n_features):
                self.v[k, j] = w[j] * self.scale[j]
            if self.n_columns > self.n_features:
                self.v[k, self.n_features] = w[self.n_features]
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
        # The rows after this block, too: they are fetched ahead.
        known = min(count + AHEAD, self.n_ordered - begin)
        for i in range(known):
            self.row[i] = begin + i if order == NULL else order[begin + i]
        for k in range(self.n_outputs):
            n_ahead = known - AHEAD if k == 0 else 0
            if self.n_columns > self.n_features:
                bias = w[self.n_features]
            if self.indices is not None:
                if self.single is not None:
                    dot_csr[float, int32_t](
                        &self.single[0], &self.indices[0], &self.indptr[0], &self.row[0], count,
                        n_ahead, w, self.entry_scale, bias, p,
                    )
                else:
                    dot_csr[double, int32_t](
                        &self.double_[0], &self.indices[0], &self.indptr[0], &self.row[0], count,
                        n_ahead, w, self.entry_scale, bias, p,
                    )
            elif self.single is not None:
                dot_csr[float, int64_t](
                    &self.single[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    count, n_ahead, w, self.entry_scale, bias, p,
                )
            else:
                dot_csr[double, int64_t](
                    &self.double_[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    count, n_ahead, w, self.entry_scale, bias, p,
                )
            w += self.n_columns
            p += stride

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef Py_ssize_t i, k
        for k in range(self.n_outputs):
            if self.indices is not None:
                if self.single is not None:
                    add_csr[float, int32_t](
                        &self.single[0], &self.indices[0], &self.indptr[0], &self.row[0],
                        self.count, r, self.entry_scale, g,
                    )
                else:
                    add_csr[double, int32_t](
                        &self.double_[0], &self.indices[0], &self.indptr[0], &self.row[0],
                        self.count, r, self.entry_scale, g,
                    )
            elif self.single is not None:
                add_csr[float, int64_t](
                    &self.single[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
                    self.count, r, self.entry_scale, g,
                )
            else:
                add_csr[double, int64_t](
                    &self.double_[0], &self.wide_indices[0], &self.wide_indptr[0], &self.row[0],
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


def make_rows(X, coordinates, n_lanes, batch_size, n_ordered):
    """Rows of a dense or CSR `X`, in blocks that fit the cache and the batch."""
    kind, width = DenseRows, X.shape[1]
    if sp.issparse(X):
        kind, width = CSRRows, X.nnz // X.shape[0]
    # Products of many weights want more rows; none wants a small rest of them.
    most = BLOCK
    n_blocks = -(-batch_size // max(1, most // max(width, 1)))
    return kind(
        X,
        coordinates.shift,
        coordinates.scale,
        # How large predictions are, in the units of the optimizer.
        np.tile(1 + np.abs(coordinates.origin) / coordinates.unit, n_lanes),
        coordinates.intercept,
        -(-batch_size // n_blocks),
        n_ordered,
    )
