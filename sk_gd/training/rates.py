"""The learning rates of the steps to come."""

import numpy as np

from ..schedules.base import Schedule, following

# Steps whose rates are computed together.
AT_ONCE = 1024


class Rates:
    """The learning rate of every batch, epoch by epoch.

    Parameters
    ----------
    learning_rate : float
        What the schedule multiplies.
    schedule : Schedule
        The schedule after the losses so far.
    horizon : int
        Epochs that the schedule is stretched over.
    """

    def __init__(self, learning_rate, schedule, horizon):
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.horizon = horizon
        self._reacts = type(schedule).after is not Schedule.after
        # The rates of some epochs, by the first of these. Copies share them.
        self._known = {}

    def of_epoch(self, epoch, n_batches):
        """The rates of the batches of this epoch."""
        # Always the same epochs together, so that a run that is resumed has the same bits.
        at_once = max(1, AT_ONCE // n_batches)
        first = epoch - epoch % at_once
        known = self._known.get(first, ())
        if epoch - first >= len(known):
            # Beyond the horizon they are computed one by one: the schedule may end there.
            last = max(epoch + 1, min(first + at_once, self.horizon))
            time = np.arange(first * n_batches, last * n_batches) / n_batches
            rates = self.learning_rate * self.schedule(time, self.horizon)
            known = rates.reshape(-1, n_batches)
            self._known.clear()
            self._known[first] = known
        return known[epoch - first]

    def after(self, loss):
        """The rates after an epoch of this watched loss: a schedule may react to it."""
        schedule = following(self.schedule, [loss]) if self._reacts else self.schedule
        return self if schedule is self.schedule else self.with_schedule(schedule)

    def with_schedule(self, schedule):
        """The same rates under another schedule."""
        return Rates(self.learning_rate, schedule, self.horizon)

    def copy(self):
        """An independent copy."""
        other = self.with_schedule(self.schedule)
        other._known = self._known
        return other
