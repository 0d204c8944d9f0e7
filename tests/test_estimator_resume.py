"""Resumed training, and results that do not depend on threads and jobs."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification, make_regression
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from helpers.assertions import assert_same_bits, reloaded, state
from helpers.optimizers import SMOOTH_ONLY, Stumbling, batch_size_for
from sk_gd import DivergenceError, GDClassifier, GDRegressor, optimizers

X, TARGET = make_regression(150, 6, n_informative=4, noise=5.0, random_state=0)
LABELS = make_classification(150, 6, n_informative=4, n_classes=3, random_state=0)[1]
K = 3

MAKERS = {
    "regressor": (GDRegressor, TARGET),
    "classifier": (GDClassifier, LABELS),
}
# Settings that need all parts of the state: row order, rule, average, zero coefficients.
SETTINGS = {
    "shuffled": {"batch_size": 16},
    "averaged": {"batch_size": 16, "average": True},
    "averaged later": {"batch_size": 16, "average": K + 1},
    "lasso": {"batch_size": 16, "alpha": 0.05, "l1_ratio": 0.9},
    "decaying": {"batch_size": 16, "schedule": "inverse_time"},
    "full batch, raw": {"batch_size": "full", "precondition": None},
    "whitened": {"batch_size": 16, "precondition": "whiten"},
    "raw penalty": {"batch_size": 16, "scale_penalty": False, "alpha": 0.1},
    "chosen": {"batch_size": "auto"},
}


def make(kind, **parameters):
    return MAKERS[kind][0](**{"random_state": 0, "tol": None, **parameters})


def assert_resumes(kind, data, **parameters):
    """K epochs, a pickle and K more epochs are 2 K epochs, with `fit` and with `partial_fit`."""
    y = MAKERS[kind][1]
    # Schedules depend on the horizon.
    whole = make(kind, max_iter=2 * K, **parameters).fit(data, y)

    halves = make(kind, max_iter=K, warm_start=True, **parameters).fit(data, y)
    assert_same_bits(whole, reloaded(halves).fit(data, y))

    classes = {"classes": np.unique(LABELS)} if kind == "classifier" else {}
    parts = make(kind, max_iter=2 * K, **parameters)
    twin = make(kind, max_iter=2 * K, **parameters)
    for epoch in range(2 * K):
        if epoch == K:
            parts = reloaded(parts)
        parts.partial_fit(data, y, **classes)
        twin.partial_fit(data, y, **classes)
    assert_same_bits(parts, twin)
    return whole, parts


@pytest.mark.filterwarnings("ignore:The objective is:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("optimizer", optimizers.names())
def test_every_optimizer_resumes(optimizer, container):
    kind = "regressor"
    batch_size = batch_size_for(optimizer, 16)
    assert_resumes(kind, container(X), optimizer=optimizer, batch_size=batch_size)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The objective is:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("optimizer", optimizers.names())
def test_every_optimizer_resumes_in_every_setting(optimizer, name):
    settings = SETTINGS[name]
    settings = settings | {"batch_size": batch_size_for(optimizer, settings["batch_size"])}
    if optimizer in SMOOTH_ONLY:
        settings["l1_ratio"] = 0.0
    # In turn: each optimizer, and each setting, has both kinds, with dense and with sparse rows.
    turn = optimizers.names().index(optimizer) + [*SETTINGS].index(name)
    kind, container = [*MAKERS][turn % 2], [np.asarray, sp.csr_array][turn // 2 % 2]
    assert_resumes(kind, container(X), optimizer=optimizer, **settings)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_default_optimizer_resumes_in_every_setting(settings, kind, container):
    assert_resumes(kind, container(X), **settings)


@pytest.mark.parametrize("average", [False, True])
def test_goes_on_from_a_mapped_file(average, tmp_path):
    """The arrays of a memory-mapped model are read-only."""
    model = make("classifier", average=average, max_iter=K).fit(X, LABELS)
    joblib.dump(model, tmp_path / "model")
    twin = joblib.load(tmp_path / "model", mmap_mode="r")
    assert_same_bits(model.partial_fit(X, LABELS), twin.partial_fit(X, LABELS))


def test_early_stopping_resumes():
    """The best weights and the remaining patience are part of the pickle."""
    settings = {"batch_size": 16, "early_stopping": True, "tol": 1e-3, "n_iter_no_change": 50}
    whole = make("regressor", max_iter=2 * K, **settings)
    halves = make("regressor", max_iter=K, warm_start=True, **settings)
    with pytest.warns(UserWarning, match="max_iter"):
        whole.fit(X, TARGET)
        halves = reloaded(halves.fit(X, TARGET)).fit(X, TARGET)
    assert_same_bits(whole, halves)
    assert whole.validation_scores_ == halves.validation_scores_
    assert whole.validation_loss_curve_ == halves.validation_loss_curve_


@pytest.mark.parametrize("how", ["partial_fit", "fit"])
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam"},
        {"optimizer": "adam", "average": True},
        {"optimizer": "schedule_free_adamw"},
        {"optimizer": "adam", "l1_ratio": 0.9, "alpha": 0.1},
        {"optimizer": "auto"},
    ],
    ids=repr,
)
def test_other_data_continue_from_the_best_weights(settings, how):
    """The last weights are not those of the model, which must stay the same function."""
    noise = np.random.default_rng(0).normal(scale=300, size=len(X))
    half = len(X) // 8
    model = make("regressor", max_iter=60, warm_start=True, **{"alpha": 0, **settings})
    model.fit(X[:half], (TARGET + noise)[:half], X_val=X[half:], y_val=TARGET[half:])
    assert np.argmin(model.validation_loss_curve_) < 50
    expected, steps = model.predict(X), model.t_
    model.set_params(learning_rate=1e-12, max_iter=1)
    getattr(model, how)(X[:9], TARGET[:9])
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-7)
    assert model.t_ > steps


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("optimizer", optimizers.names())
def test_partial_fit_is_an_epoch_of_fit(optimizer, kind):
    """Without shuffling; running statistics round differently from those of all data."""
    y = MAKERS[kind][1]
    # An automatic strength falls with the rows of all calls.
    settings = {"optimizer": optimizer, "alpha": 1e-4, "shuffle": False, "learning_rate": 0.01}
    settings["batch_size"] = batch_size_for(optimizer, 25)
    whole = make(kind, max_iter=2 * K, **settings).fit(X, y)
    parts = make(kind, max_iter=2 * K, **settings)
    classes = {"classes": np.unique(LABELS)} if kind == "classifier" else {}
    for _ in range(2 * K):
        parts.partial_fit(X, y, **classes)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(parts.intercept_, whole.intercept_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-7)
    assert (parts.n_iter_, parts.t_) == (whole.n_iter_, whole.t_)


def test_running_statistics_leave_the_model_the_same_function():
    """A different chunk changes all statistics; with a rate near zero, predictions stay."""
    model = make("regressor", optimizer="sgd").partial_fit(X, TARGET)
    before = model.predict(X)
    model.set_params(learning_rate=1e-300).partial_fit(3 * X + 5, 2 * TARGET - 7)
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-11)


class TestReproducible:
    def test_int(self):
        fits = [make("classifier", batch_size=16, max_iter=3).fit(X, LABELS) for _ in range(2)]
        assert_same_bits(*fits)
        other = make("classifier", batch_size=16, max_iter=3, random_state=1).fit(X, LABELS)
        assert not np.array_equal(fits[0].coef_, other.coef_)

    def test_random_state_instance(self):
        def fit(generator):
            model = make("classifier", batch_size=16, max_iter=3, random_state=generator)
            return model.fit(X, LABELS)

        assert_same_bits(fit(np.random.RandomState(5)), fit(np.random.RandomState(5)))
        # A generator that is used again gives other numbers.
        generator = np.random.RandomState(5)
        first, second = fit(generator), fit(generator)
        assert not np.array_equal(first.coef_, second.coef_)

    def test_full_batch_has_no_randomness(self):
        one, other = (make("regressor", random_state=seed, batch_size="full") for seed in (0, None))
        assert_same_bits(one.fit(X, TARGET), other.fit(X, TARGET))


# Large enough for BLAS to use its threads, where it has any.
WIDE, WIDE_TARGET = make_regression(4000, 120, noise=1.0, random_state=0)


@pytest.mark.parametrize("precondition", ["standardize", "whiten", None])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_number_of_threads_changes_nothing(optimizer, precondition):
    settings = {"max_iter": 3, "batch_size": 256, "precondition": precondition}
    model = make("regressor", optimizer=optimizer, **settings)
    fits = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            fits.append(clone(model).fit(WIDE, WIDE_TARGET))
    assert fits[0].learning_rate_ == fits[1].learning_rate_
    assert_same_bits(*fits)


def test_fits_side_by_side_in_threads():
    models = [make("regressor", optimizer=name, max_iter=5) for name in optimizers.names()]
    alone = [clone(model).fit(WIDE, WIDE_TARGET) for model in models]
    with threadpool_limits(limits=2):
        beside = Parallel(n_jobs=2, backend="threading")(
            delayed(clone(model).fit)(WIDE, WIDE_TARGET) for model in models
        )
    for one, other in zip(alone, beside, strict=True):
        assert_same_bits(one, other)


OVERLAPPING = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from threadpoolctl import threadpool_info
from sk_gd import GDRegressor, optimizers

first_in, second_in, first_out = (threading.Event() for _ in range(3))

class First(optimizers.Optimizer):
    def step(self, w, g, lr, state):
        first_in.set()
        assert second_in.wait(60)

class Second(optimizers.Optimizer):
    def step(self, w, g, lr, state):
        second_in.set()
        assert first_out.wait(60)

def fit(optimizer):
    GDRegressor(optimizer, max_iter=1, tol=None, precondition=None).fit(np.eye(3), [1.0, 2.0, 3.0])

def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

before = blas_threads()
with ThreadPoolExecutor(2) as pool:
    first = pool.submit(fit, First())
    assert first_in.wait(60)
    second = pool.submit(fit, Second())
    first.result()
    first_out.set()
    second.result()
    print(before == blas_threads(), max(before, default=1))
"""


def test_overlapping_fits_give_the_blas_threads_back():
    """The first fit to begin is the first to end, in threads that live on; in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", OVERLAPPING], capture_output=True, text=True, check=True
    )
    restored, most = done.stdout.split()
    if most == "1":
        pytest.skip("BLAS has one thread here: there is nothing to give back")
    assert restored == "True"


@pytest.mark.parametrize("n_jobs", [2])
def test_number_of_jobs_changes_nothing(n_jobs):
    search = GridSearchCV(
        make("classifier", batch_size=16, max_iter=4), {"learning_rate": [0.01, 0.1]}, cv=3
    )
    alone = clone(search).fit(X, LABELS)
    beside = clone(search).set_params(n_jobs=n_jobs).fit(X, LABELS)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], beside.cv_results_["mean_test_score"]
    )
    assert_same_bits(alone.best_estimator_, beside.best_estimator_)


def nan_entry(X):
    X = X.copy()
    X[-1, -1] = np.nan
    return X


FAILURES = {
    "NaN": (ValueError, {}, lambda: (nan_entry(X), TARGET)),
    "features": (ValueError, {}, lambda: (X[:, :3], TARGET)),
    "diverging": (
        DivergenceError,
        {"learning_rate": 1e200, "optimizer": "sgd"},
        lambda: (X, TARGET),
    ),
    "outputs": (ValueError, {}, lambda: (X, np.c_[TARGET, TARGET])),
}


@pytest.mark.parametrize("settings", [{}, {"average": True}], ids=["plain", "averaged"])
@pytest.mark.parametrize("error, parameters, data", FAILURES.values(), ids=FAILURES)
def test_failed_partial_fit_leaves_a_usable_model(error, parameters, data, settings):
    model = make("regressor", optimizer="sgd", batch_size=16, **settings).partial_fit(X, TARGET)
    twin = reloaded(model)
    own = model.get_params(deep=False)
    model.set_params(**parameters)
    before = state(model)
    with pytest.raises(error):
        model.partial_fit(*data())
    assert state(model) == before
    model.set_params(**{name: own[name] for name in parameters})
    assert_same_bits(model.partial_fit(X, TARGET), twin.partial_fit(X, TARGET))


def test_unseen_labels_leave_a_usable_model():
    classes = np.unique(LABELS)
    model = make("classifier", batch_size=16).partial_fit(X, LABELS, classes=classes)
    twin, before = reloaded(model), state(model)
    with pytest.raises(ValueError, match="labels"):
        model.partial_fit(X, LABELS + 1)
    assert state(model) == before
    assert_same_bits(model.partial_fit(X, LABELS), twin.partial_fit(X, LABELS))


def test_optimizer_that_raises_midway_leaves_a_usable_model():
    # An epoch has ten steps, so step 13 is in the middle of the second epoch.
    model = make("regressor", optimizer=Stumbling(at=13), batch_size=15, learning_rate=1e-3)
    model.partial_fit(X, TARGET)
    before = state(model)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="stumbled"):
            model.partial_fit(X, TARGET)
        assert state(model) == before
    short = make("regressor", optimizer=Stumbling(at=99), batch_size=15, learning_rate=1e-3)
    short.partial_fit(X, TARGET).partial_fit(X[:30], TARGET[:30])
    assert_same_bits(model.partial_fit(X[:30], TARGET[:30]), short)


def test_failed_fit_leaves_no_attribute_behind():
    model = make("regressor", optimizer="sgd", learning_rate=1e200)
    with pytest.raises(DivergenceError):
        model.fit(X, TARGET)
    assert not [name for name in vars(model) if name.endswith("_")]
    assert_same_bits(
        model.set_params(learning_rate=0.1).fit(X, TARGET),
        make("regressor", optimizer="sgd", learning_rate=0.1).fit(X, TARGET),
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loss", ["huber", "squared_error"])
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
def test_lbfgs_asks_no_more_when_it_is_resumed(precondition, loss):
    """The data are known to be the same, so that nothing is evaluated to find out."""
    X, y = load_diabetes(return_X_y=True)
    settings = {"loss": loss, "precondition": precondition, "tol": None}
    whole = GDRegressor("lbfgs", max_iter=9, **settings).fit(X, y)
    parts = GDRegressor("lbfgs", max_iter=3, warm_start=True, **settings)
    for _ in range(3):
        parts.fit(X, y)
    assert parts.evaluation_curve_ == whole.evaluation_curve_
    np.testing.assert_array_equal(parts.coef_, whole.coef_)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_automatic_rate_of_a_stream_never_grows(optimizer):
    """The rows to come may be as long as the longest so far."""
    model = GDRegressor(optimizer, precondition=None)
    rates = [model.partial_fit(X * unit, TARGET).learning_rate_ for unit in (1, 0.1, 10, 1)]
    assert rates[0] == rates[1] > rates[2] == rates[3]


def test_a_fit_that_goes_on_has_its_patience_again():
    settings = {"learning_rate": 1e-9, "tol": 0.1, "n_iter_no_change": 3, "warm_start": True}
    model = GDRegressor("adam", random_state=0, **settings).fit(X, TARGET)
    assert len(model.loss_curve_) == 4
    assert len(model.fit(X, TARGET).loss_curve_) == 8


def test_a_stream_after_a_fit_with_validation_data_continues_from_the_best_model():
    """Each epoch takes a tenth of the way to one."""
    inputs = np.array([[1.0], [-1.0]])
    model = GDRegressor(
        "sgd",
        alpha=0,
        precondition=None,
        fit_intercept=False,
        learning_rate=0.1,
        max_iter=5,
        tol=None,
    )
    model.fit(inputs, inputs[:, 0], X_val=inputs, y_val=0.2 * inputs[:, 0])
    assert model.coef_[0] == pytest.approx(1 - 0.9**2, rel=1e-12)
    model.partial_fit(inputs, inputs[:, 0])
    assert model.coef_[0] == pytest.approx(1 - 0.9**3, rel=1e-12)
