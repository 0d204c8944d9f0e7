"""Features without variance, or far from zero: their coefficients, and the learning rate."""

import numpy as np
import pytest
import scipy.sparse as sp

from sk_gd import GDClassifier, GDRegressor
from sk_gd.objectives.moments import Moments

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CONTAINERS = {"dense": np.asarray, "sparse": sp.csr_matrix}
containers = pytest.mark.parametrize("contain", CONTAINERS.values(), ids=CONTAINERS)
OPTIMIZERS = ["auto", "adam", "nesterov", "schedule_free_adamw", "adagrad"]


@containers
@pytest.mark.parametrize("level", [0.0, 3.0])
@pytest.mark.parametrize("precondition", ["standardize", None])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_variance_the_mean_is_predicted(optimizer, precondition, level, contain):
    rng = np.random.default_rng(0)
    X = contain(np.full((300, 1), level))
    settings = {"precondition": precondition, "alpha": 1e-4, "random_state": 0}
    for loss, y in (("poisson", rng.poisson(2, 300)), ("gamma", rng.gamma(2, 1, 300) + 0.01)):
        model = GDRegressor(optimizer, loss=loss, **settings).fit(X, y)
        np.testing.assert_allclose(model.predict(X[:1]), y.mean(), rtol=0.3)
    labels = rng.random(300) < 0.3
    model = GDClassifier(optimizer, **settings).fit(X, labels)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0, 1], labels.mean(), atol=0.1)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_a_stream_may_begin_with_constant_features(loss):
    rng = np.random.default_rng(0)
    X = np.vstack([np.zeros((200, 2)), rng.normal(size=(1800, 2))])
    y = rng.gamma(20, np.exp(0.5 * X[:, 0]) / 20) + 1e-3
    model = GDRegressor(loss=loss, alpha=1e-4, random_state=0)
    for begin in range(0, 2000, 200):
        model.partial_fit(X[begin : begin + 200], y[begin : begin + 200])
    np.testing.assert_allclose(model.coef_, [0.5, 0], atol=0.1)
    assert abs(model.intercept_) < 0.1
