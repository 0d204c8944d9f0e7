# cython: language_level=3
"""Functions that are compiled for several instruction sets.

In C: those after SK_GD_CLONES. In Cython: those that return `cloned_int`, `cloned_double` or
`cloned_void`.
"""

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

    /* Cython writes the type of the result before the name of a function, and nothing else. */
    #define SK_GD_CLONED_INT SK_GD_CLONES int
    #define SK_GD_CLONED_DOUBLE SK_GD_CLONES double
    #define SK_GD_CLONED_VOID SK_GD_CLONES void
    """
    # Not a function: declared so that it can be imported.
    void SK_GD_CLONES() noexcept nogil

    ctypedef int cloned_int "SK_GD_CLONED_INT"
    ctypedef double cloned_double "SK_GD_CLONED_DOUBLE"
    ctypedef void cloned_void "SK_GD_CLONED_VOID"
