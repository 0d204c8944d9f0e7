# cython: language_level=3
"""The functions of scipy's BLAS that are called here, as scipy/linalg/cython_blas.pxd declares them.

With this file the compiler needs no scipy, which takes ten seconds to install a second time, for
the build. It is only read: the functions come from the scipy that is imported, and the import
fails if one has another signature there. A function that is missing here is copied from scipy's file.
"""

ctypedef double d

cdef void daxpy(int *n, d *da, d *dx, int *incx, d *dy, int *incy) noexcept nogil
cdef d ddot(int *n, d *dx, int *incx, d *dy, int *incy) noexcept nogil
cdef void dgemm(
    char *transa, char *transb, int *m, int *n, int *k, d *alpha, d *a, int *lda, d *b, int *ldb,
    d *beta, d *c, int *ldc,
) noexcept nogil
cdef d dnrm2(int *n, d *x, int *incx) noexcept nogil
