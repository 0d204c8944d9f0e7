# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The objective of rows that are elsewhere, and what answers for them there."""

import numpy as np

from libc.string cimport memcpy

from sk_gd.objectives.lanes cimport LaneObjective


cdef class RemoteObjective(LaneObjective):
    """F of rows that are elsewhere: the sums over the rows come from a function.

    Penalties, coordinates and lanes are here, as for any other rows.

    Parameters
    ----------
    coordinates : Coordinates
        How the optimizer's coordinates relate to the features and the targets.
    penalties : list of PenaltyKernel
        The penalty of each lane, in those coordinates.
    ask : callable
        ``ask(points, wants_gradients)`` gets the weights of the columns, of shape (lanes,
        weights), and returns ``total``, ``scaled`` and, if wanted, the gradients, as
        `sums_of_rows` does for all rows.
    """

    cdef object ask

    def __init__(self, coordinates, list penalties, ask):
        LaneObjective.__init__(self, coordinates, penalties)
        self.ask = ask

    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil:
        cdef Py_ssize_t size = self.n_lanes * self.n_weights
        cdef double[:, ::1] points
        cdef const double[::1] total, scaled
        cdef const double[:, ::1] gradients
        with gil:
            points = np.empty((self.n_lanes, self.n_weights))
            memcpy(&points[0, 0], w, size * sizeof(double))
            total, scaled, found = self.ask(np.asarray(points), g != NULL)
            shape = self.n_lanes, self.n_weights
            if len(total) != self.n_lanes or len(scaled) != self.n_lanes or (
                g != NULL and np.shape(found) != shape
            ):
                raise ValueError(f"Sums of {shape[0]} lanes of {shape[1]} weights are expected.")
            self.total[:] = total
            self.scaled[:] = scaled
            if g != NULL:
                gradients = found
                memcpy(g, &gradients[0, 0], size * sizeof(double))
        return 0


def sums_of_rows(
    LaneObjective objective not None, order, Py_ssize_t n, Py_ssize_t whole, points, wants_gradients
):
    """The sums of an objective over its `n` rows, as a part of `whole` rows.

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
    total, scaled : ndarray of shape (n_lanes,)
        As the attributes of the objective.
    gradients : ndarray of shape (n_lanes, n_weights) or None
        The part's share in the gradient of the mean over all rows.
    """
    cdef const double[:, ::1] w = points
    cdef const Py_ssize_t[::1] rows = order
    objective.check_rows(rows, n)
    if np.shape(points) != (objective.n_lanes, objective.n_weights) or whole < 1:
        raise ValueError(f"There must be a point of {objective.n_weights} weights for every lane.")
    cdef const Py_ssize_t *first = NULL if order is None else &rows[0]
    cdef double[:, ::1] g = np.zeros((objective.n_lanes, objective.n_weights))
    cdef double *wanted = &g[0, 0] if wants_gradients else NULL
    with nogil:
        objective.sum_rows(first, 0, n, whole, &w[0, 0], wanted)
        if wanted != NULL:
            objective.finish_rows(wanted)
    gradients = np.asarray(g) if wants_gradients else None
    return np.array(objective.total), np.array(objective.scaled), gradients
