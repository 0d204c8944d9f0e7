# cython: language_level=3
from sk_gd.clones cimport cloned_int

cdef class PenaltyKernel:
    cdef readonly Py_ssize_t n
    cdef readonly bint has_gradient
    cdef readonly bint has_prox
    # Pointers, since the loop keeps the weights of all lanes side by side in one block.
    cdef double value(self, const double *w) except? -1 nogil
    cdef double smooth_value(self, const double *w) except? -1 nogil
    cdef cloned_int add_gradient(
        self, const double *w, const double *loss, double factor, double *g
    ) except -1 nogil
    cdef cloned_int prox(self, double[::1] w, double[::1] steps) except -1 nogil


cdef class NumpyPenalty(PenaltyKernel):
    cdef object penalty
    cdef object size
    cdef object loss_scale
    cdef object penalised
    cdef object array(self, const double *w)
    cdef double value(self, const double *w) except? -1 nogil
    cdef double smooth_value(self, const double *w) except? -1 nogil
    cdef cloned_int add_gradient(
        self, const double *w, const double *loss, double factor, double *g
    ) except -1 nogil
    cdef cloned_int prox(self, double[::1] w, double[::1] steps) except -1 nogil
