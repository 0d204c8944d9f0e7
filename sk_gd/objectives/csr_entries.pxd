# cython: language_level=3
"""Entries of a sparse row, times the weights of many outputs, or added to their gradients."""

from libc.stdint cimport int32_t, int64_t

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below
from sk_gd.objectives.prefetch cimport LINE, SK_GD_PREFETCH
from sk_gd.objectives.rows cimport real

ctypedef fused integer:
    int32_t
    int64_t

cdef extern from *:
    """
    /* Products of a row with the weights of many outputs, which are side by side: n entries x in
       the columns at, and stride outputs: one, two, or a multiple of four. The compiler vectorises
       loops of a fixed length. Every sum is in the order of the entries, so that it has the same
       bits everywhere. For one output there are four partial sums: in a single one every addition
       would wait for the last. */

    #define SK_GD_SUMS(WIDTH) { \
        double sum[WIDTH] = {0}; \
        for (Py_ssize_t a = 0; a < n; a++) { \
            const double *column = w + at[a] * stride + k; \
            for (int j = 0; j < WIDTH; j++) sum[j] += x[a] * column[j]; \
        } \
        for (int j = 0; j < WIDTH; j++) p[k + j] = sum[j]; \
        k += WIDTH; \
    }

    #define SK_GD_COLUMNS(NAME, REAL, INTEGER) \
    SK_GD_CLONES static void sk_gd_dot_##NAME( \
        const REAL *x, const INTEGER *at, Py_ssize_t n, const double *w, Py_ssize_t stride, \
        double *p \
    ) { \
        Py_ssize_t k = 0; \
        if (stride == 1) { \
            double sum[4] = {0}; \
            for (; k + 4 <= n; k += 4) \
                for (int j = 0; j < 4; j++) sum[j] += x[k + j] * w[at[k + j]]; \
            for (; k < n; k++) sum[0] += x[k] * w[at[k]]; \
            p[0] = (sum[0] + sum[2]) + (sum[1] + sum[3]); \
            return; \
        } \
        while (k + 16 <= stride) SK_GD_SUMS(16) \
        if (k + 8 <= stride) SK_GD_SUMS(8) \
        if (k + 4 <= stride) SK_GD_SUMS(4) \
        if (k + 2 <= stride) SK_GD_SUMS(2) \
    } \
    SK_GD_CLONES static void sk_gd_add_##NAME( \
        const REAL *x, const INTEGER *at, Py_ssize_t n, const double *r, Py_ssize_t stride, \
        double *__restrict g \
    ) { \
        if (stride == 1) { \
            for (Py_ssize_t a = 0; a < n; a++) g[at[a]] += r[0] * x[a]; \
            return; \
        } \
        if (stride == 2) { \
            for (Py_ssize_t a = 0; a < n; a++) \
                for (int j = 0; j < 2; j++) g[at[a] * 2 + j] += r[j] * x[a]; \
            return; \
        } \
        for (Py_ssize_t a = 0; a < n; a++) { \
            double *column = g + at[a] * stride; \
            for (Py_ssize_t k = 0; k < stride; k += 4) \
                for (int j = 0; j < 4; j++) column[k + j] += r[k + j] * x[a]; \
        } \
    }

    SK_GD_COLUMNS(float_narrow, float, int32_t)
    SK_GD_COLUMNS(float_wide, float, int64_t)
    SK_GD_COLUMNS(double_narrow, double, int32_t)
    SK_GD_COLUMNS(double_wide, double, int64_t)
    """
    void sk_gd_dot_float_narrow(
        const float *, const int32_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_dot_float_wide(
        const float *, const int64_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_dot_double_narrow(
        const double *, const int32_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_dot_double_wide(
        const double *, const int64_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_add_float_narrow(
        const float *, const int32_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_add_float_wide(
        const float *, const int64_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_add_double_narrow(
        const double *, const int32_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil
    void sk_gd_add_double_wide(
        const double *, const int64_t *, Py_ssize_t, const double *, Py_ssize_t, double *
    ) noexcept nogil


cdef inline void dot_row(
    const real *x, const integer *at, Py_ssize_t n, const double *w, Py_ssize_t stride, double *p
) noexcept nogil:
    """p (outputs) = the row with the entries `x` in the columns `at` · w."""
    if real is float:
        if integer is int32_t:
            sk_gd_dot_float_narrow(x, at, n, w, stride, p)
        else:
            sk_gd_dot_float_wide(x, at, n, w, stride, p)
    else:
        if integer is int32_t:
            sk_gd_dot_double_narrow(x, at, n, w, stride, p)
        else:
            sk_gd_dot_double_wide(x, at, n, w, stride, p)


cdef inline void add_row(
    const real *x, const integer *at, Py_ssize_t n, const double *r, Py_ssize_t stride, double *g
) noexcept nogil:
    """g += that row · r (outputs)."""
    if real is float:
        if integer is int32_t:
            sk_gd_add_float_narrow(x, at, n, r, stride, g)
        else:
            sk_gd_add_float_wide(x, at, n, r, stride, g)
    else:
        if integer is int32_t:
            sk_gd_add_double_narrow(x, at, n, r, stride, g)
        else:
            sk_gd_add_double_wide(x, at, n, r, stride, g)


cdef inline void fetch_csr(
    const real *data, const integer *indices, const integer *indptr, Py_ssize_t row,
) noexcept nogil:
    """Prefetch the entries of a row."""
    cdef Py_ssize_t a = indptr[row], end = indptr[row + 1]
    while a < end:
        SK_GD_PREFETCH(data + a)
        a += LINE // sizeof(real)
    a = indptr[row]
    while a < end:
        SK_GD_PREFETCH(indices + a)
        a += LINE // sizeof(integer)
