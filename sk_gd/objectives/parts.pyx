# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The linear objective of long batches: their rows in parts, which threads sum side by side."""

import numpy as np

cimport cython
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from sk_gd.objectives.lanes cimport LaneObjective

from ..indices import n_entries
from ..losses.base import NumpyKernel
from ..threads import count_parts, one_blas_thread
from .linear import LinearObjective

# Each part has a gradient and other arrays of its size, which must be small beside the rows.
ENTRIES_OF_GRADIENTS = 64


def linear_objective(problem, coordinates, penalties, batch_size, order, alike=None):
    """The linear objective, in parts where the batch is long; see `LinearObjective`.

    `alike` is an objective of the same data with as many lanes. If given, it reads the rows for the
    new one, too.
    """
    n_parts = parts_of_batch(problem.X, coordinates, len(penalties), batch_size)
    rows = -(-batch_size // n_parts)
    parts = [alike]
    if alike is None or n_parts == 1:
        parts = [
            LinearObjective(problem, coordinates, penalties, rows, order)
            for _ in range(n_parts)
        ]
    if n_parts == 1:
        return parts[0]
    return PartsObjective(problem, coordinates, penalties, parts, rows)


def parts_of_batch(X, coordinates, n_lanes, batch_size):
    """How many parts a batch has. The shape of the data decides."""
    entries = batch_size * (n_entries(X) / X.shape[0])
    weights = n_lanes * coordinates.n_outputs * coordinates.n_columns
    return min(count_parts(entries), max(1, int(entries / (ENTRIES_OF_GRADIENTS * weights))))


@cython.final
cdef class PartsObjective(LaneObjective):
    """An objective whose batches are summed part by part, in as many threads as may run.

    The sums of the parts are added in their order, whichever thread has computed them.

    Parameters
    ----------
    problem : Problem
        The data.
    coordinates : Coordinates
        How the optimizer's coordinates relate to the features and the targets.
    penalties : list of PenaltyKernel
        The penalty of each lane.
    parts : list of LaneObjective
        Objectives of the same data and lanes, one for each part.
    rows_of_a_part : int
        The most rows of a part.
    """

    cdef list parts
    cdef void **part
    cdef Py_ssize_t n_parts
    cdef Py_ssize_t rows_of_a_part
    cdef bint alone
    cdef double[::1] weights
    cdef double[:, ::1] gradients
    # The batch that is being summed, and the next of its parts.
    cdef const Py_ssize_t *order
    cdef Py_ssize_t first
    cdef Py_ssize_t count
    cdef Py_ssize_t whole
    cdef double *g
    cdef Py_ssize_t in_use
    cdef Py_ssize_t next
    cdef cython.pymutex mutex

    def __init__(self, problem, coordinates, list penalties, list parts, rows_of_a_part):
        cdef Py_ssize_t k
        cdef LaneObjective one
        LaneObjective.__init__(self, coordinates, penalties)
        self.parts = parts
        self.n_parts = len(parts)
        self.part = <void **> malloc(self.n_parts * sizeof(void *))
        if self.part == NULL:
            raise MemoryError
        for k in range(self.n_parts):
            one = parts[k]
            if one.n_lanes != self.n_lanes or one.n_weights != self.n_weights:
                raise ValueError("The parts of an objective must have its lanes and weights.")
            one.local = False
            self.part[k] = <void *> one
        self.n_rows, self.n_ordered = one.n_rows, one.n_ordered
        self.rows = (<LaneObjective> parts[0]).rows
        self.rows_of_a_part = max(rows_of_a_part, 1)
        # A user's loss in Python need not expect to be called by several threads.
        self.alone = isinstance(problem.loss.kernel(self.n_outputs), NumpyKernel)
        self.weights = np.empty(self.n_lanes * self.n_weights)
        self.gradients = np.empty((self.n_parts, self.n_lanes * self.n_weights))

    def __dealloc__(self):
        free(self.part)

    def __call__(self):
        """Sum parts until none are left."""
        with nogil:
            self.sum_parts()

    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil:
        cdef Py_ssize_t k, lane
        cdef bint alone
        memcpy(&self.weights[0], w, self.weights.shape[0] * sizeof(double))
        self.order, self.first, self.count, self.whole, self.g = order, begin, count, whole, g
        # The last batch of an epoch may be short.
        self.in_use = (count + self.rows_of_a_part - 1) // self.rows_of_a_part
        self.in_use = min(max(self.in_use, 1), self.n_parts)
        self.next = 0
        alone = self.alone or self.in_use == 1
        if not alone:
            with gil:
                alone = one_blas_thread.n_threads() == 1
        if alone:
            self.sum_parts()
        else:
            with gil:
                one_blas_thread.share(self)
        for k in range(1, self.in_use):
            self.add_part(k)
        for lane in range(self.n_lanes):
            self.total[lane] = self.scaled[lane] = 0
        self.add_sums(<LaneObjective> self.part[0])
        return 0

    cdef int sum_parts(self) except -1 nogil:
        """Sum parts of the batch until none are left."""
        cdef Py_ssize_t k, begin, end
        cdef double *g
        while True:
            with self.mutex:
                k = self.next
                self.next += 1
            if k >= self.in_use:
                return 0
            begin = self.count * k // self.in_use
            end = self.count * (k + 1) // self.in_use
            g = self.g
            if g != NULL and k > 0:
                g = &self.gradients[k, 0]
            (<LaneObjective> self.part[k]).sum_rows(
                self.order, self.first + begin, end - begin, self.whole, &self.weights[0], g
            )
            if g != NULL:
                (<LaneObjective> self.part[k]).rows.collect(g)

    cdef void add_part(self, Py_ssize_t k) noexcept nogil:
        """Add the sums of part k to those of the first."""
        cdef Py_ssize_t j
        (<LaneObjective> self.part[0]).add_sums(<LaneObjective> self.part[k])
        if self.g != NULL:
            for j in range(self.weights.shape[0]):
                self.g[j] += self.gradients[k, j]
