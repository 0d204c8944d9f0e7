# cython: language_level=3
from sk_gd.clones cimport cloned_int
from sk_gd.penalties.base cimport PenaltyKernel


cdef class ElasticNetKernel(PenaltyKernel):
    cdef bint ridge
    cdef bint lasso
    cdef double[::1] l1
    cdef double[::1] l2
    cdef double[::1] loss_scale
    cdef double value(self, const double *w) except? -1 nogil
    cdef double smooth_value(self, const double *w) except? -1 nogil
    cdef cloned_int add_gradient(
        self, const double *w, const double *loss, double factor, double *g
    ) except -1 nogil
    cdef cloned_int prox(self, double[::1] w, double[::1] steps) except -1 nogil
