"""Tune learning rate and epochs on raw data, with Pipeline and GridSearchCV.

The two data sets come with scikit-learn and are not scaled. The features of the first range from
1e-3 to 4e3; those of the second are years, kg/m² and mg/dl. scikit-learn's own SGD estimators are
tuned over the same grid, on the raw data and behind a StandardScaler.
"""

import time
import warnings

from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sk_gd import GDClassifier, GDRegressor

# The range is so wide because SGD on raw data needs rates near 1e-5.
RATES = [float(f"{digit}e{power}") for power in range(-7, 1) for digit in (1, 3)]
EPOCHS = [10, 30, 100]


def search(model, rate, scaler="passthrough"):
    """A search for the best learning rate and number of epochs of `model` in a pipeline."""
    pipeline = Pipeline([("scaler", scaler), ("model", model)])
    return GridSearchCV(pipeline, {f"model__{rate}": RATES, "model__max_iter": EPOCHS}, cv=5)


def compare(title, data, metric, ours, theirs):
    """Tune `ours` and `theirs` on a training set, and print their scores on a test set."""
    X, y = data
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    our_name, their_name = type(ours).__name__, type(theirs).__name__
    searches = {
        f"{our_name}, raw data": search(ours, "learning_rate"),
        f"{their_name}, raw data": search(theirs, "eta0"),
        f"{their_name}, StandardScaler": search(theirs, "eta0", StandardScaler()),
    }
    print(f"{title}, {metric}: {len(X_train)} rows to train on, {len(X_test)} to test")
    scores = {}
    for label, tuned in searches.items():
        begin = time.perf_counter()
        tuned.fit(X_train, y_train)
        seconds = time.perf_counter() - begin
        scores[label] = tuned.best_score_, tuned.score(X_test, y_test)
        best = ", ".join(
            f"{name.removeprefix('model__')}={value}" for name, value in tuned.best_params_.items()
        )
        print(
            f"  {label:<29}  cross-validated {scores[label][0]:.3f}  test {scores[label][1]:.3f}"
            f"  in {seconds:.1f} s with {best}"
        )
    (label, (validated, tested)), *others = scores.items()
    for other, (other_validated, other_tested) in others:
        print(
            f"  {label} against {other}: cross-validated {validated - other_validated:+.3f}, "
            f"test {tested - other_tested:+.3f}"
        )


# With tol=None a fit runs all of its epochs, and gives no warning that it did not converge. The
# warnings silenced here are expected: SGD overflows on raw data at most rates, and GridSearchCV
# scores these candidates as failed.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FitFailedWarning)
    warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
    compare(
        "Breast cancer",
        load_breast_cancer(return_X_y=True),
        "accuracy",
        GDClassifier(tol=None, random_state=0),
        SGDClassifier(loss="log_loss", learning_rate="invscaling", tol=None, random_state=0),
    )
    compare(
        "Diabetes",
        load_diabetes(return_X_y=True, scaled=False),
        "R²",
        GDRegressor(tol=None, random_state=0),
        SGDRegressor(learning_rate="invscaling", tol=None, random_state=0),
    )
