# cython: language_level=3

cdef class Objective:
    cdef public double[::1] g
    cdef public double f
    cdef public Py_ssize_t asked
    cdef double here(self) except? -1 nogil
    cdef double value(self, double[::1] w) except? -1 nogil
    cdef double gradient(self, double[::1] w, double[::1] out) except? -1 nogil
    cdef double full_gradient(self, double[::1] w, double[::1] out) except? -1 nogil
    cdef int prox(self, double[::1] w, double step) except -1 nogil
    cdef Py_ssize_t steps(self) noexcept nogil
    cdef bint begins_epoch(self) noexcept nogil
    cdef bint begins_data(self) noexcept nogil
