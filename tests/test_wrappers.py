"""Optimizers around optimizers: in all but the gradient they are the one within."""

import math
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV

from helpers.functions import quadratic
from helpers.optimizers import SMOOTH_ONLY, NumpyMomentum, batch_size_for, starting
from sk_gd import GDRegressor, optimizers
from sk_gd.optimizers import SGD, Adam, ClipNorm, ClipValue, Nesterov, Optimizer

X, Y = make_regression(120, 5, noise=5.0, random_state=0)
CURVATURE, CENTRE = np.array([1.0, 10.0, 0.1]), np.array([0.5, -1.0, 2.0])


def shortened(g):
    """In the order of summation of the rule: some rules magnify the rounding."""
    square = 0.0
    for entry in g.tolist():  # not sum, which compensates from Python 3.12 on
        square += entry * entry
    norm = math.sqrt(square)
    return g * (0.4 / norm) if norm > 0.4 else g


CLIPS = {
    "norm": (ClipNorm, shortened),
    "value": (ClipValue, lambda g: np.clip(g, -0.4, 0.4)),
}
# Far above all gradients: nothing is clipped, and every digit is that of the optimizer within.
NEVER = 1e9


def test_norm_keeps_the_direction():
    w = np.zeros(2)
    starting(ClipNorm("sgd", max_norm=1.0), w)(w, lambda w: np.array([3.0, -4.0]), 1.0)
    np.testing.assert_allclose(w, [-0.6, 0.8], rtol=1e-15)


def test_value_keeps_the_small_entries():
    w = np.zeros(3)
    starting(ClipValue("sgd", max_value=1.0), w)(w, lambda w: np.array([3.0, -4.0, 0.5]), 1.0)
    np.testing.assert_array_equal(w, [-1.0, 1.0, -0.5])


def test_the_callers_gradient_is_left_alone():
    w, g = np.zeros(2), np.array([3.0, -4.0])
    starting(ClipNorm("sgd"), w)(w, lambda w: g, 1.0)
    np.testing.assert_array_equal(g, [3.0, -4.0])


@pytest.mark.parametrize("wrapper, clip", CLIPS.values(), ids=CLIPS)
@pytest.mark.parametrize("inner", [*optimizers.names(), NumpyMomentum()], ids=str)
def test_the_optimizer_within_is_given_the_clipped_gradient(inner, wrapper, clip):
    ours, theirs = np.ones(3), np.ones(3)
    inner = optimizers.get(inner)
    one = starting(wrapper(inner, 0.4), ours)
    other = starting(inner, theirs)
    for _ in range(20):
        one(ours, quadratic(CURVATURE, CENTRE), 0.1)
        other(theirs, quadratic(CURVATURE, CENTRE, clip=clip), 0.1)
        np.testing.assert_array_equal(one.model(ours), other.model(theirs))
    assert one.t == other.t == 20
    assert one.has_metric() == other.has_metric()


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("wrapper", [ClipNorm, ClipValue])
@pytest.mark.parametrize("name", optimizers.names())
def test_nothing_else_is_changed(name, wrapper, l1_ratio, container):
    """Rates, batches, averages, the lasso, and the path of sparse rows."""
    settings = {"alpha": 0.1, "l1_ratio": l1_ratio, "max_iter": 4, "tol": None, "random_state": 0}
    if l1_ratio > 0 and name in SMOOTH_ONLY:
        pytest.skip("the lasso is an error, with and without a wrapper")
    thin = container(X * (np.random.default_rng(1).random(X.shape) < 0.4))
    one = GDRegressor(name, **settings).fit(thin, Y)
    other = GDRegressor(wrapper(name, NEVER), **settings).fit(thin, Y)
    assert other.learning_rate_ == one.learning_rate_
    assert other.t_ == one.t_
    np.testing.assert_array_equal(other.coef_, one.coef_)
    assert other.loss_curve_ == one.loss_curve_


@pytest.mark.parametrize("wrapper", [ClipNorm, ClipValue])
@pytest.mark.parametrize("inner", ["sgd", "adagrad"])
def test_sparse_rows_touch_a_part_of_the_weights(inner, wrapper):
    thin = X * (np.random.default_rng(1).random(X.shape) < 0.3)
    settings = {"precondition": None, "alpha": 0.0, "learning_rate": 0.05, "random_state": 0}
    settings |= {"batch_size": 2, "max_iter": 3, "tol": None}
    dense, sparse = (
        GDRegressor(wrapper(inner, 1.0), **settings).fit(data, Y)
        for data in (thin, sp.csr_array(thin))
    )
    free = GDRegressor(inner, **settings).fit(thin, Y)
    assert not np.allclose(free.coef_, dense.coef_, rtol=1e-3)  # something was clipped
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-10)


@pytest.mark.parametrize("wrapper", [ClipNorm, ClipValue])
@pytest.mark.parametrize("inner", [*optimizers.names(), NumpyMomentum()], ids=str)
def test_resumes(inner, wrapper):
    size = 16 if isinstance(inner, Optimizer) else batch_size_for(inner, 16)
    model = GDRegressor(wrapper(inner, 0.5), batch_size=size, tol=None, random_state=0)
    whole = clone(model).set_params(max_iter=6).fit(X, Y)
    halves = clone(model).set_params(max_iter=3, warm_start=True).fit(X, Y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, Y)
    np.testing.assert_array_equal(halves.coef_, whole.coef_)
    assert halves.loss_curve_ == whole.loss_curve_


def test_a_wrapper_in_a_wrapper():
    w = np.zeros(2)
    both = ClipValue(ClipNorm(SGD(), max_norm=3.0), max_value=4.0)
    starting(both, w)(w, lambda w: np.array([400.0, 3.0]), 1.0)  # (4, 3), then 3 / 5 of it
    np.testing.assert_allclose(w, [-2.4, -1.8], rtol=1e-15)


def test_is_a_scikit_learn_object():
    optimizer = ClipNorm(Adam(beta_1=0.8), max_norm=2.0)
    assert repr(optimizer) == "ClipNorm(max_norm=2.0, optimizer=Adam(beta_1=0.8))"
    assert clone(optimizer).get_params()["optimizer__beta_1"] == 0.8
    model = GDRegressor(optimizer, max_iter=3, tol=None)
    search = GridSearchCV(model, {"optimizer__optimizer__beta_1": [0.5, 0.9]}, cv=3).fit(X, Y)
    assert search.best_estimator_.optimizer_.optimizer.beta_1 in (0.5, 0.9)


@pytest.mark.parametrize(
    "optimizer, error, message",
    [
        (ClipNorm("sgd", max_norm=0.0), ValueError, "max_norm.*ClipNorm"),
        (ClipValue("sgd", max_value=-1.0), ValueError, "max_value.*ClipValue"),
        (ClipNorm("adm"), ValueError, "Did you mean 'adam'"),
        (ClipNorm(Adam), TypeError, r"Adam\(\)"),
        (ClipNorm(Nesterov(momentum=2.0)), ValueError, "momentum.*Nesterov"),
        (ClipNorm("adgd"), ValueError, "batch_size.*'full'.*7"),
        (ClipNorm("lbfgs"), ValueError, "batch_size.*'full'.*7"),
    ],
)
def test_errors(optimizer, error, message):
    with pytest.raises(error, match=message):
        GDRegressor(optimizer, batch_size=7).fit(X, Y)
