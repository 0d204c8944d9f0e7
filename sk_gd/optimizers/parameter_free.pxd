# cython: language_level=3
from sk_gd.optimizers.base cimport Rule


cdef class MeasuringRule(Rule):
    cdef double[::1] pull
