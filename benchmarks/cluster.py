"""Training on a cluster against one process: ``python benchmarks/cluster.py``.

The cluster is two workers of one thread on this machine; the partitions are made on them. Measured
are the fit, the evaluations of the objective to a small gap to the minimum of the same objective,
and the time of a round with nearly nothing to compute. With ``--peers`` scikit-learn trains on a
standardised copy in memory, and dask-ml, where it is installed, on a standardised copy on the
workers; that takes some minutes.
"""

import time
import warnings

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from record import parser, record
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import sk_gd
import sk_gd.dask

try:
    from dask_ml.linear_model import LogisticRegression as DaskLogisticRegression
except ImportError:
    DaskLogisticRegression = None

ROWS, FEATURES, PARTITIONS, ALPHA, GAPS = 2_000_000, 50, 20, 1e-6, (1e-3, 1e-6, 1e-8)
FEW = 200_000  # rows for dask-ml, which takes long
TURNS = 3
SETTINGS = {"alpha": ALPHA, "tol": None, "random_state": 0}
EMPTY = {"optimizer": "barzilai_borwein", "alpha": 1e-3, "tol": None}
HEAD = ["", "seconds", *(f"to {gap:.0e}".replace("e-0", "e-") for gap in GAPS), "gap at the end"]


def rows_of(k):
    """The rows of a partition, and their labels."""
    rng = np.random.default_rng([0, k])
    X = rng.standard_normal((ROWS // PARTITIONS, FEATURES))
    X = X @ (np.eye(FEATURES) + 0.1 * np.random.default_rng(1).standard_normal((FEATURES,) * 2))
    margin = X @ np.random.default_rng(2).standard_normal(FEATURES)
    return X, (margin / 4 + rng.logistic(size=len(X)) > 0).astype(int)


def rows_of_a_class(k):
    """The rows of one class in a pair of partitions: all of them are sorted by class."""
    label, pair = divmod(k, PARTITIONS // 2)
    X, y = (
        np.concatenate(each) for each in zip(*map(rows_of, (2 * pair, 2 * pair + 1)), strict=True)
    )
    return X[y == label], y[y == label]


def collections(make, k=PARTITIONS):
    """Delayed partitions of X and of y that have been computed on the workers."""
    parts = dask.persist(*(dask.delayed(make, nout=2)(i) for i in range(k)))
    X, y = ([part[which] for part in parts] for which in (0, 1))
    X, y = dask.persist(*X), dask.persist(*y)
    dask.compute(*(dask.delayed(len)(each) for each in (*X, *y)))
    return list(X), list(y)


def in_memory(k=PARTITIONS):
    """The same rows as two arrays."""
    return [np.concatenate(each) for each in zip(*map(rows_of, range(k)), strict=True)]


def timed(fit):
    """What a function returns, and its seconds."""
    begin = time.perf_counter()
    found = fit()
    return found, time.perf_counter() - begin


def rounds_to(gap, model, minimum):
    """Evaluations of all rows until the gap is small."""
    reached = np.flatnonzero(np.array(model.loss_curve_) - minimum <= gap)
    return str(int(np.sum(model.evaluation_curve_[: reached[0] + 1]))) if len(reached) else "–"


class Clock:
    """A callback that notes when the epochs end."""

    def __init__(self):
        self.times = []

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def teardown(self, estimator, context):
        """Nothing to give back."""

    def on_fit_task_begin(self, estimator, context):
        """Epochs are told of when they end."""

    def on_fit_task_end(self, estimator, context):
        """Note the time."""
        if context.task_name == "epoch":
            self.times.append(time.perf_counter())


def milliseconds_a_round(counts):
    """The median time of a round of few rows, for each number of partitions, in turns."""
    data, found = {}, {n: [] for n in counts}
    for n in counts:
        X = da.random.default_rng(0).normal(size=(n * 2, 5), chunks=(2, 5)).persist()
        data[n] = X, (X[:, 0] > 0).persist()
    for _ in range(2 * TURNS):
        for n in counts:
            clock = Clock()
            model = sk_gd.dask.GDClassifier(max_iter=31, **EMPTY).set_callbacks(clock)
            evaluations = model.fit(*data[n]).evaluation_curve_[1:]
            found[n] += list(np.diff(clock.times) / evaluations)
    return {n: 1e3 * np.median(found[n]) for n in counts}


def row(name, seconds, model, minimum):
    """A row of the table for a model of ours."""
    gap = max(model.loss_curve_[-1] - minimum, 0.0)
    return [
        name,
        f"{seconds:.1f}",
        *(rounds_to(each, model, minimum) for each in GAPS),
        f"{gap:.0e}" if gap > 1e-15 else "0",
    ]


def ours():
    """Rows of the table, and how many rounds a fit on the cluster has."""
    plain = {"optimizer": "lbfgs", "precondition": "whiten", **SETTINGS}
    here = in_memory()
    minimum = min(sk_gd.GDClassifier(max_iter=40, **plain).fit(*here).loss_curve_)
    fits = {
        "cluster of two workers": (sk_gd.dask.GDClassifier(max_iter=10, **SETTINGS), rows_of),
        "the same, sorted by class": (
            sk_gd.dask.GDClassifier(max_iter=10, **SETTINGS),
            rows_of_a_class,
        ),
        "one process, in memory": (sk_gd.GDClassifier(max_iter=10, **plain), None),
    }
    data = {name: here if make is None else collections(make) for name, (_, make) in fits.items()}
    best = dict.fromkeys(fits, np.inf)
    for _ in range(TURNS):
        for name, (model, _) in fits.items():
            best[name] = min(best[name], timed(lambda: model.fit(*data[name]))[1])  # noqa: B023
    rows = [row(name, best[name], model, minimum) for name, (model, _) in fits.items()]
    # Descriptions, covariances, and the sample are rounds, too.
    return rows, 3 + sum(fits["cluster of two workers"][0].evaluation_curve_)


def gap_of(z, y, coef, intercept):
    """The objective of a model of standardised rows, above the minimum."""
    margin = (z @ np.ravel(coef) + intercept) * np.where(y, 1, -1)
    value = np.mean(np.logaddexp(0, -margin)) + ALPHA / 2 * np.sum(np.square(coef))
    best = sk_gd.GDClassifier("lbfgs", precondition="whiten", max_iter=40, **SETTINGS).fit(z, y)
    return value - min(best.loss_curve_)


def of_peers():
    """Rows of the table for other packages, at their own stopping rules."""
    X, y = in_memory()
    z = StandardScaler().fit_transform(X)
    del X
    peer = LogisticRegression(C=1 / (ALPHA * ROWS), tol=1e-7, max_iter=200)
    _, seconds = timed(lambda: peer.fit(z, y))
    gap = gap_of(z, y, peer.coef_, peer.intercept_)
    name = f"scikit-learn, standardised copy in memory: {peer.n_iter_[0]} iterations"
    yield [name, f"{seconds:.1f}", "", "", "", f"{gap:.0e}"]
    if DaskLogisticRegression is None:
        print("dask-ml is not installed: its rows are left out.")
        return
    z, y = z[:FEW], y[:FEW]
    few = {"random_state": 0, "tol": None, "max_iter": 10, "alpha": ALPHA}
    part = FEW // PARTITIONS
    z_there = da.from_array(z, chunks=(part, FEATURES)).persist()
    y_there = da.from_array(y, chunks=part).persist()
    dask.compute(z_there.sum(), y_there.sum())
    mine = sk_gd.dask.GDClassifier(**few)
    _, seconds = timed(lambda: mine.fit(z_there, y_there))
    best = sk_gd.GDClassifier("lbfgs", precondition="whiten", **few | {"max_iter": 40}).fit(z, y)
    yield row(f"cluster of two workers, {FEW:,} rows", seconds, mine, min(best.loss_curve_))
    for solver, max_iter in (("admm", 15), ("lbfgs", 15)):
        peer = DaskLogisticRegression(C=1 / (ALPHA * FEW), solver=solver, max_iter=max_iter)
        _, seconds = timed(lambda: peer.fit(z_there, y_there))  # noqa: B023
        gap = gap_of(z, y, peer.coef_, peer.intercept_)
        name = f"dask-ml, {FEW:,} rows, ``solver={solver!r}``: {max_iter} iterations"
        yield [name, f"{seconds:.1f}", "", "", "", f"{gap:.0e}"]


def main(peers):
    """Measure, and record the table."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        empty = milliseconds_a_round((20, 1000))
        print(empty, flush=True)
        rows, n_rounds = ours()
        print(*rows, sep="\n", flush=True)
        if peers:
            for each in of_peers():
                rows.append(each)
                print(each, flush=True)
    record(
        "cluster",
        "Training on a cluster",
        f"A logistic fit of {ROWS:,} × {FEATURES} in {PARTITIONS} partitions that the workers "
        f"hold, ten epochs, on two workers of one thread, and in one process of two threads: "
        f"seconds (the best of {TURNS} turns), evaluations of the objective on all rows to a gap "
        f"of 1e-3, 1e-6 and 1e-8, and the gap at the end. The fit on the cluster has {n_rounds} "
        f"rounds. A round with nearly nothing to compute takes {empty[20]:.0f} ms with 20 "
        f"partitions, and {empty[1000]:.0f} ms with 1000. dask {dask.__version__}.",
        HEAD,
        rows,
    )


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--peers", action="store_true", help="also scikit-learn and dask-ml")
    given = arguments.parse_args()
    warnings.simplefilter("ignore")  # max_iter is reached on purpose
    main(given.peers)
