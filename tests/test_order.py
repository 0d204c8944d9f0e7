"""The order in which an epoch reads the rows: shuffled, in two levels where X is large."""

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, LogisticRegression

from helpers import naive
from helpers.assertions import assert_same_bits
from helpers.runs import record_orders, runs_and_groups, shuffle_in_two_levels, shuffled
from helpers.searches import both, classifier
from sk_gd import GDClassifier, GDRegressor
from sk_gd.objectives.data import is_on_disk

STORAGE = {
    "dense": np.asarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sp.csr_array,
}
SUBSETS = {
    "all": lambda n: None,
    "some": lambda n: np.sort(np.random.default_rng(3).permutation(3 * n)[:n]),
}


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize(("run", "group"), [(1, 0), (4, 32), (5, 33), (7, 1000), (64, 20)])
@pytest.mark.parametrize("n", [1, 2, 7, 32, 65, 999, 1000])
def test_an_order_has_every_row_once(n, run, group, subset):
    rows = SUBSETS[subset](n)
    orders = shuffled(rows, n, run, group, epochs=3)
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(n) if rows is None else rows)
    np.testing.assert_array_equal(orders, shuffled(rows, n, run, group, epochs=3))
    if n > 2:
        assert (orders[0] != orders[1]).any()


def test_small_data_are_shuffled_as_a_whole():
    # By the algorithm of Fisher and Yates, with the 32-bit numbers of the generator in turn.
    n = 50
    words = np.random.default_rng(0).bit_generator.random_raw(n).tolist()
    halves = [half for word in words for half in (word & 0xFFFFFFFF, word >> 32)]
    expected = list(range(n))
    for i in reversed(range(1, n)):
        j = halves.pop(0) * (i + 1) >> 32
        expected[i], expected[j] = expected[j], expected[i]
    np.testing.assert_array_equal(shuffled(None, n, *runs_and_groups(np.zeros((n, 3)))), [expected])


def test_two_levels_depend_on_the_shape_of_x_alone():
    for n, d in [(10_000, 200), (200_000, 10), (2_000_000, 1)]:
        assert runs_and_groups(np.broadcast_to(0.0, (n, d))) == (1, 0)
    for n, d in [(500_000, 50), (3_000_000, 1), (30_000, 200)]:
        X = np.broadcast_to(0.0, (n, d))
        run, group = runs_and_groups(X)
        assert 2 <= run <= 64 <= group // run
        assert runs_and_groups(X.astype(np.float32)) == (run, group)
        assert runs_and_groups(np.broadcast_to(0.0, (2 * n, d)), np.arange(n)) == (run, group)
        assert group % run == 0
    assert runs_and_groups(np.broadcast_to(0.0, (3000, 1000)))[0] == 1
    # Of sparse rows the entries count: those of the rows that train.
    X = sp.csr_array(np.ones((100_000, 30)))
    assert runs_and_groups(X) == runs_and_groups(X.toarray()) == (17, 1088)
    wide = sp.vstack([X, sp.csr_array((100_000, 30))], format="csr")
    assert runs_and_groups(wide, np.arange(100_000)) == (17, 1088)


def test_x_on_disk_is_read_in_long_runs(monkeypatch, tmp_path):
    X = np.memmap(tmp_path / "X", dtype=float, mode="w+", shape=(60_000, 50))
    for view in (X, X[1:], np.asarray(X), np.asarray(X[1:])[:, :3]):
        assert is_on_disk(view)
    for copy in (np.array(X), X.copy(), X + 1, X[[0, 2]], sp.csr_array(X[:5])):
        assert not is_on_disk(copy)
    orders = record_orders(monkeypatch)
    X[:] = np.random.default_rng(0).normal(size=X.shape)
    y = (X[:, 0] > 0).astype(int)
    settings = {"batch_size": 256, "max_iter": 1, "tol": None, "random_state": 0}
    for data in (X, np.array(X)):
        GDClassifier("adam", **settings).fit(data, y)
    on_disk, in_memory = orders
    np.testing.assert_array_equal(np.sort(on_disk), np.arange(len(X)))
    # A group has 16 runs of 2621 rows; in memory it has 64 runs or more of 10 rows.
    assert len(np.unique(on_disk[:10_000] // 2621)) <= 17
    assert len(np.unique(in_memory[:10_000] // 2621)) == 23


def _on_disk(X):
    return isinstance(X, np.memmap), is_on_disk(X)


def test_files_of_joblib_are_arrays_in_memory():
    X = np.zeros((1000, 50))
    work = joblib.delayed(_on_disk)
    found = joblib.Parallel(n_jobs=2, max_nbytes=1000)(work(X) for _ in range(2))
    assert found == [(True, False)] * 2


def test_long_batches_of_sparse_rows_are_read_in_sequence():
    X = sp.csr_array(np.ones((100_000, 30)))
    assert runs_and_groups(X, batch_size=1087) == (17, 1088)
    assert runs_and_groups(X, batch_size=1088) == (17, 1)
    assert runs_and_groups(X.toarray(), batch_size=5000) == (17, 1088)
    order = shuffled(None, 100_000, 17, 1)[0]
    np.testing.assert_array_equal(np.sort(order), np.arange(100_000))
    assert np.mean(np.diff(order) == 1) > 0.9
    assert len(np.unique(order[:1088] // 17)) >= 64  # a batch has rows of many places all the same


def test_a_batch_has_rows_of_many_places():
    n, batch = 500_000, 256
    run, group = runs_and_groups(np.broadcast_to(0.0, (n, 50)))
    (order,) = shuffled(None, n, run, group)
    batches = order[: n // batch * batch].reshape(-1, batch)
    shares = [np.unique(rows // run, return_counts=True)[1] / batch for rows in batches]
    assert min(map(len, shares)) >= 60
    # The mean row of a batch varies as the mean of so many random places does.
    variance = np.mean([share @ share for share in shares]) / 12
    assert 0.95 < np.std(batches.mean(axis=1)) / n / np.sqrt(variance) < 1.05
    # Neighbours in the order are no neighbours in X.
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("targets", [None, 2])
def test_an_epoch_is_that_of_a_naive_loop(monkeypatch, storage, batch_size, targets):
    shuffle_in_two_levels(monkeypatch, 20, 160)  # runs of 4 rows, and groups of 32
    orders = record_orders(monkeypatch)
    rng = np.random.default_rng(5)
    X = rng.normal(size=(333, 5)).astype(np.float32).astype(float)
    y, weight = rng.normal(size=(333, targets or 1)), rng.integers(0, 3, 333)
    rate = 0.01
    model = GDRegressor(
        "sgd",
        learning_rate=rate,
        batch_size=batch_size,
        max_iter=3,
        tol=None,
        alpha=0,
        precondition=None,
        fit_intercept=False,
        average=False,
        random_state=0,
    ).fit(STORAGE[storage](X), y if targets else y[:, 0], weight)
    assert len(orders) == 3
    assert len(np.unique(np.diff(orders[0]) == 1)) == 2
    w = np.zeros((5, y.shape[1]))
    for order in orders:
        for begin in range(0, 333, batch_size):
            rows = order[begin : begin + batch_size]
            slopes = weight[rows, None] / weight.mean() * (X[rows] @ w - y[rows])
            w -= rate * X[rows].T @ slopes / len(rows)
    tolerance = 1e-6 if storage == "float32" else 1e-12
    np.testing.assert_allclose(model.coef_, w.T if targets else w[:, 0], rtol=tolerance)


@pytest.mark.parametrize("storage", STORAGE)
def test_folds_and_lanes_have_the_orders_of_single_fits(monkeypatch, storage):
    shuffle_in_two_levels(monkeypatch, 24, 160)
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 300)
    X = rng.normal(size=(300, 6)) + y[:, None]
    X[rng.random(X.shape) < 0.3] = 0
    grid = {"learning_rate": [0.01, 0.1], "early_stopping": [False, True]}
    estimator = classifier(batch_size=16, max_iter=4, precondition=None)
    if storage == "float32":
        # Scores of float32 predictions differ by their rounding between the two searches.
        X = X.astype(np.float32).astype(float)
    both(estimator, grid, STORAGE[storage](X), y, cv=3)


def test_the_seed_decides_the_bits(monkeypatch):
    shuffle_in_two_levels(monkeypatch, 20, 160)
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(333, 5)), rng.integers(0, 2, 333)
    settings = {"optimizer": "adam", "batch_size": 8, "max_iter": 5, "tol": None}
    one, same, other = (GDClassifier(**settings, random_state=s).fit(X, y) for s in (1, 1, 2))
    assert_same_bits(one, same)
    assert (one.coef_ != other.coef_).all()


def gaps(kind, loss, best, X, y):
    """How far above the optimum three epochs end, for ten seeds."""
    for seed in range(10):
        m = kind("adam", batch_size=32, max_iter=3, tol=None, alpha=0, random_state=seed).fit(X, y)
        yield naive.objective(loss, X, y, m.coef_, m.intercept_) - best


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("kind", [GDClassifier, GDRegressor])
def test_the_gap_is_that_of_a_full_shuffle(monkeypatch, storage, kind):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(20_000, 20))
    y = X @ rng.normal(size=20) + 2 * rng.normal(size=len(X))
    loss, exact = "squared_error", LinearRegression()
    if kind is GDClassifier:
        y = (y > 0).astype(int)
        loss, exact = "log_loss", LogisticRegression(C=np.inf, tol=1e-8)
    exact.fit(X, y)
    best = naive.objective(loss, X, y, exact.coef_, exact.intercept_)
    random, in_order = slice(None), np.argsort(y, kind="stable")
    full, two = ({}, {})
    for found in (full, two):
        for name, rows in (("random", random), ("sorted", in_order)):
            data = STORAGE[storage](X[rows])
            found[name] = np.mean(list(gaps(kind, loss, best, data, y[rows])))
        shuffle_in_two_levels(monkeypatch, 2**9, 2**15)  # as for large X
    assert two["random"] < 1.25 * full["random"]
    assert two["sorted"] < 2 * full["sorted"]
