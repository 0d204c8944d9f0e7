# cython: language_level=3
"""Sums and products of dense rows, in vector instructions."""

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below
from sk_gd.objectives.prefetch cimport SK_GD_PREFETCH  # no-cython-lint: for the C below
from sk_gd.objectives.rows cimport ROUNDING  # no-cython-lint: for the C below

cdef extern from *:
    """
    /* Products with vector instructions. Eight terms are added side by side, however wide the
       vectors are, so that sums have the same bits on every processor. */

    /* So many columns are multiplied, and asked for from memory, at a time. */
    #define SK_GD_SPAN 128

    #define SK_GD_DENSE_ROWS(REAL) \
    /* x . v + bias */ \
    static inline double sk_gd_product_##REAL( \
        const REAL *x, const double *v, Py_ssize_t d, double bias \
    ) { \
        double s[8] = {0}; \
        Py_ssize_t j; \
        for (j = 0; j + 8 <= d; j += 8) \
            for (int k = 0; k < 8; k++) s[k] += x[j + k] * v[j + k]; \
        for (; j < d; j++) bias += x[j] * v[j]; \
        return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + bias; \
    } \
    \
    /* Bring a row to the first-level cache. */ \
    static inline void sk_gd_near_##REAL(const REAL *x, Py_ssize_t d) { \
        for (Py_ssize_t j = 0; j < d; j += SK_GD_LINE / sizeof(REAL)) SK_GD_PREFETCH_SOON(x + j); \
        SK_GD_PREFETCH_SOON(x + d - 1); \
    } \
    \
    /* Where the second half of some columns begins, in whole cache lines. */ \
    static inline Py_ssize_t sk_gd_middle_##REAL(Py_ssize_t begin, Py_ssize_t end) { \
        enum { PER_LINE = SK_GD_LINE / sizeof(REAL) }; \
        return begin + ((end - begin) / 2 + PER_LINE - 1) / PER_LINE * PER_LINE; \
    } \
    \
    /* The columns from `begin` to `end` of `dot`, below. */ \
    static inline void sk_gd_dot_part_##REAL( \
        const REAL *const *line, Py_ssize_t count, Py_ssize_t begin, Py_ssize_t end, \
        const double *v, double bias, double *p, Py_ssize_t soon, const REAL *const *ahead \
    ) { \
        const Py_ssize_t middle = sk_gd_middle_##REAL(begin, end); \
        for (Py_ssize_t i = 0; i < count; i++) { \
            sk_gd_near_##REAL(line[i + soon] + begin, end - begin); \
            for (Py_ssize_t j = begin; j < middle; j += SK_GD_LINE / sizeof(REAL)) \
                SK_GD_PREFETCH(ahead[i] + j); \
            p[i] = sk_gd_product_##REAL( \
                line[i] + begin, v + begin, end - begin, begin == 0 ? bias : p[i] \
            ); \
        } \
    } \
    \
    /* p = rows . v + v[d]. Rows that are used `soon` are brought to the first-level cache. One \
       half of the rows `ahead` is prefetched here, and the other in the sum below: the processor \
       drops prefetches if there are too many at once. */ \
    SK_GD_CLONES static void sk_gd_dot_##REAL( \
        const REAL *const *line, Py_ssize_t count, Py_ssize_t d, const double *v, double *p, \
        Py_ssize_t soon, const REAL *const *ahead \
    ) { \
        Py_ssize_t begin = SK_GD_SPAN < d ? SK_GD_SPAN : d, end; \
        sk_gd_dot_part_##REAL(line, count, 0, begin, v, v[d], p, soon, ahead); \
        for (; begin < d; begin = end) { \
            end = begin + SK_GD_SPAN < d ? begin + SK_GD_SPAN : d; \
            sk_gd_dot_part_##REAL(line, count, begin, end, v, v[d], p, soon, ahead); \
        } \
    } \
    \
    /* g += r . rows, four rows at a time, so that g is read and written a quarter as often. */ \
    SK_GD_CLONES static void sk_gd_add_##REAL( \
        const REAL *const *line, Py_ssize_t count, Py_ssize_t d, const double *r, \
        double *__restrict g, const REAL *const *ahead \
    ) { \
        Py_ssize_t begin, end, i, j, middle; \
        for (begin = 0; begin < d; begin = end) { \
            end = begin + SK_GD_SPAN < d ? begin + SK_GD_SPAN : d; \
            middle = sk_gd_middle_##REAL(begin, end); \
            for (i = 0; i + 4 <= count; i += 4) { \
                const REAL *a = line[i], *b = line[i + 1], *c = line[i + 2], *e = line[i + 3]; \
                const double ra = r[i], rb = r[i + 1], rc = r[i + 2], re = r[i + 3]; \
                for (int k = 0; k < 4; k++) { \
                    for (j = middle; j < end; j += SK_GD_LINE / sizeof(REAL)) \
                        SK_GD_PREFETCH(ahead[i + k] + j); \
                    SK_GD_PREFETCH(ahead[i + k] + end - 1); \
                } \
                for (j = begin; j < end; j++) \
                    g[j] += (a[j] * ra + b[j] * rb) + (c[j] * rc + e[j] * re); \
            } \
            for (; i < count; i++) \
                for (j = begin; j < end; j++) g[j] += line[i][j] * r[i]; \
        } \
    } \
    \
    /* Copy rows side by side as doubles. Bring rows that are used `soon` to the first-level \
       cache, and prefetch the rows `ahead` unless they are NULL. */ \
    SK_GD_CLONES static void sk_gd_copy_##REAL( \
        const REAL *const *line, Py_ssize_t count, Py_ssize_t d, double *__restrict block, \
        Py_ssize_t soon, const REAL *const *ahead \
    ) { \
        enum { PER_LINE = SK_GD_LINE / sizeof(REAL) }; \
        for (Py_ssize_t i = 0; i < count; i++, block += d) { \
            const REAL *x = line[i]; \
            Py_ssize_t j; \
            sk_gd_near_##REAL(line[i + soon], d); \
            if (ahead) { \
                for (j = 0; j < d; j += PER_LINE) SK_GD_PREFETCH(ahead[i] + j); \
                SK_GD_PREFETCH(ahead[i] + d - 1); \
            } \
            for (j = 0; j < d; j++) block[j] = x[j]; \
        } \
    }

    SK_GD_DENSE_ROWS(float)
    SK_GD_DENSE_ROWS(double)

    #define SK_GD_SINGLE_ROW(REAL) \
    /* z = (x - shift) * scale; returns z . w + bias */ \
    SK_GD_CLONES static double sk_gd_dot_standardised_##REAL( \
        const REAL *x, const double *shift, const double *scale, const double *w, Py_ssize_t d, \
        double bias, double *__restrict z \
    ) { \
        double s[8] = {0}, rest = bias; \
        Py_ssize_t j = 0; \
        for (; j + 8 <= d; j += 8) \
            for (int k = 0; k < 8; k++) { \
                z[j + k] = (x[j + k] - shift[j + k]) * scale[j + k]; \
                s[k] += z[j + k] * w[j + k]; \
            } \
        for (; j < d; j++) { \
            z[j] = (x[j] - shift[j]) * scale[j]; \
            rest += z[j] * w[j]; \
        } \
        return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest; \
    }

    SK_GD_SINGLE_ROW(float)
    SK_GD_SINGLE_ROW(double)

    SK_GD_CLONES static double sk_gd_dot_row(
        const double *x, const double *v, Py_ssize_t d, double bias
    ) {
        return sk_gd_product_double(x, v, d, bias);
    }

    /* The sum of n numbers, and that of their absolute values: in two loops, or the compiler does
       not use vector instructions. */
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

    /* The sum of the absolute values of v * shift. */
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
            /* The mean of a feature in units of its standard deviation. */
            const double far = fabs(shift[j]) * scale[j];
            const double least = SK_GD_ROUNDING * (size * far + terms * (far < 1 ? far : 1));
            g[j] = fabs(exact) <= least ? 0 : exact;
        }
    }
    """
    enum: SPAN "SK_GD_SPAN"
    void sk_gd_dot_float(
        const float **, Py_ssize_t, Py_ssize_t, const double *, double *, Py_ssize_t,
        const float **,
    ) noexcept nogil
    void sk_gd_dot_double(
        const double **, Py_ssize_t, Py_ssize_t, const double *, double *, Py_ssize_t,
        const double **,
    ) noexcept nogil
    void sk_gd_add_float(
        const float **, Py_ssize_t, Py_ssize_t, const double *, double *, const float **
    ) noexcept nogil
    void sk_gd_add_double(
        const double **, Py_ssize_t, Py_ssize_t, const double *, double *, const double **
    ) noexcept nogil
    void sk_gd_copy_float(
        const float **, Py_ssize_t, Py_ssize_t, double *, Py_ssize_t, const float **
    ) noexcept nogil
    void sk_gd_copy_double(
        const double **, Py_ssize_t, Py_ssize_t, double *, Py_ssize_t, const double **
    ) noexcept nogil
    double dot_row "sk_gd_dot_row"(
        const double *x, const double *v, Py_ssize_t d, double bias
    ) noexcept nogil
    double sk_gd_dot_standardised_float(
        const float *, const double *, const double *, const double *, Py_ssize_t, double, double *
    ) noexcept nogil
    double sk_gd_dot_standardised_double(
        const double *, const double *, const double *, const double *, Py_ssize_t, double, double *
    ) noexcept nogil
    void sk_gd_sums(const double *r, Py_ssize_t n, double *total, double *size) noexcept nogil
    double sk_gd_terms(const double *v, const double *shift, Py_ssize_t d) noexcept nogil
    void sk_gd_standardise(
        const double *shift, const double *scale, Py_ssize_t d, double total, double size,
        double terms, double *g,
    ) noexcept nogil
