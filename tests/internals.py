"""One training run without an estimator around it: its objective, coordinates and lane."""

import numpy as np
import scipy.sparse as sp

from sk_gd import loop, losses, optimizers, schedules
from sk_gd.gradients import Recorder
from sk_gd.objectives.coordinates import Coordinates
from sk_gd.objectives.functions import Function
from sk_gd.problem import Problem
from sk_gd.training import Config, Run

__all__ = [
    "DRAWN",
    "MINI_BATCH",
    "Recorder",
    "batch_size_for",
    "epoch",
    "make_data",
    "make_run",
    "quadratic",
    "weights",
    "with_batch_sizes",
]

DRAWN = [name for name in optimizers.names() if name.startswith("random")]
MINI_BATCH = [name for name in optimizers.names() if optimizers.get(name).full_batch != "required"]


def batch_size_for(name, rows):
    """Mini-batches of `rows`, where the optimizer takes them."""
    return rows if name in MINI_BATCH else "full"


def with_batch_sizes(*sizes):
    """Pairs of an optimizer and each of `sizes` that it takes."""
    return [
        (name, size)
        for name in optimizers.names()
        for size in sizes
        if name in MINI_BATCH or size in ("auto", "full")
    ]


def quadratic(curvature, centre, *, clip=lambda g: g, kind=Function):
    """½ Σ curvature (w − centre)², for a rule that may ask for values, too."""
    return kind(
        lambda w: 0.5 * np.sum(curvature * (w - centre) ** 2),
        lambda w: clip(curvature * (w - centre)),
    )


def make_data(
    X,
    y,
    loss,
    *,
    outputs=1,
    weight=None,
    intercept=True,
    precondition=None,
    ridge=0.0,
    batch_size=None,
):
    """Data and coordinates as an estimator makes them."""
    X = X if sp.issparse(X) else np.ascontiguousarray(X)
    y = np.ascontiguousarray(np.reshape(y, (X.shape[0], -1)), dtype=float)
    weight = None if weight is None else np.asarray(weight) / np.mean(weight)
    loss = losses.get(loss)
    problem = Problem(X, y, weight, loss)
    run = Run(0)
    run.observe(problem, full=precondition == "whiten", running=False)
    targets = run.targets if "regressor" in loss.kinds else None
    curvature = loss.curvature(outputs, targets)
    coordinates = Coordinates(X.shape[1], outputs, intercept, curvature)
    if precondition is not None:
        centre = intercept and not sp.issparse(X)
        units = loss.units(targets)
        coordinates.standardize(run.features, units, curvature, ridge, centre=centre)
        if precondition == "whiten":
            coordinates.whiten(run.features, coordinates.curvature, ridge, centre=centre)
    return problem.data(coordinates, batch_size or X.shape[0], False)


def make_run(data, optimizer, *, learning_rate=1.0, alpha=0.0, l1_ratio=0.0, start=None):
    """A run of `optimizer` on the data that begins at `start`."""
    run = Run(0)
    config = Config(
        learning_rate=learning_rate,
        schedule=schedules.get("constant"),
        horizon=1,
        alpha=alpha,
        l1_ratio=l1_ratio,
        average=0,
        tol=None,
        n_iter_no_change=5,
        validated=False,
        dtype="float64",
    )
    run.configure(config, data.coordinates, optimizers.get(optimizer))
    if start is not None:
        np.asarray(run.lane.w)[:] = start
        run.lane.rule.start(np.asarray(start, dtype=float))
    return run


def epoch(data, *runs):
    """One epoch of all runs side by side, the rows as they are."""
    steps = -(-data.n // data.batch_size)
    rates = [run.rates(steps) for run in runs]
    order = data.order(None)
    lanes = [run.lane for run in runs]
    loop.run_epoch(data.objective(runs), lanes, rates, order, data.n, data.batch_size)


def weights(run):
    """Where the run is, in the coordinates of its optimizer."""
    return np.array(run.lane.w)
