"""The score that a user has chosen with `scoring`, of models on held-out data."""

import inspect
import math
from numbers import Real

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring, get_scorer_names

from ..parameters import closest, fingerprint
from .publishing import model_attributes

REMEDY = "Use scoring=None for the validation loss, or another score."


def check_scoring_name(scoring):
    """Raise a ValueError for a text that is no score of scikit-learn."""
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        near = closest(scoring, get_scorer_names())
        hint = f" Did you mean {near!r}?" if near else ""
        raise ValueError(
            f"Unknown scoring {scoring!r}.{hint} The 'scoring' parameter must be one of "
            "sklearn.metrics.get_scorer_names(), a callable scorer(estimator, X, y), or None."
        )


class ChosenScore:
    """The score of models on held-out rows, as scikit-learn's scorers compute it.

    Parameters
    ----------
    estimator : GDRegressor or GDClassifier
        A scorer is given a copy of it that is fitted. It has a valid `scoring`.
    loss : Loss
        The loss.
    targets : RealTargets or ClassTargets
        What y is.
    """

    def __init__(self, estimator, loss, targets):
        self._estimator = clone(estimator)
        self._given = estimator.scoring
        self._score = check_scoring(estimator, scoring=estimator.scoring)
        self._loss = loss
        self._targets = targets

    def check_weight(self, weight):
        """Raise a ValueError if there are weights, and the score cannot have any."""
        if weight is not None and not _takes_weights(self._score):
            raise ValueError(
                f"scoring={self._given!r} takes no sample_weight, and the validation data have "
                f"weights (from sample_weight, sample_weight_val or class_weight). {REMEDY}"
            )

    def __call__(self, X, y, weight, coef, intercept):
        """The score of a model, the higher the better; y is encoded."""
        model = clone(self._estimator)
        attributes = model_attributes(self._loss, self._targets, coef, intercept, X.dtype)
        vars(model).update(attributes, n_features_in_=X.shape[1])
        weights = {} if weight is None else {"sample_weight": weight}
        try:
            # A model that is about to diverge may have predictions whose squares overflow.
            with np.errstate(over="ignore", invalid="ignore"):
                score = self._score(model, X, self._targets.decode(y), **weights)
        except Exception as error:
            raise ValueError(
                f"scoring={self._given!r} cannot be computed on the validation data. "
                f"{type(error).__name__}: {error} {REMEDY}"
            ) from error
        if not (isinstance(score, Real) and math.isfinite(score)):
            raise ValueError(
                f"scoring={self._given!r} must give a finite number. Got {score!r} on the "
                f"validation data instead. {REMEDY}"
            )
        return float(score)

    def fingerprint(self):
        """A value that is equal for equal scores."""
        return fingerprint(self._given)


def _takes_weights(score):
    if hasattr(score, "_accept_sample_weight"):
        return score._accept_sample_weight()
    parameters = inspect.signature(score).parameters.values()
    return any(each.name == "sample_weight" or each.kind is each.VAR_KEYWORD for each in parameters)
