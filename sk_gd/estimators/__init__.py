"""The estimators: GDRegressor and GDClassifier."""

from .classifier import GDClassifier
from .regressor import GDRegressor

__all__ = ["GDClassifier", "GDRegressor"]
