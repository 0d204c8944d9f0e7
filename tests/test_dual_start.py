"""Sparse text begins with dual coordinate ascent: the same minimum, in fewer passes."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from helpers import naive
from helpers.runs import without_ascent
from sk_gd import GDClassifier, GDGridSearchCV
from sk_gd.objectives.dual import Duals

N, D, K = 400, 150, 5
SETTINGS = {"alpha": 1e-3, "scale_penalty": False, "tol": None, "max_iter": 3}


def text(n_classes):
    """Counts of words, of which some are of the class of the text."""
    rng = np.random.default_rng(0)
    d, words, power, share = (D, 12, 3, 0.25) if n_classes > 2 else (600, 40, 2, 0.1)
    y = rng.integers(0, n_classes, N)
    columns = (d * rng.random((N, words)) ** power).astype(int)
    own = rng.random((N, words)) < share
    columns[own] = (columns // n_classes * n_classes + y[:, None])[own]
    rows = np.repeat(np.arange(N), words)
    return sp.csr_matrix((np.ones(words * N), (rows, columns.ravel())), (N, d)), y


@pytest.fixture
def given():
    return text(K)


@pytest.fixture(params=[2, K], ids=["two classes", "five classes"])
def any_text(request):
    return text(request.param)


def without(monkeypatch, fit):
    """What `fit` returns without dual ascent."""
    with monkeypatch.context() as patch:
        without_ascent(patch)
        return fit()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_ascent_ends_at_the_minimum(weighted, intercept, wide, dtype, any_text):
    X, y = any_text
    rng = np.random.default_rng(1)
    inverse = rng.uniform(0.5, 2, X.shape[1])
    weight = rng.integers(0, 3, N).astype(float) if weighted else np.ones(N)
    weight /= weight.mean()
    given_X = X.astype(dtype)
    if wide:
        given_X.indices, given_X.indptr = (
            a.astype(np.int64) for a in (given_X.indices, given_X.indptr)
        )
    n_outputs = 1 if y.max() == 1 else K
    duals = Duals(given_X, y.astype(float), weight, inverse, n_outputs, 1e-2, intercept)
    bounds = []
    for _ in range(150):
        duals.ascend(rng.permutation(N))
        bounds.append(duals.lower_bound())
    coef, constant = duals.model()
    exact = LogisticRegression(
        C=1 / (1e-2 * N), tol=1e-9, solver="newton-cg", fit_intercept=intercept
    ).fit(X @ sp.diags(inverse), y, weight)
    np.testing.assert_allclose(coef / inverse, exact.coef_, atol=2e-5)
    np.testing.assert_allclose(constant, exact.intercept_, atol=2e-5)
    loss = log_loss(y, exact.predict_proba(X @ sp.diags(inverse)), sample_weight=weight)
    lowest = loss + 0.5e-2 * np.sum(exact.coef_**2)
    # Without an intercept the dual objective rises to the minimum from below.
    assert bounds[-1] == pytest.approx(lowest, rel=1e-8)
    assert intercept or max(bounds) <= lowest * (1 + 1e-8)


@pytest.mark.parametrize("sort", [False, True], ids=["mixed", "sorted by class"])
@pytest.mark.parametrize("weighted", [False, True])
def test_three_steps_are_near_the_minimum(weighted, sort, any_text, monkeypatch):
    X, y = any_text
    if sort:
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    weight = np.random.default_rng(1).integers(0, 3, N) if weighted else None

    def fit(**more):
        return GDClassifier("lbfgs", **SETTINGS | more).fit(X, y, weight)

    best = min(without(monkeypatch, lambda: fit(max_iter=300)).loss_curve_)
    gap, gap_without = (
        model.loss_curve_[-1] / best - 1 for model in (fit(), without(monkeypatch, fit))
    )
    assert gap < 3e-3
    assert gap < 0.02 * gap_without
    assert fit().n_iter_ == fit().t_ == 3
    np.testing.assert_array_equal(fit().coef_, fit().coef_)
    same, other = fit(max_iter=300), without(monkeypatch, lambda: fit(max_iter=300))
    np.testing.assert_allclose(same.coef_, other.coef_, atol=1e-6)
    np.testing.assert_allclose(same.intercept_, other.intercept_, atol=1e-6)


def test_nothing_is_left_to_do_where_the_bounds_meet(any_text, monkeypatch):
    """One evaluation shows how near the minimum is; without a bound there are many."""
    settings = {"alpha": 0.01}

    def fit(**more):
        return GDClassifier("lbfgs", **settings | more).fit(*any_text)

    best = min(without(monkeypatch, lambda: fit(tol=None, max_iter=300)).loss_curve_)
    assert fit().evaluation_curve_ == [1]
    assert fit().loss_curve_[0] < best * (1 + 1e-5)
    assert fit(tol=1e-2).evaluation_curve_ == [1]
    # It goes on if more is wanted, or a number of steps.
    assert fit(tol=1e-9).loss_curve_[-1] < best * (1 + 1e-9)
    assert fit(tol=None, max_iter=4).n_iter_ == 4


def test_the_bound_is_that_of_one_strength(any_text):
    """A search goes on from one strength to the next, of which the bound says nothing."""
    X, y = any_text
    strengths = [1e-2, 3e-3, 1e-3]
    search = GDGridSearchCV(
        GDClassifier("lbfgs"), {"alpha": strengths}, cv=2, scoring="neg_log_loss", refit=False
    ).fit(X, y)
    train, test = next(StratifiedKFold(2).split(X, y))
    for alpha, score in zip(strengths, search.cv_results_["split0_test_score"], strict=True):
        alone = GDClassifier("lbfgs", alpha=alpha, tol=None, max_iter=100).fit(X[train], y[train])
        assert -score == pytest.approx(log_loss(y[test], alone.predict_proba(X[test])), rel=2e-3)


def test_weights_are_repeated_rows(any_text):
    X, y = any_text
    weight = np.random.default_rng(1).integers(0, 3, N)
    model = GDClassifier(max_iter=300, tol=None, alpha=1e-3)
    weighted = model.fit(X, y, sample_weight=weight).coef_
    rows = np.repeat(np.arange(N), weight)
    np.testing.assert_allclose(weighted, model.fit(X[rows], y[rows]).coef_, atol=1e-5)


def test_a_row_without_weight_is_not_read(any_text):
    X, y = any_text
    weight = np.ones(N)
    weight[7] = 0
    once = GDClassifier(**SETTINGS).fit(X, y, weight).coef_
    X = X.copy()
    X.data[X.indptr[7] : X.indptr[8]] = 1e30
    np.testing.assert_array_equal(GDClassifier(**SETTINGS).fit(X, y, weight).coef_, once)


def test_a_constant_feature_changes_nothing(given):
    X, y = given
    model = GDClassifier("lbfgs", precondition="standardize", **SETTINGS)
    alone = clone(model).fit(X, y)
    beside = clone(model).fit(sp.csr_matrix(sp.hstack([np.full((N, 1), 0.5), X])), y)
    np.testing.assert_allclose(beside.coef_[:, 1:], alone.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(beside.intercept_, alone.intercept_, rtol=0, atol=1e-9)
    assert not beside.coef_[:, 0].any()


def test_raw_coordinates(any_text, monkeypatch):
    model = GDClassifier("lbfgs", precondition=None, **SETTINGS)
    least = clone(model).set_params(max_iter=1000, tol=1e-9).fit(*any_text).loss_curve_[-1]
    ours, other = (
        fit().loss_curve_[-1] - least
        for fit in (
            lambda: clone(model).fit(*any_text),
            lambda: without(monkeypatch, lambda: clone(model).fit(*any_text)),
        )
    )
    assert ours < 0.1 * other


def test_a_misleading_beginning_is_forgotten(given, monkeypatch):
    def fit():
        return GDClassifier("lbfgs", **SETTINGS).fit(*given)

    alone = without(monkeypatch, fit)
    far = np.full(K * (D + 1), 1e3)
    monkeypatch.setattr("sk_gd.training.starts.ascend", lambda data, ridge, close: (far, 0.0))
    misled = fit()
    np.testing.assert_array_equal(misled.coef_, alone.coef_)
    assert misled.loss_curve_ == alone.loss_curve_


@pytest.mark.parametrize(("alpha", "least", "most"), [(1e-9, 0, 0), (1e-3, 5, 16), (10.0, 0, 0)])
def test_passes_end_when_they_gain_little_or_would_fail(alpha, least, most, given, monkeypatch):
    """With a weak penalty steps are too long for their sum. With a strong one none are needed."""
    passes = []

    class Counted(Duals):
        def ascend(self, order):
            passes.append(len(order))
            return Duals.ascend(self, order)

    monkeypatch.setattr("sk_gd.training.starts.Duals", Counted)
    X, y = given
    model = GDClassifier("lbfgs", alpha=alpha, tol=None, max_iter=30).fit(X, y)
    assert least <= len(passes) <= most
    alone = without(monkeypatch, lambda: clone(model).fit(X, y))
    if most == 0:
        np.testing.assert_array_equal(model.coef_, alone.coef_)
    assert model.loss_curve_[-1] <= alone.loss_curve_[-1] * (1 + 1e-9)


def test_a_search_begins_like_a_fit(any_text):
    X, y = any_text
    model = GDClassifier("lbfgs", **SETTINGS)
    search = GDGridSearchCV(model, {"alpha": [1e-3, 1e-1]}, cv=2).fit(X, y)
    train, test = next(StratifiedKFold(2).split(X, y))
    for alpha, score in zip([1e-3, 1e-1], search.cv_results_["split0_test_score"], strict=True):
        alone = GDClassifier("lbfgs", **SETTINGS | {"alpha": alpha}).fit(X[train], y[train])
        assert alone.score(X[test], y[test]) == score


def test_a_fit_that_continues_does_not_begin_again(any_text):
    whole = GDClassifier("lbfgs", **SETTINGS | {"max_iter": 6}).fit(*any_text)
    halves = GDClassifier("lbfgs", warm_start=True, **SETTINGS).fit(*any_text).fit(*any_text)
    np.testing.assert_array_equal(halves.coef_, whole.coef_)


def test_other_problems_begin_at_zero(given, monkeypatch):
    X, y = given
    called = []
    monkeypatch.setattr(
        "sk_gd.training.starts.ascend", lambda data, ridge, close: called.append(ridge)
    )
    settings = {**SETTINGS, "max_iter": 1}
    short = sp.csr_matrix(X.multiply(np.random.default_rng(0).random(X.shape) < 0.5))
    short.eliminate_zeros()
    far = sp.csr_matrix(sp.hstack([X, 100 + np.random.default_rng(0).random((N, 1))]))
    for optimizer, alpha, data, labels in (
        ("lbfgs", 0, X, y),
        ("lbfgs", 1e-3, X.toarray(), y),
        # Of two classes: too few entries, and too few features.
        ("lbfgs", 1e-3, sp.csr_matrix(sp.hstack([X, sp.csr_matrix((N, N))])), y % 2),
        ("lbfgs", 1e-3, sp.random(N, D, 0.5, "csr", random_state=0), y % 2),
        ("lbfgs", 1e-3, far, y),
        ("lbfgs", 1e-3, short, y),
        ("nesterov", 1e-3, X, y),
    ):
        GDClassifier(optimizer, **settings | {"alpha": alpha}).fit(data, labels)
    GDClassifier("lbfgs", loss="squared_hinge", **settings).fit(X, y)
    # Validation data may be the best predicted on the way to the minimum.
    GDClassifier("lbfgs", early_stopping=True, **settings).fit(X, y)
    GDClassifier("lbfgs", **settings).fit(X, y, X_val=X, y_val=y)
    assert not called


def test_the_objective_is_that_of_sizes(given, monkeypatch):
    """Fits with the sizes of the features begin in these sizes, too."""
    X, y = given
    of = {"alpha": 1e-3, "size": naive.sizes(X.toarray())}

    def objective(n):
        model = GDClassifier(alpha=1e-3, tol=None, max_iter=n).fit(X, y)
        return naive.objective("log_loss", X, y, model.coef_, model.intercept_, **of)

    lowest = objective(200)
    assert objective(3) - lowest < 0.02 * (without(monkeypatch, lambda: objective(3)) - lowest)


def test_rows_and_labels_that_are_not_there(given):
    X, y = given
    with pytest.raises(ValueError, match="Labels and weights"):
        Duals(X, y + 1.0, None, np.ones(D), K, 1e-3, True)
    duals = Duals(X, y.astype(float), None, np.ones(D), K, 1e-3, True)
    for order in ([N], [-1], []):
        with pytest.raises(ValueError, match=f"There are {N} rows"):
            duals.ascend(np.array(order, dtype=np.intp))
