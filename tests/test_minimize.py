"""Optimizers as methods of scipy's minimize: what they find, and what they say of it."""

import pickle

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, minimize
from sklearn.base import clone

from sk_gd import optimizers, schedules
from sk_gd.optimizers import (
    SGD,
    AdaBelief,
    Adam,
    AdamW,
    AdGD,
    BarzilaiBorwein,
    ClipNorm,
    DoG,
    HeavyBall,
    Momentum,
    Nesterov,
    Optimizer,
    ScheduleFreeSGD,
)


def parabola(p):
    x = p[0]
    return x**2 - 6 * x + 5, [2 * x - 6]


def himmelblau(p):
    x, y = p.tolist()
    a, b = x**2 + y - 11, x + y**2 - 7
    return a**2 + b**2, [4 * x * a + 2 * b, 2 * a + 4 * y * b]


def beale(p):
    x, y = p.tolist()
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
    slope = 2 * a * (y - 1) + 2 * b * (y**2 - 1) + 2 * c * (y**3 - 1)
    return a**2 + b**2 + c**2, [slope, 2 * a * x + 4 * b * x * y + 6 * c * x * y**2]


def rosenbrock(p):
    x, y = p.tolist()
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2, [
        -400 * x * (y - x**2) - 2 * (1 - x),
        200 * (y - x**2),
    ]


# Where to begin, the minima, and the value there, as published.
FUNCTIONS = {
    parabola: ([0.0], [[3.0]], -4.0),
    himmelblau: (
        [0.0, 0.0],
        [[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]],
        0.0,
    ),
    beale: ([1.5, 1.5], [[3.0, 0.5]], 0.0),
    rosenbrock: ([-1.2, 1.0], [[1.0, 1.0]], 0.0),
}


def at(learning_rate="auto", max_iter=1000, schedule="constant", **params):
    options = {"learning_rate": learning_rate, "max_iter": max_iter, "schedule": schedule}
    return params, options


# For each optimizer: settings for the first three functions, which only get the longer the more
# curved the valley of Beale's is, and those for Rosenbrock's. None: not a method for it.
SETTINGS = {
    "sgd": (at(0.01, 5000), at(0.0015, 20_000)),
    "momentum": (at(0.003), at(0.003)),
    "heavy_ball": (at(0.003), at(0.003)),
    "nesterov": (at(0.003), at(0.001, 4000)),
    "adagrad": (at(1.0, 3000), at(1.0, 10_000)),
    "adadelta": (at(10.0, schedule="cosine"), at(0.3, 10_000, "cosine")),
    "rmsprop": (at(0.1, schedule="cosine"), at(0.003, 10_000, "cosine")),
    "adam": (at(0.3), at(0.3, 2000)),
    "amsgrad": (at(0.3), at(0.3, 2000)),
    "adamax": (at(1.0), at(0.3, 4000)),
    "nadam": (at(0.3), at(0.01, 10_000, "cosine")),
    "radam": (at(0.005, 5000), at(0.003, 12_000)),
    # The decay is not part of the function.
    "adamw": (at(0.3, weight_decay=0.0), at(0.3, 2000, weight_decay=0.0)),
    "adabelief": (at(0.3), at(1.0, 2000, "cosine")),
    "yogi": (at(0.3), at(0.3, 2000)),
    "adan": (at(0.01, 2000), at(0.03, 2000, "cosine")),
    "amos": (at(0.1, 4000), at(0.5, 10_000)),
    "ftrl": (at(1.0, 3000), at(1.0, 10_000)),
    "lion": (at(0.1, schedule="cosine"), at(0.003, 10_000, "cosine")),
    "rprop": (at(0.1), at(0.001, 10_000)),
    "dog": (at(max_iter=15_000), at(1.0, 20_000, "cosine")),
    "dowg": (at(max_iter=3000), at(0.3, 20_000)),
    "prodigy": (at(), at()),
    "dadapt_adam": (at(), at(schedule="cosine", max_iter=2000)),
    # At most a step of 1 / alpha at first, and none is ever longer than its winnings allow.
    "cocob": (at(max_iter=5000), None),
    "schedule_free_sgd": (at(0.01, 5000, r=10.0), None),
    "schedule_free_adamw": (at(1.0), at(0.03, 10_000, "cosine")),
    "armijo": (at(1.0), at(1.0, 10_000)),
    # Its lower bound is the minimum.
    "polyak": (at(1.0, c=1.0, f_star=None), at(1.0, 12_000, c=1.0, f_star=None)),
    "adgd": (at(), at(max_iter=8000)),
    "barzilai_borwein": (at(max_iter=100), at(max_iter=300)),
    "svrg": (at(0.01, 5000), at(0.0015, 20_000)),
    "lbfgs": (at(max_iter=100), at(max_iter=100)),
    # The best of many draws has no more than two digits.
    "random_search": (None, None),
    "random_local_search": (at(0.1, 500, "cosine"), at(0.1, 1000, "cosine")),
}
# Steps that still belong into the default tests.
FEW = 2000


def runs():
    """Every optimizer on every function that it has settings for."""
    for name in optimizers.names():
        for function in FUNCTIONS:
            settings = SETTINGS[name][function is rosenbrock]
            if settings is not None:
                long = settings[1]["max_iter"] > FEW
                marks = [pytest.mark.slow] if long else []
                yield pytest.param(
                    name, function, *settings, marks=marks, id=f"{name}-{function.__name__}"
                )


@pytest.mark.parametrize(("name", "function", "params", "options"), list(runs()))
def test_finds_a_minimum(name, function, params, options):
    start, minima, lowest = FUNCTIONS[function]
    method = optimizers.get(name).set_params(**params)
    if "f_star" in params:
        method.set_params(f_star=lowest)
    found = minimize(
        function, start, jac=True, method=method, options={**options, "random_state": 0}
    )
    assert np.abs(np.subtract(minima, found.x)).max(axis=1).min() < 1e-3
    assert found.fun == function(found.x)[0]
    assert found.nit <= options["max_iter"]


def test_every_optimizer_has_settings():
    assert set(optimizers.names()) <= set(SETTINGS)


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_descends_untuned(name):
    method = optimizers.get(name)
    options = {"max_iter": 300, "random_state": 0}
    if method.default_rate is None and not method.parameter_free:
        with pytest.raises(ValueError, match="Give a number"):
            minimize(rosenbrock, [-1.2, 1.0], jac=True, method=method, options=options)
        options["learning_rate"] = 1e-3
    if name == "radam":
        # Its first five steps scale with the gradient, which is far from one here.
        options["learning_rate"] = 1e-3
    found = minimize(rosenbrock, [-1.2, 1.0], jac=True, method=method, options=options)
    assert found.fun < 24.2
    assert found.status in (0, 1)


def recorded(optimizer, **options):
    """The sum of squares after each of five steps from (1, 2, 3)."""
    values = []

    def callback(intermediate_result):
        values.append(intermediate_result.fun)

    minimize(
        lambda x: (x**2).sum(),
        [1, 2, 3],
        jac=lambda x: 2 * x,
        method=optimizer,
        callback=callback,
        options={"max_iter": 5, "tol": None, **options},
    )
    return values


def published():
    """What optax prints in its docstrings, with more digits, and a few in closed form."""
    from test_parameter_free import OPTAX
    from test_rules_published import SUM_OF_SQUARES

    for optimizer, lr, values in SUM_OF_SQUARES:
        yield pytest.param(optimizer, lr, values, id=type(optimizer).__name__)
    for optimizer, values in OPTAX.values():
        yield pytest.param(optimizer, 1.0, values, id=type(optimizer).__name__)
    if "polyak" in optimizers.names():
        polyak = optimizers.get("polyak").set_params(c=1.0)
        yield pytest.param(polyak, 1.0, "3.5 .875 .21875 .0546875 .013671875", id="Polyak")


@pytest.mark.parametrize(("optimizer", "lr", "values"), list(published()))
def test_published_trajectory(optimizer, lr, values):
    values = np.array(values.split() if isinstance(values, str) else values, dtype=float)
    np.testing.assert_allclose(recorded(optimizer, learning_rate=lr), values, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_the_parabola_of_the_authors_of_amos():
    target = np.array([1.0, -1.0, 1.0])
    found = minimize(
        lambda x: ((x - target) ** 2).sum(),
        [-1, 10, 1],
        jac=lambda x: 2 * (x - target),
        method=optimizers.Amos(eta=1.0),
        options={"learning_rate": 1.0, "max_iter": 10_000, "tol": None},
    )
    np.testing.assert_allclose(found.x, target, atol=1e-3)


def test_descent_in_closed_form():
    # Every step multiplies the distance from the minimum by 1 - lr * curvature.
    curvature, centre = np.array([1.0, 4.0]), np.array([0.5, -1.0])
    found = minimize(
        lambda x: 0.5 * (curvature * (x - centre) ** 2).sum(),
        [2.0, 2.0],
        jac=lambda x: curvature * (x - centre),
        method=SGD(),
        options={"learning_rate": 0.1, "max_iter": 7, "tol": None},
    )
    expected = centre + np.array([1.5, 3.0]) * np.array([0.9, 0.6]) ** 7
    np.testing.assert_allclose(found.x, expected, rtol=1e-14)
    np.testing.assert_allclose(found.jac, curvature * (expected - centre), rtol=1e-13)


@pytest.mark.parametrize(
    "schedule", ["cosine", schedules.Exponential(0.01), lambda t, T: 1 - t / T]
)
def test_an_iteration_is_an_epoch_of_the_schedule(schedule):
    path = []
    options = {"learning_rate": 0.5, "max_iter": 8, "tol": None, "schedule": schedule}
    minimize(
        lambda x: 3 * x[0],
        [0.0],
        jac=lambda x: [3.0],
        method=SGD(),
        callback=path.append,
        options=options,
    )
    rates = -np.diff([0.0, *(x[0] for x in path)]) / 3
    expected = 0.5 * schedules.get(schedule)(np.arange(8.0), 8)
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-15)


def test_plateau_reacts_to_the_function():
    # On |x| a rate of 0.6 swings between 1 and 0.4 for good: a smaller one comes closer.
    options = {"learning_rate": 0.6, "max_iter": 60, "tol": None}
    plateau = schedules.Plateau(factor=0.5, patience=1)
    constant, reacting = (
        minimize(
            lambda x: (abs(x[0]), np.sign(x)),
            [1.0],
            jac=True,
            method=SGD(),
            options={**options, "schedule": schedule},
        )
        for schedule in ("constant", plateau)
    )
    assert constant.fun > 0.1
    assert reacting.fun < 1e-3


def test_the_value_is_for_schedules_that_look_at_it():
    plateau = schedules.Plateau()
    for schedule, looks in (
        ("cosine", 0),
        (schedules.Warmup(10), 0),
        (plateau, 60),
        # It looks when the 10 iterations of the warm-up are over.
        (schedules.Warmup(10, then=plateau), 50),
    ):
        counted = Counted(lambda x: (-x[0], [-1.0]))
        options = {"learning_rate": 0.1, "max_iter": 60, "tol": None, "schedule": schedule}
        found = minimize(**counted.pair(), method=SGD(), options=options)
        # One is that of the result: the last, if the schedule has seen it.
        assert found.nfev == counted.values == max(looks, 1)


class Counted:
    """A function of value and gradient, and how often it was asked for each."""

    def __init__(self, both, start=(1.0,)):
        self.both = both
        self.start = start
        self.values = self.gradients = self.calls = 0

    def value(self, x):
        self.values += 1
        return self.both(x)[0]

    def gradient(self, x):
        self.gradients += 1
        return self.both(x)[1]

    def __call__(self, x):
        self.calls += 1
        return self.both(x)

    def pair(self):
        """Arguments of minimize."""
        return {"fun": self.value, "x0": self.start, "jac": self.gradient}


class TestBookkeeping:
    @pytest.mark.parametrize("name", optimizers.names())
    def test_counts(self, name):
        counted = Counted(himmelblau)
        method, start = optimizers.get(name), [0.0, 0.0]
        options = {"max_iter": 20, "tol": None, "learning_rate": 1e-3, "random_state": 0}
        seen = []
        found = minimize(
            counted.value,
            start,
            jac=counted.gradient,
            method=method,
            options=options,
            callback=seen.append,
        )
        assert (found.nfev, found.njev) == (counted.values, counted.gradients)
        assert found.nit == len(seen) == 20
        np.testing.assert_array_equal(seen[-1], found.x)
        both = minimize(counted, start, jac=True, method=method, options=options)
        assert both.nfev == both.njev == counted.calls
        np.testing.assert_array_equal(both.x, found.x)

    def test_no_value_that_nobody_asked_for(self):
        counted = Counted(himmelblau, [0.0, 0.0])
        options = {"learning_rate": 0.01, "max_iter": 30, "tol": None}
        found = minimize(**counted.pair(), method=Momentum(), options=options)
        # The last gradient, and the only value, are those of the result.
        assert (found.nfev, found.njev) == (1, 31)

    def test_differences_are_evaluations(self):
        counted = Counted(himmelblau)
        options = {"learning_rate": 0.01, "max_iter": 10, "tol": None}
        found = minimize(counted.value, [0.0, 0.0], method=SGD(), options=options)
        assert found.nfev == counted.values == 11 * 3
        assert found.njev == 11

    @pytest.mark.parametrize("name", ["random_search", "random_local_search"])
    def test_no_gradient_where_none_is_wanted(self, name):
        if name not in optimizers.names():
            pytest.skip("not in the table")
        counted = Counted(himmelblau, [0.0, 0.0])
        found = minimize(
            **counted.pair(),
            method=optimizers.get(name),
            options={"max_iter": 20, "random_state": 0},
        )
        assert counted.gradients == found.njev == 0
        assert found.nfev == counted.values == 20 * optimizers.get(name).n_candidates + 1
        assert found.success and "without gradients" in found.message
        assert "jac" not in found

    def test_converged(self):
        found = minimize(parabola, 0, jac=True, method=AdGD(), tol=1e-8)
        assert found.success and found.status == 0 and "not above tol" in found.message
        assert np.abs(found.jac).max() <= 1e-8
        assert found.x == pytest.approx([3.0], abs=1e-8)
        assert found.fun == pytest.approx(-4.0)

    def test_out_of_iterations(self):
        options = {"max_iter": 5}
        found = minimize(rosenbrock, [-1.2, 1.0], jac=True, method=Adam(), options=options)
        assert not found.success and found.status == 1 and found.nit == 5
        assert "max_iter=5" in found.message and "tol=1e-05" in found.message
        assert np.abs(found.jac).max() > 1e-5

    def test_begins_at_a_minimum(self):
        found = minimize(parabola, [3.0], jac=True, method=Adam())
        assert (found.success, found.nit, found.njev) == (True, 0, 1)

    @pytest.mark.parametrize("method", [Nesterov(), ScheduleFreeSGD()], ids=repr)
    def test_a_flat_place_elsewhere_is_no_end(self, method):
        # The gradient at the point that is returned counts, not that of the look-ahead.
        seen = []
        options = {"learning_rate": 0.05, "max_iter": 5000}
        found = minimize(
            parabola, [0.0], jac=True, method=method, options=options, callback=seen.append
        )
        assert found.success
        assert abs(2 * found.x[0] - 6) <= 1e-5
        np.testing.assert_array_equal(found.x, seen[-1])


class TestCallback:
    def test_with_the_point(self):
        seen = []
        options = {"learning_rate": 0.1, "max_iter": 3, "tol": None}
        found = minimize(
            parabola, [0.0], jac=True, method=SGD(), callback=seen.append, options=options
        )
        # Its own copies, none of which changes afterwards.
        np.testing.assert_allclose(np.ravel(seen), [0.6, 1.08, 1.464], rtol=1e-14)
        np.testing.assert_array_equal(seen[-1], found.x)

    @pytest.mark.parametrize("after", [1, 4])
    def test_stops(self, after):
        seen = []

        def callback(intermediate_result):
            seen.append(intermediate_result)
            if len(seen) == after:
                raise StopIteration

        found = minimize(parabola, [0.0], jac=True, method=Adam(), callback=callback)
        assert (found.nit, found.status, found.success) == (after, 99, False)
        assert found.message == "`callback` raised `StopIteration`."
        assert seen[-1].fun == found.fun == parabola(found.x)[0]
        np.testing.assert_array_equal(seen[-1].x, found.x)

    def test_other_errors_come_through(self):
        def callback(xk):
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            minimize(parabola, [0.0], jac=True, method=Adam(), callback=callback)


class TestArguments:
    @pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
    @pytest.mark.parametrize("method", [SGD(), Adam(), Nesterov()], ids=repr)
    def test_differences_instead_of_a_gradient(self, function, method):
        start, *_ = FUNCTIONS[function]
        options = {"learning_rate": 1e-3, "max_iter": 50, "tol": None}
        with_jac = minimize(function, start, jac=True, method=method, options=options)
        without = minimize(lambda x: function(x)[0], start, method=method, options=options)
        np.testing.assert_allclose(without.x, with_jac.x, atol=1e-5)
        np.testing.assert_allclose(without.jac, with_jac.jac, rtol=1e-3, atol=1e-3)

    def test_differences_far_from_zero(self):
        # The step is relative to x: an absolute one would be lost in the digits of 1e9.
        found = minimize(
            lambda x: 1e-9 * (x[0] - 3e9) ** 2,
            [1e9],
            method=SGD(),
            options={"learning_rate": 4e8, "max_iter": 200, "tol": 1e-4},
        )
        assert found.success
        assert found.x == pytest.approx([3e9], rel=1e-4)

    def test_args(self):
        def fun(x, centre, scale):
            return scale * ((x - centre) ** 2).sum()

        def jac(x, centre, scale):
            return 2 * scale * (x - centre)

        for gradient in (jac, None):
            found = minimize(fun, [0.0, 0.0], args=(4.0, 0.5), jac=gradient, method=AdGD())
            np.testing.assert_allclose(found.x, 4.0, atol=1e-4)
        found = minimize(lambda x, c: (x[0] - c) ** 2, [0.0], args=2.0, method=AdGD())
        assert found.x == pytest.approx([2.0], abs=1e-4)

    @pytest.mark.parametrize("start", [2, [2], np.array(2), np.array([2], dtype=np.int8)])
    def test_start_is_converted_and_kept(self, start):
        before = np.array(start)
        found = minimize(parabola, start, jac=True, method=Adam())
        assert found.x.shape == (1,) and found.x.dtype == float
        assert found.x == pytest.approx([3.0], abs=1e-4)
        np.testing.assert_array_equal(start, before)

    def test_the_function_may_do_what_it_likes_to_its_argument(self):
        def rude(x):
            value = parabola(x)
            x[:] = np.nan
            return value

        kind, ruder = (minimize(f, [0.0], jac=True, method=Adam()) for f in (parabola, rude))
        np.testing.assert_array_equal(kind.x, ruder.x)

    def test_the_gradient_may_be_one_array_that_changes(self):
        g = np.empty(1)

        def jac(x):
            g[0] = 2 * x[0] - 6
            return g

        found = minimize(lambda x: parabola(x)[0], [0.0], jac=jac, method=AdGD())
        assert found.x == pytest.approx([3.0], abs=1e-5)

    @pytest.mark.parametrize("bounds", [[(0, 1)], Bounds(0, 1)])
    def test_bounds_are_refused(self, bounds):
        with pytest.raises(ValueError, match="Adam .* takes no bounds"):
            minimize(parabola, [0.0], jac=True, method=Adam(), bounds=bounds)

    @pytest.mark.parametrize(
        "constraints",
        [{"type": "eq", "fun": np.sum}, [{"type": "eq", "fun": np.sum}], LinearConstraint([1], 0)],
    )
    def test_constraints_are_refused(self, constraints):
        with pytest.raises(ValueError, match="Adam .* takes no constraints"):
            minimize(parabola, [0.0], jac=True, method=Adam(), constraints=constraints)

    @pytest.mark.parametrize("what", ["hess", "hessp"])
    def test_second_derivatives_are_ignored_with_a_warning(self, what):
        with pytest.warns(RuntimeWarning, match=f"Adam does not use {what}") as caught:
            found = minimize(parabola, [0.0], jac=True, method=Adam(), **{what: lambda x: [[2.0]]})
        assert found.success
        assert caught[0].filename == __file__

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"maxiter": 10}, "'maxiter'.*Did you mean 'max_iter'"),
            ({"learning_rate": 0}, "learning_rate.*Adam"),
            ({"learning_rate": np.nan}, "learning_rate.*Adam"),
            ({"max_iter": 0}, "max_iter.*Adam"),
            ({"tol": -1}, "tol.*Adam"),
            ({"schedule": "cosinus"}, "Did you mean 'cosine'"),
        ],
    )
    def test_options_out_of_range(self, options, message):
        with pytest.raises((TypeError, ValueError), match=message):
            minimize(parabola, [0.0], jac=True, method=Adam(), options=options)

    def test_parameters_out_of_range(self):
        with pytest.raises(ValueError, match="beta_1"):
            minimize(parabola, [0.0], jac=True, method=Adam(beta_1=2))

    @pytest.mark.parametrize("start", [np.nan, [np.inf, 0.0], [], ["a"], [1j]])
    def test_start_out_of_range(self, start):
        with pytest.raises(ValueError, match="x0 must be"):
            minimize(lambda x: (x**2).sum(), start, method=Adam())

    def test_shape_of_what_the_functions_return(self):
        with pytest.raises(ValueError, match=r"fun must return one real number.*\(2,\)"):
            minimize(lambda x: x, [0.0, 0.0], method=Adam())
        with pytest.raises(ValueError, match=r"jac must return the gradient: 2 .*\(3,\)"):
            minimize(np.sum, [0.0, 0.0], jac=lambda x: np.ones(3), method=Adam())
        with pytest.raises(TypeError, match="fun must be a function"):
            Adam()(3.0, [0.0])
        with pytest.raises(TypeError, match="jac must be a function"):
            Adam()(parabola, [0.0], jac=True)

    def test_errors_of_the_functions_come_through(self):
        def broken(x):
            raise KeyError("mine")

        for functions in ({"fun": broken}, {"fun": np.sum, "jac": broken}):
            with pytest.raises(KeyError, match="mine"):
                minimize(x0=[0.0], method=Adam(), **functions)


class TestNotFinite:
    @pytest.mark.parametrize("function", [himmelblau, beale], ids=lambda f: f.__name__)
    @pytest.mark.parametrize("method", [SGD(), Momentum(), Nesterov(), HeavyBall()], ids=repr)
    def test_diverging(self, method, function):
        start, *_ = FUNCTIONS[function]
        found = minimize(function, start, jac=True, method=method, options={"learning_rate": 3.0})
        assert (found.success, found.status) == (False, 2)
        assert f"iteration {found.nit} " in found.message and "learning_rate=3 " in found.message
        assert np.isfinite(found.x).all()
        assert found.nit < 100

    def test_a_place_without_a_value(self):
        # The third step, from 1.4 to 2.1, leaves the domain.
        def fun(x):
            return (-x[0], [-1.0]) if x[0] < 2 else (np.nan, [np.nan])

        options = {"learning_rate": 0.7, "max_iter": 50}
        found = minimize(fun, [0.0], jac=True, method=SGD(), options=options)
        assert found.x == pytest.approx([1.4])
        assert found.fun == pytest.approx(-1.4)
        assert (found.success, found.status, found.nit) == (False, 2, 3)
        assert "After iteration 3 with learning_rate=0.7" in found.message

    def test_a_start_without_a_gradient(self):
        found = minimize(lambda x: (np.nan, [np.nan]), [1.0], jac=True, method=Adam())
        assert (found.status, found.nit) == (2, 0)
        assert "At x0" in found.message
        np.testing.assert_array_equal(found.x, [1.0])

    def test_a_minimum_without_a_value(self):
        found = minimize(lambda x: np.nan, [1.0], jac=lambda x: 2 * x, method=AdGD())
        assert (found.success, found.status) == (False, 2)
        assert "fun" in found.message

    def test_a_large_step_of_the_rule(self):
        class Jump(Optimizer):
            default_rate = 1.0

            def step(self, w, g, lr, state):
                w[:] = np.inf

        found = minimize(parabola, [0.0], jac=True, method=Jump())
        assert (found.status, found.nit, found.x[0]) == (2, 1, 0.0)
        assert "x is not finite" in found.message


class NumpyMomentum(Optimizer):
    """What a user writes."""

    def __init__(self, momentum=0.9):
        self.momentum = momentum

    def init(self, w):
        return {"v": np.zeros_like(w)}

    def step(self, w, g, lr, state):
        state["v"] *= self.momentum
        state["v"] += lr * g
        w -= state["v"]
        g[:] = np.nan  # it is the rule's own


def test_a_users_optimizer():
    options = {"learning_rate": 0.003, "max_iter": 500}
    ours, theirs = (
        minimize(himmelblau, [0.0, 0.0], jac=True, method=method, options=options)
        for method in (Momentum(), NumpyMomentum())
    )
    assert theirs.success and theirs.nit == ours.nit
    np.testing.assert_allclose(theirs.x, ours.x, rtol=1e-12)


def test_wrapped():
    # Unclipped it would leave at the first step.
    options = {"learning_rate": 0.002, "max_iter": 1000}
    start = [30.0, -30.0]
    plain = minimize(himmelblau, start, jac=True, method=SGD(), options=options)
    assert plain.status == 2
    clipped = minimize(himmelblau, start, jac=True, method=ClipNorm("sgd", 500.0), options=options)
    assert clipped.success


@pytest.mark.parametrize("copy", [clone, lambda method: pickle.loads(pickle.dumps(method))])
@pytest.mark.parametrize("name", optimizers.names())
def test_copies_are_the_same_method(name, copy):
    method = optimizers.get(name)
    before = method.get_params()
    options = {"learning_rate": 1e-3, "max_iter": 20, "random_state": 3}
    one, other = (
        minimize(himmelblau, [0.0, 0.0], jac=True, method=each, options=options)
        for each in (method, copy(method))
    )
    np.testing.assert_array_equal(one.x, other.x)
    assert method.get_params() == before


def test_called_by_itself():
    """The same run, of scipy's function and of the optimizer called by itself."""
    options = {"learning_rate": 0.1, "max_iter": 30, "tol": None}
    scipys = minimize(rosenbrock, [-1.2, 1.0], jac=True, method=AdaBelief(), options=options)
    direct = AdaBelief()(
        lambda x: rosenbrock(x)[0],
        np.array([[-1.2], [1.0]]),
        jac=lambda x: rosenbrock(x)[1],
        **options,
    )
    np.testing.assert_array_equal(scipys.x, direct.x)


@pytest.mark.parametrize("method", [BarzilaiBorwein(), AdGD(), DoG(), AdamW()], ids=repr)
def test_in_many_dimensions_without_options(method):
    scale = np.linspace(1, 10, 50)
    found = minimize(
        lambda x: 0.5 * (scale * (x - 1) ** 2).sum(),
        np.zeros(50),
        jac=lambda x: scale * (x - 1),
        method=method,
    )
    # The decay of AdamW, of a hundredth, moves its fixed point.
    np.testing.assert_allclose(found.x, 1.0, atol=0.01)
