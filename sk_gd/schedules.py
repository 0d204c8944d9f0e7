"""Learning-rate schedules: training time in, multiplier out."""

import numpy as np
from sklearn.base import BaseEstimator

from .parameters import check_range, lookup

__all__ = ["Constant", "Cosine", "InverseTime", "Schedule", "get", "names"]


class Schedule(BaseEstimator):
    """Base of all schedules, and of your own.

    A schedule is a pure function: called with an array of training times in
    epochs, and with the horizon (``max_iter``), it returns what to multiply
    the learning rate by at each of them. It does not depend on the batch size.
    """

    def check(self):
        """Raise a ValueError if a parameter is out of its range."""

    def __call__(self, epochs, horizon):
        """The multipliers at the times `epochs`."""
        raise NotImplementedError


class Constant(Schedule):
    r"""The learning rate as it is, :math:`s(e) = 1`.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd.schedules import Constant
    >>> Constant()(np.array([0.0, 1.5]), 10)
    array([1., 1.])
    """

    def __call__(self, epochs, horizon):
        return np.ones_like(epochs)


class InverseTime(Schedule):
    r"""Hyperbolic decay, :math:`s(e) = 1 / (1 + k e)`.

    Needs no horizon: good at any moment.

    Parameters
    ----------
    decay : float, default=1.0
        :math:`k`, per epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd.schedules import InverseTime
    >>> InverseTime(decay=1.0)(np.array([0.0, 1.0, 3.0]), 10)
    array([1.  , 0.5 , 0.25])
    """

    def __init__(self, decay=1.0):
        self.decay = decay

    def check(self):
        check_range(self, "decay", 0, float("inf"))

    def __call__(self, epochs, horizon):
        return 1 / (1 + self.decay * epochs)


class Cosine(Schedule):
    r"""Half a cosine from one to `final`, :math:`s(e) = f + \frac{1-f}{2}(1+\cos(\pi e/T))`.

    Stays at `final` after the horizon :math:`T`.

    Parameters
    ----------
    final : float, default=0.0
        Multiplier at the horizon (:math:`f`).

    References
    ----------
    Loshchilov, I. & Hutter, F. (2017). SGDR: stochastic gradient descent with
    warm restarts. ICLR. arXiv:1608.03983

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd.schedules import Cosine
    >>> Cosine()(np.array([0.0, 5.0, 10.0]), 10)
    array([1. , 0.5, 0. ])
    """

    def __init__(self, final=0.0):
        self.final = final

    def check(self):
        check_range(self, "final", 0, 1, closed="both")

    def __call__(self, epochs, horizon):
        part = np.minimum(epochs / horizon, 1.0)
        return self.final + (1 - self.final) * (1 + np.cos(np.pi * part)) / 2


TABLE = {
    "constant": Constant,
    "inverse_time": InverseTime,
    "cosine": Cosine,
}


def names():
    """The names that ``schedule=`` understands.

    Returns
    -------
    list of str
        The names.
    """
    return list(TABLE)


def get(schedule):
    """An instance of the schedule called `schedule`, or `schedule` itself if it is one.

    Parameters
    ----------
    schedule : str or Schedule
        Name or instance.

    Returns
    -------
    Schedule
        The instance.
    """
    return lookup(schedule, TABLE, Schedule, "schedule")
