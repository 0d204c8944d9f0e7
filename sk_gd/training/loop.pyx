# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The one loop: batches × lanes of one epoch, without the GIL."""

import numpy as np

from libc.math cimport fabs, isfinite
from libc.stdlib cimport free, malloc

from sk_gd.objectives.base cimport Objective
from sk_gd.objectives.linear cimport LinearObjective
from sk_gd.optimizers.base cimport Rule
from sk_gd.penalties.base cimport PenaltyKernel

# Exponent of the polynomial-decay average: the last tenth or so of the steps
# carry most of the weight, whenever one stops (Shamir & Zhang, 2013).
cdef double FORGET = 8


cdef class BatchObjective(Objective):
    """What the rule of one lane may ask about the current batch, and about all the data."""

    cdef LinearObjective whole
    cdef PenaltyKernel penalty
    cdef double[::1] sizes
    cdef const Py_ssize_t *order
    cdef Py_ssize_t n
    cdef Py_ssize_t begin
    cdef Py_ssize_t count
    cdef Py_ssize_t n_steps
    cdef bint new

    def __init__(self, LinearObjective whole, PenaltyKernel penalty):
        self.whole = whole
        self.penalty = penalty
        self.sizes = np.empty(whole.n_weights if penalty.has_prox else 0)
        self.new = True

    cdef double value(self, double[::1] w) except? -1 nogil:
        self.asked += 1
        self.whole.evaluate(self.order, self.begin, self.count, &w[0], NULL)
        return self.whole.value(0, self.count)

    cdef double gradient(self, double[::1] w, double[::1] out) except? -1 nogil:
        self.asked += 1
        self.whole.evaluate(self.order, self.begin, self.count, &w[0], &out[0])
        return self.whole.value(0, self.count)

    cdef double full_gradient(self, double[::1] w, double[::1] out) except? -1 nogil:
        self.asked += 1
        self.whole.evaluate(self.order, 0, self.n, &w[0], &out[0])
        return self.whole.value(0, self.n)

    cdef int prox(self, double[::1] w, double step) except -1 nogil:
        if self.penalty.has_prox:
            self.sizes[:] = step
            self.penalty.prox(w, self.sizes)
        return 0

    cdef Py_ssize_t steps(self) noexcept nogil:
        return self.n_steps

    cdef bint begins_epoch(self) noexcept nogil:
        return self.begin == 0

    cdef bint begins_data(self) noexcept nogil:
        return self.new and self.begin == 0


cdef class Lane:
    """One model in training: its weights, the run of its rule, its average.

    Attributes
    ----------
    w : ndarray of shape (n_weights,)
        The iterate, in the optimizer's coordinates.
    average : ndarray of shape (n_weights,) or None
        Polynomial-decay average of the iterates; None as long as there is none.
    averaged : int
        Iterates in the average.
    loss : float
        Weighted sum of the loss over the rows of the last epoch, as seen.
    penalty_value : float
        The penalty where the last gradient of the epoch was taken.
    alive : bool
        False once the loss was not finite.
    evaluations : int
        How often the objective was evaluated on a batch in the last epoch.
    """

    cdef public Rule rule
    cdef public PenaltyKernel penalty
    cdef public BatchObjective objective
    cdef public double[::1] w
    cdef public double[::1] average
    cdef public Py_ssize_t averaged
    cdef public double loss
    cdef public double penalty_value
    cdef public bint alive
    cdef public Py_ssize_t evaluations
    cdef double[::1] rates
    cdef double[::1] point
    cdef double[::1] reported
    # A local rule asks for nothing but one gradient, at w: no need to let it.
    cdef bint steps_only

    def __init__(self, rule, w):
        self.rule = rule
        self.w = np.array(w, dtype=float)
        self.point = np.array(w, dtype=float)
        self.reported = np.empty(len(w))
        self.average = None
        self.averaged = 0
        self.loss = self.penalty_value = 0.0
        self.alive = True
        self.steps_only = rule.local

    def watch(self, objective):
        """Let the rule ask `objective`, which has this lane only."""
        objective.local = objective.local and self.steps_only
        self.objective = BatchObjective(objective, self.penalty)

    def begin_average(self):
        """Average the iterates from the next step on."""
        self.average = np.zeros(self.w.shape[0])

    def transform(self, map):
        """Move everything that is a point in the space of the weights by `map`."""
        w = np.asarray(self.w)
        w[:] = map(w)
        for name in self.rule.positions:
            self.rule.arrays[name][:] = map(self.rule.arrays[name])
        if self.averaged:
            self.average = map(np.asarray(self.average))

    def is_within(self, double limit):
        """Whether all weights are numbers, and no larger."""
        cdef Py_ssize_t j
        for j in range(self.w.shape[0]):
            if not fabs(self.w[j]) <= limit:
                return False
        return True

    def model(self):
        """The weights to predict with."""
        w = np.asarray(self.w)
        if self.averaged:
            weights = np.array(self.average)
        else:
            weights = self.rule.model(w)
        if self.penalty is not None and self.penalty.has_prox:
            # An average of weights that become zero only comes close to zero;
            # the iterate knows which of them are.
            weights[w == 0] = 0
        return weights

    cdef void place(self, double[::1] row) noexcept nogil:
        """Write the point at which the lane wants its gradient into `row`."""
        if not self.rule.probe(self.w, row):
            row[:] = self.w

    cdef int finish_batch(
        self, LinearObjective objective, Py_ssize_t lane, Py_ssize_t batch, Py_ssize_t begin,
        Py_ssize_t count,
    ) except -1 nogil:
        """One step, given the loss and (in `objective.g` of the lane) the gradient."""
        self.loss += objective.total[lane]
        self.alive = isfinite(self.loss)
        if not self.alive:
            return 0
        if batch == self.rates.shape[0] - 1:
            self.penalty_value = objective.penalty_value(lane)
        if not self.steps_only:
            self.objective.f = objective.value(lane, count)
            self.objective.begin = begin
            self.objective.count = count
        return self.advance(objective, self.rates[batch])

    cdef int advance(self, LinearObjective objective, double lr) except -1 nogil:
        cdef Py_ssize_t j
        cdef double share
        self.rule.t += 1
        if objective.local:
            self.rule.step_at(
                self.w, self.objective.g, lr, objective.where, objective.n_where
            )
        elif self.steps_only:
            self.rule.step(self.w, self.objective.g, lr)
        else:
            self.rule.advance(self.w, self.objective, lr)
        if self.penalty.has_prox:
            self.rule.proximal_step(self.w, self.penalty, lr)
        if self.average is not None:
            self.averaged += 1
            share = (FORGET + 1) / (FORGET + self.averaged)
            self.rule.report(self.w, self.reported)
            for j in range(self.w.shape[0]):
                self.average[j] += share * (self.reported[j] - self.average[j])
        return 0


def run_epoch(LinearObjective objective, list lanes, list rates, order, Py_ssize_t n,
              Py_ssize_t batch_size):
    """Take every lane through one epoch: all batches of `n` rows.

    Parameters
    ----------
    objective : LinearObjective
        With as many lanes.
    lanes : list of Lane
        Changed in place.
    rates : list of ndarray
        For each lane the learning rate of every batch.
    order : ndarray of intp or None
        The rows in the order of this epoch; None for as they are.
    n, batch_size : int
        Rows in the epoch, and in a batch; the last batch has what is left.
    """
    cdef Py_ssize_t n_lanes = len(lanes), lane, batch, begin, count, n_batches
    cdef Py_ssize_t n_alive
    cdef const Py_ssize_t[::1] rows = order
    cdef const Py_ssize_t *first_row = NULL if order is None else &rows[0]
    cdef double[:, ::1] stacked = np.empty((n_lanes if n_lanes > 1 else 0, objective.n_weights))
    cdef double[:, ::1] gradients = np.zeros((n_lanes, objective.n_weights))
    cdef const double *points
    cdef double *place = NULL
    cdef Lane one
    cdef void **lane_of = <void **> malloc(n_lanes * sizeof(void *))
    if lane_of == NULL:
        raise MemoryError
    n_batches = (n + batch_size - 1) // batch_size
    for lane in range(n_lanes):
        one = lanes[lane]
        lane_of[lane] = <void *> one
        one.rates = rates[lane]
        one.objective.g = gradients[lane]
        one.objective.order = first_row
        one.objective.n = n
        one.objective.n_steps = n_batches
        one.objective.asked = 0
        one.loss = 0
        if one.rule.needs_gradient():
            place = &gradients[0, 0]
        objective.local = (
            objective.local and one.rule.local and one.average is None
        )
    one = lanes[0]
    try:
        with nogil:
            for batch in range(n_batches):
                begin = batch * batch_size
                count = min(batch_size, n - begin)
                if n_lanes > 1:
                    for lane in range(n_lanes):
                        (<Lane> lane_of[lane]).place(stacked[lane])
                    points = &stacked[0, 0]
                else:
                    points = &one.w[0]
                    if not one.steps_only and one.rule.probe(one.w, one.point):
                        points = &one.point[0]
                objective.evaluate(first_row, begin, count, points, place)
                n_alive = 0
                for lane in range(n_lanes):
                    if (<Lane> lane_of[lane]).alive:
                        (<Lane> lane_of[lane]).finish_batch(objective, lane, batch, begin, count)
                        n_alive += (<Lane> lane_of[lane]).alive
                if n_alive == 0:
                    break
    finally:
        free(lane_of)
    for one in lanes:
        one.evaluations = n_batches + one.objective.asked
        one.objective.new = False
