"""Penalties: the elastic net, and others that are written in a few lines of numpy."""

import numpy as np
import pytest
from scipy.optimize import brentq, nnls

from helpers.runs import epoch, make_data, make_run
from sk_gd import optimizers
from sk_gd.penalties import ElasticNet, Penalty

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 6)) @ (np.eye(6) + 0.3) * [1.0, 2.0, 0.5, 1.0, 3.0, 0.2]
Y = X @ [1.0, -0.5, 2.0, 0.0, 0.3, -4.0] + RNG.standard_normal(60) + 5.0
CENTRED, RESIDUAL = X - X.mean(axis=0), Y - Y.mean()
# A rule of each kind: without memory, with a velocity, with a metric, dual averaging, and those
# that judge a step by its gradients or by values.
RULES = {
    "sgd": (0.3, 1500),
    "nesterov": (0.05, 1500),
    "adagrad": (0.3, 1500),
    "schedule_free_sgd": (0.5, 3000),
    "ftrl": (0.3, 1500),
    "cocob": (0.5, 4000),
    "armijo": (0.3, 600),
}
# These sum all steps with equal weights, so the error falls like 1 / t.
DUAL_AVERAGING = ("schedule_free_sgd", "ftrl")


class NonNegative(Penalty):
    """No coefficient is below zero."""

    def prox(self, coef, steps):
        return np.maximum(coef, 0)


class GroupLasso(Penalty):
    """The sum of the lengths of groups of coefficients."""

    def __init__(self, alpha, groups):
        self.alpha = alpha
        self.groups = groups

    def value(self, coef):
        return self.alpha * sum(np.linalg.norm(coef[group]) for group in self.groups)

    def prox(self, coef, steps):
        out = np.zeros(len(coef))
        for group in self.groups:
            v, threshold = coef[group], self.alpha * steps[group]
            # With t the length of the result u, u = v t / (t + threshold).
            excess = lambda t, v=v, s=threshold: np.sum((v / (t + s)) ** 2) - 1  # noqa: E731
            if np.all(threshold == 0):
                out[group] = v
            elif excess(0.0) > 0:
                t = brentq(excess, 0.0, np.linalg.norm(v), xtol=1e-15, rtol=1e-14)
                out[group] = v * t / (t + threshold)
        return out


class Ridge(Penalty):
    """A smooth penalty: half the squares, each with its own strength."""

    def __init__(self, strength):
        self.strength = strength

    def value(self, coef):
        return 0.5 * np.sum(self.strength * coef**2)

    def gradient(self, coef):
        return self.strength * coef


class NonNegativeRidge(Ridge):
    """The sum of a smooth part and a constraint."""

    def smooth_value(self, coef):
        return self.value(coef)

    def prox(self, coef, steps):
        return np.maximum(coef, 0)


def trained(penalty, name, precondition="standardize"):
    """Run and coefficients at the end of training by the full batch."""
    rate, steps = RULES[name]
    data = make_data(X, Y, "squared_error", precondition=precondition)
    optimizer = optimizers.get(name)
    if name == "schedule_free_sgd":
        optimizer.set_params(r=5.0)  # a plain mean forgets the start too slowly
    run = make_run(data, optimizer, learning_rate=rate)
    run.lane.penalty = penalty.kernel(
        *data.coordinates.weight_scales(), proximal=run.lane.rule.has_metric()
    )
    for _ in range(steps):
        epoch(data, run)
    coef, intercept = data.coordinates.to_model(run.lane.model())
    np.testing.assert_allclose(intercept, Y.mean() - X.mean(axis=0) @ coef[0], rtol=1e-5)
    return run, coef[0]


@pytest.mark.parametrize("name", RULES)
def test_non_negative_weights(name):
    """The minimiser is that of Lawson's and Hanson's algorithm."""
    expected, _ = nnls(CENTRED, RESIDUAL)
    run, coef = trained(NonNegative(), name)
    np.testing.assert_allclose(coef, expected, rtol=1e-4, atol=1e-6)
    assert np.any(expected == 0) and np.all((coef == 0) == (expected == 0))
    assert run.lane.penalty_value == 0


@pytest.mark.parametrize("name", RULES)
def test_groups_of_weights(name):
    """Optimality: in a group that is not zero, the gradients of loss and penalty cancel."""
    groups, alpha = ([0, 1], [2, 3], [4, 5]), 0.7
    run, coef = trained(GroupLasso(alpha, groups), name)
    slope = CENTRED.T @ (RESIDUAL - CENTRED @ coef) / len(Y)
    tolerance = 2 / RULES[name][1] if name in DUAL_AVERAGING else 1e-5
    left_out = [not np.any(coef[group]) for group in groups]
    assert any(left_out) and not all(left_out)
    for group, out in zip(groups, left_out, strict=True):
        if out:
            assert np.linalg.norm(slope[group]) < alpha
        else:
            pull = alpha * coef[group] / np.linalg.norm(coef[group])
            np.testing.assert_allclose(slope[group], pull, atol=tolerance)
    value = alpha * sum(np.linalg.norm(coef[group]) for group in groups)
    assert run.lane.penalty_value == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("name", ["sgd", "adagrad", "armijo"])
def test_smooth(name):
    strength = np.array([0.5, 0.0, 0.1, 0.2, 0.01, 0.02])
    _, coef = trained(Ridge(strength), name)
    hessian = CENTRED.T @ CENTRED / len(Y) + np.diag(strength)
    expected = np.linalg.solve(hessian, CENTRED.T @ RESIDUAL / len(Y))
    np.testing.assert_allclose(coef, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "armijo"])
def test_smooth_and_not(name):
    """A ridge equals more rows, with targets of zero."""
    root = np.sqrt(len(Y) * 0.1)
    rows, targets = np.vstack([CENTRED, root * np.eye(6)]), np.append(RESIDUAL, np.zeros(6))
    _, coef = trained(NonNegativeRidge(0.1), name)
    np.testing.assert_allclose(coef, nnls(rows, targets)[0], rtol=1e-5, atol=1e-7)


def test_an_exception_of_the_formula_ends_the_training():
    class Broken(Penalty):
        def prox(self, coef, steps):
            raise RuntimeError("a penalty of one's own")

    with pytest.raises(RuntimeError, match="a penalty of one's own"):
        trained(Broken(), "sgd")


class TestErrors:
    SIZE, LOSS_SCALE = np.array([1.0, 2.0, 0.0]), np.ones(3)

    def test_no_formula(self):
        with pytest.raises(TypeError, match="Nothing has no formula: .* gradient, prox"):
            type("Nothing", (Penalty,), {})().kernel(self.SIZE, self.LOSS_SCALE)

    def test_a_rule_without_a_metric(self):
        with pytest.raises(ValueError, match="NonNegative needs a proximal step"):
            NonNegative().kernel(self.SIZE, self.LOSS_SCALE, proximal=False)

    def test_outputs_of_different_units(self):
        with pytest.raises(ValueError, match="one loss scale for all outputs"):
            Ridge(1.0).kernel(self.SIZE, np.array([1.0, 2.0, 1.0]))
        NonNegative().kernel(self.SIZE, np.array([1.0, 2.0, 1.0]))

    @pytest.mark.parametrize("parameters", [{"alpha": -1.0}, {"l1_ratio": 1.5}])
    def test_elastic_net(self, parameters):
        with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter"):
            ElasticNet(**parameters).check()


def test_the_elastic_net_in_units():
    """The penalty is that of the coefficients, for weights in any unit and any loss scale."""
    size, loss_scale = np.array([2.0, 0.5, 0.0]), np.array([4.0, 4.0, 4.0])
    w = np.array([3.0, -8.0, 100.0])
    penalty = ElasticNet(alpha=0.1, l1_ratio=0.25)
    coef = size * w
    expected = 0.025 * np.abs(coef).sum() + 0.0375 * (coef**2).sum()
    for proximal in (True, False):
        kernel = penalty.kernel(size, loss_scale, proximal)
        assert (kernel.has_gradient, kernel.has_prox) == (True, proximal)
        assert kernel(w) == pytest.approx(expected, rel=1e-15)
    np.testing.assert_allclose(penalty.curvature(size, loss_scale), 0.075 * size**2 / 4)
    assert not penalty.smooth and ElasticNet(alpha=0.1).smooth and ElasticNet(0, 1).smooth
