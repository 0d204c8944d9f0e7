"""check_gradient finds wrong gradients, says where they are, and accepts right ones."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from helpers.assertions import naming
from sk_gd import GDClassifier, GDRegressor, check_gradient, losses
from sk_gd.losses import Huber, LogLoss, Loss

N, D = 40, 3
RNG = np.random.default_rng(51)
X = RNG.normal([1.0, -200.0, 0.0], [0.5, 3.0, 1e-3], (N, D))
X[RNG.random(X.shape) < 0.2] = 0
WEIGHT = RNG.integers(0, 3, N) + 0.5
SLOW = pytest.mark.slow
PENALTIES = [(0.0, 0.0), (0.3, 0.0), (0.3, 0.4), (0.3, 1.0)]
CASES = [
    (GDRegressor if kind == "regressor" else GDClassifier, loss, outputs)
    for kind in ("regressor", "classifier")
    for loss in losses.names(kind)
    for outputs in (1, 3)
]


def target(make, outputs):
    if make is GDRegressor:
        return RNG.gamma(2.0, size=(N, outputs)) * 10.0 ** np.arange(outputs)
    return np.arange(N) % (2 if outputs == 1 else outputs)


# By default every loss runs with two of these; all of them is slow.
ROWS = [
    pytest.param(
        container,
        dtype,
        weighted,
        marks=[] if (container is sp.csr_array) == (dtype == np.float32) == weighted else SLOW,
        id=f"{container.__name__}-{dtype.__name__}-{'weighted' if weighted else 'equal'}",
    )
    for container in (np.asarray, sp.csr_array)
    for dtype in (np.float32, np.float64)
    for weighted in (False, True)
]


@pytest.mark.parametrize(("container", "dtype", "weighted"), ROWS)
@pytest.mark.parametrize(("alpha", "l1_ratio"), PENALTIES)
@pytest.mark.parametrize(("make", "loss", "outputs"), CASES)
def test_every_loss(make, loss, outputs, alpha, l1_ratio, container, dtype, weighted):
    estimator = make(loss=loss, alpha=alpha, l1_ratio=l1_ratio, fit_intercept=not weighted)
    found = check_gradient(
        estimator,
        container(X.astype(dtype)),
        target(make, outputs),
        sample_weight=WEIGHT if weighted else None,
        random_state=0,
    )
    assert found.error < 1e-6
    assert found.analytical.shape == (outputs, D + (not weighted))
    assert np.any(found.analytical)


class Wrong(Loss):
    """A loss whose gradient is wrong by a factor."""

    kinds = ("regressor",)

    def __init__(self, factor=1.0):
        self.factor = factor

    def value(self, y, p):
        return np.log(np.cosh(p - y))

    def gradient(self, y, p):
        return self.factor * np.tanh(p - y)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5, 1.001])
@pytest.mark.parametrize("outputs", [1, 3])
def test_wrong_gradient(factor, outputs):
    y = RNG.normal(size=(N, outputs))
    assert check_gradient(Wrong(), X, y, random_state=0).error < 1e-6
    error = check_gradient(Wrong(factor), X, y, random_state=0).error
    assert error == pytest.approx(abs(1 - factor) / max(abs(factor), 1), rel=1e-5)


class WrongClass(LogLoss):
    """The gradient of one score is wrong."""

    kinds = ("classifier",)

    def kernel(self, n_outputs):
        return Loss.kernel(self, n_outputs)

    def value(self, y, p):
        return -self.log_probabilities(p)[np.arange(len(y)), y]

    def gradient(self, y, p):
        slope = self.probabilities(p)
        slope[np.arange(len(y)), y] -= 1
        slope[:, 1] *= 1.5
        return slope


@pytest.mark.parametrize("intercept", [True, False])
def test_the_worst_entry_is_named(intercept):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    # Which entry is the worst is rounding; without an intercept it is a feature.
    estimator = GDClassifier(loss=WrongClass(), alpha=0, fit_intercept=intercept)
    found = check_gradient(estimator, frame, np.arange(N) % 3, random_state=0)
    assert np.all(found.errors[1] > 0.1) and np.all(found.errors[[0, 2]] < 1e-6)
    assert found.error == found.errors.max()
    worst = np.argmax(found.errors[1])
    expected = [*(f"coefficient of feature {j} ({c!r})" for j, c in enumerate("abc")), "intercept"]
    assert found.where == f"{expected[worst]} of output 1"
    assert f"error={found.error:.2g} at the {found.where}" in repr(found)
    assert f"{found.analytical[1, worst]:.9g}" in repr(found)


def test_the_worst_entry_of_an_array_and_one_output():
    estimator = GDRegressor(loss=Wrong(0.5), alpha=0, fit_intercept=False)
    found = check_gradient(estimator, X, X[:, 0], random_state=0)
    assert found.where == f"coefficient of feature {np.argmax(found.errors)}"


class Unknown(Wrong):
    """A loss with a derivative of this number for the largest target."""

    def __init__(self, number):
        self.number = number

    def gradient(self, y, p):
        return np.where(y >= X[:, 0].max(), self.number, 0.0)


def test_an_infinite_gradient():
    assert check_gradient(Unknown(np.inf), X, X[:, 0], random_state=0).error == np.inf


def test_not_a_number():
    with pytest.raises(ValueError, match=naming("Unknown.gradient", "NaN", "target")):
        check_gradient(Unknown(np.nan), X, X[:, 0], random_state=0)


def test_objective_must_be_finite():
    class Bad(Wrong):
        def value(self, y, p):
            return np.full_like(p, np.inf)

    with pytest.raises(ValueError, match=naming("finite", "inf", "at=")):
        check_gradient(Bad(), X, X[:, 0])


def test_value_is_the_derivative():
    # Half the squared error with a ridge, at a given point.
    data, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 0.0])
    estimator = GDRegressor(alpha=0.5)
    found = check_gradient(estimator, data, y, at=([1.0, -1.0], 2.0))
    residual = np.array([1 - 2 + 2 - 1.0, 3 - 4 + 2 - 0.0])
    expected = [*(residual @ data / 2 + 0.5 * np.array([1.0, -1.0])), residual.mean()]
    np.testing.assert_allclose(found.analytical[0], expected, rtol=1e-12)
    np.testing.assert_allclose(found.numerical[0], expected, rtol=1e-8)


def test_fitted_estimator_is_checked_where_it_is_and_left_alone():
    y = np.array(["no", "yes"])[np.arange(N) % 2]
    model = GDClassifier("nesterov", class_weight="balanced", batch_size="full", tol=None)
    model.set_params(max_iter=2000, alpha=0.1).fit(X, y)
    before = dict(vars(model))
    found = check_gradient(model.sparsify(), X, y)
    # At a minimum only the rounding of the numerical slopes is left, relative to the least slope
    # that counts, a thousandth of the objective: 2e-16 / (6e-6 * 1e-3).
    assert np.all(np.abs(found.analytical) < 1e-3) and found.error < 4e-8
    model.densify()
    assert vars(model).keys() == before.keys()
    point = np.ones((1, D)), [0.5]
    elsewhere = check_gradient(model, X, y, at=point).analytical
    expected = check_gradient(clone(model), X, y, at=point).analytical
    np.testing.assert_allclose(elsewhere, expected, rtol=1e-12)
    fresh = GDClassifier()
    check_gradient(fresh, X, y)
    assert vars(fresh).keys() == vars(GDClassifier()).keys()
    # A fitted model accepts only the classes that it knows.
    with pytest.raises(ValueError, match=naming("y", "'no', 'yes'", "'perhaps'")):
        check_gradient(model, X, np.where(y == "no", "perhaps", y))
    # With another penalty the model is not at the minimum.
    assert np.abs(check_gradient(model.set_params(alpha=1.0), X, y).analytical).max() > 1e-3


class TestCorners:
    def test_zero_coefficients_of_a_lasso(self):
        y = X[:, 0] + 0.1 * RNG.normal(size=N)
        estimator = GDRegressor(alpha=0.1, l1_ratio=1.0)
        found = check_gradient(estimator, X, y, at=([0.5, 0.0, 0.0], 0.1))
        assert found.corners == 2 and found.error < 1e-9
        assert "2 at a corner" in repr(found)

    def test_residuals_of_zero(self):
        found = check_gradient("absolute_error", X, np.zeros(N), at=(np.zeros(D), 0.0))
        assert found.corners == D + 1 and found.error == 0

    def test_a_wrong_slope_at_a_corner_is_wrong(self):
        class Steep(Loss):
            kinds = ("regressor",)

            def value(self, y, p):
                return np.abs(p - y)

            def gradient(self, y, p):
                return np.where(p >= y, 2.0, -2.0)

        found = check_gradient(Steep(), X, np.zeros(N), at=(np.zeros(D), 0.0))
        assert found.corners == D + 1 and found.error > 0.4

    def test_a_random_point_is_at_none(self):
        # Between corners these losses are linear: all differences of slopes are rounding.
        for loss in ("squared_error", "absolute_error", "epsilon_insensitive"):
            assert check_gradient(loss, X, X[:, 0], random_state=0).corners == 0
        assert check_gradient("log_loss", X, np.arange(N) % 2, random_state=0).corners == 0


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_units_do_not_matter(factor):
    y = factor * RNG.gamma(2.0, size=N)
    for loss in ("squared_error", Huber(factor), "quantile", "poisson", "gamma"):
        assert check_gradient(loss, 1e3 * X, y, random_state=0).error < 1e-7


def test_bad_input():
    y = X[:, 0]
    with pytest.raises(ValueError, match=naming("loss", "'hubert'", "'huber'")):
        check_gradient("hubert", X, y)
    with pytest.raises(TypeError, match=naming("loss_or_estimator", "Huber()")):
        check_gradient(Huber, X, y)
    with pytest.raises(TypeError, match=naming("loss_or_estimator", "Pipeline")):
        check_gradient(make_pipeline(GDRegressor()), X, y)
    with pytest.raises(ValueError, match=naming("'epsilon'", "Huber", "-1")):
        check_gradient(Huber(epsilon=-1), X, y)
    with pytest.raises(ValueError, match=naming("loss='gamma'", "positive")):
        check_gradient("gamma", X, y)
    with pytest.raises(ValueError, match=naming("at", "3", "(2,)")):
        check_gradient("huber", X, y, at=([1.0, 2.0], 0.0))
    for at in (1, "zero", [1.0, 2.0, 3.0], GDRegressor()):
        with pytest.raises(ValueError, match=naming("at", "(coef, intercept)", repr(at))):
            check_gradient("huber", X, y, at=at)
    with pytest.raises(ValueError, match="NaN"):
        check_gradient("huber", X * np.nan, y)
