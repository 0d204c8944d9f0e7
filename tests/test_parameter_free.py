"""Rules that choose their own step size: closed forms and automatic settings."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_regression

from helpers.assertions import naming
from helpers.functions import quadratic
from helpers.optimizers import PARAMETER_FREE, driven, starting
from helpers.runs import has_average, run_of
from sk_gd import GDRegressor, optimizers
from sk_gd.optimizers import COCOB, AdGD, BarzilaiBorwein, ClipNorm


def test_cocob_on_gradients_that_tell_its_forms_apart():
    expected = [-0.01, -0.01111, -0.01121223321, -0.0101907977544579, -0.0122334392383817]
    path = driven(COCOB(), [1, 10, 0.1, -1, 2])
    np.testing.assert_allclose(path, expected, rtol=1e-13)


def test_the_first_bet_of_cocob_is_one_over_alpha():
    np.testing.assert_allclose(driven(COCOB(alpha=40.0), [-3e5], start=2.0), [2.025], rtol=1e-14)


@pytest.mark.parametrize("name", ["dog", "dowg", "prodigy", "dadapt_adam", "cocob"])
@pytest.mark.parametrize("unit", [1e-2, 1e2])
def test_the_unit_of_the_function_changes_nothing(name, unit):
    """The steps depend on ratios of gradients only."""
    optimizer = optimizers.get(name)
    if "epsilon" in optimizer.get_params() and name != "cocob":
        optimizer.set_params(epsilon=0.0)
    models = []
    for scale in (1.0, unit):
        w = np.array([1.0, -2.0, 0.5])
        rule = starting(optimizer, w)
        for _ in range(30):
            rule(w, lambda w, scale=scale: scale * np.array([1.0, 10.0, 0.1]) * (w - 0.3), 1.0)
        models.append(w)
    np.testing.assert_allclose(models[1], models[0], rtol=1e-12)


class TestAdGD:
    def test_by_hand(self):
        # Steps: 1/4; 1/4 (the curvature is 2); sqrt(2)/4 (at most sqrt(1 + 1) times the last), to
        # six binary digits 45/128; then half of the last change over the change of the gradient,
        # 2.999, which is 0.11716, to six digits 60/512.
        change = 1.999 * 45 / 128
        expected = [-1, -1.5, -1.5 - change, -1.5 - change + 60 / 512]
        path = driven(AdGD(lambda_0=0.25), [4, 2, 1.999, -1])
        np.testing.assert_allclose(path, expected, rtol=1e-14)

    def test_the_growth_counts_the_growth_before(self):
        # The steps are sqrt(1 + 1) / 4, to six binary digits 45/128, and sqrt(1 + 45/32) times
        # that, 0.54536, to six digits 35/64.
        w = driven(AdGD(lambda_0=0.25), [4, 2, 1.9999, 1.9998])
        grown = (w[3] - w[2]) / -1.9998
        assert grown == pytest.approx(35 / 64, rel=1e-12)

    def test_halves_the_error_of_a_parabola(self):
        # The step is half the inverse curvature, 1/8: its six digits are exact.
        w = np.array([8.0])
        rule = starting(AdGD(), w)
        rule(w, lambda w: 4 * w, 1.0)
        before = w[0]
        for k in range(1, 20):
            rule(w, lambda w: 4 * w, 1.0)
            assert w[0] == before / 2**k


class TestBarzilaiBorwein:
    def test_exact_on_a_parabola(self):
        # The second step uses the exact curvature.
        w = np.array([8.0])
        rule = starting(BarzilaiBorwein(lambda_0=1e-3), w)
        rule(w, lambda w: 4 * (w - 3), 1.0)
        rule(w, lambda w: 4 * (w - 3), 1.0)
        assert w[0] == pytest.approx(3, abs=1e-14)

    def test_superlinear_in_two_dimensions(self):
        # With the best constant step, (99 / 101)^k, this takes 1600 steps.
        w = np.array([1.0, 1.0])
        rule = starting(BarzilaiBorwein(), w)
        for _ in range(22):
            rule(w, lambda w: np.array([1.0, 100.0]) * w, 1.0)
        assert np.linalg.norm(w) < 1e-14

    def test_growth_is_bounded(self):
        # Steps: 1/4, 1/2, then 10 times that, as the gradient hardly changes.
        path = driven(BarzilaiBorwein(lambda_0=0.25), [4, 2, 1.999999])
        np.testing.assert_allclose(path, [-1, -2, -2 - 5 * 1.999999], rtol=1e-14)

    def test_negative_curvature(self):
        # The slope gets steeper, and the step is still positive.
        path = driven(BarzilaiBorwein(lambda_0=0.25), [4, 6])
        np.testing.assert_allclose(path, [-1, -1 - 6 * 0.5], rtol=1e-14)


@pytest.mark.parametrize("name", ["adgd", "barzilai_borwein"])
def test_constant_gradient(name):
    """Without curvature the steps grow."""
    path = np.array(driven(optimizers.get(name), [1.0] * 8))
    steps = -np.diff(path)
    assert np.all(steps[1:] > 1.4 * steps[:-1]) and np.all(steps > 0)


@pytest.mark.parametrize("method", [AdGD(), BarzilaiBorwein()], ids=repr)
def test_rounding_of_the_gradient_does_not_change_the_step_sizes(method):
    """Otherwise the weights would differ by 1e-9, and more the longer the training is."""
    curvature = np.logspace(0, 3, 20)
    noise = np.random.default_rng(0)
    paths = []
    for error in (0.0, 1e-15):
        w = np.ones(20)
        rule, sizes = starting(method, w), []
        for _ in range(60):
            rule(w, lambda w, error=error: curvature * w * (1 + error * noise.normal(size=20)), 1.0)
            sizes.append(rule.arrays["step_size"][0])
        paths.append((sizes, w))
    assert paths[0][0] == paths[1][0]
    np.testing.assert_allclose(paths[1][1], paths[0][1], rtol=0, atol=1e-14)


X, Y = make_regression(150, 4, noise=5.0, random_state=0)


def test_which_are_free():
    assert set(PARAMETER_FREE) == {
        *("dog", "dowg", "prodigy", "dadapt_adam", "cocob"),
        *("adgd", "barzilai_borwein", "lbfgs"),
    }


@pytest.mark.parametrize("precondition", [None, "standardize"])
@pytest.mark.parametrize("name", PARAMETER_FREE)
def test_the_automatic_rate_is_one(name, precondition):
    settings = {"precondition": precondition, "max_iter": 2, "tol": None}
    assert GDRegressor(name, **settings).fit(1e3 * X, Y).learning_rate_ == 1.0


@pytest.mark.parametrize("name", PARAMETER_FREE)
def test_a_zero_gradient_moves_nothing(name):
    w = np.array([1.0, -2.0])
    rule = starting(optimizers.get(name), w)
    for _ in range(3):
        rule(w, quadratic(0.0, 0.0), 1.0)
    np.testing.assert_array_equal(w, [1.0, -2.0])


@pytest.mark.parametrize("name", optimizers.names())
def test_the_automatic_average_is_the_optimizers(name):
    settings = {"max_iter": 3, "tol": None, "random_state": 0}
    automatic = GDRegressor(name, **settings).fit(X, Y)
    explicit = clone(automatic).set_params(average=optimizers.get(name).default_average)
    np.testing.assert_array_equal(automatic.coef_, explicit.fit(X, Y).coef_)
    averages = name in ("dog", "dowg", "prodigy", "dadapt_adam")
    assert has_average(run_of(automatic)) == averages


@pytest.mark.parametrize("optimizer", [AdGD(), BarzilaiBorwein(), ClipNorm("adgd")], ids=repr)
@pytest.mark.parametrize("loss", ["squared_error", "huber", "gamma"])
def test_the_step_that_measures_does_not_end_the_training(optimizer, loss):
    y = np.exp(Y / np.std(Y)) if loss == "gamma" else Y
    patient, hasty = (
        GDRegressor(optimizer, loss=loss, alpha=0.01, n_iter_no_change=k, max_iter=200).fit(X, y)
        for k in (5, 1)
    )
    assert hasty.loss_curve_[-1] < 0.7 * hasty.loss_curve_[0]
    np.testing.assert_allclose(hasty.coef_, patient.coef_, rtol=0, atol=0.2 * np.std(Y))


@pytest.mark.parametrize("name", ["adgd", "barzilai_borwein"])
def test_full_batch_only(name):
    model = GDRegressor(name, max_iter=2, tol=None)
    assert model.fit(X, Y).t_ == 2
    for allowed in ("full", 150, 1000):
        assert model.set_params(batch_size=allowed).fit(X, Y).t_ == 2
    with pytest.raises(ValueError, match=naming("batch_size", "'full'", 149, 150)):
        model.set_params(batch_size=149).fit(X, Y)
