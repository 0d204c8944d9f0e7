"""A search of this package against the one of scikit-learn over the same estimators."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV

from helpers.runs import count_fits
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor

BINARY = make_classification(150, 6, n_informative=4, random_state=0)
CLASSES = make_classification(150, 6, n_informative=4, n_classes=3, random_state=1)
REAL = make_regression(150, 6, noise=5, random_state=2)
OUTPUTS = make_regression(150, 6, n_targets=2, noise=5, random_state=3)


def classifier(**parameters):
    """A classifier that trains for as many epochs as it is told."""
    return GDClassifier(**{"optimizer": "adam", "random_state": 0, "tol": None} | parameters)


def regressor(**parameters):
    """A regressor that trains for as many epochs as it is told."""
    return GDRegressor(**{"optimizer": "adam", "random_state": 0, "tol": None} | parameters)


def both(estimator, grid, X, y, fit=None, *, alone=0, kinds=(GridSearchCV, GDGridSearchCV), **more):
    """The search, after scikit-learn's has given the same scores; `alone` fits were not shared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = kinds[0](estimator, grid, **more | {"n_jobs": 1}).fit(X, y, **(fit or {}))
        with pytest.MonkeyPatch.context() as patch:
            fitted = count_fits(patch)
            ours = kinds[1](estimator, grid, **more).fit(X, y, **(fit or {}))
    assert len(fitted) == alone + (more.get("refit", True) is not False)
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, expected in theirs.cv_results_.items():
        if ("_test_" in name or "_train_" in name) and not name.startswith("rank"):
            np.testing.assert_allclose(
                ours.cv_results_[name], expected, rtol=0, atol=1e-8, err_msg=name
            )
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    if hasattr(theirs, "best_params_"):
        # Candidates that come to the same model, each in a lane of its own, differ in rounding.
        metric = more["refit"] if isinstance(more.get("refit"), str) else "score"
        means = theirs.cv_results_[f"mean_test_{metric}"]
        tied = np.isclose(means, means[theirs.best_index_], rtol=0, atol=1e-12)
        assert ours.best_index_ in np.flatnonzero(tied)
        assert tied.sum() > 1 or ours.best_params_ == theirs.best_params_
    return ours
