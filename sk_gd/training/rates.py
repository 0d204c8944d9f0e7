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
        # The rates of some epochs, and how many of these are over.
        self._computed, self._over = (), 0

    def next_epoch(self, epoch, n_batches):
        """The rates of the batches of this epoch, the one after that of the last call."""
        if self._over == len(self._computed):
            # Always the same epochs together, so that a run that is resumed has the same bits.
            # Beyond the horizon they are computed one by one: the schedule may end there.
            at_once = max(1, AT_ONCE // n_batches)
            first = epoch - epoch % at_once
            last = max(epoch + 1, min(first + at_once, self.horizon))
            time = np.arange(first * n_batches, last * n_batches) / n_batches
            rates = self.learning_rate * self.schedule(time, self.horizon)
            self._computed, self._over = rates.reshape(-1, n_batches), epoch - first
        self._over += 1
        return self._computed[self._over - 1]

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
        other._computed, other._over = self._computed, self._over
        return other
