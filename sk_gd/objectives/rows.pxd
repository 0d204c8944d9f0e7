# cython: language_level=3

from sk_gd.objectives.order cimport Order
from sk_gd.objectives.prefetch cimport LINE, SK_GD_PREFETCH

cdef extern from *:
    """
    #include <float.h>
    #define SK_GD_ROUNDING (8 * DBL_EPSILON)
    """
    # A sum of terms that cancel is rounding if it is smaller than this share of them, and is set to
    # zero. The gradient of the intercept of centred data, for example, is zero. A rule that divides
    # by the size of the gradient would take a full step because of the rounding.
    const double ROUNDING "SK_GD_ROUNDING"

# How many rows ahead of the one in use are prefetched. In a shuffled epoch the processor cannot
# guess the next row by itself.
cdef enum:
    AHEAD = 32

ctypedef fused real:
    float
    double


cdef inline void prefetch_row(const void *row, Py_ssize_t bytes) noexcept nogil:
    cdef const char *x = <const char *> row
    cdef Py_ssize_t i = 0
    while i < bytes:
        SK_GD_PREFETCH(x + i)
        i += LINE
    SK_GD_PREFETCH(x + bytes - 1)


cdef inline void multiply_slopes(
    double *r, const double *factors, Py_ssize_t n_outputs, Py_ssize_t count, int stride
) noexcept nogil:
    """Multiply the slopes of each output (outputs × rows) by its factor."""
    cdef Py_ssize_t i, k
    cdef double factor
    for k in range(n_outputs):
        factor = factors[k]
        for i in range(count):
            r[i] *= factor
        r += stride


cdef class Rows:
    cdef readonly Py_ssize_t n_features
    cdef readonly Py_ssize_t n_columns
    cdef readonly Py_ssize_t n_outputs
    cdef readonly Py_ssize_t capacity
    cdef Order order
    cdef Py_ssize_t n_ordered
    cdef double[::1] shift
    cdef double[::1] scale
    cdef double[::1] level
    cdef double[::1] sums
    cdef double[::1] sizes
    cdef Py_ssize_t n_rows
    cdef bint local
    cdef const double *slope
    cdef const double *factor
    cdef double one
    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil
    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil
    cdef void fetch(self, Py_ssize_t begin, Py_ssize_t count) noexcept nogil
    cdef void backward(
        self, double *r, const double *factors, int stride, double *g
    ) noexcept nogil
    cdef void collect(self, double *g) noexcept nogil
    cdef void add_sums(self, Rows other) noexcept nogil
    cdef const double *finish(self, double *g) noexcept nogil
    cdef Py_ssize_t touch(
        self, Py_ssize_t *where, Py_ssize_t found, Py_ssize_t *stamp, Py_ssize_t mark
    ) noexcept nogil
