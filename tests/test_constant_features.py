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
    # Mini-batches at a constant rate end in noise, and full batches at the minimum.
    noise = 1e-3 if optimizer == "auto" else 0.15
    for loss, y in (("poisson", rng.poisson(2, 300)), ("gamma", rng.gamma(2, 1, 300) + 0.01)):
        model = GDRegressor(optimizer, loss=loss, **settings).fit(X, y)
        np.testing.assert_allclose(model.predict(X[:1]), y.mean(), rtol=noise)
    labels = rng.random(300) < 0.3
    model = GDClassifier(optimizer, **settings).fit(X, labels)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0, 1], labels.mean(), atol=noise)


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


@containers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [("auto", "full"), ("adam", "full"), ("adam", "auto")])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_feature_has_no_coefficient(settings, dtype, contain, weighted):
    rng = np.random.default_rng(0)
    n, others = 5000, [0, 1, 3]
    X = rng.normal(size=(n, 4))
    X[:, 2] = 1.7e9
    y = X[:, others] @ [1, 2, -1] + rng.normal(size=n)
    weight = rng.random(n) if weighted else None
    optimizer, batch_size = settings
    model = GDRegressor(optimizer, batch_size=batch_size, random_state=0)
    model.fit(contain(X.astype(dtype)), y, weight)
    assert model.coef_[2] == 0
    # Of the noise of the targets 5,000 rows leave 0.014 in a coefficient. Mini-batches add noise.
    noise = 0.05 if batch_size == "full" else 0.2
    np.testing.assert_allclose(model.coef_[others], [1, 2, -1], atol=noise)


@containers
def test_a_feature_that_becomes_constant_goes_to_the_intercept(contain):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) + 5
    y = X @ [1, 2]
    model = GDRegressor("sgd", warm_start=True, max_iter=300, random_state=0).fit(contain(X), y)
    X[:, 1] = 4
    before = model.predict(X)
    model.set_params(max_iter=1, learning_rate=1e-12).fit(contain(X), X @ [1, 2])
    assert model.coef_[1] == 0
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_variance_of_a_sparse_constant_is_zero(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1001, 3)).astype(dtype)
    X[:, 1] = 0.1
    weight = rng.random(1001)
    X[7, 1], weight[7] = 5, 0
    moments = Moments()
    for begin in range(0, 1001, 100):
        rows = slice(begin, begin + 100)
        moments.update(sp.csr_matrix(X[rows]), weight[rows])
    assert moments.is_constant().tolist() == [False, True, False]
    assert moments.scatter[1] == 0
    assert moments.mean[1] == X[0, 1]


@pytest.mark.parametrize("offset", [10, 100, 1000])
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam", "schedule_free_adamw", "adagrad"])
def test_sparse_features_far_from_zero_are_centred(optimizer, offset):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 6)) + offset
    labels = (X - offset) @ [1, -1, 2, 0.5, 0, 1] + rng.normal(size=2000) > 0
    model = GDClassifier(optimizer, random_state=0)
    dense = model.fit(X, labels).score(X, labels)
    assert model.fit(sp.csr_matrix(X), labels).score(X, labels) > dense - 0.01
