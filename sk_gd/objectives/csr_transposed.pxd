# cython: language_level=3
"""Weights and gradients of many outputs, transposed: the outputs of a feature side by side."""

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below

cdef extern from *:
    """
    #include <math.h>

    /* Columns that are transposed at a time: so many stay in the cache. */
    #define SK_GD_TILE 64

    /* v (features × stride) = weights (outputs × columns), each times the scale of the feature. */
    SK_GD_CLONES static void sk_gd_transpose(
        const double *w, Py_ssize_t columns, Py_ssize_t outputs, const double *scale, Py_ssize_t d,
        double *__restrict v, Py_ssize_t stride
    ) {
        for (Py_ssize_t first = 0; first < d; first += SK_GD_TILE) {
            const Py_ssize_t n = d - first < SK_GD_TILE ? d - first : SK_GD_TILE;
            double *to = v + first * stride;
            for (Py_ssize_t k = 0; k < outputs; k++) {
                const double *from = w + k * columns + first;
                for (Py_ssize_t j = 0; j < n; j++) to[j * stride + k] = from[j];
            }
            if (scale)
                for (Py_ssize_t j = 0; j < n; j++)
                    for (Py_ssize_t k = 0; k < stride; k += 4)
                        for (int l = 0; l < 4; l++) to[j * stride + k + l] *= scale[first + j];
        }
    }

    /* last -= shift · v, for all outputs. */
    SK_GD_CLONES static void sk_gd_shift(
        const double *shift, const double *v, Py_ssize_t d, Py_ssize_t stride, double *last
    ) {
        for (Py_ssize_t k = 0; k < stride; k += 4) {
            double sum[4] = {0};
            for (Py_ssize_t j = 0; j < d; j++)
                for (int l = 0; l < 4; l++) sum[l] += shift[j] * v[j * stride + k + l];
            for (int l = 0; l < 4; l++) last[k + l] -= sum[l];
        }
    }

    /* The gradient of one output, shifted and scaled: total is the sum of its slopes. What is not
       larger than the rounding of the sums, which may cancel, is zero. */
    SK_GD_CLONES static void sk_gd_shift_and_scale(
        double *__restrict g, const double *shift, const double *scale, double total,
        double rounding, Py_ssize_t d
    ) {
        for (Py_ssize_t j = 0; j < d; j++) {
            const double moved = g[j] - shift[j] * total;
            g[j] = (fabs(moved) <= rounding * fabs(shift[j]) ? 0.0 : moved) * scale[j];
        }
    }
    """
    const Py_ssize_t TILE "SK_GD_TILE"
    void transpose "sk_gd_transpose"(
        const double *, Py_ssize_t, Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t
    ) noexcept nogil
    void subtract_shift "sk_gd_shift"(
        const double *, const double *, Py_ssize_t, Py_ssize_t, double *
    ) noexcept nogil
    void shift_and_scale "sk_gd_shift_and_scale"(
        double *, const double *, const double *, double, double, Py_ssize_t
    ) noexcept nogil
