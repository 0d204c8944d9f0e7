"""Displays of training, searches and schedules, like scikit-learn's; they need matplotlib."""

from .curves import LossCurveDisplay, ScheduleDisplay
from .landscape import LossLandscapeDisplay
from .paths import record_path
from .search import SearchDisplay

__all__ = [
    "LossCurveDisplay",
    "LossLandscapeDisplay",
    "ScheduleDisplay",
    "SearchDisplay",
    "record_path",
]


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)
