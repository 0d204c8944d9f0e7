# cython: language_level=3
from sk_gd.optimizers.base cimport Rule, cloned_void


cdef class AdamRule(Rule):
    cdef double beta_1
    cdef double beta_2
    cdef double inside
    cdef double outside
    cdef double correction_1
    cdef double correction_2
    cdef double[::1] m
    cdef double[::1] v
    cdef double[::1] divisor
    cdef void correct(self) noexcept nogil
    cdef cloned_void remember(self, double[::1] g) noexcept nogil
    cdef cloned_void descend(self, double[::1] w, double lr) noexcept nogil


cdef class RAdamRule(AdamRule):
    cdef double epsilon
    cdef double rectification
