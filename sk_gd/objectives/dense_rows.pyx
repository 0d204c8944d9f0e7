# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Dense rows of X: products of a block with the weights, and with the slopes of the loss."""

import numpy as np

cimport cython
from libc.math cimport fabs
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm

from sk_gd.objectives.dense_products cimport (
    SPAN, dot_row, sk_gd_add_double, sk_gd_add_float, sk_gd_copy_double, sk_gd_copy_float,
    sk_gd_dot_double, sk_gd_dot_float, sk_gd_dot_standardised_double, sk_gd_dot_standardised_float,
    sk_gd_standardise, sk_gd_sums, sk_gd_terms,
)
from sk_gd.objectives.prefetch cimport LINE
from sk_gd.objectives.rows cimport (
    AHEAD, ROUNDING, SK_GD_PREFETCH, Rows, multiply_slopes, prefetch_row,
)

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


# Rows are brought to the first-level cache at most so many rows before their use, and, if they are
# long, at most so many bytes.
cdef enum:
    SOONEST = 16
    NEAR = 6400

# For steps on one row, the rows to prefetch are found for so many steps at a time. Without groups
# they are the rows of the next so many steps: rows that are fetched sooner leave the first-level
# cache before their use.
cdef enum:
    STEPS = 8

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

    The weights are shifted and scaled before the product, and the gradient after it, in place of
    the rows. That is less work. Rows are not copied, except for several outputs: for one matrix
    product they must be doubles side by side. While a block is in use, later rows are prefetched:
    those of the block after the next or, where the order has groups, of the next group, run by run.
    """

    cdef const float[:, ::1] floats
    cdef const double[:, ::1] doubles
    cdef double[::1] block
    # Where the group that is in use begins in the order.
    cdef Py_ssize_t group
    # Rows of a group, which is fetched during the one before. If it is 0, rows are fetched
    # `distance` rows before their use.
    cdef Py_ssize_t near
    cdef Py_ssize_t distance
    cdef double[:, ::1] v
    cdef bint fetched
    # The rows of the block, and the next few: each is brought to the first-level cache when the row
    # `soon` places before it is in use.
    cdef const char **line
    cdef Py_ssize_t soon
    # Rows to bring from memory: as many as the block has, or, if it has only one, for some steps.
    cdef const char **ahead
    cdef const char *data
    cdef Py_ssize_t bytes
    # The rows of the block, if they are side by side in memory.
    cdef const double *adjacent
    cdef int count

    def __cinit__(self, X, shift, scale, level, intercept, Py_ssize_t capacity, order):
        self.line = <const char **> malloc((capacity + SOONEST) * sizeof(void *))
        self.ahead = <const char **> malloc(max(capacity, STEPS) * sizeof(void *))
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
        self.soon = min(SOONEST, NEAR // min(max(self.bytes, 1), SPAN * X.itemsize))
        if self.n_outputs > 1:
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
                v[d] -= dot_row(shift, v, d, 0)
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
                'T', 'N', &rows, &n_outputs, &d, &plus, <double *> self.adjacent, &d,
                &self.v[0, 0], &ld, &none, p, &stride,
            )
            for k in range(n_outputs):
                for i in range(count):
                    p[k * stride + i] += self.v[k, d]
        elif self.floats is not None:
            sk_gd_dot_float(
                <const float **> self.line, count, d, &self.v[0, 0], p, self.soon,
                <const float **> self.ahead,
            )
        else:
            sk_gd_dot_double(
                <const double **> self.line, count, d, &self.v[0, 0], p, self.soon,
                <const double **> self.ahead,
            )

    cdef inline void take(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count
    ) noexcept nogil:
        """Find the rows of a block, and copy them as doubles if they must be."""
        cdef Py_ssize_t i, row, known, d = self.n_features, bytes = self.bytes
        cdef Py_ssize_t soon = self.soon
        cdef bint many = self.n_outputs > 1
        cdef const char *data = self.data
        cdef const char **line = self.line
        cdef const char **ahead = NULL if self.fetched else self.ahead
        self.enter_group(order, begin + count - 1)
        known = max(count, min(count + soon, self.n_ordered - begin))
        for i in range(known):
            row = begin + i if order == NULL else order[begin + i]
            line[i] = data + row * bytes
        for i in range(known, count + soon):
            line[i] = line[known - 1]
        self.look_ahead(order, begin, count)
        self.adjacent = <const double *> self.line[0]
        if self.floats is not None and many:
            self.adjacent = &self.block[0]
            sk_gd_copy_float(
                <const float **> self.line, count, d, &self.block[0], soon,
                <const float **> ahead,
            )
        elif many and order != NULL:
            self.adjacent = &self.block[0]
            sk_gd_copy_double(
                <const double **> self.line, count, d, &self.block[0], soon,
                <const double **> ahead,
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
        # Copies, since the compiler has to expect that writing a pointer changes what `self` has.
        cdef const char *data = self.data
        cdef const char **ahead = self.ahead
        cdef const Py_ssize_t *streams
        cdef Py_ssize_t i, s, group, end, row, bytes = self.bytes, last = self.n_ordered - 1
        cdef Py_ssize_t size = 0 if order == NULL else self.near
        if size == 0:
            for i in range(count):
                row = min(begin + i + self.distance, last)
                ahead[i] = data + (row if order == NULL else order[row]) * bytes
            return
        s, group = begin - self.group, self.group + size
        while s < 0:
            # The block begins in a group before this one.
            s += size
            group -= size
        while count > 0:
            streams = &self.order.streams[s]
            end = min(count, size - s)
            i = 0
            while i < end:
                SK_GD_PREFETCH(order + group + size + s + i)
                i += LINE // <Py_ssize_t> sizeof(Py_ssize_t)
            for i in range(end):
                ahead[i] = data + order[min(group + streams[i], last)] * bytes
            ahead += end
            count -= end
            group += size
            s = 0

    cdef void fetch(self, Py_ssize_t begin, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t i
        self.fetched = True
        for i in range(begin, min(begin + count, <Py_ssize_t> self.count)):
            prefetch_row(self.ahead[i], self.bytes)

    cdef void backward(
        self, double *r, const double *factors, int stride, double *g
    ) noexcept nogil:
        cdef int d = <int> self.n_features, k = <int> self.n_columns
        cdef int n_outputs = <int> self.n_outputs
        cdef double plus = 1, total, size
        cdef Py_ssize_t j
        multiply_slopes(r, factors, n_outputs, self.count, stride)
        if n_outputs > 1:
            dgemm(
                'N', 'N', &d, &n_outputs, &self.count, &plus, <double *> self.adjacent, &d,
                r, &stride, &plus, g, &k,
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

    cdef const double *finish(self, double *g) noexcept nogil:
        cdef Py_ssize_t k, d = self.n_features
        cdef double total, size, terms, least
        cdef const double *found = g
        for k in range(self.n_outputs):
            total = self.sums[k]
            # A bound of the rounding of sums that cancel; a gradient below it is zero. The rounding
            # of a prediction, and so of its slope, is bounded by the terms of its sum. Nothing
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
        return found


@cython.final
cdef class SingleRows(DenseRows):
    """Dense rows for batches of one row and one output.

    The row itself is shifted and scaled: that is one pass over it, in which it is also multiplied
    with the weights. The gradient is a multiple of it.
    """

    cdef const double *w
    # The row in the optimizer's coordinates, with the constant column.
    cdef double[::1] z
    cdef bint factored

    def __init__(self, X, shift, scale, level, intercept, capacity, order):
        if scale is None:
            shift, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
        DenseRows.__init__(self, X, shift, scale, level, intercept, capacity, order)
        cdef Py_ssize_t i
        self.z = aligned(np.ones(self.n_columns))
        self.distance = STEPS
        for i in range(STEPS):
            self.ahead[i] = self.data
        self.factored = False

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        self.factored = False
        self.slope = self.factor = &self.one
        if n_rows > 1:
            return DenseRows.begin(self, w, n_rows)
        self.n_rows = 1
        self.w = w
        return False

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        if self.n_rows > 1:
            DenseRows.forward(self, order, begin, count, p, stride)
        else:
            p[0] = self.product(order, begin)

    cdef inline double product(self, const Py_ssize_t *order, Py_ssize_t begin) noexcept nogil:
        """Standardise a row, multiply it with the weights, and prefetch a later one."""
        cdef Py_ssize_t d = self.n_features, row = begin
        cdef const char *x
        cdef double bias = self.w[d] if self.n_columns > d else 0
        if order != NULL:
            row = order[begin]
            if begin % STEPS == 0:
                self.find_ahead(order, begin)
            prefetch_row(self.ahead[begin % STEPS], self.bytes)
        x = self.data + row * self.bytes
        if self.floats is not None:
            return sk_gd_dot_standardised_float(
                <const float *> x, &self.shift[0], &self.scale[0], self.w, d, bias, &self.z[0]
            )
        return sk_gd_dot_standardised_double(
            <const double *> x, &self.shift[0], &self.scale[0], self.w, d, bias, &self.z[0]
        )

    cdef void find_ahead(self, const Py_ssize_t *order, Py_ssize_t begin) noexcept nogil:
        """Find the rows to prefetch in this step and the next ones."""
        self.enter_group(order, min(begin + STEPS, self.n_ordered) - 1)
        self.look_ahead(order, begin, STEPS)

    cdef void backward(
        self, double *r, const double *factors, int stride, double *g
    ) noexcept nogil:
        if self.n_rows > 1:
            DenseRows.backward(self, r, factors, stride, g)
            return
        self.factored = True
        # The loop multiplies the two numbers: to store their product here takes longer.
        self.slope, self.factor = r, factors

    cdef void collect(self, double *g) noexcept nogil:
        cdef Py_ssize_t j
        if self.factored:
            for j in range(self.n_columns):
                g[j] = self.factor[0] * self.slope[0] * self.z[j]
            self.factored = False
            self.slope = self.factor = &self.one

    cdef const double *finish(self, double *g) noexcept nogil:
        if self.factored:
            return &self.z[0]
        return DenseRows.finish(self, g) if self.n_rows > 1 else g
