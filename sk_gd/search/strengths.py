"""A path of runs that differ in the strength of a ridge penalty: each begins near its minimum."""

from typing import NamedTuple

import numpy as np

from ..objectives.caching import cached_property
from ..objectives.hessian import LossHessian, hessian_of_constant, inverse_of, learned
from ..penalties import ElasticNet

# If a run that follows its neighbour takes more epochs, the pairs of L-BFGS know little of the way
# to its minimum. How the minimum has moved before says more.
FEW_EPOCHS = 12
# The Hessian is computed again if the last run took more epochs than these, and if the rows have no
# more numbers and columns: it costs about as much as five epochs.
QUICK, NUMBERS, COLUMNS = 3, 1 << 17, 64
# Its inverse costs less than the epochs that it saves with so many columns.
MOST_COLUMNS = 128
# A run begins at the last minimum if it expects to lower the objective by no more than this share
# from there.
NEAR = 0.1
# The first pairs of a run from zero know too little of the curvature to say what is left to gain.
ENOUGH_PAIRS = 3
# A run begins no farther from the last minimum than this multiple of its length: an exponential
# loss may be infinite there.
LONGEST = 4.0


class Minimum(NamedTuple):
    """Where a run of the path has ended: the strength of its penalty, and its weights."""

    strength: float
    weights: np.ndarray


class Path:
    """A path from the strongest penalty, with which the minimum is found the soonest.

    Parameters
    ----------
    data : Data
        What the runs are trained on.
    optimizer : Optimizer
        That of all runs; its rule can follow.
    n_runs : int
        How many runs there are.
    max_iter : int
        The most epochs of a run.
    """

    def __init__(self, data, optimizer, n_runs, max_iter):
        self.data = data
        self.optimizer = optimizer
        # A run that is stopped early is to be what a fit by itself is.
        self.goes_on = n_runs > 1
        coordinates, n_columns = data.coordinates, data.coordinates.n_columns
        self.by_newton = (
            self.goes_on
            and max_iter > FEW_EPOCHS
            and coordinates.n_outputs == 1
            and coordinates.axes is None
            and n_columns <= MOST_COLUMNS
        )
        self.is_quadratic = data.problem.loss.quadratic
        self.hessian_at = self.hessian = None
        if self.by_newton and n_columns <= COLUMNS and data.n * n_columns <= NUMBERS:
            self.hessian_at = LossHessian(data)
        elif self.by_newton and data.problem.joins:
            self.hessian = hessian_of_constant(data)
        self.before = None
        self.minima = []
        self.is_slow = False

    @cached_property
    def _ridge(self):
        """The Hessian of a ridge penalty of strength one."""
        coordinates = self.data.coordinates
        curvature = ElasticNet(1.0).curvature(*coordinates.weight_scales())
        return coordinates.curved(np.eye(coordinates.n_columns), curvature)

    def begin(self, run):
        """Have a run begin where the minimum is expected."""
        before = self.before
        if before is None:
            self._begin_first(run)
        elif before.error is not None or not before.is_settled:
            # Nobody knows where.
            run.begin(self.optimizer)
            self.minima, self.hessian_at, self.hessian = [], None, None
        elif not self._begin_by_newton(run):
            guess = None
            if self.is_slow and len(self.minima) > 1:
                guess = further(*self.minima[-2:], run.config.penalty.alpha)
            run.follow(before, guess)

    def end(self, run):
        """Note where a run has ended."""
        epochs, before = run.history.n_epochs, self.before
        self.is_slow |= before is not None and epochs > FEW_EPOCHS
        self.before = run
        if run.error is not None or not run.is_settled:
            return
        self.minima.append(Minimum(run.config.penalty.alpha, run.lane.model()))
        if self.hessian is not None and not self.is_quadratic:
            if epochs > (FEW_EPOCHS if self.hessian_at is None else QUICK):
                self.hessian = None
            else:
                ridge = run.config.penalty.ridge * self._ridge
                rule = run.lane.rule
                pairs = [rule.arrays[name][rule.kept()] for name in "sy"]
                self.hessian = learned(self.hessian + ridge, pairs) - ridge

    def _begin_first(self, run):
        run.begin(self.optimizer)
        if not self.goes_on:
            return
        run.lane.rule.enough = ENOUGH_PAIRS
        inverse = self._inverse(run, run.start)
        if inverse is not None:
            run.begin_at(run.start, run.lane, inverse)

    def _begin_by_newton(self, run):
        """Have a run begin where Newton's method expects its minimum; whether it does."""
        before, last = self.before, self.minima[-1]
        w, inverse, step = last.weights, None, None
        if self.hessian is not None:
            # At the minimum the gradient becomes that of the penalty that is added.
            added = run.config.penalty.ridge - before.config.penalty.ridge
            inverse = self._inverse(run, w)
            if inverse is None:
                return False
            slope = added * (self._ridge @ w)
            step = -(inverse @ slope)
            gain = -0.5 * (step @ slope) * run.config.loss_unit
            if not (self.is_quadratic or gain <= NEAR * abs(before.history.loss_curve[-1])):
                step = None
        elif self.hessian_at is None:
            return False
        if step is None:
            towards = before.config.penalty.ridge * (self._ridge @ w)
            step = onward(last, before.lane.rule.newton_step(towards), run.config.penalty.alpha)
        start = w + step
        if inverse is None:
            inverse = self._inverse(run, start)
            if inverse is None:
                return False
        run.begin_at(start, before.lane, inverse)
        return True

    def _inverse(self, run, weights):
        """The inverse of the Hessian at these weights, about; None if it is not known."""
        if self.hessian is None and self.hessian_at is not None:
            self.hessian = self.hessian_at(weights)
        if self.hessian is None:
            return None
        return inverse_of(self.hessian + run.config.penalty.ridge * self._ridge)


def onward(last, tangent, strength):
    """How far a minimum is, about, from the last one, which is that of another strength.

    The path of the minima is straightest in the logarithm of the strength. `tangent` is the
    derivative of the last one in that.
    """
    if not strength > 0:
        return 0.0
    step = np.log(strength / last.strength) * tangent
    return step if step @ step <= LONGEST**2 * (last.weights @ last.weights) else 0.0


def further(earlier, last, strength):
    """By how much a minimum moves, about, from the last of two strengths to the next one.

    The strengths decrease. None if they say nothing.
    """
    if not earlier.strength > last.strength > strength > 0:
        return None
    # It moves as far as before if the strength changes by the same factor.
    share = np.log(strength / last.strength) / np.log(last.strength / earlier.strength)
    return min(1.0, share) * (last.weights - earlier.weights)
