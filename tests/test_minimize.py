"""Optimizers as methods of scipy's minimize: minima and paths."""

import pickle

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone

from helpers.assertions import naming
from helpers.functions import FUNCTIONS, Counted, himmelblau, rosenbrock
from helpers.optimizers import DRAWN, NumpyMomentum, has_own_rate
from helpers.records import SUM_OF_SQUARES
from sk_gd import optimizers, schedules
from sk_gd.optimizers import (
    SGD,
    AdaBelief,
    AdamW,
    AdGD,
    BarzilaiBorwein,
    ClipNorm,
    DoG,
    Momentum,
)


def at(learning_rate="auto", max_iter=1000, schedule="constant", **params):
    options = {"learning_rate": learning_rate, "max_iter": max_iter, "schedule": schedule}
    return params, options


# For each optimizer: settings for the first three functions, of which Beale's needs the most
# steps, and settings for Rosenbrock's. None: the optimizer is not suited.
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
    # The weight decay would move the minimum.
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
    # The first step is at most 1 / alpha, and later ones grow slowly.
    "cocob": (at(max_iter=5000), None),
    "schedule_free_sgd": (at(0.01, 5000, r=10.0), None),
    "schedule_free_adamw": (at(1.0), at(0.03, 10_000, "cosine")),
    "armijo": (at(1.0), at(1.0, 10_000)),
    # f_star=None stands for the known minimum.
    "polyak": (at(1.0, c=1.0, f_star=None), at(1.0, 12_000, c=1.0, f_star=None)),
    "adgd": (at(), at(max_iter=8000)),
    "barzilai_borwein": (at(max_iter=100), at(max_iter=300)),
    "svrg": (at(0.01, 5000), at(0.0015, 20_000)),
    "lbfgs": (at(max_iter=100), at(max_iter=100)),
    # The best of many draws has only two digits.
    "random_search": (None, None),
    "random_local_search": (at(0.1, 500, "cosine"), at(0.1, 1000, "cosine")),
}
# Longer runs are slow tests.
FEW = 2000


def runs():
    """All pairs of an optimizer and a function with settings."""
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
    assert set(optimizers.names()) == set(SETTINGS)


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_descends_untuned(name):
    method = optimizers.get(name)
    # A step of a random search evaluates the function a thousand times.
    options = {"max_iter": 30 if name in DRAWN else 300, "random_state": 0}
    if not has_own_rate(name):
        with pytest.raises(
            ValueError, match=naming("learning_rate", "'auto'", type(method).__name__)
        ):
            minimize(rosenbrock, [-1.2, 1.0], jac=True, method=method, options=options)
        options["learning_rate"] = 1e-3
    if name == "radam":
        # Its first five steps are proportional to the gradient, which is large here.
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
    """The values of optax, and those of Polyak in closed form."""
    for optimizer, lr, values in SUM_OF_SQUARES:
        yield pytest.param(optimizer, lr, values, id=type(optimizer).__name__)
    polyak = optimizers.Polyak(c=1.0)
    yield pytest.param(polyak, 1.0, "3.5 .875 .21875 .0546875 .013671875", id="Polyak")


@pytest.mark.parametrize(("optimizer", "lr", "values"), list(published()))
def test_published_trajectory(optimizer, lr, values):
    values = np.array(values.split(), dtype=float)
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
    np.testing.assert_allclose(found.x, target, rtol=0, atol=1e-9)


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
    assert reacting.fun < 1e-4


def test_only_schedules_that_need_the_value_evaluate_it():
    plateau = schedules.Plateau()
    for schedule, looks in (
        ("cosine", 0),
        (schedules.Warmup(10), 0),
        (plateau, 60),
        # The plateau needs values after the 10 iterations of the warm-up.
        (schedules.Warmup(10, then=plateau), 50),
    ):
        counted = Counted(lambda x: (-x[0], [-1.0]))
        options = {"learning_rate": 0.1, "max_iter": 60, "tol": None, "schedule": schedule}
        found = minimize(**counted.pair(), method=SGD(), options=options)
        # The result needs one value, which may be the last that the schedule used.
        assert found.nfev == counted.values == max(looks, 1)


class Spoiling(NumpyMomentum):
    """A user's optimizer that writes into the gradient, which is allowed."""

    def step(self, w, g, lr, state):
        super().step(w, g, lr, state)
        g[:] = np.nan


def test_a_users_optimizer():
    options = {"learning_rate": 0.003, "max_iter": 500}
    ours, theirs = (
        minimize(himmelblau, [0.0, 0.0], jac=True, method=method, options=options)
        for method in (Momentum(), Spoiling())
    )
    assert theirs.success and theirs.nit == ours.nit
    np.testing.assert_allclose(theirs.x, ours.x, rtol=1e-12)


def test_clipping_makes_descent_converge():
    # Without clipping the first step diverges.
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
    """Calling the optimizer directly gives the same run as scipy's function."""
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
    # The weight decay of AdamW moves the minimum by about a hundredth.
    np.testing.assert_allclose(found.x, 1.0, atol=0.01)
