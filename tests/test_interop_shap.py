"""The SHAP value of a feature is its coefficient times its distance from the mean."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from sk_gd import GDClassifier, GDRegressor, optimizers

shap = pytest.importorskip("shap")

QUICK = {"max_iter": 30, "tol": None, "random_state": 0}


def explain(model, X):
    """The SHAP values of X, with X as the background."""
    # The default background has only a hundred rows.
    background = shap.maskers.Independent(X, max_samples=len(X))
    return shap.LinearExplainer(model, background)(X)


@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("storage", ["float32", "float64"])
def test_regression(storage, precondition):
    X, y = load_diabetes(return_X_y=True)
    X = X.astype(storage)
    model = GDRegressor(optimizers.Nesterov(), precondition=precondition, **QUICK).fit(X, y)
    found = explain(model, X)
    np.testing.assert_allclose(found.values, model.coef_ * (X - X.mean(axis=0)), rtol=1e-5)
    total = found.base_values + found.values.sum(axis=1)
    np.testing.assert_allclose(total, model.predict(X), rtol=1e-5)


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_two_classes(loss):
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    model = GDClassifier(optimizers.Adam(), loss=loss, **QUICK).fit(X, names)
    found = explain(model, X)
    expected = model.coef_[0] * (X - X.mean(axis=0))
    np.testing.assert_allclose(found.values, expected, rtol=1e-10, atol=1e-12)
    total = found.base_values + found.values.sum(axis=1)
    np.testing.assert_allclose(total, model.decision_function(X), rtol=1e-9)


def test_three_classes_and_two_outputs():
    X, y = load_iris(return_X_y=True)
    centred = (X - X.mean(axis=0))[:, :, None]
    model = GDClassifier(**QUICK).fit(X, y)
    np.testing.assert_allclose(explain(model, X).values, model.coef_.T * centred, atol=1e-12)
    model = GDRegressor(**QUICK).fit(X, np.c_[y, X.sum(axis=1)])
    np.testing.assert_allclose(explain(model, X).values, model.coef_.T * centred, atol=1e-12)
