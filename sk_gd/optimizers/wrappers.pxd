# cython: language_level=3
from sk_gd.objectives.base cimport Objective
from sk_gd.optimizers.base cimport Rule
from sk_gd.penalties.base cimport PenaltyKernel


cdef class WrappedRule(Rule):
    cdef Rule inner
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
    cdef void report(self, double[::1] w, double[::1] out) noexcept nogil


cdef class ClippedRule(WrappedRule):
    cdef double most
    cdef double[::1] touched
    cdef ClippedObjective view
    cdef void clip(self, double[::1] g, Py_ssize_t n) noexcept nogil
    cdef int advance(self, double[::1] w, Objective objective, double lr) except -1 nogil
    cdef int step(self, double[::1] w, double[::1] g, double lr) except -1 nogil
    cdef int step_at(
        self, double[::1] w, double[::1] g, double lr, Py_ssize_t[::1] where, Py_ssize_t count
    ) except -1 nogil


cdef class NormClippedRule(ClippedRule):
    cdef void clip(self, double[::1] g, Py_ssize_t n) noexcept nogil


cdef class ValueClippedRule(ClippedRule):
    cdef void clip(self, double[::1] g, Py_ssize_t n) noexcept nogil


cdef class ClippedObjective(Objective):
    cdef Objective whole
    cdef ClippedRule rule
    cdef double here(self) except? -1 nogil
    cdef double value(self, double[::1] w) except? -1 nogil
    cdef double gradient(self, double[::1] w, double[::1] out) except? -1 nogil
    cdef double full_gradient(self, double[::1] w, double[::1] out) except? -1 nogil
    cdef int prox(self, double[::1] w, double step) except -1 nogil
    cdef Py_ssize_t steps(self) noexcept nogil
    cdef bint begins_epoch(self) noexcept nogil
    cdef bint begins_data(self) noexcept nogil
