"""Beside others, untuned: ``python benchmarks/compare.py``.

Every peer of benchmarks/peers.py is trained at its defaults on data as they are, and
on data behind a StandardScaler; its accuracy and its log loss on test data are taken,
and its time, the smallest of several turns that the peers take one after the other. What
they can do is found out by asking them. torch and river take part where they are installed.
Three tables are recorded; ``python benchmarks/readme.py`` brings them into README.
"""

import time
import warnings
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from peers import BATCH, EPOCHS, FIXED, PEERS, features
from record import record
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

SEEDS = (0, 1, 2)
# A fit has its turn until it has had so many, or took so many seconds in all; three, if it can be.
TURNS, ENOUGH = 100, 3.0
ROWS_MORE = 200_000  # in so many epochs more an epoch is told from what comes before

WITH = f"torch is a loop with Adam, in batches of {BATCH}, for {EPOCHS} epochs; river reads once"
QUALITY = (
    "Accuracy and log loss on the quarter of the data that was held out, the mean of "
    "{seeds} seeds, at the defaults of each (logistic regression): {peers}. Data as they are, "
    f"and behind a ``StandardScaler``. {WITH}."
)
TIME = (
    "Milliseconds of a fit, at the defaults of each, and, in brackets, of an epoch: the "
    "smallest of {turns} turns (fewer if they take long), one after the other, on one core. "
    f"{WITH}: an epoch of theirs is the fit over these. Of the others it is what more epochs take "
    "longer than one. ``LogisticRegression`` has none."
)
ABILITIES = (
    "What was found by asking them: parameters, methods, fits that work or do not, and the number "
    "of checks of ``sklearn.utils.estimator_checks`` that fail. By hand: you write it in the loop."
)


def dense(rng, n=100_000, d=50):
    """Measurements in many units, with noise in the labels."""
    Z = rng.standard_normal((n, d))
    y = (Z @ rng.standard_normal(d) / np.sqrt(d) + rng.logistic(size=n) / 3 > 0).astype(int)
    return Z * 10.0 ** rng.uniform(-3, 3, d) + 10.0 ** rng.uniform(0, 3, d), y


def sparse(rng, n=20_000, d=10_000, entries=50):
    """Counts of words, of which few are frequent."""
    columns = (d * rng.random((n, entries)) ** 3).astype(np.int32).ravel()
    ends = np.arange(0, n * entries + 1, entries, dtype=np.int32)
    X = sp.csr_matrix((np.ones(n * entries), columns, ends), shape=(n, d))
    X.sum_duplicates()
    margin = X @ rng.standard_normal(d)
    return X, (margin / margin.std() + rng.logistic(size=n) / 3 > 0).astype(int)


def problems():
    """Titles, and training and test data."""
    rng = np.random.default_rng(0)
    for title, (X, y) in {
        "breast cancer": load_breast_cancer(return_X_y=True),
        "dense 100,000 × 50": dense(rng),
        "sparse 20,000 × 10,000": sparse(rng),
        "digits, 10 classes": load_digits(return_X_y=True),
    }.items():
        X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
        yield f"{title}, raw", X, y, X_test, y_test
        scaler = StandardScaler(with_mean=not sp.issparse(X)).fit(X)
        yield f"{title}, scaled", scaler.transform(X), y, scaler.transform(X_test), y_test


def seconds(call):
    """Duration of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def times(X, y):
    """Seconds of a fit, and of an epoch (None without), of every peer, taking turns."""
    more = int(np.clip(ROWS_MORE / len(y), 2, 100))
    jobs = [(name, None) for name in PEERS]
    told = [name for name in PEERS if name not in FIXED and name != "LogisticRegression"]
    jobs += [(name, n) for name in told for n in (1, 1 + more)]
    taken = {job: [] for job in jobs}
    for turn in range(TURNS):
        waiting = [job for job in jobs if sum(taken[job]) < (ENOUGH if turn >= 3 else 3 * ENOUGH)]
        for name, epochs in waiting:
            model = PEERS[name](epochs)
            taken[name, epochs].append(seconds(lambda model=model: model.fit(X, y)))
    best = {job: min(found) for job, found in taken.items()}
    epoch = {name: best[name, None] / n for name, n in FIXED.items() if name in PEERS}
    epoch |= {name: (best[name, 1 + more] - best[name, 1]) / more for name in told}
    return {name: (best[name, None], epoch.get(name)) for name in PEERS}


def quality(make, X, y, X_test, y_test):
    """Accuracy and log loss on the test data, the means over the seeds."""
    found = []
    for seed in SEEDS:
        model = make(random_state=seed).fit(X, y)
        p = np.asarray(model.predict_proba(X_test), dtype=float)
        right = model.classes_[p.argmax(axis=1)] == y_test
        found.append((right.mean(), log_loss(y_test, p, labels=model.classes_)))
    return np.mean(found, axis=0)


def milliseconds(value):
    """With two digits, or all before the point."""
    return f"{1e3 * value:,.0f}" if value >= 0.01 else f"{float(f'{1e3 * value:.2g}'):g}"


def measure():
    """The rows of the tables of quality and of time."""
    good, fast = [], []
    for title, *data in problems():
        reached = [quality(make, *data) for make in PEERS.values()]
        good.append([title, *(f"{right:.3f} / {loss:.2f}" for right, loss in reached)])
        taken = times(*data[:2]).values()
        fast.append(
            [
                title,
                *(
                    milliseconds(fit) + ("" if epoch is None else f" ({milliseconds(epoch)})")
                    for fit, epoch in taken
                ),
            ]
        )
        print(" | ".join(good[-1]), " | ".join(fast[-1][1:]), sep="\n    ", flush=True)
    return good, fast


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # LogisticRegression has not settled on raw data, and says so
    others = [f"{name} {version(name)}" for name in ("torch", "river") if name in PEERS]
    with threadpool_limits(1):
        if "torch" in PEERS:
            import torch

            torch.set_num_threads(1)
        abilities = features()
        good, fast = measure()
    names = ", ".join(["GDClassifier", "SGDClassifier", "LogisticRegression", *others])
    head = ["", *PEERS]
    record(
        "compare",
        "Beside others, untuned",
        QUALITY.format(seeds=len(SEEDS), peers=names),
        head,
        good,
    )
    text = TIME.format(turns=TURNS)
    record("compare_time", "Beside others: time", text, head, fast, script="compare")
    record(
        "compare_features",
        "Beside others: what they can do",
        ABILITIES,
        head,
        abilities,
        script="compare",
    )
