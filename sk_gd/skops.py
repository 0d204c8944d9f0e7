"""Fitted models in the files of skops, which run no code when they are loaded."""

import inspect

from . import losses, optimizers, schedules
from .estimators import GDClassifier, GDRegressor
from .schedules.base import FunctionSchedule
from .search import GDGridSearchCV, GDRandomizedSearchCV
from .training import Run

__all__ = ["trusted_types"]


def trusted_types():
    """The types of this package that a stored model may have: what to have skops trust.

    They only hold numbers, arrays and each other. To a model with an optimizer, a
    loss, a schedule or callbacks of your own add the names of their types, and to
    a search those of scikit-learn's scorer and splitter;
    ``skops.io.get_untrusted_types`` names what a file has.

    Returns
    -------
    list of str
        The names, for ``trusted`` of ``skops.io.load`` and ``skops_trusted_types``
        of ``mlflow.sklearn.log_model``.

    Examples
    --------
    >>> import sk_gd.skops
    >>> "sk_gd.estimators.GDClassifier" in sk_gd.skops.trusted_types()
    True
    """
    public = [
        value
        for module in (optimizers, losses, schedules)
        for value in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(value)
    ]
    known = [GDClassifier, GDRegressor, GDGridSearchCV, GDRandomizedSearchCV, Run, FunctionSchedule]
    return sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in [*known, *public])
