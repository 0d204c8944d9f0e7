"""The score of a model on collections."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..estimators.settings import settings_of
from ..targets import ClassTargets, RealTargets
from .collections import is_collection
from .partition import Shared, hold_out_part
from .posing import checked_for
from .predicting import plain_of
from .problem import ClusterHeldOut


def score(model, X, y, sample_weight):
    """Accuracy or R² of a fitted model."""
    if not is_collection(X):
        return model.to_local().score(X, y, sample_weight)
    check_is_fitted(model)
    rows = checked_for(model, X, y, sample_weight)
    if model._kind == "classifier":
        targets = ClassTargets(model.classes_)
    else:
        targets = RealTargets(np.atleast_2d(model.coef_).shape[0], np.ndim(model.coef_) == 1)
    shared = Shared(settings_of(plain_of(model)), targets, None)
    held_out = ClusterHeldOut(rows.then(hold_out_part, shared), targets)
    return held_out.judge(np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_))[1]
