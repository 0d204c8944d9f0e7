"""L-BFGS in whitened coordinates against scikit-learn's solvers: ``python benchmarks/lbfgs.py``.

Measured is the time of a whole `fit` that comes within 1e-6 of the minimum of the same
objective. For each solver the smallest ``max_iter`` that is enough is found first; then the fit
is timed with it. The solvers alternate, and the median of several turns counts. BLAS has
one thread. Evaluations are passes over all rows; before them are eight over a sixteenth of the
rows. First-order solvers are left out because they need minutes, and liblinear because it
penalises the intercept.
"""

import warnings

import numpy as np
from record import parser, record
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from timing import medians, read

from sk_gd import GDClassifier

ROWS, FEATURES, ALPHA, GAP, TURNS = 500_000, 50, 1e-4, 1e-6, 3


def data(rng, mixing):
    """Normal features; labels drawn from the logistic model."""
    X = rng.standard_normal((ROWS, FEATURES))
    X = X @ (np.eye(FEATURES) + mixing * rng.standard_normal((FEATURES, FEATURES)))
    margin = X @ rng.standard_normal(FEATURES)
    y = (2 * margin / margin.std() + rng.logistic(size=ROWS) > 0).astype(int)
    return X, y


def objective(model, X, y):
    """The objective F of a fitted model."""
    p = X @ model.coef_[0] + model.intercept_[0]
    return np.mean(np.logaddexp(0, p) - y * p) + ALPHA / 2 * np.sum(model.coef_**2)


def peer(solver):
    """scikit-learn's estimator, as a function of max_iter; `tol` never stops it earlier."""
    return lambda max_iter: LogisticRegression(
        C=1 / (ALPHA * ROWS), solver=solver, tol=1e-14, max_iter=max_iter
    )


def ours(precondition):
    """Our estimator, as a function of max_iter."""
    return lambda max_iter: GDClassifier(
        "lbfgs",
        alpha=ALPHA,
        scale_penalty=False,
        precondition=precondition,
        max_iter=max_iter,
        tol=None,
    )


def enough(make, X, y, lowest):
    """The smallest max_iter with which the fit comes within the gap."""
    low, high = 0, 1
    while objective(make(high).fit(X, y), X, y) - lowest > GAP:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if objective(make(middle).fit(X, y), X, y) - lowest > GAP:
            low = middle
        else:
            high = middle
    return high


def compare(title, X, y, rows, notes):
    """Add the rows of one data set to the table, and lower bounds of the times to the notes."""
    exact = peer("newton-cholesky")(100).fit(X, y)
    lowest = objective(exact, X, y)
    makers = {
        "ours, whiten": ours("whiten"),
        "ours, standardize": ours("standardize"),
        **{solver: peer(solver) for solver in ("lbfgs", "newton-cholesky", "newton-cg")},
    }
    needed = {name: enough(make, X, y, lowest) for name, make in makers.items()}
    fits = [lambda make=make, n=needed[name]: make(n).fit(X, y) for name, make in makers.items()]
    times = dict(zip(makers, medians(fits, TURNS), strict=True))
    once = read(X)
    fastest = min(times[name] for name in makers if not name.startswith("ours"))
    for name, make in makers.items():
        evaluations = ""
        if name.startswith("ours"):
            evaluations = str(sum(make(needed[name]).fit(X, y).evaluation_curve_))
        ratio = f"{times[name] / fastest:.2f}"
        rows.append(
            [
                title,
                name,
                str(needed[name]),
                evaluations,
                f"{1e3 * times[name]:.0f}",
                ratio,
                f"{times[name] / once:.0f}",
            ]
        )
        print(*rows[-1], sep=" | ", flush=True)
    if not notes:
        square = medians([lambda: X.T @ X])[0]
        notes.append(
            f"One read of X takes {1e3 * once:.0f} ms, and every evaluation needs one. The matrix "
            f"product ``X.T @ X``, which whitening needs, takes {1e3 * square:.0f} ms."
        )


def main():
    """Compare on independent and on correlated features, and record the table."""
    rows, notes = [], []
    for title, mixing in (("independent", 0), ("correlated", 0.1), ("more correlated", 0.5)):
        compare(title, *data(np.random.default_rng(0), mixing), rows, notes)
    X, y = make_classification(ROWS, FEATURES, n_informative=20, random_state=0)
    compare("make_classification, 20 informative", X, y, rows, notes)
    record(
        "lbfgs",
        "L-BFGS in whitened coordinates",
        f"Time of a whole fit that comes within {GAP:g} of the minimum of the same logistic "
        f"objective, with the fewest iterations that are enough: {ROWS:,} × {FEATURES}, one core. "
        f"The ratio is to the fastest solver of ``LogisticRegression``. {notes[0]}",
        ["features", "solver", "iterations", "evaluations", "ms", "ratio", "reads of X"],
        rows,
    )


if __name__ == "__main__":
    parser(__doc__).parse_args()
    warnings.simplefilter("ignore")  # max_iter is reached on purpose
    with threadpool_limits(1):
        main()
