# cython: language_level=3
"""Threads of a fit: BLAS has one, and those it would have share the long passes over the rows.

Passes are cut by the shape of the data alone, and the sums of the parts are added in their order,
so that the number of threads changes nothing but the time.

The module is compiled, since Ctrl-C may interrupt every function of Python before its first line,
also the one that gives BLAS its threads back.
"""

import concurrent.futures
import contextlib
import os
import threading

import cython
import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

# Entries of X in a part of a pass: to read them takes much longer than to call a thread.
PART = 1 << 19
# More parts than most machines have cores.
MOST_PARTS = 32
# How often it is tried to give BLAS its threads back. A signal interrupts one try.
TRIES = 5


def count_parts(entries):
    """How many parts a pass over so many entries of X has; one if they are few."""
    return max(1, int(min(MOST_PARTS, entries / PART)))


# The build compiles the files that import cython. Nothing else here needs it.
COMPILED = cython.compiled


class _Fit:
    """What a thread that is fitting has: how many threads may work for it, and these threads."""

    def __init__(self):
        self.depth = 0
        self.n_threads = None
        self.pool = None


class _Results:
    """Numbered results, which become known in any order and are taken in that of their numbers."""

    def __init__(self, take):
        self.known, self.take, self.n_taken = {}, take, 0

    def take_those_next(self):
        while self.n_taken in self.known:
            result = self.known.pop(self.n_taken)
            self.n_taken += 1
            if self.take is not None:
                self.take(result)


class _OneBlasThread(contextlib.ContextDecorator):
    """Hold BLAS to one thread as long as any fit is running.

    The products are small: more threads would only wait for each other, and
    change the rounding. Fits in several threads of one process share the setting.
    The first fit makes it, and the last one restores what was there before.

    Meanwhile `share` may use as many threads as BLAS and OpenMP were allowed, and not more than
    there are cores. It uses one while fits run in several threads, and in a thread of joblib.
    """

    def __init__(self):
        self._libraries = None
        self._before = []
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork,
                after_in_parent=self._after_fork,
                after_in_child=self._after_fork_in_child,
            )

    def _begin(self):
        # The thread that has it may fork: in a signal handler, for example.
        self._lock = threading.RLock()
        self._fits = {}  # by the thread that fits

    def _before_fork(self):
        # To look for libraries and to set the threads of BLAS takes locks of the loader and of
        # BLAS. In a process that is forked meanwhile they would never be free again.
        self._lock.acquire()

    def _after_fork(self):
        self._lock.release()

    def _after_fork_in_child(self):
        # Only the thread that forked lives on, without those that worked for it.
        fit = self._fits.get(threading.get_ident())
        others = len(self._fits) > (fit is not None)
        self._begin()
        if fit is not None:
            fit.pool = None
            self._fits[threading.get_ident()] = fit
        elif others and self._libraries is not None:
            self._set_blas(self._before)

    def __enter__(self):
        with self._lock:
            if self._libraries is None:
                found = ThreadpoolController()
                self._libraries = found.select(user_api="blas").lib_controllers
                self._openmp = found.select(user_api="openmp").lib_controllers
            ident, fit = threading.get_ident(), None
            try:
                fit = self._fits.get(ident)
                if fit is None:
                    first, fit = not self._fits, _Fit()
                    if first:
                        self._before = [each.get_num_threads() for each in self._libraries]
                    # Before BLAS is changed: who forks now must know that there is a fit.
                    self._fits[ident] = fit
                    if first:
                        self._set_blas([1] * len(self._libraries))
            except BaseException:
                if fit is not None and fit.depth == 0:
                    self._end(ident, fit)
                raise
            fit.depth += 1

    def __exit__(self, *exception):
        ident = threading.get_ident()
        fit = self._fits[ident]
        fit.depth -= 1
        if fit.depth > 0:
            return
        interrupt = self._end(ident, fit)
        if interrupt is not None:
            raise interrupt
        if fit.pool is not None:
            fit.pool.shutdown()

    def _end(self, ident, fit):
        """Forget the fit of a thread; with the last one BLAS has its threads back.

        Returns what a signal handler raised meanwhile: Ctrl-C, or a limit of time.
        """
        interrupt = None
        for _ in range(TRIES):
            if self._fits.get(ident) is not fit:
                break
            try:
                with self._lock:
                    if len(self._fits) == 1:
                        self._set_blas(self._before)
                    del self._fits[ident]
            except BaseException as error:
                interrupt = error  # again: BLAS must have its threads back first
        return interrupt

    def _set_blas(self, numbers):
        for library, number, before in zip(self._libraries, numbers, self._before, strict=True):
            if before == 1:
                continue  # it has had one thread all the time
            # Newer versions of threadpoolctl let only the thread that set a limit change it.
            # This limit must outlive the thread that came first.
            getattr(library, "_real_set_num_threads", library.set_num_threads)(number)

    def n_threads(self):
        """How many threads may share the work of the fit that runs in this thread."""
        fit = self._fits.get(threading.get_ident())
        if fit is None or len(self._fits) > 1:
            return 1
        if fit.n_threads is None:
            fit.n_threads = self._allowed()
        return fit.n_threads

    def _allowed(self):
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not in_main_thread and get_active_backend()[0].nesting_level > 0:
            return 1
        openmp = [library.get_num_threads() for library in self._openmp]
        return max(1, min(joblib.cpu_count(), *self._before, *openmp))

    def share(self, work):
        """Call `work()` in this thread and in those that help it; returns when all are done.

        Every call takes parts of the work until none are left.
        """
        n_threads = self.n_threads()
        if n_threads == 1:
            work()
            return
        fit = self._fits[threading.get_ident()]
        if fit.pool is None:
            fit.pool = concurrent.futures.ThreadPoolExecutor(n_threads - 1, "sk_gd")
        futures = []
        try:
            # The machine may have a limit: then those that it has must do.
            with contextlib.suppress(RuntimeError):
                for _ in range(n_threads - 1):
                    futures.append(fit.pool.submit(work))
            work()
        finally:
            # A thread that has not begun by now has nothing to do.
            begun = [future for future in futures if not future.cancel()]
            concurrent.futures.wait(begun)
        for future in begun:
            future.result()

    def in_parts(self, function, n, take=None):
        """Call take(function(0)), take(function(1)) and so on, in this order and in this thread.

        The threads share the calls of the function. A result is taken soon after it is there, so
        that not all of them are in memory together.
        """
        numbers, lock, results = iter(range(n)), threading.Lock(), _Results(take)
        caller = threading.get_ident()

        def work():
            while True:
                with lock:
                    k = next(numbers, None)
                if k is None:
                    return
                results.known[k] = function(k)
                if threading.get_ident() == caller:
                    results.take_those_next()

        if n == 1:
            work()
        else:
            self.share(work)
        results.take_those_next()


one_blas_thread = _OneBlasThread()
