"""Learning-rate schedules: what multiplies the learning rate over the training time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hints import SCHEDULES
from ..parameters import lookup
from .base import FunctionSchedule, Schedule
from .cycles import CosineRestarts, Cyclic, OneCycle
from .decay import Constant, Cosine, Exponential, InverseTime, Polynomial, Step
from .plateau import Plateau
from .warmup import Warmup

if TYPE_CHECKING:
    from .base import ScheduleLike

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


def names() -> list[str]:
    """List the names that the parameter `schedule` accepts.

    Returns
    -------
    list of str
        The names.
    """
    return list(TABLE)


def get(schedule: ScheduleLike) -> Schedule:
    """Turn a name or a function into a schedule; an instance is returned as it is.

    Parameters
    ----------
    schedule : str, Schedule or callable
        A name, an instance, or a function that takes the times in epochs (an
        array) and the horizon, and returns the multipliers.

    Returns
    -------
    Schedule
        The instance.
    """
    if callable(schedule) and not isinstance(schedule, (Schedule, type)):
        return FunctionSchedule(schedule)
    return lookup(schedule, TABLE, Schedule, "schedule", SCHEDULES)


# Schedules around another one are given its name.
Schedule._get = staticmethod(get)


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)
