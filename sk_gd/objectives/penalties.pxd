# cython: language_level=3
from sk_gd.optimizers.base cimport Rule


cdef class ElasticNet:
    cdef Py_ssize_t n
    cdef public bint ridge
    cdef public bint lasso
    cdef public bint proximal
    cdef double[::1] l1
    cdef double[::1] l2
    cdef double[::1] energy
    cdef double value(self, const double *w) noexcept nogil
    cdef double smooth(self, const double *w) noexcept nogil
    cdef void add_gradient(self, const double *w, double *g) noexcept nogil
    cdef void shrink(self, double[::1] w, Rule rule, double lr) noexcept nogil
