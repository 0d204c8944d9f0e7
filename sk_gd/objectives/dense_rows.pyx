# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Dense rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

from libc.math cimport fabs, fmin
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below
from sk_gd.objectives.rows cimport (
    AHEAD, ROUNDING, SK_GD_PREFETCH, SK_GD_TOUCH, Rows, prefetch_row, real,
)


cdef extern from *:
    """
    #ifndef _WIN32
    #include <stdint.h>
    #include <sys/mman.h>
    #include <unistd.h>
    #endif

    /* Ask for a part of a memory-mapped file, so that it is read as a whole. */
    static void sk_gd_will_need(const void *begin, size_t size) {
    #ifdef MADV_WILLNEED
        uintptr_t offset = (uintptr_t) begin % (uintptr_t) sysconf(_SC_PAGESIZE);
        madvise((void *) ((uintptr_t) begin - offset), size + offset, MADV_WILLNEED);
    #endif
    }
    """
    void will_need "sk_gd_will_need"(const void *begin, size_t size) noexcept nogil


cdef extern from *:
    """
    /* Products with vector instructions. Eight terms are added side by side, however wide the
       vectors are, so that sums have the same bits on every processor. */

    /* p = rows . v + bias */
    SK_GD_CLONES static void sk_gd_dot_rows(
        const double *const *line, Py_ssize_t count, Py_ssize_t d, const double *v, double bias,
        double *p
    ) {
        for (Py_ssize_t i = 0; i < count; i++) {
            const double *x = line[i];
            double s[8] = {0}, rest = bias;
            Py_ssize_t j = 0;
            for (; j + 8 <= d; j += 8)
                for (int k = 0; k < 8; k++) s[k] += x[j + k] * v[j + k];
            for (; j < d; j++) rest += x[j] * v[j];
            p[i] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest;
        }
    }

    /* g += r . rows, four rows at a time, so that g is read and written a quarter as often. */
    SK_GD_CLONES static void sk_gd_add_rows(
        const double *const *line, Py_ssize_t count, Py_ssize_t d, const double *r,
        double *__restrict g
    ) {
        Py_ssize_t i = 0, j;
        for (; i + 4 <= count; i += 4) {
            const double *a = line[i], *b = line[i + 1], *c = line[i + 2], *e = line[i + 3];
            double ra = r[i], rb = r[i + 1], rc = r[i + 2], re = r[i + 3];
            for (j = 0; j + 8 <= d; j += 8)
                for (int k = 0; k < 8; k++)
                    g[j + k] += (a[j + k] * ra + b[j + k] * rb) + (c[j + k] * rc + e[j + k] * re);
            for (; j < d; j++) g[j] += (a[j] * ra + b[j] * rb) + (c[j] * rc + e[j] * re);
        }
        for (; i < count; i++)
            for (j = 0; j < d; j++) g[j] += line[i][j] * r[i];
    }

    /* z = (x - shift) * scale; returns z . w */
    SK_GD_CLONES static double sk_gd_dot_standardised(
        const double *x, const double *shift, const double *scale, const double *w, Py_ssize_t d,
        double *__restrict z
    ) {
        double s[8] = {0}, rest = 0;
        Py_ssize_t j = 0;
        for (; j + 8 <= d; j += 8)
            for (int k = 0; k < 8; k++) {
                z[j + k] = (x[j + k] - shift[j + k]) * scale[j + k];
                s[k] += z[j + k] * w[j + k];
            }
        for (; j < d; j++) {
            z[j] = (x[j] - shift[j]) * scale[j];
            rest += z[j] * w[j];
        }
        return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest;
    }

    /* g = r * z */
    SK_GD_CLONES static void sk_gd_scale_row(
        const double *z, double r, Py_ssize_t d, double *__restrict g
    ) {
        for (Py_ssize_t j = 0; j < d; j++) g[j] = r * z[j];
    }
    """
    void dot_rows "sk_gd_dot_rows"(
        const double **line, Py_ssize_t count, Py_ssize_t d, const double *v, double bias,
        double *p,
    ) noexcept nogil
    void add_rows "sk_gd_add_rows"(
        const double **line, Py_ssize_t count, Py_ssize_t d, const double *r, double *g
    ) noexcept nogil
    double dot_standardised "sk_gd_dot_standardised"(
        const double *x, const double *shift, const double *scale, const double *w, Py_ssize_t d,
        double *z,
    ) noexcept nogil
    void scale_row "sk_gd_scale_row"(
        const double *z, double r, Py_ssize_t d, double *g
    ) noexcept nogil


# Only X on disk has groups of more entries.
cdef Py_ssize_t ON_DISK = 1 << 20


cdef inline void touch_row(const real *x, Py_ssize_t d) noexcept nogil:
    cdef Py_ssize_t j = 0
    while j < d:
        SK_GD_TOUCH(x + j)
        j += 64 // sizeof(real)
    SK_GD_TOUCH(x + d - 1)


cdef void request_group(
    const real *X, Py_ssize_t d, const Py_ssize_t *order, const Py_ssize_t[::1] place,
    Py_ssize_t begin, Py_ssize_t n,
) noexcept nogil:
    """Ask for the runs of a group of X on disk, all at once.

    The system reads some megabytes around every page that is missing, mostly of other runs.
    """
    cdef Py_ssize_t s, row, first = -1, end = -1
    for s in range(place.shape[0]):
        if begin + place[s] < n:
            row = order[begin + place[s]]
            if row != end:
                if first >= 0:
                    will_need(X + first * d, (end - first) * d * sizeof(real))
                first = row
            end = row + 1
    if first >= 0:
        will_need(X + first * d, (end - first) * d * sizeof(real))


cdef void read_group(
    const real *X, Py_ssize_t d, const Py_ssize_t *order, const Py_ssize_t[::1] place,
    Py_ssize_t begin, Py_ssize_t n,
) noexcept nogil:
    """Bring a group of rows, which begins in the order at `begin`, into the cache.

    The rows are read as they are stored, run after run.
    """
    cdef Py_ssize_t s, i, ahead, size = place.shape[0]
    if size * d > ON_DISK:
        request_group(X, d, order, place, begin, n)
    for s in range(size):
        SK_GD_PREFETCH(order + begin + size + s)
        ahead, i = begin, s + AHEAD
        if i >= size:
            ahead, i = begin + size, i - size
        if i < size and ahead + place[i] < n:
            prefetch_row(X + order[ahead + place[i]] * d, d)
        if begin + place[s] < n:
            touch_row(X + order[begin + place[s]] * d, d)


cdef void take_dense(
    const real *X, Py_ssize_t n_ahead, Py_ssize_t d, const Py_ssize_t *order, Py_ssize_t begin,
    Py_ssize_t count, bint copy, double *block, const double **line,
) noexcept nogil:
    """Point `line` at the rows of a block: at copies, as doubles, or at the rows themselves."""
    cdef Py_ssize_t i, j
    cdef const real *source
    for i in range(begin, begin + count):
        source = X + (i if order == NULL else order[i]) * d
        if order != NULL and i + AHEAD < n_ahead:
            prefetch_row(X + order[i + AHEAD] * d, d)
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
    product. The rows of a group of the order are read in sequence when its first row is asked for.
    """

    cdef const float[:, ::1] floats
    cdef const double[:, ::1] doubles
    cdef double[::1] block
    # Where the group that was read last begins in the order.
    cdef Py_ssize_t group
    # The only row of a batch, shifted and scaled.
    cdef double[::1] row
    cdef double[:, ::1] v
    cdef const double *w
    cdef bint single_row
    cdef bint fetched
    cdef const double **line
    # The rows of the block, if they are side by side in memory.
    cdef const double *together
    cdef int count

    def __cinit__(self, X, shift, scale, level, intercept, Py_ssize_t capacity, order):
        self.line = <const double **> malloc(capacity * sizeof(void *))
        if self.line == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.line)

    def __init__(self, X, shift, scale, level, intercept, capacity, order):
        Rows.__init__(self, X, shift, scale, level, intercept, capacity, order)
        self.floats = X if X.dtype == np.float32 else None
        self.doubles = X if X.dtype == np.float64 else None
        self.block = np.empty(capacity * self.n_features)
        self.group = -1 - order.group
        self.row = np.empty(self.n_features)
        self.v = np.zeros((self.n_outputs, self.n_features + 1))
        self.fetched = False

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t j, k
        cdef Py_ssize_t d = self.n_features
        cdef const double *shift = NULL if self.scale is None else &self.shift[0]
        cdef double shifted
        cdef double *v
        self.w = w
        self.single_row = n_rows == 1 and self.n_outputs == 1
        if self.single_row:
            return False
        Rows.begin(self, w, n_rows)
        for k in range(self.n_outputs):
            v = &self.v[k, 0]
            v[d] = w[d] if self.n_columns > d else 0
            if self.scale is None:
                memcpy(v, w, d * sizeof(double))
            else:
                for j in range(d):
                    v[j] = w[j] * self.scale[j]
                dot_rows(&shift, 1, d, v, 0, &shifted)
                v[d] -= shifted
            w += self.n_columns
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef int d = <int> self.n_features, rows = <int> count, ld = d + 1
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
        else:
            dot_rows(self.line, count, d, &self.v[0, 0], self.v[0, d], p)

    cdef inline void take(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """Find the rows of a block, or copy them."""
        cdef Py_ssize_t last = begin + count - 1, size = self.order.group
        cdef Py_ssize_t d = self.n_features, n_ahead = 0 if self.fetched else self.n_ordered
        if order != NULL and size > 0:
            n_ahead = 0
            if not self.group <= last < self.group + size:
                self.group = last - last % size
                self.read(order)
        if self.floats is not None:
            self.together = &self.block[0]
            take_dense[float](
                &self.floats[0, 0], n_ahead, d, order, begin, count, True, &self.block[0],
                self.line,
            )
        else:
            self.together = &self.block[0] if order != NULL else &self.doubles[begin, 0]
            take_dense[double](
                &self.doubles[0, 0], n_ahead, d, order, begin, count,
                order != NULL and self.n_outputs > 1, &self.block[0], self.line,
            )

    cdef void read(self, const Py_ssize_t *order) noexcept nogil:
        """Bring the rows of the group into the cache."""
        cdef Py_ssize_t d = self.n_features, n = self.n_ordered
        if self.floats is not None:
            read_group[float](&self.floats[0, 0], d, order, self.order.place, self.group, n)
        else:
            read_group[double](&self.doubles[0, 0], d, order, self.order.place, self.group, n)

    cdef void fetch(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        cdef Py_ssize_t i, row, d = self.n_features, size = self.order.group
        self.fetched = True
        for i in range(begin, min(begin + count, self.n_ordered)):
            row = i
            if size > 0:
                # A row of the next group, in the order in which they are going to be read.
                row = i - i % size + size + self.order.place[i % size]
                if row >= self.n_ordered:
                    continue
            if self.floats is not None:
                prefetch_row(&self.floats[order[row], 0], d)
            else:
                prefetch_row(&self.doubles[order[row], 0], d)

    cdef inline double forward_single(self) noexcept nogil:
        """The prediction for a batch of one row; here the row itself is shifted and scaled."""
        cdef Py_ssize_t d = self.n_features
        cdef double p = self.w[d] if self.n_columns > d else 0
        if self.scale is None:
            dot_rows(self.line, 1, d, self.w, p, &p)
        else:
            p += dot_standardised(
                self.line[0], &self.shift[0], &self.scale[0], self.w, d, &self.row[0]
            )
            self.line[0] = &self.row[0]
        return p

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef int d = <int> self.n_features, k = <int> self.n_columns
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
        else:
            add_rows(self.line, self.count, d, r, g)
        for j in range(n_outputs):
            total = size = 0
            for i in range(self.count):
                total += r[i]
                size += fabs(r[i])
            self.sums[j] += total
            self.sizes[j] += size
            r += stride

    cdef void collect(self, double *g) noexcept nogil:
        cdef Py_ssize_t d = self.n_features
        if self.single_row:
            # The row itself is in the optimizer's coordinates.
            scale_row(self.line[0], self.sums[0], d, g)
            if self.n_columns > d:
                g[d] = self.sums[0]

    cdef void finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t j, k, d = self.n_features
        cdef double total, terms, least, far
        if self.single_row:
            return
        for k in range(self.n_outputs):
            total = self.sums[k]
            # Rounding bound of the cancelling sums; a gradient below it is zero. The terms that a
            # prediction is summed from bound its rounding, and so that of the slopes.
            terms = self.level[k]
            if self.scale is not None:
                for j in range(d):
                    g[j] = (g[j] - self.shift[j] * total) * self.scale[j]
                for j in range(d):
                    terms += fabs(self.v[k, j] * self.shift[j])
                for j in range(d if self.n_rows > 1 else 0):
                    # The mean of a feature in units of its deviation.
                    far = fabs(self.shift[j]) * self.scale[j]
                    if fabs(g[j]) <= ROUNDING * (self.sizes[k] * far + terms * fmin(far, 1)):
                        g[j] = 0
            if self.n_columns > d:
                least = ROUNDING * (terms + self.sizes[k]) if self.n_rows > 1 else 0
                g[d] = 0 if fabs(total) <= least else total
            g += self.n_columns
