"""The searches of sk_gd.dask: folds, rounds, scores and errors, on a cluster of two processes."""

import functools
import operator
import os
import signal
import threading
import time
import types
import uuid
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit
from sklearn.pipeline import make_pipeline

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

import sk_gd  # noqa: E402
from helpers.optimizers import Signum  # noqa: E402
from sk_gd import inspection, optimizers  # noqa: E402
from sk_gd.dask import (  # noqa: E402
    GDClassifier,
    GDGridSearchCV,
    GDRandomizedSearchCV,
    GDRegressor,
)
from sk_gd.dask.folds import Folding  # noqa: E402
from sk_gd.dask.partition import Partition  # noqa: E402
from sk_gd.dask.rounds import FitParts, SharedRounds  # noqa: E402
from sk_gd.estimators.validation import ValidData  # noqa: E402
from sk_gd.exceptions import DivergenceError  # noqa: E402

N, CHUNK = 330, 100
BINARY = make_classification(N, 6, n_informative=4, random_state=0)
CLASSES = make_classification(N, 6, n_informative=4, n_classes=3, random_state=1)
REAL = make_regression(N, 6, noise=20, random_state=2)
OUTPUTS = make_regression(N, 6, n_targets=2, noise=20, random_state=3)
FOLDS = np.random.default_rng(0).integers(-1, 3, N)
WEIGHT = np.random.default_rng(1).integers(0, 4, N).astype(float)
pytestmark = pytest.mark.usefixtures("client")

# Of scikit-learn, about the means of scores.
NOT_FINITE = pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
STRENGTHS = {"alpha": [1e-4, 1e-1, 10.0]}


def chunked(values, rows=CHUNK):
    """A dask array, or for sparse rows a list of delayed parts."""
    if sp.issparse(values):
        return [dask.delayed(values[i : i + rows]) for i in range(0, values.shape[0], rows)]
    return da.from_array(values, chunks=(rows, *values.shape[1:]))


def local_of(estimator):
    """The estimator of sk_gd with the same parameters."""
    kind = getattr(sk_gd, type(estimator).__name__)
    return kind(**{name: getattr(estimator, name) for name in kind._get_param_names()})


def check_same_results(ours, theirs, atol=1e-9):
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    for name, expected in theirs.cv_results_.items():
        if "_test_" in name or "_train_" in name:
            found = ours.cv_results_[name]
            np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=name)


def both(estimator, grid, X, y, weight=None, rows=CHUNK, **more):
    """Search on the cluster and on one machine, and check that the results are the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        folds = chunked(FOLDS, rows)
        if sp.issparse(X):
            folds = [dask.delayed(FOLDS[i : i + rows]) for i in range(0, N, rows)]
        # Every fit begins at zero, as those on a cluster do.
        theirs = GridSearchCV(local_of(estimator), grid, cv=PredefinedSplit(FOLDS), **more)
        theirs.fit(X, y, **({} if weight is None else {"sample_weight": weight}))
        parts = (
            [dask.delayed(y[i : i + rows]) for i in range(0, N, rows)]
            if sp.issparse(X)
            else chunked(y, rows)
        )
        given = None if weight is None else chunked(weight, rows)
        ours = GDGridSearchCV(estimator, grid, cv=folds, **more)
        ours.fit(chunked(X, rows), parts, given)
    check_same_results(ours, theirs)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-9)
    return ours, theirs


def test_strengths_of_a_classifier():
    scores = ["accuracy", "neg_log_loss"]
    ours, theirs = both(
        GDClassifier(tol=1e-9),
        STRENGTHS,
        *BINARY,
        scoring=scores,
        refit="neg_log_loss",
        return_train_score=True,
    )
    assert ours.multimetric_
    assert set(ours.scorer_) == set(theirs.scorer_)
    coef = ours.best_estimator_.coef_
    np.testing.assert_allclose(coef, theirs.best_estimator_.coef_, rtol=1e-6)


@pytest.mark.parametrize("data", [REAL, OUTPUTS], ids=["one", "outputs"])
def test_squared_error(data):
    scoring = {"r2": "r2", "mse": "neg_mean_squared_error", "mae": "neg_mean_absolute_error"}
    both(GDRegressor(), STRENGTHS, *data, scoring=scoring, refit="mse")


def test_lanes_and_losses():
    grid = [
        {
            "optimizer": [optimizers.Nesterov(), optimizers.BarzilaiBorwein()],
            "max_iter": [3, 7],
            "learning_rate": ["auto", 0.1],
            "batch_size": ["full"],
        },
        {
            "loss": ["huber", "squared_error"],
            "optimizer": ["barzilai_borwein"],
            "l1_ratio": [0.0, 0.5],
        },
    ]
    both(GDRegressor(max_iter=12, tol=None), grid, *REAL)


def test_weights_and_balanced_classes():
    model = GDClassifier("nesterov", batch_size="full", max_iter=20, tol=None)
    grid = {"class_weight": [None, "balanced"], "alpha": [1e-4, 1e-1]}
    both(model, grid, *CLASSES, WEIGHT, scoring="neg_log_loss")


def test_sparse_rows():
    X, y = CLASSES
    X = sp.csr_array(np.where(np.abs(X) > 0.7, X, 0))
    both(GDClassifier("adgd", max_iter=20, tol=None), STRENGTHS, X, y, scoring="neg_log_loss")


@pytest.mark.parametrize("rows", [N, 41])
def test_other_partitions(rows):
    both(GDClassifier(tol=1e-9), STRENGTHS, *BINARY, rows=rows, scoring="neg_log_loss")


def test_sorted_partitions_of_different_types():
    """A partition without rows of some folds, another of a narrower type."""
    X, y = BINARY
    order = np.argsort(FOLDS, kind="stable")
    parts = [X[order[:100]].astype(np.float32), X[order[100:]]]
    X, y, folds = np.vstack(parts), y[order], FOLDS[order]
    ours = GDGridSearchCV(
        GDClassifier(tol=1e-9),
        STRENGTHS,
        scoring="neg_log_loss",
        cv=[dask.delayed(folds[:100]), dask.delayed(folds[100:])],
    ).fit([dask.delayed(part) for part in parts], [dask.delayed(y[:100]), dask.delayed(y[100:])])
    theirs = GridSearchCV(
        sk_gd.GDClassifier(tol=1e-9), STRENGTHS, scoring="neg_log_loss", cv=PredefinedSplit(folds)
    ).fit(X, y)
    check_same_results(ours, theirs)


def test_the_same_bits_whether_partitions_are_kept(client):
    X, y = (chunked(each) for each in BINARY)
    found = []
    for persist in (True, False, True):
        model = GDClassifier(persist=persist, client=client)
        search = GDGridSearchCV(model, STRENGTHS, cv=3, scoring="neg_log_loss").fit(X, y)
        assert search.best_estimator_.client is client
        assert search.best_estimator_.persist is persist
        found.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_fits_in_the_same_coordinates_are_evaluated_together(monkeypatch):
    """From the first round: apart, their sums would have another rounding."""
    names, plain = [], uuid.uuid4

    def slowly():
        time.sleep(0.05)  # threads that make a name at the same time make one each
        names.append(plain())
        return names[-1]

    monkeypatch.setattr("sk_gd.dask.problem.uuid", types.SimpleNamespace(uuid4=slowly))
    grid = {"alpha": [1e-4, 1e-3, 1e-2, 1e-1]}
    X, y = (chunked(each) for each in BINARY)
    GDGridSearchCV(GDClassifier(), grid, cv=3, refit=False).fit(X, y)
    assert len(names) == 3


def test_as_many_rounds_as_the_slowest_fit():
    X, y = (chunked(each) for each in BINARY)
    strengths = np.geomspace(1e-6, 1, 3).tolist()

    def rounds(alpha, folds):
        search = GDGridSearchCV(GDClassifier(), {"alpha": alpha}, cv=chunked(folds), refit=False)
        return search.fit(X, y).n_rounds_

    alone = [
        rounds([alpha], np.where(FOLDS == fold, 0, -1)) for alpha in strengths for fold in range(3)
    ]
    assert min(alone) < max(alone)
    assert rounds(strengths, FOLDS) == max(alone)


def test_early_stopping_holds_out_rows_of_each_fold():
    X, y = (chunked(each) for each in BINARY)
    model = GDClassifier(early_stopping=True, random_state=0)
    found = [
        GDGridSearchCV(clone(model), STRENGTHS, cv=3).fit(X, y).cv_results_["mean_test_score"]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*found)
    assert found[0].min() > 0.6


def test_a_worker_that_dies(client, monkeypatch):
    """Dask makes again what the worker held; the results are the same to the bit."""
    X, y = (chunked(each) for each in BINARY)
    search = GDGridSearchCV(GDClassifier(), STRENGTHS, cv=3, scoring="neg_log_loss", refit=False)
    expected = search.fit(X, y).cv_results_["mean_test_score"]
    assert search.n_rounds_ > 8
    killed = []
    answer = SharedRounds._round

    def kill_and_answer(rounds, questions):
        if rounds.n_rounds == 8:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)
        return answer(rounds, questions)

    monkeypatch.setattr(SharedRounds, "_round", kill_and_answer)
    found = search.fit(X, y).cv_results_["mean_test_score"]
    client.wait_for_workers(2)
    assert killed
    np.testing.assert_array_equal(found, expected)


# Folds by numbers.


def parts_of(X, y, rows):
    return [
        Partition(k, ValidData(X[i : i + rows], y[i : i + rows]))
        for k, i in enumerate(range(0, len(y), rows))
    ]


def test_a_number_of_folds():
    """The folds are those that `Folding` draws, and the results those of one machine."""
    X, y = CLASSES
    folding = Folding(tuple(range(4)), 3, stratified=True)
    folds = np.concatenate([folding.tested_by(part) for part in parts_of(X, y, CHUNK)])
    model = GDClassifier("nesterov", batch_size="full", max_iter=10, tol=None)
    ours = GDGridSearchCV(model, STRENGTHS, cv=4, fold_seed=3).fit(chunked(X), chunked(y))
    theirs = sk_gd.GDGridSearchCV(local_of(model), STRENGTHS, cv=PredefinedSplit(folds)).fit(X, y)
    assert ours.n_splits_ == 4
    check_same_results(ours, theirs)


def test_folds_have_equal_shares_of_every_class():
    X, y = CLASSES
    (part, *_) = parts_of(X, y, CHUNK)
    for stratified in (False, True):
        folding = Folding(tuple(range(4)), 0, stratified)
        folds = folding.tested_by(part)
        np.testing.assert_array_equal(folds, folding.tested_by(part))
        assert np.bincount(folds).tolist() == [25] * 4
        assert not np.array_equal(folds, folding._replace(seed=1).tested_by(part))
        counts = np.array([np.bincount(folds[part.given.y == label]) for label in range(3)])
        assert (np.ptp(counts, axis=1).max() <= 1) == stratified


def test_folds_of_small_partitions():
    X, y = REAL
    folding = Folding(tuple(range(5)), 0, stratified=False)
    folds = np.concatenate([folding.tested_by(part) for part in parts_of(X, y, 1)])
    assert np.bincount(folds).min() > 40


# The best candidate.


def test_the_best_model():
    X, y = (chunked(each) for each in BINARY)
    search = GDGridSearchCV(GDClassifier(), STRENGTHS, cv=3, scoring="neg_log_loss").fit(X, y)
    expected = GDClassifier(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.best_estimator_.coef_, expected.coef_)
    assert isinstance(search.predict(X), da.Array)
    np.testing.assert_array_equal(search.classes_, [0, 1])
    in_memory = search.score(*BINARY)
    assert search.score(X, y) == pytest.approx(in_memory, abs=1e-12)
    assert search.refit_time_ > 0


def test_without_the_best_model():
    X, y = (chunked(each) for each in BINARY)
    search = GDGridSearchCV(GDClassifier(), STRENGTHS, cv=2, refit=False).fit(X, y)
    assert not hasattr(search, "best_estimator_")
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]


def test_frames():
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    X, y = BINARY
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(y=y, fold=FOLDS)
    frame = dd.from_pandas(frame, npartitions=3)
    ours = GDGridSearchCV(GDClassifier(tol=1e-9), STRENGTHS, cv=frame["fold"])
    ours.fit(frame[list("abcdef")], frame["y"])
    theirs = sk_gd.GDGridSearchCV(
        sk_gd.GDClassifier(tol=1e-9), STRENGTHS, cv=PredefinedSplit(FOLDS)
    ).fit(X, y)
    check_same_results(ours, theirs)
    assert list(ours.feature_names_in_) == list("abcdef")


def test_candidates_at_random():
    X, y = (chunked(each) for each in BINARY)
    distributions = {"alpha": loguniform(1e-5, 1)}
    search = GDRandomizedSearchCV(GDClassifier(), distributions, n_iter=4, random_state=0, cv=2)
    theirs = sk_gd.GDRandomizedSearchCV(
        sk_gd.GDClassifier(), distributions, n_iter=4, random_state=0, cv=2
    ).fit(*BINARY)
    assert search.fit(X, y).cv_results_["params"] == theirs.cv_results_["params"]


@NOT_FINITE
def test_a_heat_map():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    X, y = (chunked(each) for each in BINARY)
    model = GDClassifier("sgd", batch_size="full", tol=None, loss="squared_hinge")
    grid = {"learning_rate": [0.01, 0.1, 1e6], "max_iter": [30, 60]}
    with pytest.warns(FitFailedWarning):
        search = GDGridSearchCV(model, grid, cv=2).fit(X, y)
    display = inspection.SearchDisplay.from_search(search)
    assert sorted(np.isnan(display.scores).sum(axis=1)) == [0, 0, 2]


def test_progress(capsys):
    X, y = (chunked(each) for each in BINARY)
    search = GDGridSearchCV(GDClassifier(), STRENGTHS, cv=2, verbose=1, refit=False).fit(X, y)
    out = capsys.readouterr().out
    assert "2 folds for each of 3 candidates, totalling 6 fits" in out
    assert f"{search.n_rounds_} rounds" in out


# Candidates that fail.


@NOT_FINITE
def test_a_candidate_that_diverges():
    X, y = (chunked(each) for each in BINARY)
    model = GDClassifier("sgd", batch_size="full", max_iter=30, tol=None, loss="squared_hinge")
    grid = {"learning_rate": [0.01, 1e6]}
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        search = GDGridSearchCV(model, grid, cv=2).fit(X, y)
    alone = GDGridSearchCV(model, {"learning_rate": [0.01]}, cv=2).fit(X, y)
    means = search.cv_results_["mean_test_score"]
    assert means[0] == alone.best_score_
    assert np.isnan(means[1])
    with pytest.raises(DivergenceError):
        GDGridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)


@NOT_FINITE
def test_a_fold_without_a_class():
    X, y = BINARY
    folds = np.where(y == 1, 0, FOLDS % 3)
    with pytest.warns(FitFailedWarning, match="at least two classes"):
        search = GDGridSearchCV(GDClassifier(), STRENGTHS, cv=chunked(folds), refit=False).fit(
            chunked(X), chunked(y)
        )
    assert np.isnan(search.cv_results_["split0_test_score"]).all()
    assert np.isfinite(search.cv_results_["split1_test_score"]).all()


@NOT_FINITE
def test_a_combination_that_is_not_allowed():
    X, y = (chunked(each) for each in BINARY)
    grid = {
        "optimizer": ["lbfgs", "barzilai_borwein"],
        "l1_ratio": [0.0, 0.5],
        "batch_size": ["full"],
    }
    with pytest.warns(FitFailedWarning, match="L1 penalty"):
        search = GDGridSearchCV(GDClassifier(), grid, cv=2, refit=False).fit(X, y)
    failed = [
        params["optimizer"] == "lbfgs" and params["l1_ratio"] > 0
        for params in search.cv_results_["params"]
    ]
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), failed)


@NOT_FINITE
def test_a_rule_that_raises():
    class Broken(Signum):
        def step(self, w, g, lr, state):
            if self.momentum == 0.5:
                raise RuntimeError("no more")
            super().step(w, g, lr, state)

    X, y = (chunked(each) for each in BINARY)
    grid = {"optimizer": [Broken()], "optimizer__momentum": [0.5, 0.9], "batch_size": ["full"]}
    with pytest.warns(FitFailedWarning, match="no more"):
        search = GDGridSearchCV(GDClassifier(max_iter=5, tol=None), grid, cv=2, refit=False).fit(
            X, y
        )
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), [True, False])


def test_mini_batches_are_refused():
    X, y = (chunked(each) for each in BINARY)
    with pytest.raises(ValueError, match="every step reads all rows"):
        GDGridSearchCV(GDClassifier("adam"), STRENGTHS, cv=2).fit(X, y)


@NOT_FINITE
def test_a_score_that_fails():
    X, y = (chunked(each) for each in BINARY)
    model = GDClassifier(loss="squared_hinge")
    with pytest.warns(UserWarning, match="Scoring failed"):
        search = GDGridSearchCV(model, STRENGTHS, cv=2, scoring="neg_log_loss", refit=False)
        search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).all()


def test_candidates_that_do_not_settle_warn_unless_they_were_told(recwarn):
    X, y = (chunked(each) for each in BINARY)
    model = GDClassifier(tol=1e-12)
    GDGridSearchCV(model, {"max_iter": [2, 3]}, cv=2, refit=False).fit(X, y)
    assert not [each for each in recwarn if each.category is ConvergenceWarning]
    with pytest.warns(ConvergenceWarning):
        GDGridSearchCV(GDClassifier(tol=1e-12, max_iter=2), STRENGTHS, cv=2, refit=False).fit(X, y)


@pytest.mark.parametrize(
    ("estimator", "parameters", "words"),
    [
        (sk_gd.GDClassifier(), {}, "of sk_gd.dask. Got GDClassifier of sk_gd"),
        (make_pipeline(GDClassifier()), {}, "Got Pipeline"),
        (GDClassifier(verbose=1), {}, "verbose=1 of GDClassifier reports every fit"),
        (GDClassifier(), {"scoring": "roc_auc"}, "a sum over the rows.*'roc_auc'"),
        (GDClassifier(), {"scoring": lambda *given: 0}, "a sum over the rows"),
        (GDClassifier(), {"cv": 1}, "cv must be at least 2. Got 1"),
        (GDClassifier(), {"cv": KFold()}, "a number of folds, or .*Got KFold"),
        (GDClassifier(), {"cv": FOLDS + 0.5}, "In partition 0: cv must have integers"),
        (GDClassifier(), {"cv": FOLDS[:-1]}, "cv must have as many rows as X"),
        (GDClassifier(), {"cv": FOLDS - 5}, "or -1 for rows that always train"),
        (GDClassifier(), {"cv": 0 * FOLDS - 1}, "Got -1 for all rows"),
        (GDClassifier(), {"fold_seed": -1}, "fold_seed"),
        (GDClassifier(), {"cv": [dask.delayed(FOLDS[:9])] * 4}, "cv must have a number for every"),
    ],
)
def test_bad_input(estimator, parameters, words):
    X, y = (chunked(each) for each in BINARY)
    with pytest.raises((TypeError, ValueError), match=words):
        GDGridSearchCV(estimator, STRENGTHS, **parameters).fit(X, y)


def test_bad_rows():
    X, y = BINARY
    X = X.copy()
    X[CHUNK + 1, 0] = np.nan
    with pytest.raises(ValueError, match="In partition 1"):
        GDGridSearchCV(GDClassifier(), STRENGTHS).fit(chunked(X), chunked(y))


def test_clones():
    search = GDGridSearchCV(GDClassifier(alpha=0.1), STRENGTHS, cv=3, fold_seed=7)
    again = clone(search)
    assert again.fold_seed == 7
    assert again.estimator.alpha == 0.1


# Rounds.


class InMemory:
    """Stands for `Partitions`."""

    def __init__(self, parts):
        self.parts = parts

    def __len__(self):
        return len(self.parts)

    def merged(self, function, merge, questions, *, places, size):
        answers = [function(self.parts[k], questions[k]) for k in places]
        return functools.reduce(merge, answers)

    def then(self, function, questions):
        return InMemory([function(part, questions[k]) for k, part in enumerate(self.parts)])


def times(part, factor):
    if factor == 0:
        raise ZeroDivisionError("nothing is left")
    return part * factor


def shared(work, n=4, cls=InMemory):
    """Run `work(parts, fit)` for each of `n` fits."""
    rounds = SharedRounds()
    parts = cls([[10 * k + fit for fit in range(n)] for k in range(3)])
    works = [functools.partial(work, FitParts(rounds, parts, fit), fit) for fit in range(n)]
    return rounds, lambda: rounds.run(works)


def test_fits_of_different_length_share_their_rounds():
    def work(parts, fit):
        for _ in range(fit):
            parts.merged(times, operator.add, 1)
        return parts.ask(times, 2, places=[0, 2]), parts.merged(times, operator.add, 1)

    rounds, run = shared(work)
    assert run() == [([2 * fit, 40 + 2 * fit], 30 + 3 * fit) for fit in range(4)]
    assert rounds.n_rounds == 3 + 2


def test_an_error_is_that_of_one_fit():
    def work(parts, fit):
        try:
            parts = parts.then(times, fit)
            return sum(parts.ask(times, 1))
        except ZeroDivisionError as error:
            return str(error)

    rounds, run = shared(work)
    assert run() == ["nothing is left", 33, 2 * (30 + 6), 3 * (30 + 9)]
    assert rounds.n_rounds == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_round_that_fails_ends_all_fits(error):
    class Failing(InMemory):
        def merged(self, *arguments, **more):
            raise error

    def work(parts, fit):
        if fit == 0:
            parts.then(times, 1)
        while True:
            try:
                parts.ask(times, 1)
            except Exception:
                pytest.fail("an error that a fit may take for its own")

    before = threading.active_count()
    _, run = shared(work, cls=Failing)
    with pytest.raises(error):
        run()
    assert threading.active_count() == before
