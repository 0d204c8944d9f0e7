"""Learning-rate schedules: training time in, multiplier out."""

from ..parameters import lookup
from .base import FunctionSchedule, Schedule
from .cycles import CosineRestarts, Cyclic, OneCycle
from .decay import Constant, Cosine, Exponential, InverseTime, Polynomial, Step
from .plateau import Plateau
from .warmup import Warmup

__all__ = [
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "InverseTime",
    "OneCycle",
    "Plateau",
    "Polynomial",
    "Schedule",
    "Step",
    "Warmup",
    "get",
    "names",
]

TABLE = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "cyclic": Cyclic,
    "one_cycle": OneCycle,
    "warmup": Warmup,
    "plateau": Plateau,
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
    schedule : str, Schedule or callable
        Name, instance, or a function of the times in epochs (an array) and the
        horizon that returns the multipliers.

    Returns
    -------
    Schedule
        The instance.
    """
    if callable(schedule) and not isinstance(schedule, (Schedule, type)):
        return FunctionSchedule(schedule)
    return lookup(schedule, TABLE, Schedule, "schedule")
