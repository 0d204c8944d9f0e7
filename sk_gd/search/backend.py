"""A joblib backend that receives all fits of a search, and shares those that can be shared."""

import contextlib

import joblib
from joblib.parallel import FallbackToBackend, ParallelBackendBase, get_active_backend

from .sharing import SharedFits
from .sklearn_private import FitCall, is_fit_of, with_indices

# More calls than a search makes.
ALL = 1_000_000


@contextlib.contextmanager
def sharing_fits_of(search):
    """Have joblib hand the fits of a search to a `SharingBackend` in this context."""
    backend = SharingBackend(search)
    try:
        backend.enter()
        yield
    finally:
        backend.leave()


class SharingBackend(ParallelBackendBase):
    """Receives the fits of one search.

    It is the active backend until the search opens its `Parallel`. Then the user's
    configuration of joblib becomes active again. Transformers, scorers, fits that cannot
    be shared and the final fit run as they would without this backend.

    Parameters
    ----------
    search : BaseSearchCV
        The search.
    """

    uses_threads = True
    # Else joblib uses its threads in place of this backend if a user requires shared memory.
    supports_sharedmem = True

    def __init__(self, search):
        super().__init__()
        self._search = search
        self._user_backend, _ = get_active_backend()
        self.default_n_jobs = self._user_backend.default_n_jobs
        self._config = None

    def enter(self):
        """Become the active backend of this thread."""
        self._config = joblib.parallel_config(backend=self)

    def leave(self):
        """Make the configuration of the user the active one again."""
        if self._config is not None:
            self._config.unregister()
            self._config = None

    def effective_n_jobs(self, n_jobs):
        """Return how many fits run at a time, but at least 2: joblib runs a single one itself."""
        return max(2, self._user_backend.effective_n_jobs(n_jobs))

    def configure(self, n_jobs=1, parallel=None, **options):
        """Take over the `Parallel` of the search, and no other one."""
        # scikit-learn hands on the `pre_dispatch` of the search. Any other Parallel, which a
        # callback may use before, runs as it would without this backend.
        if parallel.pre_dispatch is not self._search.pre_dispatch:
            raise FallbackToBackend(self._user_backend)
        self.leave()
        self._n_jobs = parallel.n_jobs
        # All fits must be known before the first one runs.
        parallel.pre_dispatch = "all"
        # The Parallel that runs the other fits reports them.
        parallel.verbose = 0
        return self.effective_n_jobs(n_jobs)

    def compute_batch_size(self):
        """Return how many calls are submitted at a time."""
        return ALL

    def start_call(self):
        """Begin a new list of calls."""
        self._calls, self._results = [], None

    def stop_call(self):
        """Forget the calls and their results."""
        self._calls, self._results = [], None

    def submit(self, func, callback=None):
        """Note a batch of calls; they run when the first result is asked for."""
        begin = len(self._calls)
        self._calls += func.items
        return _Batch(self, slice(begin, len(self._calls)), callback)

    apply_async = submit  # its name before joblib 1.5

    def results(self):
        """Return the results of all calls."""
        if self._results is None:
            self._results = self._run(self._calls)
        return self._results

    def _run(self, calls):
        results = [None] * len(calls)
        if all(is_fit_of(self._search, function, options) for function, _, options in calls):
            fits = SharedFits([FitCall(arguments, options) for _, arguments, options in calls])
            n_jobs = joblib.effective_n_jobs(self._n_jobs)
            results = fits.run(n_jobs, self.get_nested_backend)
        alone = [i for i, result in enumerate(results) if result is None]
        if alone:
            parallel = joblib.Parallel(n_jobs=self._n_jobs, pre_dispatch=self._search.pre_dispatch)
            done = parallel(_with_indices(*calls[i]) for i in alone)
            for i, result in zip(alone, done, strict=True):
                results[i] = result
        return results


class _Batch:
    """Calls that joblib has submitted together; it gets their results from here."""

    def __init__(self, backend, calls, callback):
        self._backend = backend
        self._calls = calls
        self._callback = callback

    def get(self, timeout=None):
        results = self._backend.results()[self._calls]
        self._callback(results)
        return results


def _with_indices(function, arguments, options):
    return function, arguments, with_indices(options)
