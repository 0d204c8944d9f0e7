"""Products of a sparse matrix with many columns are those of scipy, and its moments exact."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.runs import Moments
from sk_gd import GDClassifier
from sk_gd.objectives.csr_products import Products, column_moments, scaled, self_product


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 12, 28])
def test_products(columns, wide, dtype):
    rng = np.random.default_rng(0)
    X = sp.random(50, 30, 0.2, format="csr", dtype=dtype, random_state=0)
    X.data[:5] = -3
    X = sp.vstack([X, sp.csr_matrix((2, 30), dtype=dtype)]).tocsr()
    if wide:
        X = with_wide_indices(X)
    V, W = rng.normal(size=(30, columns)), rng.normal(size=(52, columns))
    for matrix in (X, X.toarray(), sp.csr_matrix(X.shape, dtype=dtype)):
        dense = matrix.toarray() if sp.issparse(matrix) else matrix
        products, dense = Products(matrix), dense.astype(float)
        np.testing.assert_allclose(products.times(V), dense @ V, atol=1e-13)
        np.testing.assert_allclose(products.transposed_times(W), dense.T @ W, atol=1e-13)
    factor = rng.normal(size=30)
    np.testing.assert_array_equal(scaled(V, factor), np.diag(factor) @ V)


def with_wide_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
def test_products_with_itself(wide, dtype):
    rng = np.random.default_rng(0)
    # Unsorted columns, and some of them twice.
    columns, starts = rng.integers(0, 30, 400), np.sort(rng.integers(0, 400, 49))
    indptr = np.concatenate([[0], starts, [400]])
    X = sp.csr_matrix((rng.normal(size=400).astype(dtype), columns, indptr), shape=(50, 30))
    weight, dense = rng.random(50), X.toarray().astype(float)
    X = with_wide_indices(X) if wide else X
    # Entries that are there twice are added in single precision in `dense`.
    tolerance = 1e-13 if dtype == np.float64 else 1e-5
    for given, diagonal in ((None, np.ones(50)), (weight, weight)):
        expected = dense.T @ np.diag(diagonal) @ dense
        np.testing.assert_allclose(self_product(X, given), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_columns(weighted, wide, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(400, 5)) + [0, 3, 1e3, -1e3, 0]).astype(dtype)
    X[rng.random((400, 5)) < [0.5, 0.1, 0.0, 0.01, 1.0]] = 0
    weight = rng.random(400)
    X[0], weight[0] = 1e4, 1e-12  # the first entry of most columns is far, and hardly counts
    X[7], weight[7] = 1e30, 0  # and this row does not
    if not weighted:
        X, weight = X[8:], np.ones(392)
    given = sp.csr_matrix(X)
    given.data[given.indptr[8]] = 0  # a zero that is stored
    X[8, given.indices[given.indptr[8]]] = 0
    given = with_wide_indices(given) if wide else given
    counts = weight > 0
    exact, w = X[counts].astype(np.longdouble), weight[counts, None].astype(np.longdouble)
    mean = (w * exact).sum(axis=0) / w.sum()
    squares = (w * (exact - mean) ** 2).sum(axis=0)
    total, *found, filled = column_moments(given, weight if weighted else None)
    assert total == pytest.approx(float(w.sum()), rel=1e-14)
    np.testing.assert_allclose(filled, (w * (exact != 0)).sum(axis=0).astype(float), rtol=1e-13)
    deviation = np.sqrt(squares / w.sum())
    apart = (found[0] - mean) / np.where(deviation > 0, deviation, 1)
    np.testing.assert_allclose(apart.astype(float), 0, atol=1e-11)  # 1e4 is rounded to 2e-12
    np.testing.assert_allclose(found[1], squares.astype(float), rtol=1e-11)


def test_moments_without_weight():
    X = sp.random(50, 30, 0.2, format="csr", random_state=0)
    assert column_moments(X, np.zeros(50)) is None


def test_shapes_and_indices():
    X = sp.random(50, 30, 0.2, format="csr", random_state=0)
    products = Products(X)
    for multiply, n in ((products.times, 50), (products.transposed_times, 30)):
        with pytest.raises(ValueError, match=f"{n} rows: it needs {80 - n}"):
            multiply(np.ones((n, 4)))
    with pytest.raises(ValueError, match="each row must have one"):
        scaled(np.ones((30, 2)), np.ones(50))
    for of_rows in (self_product, column_moments):
        with pytest.raises(ValueError, match="each row must have one"):
            of_rows(X, np.ones(30))
    X.indices[0] = 30
    for of_matrix in (Products, self_product, column_moments):
        with pytest.raises(ValueError, match="indices"):
            of_matrix(X)


def well_filled(n, d):
    """A table with a few zeros, features far from zero, and indicators of rare levels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, d)
    X[rng.random((n, d)) < 0.3] = 0
    X[:, ::7] += 1e4
    X[:, ::5] = rng.random((n, len(X[0, ::5]))) < 0.05
    return X


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_covariances_of_columns_with_few_zeros(weighted, n_targets):
    """Such columns are multiplied as dense ones."""
    rng = np.random.default_rng(1)
    X, Y = well_filled(3000, 40), rng.normal(size=(3000, n_targets))
    weight = rng.integers(0, 3, 3000).astype(float) if weighted else None
    found = Moments(full=True).update_sparse(sp.csr_matrix(X), Y, weight)
    expected = np.cov(np.c_[X, Y].T, ddof=0, aweights=weight)
    deviation = np.sqrt(np.diag(expected))
    apart = (found.covariance - expected) / np.outer(deviation, deviation)
    np.testing.assert_allclose(apart, 0, atol=1e-12)


@pytest.mark.parametrize("n", [150, 2000])
def test_a_fit_to_columns_with_few_zeros(n):
    X = well_filled(n, 300)
    y = (X[:, 1] / X[:, 1].std() + np.random.default_rng(1).logistic(size=n) > 0).astype(int)
    models = [GDClassifier().fit(c(X), y) for c in (np.asarray, sp.csr_array)]
    dense, sparse = (m.predict_proba(X) for m in models)
    np.testing.assert_allclose(models[1].alpha_, models[0].alpha_, rtol=1e-10)
    np.testing.assert_allclose(sparse, dense, rtol=0, atol=1e-6)
