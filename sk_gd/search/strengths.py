"""Regularization paths: runs with ever weaker ridge penalties; each begins near its minimum."""

from typing import NamedTuple

import numpy as np

from ..objectives.caching import cached_property
from ..objectives.hessian import LossHessian, hessian_of_constant, inverse_hessian, updated_by_bfgs
from ..penalties import ElasticNet

# If a run takes more epochs, the pairs of L-BFGS tell little about the way to the next minimum. How
# the minimum has moved before tells more.
FEW_EPOCHS = 12
# Up to so many columns, and weights, the Hessian at a minimum may be computed. If the rows have no
# more than so many numbers, this costs little, and is done again after a run of more than so many
# epochs.
RENEWED_COLUMNS, MOST_WEIGHTS, CHEAP_NUMBERS, QUICK_EPOCHS = 64, 128, 1 << 17, 3
# The inverse of the Hessian of an output costs less than it saves up to so many columns. It costs
# about as much as a pass if their cube is this multiple of the multiplications of a pass.
CHEAP_COLUMNS, INVERSE_IN_A_PASS = 128, 4
# Newton's step is taken if it is expected to lower the objective by no more than this share.
NEAR = 0.1
# With fewer pairs a run from zero knows too little of the curvature to say what is left to gain.
ENOUGH_PAIRS = 3
# A tangent step is no longer than this multiple of the length of the weights: an exponential loss
# may be infinite farther away.
LONGEST = 4.0


class Minimum(NamedTuple):
    """The minimum of a run: the strength of its penalty, and its weights."""

    strength: float
    weights: np.ndarray


def ridge_curvature(coordinates):
    """The second derivatives of a ridge penalty of strength one, before the rotation."""
    return ElasticNet(1.0).curvature(*coordinates.weight_scales())


class Curvature:
    """What is known of the Hessian of the loss along a path.

    Parameters
    ----------
    data : Data
        What the runs are trained on.

    Attributes
    ----------
    hessian : ndarray or None
        The approximate Hessian at the last minimum; None if it is not known.
    jumps : bool
        Whether it jumps, so that the one at the last minimum tells little about others.
    waits : bool
        Whether it is not computed before a run was slow: it costs more with several outputs, and
        with many rows, and most paths need no more than a `Preconditioner`.
    """

    def __init__(self, data):
        coordinates = data.coordinates
        self.hessian = None
        self.jumps = data.problem.loss.curvature_jumps
        self._is_cheap = data.n * coordinates.n_columns <= CHEAP_NUMBERS
        self.waits = self.jumps or coordinates.n_outputs > 1 or not self._is_cheap
        self._data = data

    @staticmethod
    def suits(data):
        """Whether Newton's steps are cheap."""
        coordinates, quadratic = data.coordinates, data.problem.loss.quadratic
        return (
            coordinates.axes is None
            and coordinates.n_outputs * coordinates.n_columns <= MOST_WEIGHTS
            # That of a quadratic is the same everywhere.
            and (coordinates.n_columns <= RENEWED_COLUMNS or quadratic)
        )

    @cached_property
    def _hessian_at(self):
        return LossHessian(self._data)

    @cached_property
    def ridge(self):
        """The Hessian of a ridge penalty of strength one."""
        curvature = ridge_curvature(self._data.coordinates)
        return self._data.coordinates.hessian_products(np.eye(len(curvature)), curvature)

    def renew(self, weights):
        """Compute the Hessian at these weights."""
        self.hessian = self._hessian_at(weights)

    def note(self, run):
        """Update the Hessian by the steps of a run, or forget it if the run was long."""
        if self.hessian is None or self._data.problem.loss.quadratic:
            return
        if run.history.n_epochs > (QUICK_EPOCHS if self._is_cheap else FEW_EPOCHS):
            self.hessian = None
            return
        ridge, rule = run.config.penalty.ridge * self.ridge, run.lane.rule
        pairs = [rule.arrays[name][rule.kept()] for name in "sy"]
        self.hessian = updated_by_bfgs(self.hessian + ridge, pairs) - ridge

    def inverse(self, strength):
        """The inverse with a ridge of this strength; None if it is not known."""
        if self.hessian is None:
            return None
        return inverse_hessian(self.hessian + strength * self.ridge)


class Preconditioner:
    """The Hessian where all predictions are equal: L-BFGS begins with it as long as it is fast.

    All strengths share the coordinates of a weak ridge, in which the curvature of a strong one
    differs by powers of ten. Of several outputs, each is taken by itself, with their mean.

    Parameters
    ----------
    data : Data
        What the runs are trained on.
    """

    def __init__(self, data):
        self._data = data

    @staticmethod
    def suits(data):
        """Whether its inverse costs no more than about a pass over the data."""
        problem, coordinates = data.problem, data.coordinates
        in_a_pass = INVERSE_IN_A_PASS * problem.n_entries * coordinates.n_outputs
        return (
            coordinates.axes is None
            and coordinates.n_columns**3 <= max(CHEAP_COLUMNS**3, in_a_pass)
            and problem.uses_joint_moments
        )

    @cached_property
    def _hessian(self):
        return hessian_of_constant(self._data)

    @cached_property
    def _ridge(self):
        coordinates = self._data.coordinates
        n_outputs, n_columns = coordinates.n_outputs, coordinates.n_columns
        curvature = ridge_curvature(coordinates).reshape(n_outputs, -1).mean(axis=0)
        curvature = np.tile(curvature, n_outputs)
        of_one = np.eye(n_columns, n_outputs * n_columns)
        return coordinates.hessian_products(of_one, curvature)[:, :n_columns]

    def inverse(self, strength):
        """The inverse for the weights of an output, with a ridge of this strength; or None."""
        if self._hessian is None:
            return None
        return inverse_hessian(self._hessian + strength * self._ridge)


class Path:
    """A path from the strongest penalty, whose minimum takes the fewest steps.

    Parameters
    ----------
    data : Data
        What the runs are trained on.
    optimizer : Optimizer
        The optimizer of all runs; it `can_follow`.
    n_runs : int
        How many runs there are.
    max_iter : int
        The most epochs of a run.
    """

    def __init__(self, data, optimizer, n_runs, max_iter):
        self.data = data
        self.optimizer = optimizer
        self.goes_on = n_runs > 1
        # A run that `max_iter` stops early must be the same as a single fit.
        helped = self.goes_on and max_iter > FEW_EPOCHS
        self.curvature, self.preconditioner = (
            kind(data) if helped and kind.suits(data) else None
            for kind in (Curvature, Preconditioner)
        )
        self.before = None
        self.minima = []
        self.is_slow = False

    def begin(self, run):
        """Have a run begin where the minimum is expected."""
        before = self.before
        if before is None:
            self._begin_first(run)
        elif not before.is_settled:
            # The last minimum is not known.
            run.begin(self.optimizer)
            self.minima, self.curvature, self.preconditioner = [], None, None
        elif self.curvature is None or not self._begin_by_newton(run):
            guess = inverse = None
            if self.is_slow and len(self.minima) > 1:
                guess = secant_step(*self.minima[-2:], run.config.penalty.alpha)
            if self.preconditioner is not None:
                inverse = self.preconditioner.inverse(run.config.penalty.ridge)
            run.follow(before, guess, inverse)

    def end(self, run):
        """Note where a run has ended."""
        if run.history.n_epochs > FEW_EPOCHS:
            self.preconditioner = None
            self.is_slow |= self.before is not None
        self.before = run
        if run.is_settled:
            self.minima.append(Minimum(run.config.penalty.alpha, run.lane.model()))

    def _begin_first(self, run):
        run.begin(self.optimizer)
        if self.goes_on:
            run.lane.rule.enough = ENOUGH_PAIRS
        if self.curvature is not None and not self.curvature.waits:
            self.curvature.renew(run.start)
        for known in (self.curvature, self.preconditioner):
            inverse = known and known.inverse(run.config.penalty.ridge)
            if inverse is not None:
                run.begin_at(run.start, run.lane, inverse)
                break

    def _begin_by_newton(self, run):
        """Have a run begin where Newton's method expects its minimum; False if it cannot."""
        before, last, known = self.before, self.minima[-1], self.curvature
        strength, inverse, step = run.config.penalty.ridge, None, None
        if known.waits and not self.is_slow:
            return False
        known.note(before)
        if known.jumps:
            step = 0.0
        else:
            inverse = known.inverse(strength)
        curved = known.ridge @ last.weights
        if inverse is not None:
            # At the last minimum the gradient is that of the change of the penalty.
            slope = (strength - before.config.penalty.ridge) * curved
            newton = -(inverse @ slope)
            gain = -0.5 * (newton @ slope) * run.config.loss_unit
            exact = self.data.problem.loss.quadratic
            if exact or gain <= NEAR * abs(before.history.loss_curve[-1]):
                step = newton
        if step is None:
            tangent = before.lane.rule.newton_step(before.config.penalty.ridge * curved)
            step = tangent_step(last, tangent, run.config.penalty.alpha)
        start = last.weights + step
        if inverse is None:
            known.renew(start)
            inverse = known.inverse(strength)
        if inverse is None:
            return False
        run.begin_at(start, before.lane, inverse)
        return True


def tangent_step(last, tangent, strength):
    """The approximate step from the last minimum to that of another strength, along the tangent.

    The path of the minima is straightest in the logarithm of the strength. `tangent` is its
    derivative with respect to this, at the last minimum.
    """
    if not strength > 0:
        return 0.0
    step = np.log(strength / last.strength) * tangent
    return step if step @ step <= LONGEST**2 * (last.weights @ last.weights) else 0.0


def secant_step(earlier, last, strength):
    """The approximate step to the next minimum, along the line through the last two.

    None unless the strengths decrease.
    """
    if not earlier.strength > last.strength > strength > 0:
        return None
    # It moves as far as before if the strength changes by the same factor.
    share = np.log(strength / last.strength) / np.log(last.strength / earlier.strength)
    return min(1.0, share) * (last.weights - earlier.weights)
