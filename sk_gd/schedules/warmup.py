"""A warm-up before any other schedule."""

import copy
import math

import numpy as np

# The table of names is there; it is looked at when a schedule is used.
from .. import schedules
from ..parameters import check_range
from .base import Schedule


class Warmup(Schedule):
    r"""A straight rise over the first epochs, and then any other schedule.

    .. math::
        s(e) = \left[ \sigma + (1 - \sigma) \min(e / E, 1) \right]
        \; s_{then}(\max(e - E, 0), \; T - E)

    The other schedule begins after the warm-up and has the rest of the horizon
    :math:`T`; what it begins with is what the warm-up leads to.

    Good for adaptive methods, whose first steps follow a scale known from few
    gradients.

    Parameters
    ----------
    epochs : float > 0, default=5
        Epochs of the warm-up (:math:`E`).
    start_factor : float in [0, 1], default=1/3
        Where the warm-up begins (:math:`\sigma`). With 0 the first step is none.
    then : str, Schedule or callable, default="constant"
        The schedule after the warm-up, all that `schedule` may be.

    References
    ----------
    Goyal, P. et al. (2017). Accurate, large minibatch SGD: training ImageNet in
    1 hour. arXiv:1706.02677

    Examples
    --------
    >>> from sk_gd.schedules import Warmup
    >>> Warmup(epochs=2, start_factor=0, then="cosine")([0, 1, 2, 6, 10], 10)
    array([0. , 0.5, 1. , 0.5, 0. ])
    """

    # Epochs whose losses are known.
    _over = 0

    def __init__(self, epochs=5, start_factor=1 / 3, then="constant"):
        self.epochs = epochs
        self.start_factor = start_factor
        self.then = then

    def check(self):
        check_range(self, "epochs", 0, math.inf, closed="neither")
        check_range(self, "start_factor", 0, 1, closed="both")
        try:
            schedules.get(self.then).check()
        except (TypeError, ValueError) as error:
            raise type(error)(f"In the 'then' parameter of Warmup: {error}") from error

    def multiplier(self, epochs, horizon):
        rise = self.start_factor + (1 - self.start_factor) * np.minimum(epochs / self.epochs, 1)
        # A warm-up that outlasts the training leaves no horizon: an epoch is the shortest there is.
        rest = horizon - self.epochs if horizon > self.epochs else 1
        return rise * schedules.get(self.then)(np.maximum(epochs - self.epochs, 0), rest)

    def after(self, losses):
        other = copy.copy(self)
        rising = max(math.ceil(self.epochs) - self._over, 0)
        other.then = schedules.get(self.then).after(losses[rising:])
        other._over = self._over + len(losses)
        return other
