# cython: language_level=3, boundscheck=False, wraparound=False
"""Products and sums of long vectors."""

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below

cdef extern from *:
    """
    #include <stddef.h>

    /* x . y. Eight terms are added side by side, however wide the vectors of the processor are, so
       that the sum has the same bits on all of them. */
    SK_GD_CLONES
    static double sk_gd_inner_product(const double *x, const double *y, ptrdiff_t n)
    {
        double s[8] = {0}, rest = 0;
        ptrdiff_t j = 0;
        for (; j + 8 <= n; j += 8)
            for (int k = 0; k < 8; k++) s[k] += x[j + k] * y[j + k];
        for (; j < n; j++) rest += x[j] * y[j];
        return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest;
    }

    /* y += a * x */
    SK_GD_CLONES
    static void sk_gd_add_multiple(double *__restrict y, double a, const double *x, ptrdiff_t n)
    {
        for (ptrdiff_t j = 0; j < n; j++) y[j] += a * x[j];
    }
    """
    double sk_gd_inner_product(const double *x, const double *y, ptrdiff_t n) noexcept nogil
    void sk_gd_add_multiple(double *y, double a, const double *x, ptrdiff_t n) noexcept nogil


cdef inline double inner_product(double[::1] x, double[::1] y, Py_ssize_t n) noexcept nogil:
    """The inner product of two vectors of n numbers."""
    return sk_gd_inner_product(&x[0], &y[0], n)


cdef inline void add_multiple(
    double[::1] y, double a, double[::1] x, Py_ssize_t n
) noexcept nogil:
    """Add `a` times `x` to `y`, vectors of n numbers."""
    sk_gd_add_multiple(&y[0], a, &x[0], n)
