"""One BLAS thread while models are trained."""

import contextlib
import threading

from threadpoolctl import ThreadpoolController


class _OneBlasThread(contextlib.ContextDecorator):
    """Hold BLAS to one thread as long as any fit is running.

    The products are small: more threads would only wait for each other, and
    change the rounding. Fits in several threads of one process share the setting.
    The first fit makes it, and the last one restores what was there before.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._running = 0
        self._libraries = None
        self._before = []

    def __enter__(self):
        with self._lock:
            if self._libraries is None:
                blas = ThreadpoolController().select(user_api="blas")
                self._libraries = blas.lib_controllers
            if self._running == 0:
                self._before = [library.get_num_threads() for library in self._libraries]
                self._set([1] * len(self._libraries))
            self._running += 1

    def __exit__(self, *exception):
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._set(self._before)

    def _set(self, numbers):
        for library, number in zip(self._libraries, numbers, strict=True):
            # Newer versions of threadpoolctl let only the thread that set a limit change it.
            # This limit must outlive the thread that came first.
            getattr(library, "_real_set_num_threads", library.set_num_threads)(number)


one_blas_thread = _OneBlasThread()
