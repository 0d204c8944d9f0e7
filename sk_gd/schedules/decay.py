"""Schedules that never raise the learning rate."""

import math

import numpy as np

from ..parameters import check_range
from .base import Schedule, half_cosine


class Constant(Schedule):
    r"""The same learning rate at all times, :math:`s(e) = 1`.

    Good for methods that converge without a schedule, or with ``average=True``.

    Examples
    --------
    >>> from sk_gd.schedules import Constant
    >>> Constant()([0, 1.5], 10)
    array([1., 1.])
    """

    def multiplier(self, epochs, horizon):
        return np.ones_like(epochs)

    def __call__(self, epochs, horizon):
        # Only in a subclass there is anything to check, which takes longer than a short epoch.
        own = type(self) is not Constant
        return super().__call__(epochs, horizon) if own else np.ones(np.shape(epochs))


class Step(Schedule):
    r"""A staircase, :math:`s(e) = \gamma^{\lfloor e / k \rfloor}`.

    The times of the reductions must be found by trial. `Plateau` chooses them
    from the loss.

    Good for training recipes that are known to need it.

    Parameters
    ----------
    step_size : float > 0, default=30
        Number of epochs between two reductions (:math:`k`).
    gamma : float in (0, 1], default=0.1
        Factor of each reduction (:math:`\gamma`).

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
    r"""Exponential decay, :math:`s(e) = \gamma^e`, which is smooth within each epoch.

    No horizon is needed. But the multiplier is soon too small to move the weights:
    all steps together go no further than about :math:`1 / (1 - \gamma)` epochs at
    the full learning rate.

    Good for training of unknown length, if it is short.

    Parameters
    ----------
    gamma : float in (0, 1], default=0.95
        Factor of each epoch (:math:`\gamma`).

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

    No horizon is needed. This is the classical choice, with a proof of
    convergence. If the number of epochs is known, `Cosine` is usually better.

    Good for streams, and whenever the model must be good at any moment.

    Parameters
    ----------
    decay : float >= 0, default=1.0
        Rate of the decay per epoch (:math:`k`).

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
    r"""A power that falls from one to `final`, :math:`s(e) = f + (1 - f)(1 - e/T)^p`.

    The multiplier stays at `final` after the horizon :math:`T`.

    Good for training of known length. The default is a straight line, which is as
    good as `Cosine` in many comparisons.

    Parameters
    ----------
    power : float > 0, default=1.0
        Exponent (:math:`p`).
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
        remaining = 1 - np.minimum(epochs / horizon, 1)
        return self.final + (1 - self.final) * remaining**self.power


class Cosine(Schedule):
    r"""Half a cosine from one to `final`, :math:`s(e) = f + \frac{1-f}{2}(1+\cos(\pi e/T))`.

    The multiplier stays at `final` after the horizon :math:`T`, where torch's
    ``CosineAnnealingLR`` rises again. This schedule suits neither streams nor
    training that stops early.

    Good for training of known length: the schedule to try first.

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
