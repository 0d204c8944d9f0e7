"""A warm-up before any other schedule."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import numpy as np

from ..parameters import check_range
from .base import Schedule, following

if TYPE_CHECKING:
    from .base import ScheduleLike


class Warmup(Schedule):
    r"""A linear rise over the first epochs, followed by any other schedule.

    .. math::
        s(e) = \left[ \sigma + (1 - \sigma) \min(e / E, 1) \right]
        \; s_{then}(\max(e - E, 0), \; T - E)

    The warm-up rises to the first value of the other schedule. The other
    schedule begins after the warm-up, and its horizon is what is left of the
    horizon :math:`T`.

    Good for adaptive methods, which estimate the scale of their first steps from
    few gradients.

    Parameters
    ----------
    epochs : float > 0, default=5
        Length of the warm-up in epochs (:math:`E`).
    start_factor : float in [0, 1], default=1/3
        Multiplier at the beginning of the warm-up (:math:`\sigma`). With 0, the
        first step does not move the weights.
    then : str, Schedule or callable, default="constant"
        The schedule after the warm-up: anything that the parameter `schedule` of
        the estimators accepts.

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

    # Number of epochs whose losses are known.
    _n_epochs_done = 0

    def __init__(
        self,
        epochs: float = 5,
        start_factor: float = 1 / 3,
        then: ScheduleLike = "constant",
    ) -> None:
        self.epochs = epochs
        self.start_factor = start_factor
        self.then = then

    def check(self):
        check_range(self, "epochs", 0, math.inf, closed="neither")
        check_range(self, "start_factor", 0, 1, closed="both")
        try:
            self._get(self.then).check()
        except (TypeError, ValueError) as error:
            raise type(error)(f"In the 'then' parameter of Warmup: {error}") from error

    def multiplier(self, epochs, horizon):
        rise = self.start_factor + (1 - self.start_factor) * np.minimum(epochs / self.epochs, 1)
        # A warm-up that takes all of the training leaves no horizon: use the shortest, one epoch.
        rest = float(horizon) - self.epochs if horizon > self.epochs else 1
        return rise * self._get(self.then)(np.maximum(epochs - self.epochs, 0), rest)

    def after(self, losses):
        updated = copy.copy(self)
        # The other schedule does not see the losses of the warm-up.
        of_warmup = max(math.ceil(self.epochs) - self._n_epochs_done, 0)
        updated.then = following(self._get(self.then), losses[of_warmup:])
        updated._n_epochs_done = self._n_epochs_done + len(losses)
        return updated
