"""Training on a cluster against one process: ``python benchmarks/cluster.py``.

The cluster is two workers of one thread on this machine; the partitions are made on them. Measured
are the fit from the first round on, with and without reading, the rounds to a small gap to the
minimum of the same objective, and the time of a round with nearly nothing to compute. With
``--peers`` scikit-learn trains on a standardised copy, too, which takes a minute or more.
"""

import sys
import time
import warnings

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from record import record
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import sk_gd
import sk_gd.dask

ROWS, FEATURES, PARTITIONS, ALPHA, GAP = 2_000_000, 50, 20, 1e-6, 1e-8
SETTINGS = {"alpha": ALPHA, "tol": None, "random_state": 0}
EMPTY = {"optimizer": "barzilai_borwein", "alpha": 1e-3, "tol": None}


def rows_of(k):
    """The rows of a partition, and their labels."""
    rng = np.random.default_rng([0, k])
    X = rng.standard_normal((ROWS // PARTITIONS, FEATURES))
    X = X @ (np.eye(FEATURES) + 0.1 * np.random.default_rng(1).standard_normal((FEATURES,) * 2))
    margin = X @ np.random.default_rng(2).standard_normal(FEATURES)
    return X, (margin / 4 + rng.logistic(size=len(X)) > 0).astype(int)


def collections():
    """Dask arrays that have been computed on the workers."""
    blocks = [(ROWS // PARTITIONS,) * PARTITIONS]

    def block(which):
        return lambda block_info=None: rows_of(block_info[None]["chunk-location"][0])[which]

    X = da.map_blocks(block(0), chunks=(*blocks, (FEATURES,)), dtype=float, meta=np.empty((0, 0)))
    y = da.map_blocks(block(1), chunks=blocks, dtype=int, meta=np.empty(0, dtype=int))
    return X.persist(), y.persist()


def timed(fit):
    """What a function returns, and its seconds."""
    begin = time.perf_counter()
    found = fit()
    return found, time.perf_counter() - begin


def rounds_to(gap, model, minimum):
    """Rounds until the gap is small: two of statistics are not counted."""
    reached = np.flatnonzero(np.array(model.loss_curve_) - minimum <= gap)
    return str(int(np.sum(model.evaluation_curve_[: reached[0] + 1]))) if len(reached) else "–"


def milliseconds_a_round(partitions):
    """The time of a round of few rows."""
    X = da.random.default_rng(0).normal(size=(partitions * 2, 5), chunks=(2, 5)).persist()
    y = (X[:, 0] > 0).persist()
    seconds = [
        timed(lambda n=n: sk_gd.dask.GDClassifier(max_iter=n, **EMPTY).fit(X, y))[1]
        for n in (1, 1, 31)
    ]
    return 1e3 * (seconds[2] - seconds[1]) / 30


def main(peers):
    """Measure, and record the table."""
    rows = []

    def note(name, seconds, model, minimum):
        row = [name, f"{seconds:.1f}"]
        rows.append(row + [rounds_to(each, model, minimum) for each in (1e-3, 1e-6, GAP)])
        print(*rows[-1], sep=" | ", flush=True)

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        empty = {n: milliseconds_a_round(n) for n in (20, 1000)}
        print(empty, flush=True)
        X, y = collections()
        y.sum().compute()
        there, seconds = timed(lambda: sk_gd.dask.GDClassifier(max_iter=10, **SETTINGS).fit(X, y))
        del X, y
    X, y = (np.concatenate(each) for each in zip(*map(rows_of, range(PARTITIONS)), strict=True))
    # The default trains on mini-batches where a pass takes long; on a cluster it does not.
    pairs = there.optimizer_
    plain = {"optimizer": pairs, "precondition": "whiten", **SETTINGS}
    here, seconds_here = timed(lambda: sk_gd.GDClassifier(max_iter=10, **plain).fit(X, y))
    minimum = min(sk_gd.GDClassifier(max_iter=40, **plain).fit(X, y).loss_curve_)
    note("cluster of two workers", seconds, there, minimum)
    note("one process, in memory", seconds_here, here, minimum)
    if peers:
        z = StandardScaler().fit_transform(X)
        peer = LogisticRegression(C=1 / (ALPHA * ROWS), tol=1e-7, max_iter=200)
        fitted, seconds = timed(lambda: peer.fit(z, y))
        rows.append(
            ["scikit-learn, standardised copy", f"{seconds:.1f}", "", "", str(fitted.n_iter_[0])]
        )
    record(
        "cluster",
        "Training on a cluster",
        f"A logistic fit of {ROWS:,} × {FEATURES} in {PARTITIONS} partitions, ten epochs: seconds, "
        f"and evaluations of the objective to a gap of 1e-3, 1e-6 and {GAP:g}. A round with nearly "
        f"nothing to compute takes {empty[20]:.0f} ms with 20 partitions, and {empty[1000]:.0f} ms "
        "with 1000.",
        ["", "seconds", "to 1e-3", "to 1e-6", "to 1e-8"],
        rows,
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # max_iter is reached on purpose
    main("--peers" in sys.argv)
