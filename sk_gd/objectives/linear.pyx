# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The linear objective: predictions of a block of rows, their losses, the gradient.

What is done here is the same for float32, float64, shuffled, dense and sparse
rows, and for one lane or many.
"""

import numpy as np

from libc.math cimport fabs, sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from scipy.linalg.cython_blas cimport dgemm, dnrm2

from sk_gd.losses.base cimport LossKernel
from sk_gd.objectives.rows cimport AHEAD, ROUNDING, SK_GD_PREFETCH
from sk_gd.penalties.base cimport PenaltyKernel

from .rows import CSRRows, make_rows


cdef class LinearObjective:
    """F of a linear model on the current batch, for one or many lanes at once.

    A lane is one model in training: `n_outputs` rows of `n_columns` weights.
    All lanes read the same rows, in the same coordinates, with one gather and
    one product.

    Parameters
    ----------
    X, y, weight : ndarray or CSR matrix, (n, n_targets) ndarray, (n,) ndarray or None
        Data; weights have mean one over the rows that are used.
    loss : LossKernel
        The formula of the loss.
    coordinates : Coordinates
        How the optimizer's coordinates relate to X and y.
    penalties : list of PenaltyKernel
        One a lane, in those coordinates.
    batch_size, n_ordered : int
        Rows a batch, and rows in an epoch's order.
    """

    def __init__(self, X, y, weight, LossKernel loss, coordinates, list penalties, batch_size,
                 n_ordered):
        cdef Py_ssize_t lane
        cdef PenaltyKernel penalty
        self.loss = loss
        self.penalties = penalties
        self.n_lanes = len(penalties)
        self.penalty = <void **> malloc(self.n_lanes * sizeof(void *))
        if self.penalty == NULL:
            raise MemoryError
        self.n_outputs = coordinates.n_outputs
        self.n_rows = self.n_lanes * self.n_outputs
        self.rows = make_rows(X, coordinates, self.n_lanes, batch_size, n_ordered)
        self.n_columns = self.rows.n_columns
        self.n_weights = self.n_outputs * self.n_columns
        self.y = y
        self.weight = weight
        self.in_units = coordinates.in_units
        self.origin = np.tile(coordinates.origin, self.n_lanes)
        self.unit = np.tile(coordinates.unit, self.n_lanes)
        self.loss_scale = np.tile(coordinates.loss_scale, self.n_lanes)
        self.rotation = coordinates.rotation
        capacity = self.rows.capacity
        self.y_block = np.empty((y.shape[1], capacity))
        self.weight_block = np.ones(capacity)
        self.p = np.empty((self.n_rows, capacity))
        self.slopes = np.empty((self.n_rows, capacity))
        self.loss.bind(self.y_block, self.p, self.weight_block, self.slopes)
        self.total = np.zeros(self.n_lanes)
        self.scaled = np.zeros(self.n_lanes)
        if self.rotation is not None:
            self.lengths = np.linalg.norm(coordinates.rotation, axis=0)
            self.rotated = np.empty((self.n_lanes, self.n_weights))
            self.rotated_gradients = np.empty((self.n_lanes, self.n_weights))
        self.where = np.empty(self.n_weights, dtype=np.intp)
        self.stamp = np.zeros(self.n_columns, dtype=np.intp)
        self.mark = 0
        self.n_where = -1
        # Where a batch has entries in most columns, listing them is no gain.
        self.local = (
            isinstance(self.rows, CSRRows)
            and self.rotation is None
            and 2 * X.nnz * batch_size < X.shape[0] * X.shape[1]
        )
        for lane in range(self.n_lanes):
            penalty = <PenaltyKernel?> penalties[lane]
            self.penalty[lane] = <void *> penalty
            self.local = self.local and not (penalty.has_gradient or penalty.has_prox)

    def __dealloc__(self):
        free(self.penalty)

    cdef int evaluate(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, const double *points,
        double *gradients,
    ) except -1 nogil:
        """Gradients of all lanes at `points` (lanes × weights) on order[begin:begin + count].

        `total` holds the weighted sum of the loss of each lane. Without a place
        for the gradients (NULL) that is all. While `local` holds, `gradients`
        must come in as the last call left it: only the entries listed in
        `where` are not zero.
        """
        cdef Py_ssize_t lane, i, k, rows, done = 0
        cdef int stride = <int> self.p.shape[1]
        cdef const double *w = points
        cdef double *g = gradients
        cdef double factor
        if self.rotation is not None:
            self.rotate(b'T', points, &self.rotated[0, 0])
            w = &self.rotated[0, 0]
            g = &self.rotated_gradients[0, 0]
        self.current = w
        for lane in range(self.n_lanes):
            self.total[lane] = self.scaled[lane] = 0
            for i in range(self.n_where):
                g[lane * self.n_weights + self.where[i]] = 0
        self.rows.local = self.local
        if self.rows.begin(w, count) and self.n_where < 0 and gradients != NULL:
            memset(g, 0, self.n_lanes * self.n_weights * sizeof(double))
        self.mark += 1
        self.n_where = 0 if self.local else -1
        while done < count:
            rows = min(self.rows.capacity, count - done)
            self.rows.forward(order, begin + done, rows, &self.p[0, 0], stride)
            self.gather_targets(order, begin + done, rows)
            if self.in_units:
                for k in range(self.n_rows):
                    for i in range(rows):
                        self.p[k, i] = self.origin[k] + self.unit[k] * self.p[k, i]
            if self.weight is not None:
                # A row that does not count must not, be its prediction infinite.
                for i in range(rows):
                    if self.weight_block[i] == 0:
                        for k in range(self.n_rows):
                            self.p[k, i] = 0
            self.add_losses(order, begin + done, rows)
            done += rows
            if gradients == NULL:
                continue
            for k in range(self.n_rows):
                factor = self.unit[k] / (self.loss_scale[k] * count)
                for i in range(rows):
                    self.slopes[k, i] *= factor
            self.rows.backward(&self.slopes[0, 0], stride, g)
            if self.local:
                self.n_where = self.rows.touch(
                    &self.where[0], self.n_where, &self.stamp[0], self.mark
                )
        if gradients == NULL:
            return 0
        self.rows.finish(g)
        if self.local:
            self.repeat_for_outputs()
        for lane in range(self.n_lanes):
            if (<PenaltyKernel> self.penalty[lane]).has_gradient:
                (<PenaltyKernel> self.penalty[lane]).add_gradient(
                    w + lane * self.n_weights, g + lane * self.n_weights
                )
        if self.rotation is not None:
            self.rotate(b'N', g, gradients)
            self.drop_rounding(g, gradients)
        return 0

    cdef int add_losses(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows
    ) except -1 nogil:
        """Add the losses of a block of predictions to the sums of the lanes."""
        cdef Py_ssize_t lane, k, first, share = (rows + self.n_lanes - 1) // self.n_lanes
        cdef double total
        for lane in range(self.n_lanes):
            first = lane * self.n_outputs
            if order != NULL and self.n_lanes > 1:
                # Memory has little else to do meanwhile: a part of the next block for each lane.
                self.rows.fetch(order, begin + rows + lane * share, share)
            total = self.loss.evaluate(first, self.n_outputs, rows)
            self.total[lane] += total
            if self.n_outputs == 1:
                self.scaled[lane] += total / self.loss_scale[first]
            elif self.in_units:
                for k in range(first, first + self.n_outputs):
                    self.scaled[lane] += self.loss.totals[k] / self.loss_scale[k]
            else:
                self.scaled[lane] += total
        return 0

    cdef double value(self, Py_ssize_t lane, Py_ssize_t count) except? -1 nogil:
        """What the last `evaluate` computed the gradient of, for a lane."""
        return (
            self.scaled[lane] / count
            + (<PenaltyKernel> self.penalty[lane]).smooth_value(
                self.current + lane * self.n_weights
            )
        )

    cdef double penalty_value(self, Py_ssize_t lane) except? -1 nogil:
        """The penalty of a lane at the points of the last `evaluate`."""
        return (<PenaltyKernel> self.penalty[lane]).value(self.current + lane * self.n_weights)

    cdef void gather_targets(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t rows
    ) noexcept nogil:
        cdef Py_ssize_t i, k, n_targets = self.y.shape[1]
        cdef Py_ssize_t known = min(rows, self.rows.n_ordered - begin - AHEAD)
        cdef const double *y = &self.y[0, 0]
        cdef const double *weight
        cdef double *target
        if order != NULL:
            for i in range(begin + AHEAD, begin + AHEAD + known):
                SK_GD_PREFETCH(y + order[i] * n_targets)
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
        """A column that is touched is touched in every output."""
        cdef Py_ssize_t i, k, found = self.n_where
        for k in range(1, self.n_outputs):
            for i in range(found):
                self.where[k * found + i] = self.where[i] + k * self.n_columns
        self.n_where = found * self.n_outputs

    cdef void drop_rounding(self, const double *g, double *rotated) noexcept nogil:
        """Zero what the rotation of the gradients `g` left of sums that cancel.

        Directions in which the data have no extent have no gradient either.
        """
        cdef int n = <int> self.n_columns, one = 1
        cdef Py_ssize_t j, k
        cdef double size
        for k in range(self.n_rows):
            size = ROUNDING * (sqrt(n) * self.rows.level[k] + dnrm2(&n, <double *> g, &one))
            for j in range(n):
                if fabs(rotated[j]) <= size * self.lengths[j]:
                    rotated[j] = 0
            g += n
            rotated += n

    cdef void rotate(self, char side, const double *source, double *target) noexcept nogil:
        """target = source · Rᵀ ('T': weights) or source · R ('N': gradients), row by row."""
        cdef int k = <int> self.n_columns, rows = <int> self.n_rows
        cdef double plus = 1, none = 0
        cdef char no = b'N'
        dgemm(
            &side, &no, &k, &rows, &k, &plus, &self.rotation[0, 0], &k, <double *> source, &k,
            &none, target, &k,
        )
