"""Compares the untuned estimators with other packages: ``python benchmarks/compare.py``.

Every peer of benchmarks/peers.py is trained with default parameters, on raw data and behind a
StandardScaler. Measured are its accuracy and log loss on test data, and its time: the median
of several turns, in which the peers alternate. What a peer can do is found by trying it. torch
and river take part if they are installed. Three tables are recorded;
``python benchmarks/readme.py`` copies them into README.
"""

import warnings
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from peers import BATCH, EPOCHS, FIXED, PEERS, features
from record import parser, record
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from timing import seconds

SEEDS = (0, 1, 2)
# A fit is repeated TURNS times, or until its repetitions took ENOUGH seconds; three if possible.
TURNS, ENOUGH = 100, 3.0
# The time of an epoch is the difference of two fits, of which one reads about so many rows more.
ROWS_MORE = 200_000

WITH = (
    f"torch is a loop with Adam, in batches of {BATCH}, for {EPOCHS} epochs. "
    "river reads the data once."
)
QUALITY = (
    "Accuracy and log loss of logistic regression on held-out data, a quarter of all, with "
    "default parameters: the mean of {seeds} seeds. The packages are {peers}. The data are raw, "
    f"or behind a ``StandardScaler``. {WITH}"
)
TIME = (
    "Milliseconds of a fit with default parameters; in brackets, those of an epoch. On one core, "
    "the median of {turns} turns (fewer if they take long), in which the packages alternate. "
    f"{WITH} For these two the time of an epoch is that of the fit over the number of epochs. For "
    "the others it is the difference of two fits; an epoch of sk_gd is an iteration of its default "
    "optimizer, L-BFGS. ``LogisticRegression`` has no epochs."
)
ABILITIES = (
    "Found by trying: parameters, methods, fits that work or fail, and the number of checks of "
    '``sklearn.utils.estimator_checks`` that fail. "By hand" means that you write it in the loop.'
)


def dense(rng, n=100_000, d=50):
    """Features in many different units; the labels are noisy."""
    Z = rng.standard_normal((n, d))
    y = (Z @ rng.standard_normal(d) / np.sqrt(d) + rng.logistic(size=n) / 3 > 0).astype(int)
    return Z * 10.0 ** rng.uniform(-3, 3, d) + 10.0 ** rng.uniform(0, 3, d), y


def sparse(rng, n=20_000, d=10_000, entries=50):
    """Counts of words; a few of the words are frequent."""
    columns = (d * rng.random((n, entries)) ** 3).astype(np.int32).ravel()
    ends = np.arange(0, n * entries + 1, entries, dtype=np.int32)
    X = sp.csr_matrix((np.ones(n * entries), columns, ends), shape=(n, d))
    X.sum_duplicates()
    margin = X @ rng.standard_normal(d)
    return X, (margin / margin.std() + rng.logistic(size=n) / 3 > 0).astype(int)


def problems():
    """Yield the title, the training data and the test data of every problem."""
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


def times(X, y):
    """Seconds of a fit and of an epoch (None if there are none) of every peer, in turns."""
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
    middle = {job: np.median(found) for job, found in taken.items()}
    epoch = {name: middle[name, None] / n for name, n in FIXED.items() if name in PEERS}
    epoch |= {name: (middle[name, 1 + more] - middle[name, 1]) / more for name in told}
    return {name: (middle[name, None], epoch.get(name)) for name in PEERS}


def quality(make, X, y, X_test, y_test):
    """Accuracy and log loss on the test data: means over the seeds."""
    found = []
    for seed in SEEDS:
        model = make(random_state=seed).fit(X, y)
        p = np.asarray(model.predict_proba(X_test), dtype=float)
        right = model.classes_[p.argmax(axis=1)] == y_test
        found.append((right.mean(), log_loss(y_test, p, labels=model.classes_)))
    return np.mean(found, axis=0)


def milliseconds(value):
    """Seconds as milliseconds, with two digits below ten and none after the point above."""
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
    parser(__doc__).parse_args()
    warnings.simplefilter("ignore")  # LogisticRegression does not converge on raw data, and warns
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
        "Comparison with other packages, untuned",
        QUALITY.format(seeds=len(SEEDS), peers=names),
        head,
        good,
    )
    text = TIME.format(turns=TURNS)
    record("compare_time", "Comparison with other packages: time", text, head, fast, "compare")
    record(
        "compare_features",
        "Comparison with other packages: features",
        ABILITIES,
        head,
        abilities,
        script="compare",
    )
