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

    /* exp(x) = 2**k exp(r), where k is whole and |r| <= log(2) / 2. The formula of exp(r) is that
       of fdlibm, by Sun Microsystems (1993), who found the coefficients: with the c of this
       function it is 1 + r + r c / (2 - c), or (2 - c + 2 r) / (2 - c). Below there is no branch
       and no table, so that the compiler can use vector instructions. Each loop has a part of the
       formula: more numbers are then in work at a time, and one seldom waits for the result before
       it. */
    static inline double sk_gd_part(double r)
    {
        const double s = r * r;
        return r - s * (0x1.555555555553ep-3 + s * (-0x1.6c16c16bebd93p-9
            + s * (0x1.1566aaf25de2cp-14 + s * (-0x1.bbd41c5d26bf1p-20
            + s * 0x1.6376972bea4d0p-25))));
    }

    /* So many numbers go through all loops before the next: what a loop leaves for the one after it
       is in the cache. */
    #define SK_GD_STRIP 64
    #define SK_GD_PER_LOG_2 0x1.71547652b82fep0
    /* log(2) in two parts. The product of the first with a k is exact. */
    #define SK_GD_LOG_2_HIGH 0x1.62e42feep-1
    #define SK_GD_LOG_2_LOW 0x1.a39ef35793c76p-33
    /* A number this large has no bits for fractions: adding it rounds to a whole number, which is
       in the last bits of the sum. */
    #define SK_GD_ROUND 0x1.8p52

    /* Replace n numbers by their exponentials, with an error below one unit in the last place. */
    SK_GD_CLONES
    static void sk_gd_exponentials(double *numbers, ptrdiff_t n)
    {
        double whole[SK_GD_STRIP], high[SK_GD_STRIP], low[SK_GD_STRIP];
        double part[SK_GD_STRIP];
        ptrdiff_t begin, i;
        for (begin = 0; begin < n; begin += SK_GD_STRIP) {
            const ptrdiff_t count = n - begin < SK_GD_STRIP ? n - begin : SK_GD_STRIP;
            double *number = numbers + begin;
            for (i = 0; i < count; i++) {
                double x = number[i], k;
                /* Beyond these the result is 0 or infinite. NaN stays. */
                x = x < -746 ? -746 : x;
                x = x > 710 ? 710 : x;
                k = (x * SK_GD_PER_LOG_2 + SK_GD_ROUND) - SK_GD_ROUND;
                whole[i] = k;
                high[i] = x - k * SK_GD_LOG_2_HIGH;
                low[i] = k * SK_GD_LOG_2_LOW;
            }
            for (i = 0; i < count; i++) part[i] = sk_gd_part(high[i] - low[i]);
            for (i = 0; i < count; i++) {
                const double k = whole[i], r = high[i] - low[i], c = part[i];
                /* Two factors, since 2**k alone may be too large or too small. */
                const double half = k * 0.5 + SK_GD_ROUND;
                number[i] = (1 + (high[i] - (low[i] - r * c / (2 - c)))) * sk_gd_power_of_two(half)
                    * sk_gd_power_of_two(k - (half - SK_GD_ROUND) + SK_GD_ROUND);
            }
        }
    }

    /* The product of n numbers, eight side by side. */
    static inline double sk_gd_product(const double *numbers, ptrdiff_t n)
    {
        double p[8] = {1, 1, 1, 1, 1, 1, 1, 1};
        ptrdiff_t i;
        int k;
        for (i = 0; i + 8 <= n; i += 8)
            for (k = 0; k < 8; k++) p[k] *= numbers[i + k];
        for (k = 0; i + k < n; k++) p[k] *= numbers[i + k];
        return ((p[0] * p[4]) * (p[2] * p[6])) * ((p[1] * p[5]) * (p[3] * p[7]));
    }

    /* Replace n numbers x by 1 / (1 + exp(-x)). Return the weighted sum of log(1 + exp(x)), without
       what `held` keeps: a weight times the logarithm of a product. */
    SK_GD_CLONES
    static double sk_gd_logistics(
        double *numbers, const double *weights, ptrdiff_t n, double *held
    ) {
        double rest[SK_GD_STRIP], power[SK_GD_STRIP], one[SK_GD_STRIP];
        double sum[SK_GD_STRIP], positive[SK_GD_STRIP], total = 0;
        ptrdiff_t begin, i;
        int k;
        for (begin = 0; begin < n; begin += SK_GD_STRIP) {
            const ptrdiff_t count = n - begin < SK_GD_STRIP ? n - begin : SK_GD_STRIP;
            double *number = numbers + begin;
            const double *weight = weights + begin;
            double above[8] = {0};
            int differ = 0;
            /* exp(-|x|), which does not overflow, as a fraction: so there is one division only. */
            for (i = 0; i < count; i++) {
                double x = -fabs(number[i]), whole;
                x = x < -746 ? -746 : x;
                whole = x * SK_GD_PER_LOG_2 + SK_GD_ROUND;
                power[i] = x < -708 ? 0 : sk_gd_power_of_two(whole);
                whole -= SK_GD_ROUND;
                rest[i] = (x - whole * SK_GD_LOG_2_HIGH) - whole * SK_GD_LOG_2_LOW;
            }
            for (i = 0; i < count; i++) one[i] = 2 - sk_gd_part(rest[i]);
            for (i = 0; i < count; i++) {
                const double e = power[i] * (one[i] + 2 * rest[i]);
                sum[i] = one[i] + e;
                positive[i] = number[i] < 0 ? 0 : number[i];
                number[i] = (number[i] >= 0 ? one[i] : e) / sum[i];
            }
            for (i = 0; i < count; i++) differ |= weight[i] != weight[0];
            if (differ) {
                for (i = 0; i < count; i++) sum[i] /= one[i];
                for (i = 0; i < count; i++) total += weight[i] * (positive[i] + log(sum[i]));
                continue;
            }
            if (weight[0] != held[0] || held[1] > 1e280) {
                total += held[0] * log(held[1]);
                held[0] = weight[0];
                held[1] = 1;
            }
            /* No more than 2**SK_GD_STRIP. */
            held[1] *= sk_gd_product(sum, count) / sk_gd_product(one, count);
            for (i = 0; i + 8 <= count; i += 8)
                for (k = 0; k < 8; k++) above[k] += positive[i + k];
            for (k = 0; i + k < count; k++) above[k] += positive[i + k];
            total += weight[0] * (
                ((above[0] + above[4]) + (above[2] + above[6]))
                + ((above[1] + above[5]) + (above[3] + above[7]))
            );
        }
        return total;
    }
    """
    void sk_gd_exponentials(double *numbers, ptrdiff_t n) noexcept nogil
    double sk_gd_logistics(
        double *numbers, const double *weights, ptrdiff_t n, double *held
    ) noexcept nogil


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

    Returns the weighted sum of log(1 + exp(x)). A logarithm is slow, so that numbers of equal
    weight only add to a product: `held` has, in the same row, their weight and the product. Its
    logarithm is left to a later call, of numbers of another weight, or to the caller.
    """
    cdef double total = 0, x, e, sign
    cdef Py_ssize_t i
    if n >= FEW:
        return sk_gd_logistics(&numbers[row, 0], &weight[0], n, &held[row, 0])
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
