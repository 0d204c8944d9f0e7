# cython: language_level=3
"""The BLAS functions that the package calls, declared as scipy/linalg/cython_blas.pxd does.

With these copies the package compiles without scipy, which takes ten seconds to install. The
functions themselves come from the scipy that is imported; the import fails if one of them has
another signature there. To call one more function, copy its line from scipy's file.
"""

ctypedef double d

cdef void dgemm(
    char *transa, char *transb, int *m, int *n, int *k, d *alpha, d *a, int *lda, d *b, int *ldb,
    d *beta, d *c, int *ldc,
) noexcept nogil
cdef d dnrm2(int *n, d *x, int *incx) noexcept nogil
cdef void dsyrk(
    char *uplo, char *trans, int *n, int *k, d *alpha, d *a, int *lda, d *beta, d *c, int *ldc
) noexcept nogil
