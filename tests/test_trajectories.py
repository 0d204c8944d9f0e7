"""Whole fits end at the weights that torch has after 60 epochs."""

import numpy as np
import pytest

from helpers.records import load
from helpers.runs import rule_of, run_of, weights
from sk_gd import GDClassifier, GDRegressor, optimizers

RECORDED = load("torch_trajectories")

OPTIMIZERS = {
    "sgd": optimizers.SGD(),
    "momentum": optimizers.Momentum(0.9),
    "nesterov": optimizers.Nesterov(0.8),
    "adagrad": optimizers.Adagrad(epsilon=1e-10),
    "adadelta": optimizers.Adadelta(rho=0.9, epsilon=1e-6),
    "rmsprop": optimizers.RMSprop(rho=0.95, epsilon=1e-8),
    "adam": optimizers.Adam(beta_1=0.9, beta_2=0.99, epsilon=1e-8),
    "amsgrad": optimizers.AMSGrad(beta_1=0.9, beta_2=0.95, epsilon=1e-8),
    "adamax": optimizers.Adamax(beta_1=0.9, beta_2=0.95, epsilon=1e-6),
    "nadam": optimizers.NAdam(beta_1=0.9, beta_2=0.99, epsilon=1e-8, momentum_decay=0.01),
    "radam": optimizers.RAdam(beta_1=0.9, beta_2=0.99, epsilon=1e-3),
    "adamw": optimizers.AdamW(beta_1=0.8, beta_2=0.995, epsilon=1e-6, weight_decay=0.1),
    "rprop": optimizers.Rprop(eta_minus=0.4, eta_plus=1.3, step_min=1e-5, step_max=0.5),
}


def name_of(run):
    return f"{run['problem']}-{run['rule']}-{run['batch_size']}-{run['alpha']}"


def trained(problem, rule, batch_size, alpha):
    data = RECORDED["problems"][problem]
    estimator = GDRegressor if problem == "least_squares" else GDClassifier
    return estimator(
        OPTIMIZERS[rule],
        alpha=alpha,
        l1_ratio=0.0,
        learning_rate=RECORDED["options"][rule]["lr"],
        schedule="constant",
        batch_size=batch_size,
        max_iter=RECORDED["epochs"],
        tol=None,
        average=False,
        precondition=None,
        scale_penalty=False,
        shuffle=False,
    ).fit(np.array(data["X"]), np.array(data["y"]))


def torch_form(model):
    """The weights theta = w - momentum * v, in which torch writes Nesterov's method."""
    run = run_of(model)
    theta = weights(run) - model.optimizer_.momentum * rule_of(run).arrays["v"]
    theta = theta.reshape(-1, model.n_features_in_ + 1)
    return theta[:, :-1], theta[:, -1]


@pytest.mark.parametrize("run", RECORDED["runs"], ids=name_of)
def test_agrees_with_torch(run):
    model = trained(run["problem"], run["rule"], run["batch_size"], run["alpha"])
    if run["rule"] == "nesterov":
        coef, intercept = torch_form(model)
    else:
        coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    expected = np.array(run["intercept"])
    if len(expected) > 1:  # the multinomial model is published with centred intercepts
        intercept, expected = intercept - intercept.mean(), expected - expected.mean()
    np.testing.assert_allclose(coef, run["coef"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(intercept, expected, rtol=0, atol=1e-9)


def test_every_rule_that_torch_has_is_recorded():
    recorded = {run["rule"] for run in RECORDED["runs"]}
    assert recorded == set(RECORDED["options"]) == set(OPTIMIZERS)
    assert recorded <= set(optimizers.names())


@pytest.mark.parametrize("batch_size", [22, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("problem", ["least_squares", "logistic"])
def test_nesterov_takes_the_gradient_at_the_look_ahead_point(problem, alpha, batch_size):
    data = RECORDED["problems"][problem]
    X = np.column_stack([data["X"], np.ones(len(data["y"]))])
    y = np.array(data["y"])
    w, v = np.zeros(4), np.zeros(4)
    for _ in range(RECORDED["epochs"]):
        for begin in range(0, len(y), batch_size):
            x, target = X[begin : begin + batch_size], y[begin : begin + batch_size]
            ahead = w - 0.8 * v
            p = x @ ahead
            if problem == "logistic":
                p = 1 / (1 + np.exp(-p))
            g = x.T @ (p - target) / len(x) + alpha * ahead * [1, 1, 1, 0]
            v = 0.8 * v + 0.02 * g
            w = w - v
    model = trained(problem, "nesterov", batch_size, alpha)
    np.testing.assert_allclose(np.ravel(model.coef_), w[:3], rtol=0, atol=1e-13)
    np.testing.assert_allclose(np.ravel(model.intercept_), w[3:], rtol=0, atol=1e-13)
