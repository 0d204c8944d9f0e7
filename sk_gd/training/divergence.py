"""Whether training made the model worse than the one it began with, and the error that says so."""

import math

import numpy as np

from ..exceptions import DivergenceError
from .loop import Lane

# Training that ends above its beginning by this share of the loss there, or of the loss of a
# constant model, has diverged. At rates beyond the stable limit it is a thousand and more.
CLEARLY = 0.2
# At an automatic rate training is stable, and no choice of a user is wrong. But on targets that are
# noise only, with half as many features as rows, plain descent on mini-batches ended above its
# beginning by more than a half.
AT_AUTOMATIC_RATES = 2.0
# The first steps may be too long, and the next ones make up for it; a few rows may have targets far
# from all others. So many steps and rows are needed to judge by that; fewer have more room.
FEW = 100


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
        infinite if that has numbers that are not finite. Both are zero if nothing can be said.
    room : float
        How far it may end above its beginning.
    from_nothing : bool
        Whether the objective was zero, so that it could only grow.
    """

    def __init__(self, run, data, *, automatic):
        self.before = self.after = 0.0
        self.from_nothing = False
        weights = run.weights()
        if not (run.can_hold(weights) and _can_predict(run, data)):
            self.after = math.inf
        elif not run.lane.rule.never_rises():
            self._compare(run, data, weights)
        level = max(abs(self.before), run.config.loss_unit)
        clearly = AT_AUTOMATIC_RATES if automatic else CLEARLY
        self.room = clearly * level * max(1, FEW / max(1, min(data.n, run.lane.rule.t)))

    def _compare(self, run, data, weights):
        some, lane = data.glance(), run.lane
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
        self.from_nothing = self.before == 0

    @property
    def rise(self):
        """By how much the objective has grown; zero or less if it has not."""
        # Losses that are zero without a model can only grow. And what began beyond all numbers
        # has not become worse.
        return self.after - self.before if self.before not in (0, math.inf) else 0.0

    @property
    def is_divergence(self):
        """Whether training ended clearly above its beginning."""
        return self.after == math.inf or self.rise > self.room


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
    before = curve[-1] if curve else "not known yet"
    beyond = ""
    if math.isfinite(loss):
        beyond = f", with weights too large for predictions in {run.config.dtype}"
    what = f"the objective was {before} an epoch ago and is {loss} now{beyond}"
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
