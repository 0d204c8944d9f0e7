"""Numbers near the ends of their range: a model of finite numbers, or an error that names them."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from helpers import naive
from helpers.assertions import naming
from sk_gd import GDClassifier, GDRegressor, losses, optimizers
from sk_gd.exceptions import DivergenceError
from sk_gd.objectives.moments import Moments

# What an error is about begins its message.
NAMED = ("X ", "y ", "alpha", "sample_weight", "learning_rate", "Sample weights", "precondition")
# The parameters do not go together, whatever the numbers.
OTHERS = ("compares gradients", "l1_ratio must be 0", "hold out", "a sum of weights of zero")
ENDS = [-320, -310, -200, -160, -150, -40, -10, 10, 30, 38, 100, 150, 154, 160, 200, 300, 307]


def magnitude(rng):
    return float(10.0 ** rng.choice(ENDS)) if rng.random() < 0.7 else 1.0


def draw_data(rng, classifies, loss):
    """X in a container, y, and weights or None."""
    n, d = int(rng.choice([2, 5, 30, 200])), int(rng.integers(1, 5))
    X = rng.normal(size=(n, d)) + rng.choice([0, 0, 1, 1e3])
    if rng.random() < 0.2:
        X[rng.random((n, d)) < 0.5] = 0
    dtype = rng.choice([np.float32, np.float64])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if rng.random() < 0.7:
            X *= [magnitude(rng) for _ in range(d)]
        X = np.nan_to_num(X.astype(dtype))
        y = rng.normal(size=n) * magnitude(rng)
        y[0] *= magnitude(rng) if rng.random() < 0.2 else 1
        # Single precision cannot hold larger intercepts.
        most = 1e30 if dtype == np.float32 else np.finfo(float).max
        y = np.clip(np.nan_to_num(y), -most, most)
        weight = None if rng.random() < 0.6 else np.nan_to_num(rng.random(n) * magnitude(rng))
    if classifies:
        y = np.arange(n) % min(n, rng.choice([2, 3]))
    elif not losses.get(loss, "regressor").allows(-1.0):
        y = np.abs(y) + 1e-300
    return (sp.csr_matrix(X) if rng.random() < 0.4 else X), y, weight


def draw_parameters(rng):
    """Parameters, those of scale from the whole range."""
    drawn = {
        "random_state": 0,
        "learning_rate": "auto" if rng.random() < 0.7 else magnitude(rng),
        "max_iter": int(rng.choice([1, 3, 20])),
        "alpha": ["auto", 0, 1e-4, 1.0, 1e-300, 1e150, 1e300][rng.integers(7)],
        "fit_intercept": bool(rng.random() < 0.8),
        "scale_penalty": bool(rng.random() < 0.7),
        "precondition": ["standardize", "standardize", "whiten", None][rng.integers(4)],
        "average": ["auto", True, False][rng.integers(3)],
    }
    for share, more in ((0.1, {"l1_ratio": 0.5}), (0.2, {"batch_size": 1}), (0.1, EARLY)):
        drawn |= more if rng.random() < share else {}
    return drawn


EARLY = {"early_stopping": True}


def fit(rng):
    """A fit with warnings as errors; the model and X, or None after an error in our words."""
    classifies = rng.random() < 0.4
    make, kind = (GDClassifier, "classifier") if classifies else (GDRegressor, "regressor")
    loss = str(rng.choice(losses.names(kind)))
    optimizer = str(rng.choice(["auto", *optimizers.names()]))
    X, y, weight = draw_data(rng, classifies, loss)
    model = make(optimizer, loss=loss, **draw_parameters(rng))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)
            if rng.random() < 0.75 or model.early_stopping:
                return model.fit(X, y, weight), X
            known = {"classes": np.unique(y)} if classifies else {}
            for _ in range(3):
                model.partial_fit(X, y, sample_weight=weight, **known)
            return model, X
    except DivergenceError as error:
        assert error.safe_learning_rate >= 0
    except ValueError as error:
        assert str(error).startswith(NAMED) or any(text in str(error) for text in OTHERS)
    return None


@pytest.mark.parametrize("seed", range(8))
def test_a_finite_model_or_an_error_in_our_words(seed):
    rng = np.random.default_rng(seed)
    fitted = 0
    for _ in range(60):
        found = fit(rng)
        if found is not None:
            model, X = found
            fitted += 1
            assert np.all(np.isfinite(model.coef_)) and np.all(np.isfinite(model.intercept_))
            assert np.isfinite(model.loss_curve_[-1])
            if X.dtype == np.float64:
                with np.errstate(over="ignore"):  # in `exp` of a link
                    assert np.all(np.isfinite(model.predict(X)))
    assert fitted > 15


Z, T = np.random.default_rng(0).normal(size=(2, 50, 2))
T = T[:, 0] + Z[:, 0]


@pytest.mark.parametrize("contain", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("optimizer", ["auto", "sgd", "adam"])
def test_numbers_whose_squares_overflow(optimizer, contain):
    model = GDRegressor(optimizer, random_state=0)
    with pytest.raises(ValueError, match=naming("X must", "too large", "Divide X")):
        model.fit(contain(Z * 1e200), T)
    with pytest.raises(ValueError, match=naming("y must", "too large", "Divide y")):
        model.fit(contain(Z), T * 1e200)
    with pytest.raises(ValueError, match=naming("y must", "1e-150", "multiply y")):
        model.fit(contain(Z), T * 1e-200)
    with pytest.raises(ValueError, match=naming("alpha must", "decrease alpha")):
        model.set_params(alpha=1e300, precondition=None).fit(contain(Z * 1e10), T)
    np.testing.assert_array_equal(hasattr(model, "coef_"), False)


@pytest.mark.parametrize("contain", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("unit", [1e-140, 1e-50, 1e50, 1e140])
def test_units_in_range_do_not_matter(unit, contain):
    model = GDRegressor(random_state=0)
    expected = model.fit(contain(Z), T).coef_
    np.testing.assert_allclose(model.fit(contain(Z * unit), T).coef_ * unit, expected, rtol=1e-6)
    np.testing.assert_allclose(model.fit(contain(Z), T * unit).coef_ / unit, expected, rtol=1e-6)


def test_large_numbers_in_single_precision():
    X = (Z * 1e25).astype(np.float32)
    dense, sparse = (GDRegressor(random_state=0).fit(c(X), T) for c in (np.asarray, sp.csr_matrix))
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-5)
    np.testing.assert_allclose(
        Moments().update(sp.csr_matrix(X)).variance, X.astype(float).var(axis=0), rtol=1e-12
    )


def test_divergence_on_numbers_beyond_squares():
    model = GDRegressor("sgd", precondition=None, alpha=0, scale_penalty=False, learning_rate=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DivergenceError, match="learning_rate=0.1"):
            model.fit(Z * 1e300, T)
        with pytest.raises(ValueError, match=naming("learning_rate='auto'", "X", "divide X")):
            model.set_params(learning_rate="auto").fit(Z * 1e300, T)


def test_predictions_for_features_whose_sum_is_no_number():
    X = np.full((50, 2), np.finfo(np.float32).max, np.float32) * np.sign(Z).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.all(np.isfinite(GDRegressor(random_state=0).fit(X, T).predict(X)))
        assert np.all(np.isin(GDClassifier(random_state=0).fit(X, T > 0).predict(X), [True, False]))


def test_targets_that_single_precision_cannot_hold():
    for y in (T + 1e60, T * 1e60, np.full(50, 1e60)):
        assert np.isfinite(GDRegressor(random_state=0).fit(Z, y).intercept_)
        with pytest.raises(ValueError, match=naming("y must", "float32", "convert X to float64")):
            GDRegressor(random_state=0).fit(Z.astype(np.float32), y)


def test_sparse_covariances_with_weights_that_are_far_apart():
    rng = np.random.default_rng(0)
    for _ in range(20):
        X, weight = rng.normal(size=(3, 4)), 10.0 ** np.array([-10, 0, rng.uniform(5, 6)])
        X[0] = 0
        expected = np.cov(X.T, aweights=weight, ddof=0)
        found = Moments(full=True).update(sp.csr_matrix(X), weight).covariance
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0)
        assert np.linalg.eigvalsh(found).min() >= -1e-12 * np.trace(found)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("offset", [1e3, 1e9, 1e15])
def test_whitening_with_offsets(offset, fit_intercept):
    for contain in (np.asarray, sp.csr_matrix):
        model = GDRegressor("sgd", precondition="whiten", fit_intercept=fit_intercept, max_iter=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            assert np.all(np.isfinite(model.fit(contain(Z + offset), T).coef_))


def test_a_single_row_held_out_has_no_score():
    model = GDRegressor("sgd", max_iter=2, tol=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(Z, T, X_val=Z[:1], y_val=T[:1])
    assert np.all(np.isnan(model.validation_scores_))
    assert np.all(np.isfinite(model.validation_loss_curve_))


@pytest.mark.parametrize("unit", [1e-3, 1e-6, 1e-12, 1e-100])
@pytest.mark.parametrize("n_features", [3, 80])
def test_a_small_unit_of_the_weights_does_not_matter(n_features, unit):
    """F divides by the sum of the weights: at a given alpha, their unit cancels out."""
    rng = np.random.default_rng(0)
    X = StandardScaler().fit_transform(rng.normal(size=(60, n_features)))
    y = np.digitize(X[:, 0] + rng.logistic(size=60), [-1, 1])
    weight = rng.integers(1, 3, 60).astype(float)
    X, y, weight = np.r_[X, X], np.r_[y, y], np.r_[weight, 3 - weight]  # the scaler's deviations
    exact = LogisticRegression(C=1 / (0.01 * weight.sum()), tol=1e-10, max_iter=10_000)
    model = GDClassifier(alpha=0.01, tol=1e-12, max_iter=500).fit(X, y, unit * weight)
    expected = exact.fit(X, y, weight).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e100])
@pytest.mark.parametrize("alpha", [0.01, 1.0, 1e4])
def test_a_large_unit_of_the_weights_does_not_matter(alpha, unit):
    """Two equal features have a direction in which there is nothing but the penalty."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20))
    X[:, 1] = X[:, 0]
    X = StandardScaler().fit_transform(X)
    y = np.digitize(X[:, 0] + rng.logistic(size=60), [-1, 1])
    exact = LogisticRegression(C=1 / (60 * alpha), tol=1e-10, max_iter=10_000).fit(X, y)
    model = GDClassifier(alpha=alpha).fit(X, y, np.full(60, unit))
    found, least = (
        naive.objective("log_loss", X, y, each.coef_, each.intercept_, alpha=alpha)
        for each in (model, exact)
    )
    assert found <= least * (1 + 1e-4)  # as near as `tol` asks for


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("d", "mean"), [(5, 1e3), (20, 1e3), (5, 1e5)])
@pytest.mark.parametrize("contain", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_means_far_from_zero_without_an_intercept(contain, d, mean, seed):
    """The first steps found the mean, and hardly anything else: training ended there."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(200, d))
    y = (Z[:, 0] - Z[:, 1] + rng.logistic(size=200) > 0).astype(int)
    X = mean + Z
    exact = LogisticRegression(
        C=1 / (200 * 1e-3), fit_intercept=False, solver="newton-cholesky", tol=1e-12
    ).fit(X, y)
    model = GDClassifier(alpha=1e-3, scale_penalty=False, fit_intercept=False).fit(contain(X), y)
    found, least = (
        naive.objective("log_loss", X, y, each.coef_, 0.0, alpha=1e-3) for each in (model, exact)
    )
    assert found - least <= 1e-4 * least  # as near as `tol` asks for


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("units", [[1e-4, 1e-3, 1e5], [1e-2, 1, 1e3]])
def test_outputs_of_different_units(units, seed):
    """Training ended when the output of the largest unit no longer improved."""
    rng = np.random.default_rng(seed)
    X = np.exp(rng.normal(size=(30, 5)))
    Y = StandardScaler().fit_transform(X) @ rng.normal(size=(5, 3)) + 0.1 * rng.normal(size=(30, 3))
    Y *= units
    model = GDRegressor(loss="huber").fit(X, Y)
    for k, (coef, intercept) in enumerate(zip(model.coef_, model.intercept_, strict=True)):
        alone = GDRegressor(loss="huber", alpha=model.alpha_, tol=1e-11, max_iter=1000)
        alone.fit(X, Y[:, k])
        constant = np.zeros(5), Y[:, k].mean()
        found, least, learnt_nothing = (
            naive.objective("huber", X, Y[:, k], *each, alpha=model.alpha_, size=naive.sizes(X))
            for each in ((coef, intercept), (alone.coef_, alone.intercept_), constant)
        )
        assert found - least <= 1e-4 * learnt_nothing  # as near as `tol` asks for


@pytest.mark.parametrize("alpha", [1e-6, 1e-9])
@pytest.mark.parametrize("optimizer", ["nesterov", "momentum"])
def test_a_loss_that_nearly_vanishes(optimizer, alpha):
    """With a penalty `tol` is relative to the objective, however small that is."""
    X = np.random.default_rng(0).normal(size=(200, 5))
    y = X @ np.arange(1.0, 6)
    model = GDRegressor(optimizer, alpha=alpha, scale_penalty=False, batch_size="full")
    ridge = Ridge(200 * alpha).fit(X, y)
    found, least = (
        naive.objective("squared_error", X, y, each.coef_, each.intercept_, alpha=alpha)
        for each in (model.set_params(max_iter=1000).fit(X, y), ridge)
    )
    assert found - least <= 1e-3 * least


@pytest.mark.parametrize("unit", [1.0, 1e4, 1e8, 1e12])
def test_raw_features_of_any_unit(unit):
    """The first step of L-BFGS may be too long by many digits, and the loss is linear there."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1))
    y = (X[:, 0] + rng.logistic(size=200) > 0).astype(int)
    exact = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-10)
    least = log_loss(y, exact.fit(X, y).predict_proba(X))
    model = GDClassifier("lbfgs", alpha=0, precondition=None, fit_intercept=False).fit(unit * X, y)
    assert model.loss_curve_[-1] <= least * (1 + 1e-4)  # as near as `tol` asks for


@pytest.mark.parametrize("seed", range(3))
def test_raw_features_and_rare_classes(seed):
    """Beyond a thousandth of the first step of L-BFGS the loss is linear."""
    rng = np.random.default_rng(seed)
    X = 3000 + 100 * rng.normal(size=(60, 1))
    Z = (X - 3000) / 100
    y = np.digitize(Z[:, 0] + 0.5 * rng.logistic(size=60), [-2, 2.5])
    exact = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(Z, y)
    least = log_loss(y, exact.predict_proba(Z))
    model = GDClassifier("lbfgs", alpha=0, precondition=None, tol=1e-9, max_iter=1000).fit(X, y)
    assert model.loss_curve_[-1] <= least * (1 + 1e-6)


@pytest.mark.parametrize("scale_penalty", [True, False])
def test_a_penalty_near_the_largest_number(scale_penalty):
    """It has a minimum near zero, as long as it is a number where training works."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6))
    y = (X[:, 0] + rng.normal(size=120) > 0).astype(int)
    size = naive.sizes(X) if scale_penalty else 1.0
    slope = (y.mean() - y) @ (X - X.mean(axis=0)) / 120  # at zero coefficients
    model = GDClassifier(alpha=1e300, scale_penalty=scale_penalty).fit(X, y)
    np.testing.assert_allclose(model.coef_[0], -slope / (1e300 * size**2), rtol=1e-3)
    with pytest.raises(ValueError, match=naming("alpha must be so small")):
        GDClassifier(alpha=1e308, scale_penalty=scale_penalty).fit(X, y)
