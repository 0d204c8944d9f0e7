# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The linear objective: rows of X into a small buffer, products, loss, gradient.

Only this file and the loop know pointers and BLAS. The rows of a batch are
gathered into a buffer that stays in the cache, already in the coordinates of
the optimizer and with a constant column for the intercept; everything after
that is the same for float32, float64, shuffled, dense and sparse rows.
"""

import numpy as np
import scipy.sparse as sp

from libc.float cimport DBL_EPSILON
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm, dnrm2

from sk_gd.objectives.losses cimport LossKernel
from sk_gd.objectives.penalties cimport ElasticNet

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define SK_GD_PREFETCH(address) __builtin_prefetch(address, 0, 2)
    #else
    #define SK_GD_PREFETCH(address)
    #endif
    """
    void SK_GD_PREFETCH(const void *) noexcept nogil

ctypedef fused real:
    float
    double

ctypedef fused integer:
    int32_t
    int64_t

# Rows fetched ahead of the one in use: a shuffled epoch is a walk through
# memory that no hardware prefetcher can guess.
cdef enum:
    AHEAD = 32

# A sum of slopes this small against what it was computed from is zero, but for
# rounding: the intercept of centred data has no gradient at all. A rule that
# divides by the size of the gradient would make a full step of it.
cdef double ROUNDING = 8 * DBL_EPSILON

# A block of rows is at most this many numbers, to stay in the nearest caches.
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
        cdef double total, blur
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
                    # What the predictions were summed from, in size.
                    blur = self.sizes[k] + self.level[k]
                    for j in range(d):
                        blur += fabs(self.v[k, j] * self.shift[j])
                    blur *= ROUNDING
                    for j in range(d):
                        if fabs(g[j]) <= blur * fabs(self.shift[j]) * self.scale[j]:
                            g[j] = 0
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


cdef class LinearObjective:
    """F of a linear model on the current batch, for one or many lanes at once.

    A lane is one model in training: `n_outputs` rows of `n_columns` weights.
    All lanes read the same rows, in the same coordinates, with one gather and
    one product.

    Parameters
    ----------
    X, y, weight : ndarray or CSR matrix, (n, n_targets) ndarray, (n,) ndarray or None
        Data; weights have mean one over the rows that are used.
    loss : LossKernel
        The formula of the loss.
    coordinates : Coordinates
        How the optimizer's coordinates relate to X and y.
    penalties : list of ElasticNet
        One a lane, in those coordinates.
    batch_size, n_ordered : int
        Rows a batch, and rows in an epoch's order.
    """

    def __init__(self, X, y, weight, LossKernel loss, coordinates, list penalties, batch_size,
                 n_ordered):
        cdef Py_ssize_t lane
        self.loss = loss
        self.penalties = penalties
        self.n_lanes = len(penalties)
        self.penalty = <void **> malloc(self.n_lanes * sizeof(void *))
        if self.penalty == NULL:
            raise MemoryError
        self.n_outputs = coordinates.n_outputs
        self.n_rows = self.n_lanes * self.n_outputs
        self.rows = make_rows(X, coordinates, self.n_lanes, batch_size, n_ordered)
        self.n_columns = self.rows.n_columns
        self.n_weights = self.n_outputs * self.n_columns
        self.y = y
        self.weight = weight
        self.in_units = coordinates.in_units
        self.origin = np.tile(coordinates.origin, self.n_lanes)
        self.unit = np.tile(coordinates.unit, self.n_lanes)
        self.energy = np.tile(coordinates.energy, self.n_lanes)
        self.rotation = coordinates.rotation
        capacity = self.rows.capacity
        self.y_block = np.empty((y.shape[1], capacity))
        self.weight_block = np.ones(capacity)
        self.p = np.empty((self.n_rows, capacity))
        self.slopes = np.empty((self.n_rows, capacity))
        self.loss.bind(self.y_block, self.p, self.weight_block, self.slopes)
        self.total = np.zeros(self.n_lanes)
        self.scaled = np.zeros(self.n_lanes)
        if self.rotation is not None:
            self.lengths = np.linalg.norm(coordinates.rotation, axis=0)
            self.rotated = np.empty((self.n_lanes, self.n_weights))
            self.rotated_gradients = np.empty((self.n_lanes, self.n_weights))
        self.where = np.empty(self.n_weights, dtype=np.intp)
        self.stamp = np.zeros(self.n_columns, dtype=np.intp)
        self.mark = 0
        self.n_where = -1
        # Where a batch has entries in most columns, listing them is no gain.
        self.local = (
            isinstance(self.rows, CSRRows)
            and self.rotation is None
            and 2 * X.nnz * batch_size < X.shape[0] * X.shape[1]
        )
        for lane in range(self.n_lanes):
            self.penalty[lane] = <void *> <ElasticNet?> penalties[lane]
            self.local = self.local and not (penalties[lane].ridge or penalties[lane].lasso)

    def __dealloc__(self):
        free(self.penalty)

    cdef int evaluate(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, const double *points,
        double *gradients,
    ) except -1 nogil:
        """Gradients of all lanes at `points` (lanes × weights) on order[begin:begin + count].

        `total` holds the weighted sum of the loss of each lane. Without a place
        for the gradients (NULL) that is all. While `local` holds, `gradients`
        must come in as the last call left it: only the entries listed in
        `where` are not zero.
        """
        cdef Py_ssize_t lane, i, k, rows, done = 0
        cdef int stride = <int> self.p.shape[1]
        cdef const double *w = points
        cdef double *g = gradients
        cdef double factor
        if self.rotation is not None:
            self.rotate(b'T', points, &self.rotated[0, 0])
            w = &self.rotated[0, 0]
            g = &self.rotated_gradients[0, 0]
        self.current = w
        for lane in range(self.n_lanes):
            self.total[lane] = self.scaled[lane] = 0
            for i in range(self.n_where):
                g[lane * self.n_weights + self.where[i]] = 0
        self.rows.local = self.local
        if self.rows.begin(w, count) and self.n_where < 0 and gradients != NULL:
            memset(g, 0, self.n_lanes * self.n_weights * sizeof(double))
        self.mark += 1
        self.n_where = 0 if self.local else -1
        while done < count:
            rows = min(self.rows.capacity, count - done)
            self.rows.forward(order, begin + done, rows, &self.p[0, 0], stride)
            self.gather_targets(order, begin + done, rows)
            if self.in_units:
                for k in range(self.n_rows):
                    for i in range(rows):
                        self.p[k, i] = self.origin[k] + self.unit[k] * self.p[k, i]
            self.add_losses(order, begin + done, rows)
            done += rows
            if gradients == NULL:
                continue
            for k in range(self.n_rows):
                factor = self.unit[k] / (self.energy[k] * count)
                for i in range(rows):
                    self.slopes[k, i] *= factor
            self.rows.backward(&self.slopes[0, 0], stride, g)
            if self.local:
                self.n_where = self.rows.touch(
                    &self.where[0], self.n_where, &self.stamp[0], self.mark
                )
        if gradients == NULL:
            return 0
        self.rows.finish(g)
        if self.local:
            self.repeat_for_outputs()
        for lane in range(self.n_lanes):
            (<ElasticNet> self.penalty[lane]).add_gradient(
                w + lane * self.n_weights, g + lane * self.n_weights
            )
        if self.rotation is not None:
            self.rotate(b'N', g, gradients)
            self.drop_rounding(g, gradients)
        return 0

    cdef int add_losses(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows
    ) except -1 nogil:
        """Add the losses of a block of predictions to the sums of the lanes."""
        cdef Py_ssize_t lane, k, first, share = (rows + self.n_lanes - 1) // self.n_lanes
        cdef double total
        for lane in range(self.n_lanes):
            first = lane * self.n_outputs
            if order != NULL and self.n_lanes > 1:
                # Memory has little else to do meanwhile: a part of the next block for each lane.
                self.rows.fetch(order, begin + rows + lane * share, share)
            total = self.loss.evaluate(first, self.n_outputs, rows)
            self.total[lane] += total
            if self.n_outputs == 1:
                self.scaled[lane] += total / self.energy[first]
            elif self.in_units:
                for k in range(first, first + self.n_outputs):
                    self.scaled[lane] += self.loss.totals[k] / self.energy[k]
            else:
                self.scaled[lane] += total
        return 0

    cdef double value(self, Py_ssize_t lane, Py_ssize_t count) noexcept nogil:
        """What the last `evaluate` computed the gradient of, for a lane."""
        return (
            self.scaled[lane] / count
            + (<ElasticNet> self.penalty[lane]).smooth(self.current + lane * self.n_weights)
        )

    cdef double penalty_value(self, Py_ssize_t lane) noexcept nogil:
        """The penalty of a lane at the points of the last `evaluate`."""
        return (<ElasticNet> self.penalty[lane]).value(self.current + lane * self.n_weights)

    cdef void gather_targets(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows
    ) noexcept nogil:
        cdef Py_ssize_t i, k, n_targets = self.y.shape[1]
        cdef Py_ssize_t known = min(rows, self.rows.n_ordered - begin - AHEAD)
        cdef const double *y = &self.y[0, 0]
        cdef const double *weight
        cdef double *target
        if order != NULL:
            for i in range(begin + AHEAD, begin + AHEAD + known):
                SK_GD_PREFETCH(y + order[i] * n_targets)
        for k in range(n_targets):
            target = &self.y_block[k, 0]
            if order == NULL:
                for i in range(rows):
                    target[i] = y[(begin + i) * n_targets + k]
            else:
                for i in range(rows):
                    target[i] = y[order[begin + i] * n_targets + k]
        if self.weight is not None:
            weight = &self.weight[0]
            target = &self.weight_block[0]
            for i in range(rows):
                target[i] = weight[begin + i if order == NULL else order[begin + i]]

    cdef void repeat_for_outputs(self) noexcept nogil:
        """A column that is touched is touched in every output."""
        cdef Py_ssize_t i, k, found = self.n_where
        for k in range(1, self.n_outputs):
            for i in range(found):
                self.where[k * found + i] = self.where[i] + k * self.n_columns
        self.n_where = found * self.n_outputs

    cdef void drop_rounding(self, const double *g, double *rotated) noexcept nogil:
        """Zero what the rotation of the gradients `g` left of sums that cancel.

        Directions in which the data have no extent have no gradient either.
        """
        cdef int n = <int> self.n_columns, one = 1
        cdef Py_ssize_t j, k
        cdef double size
        for k in range(self.n_rows):
            size = ROUNDING * (sqrt(n) * self.rows.level[k] + dnrm2(&n, <double *> g, &one))
            for j in range(n):
                if fabs(rotated[j]) <= size * self.lengths[j]:
                    rotated[j] = 0
            g += n
            rotated += n

    cdef void rotate(self, char side, const double *source, double *target) noexcept nogil:
        """target = source · Rᵀ ('T': weights) or source · R ('N': gradients), row by row."""
        cdef int k = <int> self.n_columns, rows = <int> self.n_rows
        cdef double plus = 1, none = 0
        cdef char no = b'N'
        dgemm(
            &side, &no, &k, &rows, &k, &plus, &self.rotation[0, 0], &k, <double *> source, &k,
            &none, target, &k,
        )
