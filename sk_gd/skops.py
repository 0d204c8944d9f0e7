"""The types to trust when skops loads a fitted model; its files run no code."""

import inspect

from . import losses, optimizers, schedules
from .estimators import GDClassifier, GDRegressor
from .penalties import ElasticNet
from .schedules.base import FunctionSchedule
from .search import GDGridSearchCV, GDRandomizedSearchCV
from .training import Run

__all__ = ["trusted_types"]


def trusted_types():
    """List the types of this package that skops must trust to load a fitted model.

    These types only hold numbers, arrays and each other. For a model with an
    optimizer, a loss, a schedule or callbacks of your own, add the names of their
    types. For a search, add the types of scikit-learn's scorer and splitter.
    ``skops.io.get_untrusted_types`` lists the types in a file.

    Returns
    -------
    list of str
        The names, for the parameter ``trusted`` of ``skops.io.load`` and
        ``skops_trusted_types`` of ``mlflow.sklearn.log_model``.

    Examples
    --------
    >>> import sk_gd.skops
    >>> "sk_gd.estimators.classifier.GDClassifier" in sk_gd.skops.trusted_types()
    True
    """
    public = [
        value
        for module in (optimizers, losses, schedules)
        for value in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(value)
    ]
    known = [GDClassifier, GDRegressor, GDGridSearchCV, GDRandomizedSearchCV]
    known += [Run, ElasticNet, FunctionSchedule]
    return sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in [*known, *public])
