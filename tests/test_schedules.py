"""Schedules: torch's and published values, what holds for all of them, and training with them."""

import math
import pickle
import warnings
from fractions import Fraction

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from helpers.assertions import assert_same_bits, naming
from helpers.records import load
from helpers.runs import (
    epoch,
    finish_epoch,
    make_data,
    make_run,
    multipliers,
    rule_of,
    run_of,
    set_schedule,
)
from sk_gd import GDClassifier, GDRegressor, optimizers, schedules
from sk_gd.schedules import (
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    InverseTime,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    Warmup,
)

TORCH = load("torch_schedules")

# Every class with its defaults, and with other values of all its parameters.
INSTANCES = [
    *map(schedules.get, schedules.names()),
    Step(step_size=3, gamma=0.5),
    Exponential(gamma=0.8),
    InverseTime(decay=0.3),
    Polynomial(power=2.5, final=0.1),
    Cosine(final=0.2),
    CosineRestarts(T_0=2, T_mult=3, final=0.05),
    Cyclic(base=0.1, step_size_up=1.5, step_size_down=3, gamma=0.5),
    OneCycle(pct_start=0.5, div_factor=4, final_div_factor=10),
    Warmup(epochs=2, start_factor=0, then=Polynomial(power=2)),
    Warmup(epochs=1, then=Warmup(epochs=2, then=Plateau(patience=0))),
    Plateau(factor=0.5, patience=1, threshold=0.01, cooldown=2, final=0.1),
]
# What happens depends on how long training is to be.
OF_THE_HORIZON = (Polynomial, Cosine, OneCycle)
# optax's values were published as it computes, in single precision: the last two bits of it.
SINGLE = 2 * np.finfo(np.float32).eps
LOSSES = [5.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0, -1.0, -1.0, -1.0, -1.0, -1.0]


def in_training(schedule, times, horizon, losses):
    """The multipliers as they come to be: each time knows the epochs that are over, no more."""
    return np.array([float(schedule.after(losses[: int(time)])(time, horizon)) for time in times])


def all_instances(test):
    return pytest.mark.parametrize("schedule", INSTANCES, ids=repr)(test)


class TestValues:
    @pytest.mark.parametrize(
        "case", TORCH["cases"], ids=lambda case: f"{case['schedule']}-{case['parameters']}"
    )
    def test_torch(self, case):
        schedule = getattr(schedules, case["schedule"])(**case["parameters"])
        times = np.arange(len(case["rates"])) / TORCH["per_epoch"]
        np.testing.assert_allclose(
            schedule(times, case["horizon"]), case["rates"], rtol=1e-12, atol=1e-14
        )

    def test_torch_knows_all_but_one(self):
        classes = {type(schedules.get(name)).__name__ for name in schedules.names()}
        recorded = {case["schedule"] for case in TORCH["cases"]}
        assert classes - recorded == {"InverseTime", "Plateau"}

    @pytest.mark.parametrize("case", TORCH["plateaus"], ids=lambda case: str(case["parameters"]))
    def test_torch_plateau(self, case):
        plateau = Plateau(**case["parameters"])
        assert len(set(case["rates"])) > 5
        times = np.arange(len(case["rates"]))
        rates = in_training(plateau, times, 10, TORCH["losses"])
        np.testing.assert_allclose(rates, case["rates"], rtol=1e-12)

    def test_optax_cosine(self):
        """The published cosine has an exponent, here two."""
        published = [0.1, 0.0951655358, 0.025, 0.00214466127, 0.0]
        values = 0.1 * Cosine()([0, 10, 50, 75, 100], 100) ** 2
        np.testing.assert_allclose(values, published, rtol=SINGLE, atol=1e-12)

    def test_optax_warmup_cosine(self):
        """From 0.2 to 1.21 in 50 steps, to -3 at 100: a map of the square; horizons agree."""
        warmup = Warmup(epochs=50, start_factor=0.2 / 1.21, then="cosine")
        np.testing.assert_allclose(1.21 * warmup([0, 10, 50], 100), [0.2, 0.402, 1.21])
        square = warmup([50, 75, 100], 100) ** 2
        np.testing.assert_allclose(-3 + 4.21 * square, [1.21, -1.9475002, -3], rtol=SINGLE)

    def test_keras_exponential(self):
        """ExponentialDecay's own test: half a period at a rate of 0.96."""
        assert 0.05 * Exponential(gamma=0.96)(0.5, 1) == pytest.approx(0.05 * math.sqrt(0.96))

    def test_inverse_time(self):
        """Exact fractions; keras' InverseTimeDecay at 20 steps of 10 with a rate of 0.96."""
        decay = Fraction(1, 4)
        exact = [float(1 / (1 + decay * e)) for e in range(9)]
        np.testing.assert_allclose(InverseTime(decay=0.25)(range(9), 5), exact, rtol=1e-15)
        assert InverseTime(decay=0.96)(2.0, 1) == pytest.approx(1 / 2.92)

    def test_restart_is_a_beginning_wherever_it_is(self):
        """A logarithm of 243 to the base of three is less than five in floating point."""
        times = np.cumsum(3.0 ** np.arange(20))
        np.testing.assert_array_equal(CosineRestarts(T_0=1, T_mult=3)(times, 10), 1)
        assert math.log(243, 3) < 5

    def test_plateau_of_negative_losses(self):
        """A likelihood may be negative; one that stands still is no improvement, however little."""
        plateau = Plateau(factor=0.5, patience=0, threshold=0.1)
        stalled = in_training(plateau, [1, 2, 3], 9, [-1.0, -1.0, -1.0])
        np.testing.assert_array_equal(stalled, [1, 0.5, 0.25])
        falling = in_training(plateau, [1, 2, 3], 9, [-1.0, -1.2, -1.4])
        np.testing.assert_array_equal(falling, 1)

    def test_plateau_begins_where_the_loss_is_known(self):
        losses = [math.nan] * 4 + [2.0] * 3
        multipliers = in_training(Plateau(factor=0.5, patience=0), range(8), 9, losses)
        np.testing.assert_array_equal(multipliers, [1, 1, 1, 1, 1, 1, 0.5, 0.25])

    def test_plateau_after_a_warm_up(self):
        """Losses of the warm-up do not count, in however many parts it is."""
        stall = [1.0] * 9
        plateau = Plateau(factor=0.5, patience=1)
        alone = in_training(plateau, range(10), 9, stall)
        assert list(alone[:4]) == [1, 1, 1, 0.5]
        for warmup in (
            Warmup(epochs=3, start_factor=1, then=plateau),
            # The third epoch has steps of the warm-up in it, too.
            Warmup(epochs=2.5, start_factor=1, then=plateau),
            Warmup(epochs=2, start_factor=1, then=Warmup(epochs=1, start_factor=1, then=plateau)),
        ):
            multipliers = in_training(warmup, range(10), 9, stall)
            np.testing.assert_array_equal(multipliers, [1, 1, 1, *alone[:7]])


class TestEverySchedule:
    @all_instances
    @pytest.mark.parametrize("horizon", [1, 7, 100])
    def test_multipliers(self, schedule, horizon):
        """Shares of the learning rate, within the horizon and far beyond."""
        times = np.concatenate([np.linspace(0, 3 * horizon, 301), [1e3, 1e6]])
        values = schedule.after(LOSSES)(times, horizon)
        assert values.dtype == float and values.shape == times.shape
        assert np.all(values >= 0) and np.all(values <= 1)
        assert not np.shares_memory(values, times)

    @all_instances
    def test_vectorised(self, schedule):
        """An array is its elements; the last digit is for the vector units of the processor."""
        schedule = schedule.after(LOSSES)
        times = np.linspace(0, 25, 101)
        one_by_one = [float(schedule(float(time), 20)) for time in times]
        np.testing.assert_allclose(schedule(times, 20), one_by_one, rtol=1e-14, atol=1e-16)
        grid = schedule(times[:100].reshape(4, 25), 20)
        np.testing.assert_allclose(grid.ravel(), one_by_one[:100], rtol=1e-14, atol=1e-16)
        np.testing.assert_array_equal(schedule([0, 1, 2], 20), schedule(np.arange(3.0), 20))
        assert schedule(np.array([]), 20).shape == (0,)

    @all_instances
    def test_beginning(self, schedule):
        first = {Cyclic: "base", Warmup: "start_factor"}
        if isinstance(schedule, OneCycle):
            expected = 1 / schedule.div_factor
        else:
            expected = getattr(schedule, first.get(type(schedule), ""), 1.0)
        # Within a warm-up is another here.
        inner = getattr(schedule, "then", None)
        expected *= getattr(inner, "start_factor", 1.0)
        assert schedule(0.0, 20) == pytest.approx(expected, rel=1e-15)

    @all_instances
    def test_only_some_know_the_horizon(self, schedule):
        times = np.linspace(0, 30, 50)
        same = np.array_equal(schedule(times, 10), schedule(times, 20))
        then = getattr(schedule, "then", schedule)
        assert same != isinstance(then, OF_THE_HORIZON)

    @all_instances
    def test_stays_where_the_horizon_ends(self, schedule):
        then = schedules.get(getattr(schedule, "then", schedule))
        if isinstance(then, OF_THE_HORIZON):
            assert np.ptp(schedule([20, 20.5, 21, 1e5], 20)) == 0
            assert schedule(20, 20) == schedule(np.linspace(0, 50, 500), 20).min()

    @all_instances
    def test_reaction_leaves_no_trace(self, schedule):
        before = joblib.hash(schedule)
        first = schedule.after(LOSSES[:7])
        of_first = joblib.hash(first)
        first.after(LOSSES[7:])(np.arange(20.0), 20)
        assert joblib.hash(schedule) == before
        assert joblib.hash(first) == of_first

    @all_instances
    def test_losses_at_once_or_one_by_one(self, schedule):
        times = np.linspace(15, 25, 11)
        expected = schedule.after(LOSSES)(times, 20)
        for loss in LOSSES:
            schedule = pickle.loads(pickle.dumps(schedule.after([loss])))
        np.testing.assert_array_equal(schedule(times, 20), expected)
        np.testing.assert_array_equal(schedule.after([])(times, 20), expected)

    @all_instances
    def test_copies(self, schedule):
        times = np.linspace(0, 25, 40)
        values = schedule.after(LOSSES)(times, 20)
        again = eval(repr(schedule), vars(schedules))
        for other in (clone(schedule), pickle.loads(pickle.dumps(schedule)), again):
            assert other is not schedule and repr(other) == repr(schedule)
            np.testing.assert_array_equal(other.after(LOSSES)(times, 20), values)

    @all_instances
    def test_set_params(self, schedule):
        fresh = type(schedule)().set_params(**schedule.get_params(deep=False))
        assert joblib.hash(fresh) == joblib.hash(schedule)

    @all_instances
    def test_checks_itself(self, schedule):
        schedule.check()

    def test_nested_parameters(self):
        schedule = Warmup(then=Warmup(then=Cosine()))
        schedule.set_params(then__then__final=0.5, then__epochs=1, epochs=2)
        assert schedule.then.then.final == 0.5
        assert repr(schedule) == "Warmup(epochs=2, then=Warmup(epochs=1, then=Cosine(final=0.5)))"
        assert schedule(100, 10) == 0.5


BAD = {
    (Step, "step_size"): (0, r"\(0, inf\)"),
    (Step, "gamma"): (1.5, r"\(0, 1\]"),
    (Exponential, "gamma"): (0, r"\(0, 1\]"),
    (InverseTime, "decay"): (-0.1, r"\[0, inf\)"),
    (Polynomial, "power"): (0, r"\(0, inf\)"),
    (Polynomial, "final"): (-1, r"\[0, 1\]"),
    (Cosine, "final"): (1.01, r"\[0, 1\]"),
    (CosineRestarts, "T_0"): (math.inf, r"\(0, inf\)"),
    (CosineRestarts, "T_mult"): (0.5, r"\[1, inf\)"),
    (CosineRestarts, "final"): (math.nan, r"\[0, 1\]"),
    (Cyclic, "base"): (2, r"\[0, 1\]"),
    (Cyclic, "step_size_up"): (None, r"\(0, inf\)"),
    (Cyclic, "step_size_down"): (0, r"\(0, inf\)"),
    (Cyclic, "gamma"): (0, r"\(0, 1\]"),
    (OneCycle, "pct_start"): (1.0, r"\(0, 1\)"),
    (OneCycle, "div_factor"): (0.5, r"\[1, inf\)"),
    (OneCycle, "final_div_factor"): ("1e4", r"\[1, inf\)"),
    (Warmup, "epochs"): (0, r"\(0, inf\)"),
    (Warmup, "start_factor"): (True, r"\[0, 1\]"),
    (Warmup, "then"): ("cosin", r"Did you mean 'cosine'"),
    (Plateau, "factor"): (1, r"\(0, 1\)"),
    (Plateau, "patience"): (2.5, "an integer of at least 0"),
    (Plateau, "threshold"): (1, r"\[0, 1\)"),
    (Plateau, "cooldown"): (-1, "an integer of at least 0"),
    (Plateau, "final"): (2, r"\[0, 1\]"),
}


class TestErrors:
    def test_every_parameter_has_a_bad_value(self):
        parameters = {
            (type(schedule), name)
            for schedule in map(schedules.get, schedules.names())
            for name in schedule.get_params(deep=False)
        }
        assert parameters == set(BAD)

    @pytest.mark.parametrize("cls, name", BAD, ids=[f"{cls.__name__}.{name}" for cls, name in BAD])
    def test_bad_parameter(self, cls, name):
        value, allowed = BAD[cls, name]
        schedule = cls(**{name: value})
        words = f"'{name}' parameter of {cls.__name__}.*{allowed}.*"
        words += "" if name == "then" else f"Got {value!r} instead"
        with pytest.raises(ValueError, match=words):
            schedule.check()
        with pytest.raises(ValueError, match=words):
            Warmup(then=schedule).check()
        with pytest.raises(ValueError, match=words):
            GDRegressor(schedule=schedule).fit(X, TARGET)

    @pytest.mark.parametrize(
        "name, near",
        [("warm_up", "warmup"), ("onecycle", "one_cycle"), ("plateu", "plateau")],
    )
    def test_unknown_name(self, name, near):
        with pytest.raises(ValueError, match=f"(?s)'{name}'.*'{near}'.*'cyclic'"):
            schedules.get(name)

    @pytest.mark.parametrize("value", [Cosine, int])
    def test_class_in_place_of_an_instance(self, value):
        with pytest.raises(TypeError, match=naming("instance", value.__name__)):
            schedules.get(value)
        with pytest.raises(TypeError, match=naming("'then'", value.__name__)):
            Warmup(then=value).check()

    @pytest.mark.parametrize(
        "function, words",
        [
            # The last number is the horizon.
            (lambda e, horizon: np.where(e < 2, 1, -0.5), ["negative", "-0.5", 2, 6]),
            (lambda e, horizon: np.where(e < 3, 1, np.nan), ["finite", "nan", 3, 6]),
            (lambda e, horizon: np.where(e < 3, 1, np.inf), ["finite", "inf", 3, 6]),
            (lambda e, horizon: 0.5, ["shape", "()"]),
            (lambda e, horizon: np.ones(7), ["shape", "(7,)"]),
            (lambda e, horizon: None, ["shape", "()"]),
            (lambda e, horizon: e + 1j, ["real", "complex128"]),
            (lambda e, horizon: ["a"] * len(e), ["real", "<U1"]),
        ],
        ids=["negative", "NaN", "infinite", "scalar", "length", "None", "complex", "text"],
    )
    @pytest.mark.parametrize("nested", [False, True], ids=["alone", "after a warm-up"])
    def test_what_a_function_may_not_return(self, function, words, nested):
        schedule = function
        if nested:
            schedule = Warmup(epochs=1, then=function)
            words = [5 if word == 6 else word for word in words]
        model = GDRegressor(schedule=schedule, batch_size=50, max_iter=6, tol=None)
        with pytest.raises(ValueError, match=naming("schedule", "<function", *words)):
            model.fit(X, TARGET)
        assert not hasattr(model, "coef_")


X, TARGET = make_regression(150, 6, n_informative=4, noise=5.0, random_state=0)
LABELS = make_classification(150, 6, n_informative=4, n_classes=3, random_state=0)[1]
K = 4


class Listening(optimizers.Optimizer):
    """Plain descent that keeps the learning rates it was given."""

    def init(self, w):
        return {"rates": []}

    def step(self, w, g, lr, state):
        state["rates"].append(lr)
        w -= lr * g


def rates(model):
    """What a fitted model's `Listening` heard."""
    return np.array(rule_of(run_of(model)).state["rates"])


def listening(schedule, **parameters):
    settings = {"batch_size": 30, "max_iter": 12, "tol": None, "random_state": 0}
    settings |= {"learning_rate": 0.5, "schedule": schedule}
    return GDRegressor(Listening(), **{**settings, **parameters})


# Reduces the rate again and again on any data.
EAGER = Plateau(factor=0.5, patience=0, threshold=0.5)


class TestTraining:
    @pytest.mark.parametrize("schedule", [*INSTANCES, EAGER], ids=repr)
    def test_learning_rates(self, schedule):
        """The multipliers at (t - 1) / (steps per epoch), whatever the batch size."""
        for batch_size, steps in ((30, 5), ("full", 1), (40, 4)):
            model = listening(schedule, batch_size=batch_size).fit(X, TARGET)
            times = np.arange(12 * steps) / steps
            expected = 0.5 * in_training(schedule, times, 12, model.loss_curve_)
            np.testing.assert_allclose(rates(model), expected, rtol=1e-14)

    def test_plateau_lowers_the_rate_of_a_loss_that_stalls(self):
        """At a large rate stochastic descent only hovers; the plateau takes it down."""
        settings = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 1, "tol": None}
        settings |= {"max_iter": 30, "random_state": 0, "alpha": 0.0}
        hovering = GDRegressor(**settings).fit(X, TARGET)
        settled = GDRegressor(schedule=Plateau(factor=0.3, patience=1), **settings).fit(X, TARGET)
        y = TARGET - TARGET.mean()
        design = X - X.mean(axis=0)
        least = np.sum((y - design @ np.linalg.lstsq(design, y)[0]) ** 2)
        excess = [
            np.sum((TARGET - model.predict(X)) ** 2) / least - 1 for model in (hovering, settled)
        ]
        assert excess[1] < 0.01 * excess[0]

    def test_plateau_watches_the_validation_loss(self):
        """Targets of the held-out rows that no model fits: the loss there only rises."""
        model = listening(Plateau(factor=0.5, patience=0)).fit(X, TARGET, X_val=X, y_val=-TARGET)
        schedule = Plateau(factor=0.5, patience=0)
        each = np.arange(12)
        expected = 0.5 * in_training(schedule, each, 12, model.validation_loss_curve_)
        np.testing.assert_allclose(rates(model)[::5], expected, rtol=1e-14)
        assert not np.allclose(expected, 0.5 * in_training(schedule, each, 12, model.loss_curve_))
        held_out = listening(schedule, early_stopping=True, batch_size=27).fit(X, TARGET)
        expected = 0.5 * in_training(schedule, each, 12, held_out.validation_loss_curve_)
        np.testing.assert_allclose(rates(held_out)[::5], expected, rtol=1e-14)

    def test_plateau_begins_anew_where_another_loss_is_watched(self):
        """As the stopping rule does."""
        model = listening(EAGER, warm_start=True, max_iter=5).fit(X, TARGET)
        assert rates(model)[-1] < 0.5
        model.fit(X, TARGET, X_val=X, y_val=TARGET)
        expected = 0.5 * in_training(EAGER, range(5), 5, model.validation_loss_curve_)
        np.testing.assert_allclose(rates(model)[25::5], expected, rtol=1e-14)
        model.fit(X, TARGET)
        expected = 0.5 * in_training(EAGER, range(5), 5, model.loss_curve_[10:])
        np.testing.assert_allclose(rates(model)[50::5], expected, rtol=1e-14)

    def test_lanes_react_by_themselves(self):
        """Beside each other, one that hovers at a large rate and one that creeps."""
        data = make_data(X, TARGET, "squared_error", precondition="standardize", batch_size=30)

        def train(*learning_rates):
            runs = [make_run(data, "sgd", learning_rate=rate) for rate in learning_rates]
            heard = []
            for run in runs:
                set_schedule(run, Warmup(epochs=1, then=Plateau(factor=0.5, patience=0)))
            for _ in range(10):
                heard.append([multipliers(run, 5) for run in runs])
                epoch(data, *runs)
                finish_epoch(data, *runs)
            return np.array(heard).transpose(1, 0, 2)

        together = train(1.0, 1e-3)
        np.testing.assert_array_equal(together[0], train(1.0)[0])
        np.testing.assert_array_equal(together[1], train(1e-3)[0])
        assert together[0][-1].max() == 0.25 and together[1][1:].min() == 1

    @pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
    @pytest.mark.parametrize("schedule", [*INSTANCES, EAGER, Warmup(1, then=EAGER)], ids=repr)
    def test_resumes(self, make, schedule):
        """K epochs, a pickle, and K more are 2 K epochs, to the bit."""
        y = TARGET if make is GDRegressor else LABELS
        classes = {} if make is GDRegressor else {"classes": np.unique(y)}
        settings = {"optimizer": "adam", "batch_size": 16, "tol": None, "random_state": 0}
        model = make(schedule=schedule, **settings)
        untouched = joblib.hash(schedule)

        parts, twin = clone(model).set_params(max_iter=2 * K), clone(model)
        twin.set_params(max_iter=2 * K)
        for number in range(2 * K):
            if number == K:
                parts = pickle.loads(pickle.dumps(parts))
            parts.partial_fit(X, y, **classes)
            twin.partial_fit(X, y, **classes)
        assert_same_bits(parts, twin)

        halves = clone(model).set_params(max_iter=K, warm_start=True).fit(X, y)
        again = pickle.loads(pickle.dumps(halves)).fit(X, y)
        if not isinstance(getattr(schedule, "then", schedule), OF_THE_HORIZON):
            assert_same_bits(again, clone(model).set_params(max_iter=2 * K).fit(X, y))
        assert_same_bits(again, halves.fit(X, y))
        assert joblib.hash(schedule) == untouched

    @pytest.mark.parametrize("schedule", ["cosine", "polynomial", "one_cycle"])
    def test_a_second_fit_still_moves(self, schedule):
        """Its horizon lies ahead, not where the first one ended."""
        settings = {"max_iter": 4, "tol": None, "warm_start": True, "random_state": 0}
        model = GDRegressor("sgd", schedule=schedule, **settings)
        before = model.fit(X, TARGET).loss_curve_[-1]
        assert model.fit(X, TARGET).loss_curve_[-1] < before - 1e-6

    def test_resumed_plateau_remembers(self):
        """The one of the test above falls on both sides of the pickle."""
        model = listening(EAGER, max_iter=2 * K).fit(X, TARGET)
        each = rates(model)[::5]
        assert each[0] > each[K - 1] > each[-1]

    def test_losses_of_a_fit_that_failed_are_forgotten(self):
        """Two more epochs, and an error: the plateau must not have seen them."""
        model = listening(EAGER, warm_start=True, max_iter=4).fit(X, TARGET)
        twin = pickle.loads(pickle.dumps(model))
        model.set_params(schedule=lambda e, horizon: np.where(e < 6, 1.0, -1.0))
        with pytest.raises(ValueError, match="negative"):
            model.fit(X, TARGET)
        model.set_params(schedule=EAGER).fit(X, TARGET)
        np.testing.assert_array_equal(rates(model), rates(twin.fit(X, TARGET)))
        assert_same_bits(model, twin)

    @pytest.mark.parametrize("name", schedules.names())
    def test_trains_both_estimators(self, name):
        with warnings.catch_warnings():
            # How soon they settle is not asked here.
            warnings.simplefilter("ignore", ConvergenceWarning)
            X, y = load_breast_cancer(return_X_y=True)
            classifier = GDClassifier("adam", schedule=name, random_state=0).fit(X, y)
            X, y = load_diabetes(return_X_y=True)
            regressor = GDRegressor("adam", schedule=name, random_state=0).fit(X, y)
        assert classifier.score(*load_breast_cancer(return_X_y=True)) > 0.95
        assert regressor.score(X, y) > 0.45


def root(e, horizon):
    """A schedule of one's own that can be pickled."""
    return 1 / np.sqrt(1 + e)


class Root(Schedule):
    """The same as a class."""

    def multiplier(self, epochs, horizon):
        return 1 / np.sqrt(1 + epochs)


class TestOwn:
    @pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
    def test_function_and_class(self, make):
        y = TARGET if make is GDRegressor else LABELS
        settings = {"max_iter": K, "tol": None, "random_state": 0, "batch_size": 16}
        by_lambda = make(schedule=lambda e, horizon: 1 / np.sqrt(1 + e), **settings).fit(X, y)
        for schedule in (root, Root()):
            other = pickle.loads(pickle.dumps(make(schedule=schedule, **settings).fit(X, y)))
            assert_same_bits(by_lambda, other)

    def test_function_gets_times_and_horizon(self):
        calls = []

        def schedule(e, horizon):
            calls.append((e.copy(), horizon))
            return e / horizon

        model = listening(schedule, max_iter=3, batch_size=75).fit(X, TARGET)
        np.testing.assert_array_equal(np.concatenate([e for e, _ in calls]), np.arange(6) / 2)
        assert {horizon for _, horizon in calls} == {3}
        np.testing.assert_allclose(rates(model), 0.5 * np.arange(6) / 6)

    def test_function_in_a_warm_up(self):
        """It begins after the warm-up, with times from zero on and the rest of the horizon."""
        schedule = Warmup(epochs=2, start_factor=0, then=lambda e, horizon: 1 - e / horizon)
        np.testing.assert_allclose(schedule([0, 1, 2, 6, 10], 10), [0, 0.5, 1, 0.5, 0])

    def test_integers_are_numbers(self):
        assert schedules.get(lambda e, horizon: e < 2)([1.0, 3.0], 5).tolist() == [1.0, 0.0]


class TestSearch:
    settings = {"max_iter": 3, "tol": None, "random_state": 0, "batch_size": 30}

    def test_schedules(self):
        grid = {"schedule": [*schedules.names(), Warmup(1, then=Plateau()), root]}
        search = GridSearchCV(GDRegressor(**self.settings), grid, cv=2).fit(X, TARGET)
        assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
        assert repr(search.best_params_["schedule"]) == repr(search.best_estimator_.schedule)

    @pytest.mark.parametrize(
        "schedule, name, values",
        [
            (InverseTime(), "schedule__decay", [0.1, 10.0]),
            (Warmup(1, then=Exponential()), "schedule__then__gamma", [0.9, 0.1]),
            (Warmup(1), "schedule__then", ["constant", Exponential(0.1)]),
        ],
        ids=["plain", "nested", "exchanged"],
    )
    def test_parameters(self, schedule, name, values):
        model = GDRegressor("sgd", schedule=schedule, **self.settings)
        search = GridSearchCV(model, {name: values}, cv=2).fit(X, TARGET)
        # The first lets the rate live longer, and so comes further.
        scores = search.cv_results_["mean_test_score"]
        assert scores[0] > scores[1]
        assert search.best_params_ == {name: values[0]}
