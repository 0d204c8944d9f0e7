"""Displays of training, searches and schedules, like scikit-learn's; they need matplotlib."""

from .curves import LossCurveDisplay, ScheduleDisplay
from .heat_map import SearchDisplay
from .landscape import LossLandscapeDisplay, record_path

__all__ = [
    "LossCurveDisplay",
    "LossLandscapeDisplay",
    "ScheduleDisplay",
    "SearchDisplay",
    "record_path",
]
