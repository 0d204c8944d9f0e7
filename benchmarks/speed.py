"""Time and memory against scikit-learn, in one run: ``python benchmarks/speed.py``.

A row has the time of one epoch. The estimators alternate, and the median of several turns counts.
Each time stands beside the time of one read of X in order, and beside a limit: the time that numpy
and scipy need for the products, the exponentials and the read that no epoch can avoid.
"""

import os
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import scipy.sparse as sp
from record import parser, record
from scipy.linalg.blas import dgemm
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from threadpoolctl import threadpool_limits
from timing import epochs, medians, read, read_by_two, take

from sk_gd import GDClassifier

ROWS, FEATURES = 500_000, 50
HEAD = ["", "ours, ms", "peer, ms", "ratio", "at most", "limit, ms", "reads of X"]
TEXT = (
    "The time of one epoch on one core, compared with ``SGDClassifier(loss='log_loss')`` in the "
    "same run: medians of fits in turns. Epochs are shuffled, unless the row says otherwise. The "
    "limit is what numpy and scipy need for the parts that no epoch can do without: one read of X "
    "or its products with the weights and the slopes in the cache, whichever is longer, and an "
    "exponential for every prediction. "
)

rows, notes = [], []  # of this run


def sgd(**more):
    """The peer, as a function of max_iter."""
    return lambda max_iter: SGDClassifier(
        loss="log_loss", max_iter=max_iter, tol=None, random_state=0, **more
    )


def gd(optimizer, batch_size, **more):
    """Our estimator, as a function of max_iter."""
    return lambda max_iter: GDClassifier(
        optimizer, batch_size=batch_size, max_iter=max_iter, tol=None, random_state=0, **more
    )


def row(name, ours, peer, bound, least=None, once=None):
    """Print one row of the table, and keep it."""
    line = [name, f"{ours * 1e3:.1f}", f"{peer * 1e3:.1f}", f"{ours / peer:.2f}", bound]
    line.append("" if least is None else f"{least * 1e3:.1f}")
    line.append("" if once is None else f"{ours / once:.1f}")
    print(" | ".join(line), flush=True)
    rows.append(line)


def note(text):
    """Print a sentence, and keep it."""
    print(f"  {text}")
    notes.append(text)


def exponentials(count):
    """Seconds of so many exponentials, in blocks that stay in the cache."""
    block = np.linspace(-3, 3, 1000)
    return medians([lambda: [np.exp(block) for _ in range(count // 1000)]])[0]


def products(n, outputs=1, block=1000):
    """Seconds of both products of `n` rows, in blocks that stay in the cache."""
    rng = np.random.default_rng(0)
    X, w, r = (
        rng.random(shape) for shape in [(FEATURES, block), (FEATURES, outputs), (block, outputs)]
    )
    X, w, r = map(np.asfortranarray, (X, w, r))

    def blocks():
        for _ in range(100):
            dgemm(1.0, X, w, trans_a=True)
            dgemm(1.0, X, r)

    return medians([blocks])[0] * n / (100 * block)


def limit(n, once, outputs=1):
    """Seconds that an epoch of `n` rows needs if one read of them takes `once`."""
    return max(once, products(n, outputs)) + exponentials(n * outputs)


def dense(rng):
    """Logistic regression on dense rows."""
    X = rng.standard_normal((ROWS, FEATURES))
    y = (X @ rng.standard_normal(FEATURES) + rng.standard_normal(ROWS) > 0).astype(int)
    once = read(X)
    least = limit(ROWS, once)
    makers = {
        "Adam, batch 256": ("1/8", gd("adam", 256)),
        "Adam, batch 32": ("1/6", gd("adam", 32)),
        "SGD, batch 1": ("1/4", gd("sgd", 1)),
        "mini-batch default, batch 256": ("", gd("auto", 256)),
    }
    peer, *ours = epochs([sgd(), *(make for _, make in makers.values())], X, y)
    for (name, (bound, _)), taken in zip(makers.items(), ours, strict=True):
        row(f"dense 500,000 × 50, {name}", taken, peer, bound, least, once)
    peer, one = epochs([sgd(shuffle=False), gd("sgd", 1, shuffle=False)], X, y)
    row("the same not shuffled, SGD, batch 1", one, peer, "1/2", least, once)
    note(
        f"One read of X takes {once * 1e3:.1f} ms. X.take(shuffled rows) takes "
        f"{take(X, rng) * 1e3:.1f} ms."
    )
    single(X, y)
    threads(X, y, once)
    labels = rng.integers(0, 10, 100_000)
    peer, ours = epochs([sgd(), gd("adam", 256)], X[:100_000], labels, more=2, turns=3)
    once = read(X[:100_000])
    least = limit(100_000, once, 10)
    row("softmax, 10 classes, 100,000 × 50, Adam", ours, peer, "1/20", least, once)
    tracemalloc.start()
    gd("adam", 256)(2).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    note(f"Peak memory above X: {100 * peak / X.nbytes:.1f} % of X (at most 5).")


def single(X, y):
    """Add the row that compares float32 with float64."""
    halves = X.astype(np.float32)
    fits = [lambda X=X, n=n: gd("adam", 256)(n).fit(X, y) for X in (halves, X) for n in (1, 7)]
    taken = medians(fits)
    float32, float64 = (taken[1::2] - taken[::2]) / 6
    once = read(halves)
    least = limit(ROWS, once)
    row("float32 against float64, Adam, batch 256", float32, float64, "0.6", least, once)


def threads(X, y, once):
    """Add the row that compares a full-batch fit by two threads with one by one thread."""
    n_epochs, together = 50, read_by_two(X)
    least = max(together, limit(ROWS, 0.0) / 2)

    def fit(n):
        with threadpool_limits(n):
            gd("adam", "full")(n_epochs).fit(X, y)

    one, two = medians([lambda: fit(1), lambda: fit(2)])
    name = f"full batch, whole fit of {n_epochs} epochs, two threads against one"
    row(name, two, one, "1/1.7", n_epochs * least, once)
    note(
        f"Two threads read X in {together / once:.2f} of the time of one: where both share "
        "the speed of the memory, two threads cannot halve the time of an epoch."
    )


def sparse(rng):
    """Logistic regression on sparse rows, shuffled."""
    n, d, entries = 200_000, 50_000, 60
    columns = rng.integers(0, d, (n, entries)).ravel()
    ends = np.arange(0, n * entries + 1, entries)
    X = sp.csr_array((rng.random(n * entries), columns, ends), shape=(n, d))
    X.sum_duplicates()
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # for the peer
    w, r = rng.standard_normal(d), rng.standard_normal(n)
    y = (X @ w > 0).astype(int)
    once = read(X)
    least = medians([lambda: (X @ w, X.T @ r)])[0] + exponentials(n)
    peer, *ours = epochs([sgd(), gd("adagrad", "auto"), gd("adam", "auto")], X, y)
    row("CSR 200,000 × 50,000, 60 a row, Adagrad", ours[0], peer, "0.4", least, once)
    row("CSR 200,000 × 50,000, 60 a row, Adam", ours[1], peer, "0.6", least, once)


def small():
    """Add the time of a whole fit of twenty epochs with the mini-batch default."""
    X, y = load_breast_cancer(return_X_y=True)
    fits = [lambda make=make: make(20).fit(X, y) for make in (gd("auto", 32), sgd())]
    row("raw breast cancer, whole fit of 20 epochs", *medians(fits, turns=100), "1/2")


def imports():
    """The time of the import of an estimator after that of scikit-learn's."""
    code = (
        "import time, sklearn.linear_model; t = time.perf_counter(); "
        "from sk_gd import GDClassifier; print(time.perf_counter() - t)"
    )
    run = [sys.executable, "-c", code]
    # An installed package has byte code; here the first run writes it.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    options = {"capture_output": True, "check": True, "env": env}
    taken = np.median([float(subprocess.run(run, **options).stdout) for _ in range(7)])
    note(f"Importing GDClassifier after sklearn.linear_model: {taken * 1e3:.0f} ms (at most 30).")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)  # max_iter is reached on purpose
    with threadpool_limits(1):
        generator = np.random.default_rng(0)
        dense(generator)
        sparse(generator)
        small()
    imports()
    record("speed", "Time and memory against scikit-learn", TEXT + " ".join(notes), HEAD, rows)
