# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The linear objective: predictions of a block of rows, their losses, the gradient.

The code here is the same for float32 and float64, shuffled and ordered, dense and sparse rows,
and for one lane or many.
"""

import numpy as np
import scipy.sparse as sp

cimport cython
from libc.string cimport memset

from sk_gd.losses.base cimport LossKernel
from sk_gd.objectives.lanes cimport LaneObjective
from sk_gd.objectives.rows cimport AHEAD, SK_GD_PREFETCH

from .csr_rows import CSRRows, ManyOutputRows
from .dense_rows import DenseRows, SingleRows

# Entries of a block of rows: it should stay in the first-level cache (25 KB of float64).
BLOCK = 3200
# Rows that vector instructions take together.
VECTOR = 8
# The fewest rows of a block, however long they are: with fewer rows a matrix product takes twice
# as long, as it reads the weights again for every block.
FEWEST = 16
# From so many outputs on, an entry of a sparse row is multiplied with all of them at a time. With
# fewer, transposing the weights would take longer than the products.
MANY = 3


@cython.final
cdef class LinearObjective(LaneObjective):
    """F of a linear model on the current batch, for one or many lanes at once.

    All lanes read the same rows, with one gather and one product.

    Parameters
    ----------
    problem : Problem
        The data: `X`, an ndarray or CSR matrix, `y` of shape (n, n_targets), `weight` of shape
        (n,), with mean one over the rows that are used, or None, and the `loss`.
    coordinates : Coordinates
        How the optimizer's coordinates relate to X and y.
    penalties : list of PenaltyKernel
        The penalty of each lane, in those coordinates.
    batch_size : int
        Rows of a batch.
    order : Order
        The order of an epoch.
    """

    cdef LossKernel loss
    cdef const double[:, ::1] y
    cdef const double[::1] weight
    cdef bint in_units
    cdef double[::1] origin
    cdef double[::1] unit
    cdef double[:, ::1] y_block
    cdef double[::1] weight_block
    cdef double[:, ::1] p
    cdef double[:, ::1] slopes
    # The factors of the slopes in a batch of `n_factored` rows.
    cdef double[::1] factors
    cdef Py_ssize_t n_factored
    cdef Py_ssize_t[::1] stamp
    cdef Py_ssize_t mark

    def __init__(self, problem, coordinates, list penalties, batch_size, order):
        LaneObjective.__init__(self, coordinates, penalties)
        X = problem.X
        self.y = problem.y
        self.weight = problem.weight
        self.n_rows, self.n_ordered = X.shape[0], order.n
        if (
            len(problem.y) != self.n_rows
            or (problem.weight is not None and len(problem.weight) != self.n_rows)
            or X.shape[1] + coordinates.intercept != self.n_columns
            or problem.y.shape[1] < 1
        ):
            raise ValueError(
                f"Targets and weights must have the {self.n_rows} rows of X, and the coordinates "
                f"its {X.shape[1]} features."
            )
        self.rows = make_rows(X, coordinates, self.level, batch_size, order)
        self.in_units = coordinates.in_units
        self.origin = np.concatenate([coordinates.origin] * self.n_lanes)
        self.unit = np.concatenate([coordinates.unit] * self.n_lanes)
        capacity = self.rows.capacity
        y, weight = np.empty((self.y.shape[1], capacity)), np.ones(capacity)
        p, slopes = np.empty((2, self.n_responses, capacity))
        self.y_block, self.weight_block, self.p, self.slopes = y, weight, p, slopes
        self.factors = np.empty(self.n_responses)
        self.n_factored = 0
        self.loss = problem.loss.kernel(self.n_outputs)
        self.loss.bind(y, p, weight, slopes)
        self.mark = 0
        # Where a batch has entries in most columns, listing them is no gain.
        self.local = (
            isinstance(self.rows, CSRRows)
            and self.rotation is None
            and (coordinates.shift is None or not np.any(coordinates.shift * coordinates.scale))
            and 2 * X.nnz * batch_size < X.shape[0] * X.shape[1]
            and not any(penalty.has_gradient or penalty.has_prox for penalty in penalties)
        )
        if self.local:
            self.where = np.empty(self.n_weights, dtype=np.intp)
            self.stamp = np.zeros(self.n_columns, dtype=np.intp)

    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil:
        if whole != self.n_factored:
            self.find_factors(whole)
        if count == 1 and self.n_responses == 1:
            # The compiler writes this again, without loops.
            return self.sum_blocks(order, begin, 1, 1, w, g)
        return self.sum_blocks(order, begin, count, self.n_responses, w, g)

    cdef void find_factors(self, Py_ssize_t whole) noexcept nogil:
        """Set the factors of the slopes in a batch of `whole` rows."""
        cdef Py_ssize_t k
        self.n_factored = whole
        for k in range(self.n_responses):
            self.factors[k] = self.unit[k] * self.per_scale[k] / whole

    cdef inline int sum_blocks(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t n_responses,
        const double *w, double *g,
    ) except -1 nogil:
        """`sum_rows`, block by block."""
        cdef Py_ssize_t lane, rows, done = 0
        cdef bint cleared
        for lane in range(1 if n_responses == 1 else self.n_lanes):
            self.total[lane] = self.scaled[lane] = 0
        cleared = (self.local or self.n_where >= 0) and self.forget_touched(g)
        if self.rows.begin(w, self.n_factored) and g != NULL and not cleared:
            memset(g, 0, self.n_lanes * self.n_weights * sizeof(double))
        while done < count:
            rows = 1 if count == 1 else min(self.rows.capacity, count - done)
            self.add_block(order, begin + done, rows, n_responses, g)
            done += rows
        if not self.leaves_rest:
            for lane in range(1 if n_responses == 1 else self.n_lanes):
                self.add_rest(lane)
        if self.local and g != NULL:
            self.repeat_for_outputs()
        return 0

    cdef inline void add_rest(self, Py_ssize_t lane) noexcept nogil:
        """Add to the sums of a lane what the loss has left to `rest`."""
        cdef double rest = self.rest(lane)
        self.total[lane] += rest
        self.scaled[lane] += rest * self.per_scale[lane * self.n_outputs]

    cdef bint forget_touched(self, double *g) noexcept nogil:
        """Set to zero what the last sparse batch has touched in `g`, a few entries only.

        False if the last batch has not listed what it touched.
        """
        cdef Py_ssize_t i, lane
        cdef bint listed = self.n_where >= 0
        if g != NULL:
            for lane in range(self.n_lanes):
                for i in range(self.n_where):
                    g[lane * self.n_weights + self.where[i]] = 0
        self.rows.local = self.local
        self.n_where = 0 if self.local else -1
        self.mark += 1
        return listed

    cdef inline int add_block(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows, Py_ssize_t n_responses,
        double *g,
    ) except -1 nogil:
        """Add the losses of a block to the sums of the lanes, and its gradient to `g`."""
        self.predict(order, begin, rows, n_responses)
        self.add_losses(order != NULL, rows, n_responses)
        if g != NULL:
            self.add_gradients(rows, n_responses, g)
        return 0

    cdef double rest(self, Py_ssize_t lane) noexcept nogil:
        return self.loss.rest(lane * self.n_outputs)

    cdef void add_sums(self, LaneObjective other) noexcept nogil:
        LaneObjective.add_sums(self, other)
        self.rows.add_sums((<LinearObjective> other).rows)

    cdef inline void predict(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows, Py_ssize_t n_responses
    ) noexcept nogil:
        """Fill a block: predictions, in the units of the targets, targets and weights."""
        cdef Py_ssize_t i, k
        self.rows.forward(order, begin, rows, &self.p[0, 0], <int> self.p.shape[1])
        self.gather_targets(order, begin, rows, 1 if n_responses == 1 else self.y.shape[1])
        if self.in_units:
            for k in range(n_responses):
                for i in range(rows):
                    self.p[k, i] = self.origin[k] + self.unit[k] * self.p[k, i]
        if self.weight is not None:
            # The prediction of a row without weight may be infinite; zero times it is not zero.
            for i in range(rows):
                if self.weight_block[i] == 0:
                    for k in range(n_responses):
                        self.p[k, i] = 0

    cdef inline int add_losses(
        self, bint shuffled, Py_ssize_t rows, Py_ssize_t n_responses
    ) except -1 nogil:
        """Add the losses of a block of predictions to the sums of the lanes."""
        cdef Py_ssize_t lane, k, first, share
        cdef Py_ssize_t n_lanes = 1 if n_responses == 1 else self.n_lanes
        cdef Py_ssize_t n_outputs = 1 if n_responses == 1 else self.n_outputs
        cdef double total
        for lane in range(n_lanes):
            first = lane * n_outputs
            if shuffled and n_lanes > 1:
                # Memory is idle meanwhile: each lane prefetches a part of the next block.
                share = (rows + n_lanes - 1) // n_lanes
                self.rows.fetch(lane * share, share)
            total = self.loss.evaluate(first, n_outputs, rows)
            self.total[lane] += total
            if n_outputs == 1:
                self.scaled[lane] += total * self.per_scale[first]
            elif self.in_units:
                for k in range(first, first + n_outputs):
                    self.scaled[lane] += self.loss.totals[k] * self.per_scale[k]
            else:
                self.scaled[lane] += total
        return 0

    cdef inline void add_gradients(
        self, Py_ssize_t rows, Py_ssize_t n_responses, double *g
    ) noexcept nogil:
        """Add the gradient of a block to the sums of the lanes."""
        self.rows.backward(&self.slopes[0, 0], &self.factors[0], <int> self.p.shape[1], g)
        if self.local:
            self.n_where = self.rows.touch(
                &self.where[0], self.n_where, &self.stamp[0], self.mark
            )

    cdef inline void gather_targets(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows, Py_ssize_t n_targets
    ) noexcept nogil:
        """Copy the targets and the weights of a block, and prefetch those of the next one."""
        cdef Py_ssize_t i, k
        # Those of the next block, which are needed when this one has been multiplied.
        cdef Py_ssize_t ahead = begin + max(rows, AHEAD)
        cdef const double *y = &self.y[0, 0]
        cdef const double *weight
        cdef double *target
        if order != NULL and ahead + rows <= self.n_ordered:
            for i in range(rows):
                SK_GD_PREFETCH(y + order[ahead + i] * n_targets)
        for k in range(n_targets):
            target = &self.y_block[k, 0]
            if order == NULL:
                for i in range(rows):
                    target[i] = y[(begin + i) * n_targets + k]
            else:
                for i in range(rows):
                    target[i] = y[order[begin + i] * n_targets + k]
        if self.weight is not None:
            weight = &self.weight[0]
            target = &self.weight_block[0]
            for i in range(rows):
                target[i] = weight[begin + i if order == NULL else order[begin + i]]

    cdef void repeat_for_outputs(self) noexcept nogil:
        """List the touched columns for every output: a column is touched in all of them."""
        cdef Py_ssize_t i, k, found = self.n_where
        for k in range(1, self.n_outputs):
            for i in range(found):
                self.where[k * found + i] = self.where[i] + k * self.n_columns
        self.n_where = found * self.n_outputs


def make_rows(X, coordinates, level, batch_size, order):
    """Rows of a dense or CSR `X`, in blocks that fit the cache and the batch."""
    kind, width = DenseRows, X.shape[1]
    if sp.issparse(X):
        kind, width = CSRRows, X.nnz // X.shape[0]
        if len(level) >= MANY and width * batch_size > 2 * X.shape[1]:
            kind = ManyOutputRows
    elif batch_size == len(level) == 1:
        kind = SingleRows
    # Blocks of about the same size: none is a small rest.
    n_blocks = -(-batch_size // max(FEWEST, BLOCK // max(width, 1)))
    capacity = -(-batch_size // n_blocks)
    if n_blocks > 1:
        capacity += -capacity % VECTOR
    return kind(
        X,
        coordinates.shift,
        coordinates.scale,
        level,
        coordinates.intercept,
        capacity,
        order,
    )
