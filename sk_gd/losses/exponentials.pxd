# cython: language_level=3, boundscheck=False, wraparound=False
"""The exponentials of a block of numbers."""

from libc.math cimport exp

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below

cdef extern from *:
    """
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
       table, so that the compiler can use vector instructions. */
    SK_GD_CLONES
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
    """
    void sk_gd_exponentials(double *numbers, ptrdiff_t n) noexcept nogil


cdef inline void exponentials(double[:, ::1] numbers, Py_ssize_t row, Py_ssize_t n) noexcept nogil:
    """Replace the first `n` numbers of a row by their exponentials."""
    cdef Py_ssize_t i
    # Few numbers are sooner done one by one.
    if n >= 4:
        sk_gd_exponentials(&numbers[row, 0], n)
    else:
        for i in range(n):
            numbers[row, i] = exp(numbers[row, i])
