"""The grid search against scikit-learn's, in one run: ``python benchmarks/search.py``.

Eight learning rates × max_iter 5, 10, 20, 40 × 5 folds, on 100,000 × 50. The times are processor
times with one thread, medians of searches in turns. The lower limit is the time that BLAS needs for
the matrix products on blocks of these shapes. The peak of memory is measured above X. Then eight
strengths of the penalty, from a thousandth to a thousand times the automatic one, on several data:
the time of a fold over that of a fit to its rows.
"""

import tracemalloc
from time import process_time

import numpy as np
from record import parser, record
from scipy.linalg.blas import dgemm
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv
from threadpoolctl import threadpool_limits
from timing import medians, read

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor
from sk_gd.losses import SquaredError

ROWS, FEATURES, FOLDS = 100_000, 50, 5
RATES = [float(rate) for rate in np.geomspace(1e-4, 1e-1, 8)]
EPOCHS = [5, 10, 20, 40]
VISITS = max(EPOCHS) * ROWS * (FOLDS - 1)  # of rows, by all folds together

rows = []


def row(name, seconds_, best=None, bound="", once=None):
    """Add a row to the table; `once` is the time of the reads of X that the search cannot avoid."""
    ratio = "" if best is None else f"{seconds_ / best:.3g}"
    reads = "" if once is None else f"{seconds_ / once:.1f}"
    rows.append([name, f"{seconds_:.3g}", ratio, bound, reads])
    print(*rows[-1], sep=" | ", flush=True)


def full_batch():
    """Add the times of full batches, with eight learning rates × 10, 100, 1000 iterations."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2 * ROWS, FEATURES))
    y = X @ rng.standard_normal(FEATURES) + 3 * rng.standard_normal(len(X))
    model = GDRegressor("sgd", batch_size="full", tol=None)
    rates, epochs = [float(rate) for rate in np.geomspace(1e-3, 1, 8)], [10, 100, 1000]
    grid = {"learning_rate": rates, "max_iter": epochs}
    best = medians([lambda: GDGridSearchCV(model, grid, cv=FOLDS).fit(X, y)], 3, process_time)[0]

    # GridSearchCV without the Gram matrix would take minutes. All of its epochs take the same
    # time, so it is enough to measure a few.
    class Unaware(SquaredError):
        quadratic = False

    few, many = 10, 50
    train = len(X) * (FOLDS - 1) // FOLDS

    def fit(n):
        plain = clone(model).set_params(loss=Unaware(), max_iter=n, learning_rate=0.01)
        return plain.fit(X[:train], y[:train])

    short, long = medians([lambda: fit(few), lambda: fit(many)], 3, process_time)
    epoch = (long - short) / (many - few)
    each = short - few * epoch
    plain = FOLDS * len(rates) * sum(each + n * epoch for n in epochs)
    row(f"GDGridSearchCV, full batches, squared error, {len(X):,} rows", best)
    row("GridSearchCV without the Gram matrix, computed from an epoch's time", plain, best, "200")


def strengths():
    """Add the times of a fold of a search over eight strengths, and of one fit to its rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 30))
    signal = X @ rng.standard_normal(30) + 3 * rng.standard_normal(len(X))
    data = {
        "breast cancer": (GDClassifier(), *load_breast_cancer(return_X_y=True)),
        "digits": (GDClassifier(), *load_digits(return_X_y=True)),
        "20,000 × 30, two classes": (GDClassifier(), X, (signal > 0).astype(int)),
        "diabetes": (GDRegressor(), *load_diabetes(return_X_y=True)),
        "20,000 × 30, numbers": (GDRegressor(), X, signal),
    }
    grid = {"alpha": [f"{factor:g} * auto" for factor in np.geomspace(1e-3, 1e3, 8)]}
    for name, (model, X, y) in data.items():
        search = GDGridSearchCV(model, grid, cv=FOLDS, refit=False)
        train, _ = next(check_cv(FOLDS, y, classifier=is_classifier(model)).split(X, y))
        calls = [
            lambda model=model, X=X[train], y=y[train]: clone(model).fit(X, y),
            lambda search=search, X=X, y=y: search.fit(X, y),
        ]
        one, all_folds = medians(calls, 7, process_time)
        row(f"One fit to the rows of a fold, {name}", one)
        row(f"GDGridSearchCV over eight strengths, a fold, {name}", all_folds / FOLDS, one)


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

    return medians([products], clock=process_time)[0] / (turns * block) * VISITS


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

    peers = {"eta0": RATES, "max_iter": EPOCHS}
    searches = [
        shared,
        lambda: GridSearchCV(ours, grid, cv=FOLDS).fit(X, y),
        lambda: GridSearchCV(theirs, peers, cv=FOLDS).fit(X, y),
    ]
    best, plain, peer = medians(searches, 3, process_time)
    one, two = medians([lambda: shared(n_jobs=1), lambda: shared(n_jobs=2)])
    # Every fold reads its rows once an epoch, and so does the fit to all data.
    once = read(X) * (VISITS + max(EPOCHS) * ROWS) / ROWS
    row("GDGridSearchCV", best, once=once)
    row("GridSearchCV over the same estimator", plain, best, "10", once)
    row("GridSearchCV over SGDClassifier", peer, best, "40", once)
    row("GDGridSearchCV, n_jobs=2, wall-clock time", two)
    row("GDGridSearchCV, n_jobs=1, wall-clock time", one, two, "1.6")
    full_batch()
    strengths()
    products = limit()
    splitter = memory(lambda: [None for _ in StratifiedKFold(FOLDS).split(X, y)])
    record(
        "search",
        "A grid over learning rate and iterations",
        f"Eight learning rates × max_iter {', '.join(map(str, EPOCHS))} × {FOLDS} folds on "
        f"{ROWS:,} × {FEATURES}, Adam, batch 256, refit included. The times are processor times "
        f"with one thread, unless the row says otherwise: medians of searches in turns. A ratio is "
        f"to the nearest row above that has none. The last column has the time over that of one "
        f"read of X an epoch. The matrix products of all folds alone take {products:.2f} s at the "
        f"speed of BLAS on blocks of these shapes; the search takes {best / products:.1f} times as "
        f"long. The peak of memory above X is {100 * memory(shared) / X.nbytes:.1f} % of X; "
        f"scikit-learn's splitter alone takes {100 * splitter / X.nbytes:.1f} % before training "
        f"begins.",
        ["search", "seconds", "ratio", "at least", "reads of X an epoch"],
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
    parser(__doc__).parse_args()
    with threadpool_limits(1):
        main()
