"""The time of one step of every optimizer: ``python benchmarks/steps.py``.

Every rule takes its steps on 50 weights in the compiled loop, on batches of one row. The time of
the loop and the gradient is measured with a rule that does nothing, and subtracted. A user's rule
in numpy is compared with the same numpy calls outside the loop.
"""

import time

import numpy as np
from record import parser, record
from threadpoolctl import threadpool_limits
from timing import medians

from sk_gd import losses, optimizers, schedules
from sk_gd.objectives.coordinates import Coordinates
from sk_gd.objectives.problem import Problem
from sk_gd.penalties import ElasticNet
from sk_gd.targets import RealTargets
from sk_gd.training.lanes import connect
from sk_gd.training.loop import run_epoch
from sk_gd.training.run import Config, Run

STEPS, WEIGHTS, TURNS = 20_000, 50, 5


class Nothing(optimizers.SGD):
    """Descent with a rate of practically zero: only the loop and the gradient."""


class Signum(optimizers.Optimizer):
    """A user's optimizer."""

    def init(self, w):
        return {"v": np.zeros_like(w)}

    def step(self, w, g, lr, state):
        state["v"] *= 0.9
        state["v"] += 0.1 * g
        w -= lr * np.sign(state["v"])


def seconds_a_step(optimizer, learning_rate=1e-3):
    """Seconds of a step: an epoch of batches of one row, the median of several."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((STEPS, WEIGHTS))
    y = (X @ rng.standard_normal(WEIGHTS) + rng.standard_normal(STEPS))[:, None]
    coordinates = Coordinates(WEIGHTS, 1, False, 1.0)
    problem = Problem(X, y, None, losses.get("squared_error"), RealTargets())
    data = problem.data(coordinates, 1, False)
    run = Run(0, None)
    config = Config(
        learning_rate,
        schedules.get("constant"),
        horizon=1,
        penalty=ElasticNet(0.0),
        average=0,
        tol=None,
        n_iter_no_change=5,
        validated=False,
        dtype="float64",
    )
    run.configure(config, coordinates, optimizers.get(optimizer))
    objective, rates = connect([run.lane], data), [run.begin_epoch(STEPS)]
    epoch = [lambda: run_epoch(objective, [run.lane], rates, None, STEPS, 1)]
    # Processor time: what else the machine does does not count.
    return medians(epoch, TURNS, time.process_time)[0] / STEPS


def seconds_of_plain_descent():
    """The loop, the gradient of one row, and a step that changes nothing: common to all rules."""
    return seconds_a_step(Nothing(), 1e-300)


def seconds_of_numpy(optimizer):
    """The same steps of a user's optimizer, outside the loop."""
    rng = np.random.default_rng(0)
    w, gradients = np.zeros(WEIGHTS), rng.standard_normal((STEPS, WEIGHTS))

    def steps():
        state = optimizer.init(w)
        for g in gradients:
            optimizer.step(w, g, 1e-3, state)

    return medians([steps], TURNS, time.process_time)[0] / STEPS


def main():
    """Measure all rules, and record the table."""
    loop = seconds_of_plain_descent()
    rows = []
    for name in optimizers.names():
        rows.append([f"``{name}``", f"{max(0.0, seconds_a_step(name) - loop) * 1e9:.0f}"])
        print(*rows[-1], sep=" | ", flush=True)
    own, numpy = seconds_a_step(Signum()) - loop, seconds_of_numpy(Signum())
    record(
        "steps",
        "The time of a step",
        f"Nanoseconds of one step on {WEIGHTS} weights, without the {loop * 1e9:.0f} ns of the "
        "loop and of the gradient of one row. A user's Signum in numpy "
        f"takes {own * 1e9:.0f} ns, of which the numpy calls take {numpy * 1e9:.0f} ns.",
        ["optimizer", "ns"],
        rows,
    )


if __name__ == "__main__":
    parser(__doc__).parse_args()
    with threadpool_limits(1):
        main()
