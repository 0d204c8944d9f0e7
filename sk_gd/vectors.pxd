# cython: language_level=3
"""Loops over vectors of numbers, compiled for several instruction sets."""

cdef extern from *:
    """
    #ifndef SK_GD_VECTORS
    #define SK_GD_VECTORS
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    /* The first call chooses the version for the processor. All versions give the same digits:
       the order of the operations is written down here, and products are rounded. */
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
    #define SK_GD_VECTORS_FOR_ALL __attribute__((unused, target_clones("avx2", "default")))
    #else
    #define SK_GD_VECTORS_FOR_ALL
    #endif

    /* z = (x - shift) * scale; returns the inner product of z and w. */
    SK_GD_VECTORS_FOR_ALL
    static double sk_gd_standardised_dot(
        const double *x, const double *shift, const double *scale, const double *w, double *z,
        ptrdiff_t n)
    {
        /* Eight sums: each addition would otherwise wait for the last one. */
        double sums[8] = {0}, rest = 0;
        ptrdiff_t j = 0, k;
        for (; j < n - 7; j += 8) {
            for (k = 0; k < 8; k++) {
                z[j + k] = (x[j + k] - shift[j + k]) * scale[j + k];
                sums[k] += z[j + k] * w[j + k];
            }
        }
        for (; j < n; j++) {
            z[j] = (x[j] - shift[j]) * scale[j];
            rest += z[j] * w[j];
        }
        return rest + (((sums[0] + sums[4]) + (sums[1] + sums[5]))
                       + ((sums[2] + sums[6]) + (sums[3] + sums[7])));
    }

    /* p = rows . v + bias. Eight terms are added side by side. */
    SK_GD_VECTORS_FOR_ALL
    static void sk_gd_dot_rows(
        const double *const *line, ptrdiff_t count, ptrdiff_t d, const double *v, double bias,
        double *p
    ) {
        for (ptrdiff_t i = 0; i < count; i++) {
            const double *x = line[i];
            double s[8] = {0}, rest = bias;
            ptrdiff_t j = 0;
            for (; j + 8 <= d; j += 8)
                for (int k = 0; k < 8; k++) s[k] += x[j + k] * v[j + k];
            for (; j < d; j++) rest += x[j] * v[j];
            p[i] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest;
        }
    }

    /* g += r . rows, four rows at a time, so that g is read and written a quarter as often. */
    SK_GD_VECTORS_FOR_ALL
    static void sk_gd_add_rows(
        const double *const *line, ptrdiff_t count, ptrdiff_t d, const double *r,
        double *__restrict g
    ) {
        ptrdiff_t i = 0, j;
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

    /* 2 to the power of a whole number between -1022 and 1023, plus `ROUND` below. */
    static inline double sk_gd_power_of_two(double k)
    {
        uint64_t bits;
        memcpy(&bits, &k, sizeof bits);
        bits = (bits + 1023) << 52;
        memcpy(&k, &bits, sizeof bits);
        return k;
    }

    /* Replace n numbers by their exponentials, with an error below one unit in the last place.
       exp(x) = 2**k exp(r), where k is whole and |r| <= log(2) / 2. The formula of exp(r) is that
       of fdlibm, by Sun Microsystems (1993), who found the coefficients. There is no branch and no
       table, so that the compiler can use vector instructions. */
    SK_GD_VECTORS_FOR_ALL
    static void sk_gd_exponentials(double *numbers, ptrdiff_t n)
    {
        /* A number this large has no bits for fractions: adding it rounds to a whole number, which
           is in the last bits of the sum. */
        const double ROUND = 0x1.8p52;
        ptrdiff_t i;
        for (i = 0; i < n; i++) {
            double x = numbers[i], k, half, high, low, r, s, c;
            /* Beyond these the result is 0 or infinite. NaN stays. */
            x = x < -746 ? -746 : x;
            x = x > 710 ? 710 : x;
            k = (x * 0x1.71547652b82fep0 + ROUND) - ROUND;
            /* log(2) in two parts. The product with the first is exact. */
            high = x - k * 0x1.62e42feep-1;
            low = k * 0x1.a39ef35793c76p-33;
            r = high - low;
            s = r * r;
            c = r - s * (0x1.555555555553ep-3 + s * (-0x1.6c16c16bebd93p-9
                + s * (0x1.1566aaf25de2cp-14 + s * (-0x1.bbd41c5d26bf1p-20
                + s * 0x1.6376972bea4d0p-25))));
            /* Two factors, since 2**k alone may be too large or too small. */
            half = k * 0.5 + ROUND;
            numbers[i] = (1 + (high - (low - r * c / (2 - c)))) * sk_gd_power_of_two(half)
                * sk_gd_power_of_two(k - (half - ROUND) + ROUND);
        }
    }
    #endif
    """
    double standardised_dot "sk_gd_standardised_dot"(
        const double *x, const double *shift, const double *scale, const double *w, double *z,
        ptrdiff_t n
    ) noexcept nogil
    void dot_rows "sk_gd_dot_rows"(
        const double **line, ptrdiff_t count, ptrdiff_t d, const double *v, double bias, double *p
    ) noexcept nogil
    void add_rows "sk_gd_add_rows"(
        const double **line, ptrdiff_t count, ptrdiff_t d, const double *r, double *g
    ) noexcept nogil
    void exponentials "sk_gd_exponentials"(double *numbers, ptrdiff_t n) noexcept nogil
