"""Schedules that rise, once or again and again."""

import math

import numpy as np

from ..parameters import check_range
from .base import Schedule, half_cosine


class CosineRestarts(Schedule):
    r"""`Cosine` over and over, :math:`s(e) = f + \frac{1-f}{2}(1+\cos(\pi e_i/T_i))`.

    :math:`e_i` is the time since the last restart, and cycle :math:`i` takes
    :math:`T_i = T_0 T_{mult}^i` epochs. Needs no horizon: the model is good at
    the end of each cycle. On a convex loss restarts gain nothing, and cost time.

    Good for several models out of one run, each good at the end of its cycle.

    Parameters
    ----------
    T_0 : float > 0, default=10
        Epochs of the first cycle.
    T_mult : float >= 1, default=1
        How many times as long as the last one each cycle is.
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
        # Cycle by cycle: a logarithm would round restarts into the cycle before.
        while np.any(part >= 1):
            part = np.where(part >= 1, (part - 1) / self.T_mult, part)
        return half_cosine(1, self.final, part)


class Cyclic(Schedule):
    r"""Up and down between ``base`` and a peak, along straight lines.

    .. math::
        s(e) = b + (1 - b) \, \gamma^i \, \min(e_i / u, \; (u + d - e_i) / d)

    with the number :math:`i` of the cycle from zero on, and the time
    :math:`e_i` since it began. Needs no horizon. On a convex loss nothing is
    gained by rising again.

    Good for finding a good learning rate by looking at the loss.

    Parameters
    ----------
    base : float in [0, 1], default=0.25
        Multiplier at the ends of a cycle (:math:`b`).
    step_size_up : float > 0, default=5
        Epochs of the rise (:math:`u`).
    step_size_down : float > 0 or None, default=None
        Epochs of the fall (:math:`d`); None: as many as of the rise.
    gamma : float in (0, 1], default=1.0
        How high each peak is, measured from ``base`` by the one before
        (:math:`\gamma`): 1 is the paper's "triangular", 0.5 its "triangular2".

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

    def __init__(self, base=0.25, step_size_up=5, step_size_down=None, gamma=1.0):
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
    r"""One rise to the peak and one fall to almost nothing, along half cosines.

    Begins at :math:`1/D`, is one at the time :math:`p T`, and ends at
    :math:`1 / (D F)` at the horizon :math:`T`, where it stays. `learning_rate`
    is the peak (torch's ``max_lr``) and may be larger than one that is safe
    from the first step on. torch counts steps from 0 to ``total_steps - 1``,
    which is the horizon here, and has its peak at ``pct_start * total_steps - 1``.

    Good for few epochs at a large rate, with momentum.

    Parameters
    ----------
    pct_start : float in (0, 1), default=0.3
        Share of the rise (:math:`p`).
    div_factor : float >= 1, default=25
        Peak over beginning (:math:`D`).
    final_div_factor : float >= 1, default=1e4
        Beginning over end (:math:`F`).

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
