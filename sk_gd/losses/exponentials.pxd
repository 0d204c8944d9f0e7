# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Exponentials and logistic functions of a block of numbers."""

from libc.math cimport copysign, exp, fabs, log

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below

cdef extern from *:
    """
    #include <math.h>
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

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
       table, so that the compiler can use vector instructions. Each loop has a part of the formula:
       more numbers are then in work at a time, and one seldom waits for the result before it. */
    SK_GD_CLONES
    static void sk_gd_exponentials(double *numbers, ptrdiff_t n)
    {
        /* A number this large has no bits for fractions: adding it rounds to a whole number, which
           is in the last bits of the sum. */
        const double ROUND = 0x1.8p52;
        enum { TOGETHER = 64 };
        double whole[TOGETHER], high[TOGETHER], low[TOGETHER], part[TOGETHER];
        ptrdiff_t begin, i;
        for (begin = 0; begin < n; begin += TOGETHER) {
            const ptrdiff_t count = n - begin < TOGETHER ? n - begin : TOGETHER;
            double *number = numbers + begin;
            for (i = 0; i < count; i++) {
                double x = number[i], k;
                /* Beyond these the result is 0 or infinite. NaN stays. */
                x = x < -746 ? -746 : x;
                x = x > 710 ? 710 : x;
                k = (x * 0x1.71547652b82fep0 + ROUND) - ROUND;
                whole[i] = k;
                /* log(2) in two parts. The product with the first is exact. */
                high[i] = x - k * 0x1.62e42feep-1;
                low[i] = k * 0x1.a39ef35793c76p-33;
            }
            for (i = 0; i < count; i++) {
                const double r = high[i] - low[i], s = r * r;
                part[i] = r - s * (0x1.555555555553ep-3 + s * (-0x1.6c16c16bebd93p-9
                    + s * (0x1.1566aaf25de2cp-14 + s * (-0x1.bbd41c5d26bf1p-20
                    + s * 0x1.6376972bea4d0p-25))));
            }
            for (i = 0; i < count; i++) {
                const double k = whole[i], r = high[i] - low[i], c = part[i];
                /* Two factors, since 2**k alone may be too large or too small. */
                const double half = k * 0.5 + ROUND;
                number[i] = (1 + (high[i] - (low[i] - r * c / (2 - c)))) * sk_gd_power_of_two(half)
                    * sk_gd_power_of_two(k - (half - ROUND) + ROUND);
            }
        }
    }

    /* Replace n numbers x by 1 / (1 + exp(-x)). Return the weighted sum of log(1 + exp(x)). */
    SK_GD_CLONES
    static double sk_gd_logistics(double *numbers, const double *weights, ptrdiff_t n)
    {
        enum { TOGETHER = 64 };
        double e[TOGETHER], sum[TOGETHER], positive[TOGETHER], total = 0;
        ptrdiff_t begin, i;
        int k;
        for (begin = 0; begin < n; begin += TOGETHER) {
            const ptrdiff_t count = n - begin < TOGETHER ? n - begin : TOGETHER;
            double *number = numbers + begin;
            const double *weight = weights + begin;
            double product[8] = {1, 1, 1, 1, 1, 1, 1, 1}, rest[8] = {0};
            int differ = 0;
            /* The exponents are negative, so that nothing overflows. */
            for (i = 0; i < count; i++) e[i] = -fabs(number[i]);
            sk_gd_exponentials(e, count);
            for (i = 0; i < count; i++) {
                sum[i] = 1 + e[i];
                positive[i] = number[i] > 0 ? number[i] : 0;
                number[i] = (number[i] >= 0 ? 1 : e[i]) / sum[i];
            }
            for (i = 0; i < count; i++) differ |= weight[i] != weight[0];
            if (differ) {
                for (i = 0; i < count; i++) total += weight[i] * (positive[i] + log(sum[i]));
                continue;
            }
            /* The logarithm is the slowest part. Numbers of equal weight share one. */
            for (i = 0; i + 8 <= count; i += 8)
                for (k = 0; k < 8; k++) product[k] *= sum[i + k];
            for (k = 0; i + k < count; k++) product[k] *= sum[i + k];
            for (i = 0; i + 8 <= count; i += 8)
                for (k = 0; k < 8; k++) rest[k] += positive[i + k];
            for (k = 0; i + k < count; k++) rest[k] += positive[i + k];
            total += weight[0] * (
                ((rest[0] + rest[4]) + (rest[2] + rest[6]))
                + ((rest[1] + rest[5]) + (rest[3] + rest[7]))
                + log(((product[0] * product[4]) * (product[2] * product[6]))
                    * ((product[1] * product[5]) * (product[3] * product[7])))
            );
        }
        return total;
    }
    """
    void sk_gd_exponentials(double *numbers, ptrdiff_t n) noexcept nogil
    double sk_gd_logistics(double *numbers, const double *weights, ptrdiff_t n) noexcept nogil


# Few numbers are sooner done one by one.
cdef enum:
    FEW = 4


cdef inline void exponentials(double[:, ::1] numbers, Py_ssize_t row, Py_ssize_t n) noexcept nogil:
    """Replace the first `n` numbers of a row by their exponentials."""
    cdef Py_ssize_t i
    if n >= FEW:
        sk_gd_exponentials(&numbers[row, 0], n)
    else:
        for i in range(n):
            numbers[row, i] = exp(numbers[row, i])


cdef inline double logistics(
    double[:, ::1] numbers, Py_ssize_t row, const double[::1] weight, Py_ssize_t n,
    double[:, ::1] held,
) noexcept nogil:
    """Replace the first `n` numbers x of a row by 1 / (1 + exp(-x)).

    Returns the weighted sum of log(1 + exp(x)). A logarithm is slow, so that few numbers only add
    to a product: `held` has, in the same row, its weight and the product. The logarithm of the
    product is left to a later call, of numbers of another weight, or to the caller.
    """
    cdef double total = 0, x, e, sign
    cdef Py_ssize_t i
    if n >= FEW:
        return sk_gd_logistics(&numbers[row, 0], &weight[0], n)
    for i in range(n):
        x = numbers[row, i]
        e = exp(-fabs(x))
        if weight[i] != held[row, 0] or held[row, 1] > 1e300:
            total += held[row, 0] * log(held[row, 1])
            held[row, 0], held[row, 1] = weight[i], 1
        held[row, 1] *= 1 + e
        # Of a number that is NaN this is NaN.
        total += weight[i] * (0.0 if x < 0 else x)
        # The larger of the sign and e. A branch that no one can foresee would take longer.
        sign = copysign(1.0, x)
        numbers[row, i] = (sign if sign > e else e) / (1 + e)
    return total
