# cython: language_level=3
"""Ask the processor for memory that is needed soon."""

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    /* To the second-level cache, and to the first. */
    #define SK_GD_PREFETCH(address) __builtin_prefetch(address, 0, 2)
    #define SK_GD_PREFETCH_SOON(address) __builtin_prefetch(address, 0, 3)
    #else
    #define SK_GD_PREFETCH(address)
    #define SK_GD_PREFETCH_SOON(address)
    #endif
    """
    void SK_GD_PREFETCH(const void *) noexcept nogil
