"""Fits in many threads at once, and the memory of many fits: ``python benchmarks/threads.py``.

First some hundred small models are fitted one after the other, then in eight threads at once, on
dense and sparse data, with every optimizer, ``fit``, ``partial_fit`` and searches. All must have
the same bits. Then some thousand models are fitted, and the memory after the last one is compared
with that after a quarter of them: what Python has allocated (tracemalloc), and the resident size of
the process. The numbers of fits are arguments; needs Linux, whose ``/proc`` tells the
resident size.
"""

import gc
import os
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from record import parser, record
from sklearn.datasets import make_classification

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, optimizers

THREADS = 8
# The largest growth that is rounding: of the allocators of Python and of C.
MOST_TRACED, MOST_RESIDENT = 200_000, 10_000_000
TEXT = (
    "Small models, one after the other and in eight threads at once, with every optimizer in turn: "
    "dense and sparse data, ``fit``, ``partial_fit`` and searches. Then the memory after many such "
    "fits, compared with that after a quarter of them."
)
DENSE, LABELS = make_classification(400, 8, random_state=0)
TARGETS = DENSE @ np.arange(8.0) + LABELS
SPARSE = sp.csr_matrix(np.where(DENSE > 0.5, DENSE, 0.0))


def fit(number):
    """The model with this number, to the last bit."""
    names = optimizers.names()
    ways = fit_whole, fit_parts, fit_parts_of_numbers, fit_numbers, fit_search
    # Every optimizer meets every way and both kinds of data.
    name, turn = names[number % len(names)], number // len(names)
    X = SPARSE if turn % 2 else DENSE
    model = ways[turn // 2 % len(ways)](name, X)
    return model.coef_.tobytes(), np.asarray(model.intercept_).tobytes(), tuple(model.loss_curve_)


def settings(name):
    """Parameters of every model: three epochs, in mini-batches if the optimizer takes them."""
    full = optimizers.get(name).full_batch == "required"
    batch = "full" if full else 32
    return {"batch_size": batch, "max_iter": 3, "tol": None, "random_state": 0}


def fit_whole(name, X):
    """A classifier."""
    return GDClassifier(name, **settings(name)).fit(X, LABELS)


def fit_numbers(name, X):
    """A regressor of two outputs, with weights."""
    weight = np.arange(len(TARGETS)) % 3
    return GDRegressor(name, loss="huber", **settings(name)).fit(X, np.c_[TARGETS, LABELS], weight)


def fit_parts(name, X):
    """A classifier that sees its rows in two parts."""
    model = GDClassifier(name, **settings(name))
    for rows in (slice(0, 150), slice(150, None)):
        model.partial_fit(X[rows], LABELS[rows], classes=[0, 1])
    return model


def fit_parts_of_numbers(name, X):
    """A regressor that sees its rows in two parts."""
    model = GDRegressor(name, **settings(name))
    for rows in (slice(0, 150), slice(150, None)):
        model.partial_fit(X[rows], TARGETS[rows])
    return model


def fit_search(name, X):
    """The best classifier of two."""
    grid = {"alpha": [1e-3, 1.0]}
    return (
        GDGridSearchCV(GDClassifier(name, **settings(name)), grid, cv=2)
        .fit(X, LABELS)
        .best_estimator_
    )


def different(n):
    """How many of n models differ if they are fitted in threads, at once."""
    expected = [fit(number) for number in range(n)]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(fit, range(n)))
    return sum(one != other for one, other in zip(found, expected, strict=True))


def resident():
    """The resident size of this process, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def growth(n, measure):
    """By how much the memory grows from a quarter of n fits to all."""
    sizes = []
    for number in range(n):
        fit(number)
        if number + 1 in (n // 4, n):
            gc.collect()
            sizes.append(measure())
    return sizes[1] - sizes[0]


def growth_traced(n):
    """The growth of what Python has allocated."""
    tracemalloc.start()
    try:
        return growth(n, lambda: tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()


def measured(n_threaded, n_fits):
    """Different models, growth of the resident size, and growth of what Python has allocated."""
    warnings.simplefilter("ignore")  # for all threads: three epochs are never enough
    return different(n_threaded), growth(n_fits, resident), growth_traced(n_fits)


def is_right(differ, grown, traced):
    """Whether no model differs, and no memory is lost."""
    return differ == 0 and grown < MOST_RESIDENT and traced < MOST_TRACED


def main():
    """Read the arguments, and record what was found."""
    arguments = parser(__doc__)
    arguments.add_argument("threaded", type=int, nargs="?", default=500, help="fits in threads")
    arguments.add_argument("fits", type=int, nargs="?", default=2000, help="fits for the memory")
    given = arguments.parse_args()
    found = measured(given.threaded, given.fits)
    head = ["fits in threads", "of these with other bits", "fits for the memory"]
    head += ["growth of the resident size", "growth of what Python has allocated"]
    row = [f"{given.threaded:,}", f"{found[0]:,}", f"{given.fits:,}"]
    row += [f"{found[1] / 1e6:.2f} MB", f"{found[2] / 1e6:.3f} MB"]
    record("threads", "Threads and memory", TEXT, head, [row])
    if not is_right(*found):
        sys.exit("models differ, or memory is lost")


if __name__ == "__main__":
    main()
