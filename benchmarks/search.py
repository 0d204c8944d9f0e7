"""The grid search against scikit-learn's, in one run: ``python benchmarks/search.py``.

Eight learning rates × max_iter 5, 10, 20, 40 × 5 folds, on 100,000 × 50. The
times are those of the processor, with one thread; the limit is what BLAS takes
for the multiply-adds of the matrix products on blocks of these shapes. Peak
memory is what the search takes above X; the lists of rows that a splitter of
scikit-learn makes, one number a row and fold, are told apart.
"""

import platform
import time
import tracemalloc

import numpy as np
import scipy
import sklearn
from scipy.linalg.blas import dgemm
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from threadpoolctl import threadpool_limits

from sk_gd import GDClassifier, GDGridSearchCV

ROWS, FEATURES, FOLDS = 100_000, 50, 5
RATES = [float(rate) for rate in np.geomspace(1e-4, 1e-1, 8)]
EPOCHS = [5, 10, 20, 40]


def seconds(call, clock=time.process_time):
    """Duration of one call."""
    begin = clock()
    call()
    return clock() - begin


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
    print(f"  the matrix products alone: {limit():.2f} s")
    memory(shared, X, y)


def memory(search, X, y):
    """Print the peak above X."""
    tracemalloc.start()
    splits = list(StratifiedKFold(FOLDS).split(X, y))
    listed = tracemalloc.get_traced_memory()[0]
    del splits
    tracemalloc.reset_peak()
    search()
    peak = tracemalloc.get_traced_memory()[1] - listed
    tracemalloc.stop()
    print(
        f"  peak memory above X: {100 * peak / X.nbytes:.1f} % of X (at most 10), and "
        f"{100 * listed / X.nbytes:.1f} % for scikit-learn's list of the splits"
    )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
