# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Dual coordinate ascent on sparse rows: it is near the minimum after a few passes."""

import numpy as np
from scipy.special import entr

from libc.math cimport fabs
from libc.string cimport memcpy, memset

from sk_gd.losses.proximal cimport proximal_softmax, softmax
from sk_gd.objectives.csr_entries cimport add_row, dot_row, fetch_csr, integer
from sk_gd.objectives.order cimport are_rows
from sk_gd.objectives.rows cimport prefetch_row

from ..aligned import aligned
from .csr_rows import check_entries

# Rows that are fetched ahead of the one in use.
cdef enum:
    ROWS_AHEAD = 4

# The lower bound expects the intercepts within this multiple of their last move of the minimum.
cdef double NEAR = 3

# Probabilities are kept so far from zero and one, where scores are computed from them.
cdef double SMALLEST = 1e-12

# The score in columns that only fill up a vector: no class is as unlikely.
cdef double NEVER = -1e300


cdef class Duals:
    r"""A softmax or logistic model of sparse rows, in its dual form.

    At the minimum of mean loss and ridge, :math:`\frac{1}{n} \sum_i s_i \ell_i + \frac{\alpha}{2}
    \|W\|^2`, the weights are

    .. math:: W = -\frac{1}{\alpha n} \sum_i s_i (p_i - e_i) z_i^\top

    where :math:`p_i` are the probabilities of the classes of row i, :math:`e_i` is one for its
    class and zero else, :math:`s_i` is its weight, and :math:`z_i` are its features, divided by
    their sizes. A step takes one row and replaces :math:`p_i` by the probabilities that the model
    gives after the step. It needs no learning rate, and every step is exact for its row.

    The intercept is the weight of a feature that is 1. Its penalty is on the change since the last
    pass, and so vanishes in the end (the method of multipliers).

    Two classes have one output, the probability of the second class; :math:`e_i` is 1 or 0.

    Parameters
    ----------
    label : ndarray of shape (n,)
        The class of each row.
    weight : ndarray of shape (n,) or None
        The weights of the rows, with mean one; None if all are one.
    inverse : ndarray of shape (n_features,)
        What the features are multiplied by.
    n_outputs : int
        How many classes there are; 1 if there are two.
    ridge : float
        The strength of the ridge.
    intercept : bool
        Whether there is an intercept.

    References
    ----------
    Shalev-Shwartz, S. & Zhang, T. (2013). Stochastic dual coordinate ascent methods for
    regularized loss minimization. JMLR 14, 567-599.

    Yu, H.-F., Huang, F.-L. & Lin, C.-J. (2011). Dual coordinate descent methods for logistic
    regression and maximum entropy models. Machine Learning 85. doi:10.1007/s10994-010-5221-8
    """

    cdef object inverse
    # The entries of the rows, divided by the sizes of their features, and where they are.
    cdef const double[::1] z
    cdef object indices
    cdef object indptr
    cdef const double[::1] label
    cdef const double[::1] weight
    cdef Py_ssize_t n_rows
    cdef Py_ssize_t n_outputs
    cdef double ridge
    cdef double reach
    cdef bint intercept
    cdef bint begun
    cdef double[:, ::1] w
    cdef double[::1] constant
    cdef double[::1] anchor
    # For every row: the square of its length, the probabilities, scores that give them, and whether
    # the next pass skips it.
    cdef double[::1] square
    cdef double[:, ::1] p
    cdef double[:, ::1] u
    cdef unsigned char[::1] skips
    # How far the probabilities have moved in this pass, and on average in the one before. Half the
    # squares of these moves, each times the curvature of the penalty along it.
    cdef double moved
    cdef double usual
    cdef double gained
    # Of the row in use.
    cdef double[:, ::1] buffer

    def __init__(self, X, label, weight, inverse, n_outputs, ridge, intercept):
        n, d = X.shape
        stride = 1 if n_outputs == 1 else 4 * ((n_outputs + 3) // 4)
        if not (
            ridge > 0
            and len(label) == n
            and (weight is None or len(weight) == n)
            and len(inverse) == d
            and np.all((label >= 0) & (label < max(2, n_outputs)))
        ):
            raise ValueError("Labels and weights must be those of the rows, the ridge a number.")
        # The entries are divided by the sizes once, since every pass reads them.
        narrow = X.indices.dtype.itemsize == X.indptr.dtype.itemsize == 4
        self.indices, self.indptr = (
            a.astype(np.int32 if narrow else np.int64, copy=False) for a in (X.indices, X.indptr)
        )
        check_entries(self.indices, self.indptr, X.nnz, n, d)
        with np.errstate(over="ignore"):
            # Rows without weight may have any numbers.
            z = X.data * inverse[self.indices]
        self.z = z if len(z) else np.zeros(1)
        self.label, self.weight, self.inverse = label, weight, inverse
        self.n_rows, self.n_outputs, self.ridge, self.intercept = n, n_outputs, ridge, intercept
        self.begun = False
        self.w = aligned(np.zeros((d, stride)))
        self.constant, self.anchor = np.zeros((2, stride))
        self.constant[n_outputs:] = NEVER
        self.square = squares(self.z, self.indptr, intercept)
        self.p, self.u = aligned(np.zeros((n, stride))), aligned(np.zeros((n, stride)))
        self.skips = np.zeros(n, dtype=np.uint8)
        self.usual = 0
        self.buffer = np.empty((3, stride))

    def change_ridge(self, ridge):
        """Continue with another strength of the ridge.

        If it is weaker, the weights stay the same, and the dual variables of the rows become
        smaller. If it is stronger, these stay the same, and the weights become smaller.
        """
        if not ridge > 0:
            raise ValueError(f"The ridge must be a number. Got {ridge}.")
        p, u, known = np.asarray(self.p), np.asarray(self.u), slice(0, self.n_outputs)
        if self.begun and ridge < self.ridge:
            of_class = np.zeros((self.n_rows, max(self.n_outputs, 2)))
            of_class[np.arange(self.n_rows), np.asarray(self.label, dtype=int)] = 1
            of_class = of_class[:, -self.n_outputs :]
            p[:, known] = of_class + ridge / self.ridge * (p[:, known] - of_class)
            q = np.clip(p[:, known], SMALLEST, 1 - SMALLEST)
            u[:, known] = np.log(q) - (np.log1p(-q) if self.n_outputs == 1 else 0)
        else:
            np.asarray(self.w)[:] *= self.ridge / ridge
        self.anchor[:] = self.constant
        self.ridge, self.usual = ridge, 0
        np.asarray(self.skips)[:] = 0

    def reach_of(self, rows):
        """How far a row can move its own score, on average over these rows."""
        weight = np.ones(self.n_rows) if self.weight is None else np.asarray(self.weight)
        rows = rows[weight[rows] > 0]
        return np.mean(np.asarray(self.square)[rows] * weight[rows]) / (self.ridge * len(rows))

    def ascend(self, const Py_ssize_t[::1] order):
        """Take a step on each of these rows, in this order, except for those that hardly moved.

        Returns by how much the dual objective has risen, about.
        """
        cdef Py_ssize_t k, n = order.shape[0], n_taken
        cdef double moved
        if n < 1 or not are_rows(&order[0], n, self.n_rows):
            raise ValueError(f"There are {self.n_rows} rows. Got others: {np.asarray(order)}.")
        self.reach = 1 / (self.ridge * n)
        self.moved = self.gained = 0
        n_taken = ascend(self, self.indices, self.indptr, order)
        self.usual = self.moved / max(n_taken, 1)
        for k in range(self.n_outputs if self.begun else 0):
            moved = self.constant[k] - self.anchor[k]
            self.anchor[k] = self.constant[k]
            self.constant[k] += moved
        self.begun = True
        return self.gained / n

    def lower_bound(self):
        """A lower bound of the minimum, about: the dual objective.

        It is a bound if the intercepts are near the minimum: within some multiple of their last
        move.
        """
        known = slice(0, self.n_outputs)
        p, w, b = np.asarray(self.p), np.asarray(self.w), np.asarray(self.constant)[known]
        entropy = entr(p).sum(axis=1)
        if self.n_outputs == 1:
            entropy += entr(1 - p[:, 0])
        if self.weight is not None:
            entropy *= self.weight
        moved = b - np.asarray(self.anchor)[known]
        squares = 0.5 * np.vdot(w, w) + moved @ b + NEAR * (moved @ moved)
        return self.ridge * (self.reach * entropy.sum() - squares)

    def model(self):
        """Coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""
        w, constant = np.asarray(self.w), np.asarray(self.constant)
        coef = np.ascontiguousarray(w[:, : self.n_outputs].T) * self.inverse
        return coef, constant[: self.n_outputs].copy()


def squares(const double[::1] z, const integer[::1] indptr, double more):
    """The squares of the lengths of rows with these entries, and `more`."""
    cdef double[::1] found = np.full(indptr.shape[0] - 1, more)
    cdef Py_ssize_t i, a
    with nogil:
        for i in range(found.shape[0]):
            for a in range(indptr[i], indptr[i + 1]):
                found[i] += z[a] * z[a]
    return found


def ascend(
    Duals duals, const integer[::1] indices, const integer[::1] indptr, const Py_ssize_t[::1] order
):
    """Take a step on each of these rows that is not skipped; return how many there are."""
    cdef Py_ssize_t t, row, n_taken = 0, n = order.shape[0]
    cdef const integer *at = &indices[0] if indices.shape[0] > 0 else NULL
    with nogil:
        for t in range(n):
            if t + ROWS_AHEAD < n:
                row = order[t + ROWS_AHEAD]
                fetch_csr(&duals.z[0], at, &indptr[0], row)
                prefetch_row(&duals.p[row, 0], duals.p.shape[1] * sizeof(double))
                prefetch_row(&duals.u[row, 0], duals.u.shape[1] * sizeof(double))
            row = order[t]
            if duals.skips[row]:
                duals.skips[row] = False
                continue
            take_row(
                duals, row, &duals.z[0] + indptr[row], at + indptr[row],
                indptr[row + 1] - indptr[row],
            )
            n_taken += 1
    return n_taken


cdef void take_row(
    Duals duals, Py_ssize_t row, const double *z, const integer *at, Py_ssize_t n
) noexcept nogil:
    """Take a step on the row with the entries `z` in the columns `at`."""
    cdef Py_ssize_t k, stride = duals.w.shape[1], n_outputs = duals.n_outputs
    cdef double weight = 1 if duals.weight is None else duals.weight[row]
    cdef double shift = 0, moved = 0, square = 0, reach = duals.reach * weight
    cdef double *p = &duals.p[row, 0]
    cdef double *u = &duals.u[row, 0]
    cdef double *score = &duals.buffer[0, 0]
    cdef double *old = &duals.buffer[1, 0]
    if weight == 0:
        return
    dot_row[double, integer](z, at, n, &duals.w[0, 0], stride, score)
    for k in range(stride):
        score[k] += duals.constant[k]
    if duals.begun:
        if n_outputs > 1:
            # A number that is added to the scores of all classes changes nothing.
            for k in range(n_outputs):
                shift += score[k] - u[k]
            shift /= n_outputs
        for k in range(stride):
            u[k] += shift
            old[k] = p[k]
    else:
        if n_outputs == 1:
            old[0] = duals.label[row]
        else:
            memset(old, 0, stride * sizeof(double))
            old[<Py_ssize_t> duals.label[row]] = 1
        memcpy(u, score, stride * sizeof(double))
        softmax(u, p, stride)
    proximal_softmax(u, p, &duals.buffer[2, 0], old, score, duals.square[row] * reach, stride)
    for k in range(stride):
        old[k] -= p[k]
        moved += fabs(old[k])
        square += old[k] * old[k]
        old[k] *= reach
    duals.moved += moved
    duals.gained += 0.5 * weight * duals.square[row] * reach * square
    duals.skips[row] = 2 * moved < duals.usual
    add_row[double, integer](z, at, n, old, stride, &duals.w[0, 0])
    if duals.intercept:
        for k in range(n_outputs):
            duals.constant[k] += old[k]
