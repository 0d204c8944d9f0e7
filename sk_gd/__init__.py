"""scikit-learn estimators for linear and logistic models, trained by any gradient descent."""

from . import losses, optimizers, schedules
from .estimators import GDClassifier, GDRegressor
from .exceptions import DivergenceError
from .gradients import check_gradient
from .search import GDGridSearchCV, GDRandomizedSearchCV

__version__ = "0.1.0"

__all__ = [
    "DivergenceError",
    "GDClassifier",
    "GDGridSearchCV",
    "GDRandomizedSearchCV",
    "GDRegressor",
    "check_gradient",
    "losses",
    "optimizers",
    "schedules",
]
