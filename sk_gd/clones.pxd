# cython: language_level=3
"""A function in C after SK_GD_CLONES is compiled for several instruction sets."""

cdef extern from *:
    """
    /* The first call chooses the version for the processor. All versions give the same digits: they
       do the same operations in the same order, and round every product. */
    #ifndef SK_GD_CLONES
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
    #define SK_GD_CLONES __attribute__((target_clones("avx2", "default")))
    #else
    #define SK_GD_CLONES
    #endif
    #endif
    """
    # Not a function: declared so that it can be imported.
    void SK_GD_CLONES() noexcept nogil
