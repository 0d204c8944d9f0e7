"""The path of a model during training, and the model and the data inside a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators.base import GDEstimator
from ..estimators.model_objective import ModelObjective, model_of
from ..training.callbacks import EpochCallback
from .style import last_step

if TYPE_CHECKING:
    from typing import Any

    from .. import _typing as types


class _PathRecorder(EpochCallback):
    """A callback that keeps the model after each epoch."""

    def __init__(self):
        self.path = []

    def end_epoch(self, estimator, epoch, fitted):
        self.path.append(model_of(fitted))


def record_path(
    estimator: Any,
    X: types.MatrixLike,
    y: types.ArrayLike,
    *,
    sample_weight: types.ArrayLike = None,
) -> list[tuple[Any, Any]]:
    """Train a clone of an estimator and keep its model after each epoch.

    The path is that of ``fit``, with its schedule, stopping rule and averaging. It
    has ``max_iter`` epochs if ``tol=None``.

    Parameters
    ----------
    estimator : GDRegressor, GDClassifier or Pipeline
        The estimator, which need not be fitted. The transformers of a pipeline must be
        fitted.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets or labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    list of (coef, intercept)
        The model before training and after each epoch.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.inspection import record_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = record_path(GDRegressor(max_iter=5, tol=None), X, y)
    >>> len(path)
    6
    """
    model, X = model_and_data(estimator, X, fitted=False)
    model, recorder = clone(model), _PathRecorder()
    model.set_callbacks(recorder).fit(X, y, sample_weight=sample_weight)
    objective = ModelObjective(model, X, y, sample_weight, reset=False)
    raw = model.precondition is None
    coordinates = objective.coordinates if raw else objective.standardised
    begin = coordinates.to_model(np.zeros(coordinates.n_outputs * coordinates.n_columns))
    return [objective.published(*begin), *recorder.path]


def model_and_data(estimator, X, fitted=True):
    """Return the last step of a pipeline, or the estimator, and the data as this step sees them."""
    model = last_step(estimator)
    if not isinstance(model, GDEstimator):
        raise TypeError(
            "estimator must be a GDRegressor or GDClassifier, or a Pipeline that ends in one. "
            f"Got {model!r} instead."
        )
    if fitted:
        check_is_fitted(model)
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return model, X
