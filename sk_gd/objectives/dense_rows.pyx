# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Dense rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

cimport cython
from libc.math cimport fabs
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below
from sk_gd.objectives.rows cimport AHEAD, ROUNDING, SK_GD_PREFETCH, Rows, prefetch_row

from ..aligned import aligned


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

    #define SK_GD_DENSE_ROWS(REAL) \
    /* p = rows . v + bias. The rows are in the second-level cache, in no order: each is brought \
       nearer a few rows ahead. */ \
    SK_GD_CLONES static void sk_gd_dot_##REAL( \
        const REAL *const *line, Py_ssize_t count, Py_ssize_t d, const double *v, double bias, \
        double *p \
    ) { \
        enum { CHUNK = 64 / sizeof(REAL) }; \
        for (Py_ssize_t i = 0; i < count; i++) { \
            const REAL *x = line[i], *soon = line[i + 6 < count ? i + 6 : count - 1]; \
            double s[8] = {0}, rest = bias; \
            Py_ssize_t j; \
            for (j = 0; j < d; j += CHUNK) SK_GD_PREFETCH_SOON(soon + j); \
            SK_GD_PREFETCH_SOON(soon + d - 1); \
            for (j = 0; j + 8 <= d; j += 8) \
                for (int k = 0; k < 8; k++) s[k] += x[j + k] * v[j + k]; \
            for (; j < d; j++) rest += x[j] * v[j]; \
            p[i] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest; \
        } \
    } \
    \
    /* g += r . rows, four rows at a time, so that g is read and written a quarter as often. \
       Meanwhile the rows `ahead` are brought from memory, a cache line of each at a time: the \
       processor forgets prefetches that are asked for all at once. */ \
    SK_GD_CLONES static void sk_gd_add_##REAL( \
        const REAL *const *line, Py_ssize_t count, Py_ssize_t d, const double *r, \
        double *__restrict g, const REAL *const *ahead \
    ) { \
        enum { CHUNK = 64 / sizeof(REAL) }; \
        Py_ssize_t i = 0, j; \
        for (; i + 4 <= count; i += 4) { \
            const REAL *a = line[i], *b = line[i + 1], *c = line[i + 2], *e = line[i + 3]; \
            const double ra = r[i], rb = r[i + 1], rc = r[i + 2], re = r[i + 3]; \
            for (j = 0; j + CHUNK <= d; j += CHUNK) { \
                for (int k = 0; k < 4; k++) SK_GD_PREFETCH(ahead[i + k] + j); \
                for (int k = 0; k < CHUNK; k++) \
                    g[j + k] += (a[j + k] * ra + b[j + k] * rb) + (c[j + k] * rc + e[j + k] * re); \
            } \
            for (int k = 0; k < 4; k++) SK_GD_PREFETCH(ahead[i + k] + d - 1); \
            for (; j < d; j++) g[j] += (a[j] * ra + b[j] * rb) + (c[j] * rc + e[j] * re); \
        } \
        for (; i < count; i++) \
            for (j = 0; j < d; j++) g[j] += line[i][j] * r[i]; \
    } \
    \
    /* Copy rows side by side as doubles. Meanwhile bring the rows `ahead` from memory, unless \
       NULL. */ \
    SK_GD_CLONES static void sk_gd_copy_##REAL( \
        const REAL *const *line, const REAL *const *ahead, Py_ssize_t count, Py_ssize_t d, \
        double *__restrict block \
    ) { \
        enum { CHUNK = 64 / sizeof(REAL) }; \
        for (Py_ssize_t i = 0; i < count; i++, block += d) { \
            const REAL *x = line[i]; \
            Py_ssize_t j; \
            if (ahead) { \
                for (j = 0; j < d; j += CHUNK) SK_GD_PREFETCH(ahead[i] + j); \
                SK_GD_PREFETCH(ahead[i] + d - 1); \
            } \
            for (j = 0; j < d; j++) block[j] = x[j]; \
        } \
    }

    SK_GD_DENSE_ROWS(float)
    SK_GD_DENSE_ROWS(double)

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

    /* The sum of n numbers, and that of their sizes: in two loops, or the compiler does not use
       vector instructions. */
    SK_GD_CLONES static void sk_gd_sums(
        const double *r, Py_ssize_t n, double *total, double *size
    ) {
        double s[8] = {0}, t[8] = {0}, rest = 0, size_of_rest = 0;
        Py_ssize_t i;
        for (i = 0; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++) s[k] += r[i + k];
        for (; i < n; i++) rest += r[i];
        for (i = 0; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++) t[k] += fabs(r[i + k]);
        for (; i < n; i++) size_of_rest += fabs(r[i]);
        *total = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest;
        *size = ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7])) + size_of_rest;
    }

    /* The sum of the sizes of v * shift. */
    SK_GD_CLONES static double sk_gd_terms(const double *v, const double *shift, Py_ssize_t d) {
        double s[8] = {0}, rest = 0;
        Py_ssize_t j = 0;
        for (; j + 8 <= d; j += 8)
            for (int k = 0; k < 8; k++) s[k] += fabs(v[j + k] * shift[j + k]);
        for (; j < d; j++) rest += fabs(v[j] * shift[j]);
        return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest;
    }

    /* g = (g - shift * total) * scale, or zero where it is only rounding: see `finish`. */
    SK_GD_CLONES static void sk_gd_standardise(
        const double *shift, const double *scale, Py_ssize_t d, double total, double size,
        double terms, double *__restrict g
    ) {
        for (Py_ssize_t j = 0; j < d; j++) {
            const double exact = (g[j] - shift[j] * total) * scale[j];
            /* The mean of a feature in units of its deviation. */
            const double far = fabs(shift[j]) * scale[j];
            const double least = SK_GD_ROUNDING * (size * far + terms * (far < 1 ? far : 1));
            g[j] = fabs(exact) <= least ? 0 : exact;
        }
    }

    /* g = r * z */
    SK_GD_CLONES static void sk_gd_scale_row(
        const double *z, double r, Py_ssize_t d, double *__restrict g
    ) {
        for (Py_ssize_t j = 0; j < d; j++) g[j] = r * z[j];
    }
    """
    void sk_gd_dot_float(
        const float **, Py_ssize_t, Py_ssize_t, const double *, double, double *
    ) noexcept nogil
    void sk_gd_dot_double(
        const double **, Py_ssize_t, Py_ssize_t, const double *, double, double *
    ) noexcept nogil
    void sk_gd_add_float(
        const float **, Py_ssize_t, Py_ssize_t, const double *, double *, const float **
    ) noexcept nogil
    void sk_gd_add_double(
        const double **, Py_ssize_t, Py_ssize_t, const double *, double *, const double **
    ) noexcept nogil
    void sk_gd_copy_float(
        const float **, const float **, Py_ssize_t, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_copy_double(
        const double **, const double **, Py_ssize_t, Py_ssize_t, double *
    ) noexcept nogil
    double dot_standardised "sk_gd_dot_standardised"(
        const double *x, const double *shift, const double *scale, const double *w, Py_ssize_t d,
        double *z,
    ) noexcept nogil
    void sk_gd_sums(const double *r, Py_ssize_t n, double *total, double *size) noexcept nogil
    double sk_gd_terms(const double *v, const double *shift, Py_ssize_t d) noexcept nogil
    void sk_gd_standardise(
        const double *shift, const double *scale, Py_ssize_t d, double total, double size,
        double terms, double *g,
    ) noexcept nogil
    void scale_row "sk_gd_scale_row"(
        const double *z, double r, Py_ssize_t d, double *g
    ) noexcept nogil


# Only X on disk has groups of more entries.
cdef Py_ssize_t ON_DISK = 1 << 20


cdef void request_group(
    const char *data, Py_ssize_t bytes, const Py_ssize_t *order, const Py_ssize_t[::1] place,
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
                    will_need(data + first * bytes, (end - first) * bytes)
                first = row
            end = row + 1
    if first >= 0:
        will_need(data + first * bytes, (end - first) * bytes)


cdef class DenseRows(Rows):
    """Rows of a C-contiguous array of float32 or float64.

    The weights are shifted and scaled before the product, and the gradient after it, in place
    of the rows. That is less work. Rows are used where they are. For several outputs they must be
    doubles side by side, for one matrix product: others are copied. While a block is in work, later
    rows are brought from memory: those of the block after the next or, where the order has groups,
    of the next group, run by run.
    """

    cdef const float[:, ::1] floats
    cdef const double[:, ::1] doubles
    cdef double[::1] block
    # Where the group that is in use begins in the order.
    cdef Py_ssize_t group
    # Rows of a group that is fetched during the one before, or 0. Then rows are fetched so many
    # rows before their use.
    cdef Py_ssize_t near
    cdef Py_ssize_t distance
    cdef double[:, ::1] v
    cdef bint fetched
    # The rows of the block, and as many to bring from memory.
    cdef const char **line
    cdef const char **ahead
    cdef const char *data
    cdef Py_ssize_t bytes
    # The rows of the block, if they are side by side in memory.
    cdef const double *together
    cdef int count

    def __cinit__(self, X, shift, scale, level, intercept, Py_ssize_t capacity, order):
        self.line = <const char **> malloc(capacity * sizeof(void *))
        self.ahead = <const char **> malloc(capacity * sizeof(void *))
        if self.line == NULL or self.ahead == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.line)
        free(self.ahead)

    def __init__(self, X, shift, scale, level, intercept, capacity, order):
        Rows.__init__(self, X, shift, scale, level, intercept, capacity, order)
        self.floats = X if X.dtype == np.float32 else None
        self.doubles = X if X.dtype == np.float64 else None
        if self.floats is not None:
            self.data = <const char *> &self.floats[0, 0]
        else:
            self.data = <const char *> &self.doubles[0, 0]
        self.bytes = X.itemsize * self.n_features
        self.block = np.empty(capacity * self.n_features)
        self.group = -1 - order.group
        self.near = order.group if order.group * self.n_features <= ON_DISK else 0
        self.distance = max(<Py_ssize_t> AHEAD, 2 * capacity)
        self.v = np.zeros((self.n_outputs, self.n_features + 1))
        self.fetched = False

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        cdef Py_ssize_t j, k
        cdef Py_ssize_t d = self.n_features
        cdef const double *shift = NULL if self.scale is None else &self.shift[0]
        cdef double shifted
        cdef double *v
        Rows.begin(self, w, n_rows)
        for k in range(self.n_outputs):
            v = &self.v[k, 0]
            v[d] = w[d] if self.n_columns > d else 0
            if self.scale is None:
                memcpy(v, w, d * sizeof(double))
            else:
                for j in range(d):
                    v[j] = w[j] * self.scale[j]
                sk_gd_dot_double(&shift, 1, d, v, 0, &shifted)
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
        if n_outputs > 1:
            dgemm(
                'T', 'N', &rows, &n_outputs, &d, &plus, <double *> self.together, &d,
                &self.v[0, 0], &ld, &none, p, &stride,
            )
            for k in range(n_outputs):
                for i in range(count):
                    p[k * stride + i] += self.v[k, d]
        elif self.floats is not None:
            sk_gd_dot_float(
                <const float **> self.line, count, d, &self.v[0, 0], self.v[0, d], p
            )
        else:
            sk_gd_dot_double(
                <const double **> self.line, count, d, &self.v[0, 0], self.v[0, d], p
            )

    cdef inline void take(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """Find the rows of a block, and copy them as doubles if they must be."""
        cdef Py_ssize_t i, row, d = self.n_features
        cdef bint many = self.n_outputs > 1
        cdef const char **ahead = NULL if self.fetched else self.ahead
        self.enter_group(order, begin + count - 1)
        for i in range(count):
            row = begin + i if order == NULL else order[begin + i]
            self.line[i] = self.data + row * self.bytes
        self.look_ahead(order, begin, count)
        self.together = <const double *> self.line[0]
        if self.floats is not None and many:
            self.together = &self.block[0]
            sk_gd_copy_float(
                <const float **> self.line, <const float **> ahead, count, d, &self.block[0]
            )
        elif many and order != NULL:
            self.together = &self.block[0]
            sk_gd_copy_double(
                <const double **> self.line, <const double **> ahead, count, d, &self.block[0]
            )

    cdef inline void enter_group(
        self, const Py_ssize_t *order, Py_ssize_t last
    ) noexcept nogil:
        """Note in which group of the order the row at `last` is."""
        cdef Py_ssize_t size = 0 if order == NULL else self.order.group
        if size > 0 and not self.group <= last < self.group + size:
            self.group = last - last % size
            if self.near == 0:
                request_group(
                    self.data, self.bytes, order, self.order.place, self.group, self.n_ordered
                )

    cdef inline void look_ahead(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """Point `ahead` at the rows to fetch while order[begin:begin + count] are in work."""
        cdef Py_ssize_t i, row, size = 0 if order == NULL else self.near
        cdef Py_ssize_t s = begin - self.group, group = self.group + size
        while s < 0 < size:
            # The block begins in a group before this one.
            s += size
            group -= size
        for i in range(count):
            row = begin + i + self.distance
            if size > 0:
                row = group + self.order.streams[s]
                SK_GD_PREFETCH(order + group + size + s)
                s += 1
                if s == size:
                    s = 0
                    group += size
            row = min(row, self.n_ordered - 1)
            self.ahead[i] = self.data + (row if order == NULL else order[row]) * self.bytes

    cdef void fetch(self, Py_ssize_t begin, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t i
        self.fetched = True
        for i in range(begin, min(begin + count, <Py_ssize_t> self.count)):
            prefetch_row(self.ahead[i], self.bytes)

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef int d = <int> self.n_features, k = <int> self.n_columns
        cdef int n_outputs = <int> self.n_outputs
        cdef double plus = 1, total, size
        cdef Py_ssize_t j
        if n_outputs > 1:
            dgemm(
                'N', 'N', &d, &n_outputs, &self.count, &plus, <double *> self.together, &d,
                <double *> r, &stride, &plus, g, &k,
            )
        elif self.floats is not None:
            sk_gd_add_float(
                <const float **> self.line, self.count, d, r, g, <const float **> self.ahead
            )
        else:
            sk_gd_add_double(
                <const double **> self.line, self.count, d, r, g, <const double **> self.ahead
            )
        for j in range(n_outputs):
            sk_gd_sums(r, self.count, &total, &size)
            self.sums[j] += total
            self.sizes[j] += size
            r += stride

    cdef void finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t k, d = self.n_features
        cdef double total, size, terms, least
        for k in range(self.n_outputs):
            total = self.sums[k]
            # Rounding bound of the cancelling sums; a gradient below it is zero. The terms that a
            # prediction is summed from bound its rounding, and so that of the slopes. Nothing
            # cancels in a single row.
            terms, size = self.level[k], self.sizes[k]
            if self.scale is not None:
                terms += sk_gd_terms(&self.v[k, 0], &self.shift[0], d)
            if self.n_rows == 1:
                terms = size = 0
            if self.scale is not None:
                sk_gd_standardise(&self.shift[0], &self.scale[0], d, total, size, terms, g)
            if self.n_columns > d:
                least = ROUNDING * (terms + size)
                g[d] = 0 if fabs(total) <= least else total
            g += self.n_columns


@cython.final
cdef class SingleRows(DenseRows):
    """Dense rows for batches of one row and one output.

    The row itself is shifted and scaled: that is one pass over it, in which it is also multiplied
    with the weights.
    """

    cdef const double *w
    # The row in the optimizer's coordinates, and room for it.
    cdef const double *z
    cdef double[::1] room

    def __init__(self, X, shift, scale, level, intercept, capacity, order):
        DenseRows.__init__(self, X, shift, scale, level, intercept, capacity, order)
        self.room = aligned(np.empty(self.n_features))

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        if n_rows > 1:
            return DenseRows.begin(self, w, n_rows)
        self.n_rows = 1
        self.w = w
        return False

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        cdef Py_ssize_t j, d = self.n_features
        cdef double bias
        cdef const char *x
        if self.n_rows > 1:
            DenseRows.forward(self, order, begin, count, p, stride)
            return
        if order == NULL:
            x = self.data + begin * self.bytes
        else:
            x = self.data + order[begin] * self.bytes
            self.enter_group(order, begin)
            self.look_ahead(order, begin, 1)
            prefetch_row(self.ahead[0], self.bytes)
        self.z = <const double *> x
        if self.floats is not None:
            self.z = &self.block[0]
            for j in range(d):
                self.block[j] = (<const float *> x)[j]
        bias = self.w[d] if self.n_columns > d else 0
        if self.scale is None:
            sk_gd_dot_double(<const double **> &self.z, 1, d, self.w, bias, p)
        else:
            p[0] = bias + dot_standardised(
                self.z, &self.shift[0], &self.scale[0], self.w, d, &self.room[0]
            )
            self.z = &self.room[0]

    cdef void backward(self, const double *r, int stride, double *g) noexcept nogil:
        cdef Py_ssize_t d = self.n_features
        if self.n_rows > 1:
            DenseRows.backward(self, r, stride, g)
            return
        scale_row(self.z, r[0], d, g)
        if self.n_columns > d:
            g[d] = r[0]

    cdef void finish(self, double *g) noexcept nogil:
        if self.n_rows > 1:
            DenseRows.finish(self, g)
