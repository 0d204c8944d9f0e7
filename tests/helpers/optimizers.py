"""Groups of optimizers, functions that drive a single rule, and optimizers as users write them."""

import numpy as np

from sk_gd import optimizers
from sk_gd.optimizers import Optimizer

DRAWN = [name for name in optimizers.names() if name.startswith("random")]
MINI_BATCH = [name for name in optimizers.names() if optimizers.get(name).full_batch != "required"]
SMOOTH_ONLY = [name for name in optimizers.names() if optimizers.get(name).smooth_only]
PARAMETER_FREE = [name for name in optimizers.names() if optimizers.get(name).default_rate == "own"]


def has_own_rate(name):
    """Whether the optimizer needs no learning rate, or has one of its own for any objective."""
    optimizer = optimizers.get(name)
    return optimizer.default_rate != "smoothness"


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


# Single rules, called from Python.


def starting(optimizer, w):
    """The rule of an optimizer that begins at w."""
    rule = optimizer.rule(len(w))
    rule.start(w)
    return rule


def driven(optimizer, gradients, rates=1.0, start=0.0):
    """The scalar weight after each step with these gradients."""
    w = np.array([start])
    rule = starting(optimizer, w)
    path = []
    for g, lr in zip(gradients, np.broadcast_to(rates, len(gradients)), strict=True):
        rule(w, lambda point, g=g: np.array([g]), lr)
        path.append(w[0])
    return path


def walk(optimizer, function, start, steps, lr=1.0):
    """The weights of the model after each step on a function."""
    w = np.array(start, dtype=float)
    rule = starting(optimizer, w)
    path = []
    for _ in range(steps):
        rule(w, function, lr)
        path.append(rule.model(w))
    return path


# Optimizers as users write them.


class NumpyMomentum(Optimizer):
    """Momentum as a user writes it; the built-in one must agree."""

    def __init__(self, momentum=0.9):
        self.momentum = momentum

    def init(self, w):
        return {"v": np.zeros_like(w)}

    def step(self, w, g, lr, state):
        state["v"] *= self.momentum
        state["v"] += lr * g
        w -= state["v"]


class NumpyAdam(Optimizer):
    """Adam as a user writes it: two arrays, bound anew in each step, and a number."""

    default_rate = 0.02

    def init(self, w):
        return {"m": np.zeros_like(w), "v": np.zeros_like(w), "t": 0}

    def step(self, w, g, lr, state):
        state["t"] += 1
        state["m"] = 0.9 * state["m"] + 0.1 * g
        state["v"] = 0.999 * state["v"] + 0.001 * g**2
        m = state["m"] / (1 - 0.9 ** state["t"])
        v = state["v"] / (1 - 0.999 ** state["t"])
        w -= lr * m / (np.sqrt(v) + 1e-8)


class Signum(NumpyMomentum):
    """The sign of a mean of the gradients."""

    default_rate = 0.005

    def step(self, w, g, lr, state):
        state["v"] *= self.momentum
        state["v"] += (1 - self.momentum) * g
        w -= lr * np.sign(state["v"])


class Stumbling(Optimizer):
    """Raises at its `at`-th step, after it has moved the weights and changed its state."""

    def __init__(self, at=3):
        self.at = at

    def init(self, w):
        return {"t": 0, "sum": np.zeros_like(w)}

    def step(self, w, g, lr, state):
        state["t"] += 1
        state["sum"] += g
        w -= lr * state["sum"]
        if state["t"] == self.at:
            raise ZeroDivisionError(f"stumbled at step {self.at}")
