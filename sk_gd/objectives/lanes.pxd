# cython: language_level=3

from sk_gd.objectives.rows cimport Rows


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
    cdef public bint local
    cdef Py_ssize_t[::1] where
    cdef Py_ssize_t n_where
    cdef const double *last_points
    cdef int evaluate(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, const double *points,
        double *gradients,
    ) except -1 nogil
    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil
    cdef void add_sums(self, LaneObjective other) noexcept nogil
    cdef const double *rotate_points(self, const double *points) noexcept nogil
    cdef double value(self, Py_ssize_t lane, Py_ssize_t count) except? -1 nogil
    cdef double penalty_value(self, Py_ssize_t lane) except? -1 nogil
    cdef void drop_rounding(self, const double *g, double *rotated) noexcept nogil
    cdef void rotate(self, char side, const double *source, double *target) noexcept nogil
