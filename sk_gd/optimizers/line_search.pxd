# cython: language_level=3

cdef double between(
    double low, double low_slope, double high, double slope, bint finite
) noexcept nogil
cdef double beyond(
    double low, double low_slope, double size, double slope, double high
) noexcept nogil
