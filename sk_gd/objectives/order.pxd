# cython: language_level=3

cdef bint are_rows(const Py_ssize_t *order, Py_ssize_t n, Py_ssize_t n_rows) noexcept nogil


cdef class Order:
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t run
    cdef readonly Py_ssize_t group
    cdef const Py_ssize_t[::1] subset
    cdef object array
    cdef Py_ssize_t[::1] rows
    cdef Py_ssize_t[::1] place
    cdef Py_ssize_t[::1] streams
    cdef void deal(self, const Py_ssize_t[::1] runs) noexcept nogil
    cdef void split(self) noexcept nogil
