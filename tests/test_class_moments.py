"""The moments of features and classes, which are computed from sums over the rows of each class."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from sk_gd import GDClassifier
from sk_gd.objectives.gram import joint_moments
from sk_gd.objectives.indicators import Indicators
from sk_gd.objectives.sums import class_sums


def table(n, d):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, d)
    X[rng.random((n, d)) < 0.6] = 0
    X[:, 0] += 1e6
    return X, rng.integers(0, 5, n).astype(float)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("weighted", [False, True])
def test_covariances(weighted, container, dtype):
    X, codes = table(400, 7)
    X = X.astype(dtype)
    weight = np.random.default_rng(1).integers(0, 3, 400) * 0.5 if weighted else np.ones(400)
    given = container(X.copy())
    if weighted:
        # The numbers of rows without weight do not count.
        given[np.flatnonzero(weight == 0)[0], 1] = 1e15
    found = joint_moments(given, Indicators(codes, 6), weight if weighted else None)
    # Of the last class there is no row.
    columns = np.c_[X, codes[:, None] == np.arange(6)].astype(float)
    mean = np.average(columns, axis=0, weights=weight)
    expected = np.cov(columns.T, ddof=0, aweights=weight)
    deviation = np.sqrt(np.where(np.diag(expected) > 0, np.diag(expected), 1.0))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    apart = (found.covariance - expected) / np.outer(deviation, deviation)
    # The first feature has a mean of thousands of deviations, which rounding is relative to.
    np.testing.assert_allclose(apart, 0, atol=1e-9)
    np.testing.assert_array_equal(found.filled, weight @ (columns != 0))
    assert found.total == weight.sum()


def test_some_rows():
    X, codes = table(400, 7)
    rows = np.flatnonzero(np.random.default_rng(1).random(400) < 0.5)
    some = joint_moments(X, Indicators(codes, 5), None, rows)
    alone = joint_moments(X[rows], Indicators(codes[rows], 5))
    np.testing.assert_allclose(some.covariance, alone.covariance, rtol=1e-12)


def test_other_classes():
    X, codes = table(40, 3)
    for given in (codes, codes - 1):
        with pytest.raises(ValueError, match="There are 4 classes"):
            class_sums(X, given, 4, None, None, np.zeros(3))


def test_many_classes_need_little_memory():
    """Their columns together have a hundred times as many numbers as X."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50_000, 2)), rng.integers(0, 200, 50_000)
    model = GDClassifier(max_iter=1, tol=None)
    model.fit(X[:1000], y[:1000])
    tracemalloc.start()
    model.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * X.nbytes  # a few numbers for each row
