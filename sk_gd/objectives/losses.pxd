# cython: language_level=3

cdef struct Point:
    double value
    double slope


cdef class LossKernel:
    cdef Point point(self, double y, double p) noexcept nogil
    cdef double evaluate(
        self,
        double[:, ::1] y,
        double[:, ::1] p,
        double[::1] weight,
        double[:, ::1] slopes,
        Py_ssize_t first,
        Py_ssize_t outputs,
        Py_ssize_t rows,
    ) except? -1 nogil
