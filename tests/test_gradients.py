"""The compiled gradient agrees with central differences of the objective in plain NumPy."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers import naive
from helpers.runs import (
    Recorder,
    epoch,
    loss_scale,
    loss_sum,
    make_data,
    make_run,
    recorded_gradient,
    weights,
)
from sk_gd import losses

N, D = 15, 3
# The strength, the share of the lasso, and whether the sizes of the features count.
PENALTIES = {
    "none": (0.0, 0.0, False),
    "ridge": (0.3, 0.0, False),
    "elastic": (0.3, 0.4, False),
    "lasso": (0.3, 1.0, False),
    "scaled ridge": (0.3, 0.0, True),
    "scaled elastic": (0.3, 0.4, True),
}
# Whitened coordinates have no lasso.
PLACES = [
    (penalty, precondition)
    for penalty, (_, l1_ratio, _) in PENALTIES.items()
    for precondition in (None, "standardize", "whiten")
    if l1_ratio == 0 or precondition != "whiten"
]
CASES = [
    (kind, loss, outputs)
    for kind in ("regressor", "classifier")
    for loss in losses.names(kind)
    for outputs in (1, 3)
]


def somewhere(loss, size):
    """A random point, near zero for losses with exponentials, which would cost digits."""
    return np.random.default_rng(2).normal(size=size) * (0.2 if loss in ("poisson", "gamma") else 1)


def problem(kind, outputs, storage, dtype, weighted):
    generator = np.random.default_rng(11)
    X = generator.normal([1.0, -2.0, 0.0], [0.5, 3.0, 1.0], (N, D))
    X[generator.random(X.shape) < 0.3] = 0
    X = X.astype(dtype)
    if kind == "regressor":
        y = generator.gamma(2.0, size=(N, outputs)) * np.arange(1, outputs + 1)
    else:
        y = np.arange(N) % (2 if outputs == 1 else outputs)
    weight = generator.integers(0, 4, N) + 0.5 if weighted else None
    return (sp.csr_array(X) if storage == "csr" else X), y, weight


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("storage", ["dense", "csr"])
@pytest.mark.parametrize(("penalty", "precondition"), PLACES)
@pytest.mark.parametrize(("kind", "loss", "outputs"), CASES)
def test_gradient(kind, loss, outputs, penalty, precondition, storage, dtype):
    case = kind, loss, outputs
    # In turn: each loss, and each place, has both kinds of numbers with and without weights.
    turn = CASES.index(case) + PLACES.index((penalty, precondition)) + (storage == "csr")
    X, y, weight = problem(kind, outputs, storage, dtype, (turn + (dtype is np.float32)) % 2)
    check_gradient_of(case, (penalty, precondition), X, y, weight)


def check_gradient_of(case, place, X, y, weight):
    (_, loss, outputs), (penalty, precondition) = case, place
    alpha, l1_ratio, scaled = PENALTIES[penalty]
    data = make_data(
        X,
        y,
        loss,
        outputs=outputs,
        weight=weight,
        precondition=precondition,
        ridge=alpha * (1 - l1_ratio),
        scale_penalty=scaled,
    )
    strengths = {"alpha": alpha, "l1_ratio": l1_ratio}
    coordinates = data.coordinates
    start = somewhere(loss, outputs * (D + 1))
    run = make_run(data, Recorder(), **strengths, start=start)
    epoch(data, run)
    size = naive.sizes(X, weight) if scaled else 1.0

    def objective(w):
        model = coordinates.to_model(w)
        return naive.objective(loss, X, y, *model, **strengths, weight=weight, size=size)

    scale = loss_scale(coordinates)
    if precondition is not None and loss == "squared_error":
        # Predictions are in units of the target's deviation, and losses in units of its variance.
        mean = np.average(y, axis=0, weights=weight)
        scale = np.average((y - mean) ** 2, axis=0, weights=weight)
    expected = [naive.slope(objective, start, j) for j in range(len(start))]
    expected = np.reshape(expected, (outputs, D + 1)) / scale[:, None]
    gradient = recorded_gradient(run).reshape(outputs, D + 1)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(weights(run), start)
    # The reported loss has no penalty.
    value = naive.objective(loss, X, y, *coordinates.to_model(start), weight=weight)
    assert loss_sum(run) / N == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("storage", ["dense", "csr"])
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize(("kind", "loss", "outputs"), CASES)
def test_step_of_plain_descent(kind, loss, outputs, precondition, storage, intercept):
    # Without a penalty sparse steps change only some coordinates, with other code.
    X, y, weight = problem(kind, outputs, storage, np.float64, True)
    data = make_data(
        X, y, loss, outputs=outputs, weight=weight, precondition=precondition, intercept=intercept
    )
    start = somewhere(loss, outputs * (D + intercept))
    runs = [make_run(data, optimizer, start=start) for optimizer in ("sgd", Recorder())]
    for run in runs:
        epoch(data, run)
    plain, recorder = runs
    gradient = recorded_gradient(recorder)
    np.testing.assert_allclose(weights(plain), start - gradient, rtol=1e-13, atol=1e-13)
    if not intercept:

        def objective(w):
            model = data.coordinates.to_model(w)
            return naive.objective(loss, X, y, *model, weight=weight)

        expected = [naive.slope(objective, start, j) for j in range(len(start))]
        scale = np.repeat(loss_scale(data.coordinates), D)
        np.testing.assert_allclose(gradient, expected / scale, rtol=1e-6, atol=1e-8)


def test_every_loss_has_its_definition_here():
    assert set(losses.TABLE) == set(naive.LOSSES)
