"""The grid search against scikit-learn's, in one run: ``python benchmarks/search.py``.

Eight learning rates × max_iter 5, 10, 20, 40 × 5 folds, on 100,000 × 50. The times are processor
times with one thread. The lower limit is the time that BLAS needs for the matrix products on
blocks of these shapes. The peak of memory is measured above X.
"""

import time
import tracemalloc

import numpy as np
from record import record
from scipy.linalg.blas import dgemm
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from threadpoolctl import threadpool_limits

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor
from sk_gd.losses import SquaredError

ROWS, FEATURES, FOLDS = 100_000, 50, 5
RATES = [float(rate) for rate in np.geomspace(1e-4, 1e-1, 8)]
EPOCHS = [5, 10, 20, 40]

rows = []


def row(name, seconds_, best=None, bound=""):
    """Add a row to the table."""
    ratio = "" if best is None else f"{seconds_ / best:.3g}"
    rows.append([name, f"{seconds_:.2f}", ratio, bound])
    print(*rows[-1], sep=" | ", flush=True)


def seconds(call, clock=time.process_time):
    """Duration of one call."""
    begin = clock()
    call()
    return clock() - begin


def full_batch():
    """Add the times of full batches, with eight learning rates × 10, 100, 1000 iterations."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2 * ROWS, FEATURES))
    y = X @ rng.standard_normal(FEATURES) + 3 * rng.standard_normal(len(X))
    model = GDRegressor("sgd", batch_size="full", tol=None)
    rates, epochs = [float(rate) for rate in np.geomspace(1e-3, 1, 8)], [10, 100, 1000]
    grid = {"learning_rate": rates, "max_iter": epochs}
    best = min(seconds(lambda: GDGridSearchCV(model, grid, cv=FOLDS).fit(X, y)) for _ in range(3))

    # GridSearchCV without the Gram matrix would take minutes. All of its epochs take the same
    # time, so it is enough to measure a few.
    class Unaware(SquaredError):
        quadratic = False

    few, many = 10, 50
    train = len(X) * (FOLDS - 1) // FOLDS

    def fit(n):
        plain = clone(model).set_params(loss=Unaware(), max_iter=n, learning_rate=0.01)
        return seconds(lambda: plain.fit(X[:train], y[:train]))

    short = min(fit(few) for _ in range(3))
    epoch = (min(fit(many) for _ in range(3)) - short) / (many - few)
    each = short - few * epoch
    plain = FOLDS * len(rates) * sum(each + n * epoch for n in epochs)
    row(f"GDGridSearchCV, full batches, squared error, {len(X):,} rows", best)
    row("GridSearchCV without the Gram matrix, computed from an epoch's time", plain, best, "200")


def limit(block=64, turns=2000):
    """Seconds that BLAS needs for the matrix products of the whole search."""
    rng = np.random.default_rng(0)
    rows, points = rng.random((FEATURES, block)), rng.random((FEATURES, len(RATES)))
    slopes = rng.random((block, len(RATES)))
    rows, points, slopes = map(np.asfortranarray, (rows, points, slopes))

    def products():
        for _ in range(turns):
            dgemm(1.0, rows, points, trans_a=True)
            dgemm(1.0, rows, slopes)

    each = min(seconds(products) for _ in range(5)) / (turns * block)
    return each * max(EPOCHS) * ROWS * (FOLDS - 1)


def main():
    """Measure, and record the table."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, FEATURES))
    y = (X @ rng.standard_normal(FEATURES) + 3 * rng.standard_normal(ROWS) > 0).astype(int)
    ours = GDClassifier("adam", batch_size=256, tol=None, random_state=0)
    theirs = SGDClassifier(loss="log_loss", learning_rate="constant", tol=None, random_state=0)
    grid = {"learning_rate": RATES, "max_iter": EPOCHS}

    def shared(**more):
        return GDGridSearchCV(ours, grid, cv=FOLDS, **more).fit(X, y)

    best, plain = np.inf, np.inf
    for _ in range(3):
        best = min(best, seconds(shared))
        plain = min(plain, seconds(lambda: GridSearchCV(ours, grid, cv=FOLDS).fit(X, y)))
    peers = {"eta0": RATES, "max_iter": EPOCHS}
    peer = seconds(lambda: GridSearchCV(theirs, peers, cv=FOLDS).fit(X, y))
    one, two = np.inf, np.inf
    for _ in range(5):  # in turns, because the machine may be busy for a while
        one = min(one, seconds(lambda: shared(n_jobs=1), time.perf_counter))
        two = min(two, seconds(lambda: shared(n_jobs=2), time.perf_counter))
    row("GDGridSearchCV", best)
    row("GridSearchCV over the same estimator", plain, best, "5")
    row("GridSearchCV over SGDClassifier", peer, best, "25")
    row("GDGridSearchCV, n_jobs=2, wall-clock time", two)
    row("GDGridSearchCV, n_jobs=1, wall-clock time", one, two, "1.6")
    full_batch()
    splitter = memory(lambda: [None for _ in StratifiedKFold(FOLDS).split(X, y)])
    record(
        "search",
        "A grid over learning rate and iterations",
        f"Eight learning rates × max_iter {', '.join(map(str, EPOCHS))} × {FOLDS} folds on "
        f"{ROWS:,} × {FEATURES}, Adam, batch 256, refit included. The times are processor times "
        f"with one thread, unless the row says otherwise. A ratio is to the nearest row above that "
        f"has none. The matrix products alone take {limit():.2f} s at the speed of BLAS on blocks "
        f"of these shapes. The peak of memory above X is {100 * memory(shared) / X.nbytes:.1f} % "
        f"of X; scikit-learn's splitter alone takes {100 * splitter / X.nbytes:.1f} % before "
        f"training begins.",
        ["search", "seconds", "ratio", "at least"],
        rows,
    )


def memory(call):
    """The peak of memory during a call, above what is in use before."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
