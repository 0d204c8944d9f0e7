"""Schedules that only fall."""

import math

import numpy as np

from ..parameters import check_range
from .base import Schedule, half_cosine


class Constant(Schedule):
    r"""The learning rate as it is, :math:`s(e) = 1`.

    Good for methods that settle by themselves, or with ``average=True``.

    Examples
    --------
    >>> from sk_gd.schedules import Constant
    >>> Constant()([0, 1.5], 10)
    array([1., 1.])
    """

    def multiplier(self, epochs, horizon):
        return np.ones_like(epochs)


class Step(Schedule):
    r"""A staircase, :math:`s(e) = \gamma^{\lfloor e / k \rfloor}`.

    Where the steps should be is a matter of trial, for which `Plateau` has a
    rule.

    Good for recipes that are known to need it.

    Parameters
    ----------
    step_size : float > 0, default=30
        Epochs between two steps (:math:`k`).
    gamma : float in (0, 1], default=0.1
        What each step multiplies by (:math:`\gamma`).

    References
    ----------
    He, K., Zhang, X., Ren, S. & Sun, J. (2016). Deep residual learning for
    image recognition. CVPR. arXiv:1512.03385

    Examples
    --------
    >>> from sk_gd.schedules import Step
    >>> Step(step_size=2, gamma=0.5)([0, 1.9, 2, 5], 10)
    array([1.  , 1.  , 0.5 , 0.25])
    """

    def __init__(self, step_size=30, gamma=0.1):
        self.step_size = step_size
        self.gamma = gamma

    def check(self):
        check_range(self, "step_size", 0, math.inf, closed="neither")
        check_range(self, "gamma", 0, 1, closed="right")

    def multiplier(self, epochs, horizon):
        return self.gamma ** np.floor(epochs / self.step_size)


class Exponential(Schedule):
    r"""Geometric decay, :math:`s(e) = \gamma^e`, smooth within the epochs too.

    Needs no horizon, but is soon too small to move anything: all steps
    together reach no further than some :math:`1 / (1 - \gamma)` epochs do.

    Good for training of unknown length, if it is short.

    Parameters
    ----------
    gamma : float in (0, 1], default=0.95
        What an epoch multiplies by (:math:`\gamma`).

    References
    ----------
    Li, Z. & Arora, S. (2020). An exponential learning rate schedule for deep
    learning. ICLR. arXiv:1910.07454

    Examples
    --------
    >>> from sk_gd.schedules import Exponential
    >>> Exponential(gamma=0.25)([0, 0.5, 2], 10)
    array([1.    , 0.5   , 0.0625])
    """

    def __init__(self, gamma=0.95):
        self.gamma = gamma

    def check(self):
        check_range(self, "gamma", 0, 1, closed="right")

    def multiplier(self, epochs, horizon):
        return self.gamma**epochs


class InverseTime(Schedule):
    r"""Hyperbolic decay, :math:`s(e) = 1 / (1 + k e)`.

    Needs no horizon. The classical choice with a proof; `Cosine` is mostly
    better where the number of epochs is known.

    Good for streams, and wherever the model has to be good at any moment.

    Parameters
    ----------
    decay : float >= 0, default=1.0
        :math:`k`, per epoch.

    References
    ----------
    Robbins, H. & Monro, S. (1951). A stochastic approximation method. Annals
    of Mathematical Statistics, 22(3). doi:10.1214/aoms/1177729586

    Examples
    --------
    >>> from sk_gd.schedules import InverseTime
    >>> InverseTime(decay=1.0)([0, 1, 3], 10)
    array([1.  , 0.5 , 0.25])
    """

    def __init__(self, decay=1.0):
        self.decay = decay

    def check(self):
        check_range(self, "decay", 0, math.inf)

    def multiplier(self, epochs, horizon):
        return 1 / (1 + self.decay * epochs)


class Polynomial(Schedule):
    r"""From one to `final` along a power, :math:`s(e) = f + (1 - f)(1 - e/T)^p`.

    Stays at `final` after the horizon :math:`T`.

    Good for training of known length; with the default it is the straight
    line, as good as `Cosine` in many comparisons.

    Parameters
    ----------
    power : float > 0, default=1.0
        :math:`p`.
    final : float in [0, 1], default=0.0
        Multiplier at the horizon (:math:`f`).

    References
    ----------
    Chen, L.-C., Papandreou, G., Kokkinos, I., Murphy, K. & Yuille, A. L.
    (2018). DeepLab. IEEE TPAMI, 40(4). arXiv:1606.00915

    Examples
    --------
    >>> from sk_gd.schedules import Polynomial
    >>> Polynomial(power=2)([0, 5, 10, 11], 10)
    array([1.  , 0.25, 0.  , 0.  ])
    """

    def __init__(self, power=1.0, final=0.0):
        self.power = power
        self.final = final

    def check(self):
        check_range(self, "power", 0, math.inf, closed="neither")
        check_range(self, "final", 0, 1, closed="both")

    def multiplier(self, epochs, horizon):
        rest = 1 - np.minimum(epochs / horizon, 1)
        return self.final + (1 - self.final) * rest**self.power


class Cosine(Schedule):
    r"""Half a cosine from one to `final`, :math:`s(e) = f + \frac{1-f}{2}(1+\cos(\pi e/T))`.

    Stays at `final` after the horizon :math:`T`, where torch's
    ``CosineAnnealingLR`` would rise again. Not for streams, nor for training
    that stops early.

    Good for training of known length: the first to try.

    Parameters
    ----------
    final : float in [0, 1], default=0.0
        Multiplier at the horizon (:math:`f`).

    References
    ----------
    Loshchilov, I. & Hutter, F. (2017). SGDR: stochastic gradient descent with
    warm restarts. ICLR. arXiv:1608.03983

    Examples
    --------
    >>> from sk_gd.schedules import Cosine
    >>> Cosine()([0, 5, 10], 10)
    array([1. , 0.5, 0. ])
    """

    def __init__(self, final=0.0):
        self.final = final

    def check(self):
        check_range(self, "final", 0, 1, closed="both")

    def multiplier(self, epochs, horizon):
        return half_cosine(1, self.final, np.minimum(epochs / horizon, 1))
