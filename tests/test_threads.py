"""Threads that share long passes: the same bits for any number, and nothing left behind."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_info, threadpool_limits

from helpers.project import ROOT
from helpers.runs import Moments, one_blas_thread, small_parts, use_threads
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor
from sk_gd.losses import Loss

N, D = 2000, 7


@pytest.fixture(autouse=True)
def many_parts(monkeypatch):
    """Cut even these small data into parts."""
    small_parts(monkeypatch, entries=1000)


def table(rng, dtype=float, *, sparse=False):
    """Features, and a target with noise."""
    X = rng.standard_normal((N, D)) + 3
    if sparse:
        X[rng.random((N, D)) < 0.6] = 0
    y = X @ rng.standard_normal(D) + rng.standard_normal(N)
    return sp.csr_matrix(X.astype(dtype)) if sparse else X.astype(dtype), y


def bits(model):
    """The fitted numbers of a model, to the last bit."""
    curve = np.array(model.loss_curve_).tobytes()
    return model.coef_.tobytes(), np.asarray(model.intercept_).tobytes(), curve


def with_threads(monkeypatch, number, fit):
    """The model that `fit()` gives with that many threads, and the threads that worked for it."""
    with monkeypatch.context() as patch:
        threads = use_threads(patch, number)
        return fit(), set(threads)


def assert_same_bits(monkeypatch, fit):
    """Assert that `fit()` gives the same model with one thread and with several."""
    one, threads = with_threads(monkeypatch, 1, fit)
    assert threads <= {"MainThread"}
    for number in (2, 3, 8):
        other, threads = with_threads(monkeypatch, number, fit)
        assert len(threads) == number
        assert bits(other) == bits(one)


FITS = {
    "binary": lambda X, y: GDClassifier("adam", **FULL).fit(X, y > np.median(y)),
    "softmax": lambda X, y: GDClassifier("adam", **FULL).fit(
        X, np.digitize(y, np.quantile(y, [0.3, 0.7]))
    ),
    "lbfgs": lambda X, y: GDClassifier(max_iter=9, tol=None).fit(X, y > np.median(y)),
    "raw": lambda X, y: GDRegressor("adam", loss="huber", precondition=None, **FULL).fit(X, y),
    "outputs": lambda X, y: GDRegressor("nesterov", loss="huber", **FULL).fit(X, np.c_[y, y**2]),
    "line search": lambda X, y: GDRegressor("armijo", loss="huber", **FULL).fit(X, y),
    "weights": lambda X, y: GDRegressor("adam", loss="huber", **FULL).fit(X, y, np.arange(N) % 4),
    "large batches": lambda X, y: GDRegressor(
        "adam", batch_size=901, max_iter=3, tol=None, random_state=0
    ).fit(X, y),
    "early stopping": lambda X, y: GDRegressor(
        "adam", loss="huber", early_stopping=True, random_state=0, **FULL
    ).fit(X, y),
}
FULL = {"batch_size": "full", "max_iter": 4, "tol": None}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", FITS)
def test_any_number_of_threads_gives_the_same_bits(name, sparse, dtype, monkeypatch):
    X, y = table(np.random.default_rng(0), dtype, sparse=sparse)
    assert_same_bits(monkeypatch, lambda: FITS[name](X, y))


def test_lanes_of_a_search_have_the_same_bits(monkeypatch):
    X, y = table(np.random.default_rng(0))
    grid = {"learning_rate": [0.01, 0.1, 1.0]}

    def fit():
        search = GDGridSearchCV(GDRegressor("adam", loss="huber", **FULL), grid, cv=3, refit=True)
        search.fit(X, y)
        return search.best_estimator_

    assert_same_bits(monkeypatch, fit)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", FITS)
def test_parts_only_change_the_rounding(name, sparse, monkeypatch):
    X, y = table(np.random.default_rng(0), sparse=sparse)
    in_parts = FITS[name](X, y)
    small_parts(monkeypatch, entries=10**9)
    whole = FITS[name](X, y)
    size = np.max(np.abs(whole.coef_))
    np.testing.assert_allclose(in_parts.coef_, whole.coef_, rtol=0, atol=1e-10 * size)
    np.testing.assert_allclose(in_parts.loss_curve_, whole.loss_curve_, rtol=1e-12)


def n_threads():
    """How many threads may share a pass of a fit that runs here."""
    with one_blas_thread:
        return one_blas_thread.n_threads()


def test_as_many_threads_as_blas_and_openmp_may_have_and_cores_are_there():
    with threadpool_limits(1):
        assert n_threads() == 1
    with threadpool_limits(1, user_api="openmp"):
        assert n_threads() == 1
    with threadpool_limits(64):
        assert n_threads() == joblib.cpu_count()
    assert one_blas_thread.n_threads() == 1  # no fit is running


def test_one_thread_while_two_threads_fit():
    inside, leave = threading.Event(), threading.Event()

    def fit():
        with one_blas_thread:
            inside.set()
            leave.wait(60)

    other = threading.Thread(target=fit)
    with threadpool_limits(64), one_blas_thread, one_blas_thread:
        assert one_blas_thread.n_threads() == joblib.cpu_count()
        other.start()
        inside.wait(60)
        assert one_blas_thread.n_threads() == 1
        leave.set()
        other.join()
        assert one_blas_thread.n_threads() == joblib.cpu_count()


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_use_their_share(backend):
    share = 1 if backend == "threading" else joblib.cpu_count() // 2
    with joblib.parallel_config(backend, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(n_threads)() for _ in range(3))
    assert found == [max(1, share)] * 3


def test_fits_in_workers_of_joblib_have_the_same_bits(monkeypatch):
    X, y = table(np.random.default_rng(0))
    alone = bits(FITS["binary"](X, y))
    fits = [joblib.delayed(FITS["binary"])(X, y) for _ in range(3)]
    found = joblib.Parallel(2, "threading")(fits)
    assert [bits(model) for model in found] == [alone] * 3


class OwnSquare(Loss):
    """Half the squared error, by a method that must not be called by two threads at once."""

    kinds = ("regressor",)

    def __init__(self, fails_at=None):
        self.fails_at = fails_at

    def value(self, y, p):
        assert threading.current_thread() is threading.main_thread()
        if np.any(p == self.fails_at):
            raise OverflowError("a mistake of the user")
        return 0.5 * (y - p) ** 2

    def gradient(self, y, p):
        return p - y


def test_a_loss_in_python_is_called_by_one_thread(monkeypatch):
    X, y = table(np.random.default_rng(0))

    def fit(loss):
        return GDRegressor("adam", loss=loss, **FULL).fit(X, y)

    model, threads = with_threads(monkeypatch, 3, lambda: fit(OwnSquare()))
    np.testing.assert_allclose(model.loss_curve_[0], fit("squared_error").loss_curve_[0])
    with pytest.raises(OverflowError, match="a mistake of the user"):
        GDRegressor("adam", loss=OwnSquare(fails_at=0.0), precondition=None, **FULL).fit(X, y)


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_results_are_taken_in_their_order_and_not_kept(n_threads, monkeypatch):
    kept, most, taken = set(), [], []

    class Result:
        def __init__(self, k):
            self.k = k
            kept.add(k)
            most.append(len(kept))

        def __del__(self):
            kept.discard(self.k)

    def take(result):
        taken.append((result.k, threading.get_ident()))

    use_threads(monkeypatch, n_threads)
    with one_blas_thread:
        one_blas_thread.in_parts(Result, 40, take)
    assert taken == [(k, threading.get_ident()) for k in range(40)]
    assert not kept
    assert n_threads > 1 or max(most) == 1


def test_what_is_called_in_parts_is_forgotten():
    """Arrays that it holds must not wait for the garbage collector."""

    def part(k):
        return k

    one_blas_thread.in_parts(part, 3)
    one_blas_thread.in_parts(part, 1)
    known = weakref.ref(part)
    gc.disable()
    try:
        del part
        assert known() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("in_main", [False, True], ids=["in another", "in the thread of the fit"])
def test_an_error_in_a_thread_is_raised_when_all_have_stopped(in_main, monkeypatch):
    use_threads(monkeypatch, 3)
    ended, before = [], threading.active_count()

    def work():
        if (threading.current_thread() is threading.main_thread()) == in_main:
            raise KeyboardInterrupt
        time.sleep(0.01)
        ended.append(1)

    def fit():
        with one_blas_thread:
            try:
                one_blas_thread.share(work)
            finally:
                ended.append("all")

    with pytest.raises(KeyboardInterrupt):
        fit()
    assert ended == ([1, 1, "all"] if in_main else [1, "all"])
    assert threading.active_count() == before


def test_a_fit_leaves_no_threads(monkeypatch):
    X, y = table(np.random.default_rng(0))
    before = threading.active_count()
    _, threads = with_threads(monkeypatch, 3, lambda: FITS["binary"](X, y))
    assert len(threads) == 3
    assert threading.active_count() == before


def in_a_fork(function):
    """The exit code of a forked process that calls the function."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = function()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("during", [True, False], ids=["during a fit", "after a fit"])
def test_a_fork_can_fit(during, monkeypatch):
    X, y = table(np.random.default_rng(0))
    use_threads(monkeypatch, 3)
    expected, codes = bits(FITS["binary"](X, y)), []

    def fits():
        return 0 if bits(FITS["binary"](X, y)) == expected else 2

    class Forks(OwnSquare):
        def units(self, targets):
            codes.append(in_a_fork(fits))
            return super().units(targets)

    if during:
        GDRegressor("adam", loss=Forks(), **FULL).fit(X, y)
    else:
        codes.append(in_a_fork(fits))
    assert codes and not any(codes)
    assert bits(FITS["binary"](X, y)) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_beside_a_fit_has_the_blas_threads_back():
    def blas_threads():
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    before = blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def fit():
        with one_blas_thread:
            inside.set()
            leave.wait(60)

    other = threading.Thread(target=fit)
    other.start()
    inside.wait(60)
    code = in_a_fork(lambda: 0 if blas_threads() == before and n_threads() >= 1 else 2)
    leave.set()
    other.join()
    assert code == 0


FORKS = """
import os, signal, sys, threading, warnings
import numpy as np
from sk_gd import GDClassifier
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.standard_normal((300, 5))
y = X[:, 0] > 0
stop = threading.Event()
def fits():
    while not stop.is_set():
        GDClassifier(max_iter=3).fit(X, y)
threads = [threading.Thread(target=fits) for _ in range(2)]
for each in threads:
    each.start()
hung = 0
for _ in range(25):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        GDClassifier(max_iter=3).fit(X, y)
        os._exit(0)
    hung += os.waitpid(child, 0)[1] != 0
stop.set()
for each in threads:
    each.join()
sys.exit(hung)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_while_other_threads_fit():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], check=True, timeout=300)


def test_a_machine_that_has_no_more_threads(monkeypatch):
    """The thread of the fit does the work alone."""
    monkeypatch.setattr(type(one_blas_thread), "n_threads", lambda self: 3)

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    found = []
    with one_blas_thread:
        one_blas_thread.in_parts(np.square, 10, found.append)
    assert found == [k * k for k in range(10)]


FORK_DURING_SEARCH = """
import os, sys, threading, time
import sk_gd.threads
searches = threading.Event()
class Controller(sk_gd.threads.ThreadpoolController):
    def __init__(self):
        searches.set()
        time.sleep(0.5)
        super().__init__()
        searches.clear()
sk_gd.threads.ThreadpoolController = Controller
def enter():
    with sk_gd.threads.one_blas_thread:
        pass
thread = threading.Thread(target=enter)
thread.start()
searches.wait()
child = os.fork()
if child == 0:
    os._exit(searches.is_set())
thread.join()
sys.exit(os.waitpid(child, 0)[1] != 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_waits_for_the_search_for_libraries():
    """Otherwise the loader would be locked in the new process for ever."""
    run = [sys.executable, "-W", "ignore", "-c", FORK_DURING_SEARCH]
    subprocess.run(run, check=True, timeout=60)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_interrupt_leaves_blas_its_threads(at, raised, monkeypatch):
    """Ctrl-C, or a signal of another kind, while the threads of BLAS are set: in or out."""
    calls, numbers = [], []

    def interrupted(self, wanted):
        calls.append(wanted)
        numbers[:] = wanted
        if len(calls) == at:
            raise raised

    monkeypatch.setattr(type(one_blas_thread), "_set_blas", interrupted)
    for _ in range(2):
        with contextlib.suppress(raised), one_blas_thread:
            pass
        assert numbers == one_blas_thread._before
        assert not one_blas_thread._fits


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_fits_in_many_threads_and_their_memory():
    """Some of the fits of ``benchmarks/threads.py``."""
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
    script += "import threads; print(threads.measured(150, 300))"
    run = [sys.executable, "-c", script]
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    different, grown, traced = eval(found)
    assert different == 0
    assert grown < 10_000_000 and traced < 200_000


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("full", [False, True])
def test_moments_have_the_same_bits(full, dtype, monkeypatch):
    X, y = table(np.random.default_rng(0), dtype)
    X[:, 1] = 0.1
    weight, rows = np.arange(N) % 3.0, np.arange(0, N, 2)

    def moments():
        with one_blas_thread:
            return Moments(full).update(X, weight, rows, y[:, None])

    one, _ = with_threads(monkeypatch, 1, moments)
    for number in (2, 3, 8):
        other, threads = with_threads(monkeypatch, number, moments)
        assert len(threads) == number
        for name in ("total", "mean", "scatter", "filled"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.is_constant().tolist() == [False, True] + [False] * (D - 1)


SIGNAL = """
import signal, time, numpy as np
from sk_gd import GDRegressor
from sk_gd.optimizers import RandomSearch
X = np.random.default_rng(0).standard_normal((200_000, 4))
def ended(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, ended)
signal.setitimer(signal.ITIMER_REAL, 1.0)
search = RandomSearch(n_candidates=10**8)
model = GDRegressor(search, loss="huber", batch_size="full", max_iter=1, tol=None)
try:
    model.fit(X, X[:, 0])
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_an_interrupt_need_not_wait_for_the_end_of_an_epoch():
    """A step of 10⁸ evaluations would take days."""
    run = [sys.executable, "-W", "ignore", "-c", SIGNAL]
    assert "interrupted" in subprocess.run(run, capture_output=True, text=True, timeout=60).stdout
