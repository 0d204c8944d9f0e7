"""scikit-learn estimators for linear and logistic models, trained by any gradient descent."""

from . import losses, optimizers, schedules
from .estimators import GDClassifier, GDRegressor
from .exceptions import DivergenceError

__version__ = "0.1.0"

__all__ = [
    "DivergenceError",
    "GDClassifier",
    "GDRegressor",
    "losses",
    "optimizers",
    "schedules",
]
