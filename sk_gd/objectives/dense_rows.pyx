# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Dense rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

from libc.math cimport fabs, fmin
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm, dgemv

from sk_gd.objectives.rows cimport AHEAD, ROUNDING, SK_GD_PREFETCH, Rows, real


cdef void take_dense(
    const real *X, Py_ssize_t n_ahead, Py_ssize_t d, const Py_ssize_t *order, Py_ssize_t begin,
    Py_ssize_t count, bint copy, double *block, const double **line,
) noexcept nogil:
    """Point `line` at the rows of a block: at copies, as doubles, or at the rows themselves."""
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

    The weights are shifted and scaled before the product, and the gradient after it, in place
    of the rows. That is less work, unless the batch is a single row. Rows of doubles are used
    where they are; shuffled ones are copied side by side for several outputs, for one matrix
    product.
    """

    cdef const float[:, ::1] floats
    cdef const double[:, ::1] doubles
    cdef double[::1] block
    cdef double[:, ::1] v
    cdef double[::1] sums
    cdef const double *w
    cdef bint single_row
    cdef bint fetched
    cdef const double **line
    # The rows of the block, if they are side by side in memory, or NULL.
    cdef const double *together
    cdef int count

    def __cinit__(self, X, shift, scale, level, intercept, Py_ssize_t capacity, n_ordered):
        self.line = <const double **> malloc(capacity * sizeof(void *))
        if self.line == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.line)

    def __init__(self, X, shift, scale, level, intercept, capacity, n_ordered):
        Rows.__init__(self, X, shift, scale, level, intercept, capacity, n_ordered)
        self.floats = X if X.dtype == np.float32 else None
        self.doubles = X if X.dtype == np.float64 else None
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
        self.single_row = n_rows == 1 and self.n_outputs == 1
        if self.single_row:
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
        cdef Py_ssize_t i, k
        self.count = rows
        self.take(order, begin, count)
        if self.single_row:
            p[0] = self.forward_single()
        elif n_outputs > 1:
            dgemm(
                'T', 'N', &rows, &n_outputs, &d, &plus, <double *> self.together, &d,
                &self.v[0, 0], &ld, &none, p, &stride,
            )
            for k in range(n_outputs):
                for i in range(count):
                    p[k * stride + i] += self.v[k, d]
        elif self.together != NULL:
            for i in range(count):
                p[i] = self.v[0, d]
            dgemv(
                'T', &d, &rows, &plus, <double *> self.together, &d, &self.v[0, 0], &one, &plus,
                p, &one,
            )
        else:
            for i in range(count):
                p[i] = self.v[0, d] + ddot(&d, <double *> self.line[i], &one, &self.v[0, 0], &one)

    cdef void take(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """Find the rows of a block, or copy them."""
        cdef Py_ssize_t n_ahead = 0 if self.fetched else self.n_ordered
        self.together = &self.block[0]
        if self.floats is not None:
            take_dense[float](
                &self.floats[0, 0], n_ahead, self.n_features, order, begin, count, True,
                &self.block[0], self.line,
            )
        elif order == NULL:
            self.together = self.line[0] = &self.doubles[begin, 0]
        else:
            take_dense[double](
                &self.doubles[0, 0], n_ahead, self.n_features, order, begin, count,
                self.n_outputs > 1, &self.block[0], self.line,
            )
            if self.n_outputs == 1:
                self.together = NULL

    cdef void fetch(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        cdef Py_ssize_t i, a, size = self.n_features
        cdef const char *X
        self.fetched = True
        if self.floats is not None:
            X = <const char *> &self.floats[0, 0]
            size *= sizeof(float)
        else:
            X = <const char *> &self.doubles[0, 0]
            size *= sizeof(double)
        for i in range(begin, min(begin + count, self.n_ordered)):
            for a in range(0, size, 64):
                SK_GD_PREFETCH(X + order[i] * size + a)
            SK_GD_PREFETCH(X + order[i] * size + size - 1)

    cdef double forward_single(self) noexcept nogil:
        """The prediction for a batch of one row; here the row itself is shifted and scaled."""
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
        if self.single_row:
            self.sums[0] = r[0]
            return
        if n_outputs > 1:
            dgemm(
                'N', 'N', &d, &n_outputs, &self.count, &plus, <double *> self.together, &d,
                <double *> r, &stride, &plus, g, &k,
            )
        elif self.together != NULL:
            dgemv(
                'N', &d, &self.count, &plus, <double *> self.together, &d, <double *> r, &one,
                &plus, g, &one,
            )
        else:
            for i in range(self.count):
                daxpy(&d, <double *> &r[i], <double *> self.line[i], &one, g, &one)
        for j in range(n_outputs):
            total = size = 0
            for i in range(self.count):
                total += r[i]
                size += fabs(r[i])
            self.sums[j] += total
            self.sizes[j] += size
            r += stride

    cdef void add_sums(self, Rows other) noexcept nogil:
        cdef Py_ssize_t k
        Rows.add_sums(self, other)
        for k in range(self.n_outputs):
            self.sums[k] += (<DenseRows> other).sums[k]

    cdef void finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t j, k, d = self.n_features
        cdef double total, terms, least, far
        cdef const double *z = self.line[0]
        if self.single_row:
            for j in range(d):
                g[j] = self.sums[0] * z[j]
            if self.n_columns > d:
                g[d] = self.sums[0]
            return
        for k in range(self.n_outputs):
            total = self.sums[k]
            least = 0
            if self.scale is not None:
                for j in range(d):
                    g[j] = (g[j] - self.shift[j] * total) * self.scale[j]
                if self.n_rows > 1:
                    # Rounding bound of the cancelling sums; a gradient below it is zero. The
                    # terms that a prediction is summed from bound its rounding, and so that of
                    # the slopes. `far` is the mean of a feature in units of its deviation.
                    terms = self.level[k]
                    for j in range(d):
                        terms += fabs(self.v[k, j] * self.shift[j])
                    for j in range(d):
                        far = fabs(self.shift[j]) * self.scale[j]
                        if fabs(g[j]) <= ROUNDING * (self.sizes[k] * far + terms * fmin(far, 1)):
                            g[j] = 0
                    least = ROUNDING * (terms + self.sizes[k])
            if self.n_columns > d:
                g[d] = 0 if fabs(total) <= least else total
            g += self.n_columns
