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
