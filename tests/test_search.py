"""The searches give the same results as scikit-learn's over the same estimators."""

import itertools
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

import sk_gd
from helpers.data import PRECONDITIONS
from helpers.optimizers import Signum
from helpers.runs import count_lanes, count_received
from helpers.searches import BINARY, CLASSES, OUTPUTS, REAL, both, classifier, regressor
from sk_gd import (
    DivergenceError,
    GDClassifier,
    GDGridSearchCV,
    GDRandomizedSearchCV,
    GDRegressor,
    optimizers,
    schedules,
)

RATES = {"learning_rate": [0.001, 0.01, 0.1], "max_iter": [2, 3, 7]}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    ("estimator", "data", "scoring"),
    [
        (classifier(), BINARY, "neg_log_loss"),
        (classifier(), CLASSES, "neg_log_loss"),
        (classifier(loss="hinge"), CLASSES, None),
        (regressor(), REAL, "neg_mean_squared_error"),
        (regressor(), OUTPUTS, None),
    ],
)
def test_both_estimators_score_as_in_a_search_of_scikit_learn(estimator, data, scoring, n_jobs):
    both(estimator, RATES, *data, scoring=scoring, n_jobs=n_jobs, return_train_score=True)


STORAGE = [np.asarray, np.float32, sp.csr_array, sp.coo_matrix]
SOME = {(np.asarray, None, 1), (np.float32, "standardize", 16), (sp.csr_array, "whiten", "full")}
SOME |= {(sp.coo_matrix, "standardize", "auto"), (np.asarray, "whiten", 16)}


@pytest.mark.parametrize(
    ("storage", "precondition", "batch_size"),
    [
        pytest.param(*each, marks=() if each in SOME else pytest.mark.slow)
        for each in itertools.product(STORAGE, PRECONDITIONS, ["auto", 1, 16, "full"])
    ],
)
def test_any_data_and_coordinates(storage, precondition, batch_size):
    X = np.where(np.abs(BINARY[0]) > 1, BINARY[0], 0)
    X[:, 0] = 0
    X[3, 0] = 1  # constant in folds without this row
    estimator = classifier(precondition=precondition, batch_size=batch_size)
    grid = {"learning_rate": ["auto", 0.01], "alpha": [0, 0.1], "max_iter": [2, 4]}
    grid = [{"optimizer": ["sgd", "adam"], **grid}]
    both(estimator, grid, storage(X), BINARY[1], scoring="neg_brier_score", cv=2)


@pytest.mark.parametrize(
    "grid",
    [
        {"alpha": [0, 1e-3, 1, 100], "l1_ratio": [0, 0.5, 1], "max_iter": [3, 6]},
        {"tol": [None, 1e-3, 0.1], "n_iter_no_change": [1, 3], "max_iter": [2, 40]},
        {
            "early_stopping": [True],
            "learning_rate": [0.01, 0.3],
            "max_iter": [2, 40],
            "tol": [0.01],
        },
        {"average": [False, True, 3], "max_iter": [2, 6]},
        {"schedule": schedules.names(), "max_iter": [2, 6]},
        {"schedule": [schedules.Warmup(epochs=2, then="plateau"), lambda e, h: 1 / (1 + e)]},
        {"optimizer": optimizers.names(), "max_iter": [2, 4], "batch_size": ["full"]},
        [
            {"optimizer": [optimizers.Adam()], "optimizer__beta_1": [0.5, 0.9]},
            {"optimizer": [optimizers.Momentum(), Signum()], "optimizer__momentum": [0.5, 0.9]},
        ],
        {"batch_size": [8, 32], "fit_intercept": [True, False], "shuffle": [True, False]},
        {"loss": ["log_loss", "modified_huber"], "class_weight": [None, "balanced"]},
        {"random_state": [0, 1], "early_stopping": [True, False], "validation_fraction": [0.2]},
    ],
    ids=lambda grid: "-".join(grid if isinstance(grid, dict) else ["several"]),
)
def test_any_parameters(grid):
    estimator = classifier(max_iter=4, batch_size=16)
    both(estimator, grid, *BINARY, scoring="neg_log_loss", cv=3, refit=False)


def test_one_lane_for_all_values_of_max_iter(monkeypatch):
    seen = count_lanes(monkeypatch)
    grid = {"learning_rate": [0.01, 0.1], "max_iter": [2, 4, 8], "alpha": [1e-4, 1e-3]}
    both(classifier(), grid, *BINARY, cv=4)
    assert seen == [4] * 4
    seen.clear()
    # With an odd number of folds, two workers share the last one.
    both(classifier(), grid, *BINARY, cv=3)
    assert seen == [4, 4, 2, 2]
    seen.clear()
    both(classifier(), {"schedule": ["constant", "cosine"], "max_iter": [2, 4]}, *BINARY, cv=4)
    assert seen == [3] * 4
    seen.clear()
    # A ridge that is stronger than the data needs other coordinates.
    both(classifier(), {"alpha": [1e-4, 1e-3, 100]}, *BINARY, cv=4)
    assert seen == [2, 1] * 4


def test_pipelines():
    counted = []

    class Counted(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            counted.append(self)
            return super().fit(X, y, sample_weight)

    steps = [("scale", Counted()), ("poly", PolynomialFeatures()), ("model", classifier())]
    grid = {"model__" + name: values for name, values in RATES.items()}
    both(Pipeline(steps), grid, *BINARY, scoring="neg_log_loss", cv=3)
    theirs, ours = 9 * 3 + 1, 3 + 1
    assert len(counted) == theirs + ours
    grid |= {"poly__degree": [1, 2], "scale": [Counted(), "passthrough"]}
    both(Pipeline(steps), grid, *CLASSES, cv=3, n_jobs=2)
    grid = {"model": [classifier(max_iter=3), classifier(max_iter=5, batch_size=7)]}
    weight = np.random.default_rng(0).random(150)
    fit = {"model__sample_weight": weight, "scale__sample_weight": weight}
    both(Pipeline(steps), grid, *BINARY, fit, scoring="neg_log_loss", cv=3, refit=False)


def loss_of_the_model(estimator, X, y):
    assert X.shape[0] == len(y)
    p = 1 / (1 + np.exp(-(X @ estimator.coef_[0] + estimator.intercept_[0])))
    return -np.mean((p - (y == estimator.classes_[1])) ** 2)


def two_scores(estimator, X, y):
    p = estimator.predict(X)
    return {"right": accuracy_score(y, p), "first": float(np.mean(p == estimator.classes_[0]))}


@pytest.mark.parametrize(
    ("scoring", "refit"),
    [
        (loss_of_the_model, True),
        (two_scores, "right"),
        (["neg_log_loss", "roc_auc", "f1"], "roc_auc"),
        ({"a": "accuracy", "b": loss_of_the_model}, "b"),
        (None, lambda results: 2),
        ("accuracy", False),
    ],
)
def test_scoring_and_refit(scoring, refit):
    labels = (
        np.array(["no", "yes"])[BINARY[1]]
        if scoring != ["neg_log_loss", "roc_auc", "f1"]
        else BINARY[1]
    )
    options = {"scoring": scoring, "refit": refit, "cv": 3, "return_train_score": True}
    both(classifier(), RATES, BINARY[0], labels, **options)


@pytest.mark.parametrize("routing", [False, True])
def test_sample_weights(routing):
    weight = np.random.default_rng(0).integers(0, 3, 150).astype(float)
    with config_context(enable_metadata_routing=routing):
        estimator = classifier(batch_size=16)
        scoring = "accuracy"
        if routing:
            from sklearn.metrics import get_scorer

            estimator = estimator.set_fit_request(sample_weight=True)
            scoring = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        fit = {"sample_weight": weight}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            both(estimator, RATES, *BINARY, fit, scoring=scoring, cv=3)


@pytest.mark.parametrize(
    "cv",
    [
        KFold(3),
        KFold(3, shuffle=True, random_state=0),
        ShuffleSplit(2, random_state=0),
        [(np.arange(100) % 80, np.arange(100, 150))],  # some rows twice
        [(np.arange(-100, 0), np.arange(50))],
        [([*range(100)], [*range(100, 150)])],
        [(np.arange(150) < 90, np.arange(150) > 100)],
        [(np.arange(99, -1, -1), np.arange(100, 150))],
    ],
    ids=range(8),
)
@pytest.mark.parametrize("early_stopping", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_any_splits(cv, early_stopping):
    estimator = classifier(batch_size=16, early_stopping=early_stopping)
    both(estimator, RATES, *BINARY, cv=cv, scoring="neg_log_loss", return_train_score=True)


def test_dataframes_and_lists():
    pandas = pytest.importorskip("pandas")
    X, y = BINARY
    frame = pandas.DataFrame(X, columns=list("abcdef")).astype({"a": np.float32})
    search = both(classifier(), RATES, frame, pandas.Series(y), cv=3)
    assert list(search.feature_names_in_) == list("abcdef")
    both(classifier(), RATES, X.tolist(), y.tolist(), cv=3)
    both(classifier(), RATES, np.asfortranarray(X), y, cv=3)


DIVERGING = {"learning_rate": [0.01, 1e300], "max_iter": [1, 3, 6]}


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "f1"]])
def test_candidates_that_diverge(scoring, n_jobs):
    estimator = classifier(optimizer="sgd", batch_size=16)
    options = {"scoring": scoring, "refit": scoring is None or "f1", "cv": 3, "n_jobs": n_jobs}
    search = both(estimator, DIVERGING, *BINARY, **options)
    name = "mean_test_score" if scoring is None else "mean_test_f1"
    assert np.isnan(search.cv_results_[name]).sum() == 3
    both(estimator, DIVERGING, *BINARY, error_score=-1, **options)
    with pytest.raises(DivergenceError, match="learning_rate=1e\\+300"):
        GDGridSearchCV(estimator, DIVERGING, error_score="raise", **options).fit(*BINARY)
    with pytest.warns(FitFailedWarning, match="9 fits failed out of a total of 18"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("always", FitFailedWarning)
            GDGridSearchCV(estimator, DIVERGING, **options).fit(*BINARY)


def test_candidates_that_end_above_their_beginning():
    """At a rate that was given as a number, a smaller rise is divergence than at "auto"."""
    estimator = classifier(optimizer="sgd", batch_size=16, max_iter=30)
    rates = {"learning_rate": [0.01, 3, 5, 10]}
    search = both(estimator, rates, *BINARY, cv=3, refit=False)
    found = [search.cv_results_[f"split{i}_test_score"] for i in range(3)]
    assert 0 < np.isnan(found).sum() < 9


def test_times_are_shares_of_the_time_of_the_search():
    estimator, grid = classifier(max_iter=3), {"learning_rate": [0.01, 0.1]}
    began = time.perf_counter()
    search = GDGridSearchCV(estimator, grid, cv=3, refit=False).fit(*BINARY)
    whole = time.perf_counter() - began
    for name in ("mean_fit_time", "mean_score_time"):
        assert (search.cv_results_[name] > 0).all()
        assert 3 * search.cv_results_[name].sum() < whole


def test_warnings_are_those_of_the_fits():
    estimator = classifier(tol=1e-9, max_iter=7)
    found = []
    for kind in (GridSearchCV, GDGridSearchCV):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kind(estimator, {"learning_rate": [0.01, 0.1]}, cv=3, refit=False).fit(*BINARY)
        messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
        found.append(sorted(messages))
    assert found[0] == found[1]
    assert len(found[0]) == 6


def test_candidates_that_were_told_when_to_stop_do_not_warn(recwarn):
    for estimator, name in (
        (classifier(tol=1e-9), "max_iter"),
        (Pipeline([("model", classifier(tol=1e-9))]), "model__max_iter"),
    ):
        GDGridSearchCV(estimator, {name: [2, 3, 7]}, cv=3, refit=False).fit(*BINARY)
    assert not list(recwarn)


def test_a_max_iter_of_a_transformer_says_nothing_about_the_model():
    steps = [("parts", NMF(2, random_state=0)), ("model", classifier(tol=1e-9, max_iter=2))]
    grid = {"parts__max_iter": [1000, 2000]}
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs were over"):
        GDGridSearchCV(Pipeline(steps), grid, cv=2, refit=False).fit(np.abs(BINARY[0]), BINARY[1])


class Reversed(GDClassifier):
    def fit(self, X, y, **options):
        return super().fit(X, 1 - y, **options)


@pytest.mark.parametrize(
    ("estimator", "grid", "alone", "words"),
    [
        (LogisticRegression(), {"C": [1, 2]}, -1, "LogisticRegression"),
        (classifier(), {"learning_rate": [0.1, -1]}, 0, "'learning_rate' parameter"),
        (classifier(), {"optimizer": ["adam", "adan_"]}, 3, "'adan_'"),
        (classifier(), {"verbose": [0, 1]}, 3, "verbose=1"),
        (classifier(), {"loss": ["log_loss", "poisson"]}, 3, "poisson"),
        (classifier(batch_size=32), {"optimizer": ["adam", "lbfgs"]}, 3, "Got 32 for 100 rows"),
        (
            classifier(early_stopping=True),
            {"validation_fraction": [0.2, 0.001]},
            3,
            "early_stopping cannot hold out validation_fraction=0.001",
        ),
        (Reversed(random_state=0), {"max_iter": [5, 9]}, 6, "Reversed has a fit of its own"),
    ],
)
def test_fits_that_cannot_be_shared_are_done_and_reported(estimator, grid, alone, words, capsys):
    both(estimator, grid, *BINARY, cv=3, alone=alone)
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GDGridSearchCV(estimator, grid, cv=3, verbose=1).fit(*BINARY)
    out = capsys.readouterr().out
    assert words in out


def test_a_candidate_whose_rule_raises():
    class Broken(Signum):
        def step(self, w, g, lr, state):
            if state["v"].any() and self.momentum == 0.5:
                raise RuntimeError("no more")
            super().step(w, g, lr, state)

    grid = {"optimizer": [Broken()], "optimizer__momentum": [0.5, 0.9], "max_iter": [2, 3]}
    both(classifier(), grid, *BINARY, cv=4, alone=16)


def test_randomized_search():
    distributions = {"learning_rate": np.geomspace(1e-3, 1, 50), "max_iter": [2, 4, 6]}
    both(
        classifier(),
        distributions,
        *BINARY,
        kinds=(RandomizedSearchCV, GDRandomizedSearchCV),
        n_iter=7,
        random_state=0,
        cv=3,
    )


def test_the_backend_receives_every_fit(monkeypatch):
    """A search that scikit-learn ran by itself would be right, but slow."""
    received = count_received(monkeypatch)
    both(classifier(), RATES, *BINARY, cv=3)
    assert received == [27]


def test_transformers_that_cannot_be_pickled():
    steps = [("f", FunctionTransformer(lambda X: X + 1)), ("model", classifier())]
    grid = {"model__" + name: values for name, values in RATES.items()}
    both(Pipeline(steps), grid, *BINARY, cv=StratifiedKFold(3))


SCRIPT = """
import os, signal, threading, time
import numpy as np
from sk_gd import GDClassifier, GDGridSearchCV
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job lacks
X = np.random.default_rng(0).standard_normal((20000, 20))
y = (X[:, 0] > 0).astype(int)
model = GDClassifier("adam", batch_size=32, tol=None, random_state=0)
search = GDGridSearchCV(model, {"max_iter": [100000], "alpha": [0, 1e-4]}, n_jobs=JOBS)
began = []
def interrupt():
    time.sleep(1)
    began.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    search.fit(X, y)
except KeyboardInterrupt:
    print("raised", time.perf_counter() - began[0] < 5, threading.active_count())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals to oneself end a process on Windows")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_leaves_nothing_running(n_jobs):
    script = SCRIPT.replace("JOBS", str(n_jobs))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100
    )
    assert done.stdout.split() == ["raised", "True", "1"], done.stderr


@st.composite
def problems(draw):
    """An estimator, a grid, and data."""
    kind = draw(st.sampled_from([GDClassifier, GDRegressor]))
    # Every class has rows in each half, also among the held-out rows.
    n, d = draw(st.integers(80, 120)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    X = rng.normal(1, 3, (n, d))
    if draw(st.booleans()):
        X = sp.csr_array(np.where(X > 1, X, 0))
    outputs = draw(st.sampled_from([2, 3]))
    if kind is GDClassifier:
        y = np.arange(n) % outputs
    else:
        y = np.asarray(X @ rng.normal(size=(d, outputs - 1))) + rng.normal(size=(n, outputs - 1))
    choices = {
        "optimizer": ["sgd", "nesterov", "adam", "rmsprop", Signum(), optimizers.Adam(0.5)],
        "learning_rate": ["auto", 1e-3, 1e-2, 1e-1],
        "max_iter": [1, 2, 5, 9],
        "alpha": [0, 1e-4, 1e-2, 1],
        "l1_ratio": [0, 0.5, 1],
        "schedule": ["constant", "cosine", "inverse_time", "plateau"],
        "tol": [None, 1e-3, 1e-1],
        "n_iter_no_change": [1, 3],
        "average": [False, True, 2],
        "batch_size": ["auto", "full", 7],
        "fit_intercept": [True, False],
        "precondition": ["standardize", None],
        "early_stopping": [False, True],
    }
    names = draw(st.lists(st.sampled_from(sorted(choices)), min_size=1, max_size=4, unique=True))
    grid = {
        name: draw(st.lists(st.sampled_from(choices[name]), min_size=1, max_size=3, unique_by=repr))
        for name in names
    }
    estimator = kind("adam", max_iter=4, random_state=draw(st.integers(0, 9)))
    if draw(st.booleans()):
        grid = {"model__" + name: values for name, values in grid.items()}
        estimator = Pipeline([("scale", StandardScaler(with_mean=False)), ("model", estimator)])
    return estimator, grid, X, y


@settings(max_examples=12, deadline=None, derandomize=True)
@given(problems())
def test_any_grid(problem):
    both(*problem, cv=2, refit=False, return_train_score=True)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))  # to be shared by the workers
def test_many_grids(part):
    @seed(part)
    @settings(max_examples=15, deadline=None, database=None)
    @given(problems())
    def scores_are_the_same(problem):
        both(*problem, cv=2, refit=False, return_train_score=True)

    scores_are_the_same()


@pytest.mark.slow
def test_the_tests_of_scikit_learn(tmp_path):
    """Most of them use other estimators, for which nothing may change."""
    tests = "sklearn.model_selection.tests.test_search"
    command = ["-m", "pytest", "-q", "-p", "searches_in_place", "--pyargs", tests]
    roots = [str(Path(__file__).parent / "tools"), str(Path(sk_gd.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(roots)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
