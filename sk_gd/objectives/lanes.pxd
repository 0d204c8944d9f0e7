# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False

from cython cimport final

from sk_gd.objectives.rows cimport Rows
from sk_gd.penalties.base cimport PenaltyKernel


cdef class LaneObjective:
    cdef list penalties
    cdef void **penalty
    cdef Rows rows
    cdef readonly Py_ssize_t n_lanes
    cdef readonly Py_ssize_t n_outputs
    cdef readonly Py_ssize_t n_responses
    cdef readonly Py_ssize_t n_columns
    cdef readonly Py_ssize_t n_weights
    cdef Py_ssize_t n_rows
    cdef Py_ssize_t n_ordered
    cdef double[::1] per_scale
    cdef double[::1] level
    cdef const double[:, ::1] rotation
    cdef double[::1] lengths
    cdef double[:, ::1] rotated
    cdef double[:, ::1] rotated_gradients
    cdef double[:, ::1] buffer
    cdef double[::1] total
    cdef double[::1] scaled
    cdef bint local
    cdef bint leaves_rest
    cdef Py_ssize_t[::1] where
    cdef Py_ssize_t n_where
    cdef const double *last_points
    cdef double[:, ::1] zeros(self)
    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil
    cdef double rest(self, Py_ssize_t lane) noexcept nogil
    cdef void add_sums(self, LaneObjective other) noexcept nogil
    cdef const double *rotate_points(self, const double *points) noexcept nogil
    cdef double value(self, Py_ssize_t lane, Py_ssize_t count) except? -1 nogil
    cdef double penalty_value(self, Py_ssize_t lane) except? -1 nogil
    cdef void drop_rounding(self, const double *g, double *rotated) noexcept nogil
    cdef void rotate(self, char side, const double *source, double *target) noexcept nogil

    # A call would be a part of a step on one row: the loop inlines this.
    @final
    cdef inline int evaluate(
        self, Py_ssize_t n_lanes, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count,
        const double *points, double *gradients,
    ) except -1 nogil:
        """Gradients of all `n_lanes` lanes at `points` (lanes × weights), on some rows.

        The rows are order[begin:begin + count], or without an order begin, begin + 1 and so on.
        Afterwards `total` holds the weighted sum of the loss of each lane. If `gradients` is
        NULL only the losses are computed. While `local` holds, `gradients` must come in as the
        last call left it.
        """
        cdef Py_ssize_t lane
        cdef const double *w = points
        cdef const double *found
        cdef double *g = gradients
        cdef double factor
        if self.rotation is not None:
            w = self.rotate_points(points)
            if gradients != NULL:
                g = &self.rotated_gradients[0, 0]
        self.last_points = w
        self.sum_rows(order, begin, count, count, w, g)
        if gradients == NULL:
            return 0
        found = self.rows.finish(g)
        factor = self.rows.factor[0] * self.rows.slope[0]
        for lane in range(n_lanes):
            if (<PenaltyKernel> self.penalty[lane]).has_gradient or found != g:
                (<PenaltyKernel> self.penalty[lane]).add_gradient(
                    w + lane * self.n_weights, found + lane * self.n_weights, factor,
                    g + lane * self.n_weights,
                )
        if self.rotation is not None:
            self.rotate(b'N', g, gradients)
            self.drop_rounding(g, gradients)
        return 0
