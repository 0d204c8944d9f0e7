"""The formulas give the same digits without compilation, as plain Python."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.functions import quadratic
from helpers.optimizers import DRAWN, MINI_BATCH
from helpers.runs import Function
from helpers.uncompiled import counterpart, load, plain_fit, twin_of, unload
from sk_gd import GDClassifier, GDRegressor, losses, optimizers

STEPS = 100


@pytest.fixture(scope="module")
def plain():
    """The sources by name, loaded as plain Python."""
    yield load()
    unload()


def quick(name):
    """The optimizer; if it tries a thousand candidates, which takes plain Python seconds, ten."""
    optimizer = optimizers.get(name)
    return optimizer.set_params(n_candidates=10) if name in DRAWN else optimizer


@pytest.mark.parametrize("name", optimizers.names())
def test_steps(plain, name):
    optimizer = quick(name)
    curvature, centre = np.array([1.0, 10.0, 0.1, 3.0]), np.array([0.5, -1.0, 2.0, 0.0])

    function = quadratic(curvature, centre)
    twin = quadratic(curvature, centre, kind=twin_of(plain, Function))
    w, w_plain = np.array([0.1, -0.7, 0.3, 0.0]), np.array([0.1, -0.7, 0.3, 0.0])
    rule, rule_plain = optimizer.rule(4), counterpart(plain, optimizer).rule(4)
    rule.start(w)
    rule_plain.start(w_plain)
    for t in range(STEPS):
        lr = 0.05 / (1 + 0.01 * t)
        rule(w, function, lr)
        rule_plain(w_plain, twin, lr)
        assert w.tolist() == w_plain.tolist()
    assert rule.model(w).tolist() == rule_plain.model(w_plain).tolist()
    for array, values in rule.arrays.items():
        assert values.tolist() == rule_plain.arrays[array].tolist()


@pytest.mark.parametrize("inner", ["SGD", "Nesterov"])
@pytest.mark.parametrize("wrapper", ["ClipNorm", "ClipValue"])
def test_wrapped_steps(plain, wrapper, inner):
    models = []
    wrapper, inner = getattr(optimizers, wrapper), getattr(optimizers, inner)
    for around, within in (
        (wrapper, inner),
        (twin_of(plain, wrapper), twin_of(plain, inner)),
    ):
        w = np.array([0.1, -0.7, 0.3, 0.0])
        rule = around(within(), 0.3).rule(4)
        rule.start(w)
        for _ in range(STEPS):
            rule(w, lambda w: np.array([1.0, 10.0, 0.1, 3.0]) * (w - 0.5), 0.05)
        models.append(rule.model(w).tolist())
    assert models[0] == models[1]


SHORT = ("momentum", "heavy_ball", "nesterov", "random_search", "random_local_search")

PROBLEMS = [
    ("regressor", loss, outputs) for loss in losses.names("regressor") for outputs in (1, 2)
] + [("classifier", loss, classes) for loss in losses.names("classifier") for classes in (2, 3)]


@pytest.mark.filterwarnings("ignore:The objective is:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("kind", "loss", "size"), PROBLEMS)
@pytest.mark.parametrize("name", MINI_BATCH)
def test_stochastic_fits(plain, name, kind, loss, size):
    optimizer = quick(name)
    # Each optimizer, and each loss, has fits with and without a penalty.
    turn = MINI_BATCH.index(name) + PROBLEMS.index((kind, loss, size))
    alpha, l1_ratio = [(0.0, 0.0), (0.02, 0.5)][turn // 2 % 2]
    generator = np.random.default_rng(3)
    X = np.round(generator.normal(size=(20, 3)), 2)
    X[generator.random(X.shape) < 0.3] = 0  # to leave coordinates untouched
    estimator = GDRegressor if kind == "regressor" else GDClassifier
    if kind == "regressor":
        y = np.abs(np.round(X[:, :1] + generator.normal(size=(20, size)), 2)) + 0.01
        outputs = size
    else:
        y = (np.arange(20.0) % size)[:, None]
        outputs = 1 if size == 2 else size
    # Losses with exponentials, methods with momentum and random steps need shorter steps.
    rate = 0.003 if loss in ("poisson", "gamma") or name in SHORT else 0.03
    # The products of one sparse row are plain sums, which Python repeats to the last digit.
    model = estimator(
        optimizer,
        loss=loss,
        alpha=alpha,
        l1_ratio=l1_ratio,
        learning_rate=rate,
        schedule="constant",
        batch_size=1,
        max_iter=STEPS // 20,
        tol=None,
        average=False,
        precondition=None,
        scale_penalty=False,
        shuffle=False,
        random_state=0,
    ).fit(sp.csr_array(X), y if kind == "regressor" else y.ravel())
    coef, intercept = plain_fit(
        plain, optimizer, losses.get(loss), X, y, outputs, alpha, l1_ratio, rate, STEPS
    )
    # The start, zero weights, is a minimum of the perceptron loss, where rules with values stay.
    assert np.any(coef) or (loss == "perceptron" and name in ("armijo", "polyak", *DRAWN))
    assert np.reshape(model.coef_, coef.shape).tolist() == coef.tolist()
    if kind == "classifier" and outputs > 1:
        intercept = intercept - intercept.mean()
    assert np.ravel(model.intercept_).tolist() == intercept.tolist()


@pytest.mark.parametrize(("kind", "loss", "size"), PROBLEMS)
def test_losses(plain, kind, loss, size):
    generator = np.random.default_rng(5)
    outputs = 1 if kind == "classifier" and size == 2 else size
    p = generator.normal(scale=3, size=(outputs, 50))
    if kind == "classifier":
        y = generator.integers(size, size=(1, 50)).astype(float)
    else:
        y = generator.gamma(1.0, size=(outputs, 50))
    weight = generator.random(50)
    compiled = losses.get(loss)
    total = compiled.kernel(outputs).total(y, p, weight)
    assert total == counterpart(plain, compiled).kernel(outputs).total(y, p, weight)
