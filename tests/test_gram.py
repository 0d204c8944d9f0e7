"""Full batches with the squared error: a few rows with the same Gram matrix replace all rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV

from helpers.runs import condense, count_rows, never_condense
from sk_gd import GDGridSearchCV, GDRegressor
from sk_gd.losses import Huber, SquaredError

N, D = 600, 7
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)) * np.logspace(-2, 2, D) + RNG.normal(size=D) * 10
X[:, 3] = X[:, 0] - 2 * X[:, 1]  # linearly dependent
X[:, 5] = 7.1  # constant
Y = RNG.normal(size=(N, 2)) + X @ RNG.normal(size=(D, 2))
WEIGHT = RNG.uniform(0.1, 3, size=N)


def in_units(matrix, covariance):
    """A covariance matrix in units of the deviations."""
    unit = np.sqrt(np.diag(covariance))
    unit = np.where(unit > 1e-9, unit, 1.0)
    return matrix / np.outer(unit, unit)


@pytest.mark.parametrize("rows", [None, np.arange(50, 400, 3)])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_means_and_covariances_are_kept(weight, rows):
    short, targets, x_mean, y_mean = condense(X, Y, weight, rows)
    used = slice(None) if rows is None else rows
    weights = None if weight is None else weight[used]
    together = np.hstack([X, Y])[used]
    mean = np.average(together, axis=0, weights=weights)
    covariance = np.cov(together.T, aweights=weights, ddof=0)
    found = np.hstack([short, targets])
    assert len(found) <= D + 2 + 1
    assert_allclose(np.append(x_mean, y_mean), mean, rtol=1e-12)
    assert_allclose(found.sum(axis=0), 0, atol=1e-12 * np.abs(found).max())
    second = found.T @ found / len(found)
    assert_allclose(
        in_units(second, covariance), in_units(covariance, covariance), rtol=0, atol=1e-12
    )
    assert not found[:, 5].any()


def test_rows_far_from_zero():
    """Means of a million deviations do not cost digits of the covariance."""
    shifted = X[:, :3] + 1e6 * X[:, :3].std(axis=0)
    short, _, _, _ = condense(shifted, Y)
    covariance = np.cov((shifted - shifted[0]).T, ddof=0)
    second = short.T @ short / len(short)
    assert_allclose(
        in_units(second, covariance), in_units(covariance, covariance), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_targets_far_from_zero_beside_sparse_rows(weight):
    """Means of a million deviations do not cost digits of what X says about y."""
    rows = np.where(RNG.random((N, D)) < 0.3, RNG.normal(1.0, size=(N, D)), 0)
    target = RNG.normal(size=N) + rows[:, 0]
    short, targets, _, y_mean = condense(sp.csr_array(rows), target[:, None] + 1e6, weight)
    together = np.cov(rows.T, target, ddof=0, aweights=weight)
    assert_allclose(short.T @ targets[:, 0] / len(short), together[:D, D], rtol=0, atol=3e-12)
    assert_allclose(y_mean, np.average(target, weights=weight) + 1e6, rtol=1e-15)


def test_data_without_variance():
    short, targets, x_mean, y_mean = condense(np.full((50, 2), 3.0), np.full((50, 1), -1.0))
    assert not short.any() and not targets.any()
    assert (*x_mean, *y_mean) == (3.0, 3.0, -1.0)


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam", "svrg", "random_search"])
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(
    "extra", ["", "weights", "outputs", "early stopping", "float32", "sparse", "sizes"]
)
def test_same_training_as_on_all_rows(monkeypatch, optimizer, precondition, intercept, extra):
    model = GDRegressor(
        optimizer,
        alpha=0.1 if extra == "sizes" else 1e-4,
        scale_penalty=extra == "sizes",
        batch_size="full",
        precondition=precondition,
        fit_intercept=intercept,
        early_stopping=extra == "early stopping",
        max_iter=15,
        tol=None,
        random_state=0,
    )
    data = X.astype(np.float32) if extra == "float32" else X
    if extra == "sparse":
        # Without centring rounding is magnified where columns depend on each other.
        data = sp.csr_array(X[:, [0, 1, 2, 4, 6]])
    y = Y if extra == "outputs" else Y[:, 0]
    weight = WEIGHT if extra == "weights" else None
    seen = count_rows(monkeypatch)
    model.fit(data, y, weight)
    assert max(seen) <= D + 3
    coef, intercept, curve = model.coef_, model.intercept_, model.loss_curve_
    never_condense(monkeypatch)
    model.fit(data, y, weight)
    assert seen[-1] > 500
    unit = np.abs(model.coef_).max()
    rounding = 1e-5 if extra == "float32" else 1e-7
    assert_allclose(curve, model.loss_curve_, rtol=1e-9)
    assert_allclose(coef / unit, model.coef_ / unit, atol=rounding)
    assert_allclose(intercept, model.intercept_, rtol=rounding, atol=rounding * Y.std())


class Cut(SquaredError):
    """A subclass of the squared error with another formula."""

    def kernel(self, n_outputs):
        return Huber(epsilon=1.0).kernel(n_outputs)


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "huber"},
        {"loss": Cut()},
        {"batch_size": 100},
        {"batch_size": "auto"},
    ],
)
def test_other_fits_read_all_rows(monkeypatch, change):
    seen = count_rows(monkeypatch)
    model = GDRegressor("adam", **({"batch_size": "full", "max_iter": 2, "tol": None} | change))
    model.fit(X, Y[:, 0])
    assert set(seen) == {N}


def test_no_gram_matrix_where_it_does_not_pay(monkeypatch):
    """A single epoch of partial_fit, and few rows are read as they are."""
    seen = count_rows(monkeypatch)
    for container in (np.asarray, sp.csr_array):
        GDRegressor(batch_size="full").partial_fit(container(X), Y[:, 0])
        few = container(X[:18])
        GDRegressor(batch_size="full", max_iter=2, tol=None).fit(few, Y[:18, 0])
    assert set(seen) == {N, 18}


@pytest.mark.parametrize("peer, l1_ratio", [(Ridge, 0.0), (Lasso, 1.0)])
def test_minimiser(peer, l1_ratio):
    data = RNG.normal(size=(3000, 20)) @ RNG.normal(size=(20, 20))
    y = data @ (RNG.normal(size=20) * (np.arange(20) % 3 == 0)) + RNG.normal(size=3000)
    alpha = 0.3
    exact = peer(alpha=alpha * (3000 if peer is Ridge else 1), tol=1e-14).fit(data, y)
    settings = {"alpha": alpha, "l1_ratio": l1_ratio, "scale_penalty": False, "tol": None}
    model = GDRegressor("nesterov", batch_size="full", max_iter=20_000, **settings).fit(data, y)
    assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-10)
    assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=1e-10)


def test_search():
    grid = {"learning_rate": [1e-3, 1e-2, 1e-1], "max_iter": [1, 10, 100]}
    model = GDRegressor("adam", batch_size="full", tol=None, random_state=0)
    plain, shared = (kind(model, grid).fit(X, Y) for kind in (GridSearchCV, GDGridSearchCV))
    assert shared.best_params_ == plain.best_params_
    name = "mean_test_score"
    assert_allclose(shared.cv_results_[name], plain.cv_results_[name], rtol=1e-11)


def test_resumed(tmp_path):
    """Two fits of half the epochs give the bits of one fit."""
    whole = GDRegressor("adam", batch_size="full", max_iter=600, tol=None).fit(X, Y)
    half = GDRegressor("adam", batch_size="full", max_iter=300, tol=None, warm_start=True)
    half.fit(X, Y).fit(X, Y)
    np.testing.assert_array_equal(half.coef_, whole.coef_)
    assert half.loss_curve_ == whole.loss_curve_


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_numbers_whose_squares_are_too_large(monkeypatch):
    """If the Gram matrix overflows, all rows are read."""
    seen = count_rows(monkeypatch)
    # Without coordinates, sizes or an automatic strength no squares are needed.
    raw = {"precondition": None, "scale_penalty": False, "alpha": 1e-4}
    options = {"batch_size": "full", "max_iter": 2, "tol": None}
    model = GDRegressor("adam", learning_rate=1e-3, **options, **raw)
    model.fit(X * 1e200, Y[:, 0])
    assert set(seen) == {N}
