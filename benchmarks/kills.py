"""Kills training at random moments, and continues it: ``python benchmarks/kills.py``.

A process trains with a `Checkpoint`, and is killed (SIGKILL) at a random moment: while it trains,
while it writes, before it has begun or just when it ends. Another process continues from the file,
and may be killed, too. Models that were trained to the end must have the same bits as those of
training without interruption, and a file must be readable after every kill. Then the next training
begins, with another optimizer. The number of kills is an argument; needs an operating system that
knows the signal.
"""

import itertools
import multiprocessing
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from record import parser, record
from sklearn.datasets import make_classification

from sk_gd import GDClassifier, optimizers
from sk_gd.callbacks import Checkpoint

EPOCHS = 30
# The longest time that an observer waits is this multiple of the time of training.
PATIENCE = 1.2
TEXT = (
    "Training with a :class:`~sk_gd.callbacks.Checkpoint` after every epoch, killed at random "
    "moments and continued by another process, with every optimizer in turn: mini-batches where "
    "it takes them, and a schedule that falls to zero."
)


def data():
    """Two classes."""
    return make_classification(2000, 20, random_state=0)


def estimator(name):
    """The estimator with an optimizer, in mini-batches if it takes them."""
    full = optimizers.get(name).full_batch == "required"
    return GDClassifier(
        name,
        batch_size="full" if full else 64,
        schedule="constant" if full else "cosine",
        max_iter=EPOCHS,
        tol=None,
        warm_start=True,
        random_state=0,
    )


def train(name, path):
    """Train, or continue, in a process of its own."""
    Checkpoint(path).fit(estimator(name), *data())


def kill_once(context, name, path, seconds):
    """Train, and kill the process after some seconds (None: never); True if it was not too late."""
    process = context.Process(target=train, args=(name, path))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{name}: the process ended with {process.exitcode}")
    return process.exitcode != 0


def same_bits(one, other):
    """Whether two models are equal to the bit, with the same history."""
    return (
        one.coef_.tobytes() == other.coef_.tobytes()
        and one.intercept_.tobytes() == other.intercept_.tobytes()
        and (one.n_iter_, one.t_, one.loss_curve_) == (other.n_iter_, other.t_, other.loss_curve_)
    )


def killed(wanted, seed=0, names=None):
    """Kill training so many times.

    Returns the numbers of kills, of models trained to the end, of kills that left a file behind
    from which training continued, and the names of the optimizers whose model differed.
    """
    generator = np.random.default_rng(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["sk_gd.callbacks", "sk_gd.estimators", "sk_gd.optimizers", "sklearn.datasets"]
    )
    kills = models = continued = 0
    different = []
    for name in itertools.cycle(names or optimizers.names()):
        if kills >= wanted:
            return kills, models, continued, different
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            kill_once(context, name, Path(folder) / "whole.pickle", None)
            longest = PATIENCE * (time.perf_counter() - begin)
            expected = estimator(name).fit(*data())
            checkpoint = Checkpoint(Path(folder) / "killed.pickle")
            while kill_once(context, name, checkpoint.path, longest * generator.random()):
                kills += 1
                continued += checkpoint.load() is not None
            models += 1
            if not same_bits(checkpoint.load(), expected):
                different.append(name)


def main():
    """Read the arguments, and record what was found."""
    arguments = parser(__doc__)
    arguments.add_argument("kills", type=int, nargs="?", default=1000)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    kills, models, continued, different = killed(given.kills, given.seed)
    head = ["kills", "of these with a checkpoint", "models trained to the end", "different bits"]
    row = [f"{number:,}" for number in (kills, continued, models, len(different))]
    record("kills", "Training that is killed", TEXT, head, [row])
    if different:
        sys.exit(f"other bits: {', '.join(different)}")


if __name__ == "__main__":
    main()
