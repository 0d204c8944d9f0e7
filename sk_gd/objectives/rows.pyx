# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Rows of X, a block at a time: the base class of dense and sparse rows.

A block of rows is multiplied with the weights, and later with the slopes of the loss. It reads
as if the features were in the optimizer's coordinates and had a constant column for the
intercept.
"""

import numpy as np

from sk_gd.objectives.order cimport Order

from ..aligned import aligned


cdef class Rows:
    """The rows of X, a block at a time, as if they were in the optimizer's coordinates.

    The columns are the features, shifted and scaled, and, for a model with an intercept, a
    constant one. X itself is neither changed nor copied.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The data.
    shift, scale : ndarray of shape (n_features,) or None
        The coordinates of the features; None if they are raw.
    level : ndarray of shape (n_outputs,)
        How large predictions are, in the units of the optimizer. Lanes count as outputs here.
    intercept : bool
        Whether there is a constant column.
    capacity : int
        The most rows of a block.
    order : Order
        The order of an epoch, for prefetching.
    """

    def __init__(self, X, shift, scale, level, bint intercept, capacity, Order order not None):
        n_outputs = len(level)
        if n_outputs < 1 or capacity < 1 or (shift is None) != (scale is None):
            raise ValueError("Rows need an output, room for a row, both shift and scale or none.")
        for each in (shift, scale):
            if each is not None and len(each) != X.shape[1]:
                raise ValueError(f"{X.shape[1]} features have a shift and a scale each.")
        self.n_features = X.shape[1]
        self.n_columns = X.shape[1] + intercept
        self.capacity = capacity
        self.order = order
        self.n_ordered = order.n
        self.n_outputs = n_outputs
        self.shift = shift if shift is None else aligned(shift)
        self.scale = scale if scale is None else aligned(scale)
        self.level = level
        self.local = False
        # For every output the sum of the slopes, if `g` does not have it, and of their absolute
        # values.
        self.sums = np.zeros(n_outputs)
        self.sizes = np.zeros(n_outputs)
        self.n_rows = 0
        self.one = 1
        self.slope = self.factor = &self.one

    cdef bint begin(self, const double *w, Py_ssize_t n_rows) noexcept nogil:
        """Take the weights (outputs × columns) for the blocks of the next `n_rows` rows.

        True if the gradient must be zero before the first block, False if `finish` writes all
        of it.
        """
        cdef Py_ssize_t k
        self.n_rows = n_rows
        for k in range(self.n_outputs):
            self.sums[k] = self.sizes[k] = 0
        return True

    cdef void forward(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, double *p, int stride
    ) noexcept nogil:
        """p (outputs × rows, `stride` apart) = weights · rows order[begin:begin + count].

        Without an order the rows are begin, begin + 1 and so on.
        """

    cdef void fetch(self, Py_ssize_t begin, Py_ssize_t count) noexcept nogil:
        """Prefetch rows from memory that are needed later: a part of those that `forward` chose.

        The part begins at number `begin` of them and has `count` rows.
        """

    cdef void backward(
        self, double *r, const double *factors, int stride, double *g
    ) noexcept nogil:
        """g (outputs × columns) += factors · r (outputs × rows) · the block of the last `forward`.

        There is a factor for each output. The slopes `r` may be multiplied by it in place.
        """

    cdef void collect(self, double *g) noexcept nogil:
        """Add to `g` what `backward` has summed elsewhere, so that other rows can be added."""

    cdef void add_sums(self, Rows other) noexcept nogil:
        """Add what the `backward` of other rows has summed besides `g`."""
        cdef Py_ssize_t k
        for k in range(self.n_outputs):
            self.sums[k] += other.sums[k]
            self.sizes[k] += other.sizes[k]

    cdef const double *finish(self, double *g) noexcept nogil:
        """Convert the sums of all rows of the batch to the optimizer's coordinates.

        Returns their address. The gradient is these numbers times `factor` and `slope`: that of a
        single row is a multiple of the row.
        """
        return g

    cdef Py_ssize_t touch(
        self, Py_ssize_t *where, Py_ssize_t found, Py_ssize_t *stamp, Py_ssize_t mark
    ) noexcept nogil:
        """Append the columns in which the block has entries to `where`, each once.

        `found` columns are listed so far; returns how many there are then. A column is listed
        already if `stamp` has the `mark` there. A dense block returns -1: all columns.
        """
        return -1
