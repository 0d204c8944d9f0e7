"""What `optimizer="auto"` chooses, and that it ends at the minimum."""

import functools
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from helpers import naive
from helpers.assertions import assert_goes_on, assert_same_bits, reloaded
from helpers.losses import Halves
from helpers.runs import (
    count_lanes,
    count_rows,
    is_whitened,
    run_of,
    without_ascent,
)
from helpers.searches import both
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, losses, optimizers, schedules
from sk_gd.estimators.fitting import FEW_PRODUCTS
from sk_gd.optimizers import LBFGS, BarzilaiBorwein, ScheduleFreeAdamW

CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
QUICK = {"max_iter": 3, "tol": None, "random_state": 0}
# Losses with corners, of classes and of numbers.
JUMPING = ("hinge", "perceptron")
CORNERS = ("absolute_error", "quantile", "epsilon_insensitive")


def table(n, d, seed=0):
    """Correlated features, some of them with zeros, and three noisy scores."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, d)) + 0.5 * generator.normal(size=(n, 1))
    X[:, ::2] *= generator.random((n, len(X[0, ::2]))) < 0.5
    X *= generator.gamma(1.0, size=d)
    Z = X / X.std(axis=0)
    return X, Z @ generator.normal(size=(d, 3)) / d**0.5 + generator.normal(size=(n, 3))


X, Y = table(200, 6)
LABELS = Y.argmax(axis=1)


def targets_for(kind, loss, Y=Y):
    if kind == "classifier":
        return GDClassifier, Y.argmax(axis=1)
    return GDRegressor, np.exp(0.5 * Y[:, 0]) if loss in ("poisson", "gamma") else Y[:, 0]


KINDS = [(kind, loss) for kind in ("regressor", "classifier") for loss in losses.names(kind)]


def chosen(model, *data, **more):
    """The class of the optimizer that a fit has chosen."""
    given = model.get_params(deep=False)
    model.fit(*data, **more)
    assert model.get_params(deep=False) == given
    return type(model.optimizer_)


def words(n, d, k, seed=0):
    """Counts of words, most of which are rare; a third of those of a text are of its class."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % k
    columns = (d * generator.random((n, 40)) ** 4).astype(np.int32)
    own = generator.random((n, 40)) < 0.3
    columns[own] = (columns // k * k + y[:, None])[own]
    rows = np.repeat(np.arange(n), 40)
    return sp.csr_array((np.ones(40 * n), (rows, columns.ravel())), shape=(n, d)), y


class TestRule:
    @CONTAINERS
    @pytest.mark.parametrize(("kind", "loss"), KINDS)
    def test_losses(self, kind, loss, container):
        make, y = targets_for(kind, loss)
        expected = ScheduleFreeAdamW if loss in JUMPING else LBFGS
        assert chosen(make(loss=loss, **QUICK), container(X), y) is expected

    @CONTAINERS
    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({}, LBFGS),
            ({"optimizer": "adam"}, optimizers.Adam),
            ({"fit_intercept": False}, LBFGS),
            ({"alpha": 0}, LBFGS),
            ({"scale_penalty": False}, LBFGS),
            ({"average": False}, LBFGS),
            ({"schedule": schedules.Constant()}, LBFGS),
            ({"early_stopping": True}, LBFGS),
            ({"precondition": None}, LBFGS),
            ({"precondition": "whiten"}, LBFGS),
            ({"shuffle": False, "warm_start": True}, LBFGS),
            # A lasso has a corner.
            ({"l1_ratio": 0.5}, BarzilaiBorwein),
            ({"l1_ratio": 1.0, "alpha": 0.1}, BarzilaiBorwein),
            ({"l1_ratio": 1.0, "alpha": 0.0}, LBFGS),
            # These mean steps of mini-batches.
            ({"learning_rate": 0.1}, ScheduleFreeAdamW),
            ({"batch_size": 32}, ScheduleFreeAdamW),
            ({"batch_size": "full"}, ScheduleFreeAdamW),
            ({"schedule": "cosine"}, ScheduleFreeAdamW),
            ({"average": True}, ScheduleFreeAdamW),
            ({"average": 2}, ScheduleFreeAdamW),
        ],
        ids=repr,
    )
    def test_parameters(self, parameters, expected, container):
        assert chosen(GDRegressor(**QUICK | parameters), container(X), Y) is expected
        assert chosen(GDClassifier(**QUICK | parameters), container(X), LABELS) is expected

    @pytest.mark.parametrize(
        ("n", "d", "density", "pairs"),
        [
            (200, 6, 1.0, 80),  # few weights
            (30, 40_000, 1.0, 80),  # few weights, along the principal components
            (600, 40_000, 0.01, 5),  # a pass costs less than many pairs
            (600, 20_000, 0.1, 10),  # as much as ten
        ],
    )
    def test_pairs(self, n, d, density, pairs):
        X = sp.random_array((n, d), density=density, format="csr", random_state=0)
        model = GDClassifier(**QUICK).fit(X, np.arange(n) % 3)
        assert model.optimizer_.maxcor == pairs

    @CONTAINERS
    def test_validation_data_and_weights_change_nothing(self, container):
        given = {"X_val": container(X), "y_val": Y, "sample_weight": np.linspace(0, 1, 200)}
        assert chosen(GDRegressor(**QUICK), container(X), Y, **given) is LBFGS

    def test_a_users_loss(self):
        assert chosen(GDRegressor(loss=Halves(), **QUICK), X, Y) is ScheduleFreeAdamW

        class Smooth(Halves):
            suits_full_batch = True

        assert chosen(GDRegressor(loss=Smooth(), **QUICK), X, Y) is LBFGS

        class Jumping(losses.Huber):
            """Another formula than that of its base."""

            def value(self, y, p):
                return np.abs(y - p)

            def gradient(self, y, p):
                return np.sign(p - y)

        assert chosen(GDRegressor(loss=Jumping(), **QUICK), X, Y) is ScheduleFreeAdamW

    def test_the_mini_batch_default_has_its_parameters(self):
        model = GDRegressor(batch_size=32, **QUICK).fit(X, Y)
        assert repr(model.optimizer_) == repr(optimizers.get("auto"))
        assert model.t_ == 3 * 7

    @CONTAINERS
    def test_parts_of_a_stream(self, container):
        model = GDRegressor(random_state=0).partial_fit(container(X), Y)
        assert repr(model.optimizer_) == repr(optimizers.get("auto"))
        model = GDClassifier(random_state=0).partial_fit(container(X), LABELS, classes=[0, 1, 2])
        assert type(model.optimizer_) is ScheduleFreeAdamW

    @CONTAINERS
    @pytest.mark.parametrize(
        ("n", "d", "loss", "expected"),
        [
            # The squared error needs more rows than twice the columns.
            (60, 20, "squared_error", True),
            (600, 250, "squared_error", True),
            (40, 20, "squared_error", True),
            (40, 60, "squared_error", False),
            (300, 290, "squared_error", False),
            # Others need fifty rows for each feature.
            (306, 6, "huber", True),
            (300, 6, "huber", False),
            (600, 290, "huber", False),
            (306, 6, "log_loss", True),
            (300, 6, "log_loss", False),
            (306, 6, "poisson", True),
        ],
    )
    def test_whitened_coordinates(self, n, d, loss, expected, container):
        data, scores = table(n, d)
        make, y = targets_for("classifier" if loss == "log_loss" else "regressor", loss, scores)
        model = make(loss=loss, **QUICK).fit(container(data), y)
        assert type(model.optimizer_) is LBFGS
        assert is_whitened(run_of(model)) == expected
        raw = make(loss=loss, precondition=None, **QUICK).fit(container(data / data.std(axis=0)), y)
        assert not is_whitened(run_of(raw))

    @CONTAINERS
    def test_the_squared_error_reads_a_few_rows(self, container, monkeypatch):
        seen = count_rows(monkeypatch)
        repeats = 1 + FEW_PRODUCTS // np.count_nonzero(X)
        GDRegressor(**QUICK).fit(container(np.tile(X, (repeats, 1))), np.tile(Y, (repeats, 1)))
        assert set(seen) == {6 + 3 + 1}
        seen.clear()
        GDRegressor(**QUICK).fit(container(X), Y)
        assert set(seen) == {len(X)}  # to find the few would take longer

    def test_of_many_sparse_columns_the_squared_error_reads_all_rows(self, monkeypatch):
        seen = count_rows(monkeypatch)
        rows = sp.random(1000, 300, 0.2, format="csr", random_state=0)
        y = rows[:, 0].toarray().ravel() + np.random.default_rng(0).normal(size=1000)
        sparse = GDRegressor().fit(rows, y)
        assert set(seen) == {1000}
        seen.clear()
        dense = GDRegressor().fit(rows.toarray(), y)
        assert set(seen) == {302}
        assert [is_whitened(run_of(model)) for model in (dense, sparse)] == [True, False]
        np.testing.assert_allclose(sparse.alpha_, dense.alpha_, rtol=1e-9)
        np.testing.assert_allclose(sparse.predict(rows), dense.predict(rows), atol=1e-3)


class TestMinimum:
    """Default fits end where longer ones would."""

    DATA = {
        "more rows": table(300, 8),
        "many rows": table(3000, 10),
        "more features": table(40, 90),
        "copies": (np.repeat(table(150, 6)[0], 3, axis=1), table(150, 6)[1]),
        "one-hot": (np.eye(12)[np.random.default_rng(2).integers(0, 12, 200)], table(200, 3)[1]),
        "units": (table(200, 6)[0] * 10.0 ** np.arange(-6, 6, 2), table(200, 6)[1]),
    }

    @CONTAINERS
    @pytest.mark.parametrize(("data", "scores"), DATA.values(), ids=DATA)
    def test_ridge(self, data, scores, container):
        model = GDRegressor().fit(container(data), scores)
        size = naive.sizes(data)
        exact = Ridge(model.alpha_ * len(data), solver="svd").fit(data / size, scores)
        expected = exact.predict(data / size)
        np.testing.assert_allclose(model.predict(data), expected, rtol=0, atol=1e-9 * scores.std())

    @staticmethod
    @functools.cache
    def lowest(name, kind, loss):
        """The objective of a long fit by another method, and its penalty."""
        data, scores = TestMinimum.DATA[name]
        make, y = targets_for(kind, loss, scores)
        size = naive.sizes(data)
        settings = {"schedule": "cosine", "max_iter": 3000, "tol": None, "batch_size": "full"}
        model = make("nesterov", loss=loss, **settings).fit(data, y)
        of = {"alpha": model.alpha_, "size": size}
        return naive.objective(loss, data, y, model.coef_, model.intercept_, **of), of

    SMOOTH = [(kind, loss) for kind, loss in KINDS if loss not in JUMPING]

    def test_texts_take_few_iterations(self, monkeypatch):
        """Rare words, of which there are many, do not slow the others down."""
        without_ascent(monkeypatch)
        X, y = words(400, 1200, 8)
        model = GDClassifier().fit(X, y)
        size = naive.sizes(X.toarray())
        settings = {"tol": 1e-8, "max_iter": 1000, "C": 1 / (400 * model.alpha_)}
        exact = LogisticRegression(**settings).fit(sp.csr_array(X @ sp.diags_array(1 / size)), y)
        coef, of = exact.coef_ / size, {"alpha": model.alpha_, "size": size}
        lowest = naive.objective("log_loss", X.toarray(), y, coef, exact.intercept_, **of)
        assert model.loss_curve_[12] < (1 + 1e-3) * lowest

    @CONTAINERS
    @pytest.mark.parametrize(("kind", "loss"), SMOOTH)
    @pytest.mark.parametrize("name", DATA)
    def test_gap(self, name, kind, loss, container):
        data, scores = self.DATA[name]
        make, y = targets_for(kind, loss, scores)
        model = make(loss=loss).fit(container(data), y)
        lowest, of = self.lowest(name, kind, loss)
        found = naive.objective(loss, data, y, model.coef_, model.intercept_, **of)
        assert found - lowest < (5e-4 if loss in CORNERS else 1e-6) * lowest

    @CONTAINERS
    @pytest.mark.parametrize(
        ("kind", "loss"),
        [(k, name) for k, name in SMOOTH if name not in CORNERS],
    )
    @pytest.mark.parametrize("name", ["more rows", "more features", "copies"])
    def test_gradient(self, name, kind, loss, container):
        """Along random directions, by central differences of the definition."""
        data, scores = self.DATA[name]
        make, y = targets_for(kind, loss, scores)
        model = make(loss=loss).fit(container(data), y)
        size = naive.sizes(data)
        coef, b = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)

        def objective(coef, b):
            return naive.objective(loss, data, y, coef, b, alpha=model.alpha_, size=size)

        def slope(coef, b, way, shift):
            up, down = (objective(coef + s * way, b + s * shift) for s in (1e-6, -1e-6))
            return (up - down) / 2e-6

        generator = np.random.default_rng(3)
        for _ in range(5):
            way, shift = generator.normal(size=coef.shape) / size, generator.normal(size=b.shape)
            length = (way.size + shift.size) ** 0.5
            here = slope(coef, b, way / length, shift / length)
            start = slope(0 * coef, 0 * b, way / length, shift / length)
            assert abs(here) < 0.02 * max(abs(start), 1e-2)

    @CONTAINERS
    def test_tables(self, container):
        """Not behind scikit-learn's minimum on the tables that everybody has."""
        for load in (load_breast_cancer, load_iris):
            data, y = load(return_X_y=True)
            model = GDClassifier().fit(container(data), y)
            size = naive.sizes(data)
            exact = LogisticRegression(C=1 / (model.alpha_ * len(y)), tol=1e-8, max_iter=10_000)
            exact.fit(data / size, y)
            exact.coef_ = exact.coef_ / size
            of = {"alpha": model.alpha_, "size": size}
            found, lowest = (
                naive.objective("log_loss", data, y, m.coef_, m.intercept_, **of)
                for m in (model, exact)
            )
            assert found - lowest < 1e-3 * lowest
        data, y = load_diabetes(return_X_y=True)
        model = GDRegressor().fit(container(data), y)
        size = naive.sizes(data)
        exact = Ridge(model.alpha_ * len(y)).fit(data / size, y)
        np.testing.assert_allclose(model.predict(data), exact.predict(data / size), atol=1e-3 * 77)

    @CONTAINERS
    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_lasso(self, kind, container):
        make, y = targets_for(kind, "")
        loss = "squared_error" if kind == "regressor" else "log_loss"
        model = make(alpha=0.1, l1_ratio=1.0).fit(container(X), y)
        long = make(alpha=0.1, l1_ratio=1.0, optimizer="nesterov", batch_size="full")
        long.set_params(max_iter=10_000, tol=None, schedule="cosine").fit(X, y)
        of = {"alpha": 0.1, "l1_ratio": 1.0, "size": naive.sizes(X)}
        found, lowest = (
            naive.objective(loss, X, y, m.coef_, m.intercept_, **of) for m in (model, long)
        )
        assert found - lowest < 1e-4 * lowest
        np.testing.assert_array_equal(model.coef_ == 0, long.coef_ == 0)

    def test_early_stopping_is_not_behind(self):
        """On data with more features than rows, as on others."""
        for n, d in ((60, 100), (400, 30)):
            data, scores = table(3 * n, d)
            train, test = slice(0, n), slice(n, 3 * n)
            early, long = (
                GDRegressor(early_stopping=early, random_state=0).fit(data[train], scores[train])
                for early in (True, False)
            )
            # A tenth of the rows is missing.
            apart = long.score(data[test], scores[test]) - early.score(data[test], scores[test])
            assert apart < 0.1


class TestSequences:
    """Another fit may have another optimizer."""

    @CONTAINERS
    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_a_stream_after_a_fit(self, kind, container):
        make, y = (GDRegressor, Y) if kind == "regressor" else (GDClassifier, LABELS)
        model = make(random_state=0).fit(container(X), y)
        strength = model.alpha_
        predict = model.predict if kind == "regressor" else model.decision_function
        before = predict(X)
        model.set_params(learning_rate=1e-300)
        for i in range(5):
            model.partial_fit(container(X[i : i + 1]), y[i : i + 1])
            # The rows of the fit still count.
            assert model.alpha_ == pytest.approx(strength * 200 / (201 + i), rel=0.05)
            np.testing.assert_allclose(predict(X), before, rtol=0, atol=1e-9)
        model.set_params(learning_rate="auto")
        for _ in range(60):
            model.partial_fit(container(X), y)
        assert type(model.optimizer_) is ScheduleFreeAdamW
        assert model.score(X, y) > make().fit(X, y).score(X, y) - 0.02

    @CONTAINERS
    def test_a_fit_after_a_stream(self, container):
        model = GDRegressor(warm_start=True, random_state=0)
        for _ in range(3):
            model.partial_fit(container(X), Y)
        model.fit(container(X), Y)
        assert type(model.optimizer_) is LBFGS
        fresh = GDRegressor().fit(X, Y)
        np.testing.assert_allclose(model.predict(X), fresh.predict(X), atol=2e-2)
        assert model.alpha_ == pytest.approx(fresh.alpha_, rel=1e-9)

    @CONTAINERS
    @pytest.mark.parametrize(("kind", "loss"), KINDS)
    def test_warm_start_and_pickles(self, kind, loss, container):
        make, y = targets_for(kind, loss)
        settings = {"loss": loss, "tol": None, "random_state": 0}
        whole = make(max_iter=6, **settings).fit(container(X), y)
        halves = make(max_iter=3, warm_start=True, **settings).fit(container(X), y)
        assert_same_bits(whole, reloaded(halves).fit(container(X), y))

    def test_a_stream_goes_on_after_a_pickle(self):
        model = GDRegressor(random_state=0).fit(X, Y)
        assert_goes_on(model, reloaded(model), X, Y)

    @CONTAINERS
    def test_a_path_of_strengths(self, container):
        model = GDClassifier(warm_start=True, tol=1e-8, max_iter=1000)
        size = naive.sizes(X)
        for alpha in (1.0, 1e-1, 1e-2, 1e-3):
            model.set_params(alpha=alpha).fit(container(X), LABELS)
            exact = LogisticRegression(C=1 / (alpha * 200), tol=1e-10, max_iter=10_000)
            exact.fit(X / size, LABELS)
            np.testing.assert_allclose(model.coef_ * size, exact.coef_, rtol=0, atol=1e-3)

    @CONTAINERS
    @pytest.mark.parametrize(("kind", "loss"), KINDS)
    def test_early_stopping(self, kind, loss, container):
        make, y = targets_for(kind, loss)
        model = make(loss=loss, early_stopping=True, random_state=0).fit(container(X), y)
        curve = model.validation_loss_curve_
        assert len(curve) == model.n_iter_ and min(curve) <= curve[0]
        # The model is the one of the lowest loss.
        short = make(loss=loss, early_stopping=True, random_state=0, tol=None)
        short.set_params(max_iter=int(np.argmin(curve)) + 1).fit(container(X), y)
        np.testing.assert_array_equal(model.coef_, short.coef_)


STRENGTHS = ["auto", "0.1 * auto", "10 * auto", 1e-4, 1e-3, 1e-2, 0.1, 1.0]


class TestSearch:
    @CONTAINERS
    @pytest.mark.parametrize(
        ("kind", "loss", "n", "d"),
        [
            ("regressor", "squared_error", 200, 6),
            ("regressor", "huber", 600, 6),
            ("classifier", "log_loss", 600, 6),
        ],
    )
    def test_strengths_share_a_pass(self, kind, loss, n, d, container, monkeypatch):
        data, scores = table(n, d)
        make, y = targets_for(kind, loss, scores)
        lanes = count_lanes(monkeypatch)
        search = GDGridSearchCV(make(loss=loss), {"alpha": STRENGTHS}, cv=4, refit=False)
        search.fit(container(data), y)
        # Those of a smooth loss follow each other.
        assert lanes == ([8] * 4 if loss == "huber" else [1] * 32)

    @pytest.mark.parametrize(
        ("kind", "loss", "n", "d"),
        [
            ("regressor", "squared_error", 150, 6),
            ("regressor", "huber", 600, 6),
            ("regressor", "huber", 150, 6),
            ("classifier", "log_loss", 600, 6),
            ("classifier", "log_loss", 40, 60),
        ],
    )
    def test_same_scores_as_by_single_fits(self, kind, loss, n, d):
        data, scores = table(n, d)
        make, y = targets_for(kind, loss, scores)
        model = make(loss=loss, random_state=0, max_iter=15, tol=None)
        both(model, {"alpha": STRENGTHS}, data, y, cv=3)
        both(model, {"alpha": STRENGTHS}, sp.csr_array(data), y, cv=2)

    def test_candidates_with_other_optimizers(self):
        """A learning rate or a lasso is trained in another way, beside the others."""
        model = GDRegressor(random_state=0, max_iter=10, tol=None)
        grid = {"learning_rate": ["auto", 0.1], "l1_ratio": [0.0, 0.5], "alpha": [0.0, 0.1]}
        both(model, grid, X, Y, cv=3)
        for rate, l1_ratio in itertools.product(*[grid["learning_rate"], grid["l1_ratio"]]):
            search = GDGridSearchCV(model, {"learning_rate": [rate], "l1_ratio": [l1_ratio]}, cv=2)
            alone = clone(model).set_params(learning_rate=rate, l1_ratio=l1_ratio).fit(X, Y)
            found = search.fit(X, Y).best_estimator_
            assert repr(found.optimizer_) == repr(alone.optimizer_)
            assert_same_bits(found, alone)

    def test_names_beside_auto(self):
        grid = {"optimizer": ["auto", "adam", "lbfgs", "sgd"]}
        both(GDClassifier(max_iter=10, tol=None, random_state=0), grid, X, LABELS, cv=3, alone=0)
        search = GridSearchCV(GDClassifier(), {"optimizer": ["auto"]}, cv=2).fit(X, LABELS)
        assert type(search.best_estimator_.optimizer_) is LBFGS


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_a_stream_after_a_fit_keeps_what_the_fit_has_found(rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 6))
    y = X @ rng.normal(size=6) + rng.normal(size=4000)
    model = GDRegressor(random_state=0).fit(X[:2000], y[:2000])
    fitted = model.score(X, y)
    for i in range(2000, 2000 + 20 * rows, rows):
        model.partial_fit(X[i : i + rows], y[i : i + rows])
        assert model.score(X, y) > fitted - 0.02


def test_one_failed_trial_costs_one_evaluation(monkeypatch):
    """The step after it is looked ahead at as any other: its first trial is good again."""
    without_ascent(monkeypatch)
    found = []
    for seed in range(20):
        curve = GDClassifier().fit(*words(400, 1200, 2, seed)).evaluation_curve_
        found += [after for before, after in zip(curve[1:], curve[2:], strict=False) if before > 1]
    assert found and found == [1] * len(found)
