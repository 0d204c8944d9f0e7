"""Schedules: recorded and published values, common properties, and errors."""

import math
import pickle
from fractions import Fraction

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_regression

from helpers.assertions import naming
from helpers.records import load
from helpers.schedules import INSTANCES, OF_THE_HORIZON, in_training
from sk_gd import GDRegressor, schedules
from sk_gd.schedules import (
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    InverseTime,
    OneCycle,
    Plateau,
    Polynomial,
    Step,
    Warmup,
)

TORCH = load("torch_schedules")
X, TARGET = make_regression(150, 6, n_informative=4, noise=5.0, random_state=0)

# The published values of optax are in single precision: two units in the last place.
SINGLE = 2 * np.finfo(np.float32).eps
LOSSES = [5.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0, -1.0, -1.0, -1.0, -1.0, -1.0]


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

    def test_torch_has_all_but_two(self):
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
        """The published cosine has an exponent, which is two here."""
        published = [0.1, 0.0951655358, 0.025, 0.00214466127, 0.0]
        values = 0.1 * Cosine()([0, 10, 50, 75, 100], 100) ** 2
        np.testing.assert_allclose(values, published, rtol=SINGLE, atol=1e-12)

    def test_optax_warmup_cosine(self):
        """From 0.2 to 1.21 in 50 steps, then to -3 at step 100, as a linear map of the square."""
        warmup = Warmup(epochs=50, start_factor=0.2 / 1.21, then="cosine")
        np.testing.assert_allclose(1.21 * warmup([0, 10, 50], 100), [0.2, 0.402, 1.21], rtol=1e-14)
        square = warmup([50, 75, 100], 100) ** 2
        np.testing.assert_allclose(-3 + 4.21 * square, [1.21, -1.9475002, -3], rtol=SINGLE)

    def test_keras_exponential(self):
        """The test of ExponentialDecay: half a period at a rate of 0.96."""
        found = 0.05 * Exponential(gamma=0.96)(0.5, 1)
        assert found == pytest.approx(0.05 * math.sqrt(0.96), rel=1e-14)

    def test_inverse_time(self):
        """Exact fractions, and InverseTimeDecay of keras at 20 of 10 steps with a rate of 0.96."""
        decay = Fraction(1, 4)
        exact = [float(1 / (1 + decay * e)) for e in range(9)]
        np.testing.assert_allclose(InverseTime(decay=0.25)(range(9), 5), exact, rtol=1e-15)
        assert InverseTime(decay=0.96)(2.0, 1) == pytest.approx(1 / 2.92, rel=1e-14)

    def test_every_restart_is_exact(self):
        """In floating point the logarithm of 243 to the base 3 is less than five."""
        times = np.cumsum(3.0 ** np.arange(20))
        np.testing.assert_array_equal(CosineRestarts(T_0=1, T_mult=3)(times, 10), 1)
        assert math.log(243, 3) < 5

    def test_plateau_of_negative_losses(self):
        """A loss may be negative; a constant loss is not an improvement."""
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
        """Losses of the warm-up do not count, also if it has several parts."""
        stall = [1.0] * 9
        plateau = Plateau(factor=0.5, patience=1)
        alone = in_training(plateau, range(10), 9, stall)
        assert list(alone[:4]) == [1, 1, 1, 0.5]
        for warmup in (
            Warmup(epochs=3, start_factor=1, then=plateau),
            # The third epoch has steps of the warm-up, too.
            Warmup(epochs=2.5, start_factor=1, then=plateau),
            Warmup(epochs=2, start_factor=1, then=Warmup(epochs=1, start_factor=1, then=plateau)),
        ):
            multipliers = in_training(warmup, range(10), 9, stall)
            np.testing.assert_array_equal(multipliers, [1, 1, 1, *alone[:7]])


class TestEverySchedule:
    @all_instances
    @pytest.mark.parametrize("horizon", [1, 7, 100])
    def test_multipliers(self, schedule, horizon):
        """They are between 0 and 1, within the horizon and far beyond."""
        times = np.concatenate([np.linspace(0, 3 * horizon, 301), [1e3, 1e6]])
        values = schedule.after(LOSSES)(times, horizon)
        assert values.dtype == float and values.shape == times.shape
        assert np.all(values >= 0) and np.all(values <= 1)
        assert not np.shares_memory(values, times)

    @all_instances
    def test_vectorised(self, schedule):
        """An array gives the same values as its elements, up to the last digit."""
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
        # Here a warm-up may be inside a warm-up.
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
    def test_check_changes_nothing(self, schedule):
        before = joblib.hash(schedule)
        schedule.check()
        assert joblib.hash(schedule) == before

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
            (lambda e, horizon: np.where(e < 3, 0, -0.5), ["not negative", "-0.5", 3, 6]),
            (lambda e, horizon: np.where(e < 3, 1, np.nan), ["finite", "nan", 3, 6]),
            (lambda e, horizon: np.where(e < 3, 1, np.inf), ["finite", "inf", 3, 6]),
            (lambda e, horizon: 0.5, ["shape", "()"]),
            (lambda e, horizon: np.ones(7), ["shape", "(7,)"]),
            (lambda e, horizon: None, ["shape", "()"]),
            (lambda e, horizon: e + 1j, ["real", "complex128"]),
            (lambda e, horizon: ["a"] * len(e), ["real", "<U1"]),
        ],
        ids=[
            "negative",
            "after zeros",
            "NaN",
            "infinite",
            "scalar",
            "length",
            "None",
            "complex",
            "text",
        ],
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
