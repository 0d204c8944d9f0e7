# cython: language_level=3
from sk_gd.losses.base cimport LossKernel
from sk_gd.objectives.rows cimport Rows


cdef class LinearObjective:
    cdef Rows rows
    cdef LossKernel loss
    cdef list penalties
    cdef void **penalty
    cdef readonly Py_ssize_t n_lanes
    cdef readonly Py_ssize_t n_outputs
    cdef readonly Py_ssize_t n_rows
    cdef readonly Py_ssize_t n_columns
    cdef readonly Py_ssize_t n_weights
    cdef const double[:, ::1] y
    cdef const double[::1] weight
    cdef bint in_units
    cdef double[::1] origin
    cdef double[::1] unit
    cdef double[::1] loss_scale
    cdef const double[:, ::1] rotation
    cdef double[::1] lengths
    cdef double[:, ::1] rotated
    cdef double[:, ::1] rotated_gradients
    cdef double[:, ::1] y_block
    cdef double[::1] weight_block
    cdef double[:, ::1] p
    cdef double[:, ::1] slopes
    cdef double[::1] total
    cdef double[::1] scaled
    cdef public bint local
    cdef Py_ssize_t[::1] where
    cdef Py_ssize_t n_where
    cdef Py_ssize_t[::1] stamp
    cdef Py_ssize_t mark
    cdef const double *current
    cdef int evaluate(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count,
        const double *points, double *gradients,
    ) except -1 nogil
    cdef int add_losses(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows
    ) except -1 nogil
    cdef double value(self, Py_ssize_t lane, Py_ssize_t count) except? -1 nogil
    cdef double penalty_value(self, Py_ssize_t lane) except? -1 nogil
    cdef void gather_targets(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows
    ) noexcept nogil
    cdef void repeat_for_outputs(self) noexcept nogil
    cdef void drop_rounding(self, const double *g, double *rotated) noexcept nogil
    cdef void rotate(self, char side, const double *source, double *target) noexcept nogil
