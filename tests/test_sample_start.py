"""L-BFGS begins on a sample of the rows: the same minimum, in fewer passes over all rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import StratifiedKFold

from helpers.runs import small_samples
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor

N, D = 8192, 5
FIT = {"alpha": 1e-3, "tol": None, "precondition": "standardize"}


@pytest.fixture
def table():
    """Features, and labels drawn from a logistic model."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)) * [1, 10, 0.1, 1, 1] + 1
    margin = (X - 1) @ [1, -0.1, 10, 0.5, 0]
    return X, (margin + rng.logistic(size=N) > 0).astype(int)


def fits(monkeypatch, fit):
    """The model that `fit()` gives with a beginning on a sample, and the one without."""
    with monkeypatch.context() as patch:
        small_samples(patch)
        return fit(), _without(monkeypatch, fit)


def _without(monkeypatch, fit):
    with monkeypatch.context() as patch:
        small_samples(patch, entries=10**9)
        return fit()


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("sort", [False, True], ids=["mixed", "sorted by class"])
@pytest.mark.parametrize("weighted", [False, True])
def test_fewer_passes_lead_to_the_same_minimum(storage, sort, weighted, table, monkeypatch):
    X, y = table
    if sort:
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    weight = np.random.default_rng(1).integers(0, 3, N) if weighted else None
    X = storage(X)

    def fit(n):
        return GDClassifier("lbfgs", max_iter=n, **FIT).fit(X, y, weight)

    best = min(fit(60).loss_curve_)
    few, many = fits(monkeypatch, lambda: fit(4))
    assert few.n_iter_ == few.t_ == 4
    gap, gap_without = (model.loss_curve_[-1] - best for model in (few, many))
    assert gap < 0.01 * gap_without
    again, _ = fits(monkeypatch, lambda: fit(4))
    np.testing.assert_array_equal(few.coef_, again.coef_)
    same, _ = fits(monkeypatch, lambda: fit(60))
    np.testing.assert_allclose(same.coef_, fit(60).coef_, rtol=1e-5)


def test_a_misleading_sample_is_forgotten(monkeypatch):
    X, y = np.ones((N, 1)), np.ones(N)
    X[: N // 2] = -1
    y[: N // 2] = 50
    # The sample has the first 64 rows of every 1024. In all others the slope is another one.
    sampled = np.arange(N) % 1024 < 64
    X[~sampled] *= -400

    def fit():
        settings = {**FIT, "alpha": 0, "precondition": None, "max_iter": 5}
        return GDRegressor("lbfgs", loss="poisson", **settings).fit(X, y)

    misled = GDRegressor("lbfgs", loss="poisson", alpha=0, precondition=None)
    misled.fit(X[sampled], y[sampled])
    assert misled.predict(X).max() > 1e100
    begun, without = fits(monkeypatch, fit)
    np.testing.assert_array_equal(begun.coef_, without.coef_)
    np.testing.assert_array_equal(begun.loss_curve_, without.loss_curve_)
    assert begun.t_ == without.t_


def test_a_search_begins_like_a_fit(table, monkeypatch):
    X, y = table
    small_samples(monkeypatch)
    model = GDClassifier("lbfgs", max_iter=3, **FIT)
    search = GDGridSearchCV(model, {"alpha": [1e-3, 1e-1]}, cv=2).fit(X, y)
    for alpha, score in zip([1e-3, 1e-1], search.cv_results_["split0_test_score"], strict=True):
        train, test = next(StratifiedKFold(2).split(X, y))
        alone = GDClassifier("lbfgs", max_iter=3, **FIT | {"alpha": alpha}).fit(X[train], y[train])
        assert alone.score(X[test], y[test]) == score


def test_a_fit_that_continues_does_not_begin_again(table, monkeypatch):
    X, y = table
    small_samples(monkeypatch)
    whole = GDClassifier("lbfgs", max_iter=6, **FIT).fit(X, y)
    halves = GDClassifier("lbfgs", max_iter=3, warm_start=True, **FIT).fit(X, y).fit(X, y)
    np.testing.assert_array_equal(halves.coef_, whole.coef_)
    assert halves.loss_curve_ == whole.loss_curve_


def test_few_rows_have_no_sample(table, monkeypatch):
    X, y = table
    small_samples(monkeypatch)
    few, many = fits(
        monkeypatch, lambda: GDClassifier("lbfgs", max_iter=2, **FIT).fit(X[:900], y[:900])
    )
    np.testing.assert_array_equal(few.coef_, many.coef_)
