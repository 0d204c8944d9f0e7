"""The penalty that `alpha="auto"` means for two classes of rows that are mostly zeros.

A logistic model is asked where the linear one does not say that raw features are likelier.
"""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from helpers import naive
from sk_gd import GDClassifier, GDGridSearchCV, check_gradient
from sk_gd.objectives import laplace
from sk_gd.objectives.dual import Duals

CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])


def counts(n=600, d=400, strength=1.0, seed=0):
    """Counts of words in texts of very different lengths, and two classes."""
    generator = np.random.default_rng(seed)
    share = 1 / np.arange(3, d + 3)
    length = generator.lognormal(2.0, 1.0, n)
    X = generator.poisson(length[:, None] * share / share.sum()).astype(float)
    margin = (X / naive.sizes(X)) @ generator.normal(size=d) * strength
    y = (generator.logistic(size=n) + margin - np.median(margin) > 0).astype(int)
    return X, y


def laplace_evidence(Z, y, v, weight=None):
    """The logarithm of the evidence for a row, by its definition."""
    n = len(Z) if weight is None else weight.sum()
    weight = np.ones(len(Z)) if weight is None else weight
    variance = np.sum(np.cov(Z.T, ddof=0, fweights=weight.astype(int)).diagonal())
    ridge = variance / v
    exact = LogisticRegression(C=1 / ridge, tol=1e-9, max_iter=10_000)
    exact.fit(Z, y, sample_weight=weight)
    margin = exact.decision_function(Z) * np.where(y > 0, 1, -1)
    fit = weight @ np.log(expit(margin))
    curvature = weight * expit(margin) * expit(-margin)
    centred = Z - curvature @ Z / curvature.sum()
    hessian = centred.T @ (centred * curvature[:, None])
    determinant = np.linalg.slogdet(np.eye(Z.shape[1]) + hessian / ridge)[1]
    return (fit - 0.5 * ridge * np.sum(exact.coef_**2) - 0.5 * determinant) / n


@pytest.fixture
def asked(monkeypatch):
    """The logistic models that were asked, in turn: first in the sizes, then raw."""
    models, plain = [], laplace.Logistic.best

    def best(model, v):
        models.append(model)
        return plain(model, v)

    monkeypatch.setattr(laplace.Logistic, "best", best)
    return models


@CONTAINERS
@pytest.mark.parametrize("weighted", [False, True])
# Of many rows, one random vector stands for the trace.
@pytest.mark.parametrize(("n", "close"), [(300, 1e-4), (600, 0.01)])
@threadpool_limits.wrap(limits=1, user_api="blas")
def test_evidence_by_its_definition(n, close, weighted, container, asked, monkeypatch):
    monkeypatch.setattr(laplace, "LEFT", 1e-9)
    monkeypatch.setattr(laplace, "PASSES", 2000)
    X, y = counts(n)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float) if weighted else None
    GDClassifier(max_iter=1, tol=None).fit(container(X), y, sample_weight=weight)
    assert len(asked) == 2
    for model, size in zip(asked, (naive.sizes(X, weight), 1.0), strict=True):
        assert len(model.known) >= 2
        for v, found in model.known.items():
            assert found == pytest.approx(laplace_evidence(X / size, y, v, weight), abs=close)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0])
def test_near_the_best_strength(strength, seed):
    """The held-out log loss is nearly the lowest of all strengths."""
    X, y = counts(1600, 400, strength, seed)
    model = GDClassifier().fit(X[:800], y[:800])
    loss = log_loss(y[800:], model.predict_proba(X[800:]))
    grid = {"alpha": model.alpha_ * 4.0 ** np.arange(-4, 5), "scale_penalty": [True, False]}
    split = [(np.arange(800), np.arange(800, 1600))]
    scoring = {"scoring": "neg_log_loss", "refit": False}
    search = GDGridSearchCV(GDClassifier(), grid, cv=split, **scoring).fit(X, y)
    best = -search.cv_results_["mean_test_score"].max()
    assert loss < 1.1 * best


@CONTAINERS
def test_weights_are_repeated_rows(container):
    for n in (400, 900, 3000):
        X, y = counts(n)
        weight = np.random.default_rng(1).integers(0, 4, n)
        model = GDClassifier(max_iter=1, tol=None).fit(container(X), y, sample_weight=weight)
        X, y = np.repeat(X, weight, axis=0), np.repeat(y, weight)
        repeated = GDClassifier(max_iter=1, tol=None).fit(container(X), y)
        assert model.scale_penalty_ is repeated.scale_penalty_
        assert model.alpha_ == pytest.approx(repeated.alpha_, rel=1e-6)


def test_sparse_as_dense():
    for seed in range(3):
        X, y = counts(seed=seed)
        dense, sparse = (GDClassifier().fit(x, y) for x in (X, sp.csr_array(X)))
        assert dense.alpha_ == pytest.approx(sparse.alpha_, rel=1e-6)
        assert dense.scale_penalty_ is sparse.scale_penalty_


@pytest.mark.parametrize(("n", "seed"), [(600, 0), (900, 2)])  # the latter's ratios differ
def test_raw_penalty_asked_for(n, seed, asked):
    X, y = counts(n, seed=seed)
    model = GDClassifier(scale_penalty=False).fit(X, y)
    assert model.scale_penalty_ is False
    scaled, raw = (each.best(min(each.known))[0] for each in asked[:2])
    assert (scaled == raw) == (n == 600)
    curvature, variance = 1 / 8, np.sum(X.var(axis=0))
    ratio = raw * curvature
    if 8 * ratio > variance:
        ratio *= (variance / (8 * ratio)) ** 0.2
    assert model.alpha_ == pytest.approx(curvature * variance / (len(y) * ratio), rel=1e-9)
    assert check_gradient(model, X, y, random_state=0).error < 1e-5


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.01},
        {"loss": "squared_hinge"},
        {"three classes": True},
        {"n": 60, "rare": 5},
        {"n": 2000, "rare": 8},
        {"d": 200},
    ],
)
def test_otherwise_it_is_not_asked(change, asked):
    given = {name: change.pop(name) for name in ("n", "d") if name in change}
    X, y = counts(**given)
    if change.pop("three classes", False):
        y = y + (np.arange(len(y)) % 3 == 0)
    if rare := change.pop("rare", 0):
        y = (np.arange(len(y)) < rare).astype(int)
    GDClassifier(max_iter=2, tol=None, **change).fit(X, y)
    assert not asked


@CONTAINERS
@pytest.mark.parametrize("factor", [1e-120, 1e-60, 1e60, 1e120])
def test_extreme_units(factor, container):
    """The sizes make them the same, without a warning."""
    X, y = counts(300)
    raw = GDClassifier(scale_penalty=False).fit(container(X * factor), y)
    assert raw.alpha_ >= 0 and np.isfinite(raw.coef_).all()
    expected = GDClassifier().fit(container(X), y)
    model = GDClassifier().fit(container(X * factor), y)
    assert model.scale_penalty_ is expected.scale_penalty_ or factor in (1e-120, 1e120)
    assert np.isfinite(model.coef_).all()
    single = X * np.where(np.arange(X.shape[1]) == 1, factor, 1.0)
    model = GDClassifier().fit(container(single), y)
    assert np.isfinite(model.predict_proba(container(single))).all()


def test_a_model_is_stored():
    X, y = counts()
    model = GDClassifier(random_state=0).fit(X, y).partial_fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.scale_penalty_ is model.scale_penalty_
    assert again.partial_fit(X, y).alpha_ == model.partial_fit(X, y).alpha_


def test_classes_that_can_be_told_apart():
    X, y = counts()
    y = (X[:, 0] > 0).astype(int)
    model = GDClassifier().fit(X, y)
    assert 0 < model.alpha_ < 1
    assert model.score(X, y) > 0.99


@pytest.mark.parametrize("path", [(1e-2, 1e-3), (1e-4, 1e-3), (1e-2, 1e-4, 1e-3)])
def test_duals_with_another_ridge(path):
    """The minimum is that of the last one."""
    X, y = counts(200, 300)
    Z = X / naive.sizes(X)
    duals = Duals(sp.csr_array(Z), y.astype(float), None, np.ones(300), 1, path[0], True)
    generator = np.random.default_rng(0)
    for ridge in path:
        duals.change_ridge(ridge)
        for _ in range(300):
            duals.ascend(generator.permutation(200))
    coef, intercept = duals.model()
    exact = LogisticRegression(C=1 / (path[-1] * 200), tol=1e-10, max_iter=100_000).fit(Z, y)
    np.testing.assert_allclose(coef, exact.coef_, rtol=0, atol=2e-3 * np.abs(exact.coef_).max())
    with pytest.raises(ValueError, match="ridge"):
        duals.change_ridge(0.0)


@pytest.mark.parametrize("n_outputs", [3, 5])
def test_duals_of_more_classes_with_another_ridge(n_outputs):
    X, _ = counts(200, 300)
    Z, y = X / naive.sizes(X), np.random.default_rng(0).integers(0, n_outputs, 200)
    duals = Duals(sp.csr_array(Z), y.astype(float), None, np.ones(300), n_outputs, 1e-2, True)
    generator = np.random.default_rng(0)
    for ridge in (1e-2, 1e-3):
        duals.change_ridge(ridge)
        for _ in range(300):
            duals.ascend(generator.permutation(200))
    exact = LogisticRegression(C=1 / (1e-3 * 200), tol=1e-10, max_iter=100_000).fit(Z, y)
    expected = exact.coef_ - exact.coef_.mean(axis=0)
    found = duals.model()[0] - duals.model()[0].mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-3 * np.abs(expected).max())


def test_the_sample_stands_for_all_rows():
    """A thousand rows are read, each as often as its weight says."""
    X, y = counts(3000)
    problem_of_rows = []
    plain = laplace.Sample.__init__

    def init(sample, rows):
        plain(sample, rows)
        problem_of_rows.append(sample)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laplace.Sample, "__init__", init)
        weight = np.where(np.arange(3000) < 1500, 3.0, 1.0)
        GDClassifier(max_iter=1, tol=None).fit(X, y, sample_weight=weight)
    (sample,) = problem_of_rows
    assert len(sample.y) == 1000
    assert sample.y.mean() == pytest.approx(np.average(y, weights=weight), abs=0.05)


@pytest.mark.parametrize(("n", "d", "noise"), [(24_000, 4000, 1.0), (12_000, 12_000, 0.3)])
def test_rows_with_little_in_common(n, d, noise):
    """A sample of the rows says little. A row that is there twice would say too much."""
    generator = np.random.default_rng(0)
    X = sp.random_array((n, d), density=40 / d, format="csr", random_state=generator)
    signal = X @ generator.normal(size=d)
    y = (signal / signal.std() + noise * generator.normal(size=n) > 0).astype(int)
    half = n // 2
    found = log_loss(y[half:], GDClassifier().fit(X[:half], y[:half]).predict_proba(X[half:]))
    exact = [LogisticRegression(C=c).fit(X[:half], y[:half]) for c in (0.01, 0.1, 1.0)]
    best = min(log_loss(y[half:], each.predict_proba(X[half:])) for each in exact)
    assert found <= 1.05 * best
