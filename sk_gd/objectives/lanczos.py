"""The Lanczos method: a few eigenvalues that stand for all, from products with a matrix."""

import numpy as np

from .csr_products import padded_width

# The most steps, the steps before the first result, and those between results. The first result is
# enough for most tables. On most texts its signal-to-noise ratio is a tenth to a fourth of the
# right one.
STEPS, FIRST_STEPS, MORE_STEPS = 15, 6, 3
# A vector that is shorter, relative to the first product, is rounding.
EXHAUSTED = 1e-10


def by_lanczos(data, mix):
    """Yield two Gauss quadratures, of the targets and of the trace, with ever more nodes.

    Nodes stand for eigenvalues. Their weights are the shares of the targets, multiplied by `mix`,
    along the eigenvectors, and how often each eigenvalue occurs.
    """
    # Columns of zeros: one for the signs, and others for a width that suits sparse products.
    n_more = padded_width(mix.shape[1] + 1) - mix.shape[1]
    v = data.starts(np.pad(mix, ((0, 0), (0, n_more))))
    # Every start has its own vectors: starts × steps × numbers.
    basis, duals = np.empty((2, len(v), STEPS, v.shape[1]))
    diagonal, beside = np.empty((2, len(v), STEPS))  # the second one with the lengths before it
    for k in range(STEPS):
        products = data.times(v)
        dual = data.duals(v, products)
        length = np.sqrt(np.maximum(np.einsum("ij,ij->i", v, dual), 0.0))
        # When all directions are known, what is left is rounding.
        left = length > (EXHAUSTED * diagonal[:, 0] if k else 0.0)
        beside[:, k] = np.where(left, length, 0.0)
        one = np.where(left, 1 / np.where(left, length, 1.0), 0.0)[:, None]
        basis[:, k], duals[:, k] = one * v, one * dual
        v = one * products
        diagonal[:, k] = np.einsum("ij,ij->i", v, duals[:, k])
        # Without this, rounding would bring back known directions and decide the result.
        along = duals[:, : k + 1] @ v[:, :, None]
        v -= (along.transpose(0, 2, 1) @ basis[:, : k + 1])[:, 0]
        n = k + 1
        if n >= FIRST_STEPS and (STEPS - n) % MORE_STEPS == 0:
            nodes, weights = _quadratures(diagonal[:, :n], beside[:, 1:n], beside[:, 0])
            yield (nodes[:-1].ravel(), weights[:-1].ravel()), (nodes[-1], weights[-1])


def _quadratures(diagonal, beside, lengths):
    """The nodes and weights of Gauss quadratures, from rows of the tridiagonal matrices."""
    n = diagonal.shape[1]
    matrices, at = np.zeros((len(diagonal), n, n)), np.arange(n)
    matrices[:, at, at] = diagonal
    matrices[:, at[1:], at[:-1]] = beside
    values, vectors = np.linalg.eigh(matrices)
    return np.maximum(values, 0), (lengths[:, None] * vectors[:, 0]) ** 2
