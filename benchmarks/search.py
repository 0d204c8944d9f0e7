"""The grid search against scikit-learn's, in one run: ``python benchmarks/search.py``.

Eight learning rates × max_iter 5, 10, 20, 40 × 5 folds, on 100,000 × 50. The
times are those of the processor, with one thread; the limit is what BLAS takes
for the multiply-adds of the matrix products on blocks of these shapes. Peak
memory is what the search takes above X.
"""

import platform
import time
import tracemalloc

import numpy as np
import scipy
import sklearn
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


def seconds(call, clock=time.process_time):
    """Duration of one call."""
    begin = clock()
    call()
    return clock() - begin


def full_batch():
    """Print what full batches take, with eight learning rates × 10, 100, 1000 iterations."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2 * ROWS, FEATURES))
    y = X @ rng.standard_normal(FEATURES) + 3 * rng.standard_normal(len(X))
    model = GDRegressor("sgd", batch_size="full", tol=None)
    rates, epochs = [float(rate) for rate in np.geomspace(1e-3, 1, 8)], [10, 100, 1000]
    grid = {"learning_rate": rates, "max_iter": epochs}
    best = min(seconds(lambda: GDGridSearchCV(model, grid, cv=FOLDS).fit(X, y)) for _ in range(3))

    # GridSearchCV without the Gram matrix would take minutes: its epochs are all alike.
    class Unaware(SquaredError):
        quadratic = False

    few, many = 10, 50
    rows = len(X) * (FOLDS - 1) // FOLDS

    def fit(n):
        plain = clone(model).set_params(loss=Unaware(), max_iter=n, learning_rate=0.01)
        return seconds(lambda: plain.fit(X[:rows], y[:rows]))

    short = min(fit(few) for _ in range(3))
    epoch = (min(fit(many) for _ in range(3)) - short) / (many - few)
    each = short - few * epoch
    plain = FOLDS * len(rates) * sum(each + n * epoch for n in epochs)
    print(
        f"| {'full batches, 200,000 rows: GDGridSearchCV':48s} | {best:7.2f} |        |          |"
    )
    print(
        f"| {'GridSearchCV without the Gram matrix, computed':48s} | {plain:7.2f} | "
        f"{plain / best:6.1f} |      200 |"
    )


def limit(block=64, turns=2000):
    """Seconds that BLAS takes for the products of the whole search."""
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
    """Print the table."""
    print(f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}")
    print(f"{platform.processor() or platform.machine()}, one thread but for the last row")
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
    one, two = (
        min(seconds(lambda n=n: shared(n_jobs=n), time.perf_counter) for _ in range(3))
        for n in (1, 2)
    )
    print(f"| {'':48s} | seconds |  ratio | at least |")
    print(f"|{'-' * 50}|---------|--------|----------|")
    print(f"| {'GDGridSearchCV':48s} | {best:7.2f} |        |          |")
    print(f"| {'GridSearchCV over the same':48s} | {plain:7.2f} | {plain / best:6.1f} |        5 |")
    print(
        f"| {'GridSearchCV over SGDClassifier':48s} | {peer:7.2f} | {peer / best:6.1f} |       25 |"
    )
    name = "n_jobs=2 against n_jobs=1, by the clock"
    print(f"| {name:48s} | {two:7.2f} | {one / two:6.2f} |      1.6 |")
    full_batch()
    print(f"  the matrix products alone: {limit():.2f} s")
    splitter = memory(lambda: [None for _ in StratifiedKFold(FOLDS).split(X, y)])
    print(
        f"  peak memory above X: {100 * memory(shared) / X.nbytes:.1f} % of X (at most 10); "
        f"scikit-learn's splitter alone, before training: {100 * splitter / X.nbytes:.1f} %"
    )


def memory(call):
    """Peak above what there is."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
