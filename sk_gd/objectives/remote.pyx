# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The objective of rows that are in other processes, and the sums that are computed there."""

import numpy as np
import scipy.sparse as sp

from libc.string cimport memcpy

from sk_gd.objectives.lanes cimport LaneObjective

from .linear import make_rows
from .order import Order


cdef class RemoteObjective(LaneObjective):
    """F of rows in other processes: the sums over the rows come from a function.

    Penalties, coordinates and lanes are in this process, as for any other rows.

    Parameters
    ----------
    coordinates : Coordinates
        How the optimizer's coordinates relate to the features and the targets.
    penalties : list of PenaltyKernel
        The penalty of each lane, in those coordinates.
    is_sparse : bool
        Whether the rows are sparse.
    ask : callable
        ``ask(points, wants_gradients)`` gets the weights of the columns, of shape (lanes,
        weights), and returns what `sums_of_rows` does, for all rows.
    """

    cdef object ask

    def __init__(self, coordinates, list penalties, is_sparse, ask):
        LaneObjective.__init__(self, coordinates, penalties)
        # They convert the sums to the coordinates, and read no row.
        none = np.zeros((1, coordinates.n_features))
        self.rows = make_rows(
            sp.csr_array(none) if is_sparse else none, coordinates, np.asarray(self.level), 1,
            Order(None, 1),
        )
        self.ask = ask

    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil:
        cdef Py_ssize_t lane, k, size = self.n_weights
        cdef double[:, ::1] points
        cdef const double[:, ::1] found
        with gil:
            points = np.empty((self.n_lanes, size))
            memcpy(&points[0, 0], w, self.n_lanes * size * sizeof(double))
            found = self.ask(np.asarray(points), g != NULL)
            shape = self.n_lanes, n_sums(self) + size if g != NULL else 2
            if np.shape(found) != shape:
                raise ValueError(f"Sums of the shape {shape} are expected.")
        self.rows.begin(w, whole)
        for lane in range(self.n_lanes):
            self.total[lane] = found[lane, 0]
            self.scaled[lane] = found[lane, 1]
            if g != NULL:
                for k in range(self.n_outputs):
                    self.rows.sums[lane * self.n_outputs + k] = found[lane, 2 + 2 * k]
                    self.rows.sizes[lane * self.n_outputs + k] = found[lane, 3 + 2 * k]
                memcpy(g + lane * size, &found[lane, n_sums(self)], size * sizeof(double))
        return 0


cdef inline Py_ssize_t n_sums(LaneObjective objective) noexcept nogil:
    """How many numbers of a lane come before its gradient."""
    return 2 + 2 * objective.n_outputs


def sums_of_rows(
    LaneObjective objective not None, order, Py_ssize_t n, Py_ssize_t whole, points, wants_gradients
):
    """The sums of an objective over its `n` rows, as a part of `whole` rows.

    Added to those of the other parts, they are the sums over all rows. The gradient is in the
    coordinates of the rows: only the sums over all rows show what is rounding in it.

    Parameters
    ----------
    objective : LaneObjective
        With as many lanes as there are points.
    order : ndarray of intp or None
        Which rows these are; None for the first.
    n, whole : int
        Rows of the objective, and of all parts together.
    points : ndarray of shape (n_lanes, n_weights)
        The weights of the columns.
    wants_gradients : bool
        Whether the gradients are computed.

    Returns
    -------
    ndarray of shape (n_lanes, n_numbers)
        For each lane `total` and `scaled`, as the attributes of the objective. If gradients are
        wanted, then for each output the sums of the slopes and of their sizes, as the attributes
        of `Rows`, and the gradient of the mean over all rows, as `sum_rows` gives it.
    """
    cdef const double[:, ::1] w = points
    cdef const Py_ssize_t[::1] rows = order
    objective.check_rows(rows, n)
    if np.shape(points) != (objective.n_lanes, objective.n_weights) or whole < 1:
        raise ValueError(f"There must be a point of {objective.n_weights} weights for every lane.")
    cdef const Py_ssize_t *first = NULL
    if order is not None:
        first = &rows[0]
    cdef double[:, ::1] g = np.zeros((objective.n_lanes, objective.n_weights))
    cdef double *wanted = &g[0, 0] if wants_gradients else NULL
    objective.local = False
    with nogil:
        objective.sum_rows(first, 0, n, whole, &w[0, 0], wanted)
        if wanted != NULL:
            objective.rows.collect(wanted)
    cdef Py_ssize_t lane, k, j, size = n_sums(objective) + objective.n_weights
    found = np.empty((objective.n_lanes, size if wants_gradients else 2))
    cdef double[:, ::1] sums = found
    for lane in range(objective.n_lanes):
        sums[lane, 0] = objective.total[lane]
        sums[lane, 1] = objective.scaled[lane]
        if wants_gradients:
            for k in range(objective.n_outputs):
                j = lane * objective.n_outputs + k
                sums[lane, 2 + 2 * k] = objective.rows.sums[j]
                sums[lane, 3 + 2 * k] = objective.rows.sizes[j]
            memcpy(&sums[lane, n_sums(objective)], &g[lane, 0],
                   objective.n_weights * sizeof(double))
    return found
