"""Training works untuned, on raw data, with every optimizer and batch size."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning

from helpers.optimizers import DRAWN, with_batch_sizes
from sk_gd import DivergenceError, GDClassifier, GDRegressor, optimizers

RNG = np.random.default_rng(0)
N = 1500


def gaussian(d):
    X = RNG.normal(size=(N, d))
    return X, X @ RNG.normal(size=d) + 0.1 * RNG.normal(size=N)


def ill_scaled():
    X = RNG.normal(size=(N, 20)) * np.logspace(-6, 6, 20) + np.logspace(6, -6, 20)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, Z @ RNG.normal(size=20) * 1e4 + 1e6


def correlated():
    X = RNG.normal(size=(N, 3)) @ RNG.normal(size=(3, 30)) + 0.3 * RNG.normal(size=(N, 30))
    return X, X @ RNG.normal(size=30) + RNG.normal(size=N)


def heavy_tailed():
    X = RNG.standard_t(3, size=(N, 20))
    return X, X @ RNG.normal(size=20) + RNG.normal(size=N)


def text_like():
    X = sp.random(N, 300, density=0.02, random_state=0, format="csr")
    return X, X @ RNG.normal(size=300) + 0.1 * RNG.normal(size=N)


DATA = {
    "gaussian": gaussian(20),
    "many features": gaussian(150),
    "ill-scaled": ill_scaled(),
    "correlated": correlated(),
    "heavy-tailed": heavy_tailed(),
    "text-like": text_like(),
}


BATCHES = ["auto", "full", 1]
# With one row per batch, random searches follow the noise.
SIZES = [
    (name, size) for name, size in with_batch_sizes(*BATCHES) if not (name in DRAWN and size == 1)
]


def in_turn(first):
    """An optimizer with a batch size, and data: every second pair, beginning with the `first`."""
    names = list(DATA)
    return [
        pytest.param(name, size, *DATA[data], id=f"{name}-{size}-{data}")
        for name, size in SIZES
        for data in names
        if (optimizers.names().index(name) + BATCHES.index(size) + names.index(data)) % 2 == first
    ]


# All optimizers with all data and all batch sizes, in turn for regression and for classes.


@pytest.mark.parametrize("optimizer, batch_size, X, y", in_turn(0))
def test_regression_is_better_than_the_mean(optimizer, X, y, batch_size):
    model = GDRegressor(optimizer, batch_size=batch_size, max_iter=10, tol=None, random_state=0)
    assert model.fit(X, y).score(X, y) > 0


@pytest.mark.parametrize("optimizer, batch_size, X, y", in_turn(1))
def test_classification_is_better_than_chance(optimizer, X, y, batch_size):
    labels = (y > np.median(y)).astype(int)
    model = GDClassifier(optimizer, batch_size=batch_size, max_iter=10, tol=None, random_state=0)
    # Four standard deviations of guessing 1500 labels.
    assert model.fit(X, labels).score(X, labels) > 0.55


@pytest.mark.parametrize("batch_size", ["auto", "full"])
@pytest.mark.parametrize("optimizer", optimizers.names())
def test_sparse_column_far_from_zero_does_no_harm(optimizer, batch_size):
    """Sparse features are not centred, so this one is learned slowly; others must not suffer."""
    years = RNG.integers(1990, 2020, size=N).astype(float)
    X = sp.random(N, 30, density=0.1, random_state=0, format="csr")
    y = X @ RNG.normal(size=30) + 0.1 * RNG.normal(size=N)
    X = sp.hstack([X, years[:, None]], format="csr")
    model = GDRegressor(optimizer, batch_size=batch_size, max_iter=10, tol=None, random_state=0)
    assert model.fit(X, y).score(X, y) > -1


def test_stopping_does_not_hide_a_blow_up():
    """An objective that only grows has not converged: there is an error or a warning."""
    X, y = DATA["gaussian"]
    model = GDRegressor("sgd", learning_rate=3.0, batch_size="full", max_iter=100)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y)
        except DivergenceError:
            return
    assert model.loss_curve_[-1] > model.loss_curve_[0]
    assert [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("optimizer", optimizers.names())
def test_raw_data_and_a_name(optimizer):
    """With default settings, on raw data, for several seeds."""
    accuracy, r2 = (0.89, 0.4) if optimizer == "random_search" else (0.95, 0.45)
    for seed in range(5):
        X, y = load_breast_cancer(return_X_y=True)
        assert GDClassifier(optimizer, random_state=seed).fit(X, y).score(X, y) >= accuracy
        X, y = load_diabetes(return_X_y=True)
        assert GDRegressor(optimizer, random_state=seed).fit(X, y).score(X, y) >= r2
