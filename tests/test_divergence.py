"""Training that ends clearly above its beginning is an error, whoever stopped it."""

import re
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning

from helpers.assertions import state
from sk_gd import DivergenceError, GDClassifier, GDGridSearchCV, GDRegressor, optimizers

DIABETES = load_diabetes(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
RATES = [0.5, 1.0, 10.0, 30.0, 100.0, 1000.0]


def without_model(make, y):
    """The loss of the best constant."""
    share = np.mean(y)
    if make is GDRegressor:
        return 0.5 * np.var(y)
    return -share * np.log(share) - (1 - share) * np.log(1 - share)


def loss_of(model, X, y):
    p = X @ model.coef_.ravel() + model.intercept_
    if isinstance(model, GDRegressor):
        return 0.5 * np.mean((p - y) ** 2)
    return np.mean(np.logaddexp(0, p) - y * p)


@pytest.mark.parametrize("tol", [1e-4, None])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "nesterov", "heavy_ball", "adagrad", "adam", "rmsprop"]
)
@pytest.mark.parametrize(("make", "data"), [(GDRegressor, DIABETES), (GDClassifier, CANCER)])
def test_a_fit_is_sound_or_an_error(make, data, optimizer, rate, tol):
    model = make(optimizer, learning_rate=rate, tol=tol, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(*data)
        except DivergenceError as error:
            assert error.learning_rate == rate and error.safe_learning_rate > 0
            assert not hasattr(model, "coef_")
            return
    start = without_model(make, data[1])
    unit = np.var(data[1]) if make is GDRegressor else 1.0
    loss = loss_of(model, *data)
    assert loss < start + 0.25 * unit  # fits of few steps have some more room than a fifth
    told = any(each.category is ConvergenceWarning for each in caught)
    assert loss <= 1.01 * start or told
    assert {each.category for each in caught} <= {ConvergenceWarning}


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_beyond_the_stable_limit(optimizer):
    """Patience used to end such fits before their weights overflowed."""
    model = GDRegressor(optimizer, learning_rate=1000.0, random_state=0)
    with pytest.raises(DivergenceError, match="at the beginning|an epoch ago"):
        model.fit(*DIABETES)


def test_a_loss_that_is_zero_without_a_model_can_only_grow():
    """The perceptron's is proportional to the length of the weights, and so to the rate."""
    X = np.random.default_rng(0).normal(size=(300, 20))
    y = np.random.default_rng(1).normal(size=300) > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDClassifier("sgd", loss="perceptron", random_state=0).fit(X, y)
    assert model.loss_curve_[-1] > model.loss_curve_[0]


def test_partial_fit_leaves_the_model_as_it_was():
    model = GDRegressor("sgd", batch_size="full", learning_rate=0.1).partial_fit(*DIABETES)
    model.set_params(learning_rate=1e4)
    before = state(model)
    with pytest.raises(DivergenceError):
        model.partial_fit(*DIABETES)
    assert state(model) == before


def test_the_search_has_no_score_for_it():
    model = GDRegressor("momentum", random_state=0)
    grid = {"learning_rate": [0.001, 1000.0], "max_iter": [3, 50]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GDGridSearchCV(model, grid, cv=3).fit(*DIABETES)
    results = search.cv_results_
    for params, score in zip(results["params"], results["mean_test_score"], strict=True):
        assert np.isfinite(score) == (params["learning_rate"] < 1), params


@pytest.mark.parametrize("optimizer", optimizers.names())
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
def test_noise_is_no_divergence(make, optimizer):
    """At the automatic rates, on targets that have nothing to do with X."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20))
    y = rng.normal(size=60)
    y = y if make is GDRegressor else (y > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        make(optimizer, max_iter=5, random_state=0).fit(X, y)


def test_noise_on_many_features_is_no_divergence():
    """Plain descent at the automatic rate ends above its beginning, by as much as a half."""
    rng = np.random.default_rng(1000)
    X = rng.normal(size=(1000, 400)) * np.exp(rng.normal(size=400))
    with pytest.warns(ConvergenceWarning, match="chosen automatically"):
        GDRegressor("sgd", random_state=0).fit(X, rng.normal(size=1000))


@pytest.mark.parametrize("loss", ["perceptron", "hinge"])
def test_losses_that_are_zero_without_a_model(loss):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        GDClassifier(loss=loss, random_state=0).fit(*CANCER)


def test_a_sample_of_rows_that_differ_is_compared_with_itself():
    """Every fourth row is in the sample, and no model explains the targets of these rows."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4096, 2)), np.zeros(4096)
    y[::4] = rng.choice([-1, 1], 1024)
    model = GDRegressor("sgd", loss="huber", batch_size="full", learning_rate=0.1, tol=None)
    curve = model.set_params(max_iter=120).fit(X, y).loss_curve_
    assert curve[-1] < curve[0] < 0.2


@pytest.mark.parametrize("precondition", [None, "standardize"])
def test_weights_without_room_in_the_type_of_x(precondition):
    """The slopes of this loss are at most one, so that only the rate is too large."""
    X, y = DIABETES
    model = GDRegressor("sgd", loss="absolute_error", batch_size="full", learning_rate=1e33)
    model.set_params(alpha=0, precondition=precondition, tol=None, max_iter=1)
    at_zero = np.abs(y - (0 if precondition is None else y.mean())).mean()
    found = rf"objective is {at_zero:.6g} now, with weights too large for predictions in float32"
    with pytest.raises(DivergenceError, match=re.escape(found)):
        model.fit(X.astype(np.float32), y)


def test_the_loss_of_the_epoch_before():
    X, y = DIABETES
    model = GDRegressor("sgd", batch_size="full", learning_rate=1e200, alpha=0, tol=None)
    found = f"objective was {0.5 * y.var():.6g} an epoch ago and is inf now. Plain"
    with pytest.raises(DivergenceError, match=re.escape(found)):
        model.fit(X, y)
