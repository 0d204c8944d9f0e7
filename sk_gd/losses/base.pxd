# cython: language_level=3

cdef struct Point:
    double value
    double slope


cdef class LossKernel:
    cdef const double[:, ::1] y
    cdef const double[:, ::1] p
    cdef const double[::1] weight
    cdef double[:, ::1] slopes
    cdef double[::1] totals
    cdef Point point(self, double y, double p) noexcept nogil
    cdef double evaluate(
        self, Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t rows
    ) except? -1 nogil
    cdef double rest(self, Py_ssize_t first) noexcept nogil


cpdef int exponentials(
    double[:, ::1] numbers, Py_ssize_t row, Py_ssize_t n
) except -1 nogil


cpdef double logistics(
    double[:, ::1] numbers, Py_ssize_t row, const double[::1] weight, Py_ssize_t n,
    double[:, ::1] held,
) except? -1 nogil


cdef int check_length(double[:, ::1] numbers, Py_ssize_t row, Py_ssize_t n) except -1 nogil


cdef class NumpyKernel(LossKernel):
    cdef object loss
    cdef bint asked
