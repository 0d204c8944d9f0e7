"""The penalty that `alpha="auto"` means on wide data: raw, or in the sizes of the features."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score
from threadpoolctl import threadpool_limits

from helpers import naive
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, check_gradient, losses
from test_alpha_auto import QUICK, WideHuber, log_evidence, strength

CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
KINDS = {
    "numbers": GDRegressor(**QUICK),  # from its covariance matrix
    "rows": GDRegressor(loss=WideHuber(epsilon=1e9), **QUICK),
    "classes": GDClassifier(**QUICK),
}
MARGIN = 0.025


def words(n=700, d=300, units=1.0, seed=0, outputs=2, share=0.08):
    """Features that are mostly zero, with a size each, and a signal.

    With `units=1` raw features have the same coefficients, about; with 0 those divided by their
    sizes have.
    """
    generator = np.random.default_rng(seed)
    size = np.exp(1.5 * generator.normal(size=d))
    X = (generator.random((n, d)) < share) * generator.gamma(4.0, size=(n, d))
    signal = (X * size**units) @ generator.normal(size=(d, outputs))
    Y = signal / signal.std(axis=0) + 0.5 * generator.normal(size=(n, outputs))
    return X * size, Y


def targets(kind, Y):
    return Y.argmax(axis=1) if kind == "classes" else Y[:, 0]


def rescaled(X, seed=1):
    return X * 10.0 ** np.random.default_rng(seed).integers(-6, 7, X.shape[1])


@CONTAINERS
@pytest.mark.parametrize("kind", KINDS)
class TestChoice:
    def test_units_that_tell_something(self, kind, container):
        X, Y = words()
        X, y = container(X), targets(kind, Y)
        model = clone(KINDS[kind]).fit(X, y)
        assert model.scale_penalty_ is False
        raw = clone(KINDS[kind]).set_params(scale_penalty=False).fit(X, y)
        assert model.alpha_ == raw.alpha_
        np.testing.assert_array_equal(model.coef_, raw.coef_)
        np.testing.assert_array_equal(model.intercept_, raw.intercept_)
        assert check_gradient(model, X, y, random_state=0).error < 1e-5

    def test_the_same_model_with_the_number(self, kind, container):
        for units in (0.0, 1.0):
            X, Y = words(units=units)
            X, y = container(X), targets(kind, Y)
            settings = {"max_iter": 500, "tol": 1e-10}
            model = clone(KINDS[kind]).set_params(**settings).fit(X, y)
            found = {"alpha": model.alpha_, "scale_penalty": model.scale_penalty_}
            twin = clone(KINDS[kind]).set_params(**settings, **found).fit(X, y)
            assert twin.loss_curve_[-1] == pytest.approx(model.loss_curve_[-1], rel=1e-7)
            largest = np.abs(model.coef_).max()
            np.testing.assert_allclose(twin.coef_, model.coef_, rtol=0, atol=1e-3 * largest)

    def test_units_that_tell_nothing(self, kind, container):
        """The predictions are the same in any units."""
        X, Y = words(units=0.0)
        y = targets(kind, Y)
        settings = {"max_iter": 100, "tol": 1e-10}
        model, *others = (
            clone(KINDS[kind]).set_params(**settings).fit(container(x), y)
            for x in (X, rescaled(X), rescaled(X, seed=2))
        )
        assert model.scale_penalty_ is True
        score = "decision_function" if kind == "classes" else "predict"
        expected = getattr(model, score)(container(X))
        for other, seed in zip(others, (1, 2), strict=True):
            found = getattr(other, score)(container(rescaled(X, seed)))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.std(expected))

    def test_units_that_are_lost(self, kind, container):
        X, Y = words()
        model = clone(KINDS[kind]).fit(container(rescaled(X)), targets(kind, Y))
        assert model.scale_penalty_ is True

    def test_few_rows(self, kind, container):
        """All eigenvalues are computed, and the model is trained along principal components."""
        X, Y = words(400, 500)
        y = targets(kind, Y)
        settings = {"max_iter": 300, "tol": 1e-10}
        model = clone(KINDS[kind]).set_params(**settings).fit(container(X), y)
        assert model.scale_penalty_ is False
        raw = clone(KINDS[kind]).set_params(scale_penalty=False, **settings).fit(container(X), y)
        assert model.alpha_ == raw.alpha_
        np.testing.assert_allclose(model.coef_, raw.coef_, rtol=0, atol=1e-4 * np.std(raw.coef_))
        assert model.loss_curve_[-1] == pytest.approx(raw.loss_curve_[-1], rel=1e-9)

    @pytest.mark.parametrize("shape", [{"d": 256}, {"share": 0.12}, {"n": 400, "share": 0.12}])
    def test_few_features_and_few_zeros_are_measured_in_their_sizes(self, shape, kind, container):
        X, Y = words(**shape)
        assert clone(KINDS[kind]).fit(container(X), targets(kind, Y)).scale_penalty_ is True

    def test_constant_columns_do_not_count(self, kind, container):
        X, Y = words(d=256)
        more = container(np.column_stack([X, np.ones((700, 30)), np.zeros((700, 300))]))
        assert clone(KINDS[kind]).fit(more, targets(kind, Y)).scale_penalty_ is True

    def test_a_number_belongs_to_the_sizes(self, kind, container):
        X, Y = words()
        model = clone(KINDS[kind]).set_params(alpha=0.01).fit(container(X), targets(kind, Y))
        assert model.scale_penalty_ is True

    def test_weights_are_repeated_rows(self, kind, container):
        X, Y = words()
        y, weight = targets(kind, Y), np.random.default_rng(1).integers(0, 4, 700)
        model = clone(KINDS[kind]).fit(container(X), y, sample_weight=weight)
        X, y = np.repeat(X, weight, axis=0), np.repeat(y, weight)
        repeated = clone(KINDS[kind]).fit(container(X), y)
        assert model.scale_penalty_ is repeated.scale_penalty_
        assert model.alpha_ == pytest.approx(repeated.alpha_, rel=1e-6)

    def test_of_a_stream(self, kind, container):
        """The largest part decides."""
        parts = [words(n, units=units) for n, units in ((300, 0.0), (900, 1.0), (600, 0.0))]
        (A, a), (B, b), (C, c) = ((container(X), targets(kind, Y)) for X, Y in parts)
        model = clone(KINDS[kind]).set_params(optimizer="sgd")
        every = {"classes": [0, 1]} if kind == "classes" else {}
        assert model.partial_fit(A, a, **every).scale_penalty_ is True
        assert model.partial_fit(B, b).scale_penalty_ is False
        model = pickle.loads(pickle.dumps(model)).partial_fit(C, c)
        assert model.scale_penalty_ is False
        assert model.set_params(alpha=0.01).partial_fit(C, c).scale_penalty_ is True

    def test_of_a_warm_start(self, kind, container):
        X, Y = words()
        y = targets(kind, Y)
        model = clone(KINDS[kind]).set_params(warm_start=True, alpha=0.01).fit(container(X), y)
        settings = {"alpha": "auto", "max_iter": 300, "tol": 1e-12}
        model.set_params(**settings).fit(container(X), y)
        fresh = clone(KINDS[kind]).set_params(**settings).fit(container(X), y)
        assert model.scale_penalty_ is False
        np.testing.assert_allclose(model.coef_, fresh.coef_, rtol=0, atol=1e-4)


@pytest.mark.parametrize("units", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
@threadpool_limits.wrap(limits=1, user_api="blas")
def test_the_likelier_one_is_taken(units, seed):
    """By the definition of the evidence."""
    X, Y = words(600, 400, units, seed)
    y = Y[:, :1]
    found = []
    for scaled in (False, True):
        Z = X / naive.sizes(X) if scaled else X
        Z = Z - Z.mean(axis=0)
        # The largest of the log evidence over the ratio of signal and noise.
        prior = 10 ** np.linspace(-2, 3, 21) / np.sum(Z.var(axis=0))
        centred = (y - y.mean()) / y.std()
        found.append(max(map(log_evidence(centred, Z), prior)))
    gain = (found[0] - found[1]) / len(y)
    # The first eigenvalues decide, which tell more of the features in their sizes.
    if MARGIN - 0.01 < gain < 0.15:
        pytest.skip("too close to the margin")
    model = GDRegressor(**QUICK).fit(X, y[:, 0])
    assert model.scale_penalty_ is bool(gain < MARGIN)


@pytest.mark.parametrize("units", [0.0, 1.0])
@pytest.mark.parametrize("k", [30, 50])
def test_of_many_classes(k, units):
    """Classes beyond those that are followed one by one: random sums of them are."""
    X, Y = words(1500, 300, units, outputs=k)
    y = Y.argmax(axis=1)
    model = GDClassifier(**QUICK).fit(X, y)
    assert units == 1 or model.scale_penalty_
    expected = strength(X, np.eye(k)[y], 1 / (4 * k), k, model.scale_penalty_)
    assert model.alpha_ == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("loss", losses.names("regressor"))
def test_of_other_losses(loss):
    X, Y = words()
    y = np.exp(Y[:, 0] / 2)
    model = GDRegressor(loss=loss, **QUICK).fit(X, y)
    raw = GDRegressor(loss=loss, scale_penalty=False, **QUICK).fit(X, y)
    assert model.scale_penalty_ is False
    assert model.alpha_ == raw.alpha_
    np.testing.assert_array_equal(model.coef_, raw.coef_)


@CONTAINERS
@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_a_search_finds_what_fits_find(kind, container):
    """Strengths that are numbers beside multiples of "auto", and both values of the switch."""
    X, Y = words()
    X, y = container(X), targets(kind, Y)
    model = clone(KINDS[kind]).set_params(max_iter=1000, tol=1e-8)
    grid = {"alpha": ["0.1 * auto", 1e-3, "auto", 0.1], "scale_penalty": [True, False]}
    splits = list(KFold(2).split(X))
    search = GDGridSearchCV(model, grid, cv=splits, refit=False).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    for parameters, score in zip(search.cv_results_["params"], scores, strict=True):
        one = clone(model).set_params(**parameters)
        expected = cross_val_score(one, X, y, cv=splits)
        assert score == pytest.approx(expected.mean(), abs=1e-4), parameters
