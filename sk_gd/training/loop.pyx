# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The training loop: batches × lanes of one epoch, without the GIL."""

import numpy as np

cimport cython
from libc.math cimport fabs, isfinite
from cpython.exc cimport PyErr_CheckSignals
from libc.stdlib cimport free, malloc
from libc.time cimport CLOCKS_PER_SEC, clock, clock_t

from sk_gd.objectives.base cimport Objective
from sk_gd.objectives.lanes cimport LaneObjective
from sk_gd.optimizers.base cimport Rule
from sk_gd.penalties.base cimport PenaltyKernel

from ..aligned import aligned

# Exponent of the polynomial-decay average (Shamir & Zhang, 2013). Whenever training stops, the
# last tenth or so of the steps have most of the weight.
cdef double FORGET = 8


# The clock is read after so many rows. Signals such as Ctrl-C are checked after so many seconds,
# since that needs the GIL, which another thread may have.
cdef Py_ssize_t ROWS_BETWEEN_CHECKS = 1 << 15
cdef double SECONDS_BETWEEN_CHECKS = 0.1


cdef struct SignalCheck:
    Py_ssize_t rows
    clock_t time


cdef inline int check_signals(SignalCheck *last, Py_ssize_t rows) except -1 nogil:
    """Raise what a signal asks for, such as KeyboardInterrupt, after `rows` more rows."""
    cdef clock_t now
    last.rows += rows
    if last.rows < ROWS_BETWEEN_CHECKS:
        return 0
    last.rows = 0
    now = clock()
    if last.time == 0:
        # Not at the beginning: an epoch of few rows takes hardly longer than to read the clock.
        last.time = now
    elif now - last.time > SECONDS_BETWEEN_CHECKS * CLOCKS_PER_SEC:
        last.time = now
        with gil:
            PyErr_CheckSignals()
    return 0


@cython.final
cdef class BatchObjective(Objective):
    """What the rule of one lane may ask about the current batch, and about all the data."""

    cdef LaneObjective whole
    cdef LaneObjective shared
    cdef Py_ssize_t lane
    cdef bint known
    cdef PenaltyKernel penalty
    cdef double[::1] sizes
    cdef const Py_ssize_t *order
    cdef Py_ssize_t n
    cdef Py_ssize_t begin
    cdef Py_ssize_t count
    cdef Py_ssize_t n_steps
    cdef bint new
    cdef SignalCheck last_check

    def __init__(self, LaneObjective whole not None, PenaltyKernel penalty not None):
        if whole.n_lanes != 1 or penalty.n != whole.n_weights:
            raise ValueError(
                f"A lane asks an objective of its own weights. Got {whole.n_lanes} lanes of "
                f"{whole.n_weights} weights, and a penalty of {penalty.n}."
            )
        self.whole = whole
        self.penalty = penalty
        self.sizes = np.empty(whole.n_weights if penalty.has_prox else 0)
        self.new = True

    cdef double here(self) except? -1 nogil:
        # Most rules never ask, so the penalty is not computed before they do.
        if not self.known:
            self.known = True
            self.f = self.shared.value(self.lane, self.count)
        return self.f

    cdef double value(self, double[::1] w) except? -1 nogil:
        self.ask()
        self.whole.evaluate(1, self.order, self.begin, self.count, &w[0], NULL)
        return self.whole.value(0, self.count)

    cdef double gradient(self, double[::1] w, double[::1] out) except? -1 nogil:
        self.ask()
        self.whole.evaluate(1, self.order, self.begin, self.count, &w[0], &out[0])
        return self.whole.value(0, self.count)

    cdef double full_gradient(self, double[::1] w, double[::1] out) except? -1 nogil:
        self.ask()
        self.whole.evaluate(1, self.order, 0, self.n, &w[0], &out[0])
        return self.whole.value(0, self.n)

    cdef int ask(self) except -1 nogil:
        """Count an evaluation, and keep the value at the point of the rule before it is lost."""
        self.here()
        self.asked += 1
        check_signals(&self.last_check, self.count)
        return 0

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


@cython.final
cdef class Lane:
    """One model in training: its weights, the run of its rule, its average.

    Attributes
    ----------
    w : ndarray of shape (n_weights,)
        The iterate, in the optimizer's coordinates.
    average : ndarray of shape (n_weights,) or None
        Polynomial-decay average of the iterates; None if there is none yet.
    averaged : int
        Iterates in the average.
    loss : float
        Weighted sum of the loss over the rows of the last epoch. The loss of a batch is that
        before its step.
    penalty_value : float
        The penalty at the point of the last gradient of the epoch.
    minimised : float
        What the rule minimises, there: the mean loss of the last batch and the smooth part of the
        penalty, with those of each output divided by its loss scale.
    alive : bool
        False once the loss was not finite.
    evaluations : int
        How often the objective was evaluated on a batch in the last epoch.
    continues : bool
        Whether the data are known to be those of the last step.
    """

    cdef public Rule rule
    cdef public PenaltyKernel penalty
    cdef public BatchObjective objective
    cdef public double[::1] w
    cdef public double[::1] average
    cdef public Py_ssize_t averaged
    cdef public double loss
    cdef public double penalty_value
    cdef public double minimised
    cdef public bint alive
    cdef public Py_ssize_t evaluations
    cdef public bint continues
    cdef double[::1] rates
    cdef double[::1] point
    cdef double[::1] reported
    # A local rule needs nothing but one gradient, at w.
    cdef bint steps_only

    def __init__(self, Rule rule not None, w):
        if np.shape(w) != (rule.n,):
            raise ValueError(
                f"The rule of {type(rule.optimizer).__name__} is of {rule.n} weights. It cannot "
                f"train weights of shape {np.shape(w)}: rule(n) must make a rule of n weights."
            )
        self.rule = rule
        self.w = aligned(w)
        self.point = aligned(w)
        self.average = None
        self.averaged = 0
        self.loss = self.penalty_value = self.minimised = 0.0
        self.alive = True
        self.continues = False
        self.steps_only = rule.local

    def connect(self, LaneObjective objective not None):
        """Let the rule ask `objective`, a LaneObjective that has this lane only."""
        objective.local = objective.local and self.steps_only
        self.objective = BatchObjective(objective, self.penalty)
        self.objective.new = not self.continues

    def reconnect(self):
        """Let the rule ask the same objective, now with the penalty of the lane; return it."""
        cdef LaneObjective whole = self.objective.whole
        whole.take([self.penalty])
        self.connect(whole)
        return whole

    def value_at(self, double[::1] w, rows, Py_ssize_t n):
        """F at the weights `w` on all `n` rows that the lane is connected to, in this order."""
        cdef const Py_ssize_t[::1] order = rows
        cdef LaneObjective whole = self.objective.whole
        if w.shape[0] != whole.n_weights:
            raise ValueError(f"w must have {whole.n_weights} weights")
        whole.check_rows(order, n)
        cdef const Py_ssize_t *first = NULL
        if order is not None:
            first = &order[0]
        with nogil:
            whole.evaluate(1, first, 0, n, &w[0], NULL)
        return whole.total[0] / n + whole.penalty_value(0)

    def begin_average(self):
        """Average the iterates from the next step on."""
        self.average = aligned(np.zeros(self.w.shape[0]))
        self.reported = np.empty(self.w.shape[0])

    def check(self, LaneObjective objective not None):
        """Raise a ValueError unless every array of the lane has the weights of `objective`."""
        if self.rule is None or self.penalty is None or self.objective is None or self.w is None:
            raise ValueError("A lane needs a rule, a penalty, weights, and an objective to ask.")
        cdef Py_ssize_t n = objective.n_weights
        if not (
            n == self.w.shape[0] == self.point.shape[0] == self.rule.n == self.penalty.n
            == self.objective.whole.n_weights
            and (self.average is None or n == self.average.shape[0] == self.reported.shape[0])
        ):
            raise ValueError(
                f"All arrays of a lane must have {n} weights, as the objective. Got "
                f"{self.w.shape[0]} weights, a rule of {self.rule.n}, a penalty of "
                f"{self.penalty.n}, or another array of a lane or objective like them."
            )
        if self.objective.whole.n_ordered != objective.n_ordered:
            raise ValueError("The objective that a lane asks must have the same rows.")

    def transform(self, map):
        """Move everything that is a point in the space of the weights by `map`."""
        w = np.asarray(self.w)
        w[:] = map(w)
        for name in self.rule.positions:
            self.rule.arrays[name][:] = map(self.rule.arrays[name])
        if self.averaged:
            self.average = map(np.asarray(self.average))

    def is_within(self, double limit):
        """Whether all weights are numbers, and no larger than `limit`."""
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
            # The average of a weight that becomes zero only approaches zero.
            weights[self.rule.at_zero(w, self.penalty)] = 0
        return weights

    cdef int begin_epoch(
        self, LaneObjective shared, Py_ssize_t lane, double[::1] rates, double[::1] g,
        const Py_ssize_t *order, Py_ssize_t n,
    ) except -1:
        """Prepare an epoch with these learning rates and this buffer for gradients."""
        self.rates = rates
        self.loss = 0
        self.objective.shared = shared
        self.objective.lane = lane
        self.objective.g = g
        self.objective.order = order
        self.objective.n = n
        self.objective.n_steps = rates.shape[0]
        self.objective.asked = 0
        return 0

    cdef int finish_epoch(self) except -1:
        """Count the evaluations of the epoch."""
        self.evaluations = self.rates.shape[0] + self.objective.asked
        self.objective.new = False
        self.continues = True
        return 0

    cdef const double *gradient_point(self) noexcept nogil:
        """The point at which the lane wants its gradient."""
        if not self.steps_only and self.rule.probe(self.w, self.point):
            return &self.point[0]
        return &self.w[0]

    cdef void write_point(self, double[::1] row) noexcept nogil:
        """Write that point into `row`."""
        if not self.rule.probe(self.w, row):
            row[:] = self.w

    cdef inline int finish_batch(
        self, LaneObjective objective, Py_ssize_t lane, Py_ssize_t batch, Py_ssize_t begin,
        Py_ssize_t count,
    ) except -1 nogil:
        """One step, given the loss and (in `objective.g` of the lane) the gradient."""
        self.loss += objective.total[lane]
        if not isfinite(self.loss):
            self.alive = False
            return 0
        if batch == self.rates.shape[0] - 1:
            self.penalty_value = objective.penalty_value(lane)
            self.minimised = objective.value(lane, count)
        if not self.steps_only:
            self.objective.known = False
            self.objective.begin = begin
            self.objective.count = count
        return self.advance(objective, self.rates[batch])

    cdef inline int advance(self, LaneObjective objective, double lr) except -1 nogil:
        """The step of the rule, the proximal step of the penalty, and the average."""
        cdef Py_ssize_t j
        cdef double share
        self.rule.t += 1
        if objective.local:
            self.rule.step_at(self.w, self.objective.g, lr, objective.where, objective.n_where)
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


cdef struct Epoch:
    void **lane_of
    const Py_ssize_t *order
    Py_ssize_t n
    Py_ssize_t batch_size
    double *gradients


cdef inline int take_batches(
    Epoch *epoch, LaneObjective objective, Py_ssize_t n_lanes, double[:, ::1] points
) except -1 nogil:
    """Take every lane that is alive through all batches."""
    cdef Py_ssize_t batch, begin, count, lane, n_alive
    cdef const double *at
    cdef SignalCheck last_check
    last_check.rows = last_check.time = 0
    for batch in range((epoch.n + epoch.batch_size - 1) // epoch.batch_size):
        begin = batch * epoch.batch_size
        count = min(epoch.batch_size, epoch.n - begin)
        if n_lanes == 1:
            at = (<Lane> epoch.lane_of[0]).gradient_point()
        else:
            for lane in range(n_lanes):
                (<Lane> epoch.lane_of[lane]).write_point(points[lane])
            at = &points[0, 0]
        objective.evaluate(n_lanes, epoch.order, begin, count, at, epoch.gradients)
        n_alive = 0
        for lane in range(n_lanes):
            if (<Lane> epoch.lane_of[lane]).alive:
                (<Lane> epoch.lane_of[lane]).finish_batch(objective, lane, batch, begin, count)
                n_alive += (<Lane> epoch.lane_of[lane]).alive
        if n_alive == 0:
            break
        check_signals(&last_check, count)
    return 0


def check_epoch(LaneObjective objective not None, list lanes not None, list rates not None, order,
                Py_ssize_t n, Py_ssize_t batch_size):
    """Raise a ValueError unless `run_epoch` can be given these: it trusts their lengths."""
    cdef Py_ssize_t lane
    cdef Lane one
    if batch_size < 1 or not len(lanes) == len(rates) == objective.n_lanes:
        raise ValueError(
            f"An epoch of {objective.n_lanes} lanes needs as many rates, and rows in a batch. Got "
            f"{len(lanes)} lanes, {len(rates)} rates and {batch_size} rows instead."
        )
    objective.check_rows(order, n)
    for lane in range(len(lanes)):
        one = lanes[lane]
        one.check(objective)
        if len(rates[lane]) != (n + batch_size - 1) // batch_size:
            raise ValueError("The learning rates of an epoch are one for every batch.")


def run_epoch(LaneObjective objective, list lanes, list rates, order, Py_ssize_t n,
              Py_ssize_t batch_size):
    """Take every lane through one epoch: all batches of `n` rows.

    Parameters
    ----------
    objective : LaneObjective
        With as many lanes.
    lanes : list of Lane
        Changed in place.
    rates : list of ndarray
        For each lane the learning rate of every batch.
    order : ndarray of intp or None
        The rows in the order of this epoch; None for the order in which they are stored.
    n, batch_size : int
        Rows of the epoch, and of a batch; the last batch has what is left.
    """
    check_epoch(objective, lanes, rates, order, n, batch_size)
    cdef Py_ssize_t lane, n_lanes = len(lanes)
    cdef const Py_ssize_t[::1] rows = order
    cdef double[:, ::1] points = None
    cdef double[:, ::1] gradients = objective.zeros()
    cdef Lane one
    cdef Epoch epoch
    epoch.order = NULL
    if order is not None:
        epoch.order = &rows[0]
    epoch.n, epoch.batch_size = n, batch_size
    epoch.gradients = NULL
    epoch.lane_of = <void **> malloc(n_lanes * sizeof(void *))
    if epoch.lane_of == NULL:
        raise MemoryError
    if n_lanes > 1:
        points = np.empty((n_lanes, objective.n_weights))
    try:
        objective.leaves_rest = True
        for lane in range(n_lanes):
            one = lanes[lane]
            epoch.lane_of[lane] = <void *> one
            objective.leaves_rest = objective.leaves_rest and one.steps_only
            objective.rest(lane)  # of an epoch that was interrupted
            one.begin_epoch(objective, lane, rates[lane], gradients[lane], epoch.order, n)
            if one.rule.needs_gradient():
                epoch.gradients = &gradients[0, 0]
            objective.local = objective.local and one.rule.local and one.average is None
        with nogil:
            if n_lanes == 1:
                # The compiler writes this again, without loops over lanes.
                take_batches(&epoch, objective, 1, points)
            else:
                take_batches(&epoch, objective, n_lanes, points)
    finally:
        free(epoch.lane_of)
        objective.leaves_rest = False
    for lane, one in enumerate(lanes):
        one.loss += objective.rest(lane)
        one.alive = one.alive and isfinite(one.loss)
        one.finish_epoch()
