# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Tridiagonal systems of equations that differ in a factor, all solved at once."""

import cython
import numpy as np


def resolvents(
    diagonal: cython.const[cython.double][:],
    beside: cython.const[cython.double][:],
    vectors: cython.const[cython.double][:, :],
    spread: cython.const[cython.double][::1],
):
    r"""For each s of `spread` :math:`\sum_v v^\top (I + s T)^{-1} v`, and the pivots of the matrix.

    The matrix is factored as :math:`I + s T = L D L^\top`, where L has ones on its diagonal and
    one number in each row beside them. With :math:`z = L^{-1} v` the product is
    :math:`\sum_j z_j^2 / D_j`.

    Parameters
    ----------
    diagonal : ndarray of shape (n,)
        The diagonal of T, a positive semi-definite matrix.
    beside : ndarray of shape (n - 1,)
        The entries beside it.
    vectors : ndarray of shape (n, n_vectors)
        The vectors v.
    spread : ndarray of shape (n_spread,)
        Numbers that are not negative.

    Returns
    -------
    products : ndarray of shape (n_spread,)
        The sums over the vectors.
    pivots : ndarray of shape (n, n_spread)
        The entries of D, whose product is the determinant.
    """
    n: cython.Py_ssize_t = len(diagonal)
    m: cython.Py_ssize_t = len(spread)
    if n < 1 or len(beside) != n - 1 or vectors.shape[0] != n:
        raise ValueError(f"Got {len(beside)} entries and {vectors.shape[0]} rows for a T of {n}.")
    j: cython.Py_ssize_t
    k: cython.Py_ssize_t
    v: cython.Py_ssize_t
    products = np.zeros(m)
    pivots = np.empty((n, m))
    total: cython.double[::1] = products
    pivot: cython.double[:, ::1] = pivots
    # The entries of L in each row, and of z in the row before.
    below: cython.double[:, ::1] = np.empty((n, m))
    z: cython.double[::1] = np.empty(m)
    for k in range(m):
        pivot[0, k] = 1 + spread[k] * diagonal[0]
    for j in range(1, n):
        for k in range(m):
            below[j, k] = spread[k] * beside[j - 1] / pivot[j - 1, k]
            pivot[j, k] = 1 + spread[k] * (diagonal[j] - beside[j - 1] * below[j, k])
    for v in range(vectors.shape[1]):
        for k in range(m):
            z[k] = vectors[0, v]
            total[k] += z[k] * z[k] / pivot[0, k]
        for j in range(1, n):
            for k in range(m):
                z[k] = vectors[j, v] - below[j, k] * z[k]
                total[k] += z[k] * z[k] / pivot[j, k]
    return products, pivots
