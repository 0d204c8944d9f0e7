"""The objective of an estimator on data, as a function of the model."""

import numpy as np
import scipy.sparse as sp

from ..objectives.coordinates import coordinates_for
from ..objectives.held_out import mean_loss, raw_predictions
from ..objectives.moments import observe
from .fitting import automatic_alpha, penalty_of
from .posing import pose, targets_of
from .settings import settings_of
from .validation import Validator


class ModelObjective:
    """F of any model, evaluated from its definition.

    Parameters
    ----------
    estimator : GDRegressor or GDClassifier
        Its parameters decide the objective. It is not changed.
    X, y, sample_weight : array-like
        Data. None of the rows are held out.
    reset : bool
        Whether the data may differ in shape from those that the estimator was fitted to.

    Attributes
    ----------
    problem : Problem
        Data and loss.
    penalty : PenaltyKernel
        The penalty on raw weights, without a proximal step.
    statistics : Statistics
        The moments of features and targets.
    coordinates : Coordinates
        Raw coordinates: coefficients and intercepts as they are.
    standardised : Coordinates
        Coordinates in which all weights have about the same size.
    feature_names : ndarray of str or None
        The names of the features, if X has any.
    """

    def __init__(self, estimator, X, y, sample_weight=None, *, reset=True):
        settings = settings_of(estimator)._replace(early_stopping=False, scoring=None)
        validator = Validator(estimator)
        given = validator.validate(X, y, sample_weight, reset=reset)
        targets = targets_of(settings, given.y, getattr(estimator, "classes_", None))
        self.problem = problem = pose(settings, targets, given)
        self.statistics = observe(problem, "variances")
        intercept = settings.fit_intercept
        ratio = None
        if settings.needs_ratio:
            signal = settings.signal(problem, self.statistics.features)
            settings, ratio = settings.with_scale_of(signal), signal.ratio
        size = settings.feature_size(self.statistics)
        self.coordinates = coordinates_for(
            problem, self.statistics, None, fit_intercept=intercept, feature_size=size
        )
        automatic = automatic_alpha(settings, problem, self.statistics, size, ratio)
        penalty = penalty_of(settings, automatic)
        self.penalty = penalty.kernel(*self.coordinates.weight_scales(), proximal=False)
        self.standardised = coordinates_for(
            problem, self.statistics, "standardize", fit_intercept=intercept, centre=intercept
        )
        self.feature_names = validator.attributes.get("feature_names_in_")

    def __call__(self, w):
        """The objective of the model with the raw weights `w`, flat."""
        problem, (coef, intercept) = self.problem, self.coordinates.to_model(w)
        p = raw_predictions(problem.X, coef, intercept)
        return mean_loss(problem.loss, problem.y, p, problem.weight) + self.penalty(w)

    def model(self, coef, intercept, name):
        """A model in the shapes (n_outputs, n_features) and (n_outputs,); `name` is for errors."""
        n_outputs, n_features = self.coordinates.n_outputs, self.coordinates.n_features
        model = np.atleast_2d(coef), np.atleast_1d(intercept).astype(float)
        if model[0].shape != (n_outputs, n_features) or len(model[1]) != n_outputs:
            raise ValueError(
                f"{name} must be (coef, intercept) of {n_outputs} outputs and {n_features} "
                f"features. Got shapes {np.shape(coef)} and {np.shape(intercept)} instead."
            )
        return model

    def published(self, coef, intercept):
        """A model in the shapes of ``coef_`` and ``intercept_``."""
        return self.problem.targets.published(self.problem.loss, coef, intercept)


def model_of(estimator):
    """Coefficients and intercept of a fitted estimator, as arrays."""
    coef = estimator.coef_.toarray() if sp.issparse(estimator.coef_) else estimator.coef_
    return coef, estimator.intercept_
