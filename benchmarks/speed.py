"""Time and memory against scikit-learn, in one run: ``python benchmarks/speed.py``.

A row has the time of one epoch. It is the difference of two fits, so that validation and set-up
do not count. The estimators alternate, and the smallest time of several turns counts. The lower
limit of an epoch is one read of X in order, which a shuffled epoch cannot reach. The time to
copy the rows in the same shuffled order shows how much there is left to gain.
"""

import os
import subprocess
import sys
import time
import tracemalloc
import warnings

import numpy as np
import scipy.sparse as sp
from record import record
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from threadpoolctl import threadpool_limits

from sk_gd import GDClassifier

ROWS, FEATURES = 500_000, 50
HEAD = ["", "ours, ms", "peer, ms", "ratio", "at most", "reads of X"]
TEXT = (
    "The time of one shuffled epoch on one core, compared with ``SGDClassifier(loss='log_loss')`` "
    "in the same run, and with the time of one read of X in order. "
)

rows, notes = [], []  # of this run


def seconds(call):
    """Duration of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def epochs(makers, X, y, more=6, turns=5):
    """Seconds of an epoch for every maker (a function of max_iter), in turns."""
    short, long = ([np.inf] * len(makers) for _ in range(2))
    for _ in range(turns):
        for k, make in enumerate(makers):
            short[k] = min(short[k], seconds(lambda make=make: make(1).fit(X, y)))
            long[k] = min(long[k], seconds(lambda make=make: make(1 + more).fit(X, y)))
    return [(b - a) / more for a, b in zip(short, long, strict=True)]


def sgd(max_iter):
    """The peer."""
    return SGDClassifier(loss="log_loss", max_iter=max_iter, tol=None, random_state=0)


def gd(optimizer, batch_size, **more):
    """Our estimator, as a function of max_iter."""
    return lambda max_iter: GDClassifier(
        optimizer, batch_size=batch_size, max_iter=max_iter, tol=None, random_state=0, **more
    )


def row(name, ours, peer, bound, read=None):
    """Print one row of the table, and keep it."""
    units = "" if read is None else f"{ours / read:.1f}"
    line = [name, f"{ours * 1e3:.1f}", f"{peer * 1e3:.1f}", f"{ours / peer:.2f}", bound, units]
    print(" | ".join(line), flush=True)
    rows.append(line)


def note(text):
    """Print a sentence, and keep it."""
    print(f"  {text}")
    notes.append(text)


def dense(rng):
    """Logistic regression on dense rows, shuffled."""
    X = rng.standard_normal((ROWS, FEATURES))
    y = (X @ rng.standard_normal(FEATURES) + rng.standard_normal(ROWS) > 0).astype(int)
    read = min(seconds(lambda: X.sum()) for _ in range(5))
    order = rng.permutation(ROWS)
    walk = min(seconds(lambda: X.take(order, axis=0, mode="clip")) for _ in range(3))
    makers = [sgd, gd("adam", 256), gd("adam", 32), gd("sgd", 1), gd("auto", 256)]
    peer, *ours = epochs(makers, X, y)
    names = ["Adam, batch 256", "Adam, batch 32", "SGD, batch 1", "mini-batch default, batch 256"]
    for name, seconds_, bound in zip(names, ours, ["0.2", "0.25", "0.5", ""], strict=True):
        row(f"dense 500,000 × 50, {name}", seconds_, peer, bound, read)
    note(
        f"One read of X takes {read * 1e3:.1f} ms. X.take(shuffled rows) takes {walk * 1e3:.1f} ms."
    )
    single = X.astype(np.float32)
    float32, float64 = np.inf, np.inf
    for _ in range(2):
        float32 = min(float32, *epochs([gd("adam", 256)], single, y, turns=3))
        float64 = min(float64, *epochs([gd("adam", 256)], X, y, turns=3))
    row("float32 against float64, Adam, batch 256", float32, float64, "1")
    labels = rng.integers(0, 10, 100_000)
    peer, ours = epochs([sgd, gd("adam", 256)], X[:100_000], labels, more=2, turns=3)
    row("softmax, 10 classes, 100,000 × 50, Adam", ours, peer, "0.125")
    tracemalloc.start()
    gd("adam", 256)(2).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    note(f"Peak memory above X: {100 * peak / X.nbytes:.1f} % of X (at most 10).")


def sparse(rng):
    """Logistic regression on sparse rows, shuffled."""
    n, d, entries = 200_000, 50_000, 60
    columns = rng.integers(0, d, (n, entries)).ravel()
    ends = np.arange(0, n * entries + 1, entries)
    X = sp.csr_array((rng.random(n * entries), columns, ends), shape=(n, d))
    X.sum_duplicates()
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # for the peer
    y = (X @ rng.standard_normal(d) > 0).astype(int)
    peer, *ours = epochs([sgd, gd("adagrad", "auto"), gd("adam", "auto")], X, y, turns=3)
    read = min(seconds(lambda: (X.data.sum(), X.indices.sum())) for _ in range(5))
    row("CSR 200,000 × 50,000, 60 a row, Adagrad", ours[0], peer, "0.7", read)
    row("CSR 200,000 × 50,000, 60 a row, Adam", ours[1], peer, "1.5", read)


def small():
    """A whole fit of twenty epochs with the mini-batch default, set-up included."""
    X, y = load_breast_cancer(return_X_y=True)
    best = [np.inf, np.inf]
    for _ in range(100):
        for k, make in enumerate([gd("auto", 32), sgd]):
            best[k] = min(best[k], seconds(lambda make=make: make(20).fit(X, y)))
    row("raw breast cancer, whole fit of 20 epochs", *best, "1")


def imports():
    """The time of the import after that of scikit-learn."""
    code = (
        "import time, sklearn.linear_model; t = time.perf_counter(); import sk_gd; "
        "print(time.perf_counter() - t)"
    )
    run = [sys.executable, "-c", code]
    # An installed package has byte code; here the first run writes it.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    options = {"capture_output": True, "check": True, "env": env}
    best = min(float(subprocess.run(run, **options).stdout) for _ in range(7))
    note(f"import sk_gd after sklearn.linear_model: {best * 1e3:.0f} ms (at most 50).")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning)  # max_iter is reached on purpose
    with threadpool_limits(1):
        generator = np.random.default_rng(0)
        dense(generator)
        sparse(generator)
        small()
    imports()
    record("speed", "Time and memory against scikit-learn", TEXT + " ".join(notes), HEAD, rows)
