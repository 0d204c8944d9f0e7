"""Whether training made the model worse than the one it began with, and the error that says so."""

import math

import numpy as np

from ..exceptions import DivergenceError
from .loop import Lane

# Training has diverged if the objective has risen by this share of the loss at the beginning, or of
# that of a constant model. Beyond the stable limit of the learning rate it rises by a thousand and
# more.
CLEAR_RISE = 0.2
# At an automatic rate training is stable. But on targets that are noise only, with half as many
# features as rows, plain descent on mini-batches ended above its beginning by more than a half.
CLEAR_RISE_AT_AUTOMATIC_RATES = 2.0
# With fewer steps or rows than that, a larger rise is allowed: the first steps may be too long, and
# a few rows may have targets far from all others.
ENOUGH = 100


class Change:
    """The objective before and after training, as about a thousand rows show it.

    Parameters
    ----------
    run : Run
        After training.
    data : Data
        What it was trained on.
    automatic : bool
        Whether the learning rate was chosen automatically.

    Attributes
    ----------
    before, after : float
        The objective with the model that training began with, and with the one it ended with;
        infinite if that is not finite. Both are zero if they are not compared.
    allowed_rise : float
        How far it may end above its beginning.
    began_at_zero : bool
        Whether the objective was zero, so that it could only grow.
    """

    def __init__(self, run, data, *, automatic):
        self.before = self.after = 0.0
        self.began_at_zero = False
        weights = run.weights()
        if not (run.can_hold(weights) and _can_predict(run, data)):
            self.after = math.inf
        elif not run.lane.rule.never_rises():
            self._compare(run, data, weights)
        level = max(abs(self.before), run.config.loss_unit)
        clearly = CLEAR_RISE_AT_AUTOMATIC_RATES if automatic else CLEAR_RISE
        self.allowed_rise = clearly * level * max(1, ENOUGH / max(1, min(data.n, run.lane.rule.t)))

    def _compare(self, run, data, weights):
        some, lane = data.small_sample(), run.lane
        if some is None:
            return
        if some is not data:
            lane = Lane(run.lane.rule, weights)
            lane.penalty = run.lane.penalty
            lane.connect(some.objective([lane.penalty]))
        rows = some.problem.subset, some.n
        with np.errstate(over="ignore", invalid="ignore"):
            values = [
                # The first full batch was at the start.
                run.history.loss_curve[run.first_epoch]
                if some is data and data.n_batches == 1
                else lane.value_at(run.start, *rows),
                lane.value_at(weights, *rows),
            ]
        self.before, self.after = (v if math.isfinite(v) else math.inf for v in values)
        self.began_at_zero = self.before == 0

    @property
    def rise(self):
        """By how much the objective has grown; zero or less if it has not."""
        # An objective that was zero can only grow, and an infinite one has not become worse.
        return self.after - self.before if self.before not in (0, math.inf) else 0.0

    @property
    def is_divergence(self):
        """Whether training ended clearly above its beginning."""
        return self.after == math.inf or self.rise > self.allowed_rise


def _can_predict(run, data):
    """Whether predictions are finite, where the coordinates say nothing about the size of X."""
    if run.coordinates.scale is not None:
        return True
    return bool(data.largest_prediction(*run.model()) <= np.finfo(run.config.dtype).max)


def ended_above(change, run, data):
    """The error for a run that ended clearly above its beginning."""
    if change.after == math.inf:
        what = "the model is not finite"
    else:
        what = (
            f"the objective was {change.before:.6g} at the beginning and is {change.after:.6g} now"
        )
    return _error(what, run.history.n_epochs, run.config, data)


def overflowed(loss, run, data):
    """The error for a run whose loss or weights are not finite, or too large, after an epoch."""
    curve = run.history.loss_curve
    before = f"was {curve[-1]:.6g} an epoch ago and " if curve else ""
    beyond = ""
    if math.isfinite(loss):
        beyond = f", with weights too large for predictions in {run.config.dtype}"
    what = f"the objective {before}is {loss:.6g} now{beyond}"
    return _error(what, run.history.n_epochs + 1, run.config, data)


def _error(what, epoch, config, data):
    smoothness = data.smoothness(config.penalty)
    safe = 2 / smoothness if smoothness > 0 else 0.0
    return DivergenceError(
        f"Training diverged in epoch {epoch} with learning_rate={config.learning_rate:.6g}: "
        f"{what}. Plain gradient descent is stable on this data up to a learning_rate of "
        f"2 / L = {safe:.6g}; choose a smaller one, or learning_rate='auto' unless that was set.",
        epoch=epoch,
        learning_rate=config.learning_rate,
        safe_learning_rate=safe,
    )
