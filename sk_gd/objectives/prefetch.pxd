# cython: language_level=3
"""Ask the processor for memory that is needed soon."""

cdef extern from *:
    """
    /* Bytes of a cache line: the processor fetches so many at a time. */
    #define SK_GD_LINE 64

    #if defined(__GNUC__) || defined(__clang__)
    /* To the second-level cache, and to the first. */
    #define SK_GD_PREFETCH(address) __builtin_prefetch(address, 0, 2)
    #define SK_GD_PREFETCH_SOON(address) __builtin_prefetch(address, 0, 3)
    #else
    #define SK_GD_PREFETCH(address)
    #define SK_GD_PREFETCH_SOON(address)
    #endif
    """
    const Py_ssize_t LINE "SK_GD_LINE"
    void SK_GD_PREFETCH(const void *) noexcept nogil
