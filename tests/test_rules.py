"""Single steps of the rules, called from Python."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from helpers.assertions import naming
from helpers.optimizers import DRAWN, NumpyAdam, NumpyMomentum, Stumbling, driven, starting
from helpers.records import GRADIENTS, QUADRATIC, TEN_STEPS, gradient
from sk_gd import GDRegressor, optimizers
from sk_gd.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    ScheduleFreeAdamW,
)


def named(run):
    return f"{run['rule']}-{run['of']}"


@pytest.mark.parametrize("run", TEN_STEPS["runs"], ids=named)
def test_recorded_steps(run):
    optimizer = clone(optimizers.get(run["rule"])).set_params(**run["params"])
    w = np.array(run.get("start", np.zeros(3)))
    rule = starting(optimizer, w)
    for step, expected in zip(run.get("steps", range(1, 11)), run["points"], strict=True):
        while rule.t < step:
            rule(w, QUADRATIC, run["learning_rate"])
        if run["of"] == "theta":
            at = w - optimizer.momentum * rule.arrays["v"]
        elif run["of"] == "y":
            at = (1 - optimizer.beta_1) * w + optimizer.beta_1 * rule.model(w)
        else:
            at = rule.model(w)
        np.testing.assert_allclose(at, expected, rtol=0, atol=1e-13)
    if "average" in run:
        np.testing.assert_allclose(rule.model(w), run["average"], rtol=0, atol=1e-13)


# Random searches have no recorded steps, and the line search of L-BFGS ends at the minimum of a
# quadratic at once. Both have tests of their own.
WITHOUT_RECORD = {*DRAWN, "lbfgs"}


def test_every_optimizer_has_recorded_steps():
    recorded = {run["rule"] for run in TEN_STEPS["runs"]}
    assert recorded | WITHOUT_RECORD == set(optimizers.names())
    assert not recorded & WITHOUT_RECORD


# The published variants of a rule differ on `GRADIENTS`. w begins at 0 (AdamW: 1).


def test_rmsprop_epsilon_outside_the_root():
    expected = [
        -0.306534300317155,
        -0.620360605320546,
        -0.623667882077665,
        -0.589022905975481,
        -0.660168263135814,
    ]
    path = driven(RMSprop(rho=0.9, epsilon=1e-2), GRADIENTS, 0.1)
    np.testing.assert_allclose(path, expected, rtol=1e-13)


def test_rmsprop_epsilon_inside_the_root():
    expected = [
        -0.301511344577764,
        -0.61616973234154,
        -0.619486158152316,
        -0.584741727650723,
        -0.656095616806388,
    ]
    path = driven(RMSprop(rho=0.9, epsilon=1e-2, epsilon_in_sqrt=True), GRADIENTS, 0.1)
    np.testing.assert_allclose(path, expected, rtol=1e-13)


def test_adam_adds_epsilon_to_the_corrected_root():
    # This is torch's variant; the short form in the paper would end at -0.3065.
    path = driven(Adam(epsilon=1e-2), GRADIENTS, 0.1)
    np.testing.assert_allclose(path[0], -0.099009900990099, rtol=1e-13)
    np.testing.assert_allclose(path[-1], -0.336357095491907, rtol=1e-13)


def test_adam_epsilon_inside_the_root():
    # Both corrected averages are 1 after a gradient of 1.
    path = driven(Adam(epsilon=0.44, epsilon_in_sqrt=True), [1.0], 0.6)
    assert path == [pytest.approx(-0.5, rel=1e-14)]


def test_adamw_decays_the_weight_apart_from_the_gradient():
    # Adam with the same ridge in the gradient would end at 0.6435.
    path = driven(AdamW(weight_decay=0.5), GRADIENTS, 0.1, start=1.0)
    np.testing.assert_allclose(path[-1], 0.474502264144707, rtol=1e-13)


def test_momentum_keeps_the_learning_rate_in_the_velocity():
    # With the rate outside the velocity it would be -1.459561.
    path = driven(Momentum(0.9), GRADIENTS, [0.1, 0.1, 0.01, 0.01, 0.01])
    np.testing.assert_allclose(path[-1], -3.85222, rtol=1e-13)


def test_adagrad_begins_at_zero_without_a_division_by_it():
    path = driven(Adagrad(epsilon=0.0), [0.0, 3.0, 4.0], 1.0)
    np.testing.assert_allclose(path, [0.0, -1.0, -1.8], rtol=1e-14)


def test_adamw_without_decay_is_adam():
    adam, adamw = np.ones(3), np.ones(3)
    one, other = starting(Adam(), adam), starting(AdamW(weight_decay=0.0), adamw)
    for _ in range(50):
        one(adam, gradient, 0.1)
        other(adamw, gradient, 0.1)
    np.testing.assert_array_equal(adam, adamw)


def test_adam_without_momentum_is_bias_corrected_rmsprop():
    w = np.ones(3)
    rule = starting(Adam(beta_1=0.0, beta_2=0.9), w)
    v, naive = np.zeros(3), np.ones(3)
    for t in range(1, 30):
        v = 0.9 * v + 0.1 * gradient(naive) ** 2
        naive = naive - 0.1 * gradient(naive) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
        rule(w, gradient, 0.1)
    np.testing.assert_allclose(w, naive, rtol=1e-13)


def test_momentum_of_zero_is_plain_descent():
    for optimizer in (Momentum(0.0), Nesterov(0.0)):
        plain, w = np.ones(3), np.ones(3)
        one, other = starting(SGD(), plain), starting(optimizer, w)
        for _ in range(20):
            one(plain, gradient, 0.05)
            other(w, gradient, 0.05)
        np.testing.assert_allclose(w, plain, rtol=1e-13)


def test_the_two_nesterovs_are_one_change_of_variables_apart():
    # The other form evaluates the gradient at its own weights, theta = w - momentum * v.
    w, theta, v = np.ones(3), np.ones(3), np.zeros(3)
    rule = starting(Nesterov(0.9), w)
    for _ in range(40):
        g = gradient(theta)
        v = 0.9 * v + 0.05 * g
        theta = theta - 0.9 * v - 0.05 * g
        rule(w, gradient, 0.05)
        np.testing.assert_allclose(w - 0.9 * rule.arrays["v"], theta, rtol=0, atol=1e-13)


def test_schedule_free_weighs_the_steps_in_its_average():
    # x is the mean of the z after each step, weighted by t^r and the squared largest rate so far.
    w = np.zeros(3)
    rule = starting(ScheduleFreeAdamW(r=2.0), w)
    rates, points, weights = [0.1, 0.3, 0.05, 0.2], [], []
    for t, lr in enumerate(rates, start=1):
        rule(w, gradient, lr)
        points.append(w.copy())
        weights.append(max(rates[:t]) ** 2 * t**2)
    expected = np.average(points, axis=0, weights=weights)
    np.testing.assert_allclose(rule.model(w), expected, rtol=1e-13)


@pytest.mark.parametrize("name", optimizers.names())
def test_pickled_mid_run_goes_on_with_the_same_bits(name):
    w = np.linspace(-1, 1, 3)
    rule = starting(optimizers.get(name), w)
    for _ in range(7):
        rule(w, QUADRATIC, 0.05)
    copy, w_copy = pickle.loads(pickle.dumps((rule, w)))
    for _ in range(7):
        rule(w, QUADRATIC, 0.05)
        copy(w_copy, QUADRATIC, 0.05)
    np.testing.assert_array_equal(w, w_copy)
    np.testing.assert_array_equal(rule.model(w), copy.model(w_copy))
    assert copy.t == rule.t == 14


@pytest.mark.parametrize("name", optimizers.names())
def test_runs_of_one_optimizer_share_nothing(name):
    optimizer = optimizers.get(name)
    before = repr(optimizer), dict(vars(optimizer))
    w, other = np.ones(3), np.ones(3)
    first, second = starting(optimizer, w), starting(optimizer, other)
    for _ in range(5):
        first(w, QUADRATIC, 0.05)
    for _ in range(5):
        second(other, QUADRATIC, 0.05)
    np.testing.assert_array_equal(w, other)
    assert (repr(optimizer), vars(optimizer)) == before


@pytest.mark.parametrize("name", optimizers.names())
def test_is_a_scikit_learn_object(name):
    optimizer = optimizers.get(name)
    params = optimizer.get_params()
    twin = clone(optimizer)
    assert twin is not optimizer
    assert type(twin) is optimizers.TABLE[name]
    assert twin.get_params() == params
    assert eval(repr(twin), vars(optimizers)).get_params() == params
    for parameter, value in params.items():
        changed = (not value) if isinstance(value, bool) else value / 2 + 1e-3
        twin.set_params(**{parameter: changed})
        assert f"{parameter}={changed!r}" in repr(twin)
        assert twin.get_params()[parameter] == changed
    assert optimizer.get_params() == params


@pytest.mark.parametrize("name", optimizers.names())
def test_parameters_out_of_range_are_refused(name):
    for parameter, value in optimizers.get(name).get_params().items():
        if isinstance(value, bool):
            continue
        # f_star is the value of a minimum and may be negative.
        low = float("-inf") if parameter == "f_star" else -0.1
        for wrong in (low, float("nan"), "much"):
            optimizer = clone(optimizers.get(name)).set_params(**{parameter: wrong})
            with pytest.raises(ValueError, match=f"{parameter}.*{type(optimizer).__name__}"):
                optimizer.check()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"parameter_free": True}, "parameter_free .* write default_rate = "),
        ({"default_full_batch": True}, "default_full_batch .* write full_batch = "),
        ({"full_batch": True}, "full_batch must be 'optional' .* Got True instead"),
        ({"full_batch": "always"}, "full_batch must be .* Got 'always' instead"),
        (
            {"default_rate": None},
            "default_rate must be .* 'smoothness' .formerly None.* Got None",
        ),
        ({"default_rate": True}, "default_rate must be .* Got True"),
        ({"default_rate": -0.1}, "default_rate must be .* Got -0.1"),
        ({"default_rate": "auto"}, "default_rate must be .* Got 'auto'"),
    ],
)
def test_a_choice_that_there_is_not_is_an_error_of_the_class(attributes, message):
    with pytest.raises(TypeError, match=rf"^Mine\.{message}"):
        type("Mine", (Optimizer,), attributes)
    # One that is inherited from a class beside, too.
    with pytest.raises(TypeError, match=rf"^Mine\.{message}"):
        type("Mine", (type("Mixin", (), attributes), Optimizer), {})


def test_a_choice_may_be_a_property():
    class Mine(NumpyMomentum):
        @property
        def default_rate(self):
            return 0.01 * (1 - self.momentum)

        @property
        def full_batch(self):
            return "preferred" if self.momentum > 0.8 else "optional"

    X, y = np.random.default_rng(0).normal(size=(200, 2)), np.arange(200.0)
    few = {"max_iter": 1, "tol": None, "alpha": 0}
    assert GDRegressor(Mine(0.9), **few).fit(X, y).t_ == 1
    model = GDRegressor(Mine(0.5), **few).fit(X, y)
    assert model.t_ > 1
    assert model.learning_rate_ == pytest.approx(0.005 / np.sqrt(2), rel=1e-12)


USERS = {"momentum": (Momentum(), NumpyMomentum()), "adam": (Adam(), NumpyAdam())}


@pytest.mark.parametrize("pair", USERS.values(), ids=USERS)
def test_a_users_rule_is_the_built_in_it_imitates(pair):
    ours, theirs = np.ones(3), np.ones(3)
    one, other = (starting(optimizer, w) for optimizer, w in zip(pair, (ours, theirs), strict=True))
    for _ in range(40):
        one(ours, gradient, 0.05)
        other(theirs, gradient, 0.05)
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("batch_size", [1, 4, "full"])
@pytest.mark.parametrize("pair", USERS.values(), ids=USERS)
def test_a_users_rule_trains_a_model_as_the_built_in_does(pair, batch_size):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(30, 3))
    y = X @ [1.0, 2.0, 3.0] + generator.normal(size=30)
    ours, theirs = (
        GDRegressor(
            optimizer,
            learning_rate=0.01,
            batch_size=batch_size,
            max_iter=10,
            tol=None,
            random_state=0,
        ).fit(X, y)
        for optimizer in pair
    )
    np.testing.assert_allclose(theirs.coef_, ours.coef_, rtol=1e-13)
    np.testing.assert_allclose(theirs.loss_curve_, ours.loss_curve_, rtol=1e-13)


def test_a_users_rule_is_pickled_with_its_state():
    w = np.ones(3)
    rule = starting(NumpyAdam(), w)
    for _ in range(7):
        rule(w, gradient, 0.05)
    copy, w_copy = pickle.loads(pickle.dumps((rule, w)))
    for _ in range(7):
        rule(w, gradient, 0.05)
        copy(w_copy, gradient, 0.05)
    np.testing.assert_array_equal(w, w_copy)


def test_an_error_in_a_users_step_comes_through():
    w = np.ones(3)
    rule = starting(Stumbling(at=3), w)
    rule(w, gradient, 0.1)
    rule(w, gradient, 0.1)
    with pytest.raises(ZeroDivisionError, match="stumbled at step 3"):
        rule(w, gradient, 0.1)


def test_an_error_in_a_users_step_comes_through_a_fit_and_leaves_no_model():
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    model = GDRegressor(Stumbling(at=3), batch_size=1, tol=None)
    with pytest.raises(ZeroDivisionError, match="stumbled at step 3"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


def test_an_error_in_the_gradient_comes_through():
    w = np.ones(3)
    rule = starting(SGD(), w)

    def broken(point):
        raise ArithmeticError("no gradient here")

    with pytest.raises(ArithmeticError, match="no gradient here"):
        rule(w, broken, 0.1)
    np.testing.assert_array_equal(w, np.ones(3))


def test_an_optimizer_without_a_step_says_so():
    class Idle(Optimizer):
        pass

    with pytest.raises(TypeError, match=naming("Idle", "step(w, g, lr, state)")):
        Idle().rule(3)
