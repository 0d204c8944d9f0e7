"""Unusual data and unusual use; each of these cases failed once."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss

from helpers.assertions import naming
from helpers.runs import run_of, steps_in_average
from sk_gd import GDClassifier, GDRegressor, check_gradient, losses, optimizers, schedules

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))
Y = X @ [1.0, 2, 3, 4] + 1 + 0.1 * RNG.normal(size=600)
OTHER = X @ [-4.0, 3, -2, 1] + 50
LABELS = np.digitize(X[:, 0], [-1, 1])
TRAIN, REST = slice(0, 400), slice(400, 600)
SETTINGS = {"tol": None, "random_state": 0}
# What the estimators choose on mini-batches.
MINI_BATCH = optimizers.get("auto")


def locked(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


class TestArrays:
    @pytest.mark.parametrize(("kind", "y"), [(GDRegressor, Y), (GDClassifier, LABELS)])
    def test_read_only(self, kind, y):
        """Arrays may be read-only, as the columns of a dataframe are."""
        weight = np.linspace(0.5, 1.5, 600)
        some = X[TRAIN], y[TRAIN], weight[TRAIN]
        rest = {"X_val": X[REST], "y_val": y[REST], "sample_weight_val": weight[REST]}
        expected = kind(**SETTINGS).fit(*some, **rest)
        rest = {name: locked(array) for name, array in rest.items()}
        model = kind(**SETTINGS).fit(*map(locked, some), **rest)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        assert model.validation_loss_curve_ == expected.validation_loss_curve_
        found = check_gradient(kind(), locked(X), locked(y), random_state=0)
        assert found.error < 1e-6

    @pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
    def test_entries_of_sparse_rows_that_add_up(self, precondition):
        """Duplicate entries, as from counting terms, are summed, and X does not change."""
        terms = RNG.integers(0, 20, (300, 60))
        ends = np.arange(0, terms.size + 1, 60)
        counted = sp.csr_array((np.ones(terms.size), terms.ravel(), ends), shape=(300, 20))
        y = counted @ RNG.normal(size=20)
        added = counted.copy()
        added.sum_duplicates()
        model = GDRegressor(precondition=precondition, **SETTINGS)
        coef = clone(model).fit(counted, y, X_val=counted, y_val=y).coef_
        np.testing.assert_array_equal(coef, model.fit(added, y, X_val=added, y_val=y).coef_)
        assert counted.nnz == terms.size

    @pytest.mark.parametrize("dtype", [np.int32, np.int64])
    def test_sparse_rows_that_are_not_sorted(self, dtype):
        """The order of the entries, which text vectorisers do not sort, does not matter."""
        ordered = sp.csr_array(X * (RNG.random(X.shape) < 0.7))
        places = [RNG.permutation(row) for row in np.split(np.arange(ordered.nnz), ordered.indptr)]
        places = np.concatenate(places)
        other = sp.csr_array(ordered.shape)
        other.data, other.indices = ordered.data[places], ordered.indices[places].astype(dtype)
        other.indptr = ordered.indptr.astype(dtype)
        before = other.indices.copy()
        assert not other.has_sorted_indices
        model = GDClassifier("adam", random_state=0, max_iter=5, tol=None)
        coef = clone(model).fit(other, LABELS).coef_
        np.testing.assert_allclose(coef, model.fit(ordered, LABELS).coef_, rtol=1e-9)
        np.testing.assert_array_equal(other.indices, before)

    @pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
    @pytest.mark.parametrize("name", ["X", "y"])
    def test_squares_that_overflow(self, name, precondition):
        data = {"X": X, "y": Y}
        data[name] = data[name] * 1e160
        model = GDRegressor(precondition=precondition)
        with pytest.raises(ValueError, match=rf"(?s)\b{name}\b.*large"):
            model.fit(**data)
        assert not hasattr(model, "coef_")

    def test_weights_whose_sum_overflows(self):
        heavy = np.full(600, 1e308)
        given = GDRegressor(alpha=0.1, **SETTINGS).fit(X, Y, sample_weight=heavy)
        plain = GDRegressor(alpha=0.1, **SETTINGS).fit(X, Y)
        np.testing.assert_allclose(given.coef_, plain.coef_, rtol=1e-12)
        # As many rows need no prior.
        automatic = GDRegressor(**SETTINGS).fit(X, Y, sample_weight=heavy)
        assert 0 < automatic.alpha_ < 1e-200
        free = LinearRegression().fit(X, Y)
        np.testing.assert_allclose(automatic.coef_, free.coef_, rtol=1e-7)

    def test_a_row_without_weight_may_be_any_number(self):
        far, weight = X.copy(), np.ones(600)
        far[0], weight[0] = 1e200, 0
        for batch_size in (1, 32, "full"):
            model = GDRegressor(
                "sgd", batch_size=batch_size, shuffle=False, max_iter=50, **SETTINGS
            )
            assert model.fit(far, Y, sample_weight=weight).score(X[1:], Y[1:]) > 0.99

    def test_single_precision_of_odd_units(self):
        """The frequency of light from its energy: the coefficient is 1 / Planck's constant."""
        frequency = RNG.uniform(4e14, 8e14, 500)
        energy = (6.62607015e-34 * frequency).astype(np.float32)[:, None]
        for optimizer in ("auto", "lbfgs"):
            model = GDRegressor(optimizer, alpha=0, random_state=0, max_iter=200)
            assert model.fit(energy, frequency).score(energy, frequency) > 0.999


def test_a_column_twice_does_not_drift():
    """Two equal columns: along their difference there is only rounding, which must not add up."""
    for seed in (3, 7, 11, 19):
        rng = np.random.default_rng(seed)
        twice = rng.normal(size=(400, 4))
        y = twice @ [1.0, 2, 3, 4] + rng.normal(size=400)
        twice[:, 1] = twice[:, 0]
        model = GDRegressor("lbfgs", alpha=0, max_iter=2000, tol=None).fit(twice, y)
        exact = LinearRegression().fit(twice, y)
        np.testing.assert_allclose(model.predict(twice), exact.predict(twice), atol=1e-6)


class TestRowsWithoutWeight:
    """They may have any numbers: the model is that of the other rows."""

    WEIGHT = np.arange(100) % 5 > 0
    COUNT = np.flatnonzero(WEIGHT)
    LARGEST = np.finfo(float).max

    def test_validation(self):
        X_val, y_val = X[400:500].copy(), Y[400:500].copy()
        X_val[~self.WEIGHT] = y_val[~self.WEIGHT] = self.LARGEST
        model = GDRegressor("adam", max_iter=20, **SETTINGS)
        some = {"X_val": X_val[self.COUNT], "y_val": y_val[self.COUNT]}
        expected = clone(model).fit(X[:100], Y[:100], **some)
        given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": self.WEIGHT}
        model.fit(X[:100], Y[:100], **given)
        loss, score = model.validation_loss_curve_, model.validation_scores_
        np.testing.assert_allclose(loss, expected.validation_loss_curve_, rtol=1e-12)
        np.testing.assert_allclose(score, expected.validation_scores_, rtol=1e-12)

    @pytest.mark.parametrize("batch_size", ["full", 10])
    @pytest.mark.parametrize("optimizer", ["auto", "adam", "armijo"])
    def test_training(self, optimizer, batch_size):
        strange = np.where(self.WEIGHT, Y[:100], self.LARGEST)
        model = GDRegressor(optimizer, batch_size=batch_size, max_iter=5, **SETTINGS)
        expected = clone(model).fit(X[:100], Y[:100], self.WEIGHT)
        model.fit(X[:100], strange, self.WEIGHT)
        np.testing.assert_array_equal(model.coef_, expected.coef_)


class TestAnotherFit:
    """A warm start on another problem keeps the weights, and begins everything else anew."""

    @pytest.mark.parametrize(("optimizer", "steps"), [(MINI_BATCH, 13), ("auto", 1)])
    @pytest.mark.parametrize("watched", [True, False])
    def test_other_targets(self, watched, optimizer, steps):
        # To targets so far away the weights swing.
        model = GDRegressor(optimizer, warm_start=True, n_iter_no_change=10, random_state=0)
        for y in (Y, OTHER):
            given = {"X_val": X[REST], "y_val": y[REST]} if watched else {}
            model.fit(X[TRAIN], y[TRAIN], **given)
        assert model.score(X[REST], OTHER[REST]) > 0.95
        assert model.t_ == model.n_iter_ * steps  # both continue

    def test_a_path_of_penalties(self):
        settings = {"scale_penalty": False, "tol": 1e-7, "max_iter": 1000}
        model = GDClassifier("lbfgs", warm_start=True, **settings)
        y = LABELS > 0
        for alpha in (1e-3, 1e-2, 0.1, 1):
            model.set_params(alpha=alpha).fit(X, y)
            exact = LogisticRegression(C=1 / (alpha * len(y)), tol=1e-10).fit(X, y)
            np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-5)

    def test_after_a_stream(self):
        model = GDRegressor(warm_start=True, random_state=0)
        for _ in range(30):
            model.partial_fit(X, OTHER)
        assert model.fit(X, Y).score(X, Y) > 0.99

    def test_other_columns_of_the_same_sum(self):
        codes = RNG.integers(0, 3, (400, 3)).astype(float)
        y = codes @ [3.0, 0, 0]
        model = GDRegressor("adam", warm_start=True, random_state=0)
        for data in (codes, codes[:, ::-1].copy()):
            model.fit(data, y, X_val=data, y_val=y)
        assert model.score(data, y) > 0.99

    def test_other_rows_in_between(self):
        options = {"learning_rate": 1e-3, "precondition": None, "warm_start": True}
        model = GDRegressor("sgd", max_iter=3, tol=None, random_state=0, **options).fit(X, Y)
        model.partial_fit(0 * X, 0 * Y)
        model.set_params(max_iter=300, tol=1e-2).fit(X, Y)
        assert model.score(X, Y) > 0.99

    def test_schedule_and_average_begin_anew(self):
        multipliers, steps = [], []

        class Watching(optimizers.SGD):
            def step(self, w, g, lr, state):
                multipliers.append(lr)
                w -= lr * g

        options = {"learning_rate": 0.1, "schedule": "cosine", "average": 4} | SETTINGS
        model = GDRegressor(Watching(), max_iter=5, batch_size="full", warm_start=True, **options)
        for y in (Y, OTHER):
            steps.append(steps_in_average(run_of(model.fit(X, y))))
        np.testing.assert_array_equal(multipliers[5:], multipliers[:5])
        assert steps[0] == steps[1] == 2

    def test_the_same_fit_goes_on(self):
        """On the same problem the best validation loss so far still counts."""
        options = {"early_stopping": True, "warm_start": True, "max_iter": 5} | SETTINGS
        model = GDRegressor("sgd", batch_size=1, learning_rate=0.05, **options)
        model.fit(X, Y).fit(X, Y)
        whole = clone(model).set_params(max_iter=10).fit(X, Y)
        np.testing.assert_array_equal(model.coef_, whole.coef_)

    def test_an_optimizer_that_cannot_be_pickled(self):
        class Through(optimizers.Optimizer):
            default_rate = 0.01

            def __init__(self, function=None):
                self.function = function

            def init(self, w):
                return {"steps": np.zeros(1)}

            def step(self, w, g, lr, state):
                state["steps"] += 1
                w -= lr * self.function(g) / state["steps"]

        model = GDRegressor(Through(lambda g: np.sign(g)), batch_size=100)
        assert model.partial_fit(X, Y).partial_fit(X, Y).t_ == 12


@pytest.mark.parametrize("rows", [1, 2, 5, 20])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "heavy_ball", "nesterov", "svrg"])
def test_streams_of_a_few_rows_at_a_time(optimizer, rows):
    """The automatic rate must suit the whole stream, not only the current chunk."""
    noisy = Y + RNG.normal(size=600)
    model = GDRegressor(optimizer, random_state=0)
    for begin in range(0, min(600, 300 * rows), rows):  # a call for each row would take long
        model.partial_fit(X[begin : begin + rows], noisy[begin : begin + rows])
    assert model.score(X, noisy) > 0.9 * Ridge().fit(X, noisy).score(X, noisy)


class TestBalancedClasses:
    def test_a_class_that_validation_lacks(self):
        """Validation rows have the class weights of the training data."""
        there = LABELS[REST] > 0
        rest = X[REST][there], LABELS[REST][there]
        model = GDClassifier(class_weight="balanced", max_iter=5, **SETTINGS)
        model.fit(X[TRAIN], LABELS[TRAIN], X_val=rest[0], y_val=rest[1])
        share = np.bincount(LABELS[TRAIN])
        weight = 1 / share[rest[1]]
        found = model.predict_proba(rest[0])
        expected = log_loss(rest[1], found, labels=[0, 1, 2], sample_weight=weight)
        assert min(model.validation_loss_curve_) == pytest.approx(expected, rel=1e-12)

    def test_a_class_without_weight(self):
        weight = (LABELS > 0).astype(float)
        model = GDClassifier(class_weight="balanced", **SETTINGS)
        model.fit(X, LABELS, sample_weight=weight)
        there = LABELS > 0
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.score(X[there], LABELS[there]) > 0.95

    def test_a_class_that_later_rows_lack(self):
        model = GDClassifier(class_weight="balanced", warm_start=True, **SETTINGS)
        there = LABELS > 0
        model.fit(X, LABELS).fit(X[there], LABELS[there])
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.score(X[there], LABELS[there]) > 0.95


@pytest.mark.parametrize("clip", [optimizers.ClipNorm, optimizers.ClipValue])
def test_clipping_gradients_whose_squares_overflow(clip):
    def cosh(x):
        return np.cosh(x[0]), np.array([np.sinh(x[0])])

    found = minimize(
        cosh, [400.0], jac=True, method=clip("sgd"), options={"learning_rate": 1.0, "max_iter": 500}
    )
    assert abs(found.x[0]) < 1e-12


class TestSubclasses:
    """Methods that a subclass defines are the ones that are used."""

    def test_of_an_optimizer(self):
        class Signed(optimizers.Adam):
            def step(self, w, g, lr, state):
                w -= lr * np.sign(g)

        options = {"learning_rate": 0.01, "max_iter": 1, "precondition": None} | SETTINGS
        model = GDRegressor(Signed(), batch_size="full", **options).fit(X, Y)
        np.testing.assert_allclose(np.abs(model.coef_), 0.01, rtol=1e-14)

    def test_of_an_optimizer_with_another_base(self):
        class Signed:
            def step(self, w, g, lr, state):
                w -= lr * np.sign(g)

        class SignedAdam(Signed, optimizers.Adam):
            pass

        options = {"learning_rate": 0.01, "max_iter": 1, "precondition": None} | SETTINGS
        model = GDRegressor(SignedAdam(), batch_size="full", **options).fit(X, Y)
        np.testing.assert_allclose(np.abs(model.coef_), 0.01, rtol=1e-14)

    def test_of_a_loss(self):
        class Cubic(losses.Huber):
            def value(self, y, p):
                return np.abs(y - p) ** 3

            def gradient(self, y, p):
                return np.zeros_like(p)

        assert check_gradient(Cubic(), X, Y, random_state=0).error > 0.9

    def test_of_a_schedule_without_a_formula(self):
        class Nothing(schedules.Schedule):
            pass

        with pytest.raises(TypeError, match=naming("Nothing", "multiplier(epochs, horizon)")):
            GDRegressor(schedule=Nothing()).fit(X, Y)

    def test_of_an_optimizer_that_changes_nothing(self):
        class Rebinding(optimizers.Optimizer):
            default_rate = 0.1

            def step(self, w, g, lr, state):
                w = w - lr * g

        with pytest.warns(UserWarning, match=naming("Rebinding.step", "w", "in place")):
            GDRegressor(Rebinding(), **SETTINGS).fit(X, Y)

    @pytest.mark.parametrize("every", [2, 1000], ids=["gathers", "changes nothing"])
    def test_of_an_optimizer_with_a_state_that_changes_nothing_at_first(self, every):
        """Steps may gather gradients, but not forever."""

        class Gathering(optimizers.Optimizer):
            default_rate = 0.1

            def init(self, w):
                return {"sum": np.zeros_like(w), "steps": 0}

            def step(self, w, g, lr, state):
                state["sum"] += g
                state["steps"] += 1
                if state["steps"] % every == 0:
                    w -= lr * state["sum"] / every
                    state["sum"][:] = 0

        model = GDRegressor(Gathering(), batch_size="full", max_iter=20, tol=None)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, Y)
        words = [str(each.message) for each in caught if "in place" in str(each.message)]
        assert len(words) == (every > 20)
        assert all("Gathering.step" in each for each in words)

    def test_of_an_optimizer_near_the_minimum(self):
        """Its steps there are too short to change a digit."""

        class Plain(optimizers.Optimizer):
            def step(self, w, g, lr, state):
                w -= lr * g

        model = GDRegressor(Plain(), batch_size="full", warm_start=True, max_iter=300, tol=None)
        for _ in range(2):
            model.fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("optimizer__beta_1", optimizers.ClipNorm("adam"), None),
        (
            "optimizer__optimizer__beta_1",
            optimizers.ClipNorm("adam"),
            "optimizer__optimizer='adam'",
        ),
        ("optimizer__beta_1", "adam", "optimizer='adam'"),
        ("schedule__then__final", schedules.Warmup(then="cosine"), "schedule__then='cosine'"),
    ],
)
def test_parameters_of_names(name, value, path):
    model = GDRegressor(**{name.split("__")[0]: value})
    words = naming(f"'{name}'", path, ".get(") if path else name.rpartition("__")[2]
    with pytest.raises(ValueError, match=words):
        model.set_params(**{name: 0.5})


@pytest.mark.parametrize(("kind", "y"), [(GDRegressor, [0.5]), (GDClassifier, [0, 1, 1])])
def test_too_few_rows_to_hold_any_out(kind, y):
    words = naming("early_stopping", "validation_fraction=0.1", len(y))
    with pytest.raises(ValueError, match=words):
        kind(early_stopping=True).fit(X[: len(y)], y)


def test_a_label_of_one_row_cannot_be_held_out():
    y = np.array(["ant"] + ["bee"] * 29)
    with pytest.raises(ValueError, match=naming("early_stopping", "of one row", "['ant']")):
        GDClassifier(early_stopping=True).fit(np.eye(30), y)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (optimizers.RMSprop(epsilon_in_sqrt="no"), "epsilon_in_sqrt.*RMSprop.*True or False.*'no'"),
        (optimizers.Adam(epsilon_in_sqrt=1), "epsilon_in_sqrt.*Adam.*True or False.*1"),
        (optimizers.AdaBelief(rectify=[1]), "rectify.*AdaBelief.*True or False"),
        (optimizers.Prodigy(bias_correction="False"), "bias_correction.*Prodigy.*'False'"),
        (optimizers.Rprop(step_min=100), r"step_min.*Rprop.*\[0, .*100"),
    ],
)
def test_parameters_that_mean_something_else(optimizer, words):
    with pytest.raises(ValueError, match=words):
        GDRegressor(optimizer).fit(X, Y)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("y", [Y, np.column_stack([Y, -Y])], ids=["flat", "two outputs"])
def test_sparse_coefficients_and_data_of_another_type(y, container):
    model = GDRegressor(**SETTINGS).fit(X, y)
    single = X.astype(np.float32)
    expected = model.predict(single.astype(float))
    found = model.sparsify().predict(container(single))
    assert type(found) is np.ndarray and found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_sparse_coefficients_made_sparse():
    model = GDRegressor(**SETTINGS).fit(X, Y)
    expected = model.predict(X)
    np.testing.assert_allclose(model.sparsify().sparsify().predict(X), expected, rtol=1e-11)
    np.testing.assert_array_equal(model.densify().densify().predict(X), expected)
