"""The penalty on coefficients in the sizes of their features, `scale_penalty=True`."""

import functools
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.model_selection import GridSearchCV

from helpers import naive
from helpers.data import PRECONDITIONS
from helpers.runs import never_condense
from helpers.searches import BINARY, REAL, both, classifier, regressor
from sk_gd import GDClassifier, GDRegressor, losses

N = 80
CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
# To the last digit.
EXACT = {"optimizer": "lbfgs", "max_iter": 400, "tol": None}
FULL = {"batch_size": "full", "schedule": "cosine", "tol": None, "average": False}


@functools.cache
def data():
    """Features of all kinds: far from zero, counts, rare, a constant; scores and whole weights."""
    generator = np.random.default_rng(17)
    X = np.column_stack(
        [
            generator.normal(size=N),
            1 + 0.5 * generator.normal(size=N),
            generator.normal(size=N) * (generator.random(N) < 0.4),
            generator.poisson(0.7, N),
            3.0 * (generator.random(N) < 0.1),
            np.full(N, 2.0),
            np.zeros(N),
        ]
    )
    Z = (X - X.mean(axis=0)) / np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), 1.0)
    scores = Z @ generator.normal(size=(7, 3)) + generator.normal(size=(N, 3))
    return X, scores, generator.integers(0, 4, N).astype(float)


def labels(classes):
    return data()[1][:, :classes].argmax(axis=1)


def in_sizes(reference, X, y, weight=None):
    """The minimiser of a model of scikit-learn on features divided by their sizes."""
    size = naive.sizes(X, weight)
    reference.fit(X / size, y, sample_weight=weight)
    reference.coef_ = reference.coef_ / size
    return reference


def assert_same(model, exact, tolerance):
    """Coefficients times the sizes of their features, and intercepts."""
    size = naive.sizes(data()[0])
    np.testing.assert_allclose(model.coef_ * size, exact.coef_ * size, rtol=0, atol=tolerance)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=10 * tolerance)


def test_sizes_by_hand():
    # Variance 1 / 4 and 3 / 16, half and a quarter of the rows.
    X = np.array([[1.0, 4, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(naive.sizes(X), [0.5 * 2**0.5, 3**0.5 * 2, 1.0], rtol=1e-15)
    # Without zeros it is the deviation.
    np.testing.assert_allclose(naive.sizes(X + 5), (X + 5).std(axis=0) + [0, 0, 1], rtol=1e-15)


class TestMinimisers:
    @CONTAINERS
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("outputs", [1, 3])
    @pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
    def test_ridge(self, weighted, outputs, precondition, dtype, container):
        X, y, weight = data()
        X, y = X.astype(dtype).astype(float), y[:, 0] if outputs == 1 else y
        weight = weight if weighted else None
        total = weight.sum() if weighted else N
        exact = in_sizes(Ridge(0.1 * total, solver="svd"), X, y, weight)
        model = GDRegressor(alpha=0.1, precondition=precondition, **EXACT)
        model.fit(container(X.astype(dtype)), y, sample_weight=weight)
        assert_same(model, exact, 1e-8 if dtype is float else 1e-6)
        assert model.alpha_ == 0.1

    @CONTAINERS
    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_all_rows_and_their_gram_matrix(
        self, fit_intercept, precondition, container, monkeypatch
    ):
        X, y, _ = data()
        options = {"alpha": 0.1, "fit_intercept": fit_intercept, "precondition": precondition}
        exact = in_sizes(Ridge(0.1 * N, fit_intercept=fit_intercept, solver="svd"), X, y[:, 0])
        for _ in range(2):
            model = GDRegressor(**options, **EXACT).fit(container(X), y[:, 0])
            assert_same(model, exact, 1e-7)
            never_condense(monkeypatch)

    @CONTAINERS
    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.parametrize("extra", ["", "weights", "balanced"])
    def test_logistic(self, extra, classes, precondition, container):
        X, y = data()[0], labels(classes)
        weight = data()[2] if extra == "weights" else None
        balance = {"class_weight": "balanced"} if extra == "balanced" else {}
        total = N if weight is None else weight.sum()
        exact = LogisticRegression(
            C=1 / (0.02 * total), solver="newton-cholesky", tol=1e-12, max_iter=1000, **balance
        )
        # The sizes count the rows as they are weighed.
        of_class = N / (classes * np.bincount(y))[y] if extra == "balanced" else None
        size = naive.sizes(X, weight if of_class is None else of_class)
        exact.fit(X / size, y, sample_weight=weight)
        exact.coef_ = exact.coef_ / size
        model = GDClassifier(alpha=0.02, precondition=precondition, **balance, **EXACT)
        assert_same(model.fit(container(X), y, sample_weight=weight), exact, 1e-6)

    @CONTAINERS
    @pytest.mark.parametrize("precondition", [None, "standardize"])
    @pytest.mark.parametrize("optimizer", ["nesterov", "ftrl", "adam"])
    @pytest.mark.parametrize("peer", [Lasso(0.1), ElasticNet(0.4, l1_ratio=0.5)])
    def test_lasso(self, peer, optimizer, precondition, container):
        X, y, _ = data()
        exact = in_sizes(clone(peer).set_params(tol=1e-14, max_iter=100_000), X, y[:, 0])
        rate = 0.1 if optimizer in ("adam", "ftrl") else "auto"
        penalty = {"alpha": peer.alpha, "l1_ratio": peer.l1_ratio}
        model = GDRegressor(optimizer, precondition=precondition, **penalty, learning_rate=rate)
        model.set_params(max_iter=12_000, **FULL).fit(container(X), y[:, 0])
        assert_same(model, exact, 1e-5)
        np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)
        assert 0 < np.count_nonzero(exact.coef_) < 5

    @CONTAINERS
    def test_sparse_logistic(self, container):
        X, y = data()[0], labels(3)
        X = X[:, :5]
        settings = {"l1_ratio": 1.0, "solver": "saga", "tol": 1e-12, "max_iter": 100_000}
        reference = LogisticRegression(C=1 / (0.03 * N), random_state=0, **settings)
        exact = in_sizes(reference, X, y)
        model = GDClassifier("nesterov", alpha=0.03, l1_ratio=1.0, max_iter=10_000, **FULL)
        model.fit(container(X), y)
        size = naive.sizes(X)
        np.testing.assert_allclose(model.coef_ * size, exact.coef_ * size, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)

    @CONTAINERS
    @pytest.mark.parametrize("optimizer", ["auto", "sgd", "adam", "adagrad"])
    def test_lasso_by_mini_batches(self, optimizer, container):
        X, y, _ = data()
        exact = in_sizes(Lasso(0.1, tol=1e-14, max_iter=100_000), X, y[:, 0])
        options = {"batch_size": 8, "schedule": "cosine", "max_iter": 400, "tol": None}
        model = GDRegressor(optimizer, alpha=0.1, l1_ratio=1.0, random_state=0, **options)
        model.fit(container(X), y[:, 0])
        of = {"alpha": 0.1, "l1_ratio": 1.0, "size": naive.sizes(X)}
        found, lowest = (
            naive.objective("squared_error", X, y[:, 0], m.coef_, m.intercept_, **of)
            for m in (model, exact)
        )
        assert -1e-12 < found - lowest < 2e-3

    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_weights_are_repeated_rows(self, kind):
        X, scores, weight = data()
        y = scores[:, 0] if kind == "regressor" else labels(3)
        make = GDRegressor if kind == "regressor" else GDClassifier
        repeated = np.repeat(X, weight.astype(int), axis=0)
        expected = make(alpha=0.1, **EXACT).fit(repeated, np.repeat(y, weight.astype(int)))
        for container in (np.asarray, sp.csr_array):
            model = make(alpha=0.1, **EXACT).fit(container(X), y, sample_weight=weight)
            assert_same(model, expected, 1e-7)

    @pytest.mark.parametrize("unit", [1e-12, 1e12])
    def test_the_unit_of_weights_changes_nothing(self, unit):
        """They may add up to less than the weight of one row, as inverse variances do."""
        X, y = load_breast_cancer(return_X_y=True)
        expected = GDClassifier(alpha=1e-3).fit(X, y)
        model = GDClassifier(alpha=1e-3).fit(X, y, np.full(len(y), unit))
        assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=1e-6)

    def test_a_zero_that_is_stored_is_a_zero(self):
        X, y, weight = data()
        plain = sp.csr_array(X)
        stored = sp.csr_array(np.where(X == 0, 1e-300, X))
        stored.data[stored.data == 1e-300] = 0.0
        assert stored.nnz == X.size > plain.nnz
        for own in (None, weight):
            model, other = (
                GDRegressor(alpha=0.1, **EXACT).fit(x, y[:, 0], sample_weight=own)
                for x in (plain, stored)
            )
            assert_same(model, other, 1e-10)

    @CONTAINERS
    @pytest.mark.parametrize("optimizer", ["auto", "lbfgs", "nesterov"])
    def test_raw_penalty(self, optimizer, container):
        """With scale_penalty=False the minimisers are scikit-learn's on the same data."""
        X, y, _ = data()
        options = {"alpha": 0.1, "scale_penalty": False, "max_iter": 4000, "tol": None}
        if optimizer == "nesterov":
            options["batch_size"] = "full"
        model = GDRegressor(optimizer, **options).fit(container(X), y)
        assert_same(model, Ridge(0.1 * N).fit(X, y), 1e-6)
        model = GDClassifier(optimizer, **options).fit(container(X), labels(3))
        exact = LogisticRegression(C=1 / (0.1 * N), tol=1e-12, max_iter=10_000)
        assert_same(model, exact.fit(X, labels(3)), 1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@CONTAINERS
@pytest.mark.parametrize("precondition", PRECONDITIONS)
def test_constant_features_have_the_size_one(precondition, container, fit_intercept):
    """They get no coefficient beside an intercept, and stand in for a missing one."""
    X, y, _ = data()
    y = y[:, 0] + 5
    exact = in_sizes(Ridge(0.1 * N, fit_intercept=fit_intercept, solver="svd"), X, y)
    options = {"fit_intercept": fit_intercept, "precondition": precondition, "alpha": 0.1}
    model = GDRegressor(**options, **EXACT).fit(container(X), y)
    assert_same(model, exact, 1e-7)
    if fit_intercept:
        np.testing.assert_allclose(model.coef_[5:], 0, rtol=0, atol=1e-8)
        without = GDRegressor(**options, **EXACT).fit(container(X[:, :5]), y)
        np.testing.assert_allclose(model.predict(X), without.predict(X[:, :5]), atol=1e-7)
    else:
        assert model.coef_[5] > 1 and model.coef_[6] == 0


KINDS = [(kind, loss) for kind in ("regressor", "classifier") for loss in losses.names(kind)]


def targets_for(kind, loss, classes=3):
    if kind == "classifier":
        return GDClassifier, labels(classes)
    y = data()[1][:, 0]
    return GDRegressor, np.exp(0.3 * y) if loss in ("poisson", "gamma") else y


@CONTAINERS
@pytest.mark.parametrize("alpha", [0.3, "auto"])
@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_the_curve_is_the_objective_of_the_definition(kind, loss, alpha, container):
    X, _, weight = data()
    make, y = targets_for(kind, loss)
    rest = {"batch_size": "full", "learning_rate": 0.01, "tol": None, "average": False}
    for precondition, l1_ratio in ((None, 0.5), ("standardize", 0.5), ("whiten", 0.0)):
        x = X / 3 if precondition is None else X
        two, three = (
            make(
                "sgd",
                loss=loss,
                alpha=alpha,
                l1_ratio=l1_ratio,
                precondition=precondition,
                max_iter=max_iter,
                **rest,
            ).fit(container(x), y, sample_weight=weight)
            for max_iter in (2, 3)
        )
        of = {"alpha": two.alpha_, "l1_ratio": l1_ratio, "size": naive.sizes(x, weight)}
        expected = naive.objective(loss, x, y, two.coef_, two.intercept_, weight=weight, **of)
        assert three.loss_curve_[2] == pytest.approx(expected, rel=1e-11)
        assert three.loss_curve_[:2] == two.loss_curve_


class TestUnits:
    """The unit of a feature changes nothing."""

    POWERS = np.random.default_rng(5).integers(-6, 7, 7)
    SCALES = 10.0**POWERS

    # Rounding decides on which side of a corner Adam is. Powers of two are not rounded.
    @CONTAINERS
    @pytest.mark.parametrize(("optimizer", "base"), [("auto", 10), ("adam", 8)])
    @pytest.mark.parametrize(("kind", "loss"), KINDS)
    def test_predictions(self, kind, loss, optimizer, base, container):
        X, scaled = data()[0], data()[0] * float(base) ** self.POWERS
        make, y = targets_for(kind, loss)
        model = make(optimizer, loss=loss, max_iter=60, tol=None, random_state=0)
        found = clone(model).fit(container(X), y)
        other = clone(model).fit(container(scaled), y)
        assert other.alpha_ == pytest.approx(found.alpha_, rel=1e-9)
        p, q = (
            m.decision_function(x) if kind == "classifier" else m.predict(x)
            for m, x in ((found, X), (other, scaled))
        )
        np.testing.assert_allclose(q, p, rtol=1e-6, atol=1e-6 * np.abs(p).max())

    @pytest.mark.parametrize("precondition", ["standardize", "whiten"])
    def test_in_other_coordinates(self, precondition):
        X, y, weight = data()
        model = GDRegressor(precondition=precondition, **EXACT)
        found = clone(model).fit(X, y, sample_weight=weight).predict(X)
        scaled = X * self.SCALES
        other = clone(model).fit(scaled, y, sample_weight=weight).predict(scaled)
        np.testing.assert_allclose(other, found, rtol=0, atol=1e-6 * np.abs(y).max())

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
    def test_of_a_table(self, l1_ratio):
        """Ten columns of a real table, untouched settings."""
        X, y = load_diabetes(return_X_y=True, scaled=False)
        scales = 10.0 ** np.random.default_rng(6).integers(-6, 7, 10)
        model = GDRegressor(l1_ratio=l1_ratio, random_state=0)
        found, other = clone(model).fit(X, y), clone(model).fit(X * scales, y)
        np.testing.assert_allclose(other.predict(X * scales), found.predict(X), rtol=1e-6)


class TestStreams:
    """`partial_fit` takes the sizes from all rows so far."""

    @CONTAINERS
    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_the_penalty_is_in_running_sizes(self, kind, weighted, precondition, container):
        X, scores, weight = data()
        if weighted:
            # Weights count relative to those of the same call.
            weight = np.concatenate([w / w.mean() for w in np.split(weight, 4)])
        make, y = targets_for(kind, "")
        loss = "squared_error" if kind == "regressor" else "log_loss"
        l1_ratio = 0.0 if precondition == "whiten" else 0.4
        options = {"precondition": precondition, "batch_size": "full", "learning_rate": 0.1}
        model = make("sgd", alpha=0.3, l1_ratio=l1_ratio, **options)
        classes = {"classes": [0, 1, 2]} if kind == "classifier" else {}
        for k, part in enumerate(np.split(np.arange(N), 4)):
            own = weight[part] if weighted else None
            before = (model.coef_, model.intercept_) if k else None
            model.partial_fit(container(X[part]), y[part], sample_weight=own, **classes)
            if before is not None:
                seen = slice(0, part[-1] + 1)
                size = naive.sizes(X[seen], weight[seen] if weighted else None)
                of = {"alpha": 0.3, "l1_ratio": l1_ratio, "size": size, "weight": own}
                expected = naive.objective(loss, X[part], y[part], *before, **of)
                assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-9)

    @CONTAINERS
    @pytest.mark.parametrize("alpha", [0.3, "auto"])
    @pytest.mark.parametrize("precondition", ["standardize", "whiten"])
    def test_the_model_stays_when_the_sizes_move(self, precondition, alpha, container):
        X, y, _ = data()
        model = GDRegressor("adam", alpha=alpha, precondition=precondition, random_state=0)
        for _ in range(5):
            model.partial_fit(container(X), y)
        before = model.predict(X)
        model.set_params(learning_rate=1e-300).partial_fit(container(X * 100 + 3), y)
        np.testing.assert_allclose(model.predict(X), before, rtol=1e-9)

    @CONTAINERS
    def test_many_epochs_end_at_the_minimiser(self, container):
        X, y, _ = data()
        exact = in_sizes(Ridge(0.1 * N, solver="svd"), X, y[:, 0])
        model = GDRegressor("lbfgs", alpha=0.1)
        for _ in range(60):
            model.partial_fit(container(X), y[:, 0])
        assert_same(model, exact, 1e-6)

    def test_a_feature_that_was_constant(self):
        """Its size is one until it varies."""
        X, y, _ = data()
        first = X[X[:, 4] == 0][:40]
        model = GDRegressor("sgd", alpha=0.3, batch_size="full", learning_rate=0.1)
        model.partial_fit(first, y[:40])
        before = model.coef_, model.intercept_
        model.partial_fit(X, y)
        size = naive.sizes(np.concatenate([first, X]))
        expected = naive.objective("squared_error", X, y, *before, alpha=0.3, size=size)
        assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-9)


class TestSearch:
    GRID = {"scale_penalty": [True, False], "alpha": [1e-3, "auto", "10 * auto", 1.0]}

    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_same_scores_as_by_single_fits(self, kind, precondition):
        make, (X, y) = (regressor, REAL) if kind == "regressor" else (classifier, BINARY)
        X = X * [1, 100, 0.01, 1, 3, 1] + [0, 0, 0, 5, 0, 0]
        X[X < -1] = 0
        options = {"batch_size": "full", "max_iter": 30, "precondition": precondition}
        if precondition is None:
            X = X / naive.sizes(X)
        both(make(**options), self.GRID, X, y, cv=3)

    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_same_scores_by_the_optimizer_that_is_chosen(self, kind):
        make, (X, y) = (regressor, REAL) if kind == "regressor" else (classifier, BINARY)
        both(make(optimizer="auto", max_iter=50), self.GRID, X * [1, 9, 0.1, 1, 3, 1], y, cv=3)

    def test_both_penalties_are_those_of_scikit_learn(self):
        X, y, _ = data()
        grid = {"scale_penalty": [True, False]}
        search = GridSearchCV(
            GDRegressor(alpha=0.3, **EXACT), grid, cv=[(np.arange(60), np.arange(60, N))]
        ).fit(X, y)
        scaled = in_sizes(Ridge(0.3 * 60, solver="svd"), X[:60], y[:60])
        raw = Ridge(0.3 * 60).fit(X[:60], y[:60])
        expected = [model.score(X[60:], y[60:]) for model in (scaled, raw)]
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-7)


def test_a_strength_of_zero_needs_no_size():
    X, y, _ = data()
    exact = LinearRegression().fit(X, y)
    for scale_penalty, container in itertools.product((True, False), (np.asarray, sp.csr_array)):
        model = GDRegressor(alpha=0, scale_penalty=scale_penalty, **EXACT).fit(container(X), y)
        np.testing.assert_allclose(model.predict(X), exact.predict(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma"])
def test_a_feature_in_small_units_does_not_hold_up_the_others(loss):
    """The default ends at the minimum of a raw penalty, too."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(40, 2))
    y = np.ceil(4 * np.exp(X.sum(axis=1) / 2 + generator.normal(size=40) / 2))
    X[:, 0] *= 1e6
    exact = {
        "squared_error": Ridge(0.1 * 40, solver="svd"),
        "poisson": PoissonRegressor(alpha=0.1, tol=1e-7, solver="newton-cholesky"),
        "gamma": GammaRegressor(alpha=0.1, tol=1e-7, solver="newton-cholesky"),
    }[loss].fit(X, y)
    model = GDRegressor(loss=loss, alpha=0.1, scale_penalty=False).fit(X, y)
    np.testing.assert_allclose(model.predict(X), exact.predict(X), rtol=1e-3)


@pytest.mark.parametrize("given", ["yes", 1, None])
def test_other_values_are_refused(given):
    with pytest.raises(ValueError, match="scale_penalty"):
        GDRegressor(scale_penalty=given).fit(*data()[:2])


def test_no_warning_at_the_defaults(recwarn):
    X, y, weight = data()
    GDRegressor().fit(X, y, sample_weight=weight)
    GDClassifier().fit(sp.csr_array(X), labels(3))
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]
