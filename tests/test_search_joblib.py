"""The searches and joblib: which backend runs which fits, and that nothing is left afterwards."""

import pickle
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from joblib.parallel import ThreadingBackend, get_active_backend
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline

from helpers.callbacks import Callback
from helpers.runs import count_shared
from sk_gd import GDClassifier, GDGridSearchCV

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, 0] + RNG.normal(size=120) > 0).astype(int)
MODEL = GDClassifier("adam", max_iter=3, tol=None, random_state=0)
GRID = {"alpha": [1e-4, 1e-2]}


class Noting(ThreadingBackend):
    """A user's backend, which counts what it runs."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = 0

    def submit(self, func, callback=None):
        self.calls += len(func.items)
        return super().submit(func, callback)

    apply_async = submit


@pytest.fixture
def shared(monkeypatch):
    """How many fits have been shared."""
    return count_shared(monkeypatch)


class Seeing(TransformerMixin, BaseEstimator):
    """Records the active backend of each fit."""

    seen = []

    def fit(self, X, y=None):
        self.seen.append(get_active_backend()[0])
        return self

    def transform(self, X):
        return X


class SeeingSplits(KFold):
    def split(self, X, y=None, groups=None):
        Seeing.seen.append(get_active_backend()[0])
        return super().split(X, y, groups)


def seeing(model, X, y):
    Seeing.seen.append(get_active_backend()[0])
    return model.score(X, y)


def same_scores(search, estimator=MODEL, grid=GRID):
    expected = GridSearchCV(estimator, grid, cv=3).fit(X, Y).cv_results_["mean_test_score"]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-8)


def test_all_that_a_search_calls_runs_under_the_configuration_of_the_user(shared):
    pipeline = Pipeline([("see", Seeing()), ("model", MODEL)])
    grid = {"model__alpha": [1e-4, 1e-2]}
    mine = Noting()
    Seeing.seen.clear()
    with joblib.parallel_config(mine):
        search = GDGridSearchCV(pipeline, grid, cv=SeeingSplits(3), scoring=seeing, n_jobs=1)
        search.fit(X, Y)
        assert get_active_backend()[0] is mine
    # Splits, transformers of three folds, six scores, and the last fit.
    assert len(Seeing.seen) == 1 + 3 + 6 + 1
    assert all(each is mine for each in Seeing.seen)
    assert shared == [6]


def test_what_runs_in_a_thread_of_a_search_is_nested_in_it(shared):
    pipeline = Pipeline([("see", Seeing()), ("model", MODEL)])
    Seeing.seen.clear()
    GDGridSearchCV(
        pipeline, {"model__alpha": [1e-4, 1e-2]}, cv=4, scoring=seeing, n_jobs=2, refit=False
    ).fit(X, Y)
    assert shared == [8]
    assert len(Seeing.seen) == 4 + 8
    assert {(type(each), each.nesting_level) for each in Seeing.seen} == {(ThreadingBackend, 1)}


@pytest.mark.parametrize(
    ("n_jobs", "configured", "threads"), [(None, 2, True), (1, 2, False), (2, 1, True)]
)
def test_number_of_threads(n_jobs, configured, threads):
    """`n_jobs` of the search decides, or else the user's configuration."""
    seen = set()

    def noting(model, X, y):
        seen.add(threading.current_thread())
        return model.score(X, y)

    with joblib.parallel_config(n_jobs=configured):
        GDGridSearchCV(MODEL, GRID, cv=4, scoring=noting, n_jobs=n_jobs).fit(X, Y)
    assert (threading.main_thread() not in seen) == threads


@pytest.mark.parametrize(("n_jobs", "calls"), [(None, 6), (2, 6), (1, 0)])
def test_fits_that_cannot_be_shared_run_on_the_backend_of_the_user(n_jobs, calls, shared):
    mine = Noting()
    with joblib.parallel_config(mine, n_jobs=2):
        search = GDGridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=3, n_jobs=n_jobs)
        search.fit(X, Y)
    assert mine.calls == calls
    assert shared == [0]
    same_scores(search, LogisticRegression(), {"C": [0.1, 1]})


def test_required_shared_memory(shared):
    with joblib.parallel_config(require="sharedmem", n_jobs=2):
        same_scores(GDGridSearchCV(MODEL, GRID, cv=3).fit(X, Y))
    assert shared == [6]


def test_joblib_reports_only_what_it_runs(capsys):
    with joblib.parallel_config(verbose=100):
        GDGridSearchCV(MODEL, GRID, cv=3).fit(X, Y)
        assert capsys.readouterr() == ("", "")
        GDGridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=3).fit(X, Y)
        assert "Done   6 out of   6" in capsys.readouterr().out


class Busy(Callback):
    """A callback that uses joblib before the search does."""

    def on_fit_task_begin(self, estimator, context):
        if context.parent is None:
            self.found = joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(i) for i in (-1, 2))


def test_joblib_in_a_callback_of_the_search(shared):
    callback, mine = Busy(), Noting()
    with joblib.parallel_config(mine):
        search = GDGridSearchCV(MODEL, GRID, cv=3, n_jobs=1).set_callbacks(callback).fit(X, Y)
    assert callback.found == [1, 2]
    assert mine.calls == 2
    assert shared == [6]
    same_scores(search)


def test_a_search_in_a_search(shared):
    inner = GDGridSearchCV(MODEL, GRID, cv=3)
    search = GDGridSearchCV(inner, {"estimator__max_iter": [2, 3]}, cv=3).fit(X, Y)
    # The outer search shares none of its six fits. Each of them, and the last fit, shares its own.
    assert shared == [0] + [6] * 7
    plain = GridSearchCV(GridSearchCV(MODEL, GRID, cv=3), {"estimator__max_iter": [2, 3]}, cv=3)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        plain.fit(X, Y).cv_results_["mean_test_score"],
        atol=1e-8,
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_searches_inside_a_cross_validation(backend):
    search = GDGridSearchCV(MODEL, GRID, cv=3, n_jobs=2)
    with joblib.parallel_config(backend, n_jobs=2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib warns that nested processes become threads
            scores = cross_val_score(search, X, Y, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(search, X, Y, cv=3))


def test_searches_in_threads(shared):
    def fit(alpha):
        grid = {"alpha": [alpha, 10 * alpha]}
        return GDGridSearchCV(MODEL, grid, cv=3, n_jobs=2).fit(X, Y).cv_results_["mean_test_score"]

    alphas = [1e-3, 1e-2, 1e-1]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(fit, alphas))
    assert shared == [6] * 3
    np.testing.assert_array_equal(found, [fit(alpha) for alpha in alphas])


def test_a_search_that_evaluates_its_candidates_in_turns(shared):
    class Halves(GDGridSearchCV):
        def _run_search(self, evaluate_candidates):
            evaluate_candidates([{"alpha": 1e-4}])
            evaluate_candidates([{"alpha": 1e-2}])

    same_scores(Halves(MODEL, GRID, cv=3).fit(X, Y))
    assert shared == [3, 3]


def raising(error):
    def scorer(model, X, y):
        raise error

    return scorer


@pytest.mark.parametrize(
    ("estimator", "error", "n_jobs"),
    [
        (MODEL, ZeroDivisionError, 1),
        (MODEL, ZeroDivisionError, 2),
        (MODEL, KeyboardInterrupt, 1),
        (MODEL, KeyboardInterrupt, 2),
        (LogisticRegression(), ZeroDivisionError, 1),
        (LogisticRegression(), ZeroDivisionError, 2),
        (LogisticRegression(), KeyboardInterrupt, 1),
    ],
)
def test_the_backend_does_not_outlive_an_error(estimator, error, n_jobs):
    grid = {"alpha": [1e-4]} if estimator is MODEL else {"C": [1]}
    mine, threads = Noting(), threading.enumerate()
    with joblib.parallel_config(mine):
        search = GDGridSearchCV(
            estimator, grid, cv=4, scoring=raising(error), error_score="raise", n_jobs=n_jobs
        )
        with pytest.raises(error):
            search.fit(X, Y)
        assert get_active_backend()[0] is mine
    if estimator is MODEL:  # else the threads are joblib's
        assert set(threading.enumerate()) <= set(threads)
    search.set_params(scoring=None).fit(X, Y)


class Unsplittable(KFold):
    def get_n_splits(self, X=None, y=None, groups=None):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cv": Unsplittable()}, ZeroDivisionError),
        ({"n_jobs": 0}, ValueError),
        ({"n_jobs": "two"}, ValueError),
        ({"cv": [([], [])] * 2, "scoring": "none"}, ValueError),
        ({"param_grid": {"alpha": []}}, ValueError),
    ],
)
def test_the_backend_does_not_outlive_a_search_that_does_not_begin(options, error):
    mine = Noting()
    with joblib.parallel_config(mine):
        with pytest.raises(error):
            GDGridSearchCV(MODEL, GRID).set_params(**options).fit(X, Y)
        assert get_active_backend()[0] is mine


def test_a_worker_that_fails_stops_the_others():
    """The second fold would train for minutes."""
    many = RNG.normal(size=(100_000, 4))
    labels = (many[:, 0] > 0).astype(int)
    splits = [(np.arange(100), np.arange(100, 120)), (np.arange(100_000), np.arange(100))]
    model = GDClassifier("adam", batch_size=32, max_iter=5000, tol=None, random_state=0)
    search = GDGridSearchCV(
        model, GRID, cv=splits, scoring=raising(ZeroDivisionError), error_score="raise", n_jobs=2
    )
    threads, began = threading.enumerate(), time.perf_counter()
    with pytest.raises(ZeroDivisionError):
        search.fit(many, labels)
    assert time.perf_counter() - began < 10
    assert set(threading.enumerate()) <= set(threads)


def test_a_search_is_pickled_as_if_it_had_not_used_a_backend():
    search = GDGridSearchCV(MODEL, GRID, cv=3, n_jobs=2)
    stored = pickle.dumps(search.fit(X, Y))
    assert b"SharingBackend" not in stored
    np.testing.assert_array_equal(pickle.loads(stored).predict(X), search.predict(X))
