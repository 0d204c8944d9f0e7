# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The objective of models that are trained side by side, without the data."""

import numpy as np

from libc.math cimport fabs, sqrt
from libc.stdlib cimport free, malloc
from scipy.linalg.cython_blas cimport dgemm, dnrm2

from sk_gd.objectives.order cimport are_rows
from sk_gd.objectives.rows cimport ROUNDING
from sk_gd.penalties.base cimport PenaltyKernel

from ..aligned import aligned


cdef class LaneObjective:
    """F of one or many lanes on a batch: penalties, values, and the rotation of the weights.

    A lane is one model in training: `n_outputs` rows of `n_columns` weights. All lanes are in the
    same coordinates. A subclass has the data. Its `sum_rows` sums the gradients of the rows, and
    their losses into `total` and `scaled`. Its `rows` convert these sums to the optimizer's
    coordinates.

    Parameters
    ----------
    coordinates : Coordinates
        How the optimizer's coordinates relate to the features and the targets.
    penalties : list of PenaltyKernel
        The penalty of each lane, in those coordinates.

    Attributes
    ----------
    n_lanes, n_outputs, n_responses : int
        Lanes, outputs of a lane, and their product: the predictions of a row.
    total : ndarray of shape (n_lanes,)
        Weighted sum of the loss over the batch.
    scaled : ndarray of shape (n_lanes,)
        The same, with the loss of each output divided by its loss scale.
    last_points : pointer to (n_lanes, n_weights)
        The weights of the columns at the last evaluation.
    leaves_rest : bool
        Whether `total` may leave a part of the loss to `rest`, which saves logarithms.
    local : bool
        Whether only the entries of the gradients that are listed in `where` are not zero.
    """

    def __init__(self, coordinates, list penalties):
        self.n_lanes = len(penalties)
        # A subclass that has rows says how many there are, and how many the order has.
        self.n_rows = self.n_ordered = -1
        self.penalty = <void **> malloc(self.n_lanes * sizeof(void *))
        if self.penalty == NULL:
            raise MemoryError
        self.n_outputs = coordinates.n_outputs
        self.n_responses = self.n_lanes * self.n_outputs
        self.n_columns = coordinates.n_columns
        self.n_weights = self.n_outputs * self.n_columns
        self.per_scale = np.concatenate([1 / coordinates.loss_scale] * self.n_lanes)
        for name in ("origin", "unit", "loss_scale"):
            if getattr(coordinates, name).shape != (self.n_outputs,):
                raise ValueError(f"Coordinates of {self.n_outputs} outputs need a {name} for each.")
        self.take(penalties)
        # How large predictions are, in the units of the optimizer.
        level = 1 + np.abs(coordinates.origin) / coordinates.unit
        self.level = np.concatenate([level] * self.n_lanes)
        self.rotation = coordinates.rotation
        if self.rotation is not None:
            if np.shape(self.rotation) != (self.n_columns, self.n_columns):
                raise ValueError(f"A rotation of {self.n_columns} columns is a square matrix.")
            self.lengths = np.linalg.norm(coordinates.rotation, axis=0)
            self.rotated = np.empty((self.n_lanes, self.n_weights))
            self.rotated_gradients = np.empty((self.n_lanes, self.n_weights))
        self.buffer = None
        self.total = np.zeros(self.n_lanes)
        self.scaled = np.zeros(self.n_lanes)
        self.local = False
        self.leaves_rest = False
        self.n_where = -1

    def __dealloc__(self):
        free(self.penalty)

    def take(self, list penalties):
        """Use these penalties, one for each lane."""
        cdef Py_ssize_t lane
        if not 1 <= self.n_lanes == len(penalties) or any(
            each.n != self.n_weights for each in penalties
        ):
            raise ValueError(f"Lanes of {self.n_weights} weights need a penalty of as many each.")
        for lane in range(self.n_lanes):
            self.penalty[lane] = <void *> <PenaltyKernel?> penalties[lane]
        self.penalties = penalties

    cdef double[:, ::1] zeros(self):
        """A buffer of zeros for the gradients of all lanes, the same for every epoch."""
        if self.buffer is None:
            self.buffer = aligned(np.zeros((self.n_lanes, self.n_weights)))
        else:
            self.buffer[:] = 0
        return self.buffer

    def check_rows(self, const Py_ssize_t[::1] order, Py_ssize_t n):
        """Raise a ValueError unless these are the `n` rows of an epoch; without an order, all."""
        if self.n_rows < 0:
            return
        if n != self.n_ordered or n < 1 or (n > self.n_rows if order is None else (
            order.shape[0] != n or not are_rows(&order[0], n, self.n_rows)
        )):
            raise ValueError(
                f"An epoch has {self.n_ordered} rows of the {self.n_rows} that there are. Got "
                f"others: {n} rows, in the order {None if order is None else np.asarray(order)}."
            )

    cdef int sum_rows(
        self, const Py_ssize_t *order, Py_ssize_t begin, Py_ssize_t count, Py_ssize_t whole,
        const double *w, double *g,
    ) except -1 nogil:
        """Sum losses and gradients of order[begin:begin + count], rows of a batch of `whole`.

        `w` are the weights of the columns. The gradients `g` are means over the batch, in the
        coordinates of the rows; NULL if they are not wanted. Until `rows.collect(g)` the rows may
        hold a part of them.
        """
        return 0

    cdef double rest(self, Py_ssize_t lane) noexcept nogil:
        """The loss of a lane that `total` has left out since the last call, over all batches."""
        return 0

    cdef void add_sums(self, LaneObjective other) noexcept nogil:
        """Add the sums of other rows of the batch, but the gradients, to those of the last call."""
        cdef Py_ssize_t lane
        for lane in range(self.n_lanes):
            self.total[lane] += other.total[lane]
            self.scaled[lane] += other.scaled[lane]

    cdef const double *rotate_points(self, const double *points) noexcept nogil:
        """The points as weights of the columns, where there is a rotation."""
        self.rotate(b'T', points, &self.rotated[0, 0])
        return &self.rotated[0, 0]

    cdef double value(self, Py_ssize_t lane, Py_ssize_t count) except? -1 nogil:
        """The value of a lane's objective in the last `evaluate`, which was on `count` rows."""
        return (
            self.scaled[lane] / count
            + (<PenaltyKernel> self.penalty[lane]).smooth_value(
                self.last_points + lane * self.n_weights
            )
        )

    cdef double penalty_value(self, Py_ssize_t lane) except? -1 nogil:
        """The penalty of a lane at the points of the last `evaluate`."""
        return (<PenaltyKernel> self.penalty[lane]).value(
            self.last_points + lane * self.n_weights
        )

    cdef void drop_rounding(self, const double *g, double *rotated) noexcept nogil:
        """Set to zero what is only rounding in the rotated gradients; `g` is not rotated.

        In a direction in which the data do not vary the gradient is zero. The rotation computes
        it as a sum of terms that cancel.
        """
        cdef int n = <int> self.n_columns, one = 1
        cdef Py_ssize_t j, k
        cdef double size
        for k in range(self.n_responses):
            size = ROUNDING * (sqrt(n) * self.level[k] + dnrm2(&n, <double *> g, &one))
            for j in range(n):
                if fabs(rotated[j]) <= size * self.lengths[j]:
                    rotated[j] = 0
            g += n
            rotated += n

    cdef void rotate(self, char side, const double *source, double *target) noexcept nogil:
        """target = source · Rᵀ ('T': weights) or source · R ('N': gradients), row by row."""
        cdef int k = <int> self.n_columns, rows = <int> self.n_responses
        cdef double plus = 1, none = 0
        cdef char no = b'N'
        dgemm(
            &side, &no, &k, &rows, &k, &plus, <double *> &self.rotation[0, 0], &k,
            <double *> source, &k, &none, target, &k,
        )
