"""The rules agree with published values, and differ from other variants of the same rule."""

import numpy as np
import pytest

from helpers.optimizers import driven, starting
from helpers.records import GRADIENTS, SUM_OF_SQUARES, gradient
from sk_gd import GDRegressor, optimizers
from sk_gd.optimizers import (
    FTRL,
    AdaBelief,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Adan,
    Amos,
    AMSGrad,
    HeavyBall,
    Lion,
    Momentum,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
)


@pytest.mark.parametrize(
    ("optimizer", "lr", "published"),
    SUM_OF_SQUARES,
    ids=[type(optimizer).__name__ for optimizer, *_ in SUM_OF_SQUARES],
)
def test_sum_of_squares(optimizer, lr, published):
    w = np.array([1.0, 2.0, 3.0])
    rule = starting(optimizer, w)
    found = []
    for _ in range(5):
        rule(w, lambda point: 2 * point, lr)
        found.append((rule.model(w) ** 2).sum())
    # 12 digits are recorded.
    np.testing.assert_allclose(found, np.array(published.split(), dtype=float), rtol=2e-11)


def test_adagrad_of_optax():
    # optax starts the sum at 0.1 and adds epsilon inside the root: both are a start of the sum.
    w = np.array([1.0, 2.0, 3.0])
    rule = starting(Adagrad(epsilon=0.0), w)
    rule.arrays["a"][:] = 0.1 + 1e-7
    found = []
    for _ in range(5):
        rule(w, lambda point: 2 * point, 1.0)
        found.append((w**2).sum())
    expected = [5.01192703369, 2.40269638192, 1.25482693181, 0.686095790761, 0.385194327092]
    np.testing.assert_allclose(found, expected, rtol=2e-11)


def test_adadelta_of_keras():
    # The first column of five steps in a test of keras.
    path = driven(Adadelta(rho=0.8, epsilon=1e-6), [0.01] + [0.1] * 4, 1.0, start=1.0)
    assert path[-1] == pytest.approx(0.9849322865, abs=1e-9)


def test_ftrl_of_keras():
    """One step with default settings; four digits are published."""
    x, g = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 6.0, 7.0, 2.0])
    w = x.copy()
    rule = starting(FTRL(beta=0.0), w)
    rule.arrays["a"][:] = 0.1
    # The sums of keras begin at zero for any weights; ours begin at values that fit the weights.
    rule.arrays["held"][:] = -np.sqrt(0.1) / 0.5 * x
    rule(w, lambda point: g, 0.5)
    np.testing.assert_allclose(w, [0.2218, 1.3954, 2.3651, 2.8814], rtol=0, atol=5e-5)


# Scalar sequences on which similar rules differ.
SEQUENCES = {
    # Rectification, the default of the authors' package, would give another path.
    "adabelief": (
        AdaBelief(),
        0.0,
        [
            -0.111111111111104,
            -0.201684255985619,
            -0.272063418358151,
            -0.322262629321418,
            -0.376220451060213,
        ],
    ),
    "adan": (
        Adan(),
        0.0,
        [
            -0.099999999,
            -0.175961716215156,
            -0.202716898809742,
            -0.220420012007365,
            -0.247244816480725,
        ],
    ),
    "lion": (Lion(weight_decay=0.5), 1.0, [0.85, 0.7075, 0.572125, 0.64351875, 0.5113428125]),
    "amos": (
        Amos(eta=1.0),
        1.0,
        [0.895, 0.745579561936017, 0.74385915555412, 0.763473760364597, 0.719405414481407],
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequence(name):
    optimizer, start, expected = SEQUENCES[name]
    np.testing.assert_allclose(driven(optimizer, GRADIENTS, 0.1, start), expected, rtol=1e-13)


def test_amsgrad_takes_the_largest_square_before_its_correction():
    # The maximum of corrected squares would give -0.2278, no correction -0.1415.
    path = driven(AMSGrad(beta_2=0.9), [10, 1, 0.1, -1, 2], 0.1)
    np.testing.assert_allclose(path[-1], -0.308458014235811, rtol=1e-13)


@pytest.mark.parametrize(("decay", "last"), [(0.004, -0.248499226366624), (1, -0.249507939452463)])
def test_nadam_lets_its_momentum_rise(decay, last):
    # A constant momentum would give -0.3951, and Ruder's variant -0.4835.
    path = driven(NAdam(momentum_decay=decay), GRADIENTS, 0.1)
    np.testing.assert_allclose(path[-1], last, rtol=1e-13)


def test_rprop_stays_where_the_sign_turned():
    # Other variants move by the step of the turn or by the step before.
    path = driven(Rprop(), [1, 1, 1, -1, 1], 0.1)
    np.testing.assert_allclose(
        np.diff(path, prepend=0), [-0.1, -0.12, -0.144, 0, -0.072], rtol=1e-13
    )


def test_rprop_keeps_to_its_limits():
    rising = driven(Rprop(step_max=0.2), [1.0] * 9, 0.1)
    np.testing.assert_allclose(np.diff(rising)[-3:], -0.2, rtol=1e-13)
    turning = driven(Rprop(step_min=0.03), [1, -1, 1, -1, 1, -1, 1], 0.1)
    # Every second step is zero; the others halve, but stay at least 0.03 long.
    expected = [-0.1, 0, -0.05, 0, -0.03, 0, -0.03]
    np.testing.assert_allclose(np.diff(turning, prepend=0), expected, rtol=1e-13)


def test_rprop_with_an_l1_penalty_takes_the_subgradient_of_torch():
    # torch.optim.Rprop on half the mean square plus 0.3 of the absolute coefficients (torch 2.14).
    X = [[1, 2, -1], [0.5, -1, 2], [-2, 0.25, 1], [1.5, 1, 0.5], [-0.5, -1.5, -2], [0.25, 3, 1]]
    y = [1.0, 0.5, -2.0, 2.5, -1.0, 0.0]
    model = GDRegressor("rprop", learning_rate=0.1, alpha=0.3, l1_ratio=1.0, tol=None)
    model.set_params(scale_penalty=False, precondition=None)
    for epochs, coef, intercept in (
        (5, [0.74416, 0.088, -0.01], -0.01),
        (10, [1.0552, 0.011968, -0.013], 0.0776),
        (25, [0.97929628672, 0.000428416, 0.00033728], 0.044899328),
    ):
        model.set_params(max_iter=epochs).fit(X, y)
        np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=1e-12)
        np.testing.assert_allclose(model.intercept_, intercept, rtol=0, atol=1e-12)


def test_radam_rectifies_from_its_sixth_step_on():
    # The first steps are momentum, proportional to the gradient; the later steps have no unit.
    optimizer = RAdam(epsilon=0.0)
    one, other = (
        np.diff(driven(optimizer, scale * np.array(GRADIENTS * 2), 0.1), prepend=0)
        for scale in (1.0, 16.0)
    )
    np.testing.assert_allclose(other[:5], 16 * one[:5], rtol=1e-12)
    np.testing.assert_allclose(other[5:], one[5:], rtol=1e-11)


# Without an epsilon the steps do not depend on the unit of the gradient.
UNITLESS = [
    Adagrad(epsilon=0.0),
    RMSprop(epsilon=0.0),
    Adam(epsilon=0.0),
    AMSGrad(epsilon=0.0),
    Adamax(epsilon=0.0),
    NAdam(epsilon=0.0),
    AdaBelief(epsilon=0.0),
    Adan(epsilon=0.0),
    Amos(),
    FTRL(beta=0.0),
    Lion(),
    Rprop(),
]


@pytest.mark.parametrize("optimizer", UNITLESS, ids=lambda optimizer: type(optimizer).__name__)
def test_the_unit_of_the_gradient_does_not_matter(optimizer):
    # A power of four, whose root is exact.
    one, other = (
        driven(optimizer, scale * np.array(GRADIENTS * 3), 0.1) for scale in (1.0, 1024.0)
    )
    assert one == other


def test_heavy_ball_is_momentum_whatever_the_rate_does():
    ball, rolling = np.ones(3), np.ones(3)
    one, other = starting(HeavyBall(0.9), ball), starting(Momentum(0.9), rolling)
    for t in range(60):
        lr = 0.05 if t % 7 else 0.001
        one(ball, gradient, lr)
        other(rolling, gradient, lr)
        np.testing.assert_allclose(ball, rolling, rtol=0, atol=1e-13)


def regression(optimizer, **options):
    generator = np.random.default_rng(8)
    X = generator.normal(size=(40, 6))
    y = X @ [2.0, 0, -1.0, 0, 0, 0.1] + generator.normal(size=40)
    options = {"precondition": None, "fit_intercept": False, "shuffle": False} | options
    options["scale_penalty"] = False
    return X, y, GDRegressor(optimizer, tol=None, average=False, **options).fit(X, y)


def test_heavy_ball_is_momentum_on_a_lasso():
    options = {"alpha": 0.3, "l1_ratio": 1.0, "batch_size": 8, "schedule": "cosine"}
    options |= {"learning_rate": 0.01, "max_iter": 30}
    one, other = (regression(rule, **options)[-1].coef_ for rule in (HeavyBall(), Momentum()))
    assert 0 < np.count_nonzero(one) < 6
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_ftrl_without_a_penalty_is_adagrad():
    one, other = (
        regression(rule, alpha=0.0, batch_size=4, schedule="cosine", learning_rate=0.5)[-1].coef_
        for rule in (FTRL(beta=0.7), Adagrad(epsilon=0.7))
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("l1", [0.05, 0.4])
def test_ftrl_is_the_algorithm_of_the_paper(l1):
    """The sums z and n of the paper, with one threshold per row."""
    X, y, model = regression(
        FTRL(beta=1.0), alpha=l1, l1_ratio=1.0, batch_size=1, learning_rate=0.5, max_iter=5
    )
    z, n, w = np.zeros(6), np.zeros(6), np.zeros(6)
    seen = set()
    for t in range(200):
        x = X[t % 40]
        g = (x @ w - y[t % 40]) * x
        z += g - (np.sqrt(n + g**2) - np.sqrt(n)) / 0.5 * w
        n += g**2
        threshold = (t + 1) * l1
        w = -(z - threshold * np.sign(z)) / ((1.0 + np.sqrt(n)) / 0.5)
        w[np.abs(z) <= threshold] = 0
        seen |= {*np.flatnonzero(w)}
    assert np.count_nonzero(w) < len(seen)  # some coefficients return to zero
    np.testing.assert_allclose(model.coef_, w, rtol=1e-11, atol=1e-14)
    np.testing.assert_array_equal(model.coef_ == 0, w == 0)


def test_ftrl_goes_on_from_the_model_of_another_rule():
    X, y, model = regression("sgd", batch_size="full", warm_start=True, max_iter=50)
    before = model.coef_.copy()
    model.set_params(optimizer=FTRL(), learning_rate=1e-9, max_iter=1).fit(X, y)
    np.testing.assert_allclose(model.coef_, before, rtol=1e-9)


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adadelta", "ftrl", "rprop"])
def test_a_zero_gradient_moves_nothing_that_has_no_momentum(name):
    w = np.array([1.0, -2.0])
    rule = starting(optimizers.get(name), w)
    for g in (1.0, -3.0, 2.0):
        rule(w, lambda point, g=g: np.array([g, 0.0]), 0.1)
    before = w.copy()
    assert before[1] == -2.0
    rule(w, lambda point: np.zeros(2), 0.1)
    np.testing.assert_array_equal(w, before)
