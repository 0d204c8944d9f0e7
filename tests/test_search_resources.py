"""Resources of a search: memory, workers, and the number of transformations."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from helpers.runs import (
    Packed,
    are_different,
    do_not_copy_rows,
    packed,
    predictions_of_rows,
    without_copy,
)
from helpers.searches import both
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor
from sk_gd.objectives.caching import cached_property

RNG = np.random.default_rng(0)
CROWDED = (4000, 0.05), (2000, 0.1)


@pytest.mark.parametrize("kind", [GDClassifier, GDRegressor])
def test_memory(kind):
    """A search over five folds needs at most a tenth of the memory of X."""
    X = RNG.normal(size=(60_000, 50))
    y = (X[:, 0] > 0).astype(float)
    model = kind("adam", batch_size=256, tol=None, random_state=0)
    search = GDGridSearchCV(
        model, {"learning_rate": [0.001, 0.01, 0.03, 0.1], "max_iter": [1, 2]}, cv=KFold(5)
    )
    search.fit(X[:1000], y[:1000])
    tracemalloc.start()
    try:
        search.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.1 * X.nbytes


@pytest.mark.parametrize("folds", [1, 3, 4])
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_same_bits_from_any_number_of_workers(folds, lanes):
    X = RNG.normal(size=(300, 7))
    y = X @ RNG.normal(size=7) + RNG.normal(size=300)
    cv = list(KFold(max(2, folds)).split(X))[:folds]
    grid = {"learning_rate": list(np.geomspace(0.001, 0.1, lanes)), "max_iter": [2, 5]}
    model = GDRegressor("adam", batch_size=32, tol=None, random_state=0)
    found = [
        GDGridSearchCV(model, grid, cv=cv, n_jobs=n_jobs).fit(X, y).cv_results_
        for n_jobs in (1, 2, 4)
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other["mean_test_score"], found[0]["mean_test_score"])
    plain = GridSearchCV(model, grid, cv=cv).fit(X, y)
    np.testing.assert_allclose(
        found[0]["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=1e-11
    )


@pytest.mark.parametrize(
    "rows",
    [
        np.arange(10),
        np.arange(3, 7),
        np.array([1, 2, 4, 9]),
        np.array([5]),
        np.array([3, 2, 1]),
        np.array([1, 1, 2]),
        np.array([0, 2, 1, 3]),
        np.arange(-3, 0),
        np.array([], dtype=int),
    ],
)
def test_rows(rows):
    """Every representation selects the same rows."""
    data = np.arange(10) ** 2
    np.testing.assert_array_equal(data[without_copy(rows)], data[rows])
    kept = packed(rows, 10)
    np.testing.assert_array_equal(np.asarray(kept), rows)
    ascending = len(rows) > 0 and rows[0] >= 0 and list(rows) == sorted(set(rows))
    assert isinstance(kept, Packed) == ascending
    if len(rows):
        unique = len(np.unique(rows)) == len(rows) and rows.min() >= 0
        assert are_different(rows) == unique


def test_rows_that_are_read_in_place_decide_the_size_of_a_batch(monkeypatch):
    """Of sparse rows it depends on their entries. The rows that test have more of them."""
    do_not_copy_rows(monkeypatch)
    parts = [sp.random(n, 40, density, "csr", random_state=0) for n, density in CROWDED]
    X, y = sp.vstack(parts, "csr"), np.arange(6000) % 2
    model = GDClassifier("adam", max_iter=1, tol=None, random_state=0)
    assert clone(model).fit(X[:4000], y[:4000]).batch_size_ != clone(model).fit(X, y).batch_size_
    cv = [(np.arange(4000), np.arange(4000, 6000))]
    both(model, {"alpha": [0.1, 0.01]}, X, y, cv=cv, scoring="neg_log_loss")


def test_masks():
    mask = np.array([True, False, True, True])
    np.testing.assert_array_equal(np.asarray(packed(mask, 4)), [0, 2, 3])


def test_sparse_rows_are_scored_many_at_a_time():
    """Selecting one sparse row takes as long as predicting thousands of rows."""
    counted = []

    class Counted(sp.csr_matrix):
        def __getitem__(self, key):
            counted.append(key)
            return super().__getitem__(key)

    columns = np.tile(np.arange(50) * 1000, 2000)
    ends = np.arange(0, 2000 * 50 + 1, 50)
    plain = sp.csr_matrix((RNG.random(len(columns)), columns, ends), shape=(2000, 50_000))
    X = Counted(plain)
    fitted = {"coef_": RNG.normal(size=(1, 50_000)), "intercept_": np.ones(1)}
    rows = np.arange(0, 2000, 2)
    found = predictions_of_rows(X, rows, fitted)
    assert 1 <= len(counted) <= 3
    np.testing.assert_allclose(found, (plain @ fitted["coef_"].T + 1)[rows], rtol=1e-12)


class Counting(StandardScaler):
    """Records how many rows it transforms."""

    counted = []

    def transform(self, X, copy=None):
        self.counted.append(len(X))
        return super().transform(X, copy)


def scaled_search(copy, **options):
    """Compare both searches on a pipeline; return the numbers of rows that ours transformed."""
    X = RNG.normal(size=(300, 7)) * 3 + 1
    y = (X @ RNG.normal(size=7) > 0).astype(int)
    model = GDClassifier("adam", precondition=None, tol=None, random_state=0)
    pipeline = Pipeline([("scale", Counting(copy=copy)), ("model", model)])
    grid = {"model__learning_rate": [0.001, 0.01, 0.1], "model__max_iter": [2, 5]}
    Counting.counted.clear()
    ours = GDGridSearchCV(pipeline, grid, cv=3, refit=False, **options).fit(X, y)
    counted = sorted(Counting.counted)
    plain = GridSearchCV(pipeline, grid, cv=3, refit=False, **options).fit(X, y)
    for name, expected in plain.cv_results_.items():
        if name.startswith("split"):
            np.testing.assert_allclose(
                ours.cv_results_[name], expected, rtol=0, atol=1e-9, err_msg=name
            )
    return counted


def test_rows_are_transformed_once():
    counted = scaled_search(True, scoring=["accuracy", "neg_log_loss"], return_train_score=True)
    # Training rows for the fit, then test and training rows for the scores, in three folds.
    assert counted == [100] * 3 + [200] * 6


def test_transformers_that_work_in_place():
    """A second call would scale the test rows twice."""
    assert scaled_search(False, scoring="neg_log_loss") == [100] * 3 + [200] * 3


def test_folds_do_not_wait_for_each_other():
    """What a fold computes once, another one can compute at the same time."""

    class Problem:
        @cached_property
        def moments(self):
            both.wait(timeout=10)
            return object()

    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        problems = Problem(), Problem()
        found = list(pool.map(lambda problem: problem.moments, problems))
    assert [problem.moments for problem in problems] == found
