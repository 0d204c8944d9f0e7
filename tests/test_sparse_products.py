"""Products of a sparse matrix with many columns are those of scipy."""

import numpy as np
import pytest
import scipy.sparse as sp

from sk_gd.objectives.csr_products import product, transposed_product


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 12, 28])
def test_products(columns, wide, dtype):
    rng = np.random.default_rng(0)
    X = sp.random(50, 30, 0.2, format="csr", dtype=dtype, random_state=0)
    X.data[:5] = -3
    X = sp.vstack([X, sp.csr_matrix((2, 30), dtype=dtype)]).tocsr()
    if wide:
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    V, W = rng.normal(size=(30, columns)), rng.normal(size=(52, columns))
    for matrix in (X, X.toarray(), sp.csr_matrix(X.shape, dtype=dtype)):
        dense = matrix.toarray() if sp.issparse(matrix) else matrix
        np.testing.assert_allclose(product(matrix, V), dense.astype(float) @ V, atol=1e-13)
        np.testing.assert_allclose(
            transposed_product(matrix, W), dense.T.astype(float) @ W, atol=1e-13
        )


def test_shapes_and_indices():
    X = sp.random(50, 30, 0.2, format="csr", random_state=0)
    for multiply, n in ((product, 50), (transposed_product, 30)):
        with pytest.raises(ValueError, match=f"must be {80 - n} rows"):
            multiply(X, np.ones((n, 4)))
    X.indices[0] = 30
    with pytest.raises(ValueError, match="indices"):
        product(X, np.ones((30, 4)))
