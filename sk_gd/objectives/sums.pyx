# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Means, scatter and counts of the columns of a dense table, in one pass over its rows."""

import numpy as np

from libc.float cimport DBL_EPSILON
from libc.math cimport sqrt  # no-cython-lint: for the C below
from scipy.linalg.cython_blas cimport dsyrk

from sk_gd.clones cimport SK_GD_CLONES  # no-cython-lint: for the C below
from sk_gd.objectives.order cimport are_rows
from sk_gd.objectives.rows cimport AHEAD, prefetch_row, real

# Rows that are added to the sums at a time: each sum is then loaded and stored less often.
cdef enum:
    ROWS_AT_ONCE = 4

# Numbers of a block of rows, centred, that is multiplied with itself.
BLOCK = 8192


cdef extern from *:
    """
    /* Add four rows to the weighted sums of x - origin, of its square, and of x != 0. If squares
       is NULL, the rows are written to the block, centred and times the roots of the weights. */
    #define SK_GD_MOMENTS(REAL) \
    SK_GD_CLONES static void sk_gd_add_##REAL( \
        const REAL *const *x, const double *weight, Py_ssize_t n, const double *origin, \
        double *__restrict sums, double *__restrict filled, double *__restrict squares, \
        double *__restrict block, Py_ssize_t width \
    ) { \
        const REAL *p = x[0], *q = x[1], *y = x[2], *z = x[3]; \
        const double s = weight[0], t = weight[1], u = weight[2], v = weight[3]; \
        for (Py_ssize_t j = 0; j < n; j++) \
            filled[j] += ((p[j] != 0 ? s : 0.0) + (q[j] != 0 ? t : 0.0)) \
                + ((y[j] != 0 ? u : 0.0) + (z[j] != 0 ? v : 0.0)); \
        if (squares) { \
            for (Py_ssize_t j = 0; j < n; j++) { \
                const double a = p[j] - origin[j], b = q[j] - origin[j]; \
                const double c = y[j] - origin[j], d = z[j] - origin[j]; \
                sums[j] += (s * a + t * b) + (u * c + v * d); \
                squares[j] += (s * a * a + t * b * b) + (u * c * c + v * d * d); \
            } \
            return; \
        } \
        const double f = sqrt(s), g = sqrt(t), h = sqrt(u), k = sqrt(v); \
        for (Py_ssize_t j = 0; j < n; j++) { \
            const double a = p[j] - origin[j], b = q[j] - origin[j]; \
            const double c = y[j] - origin[j], d = z[j] - origin[j]; \
            sums[j] += (s * a + t * b) + (u * c + v * d); \
            block[j] = f * a; \
            block[width + j] = g * b; \
            block[2 * width + j] = h * c; \
            block[3 * width + j] = k * d; \
        } \
    }

    SK_GD_MOMENTS(float)
    SK_GD_MOMENTS(double)
    """
    void sk_gd_add_float(
        const float **, const double *, Py_ssize_t, const double *, double *, double *, double *,
        double *, Py_ssize_t,
    ) noexcept nogil
    void sk_gd_add_double(
        const double **, const double *, Py_ssize_t, const double *, double *, double *, double *,
        double *, Py_ssize_t,
    ) noexcept nogil


cdef void add_rows(
    const real **x, const double *weight, Py_ssize_t n, const double *origin, double *sums,
    Py_ssize_t width, double *block,
) noexcept nogil:
    """Add rows to the weighted sums of x - origin, of its square, and of x ≠ 0, `width` apart.

    In place of the squares the rows themselves are written to the `block`, centred and times the
    roots of their weights, unless that is NULL.
    """
    cdef double *squares = sums + width if block == NULL else NULL
    cdef double *filled = sums + 2 * width
    if real is float:
        sk_gd_add_float(x, weight, n, origin, sums, filled, squares, block, width)
    else:
        sk_gd_add_double(x, weight, n, origin, sums, filled, squares, block, width)


cdef inline void prefetch(
    const real[:, ::1] X, const Py_ssize_t[::1] rows, Py_ssize_t i, Py_ssize_t end
) noexcept nogil:
    """Prefetch the i-th of the rows, if it is before the end."""
    if i < end:
        prefetch_row(&X[i if rows is None else rows[i], 0], X.shape[1] * sizeof(real))


def centred_sums(
    const real[:, ::1] X, const double[:, ::1] Y, const double[::1] weight,
    const Py_ssize_t[::1] rows, Py_ssize_t begin, Py_ssize_t end, bint full,
):
    """Weighted moments of some rows of X, with the columns of Y beside them.

    Parameters
    ----------
    X, Y : ndarray of shape (n_samples, n_features) and (n_samples, n_columns)
        The tables; Y may be None.
    weight : ndarray of shape (n_samples,) or None
        Weights of the rows. A row without weight is not read.
    rows : ndarray of intp or None
        The rows; None for all.
    begin, end : int
        Which of these are added: ``rows[begin:end]``.
    full : bool
        Whether all products of columns are summed, or only squares.

    Returns
    -------
    tuple or None
        Sum of the weights, means, sums of the squares or products of the deviations from the
        means, and sums of the weights where a column is not zero. None if no row has weight.
    """
    cdef Py_ssize_t i, j, row, origin, n = 0, in_block = 0
    cdef Py_ssize_t d = X.shape[1], beside = 0 if Y is None else Y.shape[1], width = d + beside
    cdef Py_ssize_t capacity = ROWS_AT_ONCE * max(1, BLOCK // (ROWS_AT_ONCE * width)) if full else 0
    cdef double total = 0
    cdef double[::1] start = np.empty(width)
    cdef double[:, ::1] sums = np.zeros((3, width))
    cdef double[:, ::1] block = np.empty((capacity, width))
    cdef double[:, ::1] products = np.zeros((width if full else 0, width))
    cdef double w[ROWS_AT_ONCE]
    cdef const real *x[ROWS_AT_ONCE]
    cdef const double *y[ROWS_AT_ONCE]
    cdef double *centred = NULL
    check_rows(X.shape[0], width, None if Y is None else Y.shape[0], weight, rows, begin, end)
    with nogil:
        # One row is subtracted from all, so that the variance of a constant column is exactly zero.
        # It must have weight: one without may have huge numbers, which would hide the others.
        origin = heaviest(weight, rows, begin, end)
        if origin < 0:
            with gil:
                return None
        for j in range(d):
            start[j] = X[origin, j]
        for j in range(beside):
            start[d + j] = Y[origin, j]
        for i in range(begin, end + ROWS_AT_ONCE - 1):
            # The last rows are copies of the origin, without weight; so are those without weight.
            row, w[n] = origin, 0
            if i < end:
                row = i if rows is None else rows[i]
                w[n] = 1 if weight is None else weight[row]
                if w[n] == 0:
                    row = origin
                prefetch(X, rows, i + AHEAD, end)
            total += w[n]
            x[n] = &X[row, 0]
            if beside > 0:
                y[n] = &Y[row, 0]
            n += 1
            if n < ROWS_AT_ONCE:
                continue
            n = 0
            if full:
                centred = &block[in_block, 0]
                in_block += ROWS_AT_ONCE
            add_rows[real](x, w, d, &start[0], &sums[0, 0], width, centred)
            if beside > 0:
                add_rows[double](
                    y, w, beside, &start[d], &sums[0, d], width,
                    NULL if centred == NULL else centred + d,
                )
            if full and (in_block == capacity or i >= end - 1):
                multiply(block, in_block, products)
                in_block = 0
        about_means(total, start, sums, products)
    _, squares, filled = np.asarray(sums)
    return total, np.asarray(start), np.asarray(products) if full else squares, filled


def class_sums(
    const real[:, ::1] X, const double[::1] codes, Py_ssize_t n_classes,
    const double[::1] weight, const Py_ssize_t[::1] rows, const double[::1] origin,
):
    """Weighted sums of rows of X minus the origin, for each class, and the sums of the weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The table.
    codes : ndarray of shape (n_samples,)
        The number of the class of each row.
    n_classes : int
        How many classes there are.
    weight, rows : ndarray or None
        As in `centred_sums`.
    origin : ndarray of shape (n_features,)
        What is subtracted from every row.

    Returns
    -------
    tuple of ndarray of shape (n_classes, n_features) and (n_classes,)
        The sums, and those of the weights.
    """
    cdef Py_ssize_t i, j, k, row, d = X.shape[1]
    cdef Py_ssize_t n = X.shape[0] if rows is None else rows.shape[0]
    cdef double w = 1
    cdef double[:, ::1] sums = np.zeros((n_classes, d))
    cdef double[::1] counts = np.zeros(n_classes)
    cdef bint fits = origin.shape[0] == d
    check_rows(X.shape[0], d, codes.shape[0], weight, rows, 0, n)
    with nogil:
        for i in range(n):
            row = i if rows is None else rows[i]
            prefetch(X, rows, i + AHEAD, n)
            if weight is not None:
                w = weight[row]
            fits = fits and 0 <= codes[row] < n_classes
            if w == 0 or not fits:
                continue
            k = <Py_ssize_t> codes[row]
            counts[k] += w
            for j in range(d):
                sums[k, j] += w * (X[row, j] - origin[j])
    if not fits:
        raise ValueError(f"There are {n_classes} classes and {d} features. Got others.")
    return np.asarray(sums), np.asarray(counts)


def constant_columns(
    double total, const double[::1] mean, const double[::1] variance, double least
):
    """Which columns have no variance beyond rounding, or less than `least`.

    Parameters
    ----------
    total : float
        Sum of the weights of the rows.
    mean, variance : ndarray of shape (n_columns,)
        The moments of the columns.
    least : float
        The least variance.

    Returns
    -------
    ndarray of bool of shape (n_columns,)
        True for such columns.
    """
    cdef Py_ssize_t j, n = mean.shape[0]
    cdef double relative = DBL_EPSILON * max(total, 1.0)
    if variance.shape[0] != n:
        raise ValueError(f"Got {variance.shape[0]} variances and {n} means.")
    found = np.empty(n, dtype=np.bool_)
    cdef unsigned char[::1] constant = found.view(np.uint8)
    for j in range(n):
        constant[j] = variance[j] < least or (
            variance[j] <= relative * variance[j] + (relative * mean[j]) * (relative * mean[j])
        )
    return found


cdef int check_rows(
    Py_ssize_t n, Py_ssize_t width, n_beside, const double[::1] weight,
    const Py_ssize_t[::1] rows, Py_ssize_t begin, Py_ssize_t end,
) except -1:
    """Raise a ValueError unless these rows are in a table of `n` rows, with as many weights."""
    cdef bint fits = width > 0 and 0 <= begin <= end <= (n if rows is None else rows.shape[0])
    fits = fits and n_beside in (None, n) and (weight is None or weight.shape[0] == n)
    if fits and rows is not None and end > begin:
        fits = are_rows(&rows[begin], end - begin, n)
    if not fits:
        raise ValueError(f"There are no such rows, or weights, in a table of {n} rows.")
    return 0


cdef Py_ssize_t heaviest(
    const double[::1] weight, const Py_ssize_t[::1] rows, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    """The row with the largest weight, the first of these if there are many; -1 if all are zero."""
    cdef Py_ssize_t i, row, found = -1
    for i in range(begin, end):
        row = i if rows is None else rows[i]
        if weight is None:
            return row
        if weight[row] > (0 if found < 0 else weight[found]):
            found = row
    return found


cdef void multiply(double[:, ::1] block, Py_ssize_t n, double[:, ::1] products) noexcept nogil:
    """Add the products of the columns of the first n rows, in the upper triangle."""
    cdef int width = <int> block.shape[1], rows = <int> n
    cdef double plus = 1
    dsyrk(
        'L', 'N', &width, &rows, &plus, &block[0, 0], &width, &plus, &products[0, 0], &width
    )


cdef void about_means(
    double total, double[::1] start, double[:, ::1] sums, double[:, ::1] products
) noexcept nogil:
    """Convert sums of deviations from `start` to those from the means, and `start` to the means.

    Only the upper triangle of the products is known; the lower one is filled, too.
    """
    cdef Py_ssize_t j, k, width = start.shape[0]
    cdef double *shift = &sums[0, 0]
    for j in range(width):
        shift[j] /= total
        start[j] += shift[j]
        sums[1, j] -= total * shift[j] * shift[j]
    for j in range(products.shape[0]):
        for k in range(j, width):
            products[j, k] -= total * (shift[j] * shift[k])
        for k in range(j):
            products[j, k] = products[k, j]
