"""Schedules that rise and fall, once or in repeated cycles."""

import math

import numpy as np

from ..parameters import check_range
from .base import Schedule, half_cosine


class CosineRestarts(Schedule):
    r"""Repeated `Cosine` cycles, :math:`s(e) = f + \frac{1-f}{2}(1+\cos(\pi e_i/T_i))`.

    :math:`e_i` is the time since the last restart, and cycle :math:`i` takes
    :math:`T_i = T_0 T_{mult}^i` epochs. No horizon is needed: the model is good at
    the end of each cycle. On a convex loss, restarts gain nothing and cost time.

    Good for getting several models from one run, one at the end of each cycle.

    Parameters
    ----------
    T_0 : float > 0, default=10
        Length of the first cycle in epochs.
    T_mult : float >= 1, default=1
        Length of each cycle, divided by the length of the cycle before.
    final : float in [0, 1], default=0.0
        Multiplier at the end of a cycle (:math:`f`).

    References
    ----------
    Loshchilov, I. & Hutter, F. (2017). SGDR: stochastic gradient descent with
    warm restarts. ICLR. arXiv:1608.03983

    Examples
    --------
    >>> from sk_gd.schedules import CosineRestarts
    >>> CosineRestarts(T_0=2, T_mult=2)([0, 1, 2, 4, 6], 10)
    array([1. , 0.5, 1. , 0.5, 1. ])
    """

    def __init__(self, T_0=10, T_mult=1, final=0.0):
        self.T_0 = T_0
        self.T_mult = T_mult
        self.final = final

    def check(self):
        check_range(self, "T_0", 0, math.inf, closed="neither")
        check_range(self, "T_mult", 1, math.inf)
        check_range(self, "final", 0, 1, closed="both")

    def multiplier(self, epochs, horizon):
        part = epochs / self.T_0
        if self.T_mult == 1:
            part = part % 1
        # One cycle at a time: a logarithm would round some restarts into the cycle before.
        while np.any(part >= 1):
            part = np.where(part >= 1, (part - 1) / self.T_mult, part)
        return half_cosine(1, self.final, part)


class Cyclic(Schedule):
    r"""Rise and fall between ``base`` and a peak, along straight lines.

    .. math::
        s(e) = b + (1 - b) \, \gamma^i \, \min(e_i / u, \; (u + d - e_i) / d)

    where :math:`i` is the number of the cycle, counted from zero, and :math:`e_i`
    is the time since the cycle began. No horizon is needed. On a convex loss,
    rising again gains nothing.

    Good for finding a learning rate by watching the loss while the rate changes.

    Parameters
    ----------
    base : float in [0, 1], default=0.25
        Multiplier at the ends of a cycle (:math:`b`).
    step_size_up : float > 0, default=5
        Length of the rise in epochs (:math:`u`).
    step_size_down : float > 0 or None, default=None
        Length of the fall in epochs (:math:`d`). None means `step_size_up`.
    gamma : float in (0, 1], default=1.0
        Height of each peak above ``base``, divided by the height of the peak before
        (:math:`\gamma`). 1 is the paper's "triangular", 0.5 its "triangular2".

    References
    ----------
    Smith, L. N. (2017). Cyclical learning rates for training neural networks.
    WACV. arXiv:1506.01186

    Examples
    --------
    >>> from sk_gd.schedules import Cyclic
    >>> Cyclic(base=0.2, step_size_up=1, gamma=0.5)([0, 0.5, 1, 2, 3], 10)
    array([0.2, 0.6, 1. , 0.2, 0.6])
    """

    def __init__(
        self,
        base: float = 0.25,
        step_size_up: float = 5,
        step_size_down: float | None = None,
        gamma: float = 1.0,
    ) -> None:
        self.base = base
        self.step_size_up = step_size_up
        self.step_size_down = step_size_down
        self.gamma = gamma

    def check(self):
        check_range(self, "base", 0, 1, closed="both")
        check_range(self, "step_size_up", 0, math.inf, closed="neither")
        if self.step_size_down is not None:
            check_range(self, "step_size_down", 0, math.inf, closed="neither")
        check_range(self, "gamma", 0, 1, closed="right")

    def multiplier(self, epochs, horizon):
        up = self.step_size_up
        down = up if self.step_size_down is None else self.step_size_down
        cycle, since = np.divmod(epochs, up + down)
        height = np.minimum(since / up, (up + down - since) / down)
        return self.base + (1 - self.base) * self.gamma**cycle * height


class OneCycle(Schedule):
    r"""One rise to the peak and one fall to almost zero, along half cosines.

    The multiplier begins at :math:`1/D`, is one at the time :math:`p T`, and falls
    to :math:`1 / (D F)` at the horizon :math:`T`. After the horizon it stays there.
    `learning_rate` is the peak (torch's ``max_lr``). It may be larger than a rate
    that is safe from the first step on.

    torch counts the steps from 0 to ``total_steps - 1``, and its last step is the
    horizon here. torch's peak is at step ``pct_start * total_steps - 1``.

    Good for training of few epochs at a large learning rate, with momentum.

    Parameters
    ----------
    pct_start : float in (0, 1), default=0.3
        Share of the horizon that the rise takes (:math:`p`).
    div_factor : float >= 1, default=25
        Multiplier at the peak, divided by the first multiplier (:math:`D`).
    final_div_factor : float >= 1, default=1e4
        First multiplier, divided by the last multiplier (:math:`F`).

    References
    ----------
    Smith, L. N. & Topin, N. (2019). Super-convergence: very fast training of
    neural networks using large learning rates. arXiv:1708.07120

    Examples
    --------
    >>> from sk_gd.schedules import OneCycle
    >>> OneCycle()([0, 3, 6.5, 10], 10).round(4)
    array([0.04, 1.  , 0.5 , 0.  ])
    """

    def __init__(self, pct_start=0.3, div_factor=25, final_div_factor=1e4):
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor

    def check(self):
        check_range(self, "pct_start", 0, 1, closed="neither")
        check_range(self, "div_factor", 1, math.inf)
        check_range(self, "final_div_factor", 1, math.inf)

    def multiplier(self, epochs, horizon):
        part = np.minimum(epochs / horizon, 1)
        begin = 1 / self.div_factor
        rise = half_cosine(begin, 1, part / self.pct_start)
        fall = half_cosine(
            1, begin / self.final_div_factor, (part - self.pct_start) / (1 - self.pct_start)
        )
        return np.where(part < self.pct_start, rise, fall)
