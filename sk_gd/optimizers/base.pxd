# cython: language_level=3
from sk_gd.clones cimport cloned_int, cloned_void  # no-cython-lint: for the rules
from sk_gd.objectives.base cimport Objective
from sk_gd.penalties.base cimport PenaltyKernel


cdef class Rule:
    cdef readonly Py_ssize_t n
    cdef public Py_ssize_t t
    cdef public bint local
    cdef public dict arrays
    cdef public set positions
    cdef public object optimizer
    cdef double[::1] stepped
    cdef double[::1] steps
    cdef bint probe(self, double[::1] w, double[::1] point) noexcept nogil
    cdef bint needs_gradient(self) noexcept nogil
    cdef int advance(self, double[::1] w, Objective objective, double lr) except -1 nogil
    cdef int step(self, double[::1] w, double[::1] g, double lr) except -1 nogil
    cdef int step_at(
        self, double[::1] w, double[::1] g, double lr, Py_ssize_t[::1] where, Py_ssize_t count
    ) except -1 nogil
    cdef double rate(self, Py_ssize_t j, double lr) noexcept nogil
    cdef int proximal_step(
        self, double[::1] w, PenaltyKernel penalty, double lr
    ) except -1 nogil
    cdef int keep_stepped(self, double[::1] w) except -1 nogil
    cdef void report(self, double[::1] w, double[::1] out) noexcept nogil


cdef double bias_correction(double last, double beta, double t) noexcept nogil


cdef class NumpyRule(Rule):
    cdef public dict state
    cdef object w
    cdef object g
    cdef size_t w_address
    cdef size_t g_address
    cdef int idle
