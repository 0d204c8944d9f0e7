"""The losses: minimisers, probabilities, units, curvature, and bad input."""

import re

import numpy as np
import pytest
import scipy.optimize
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    PoissonRegressor,
    QuantileRegressor,
    SGDClassifier,
)
from sklearn.linear_model import Perceptron as Rosenblatt
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.svm import SVR, LinearSVC

from helpers import naive
from helpers.assertions import assert_same_model, naming
from helpers.data import ALPHA, PRECONDITIONS, SCORES, SETTLED, WEIGHT, D, N, X, Y
from helpers.runs import Moments
from sk_gd import DivergenceError, GDClassifier, GDRegressor, losses
from sk_gd.losses import (
    AbsoluteError,
    EpsilonInsensitive,
    Huber,
    ModifiedHuber,
    Quantile,
)

RNG = np.random.default_rng(42)


class TestMinimisers:
    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
    @pytest.mark.parametrize(
        "loss, reference", [("poisson", PoissonRegressor), ("gamma", GammaRegressor)]
    )
    def test_log_link(self, loss, reference, optimizer, precondition):
        y = np.exp(0.4 * SCORES[:, 0])
        y = np.rint(y) if loss == "poisson" else y
        exact = reference(alpha=ALPHA, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        exact.fit(X, y, sample_weight=WEIGHT)
        model = GDRegressor(
            optimizer, loss=loss, alpha=ALPHA, precondition=precondition, **SETTLED
        ).fit(X, y, sample_weight=WEIGHT)
        assert_same_model(model, exact, 1e-7)
        np.testing.assert_allclose(model.predict(X), exact.predict(X), rtol=1e-6)

    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    def test_huber(self, precondition):
        # HuberRegressor sums sigma + 2 / sigma * huber(r), with the corner at epsilon * sigma.
        exact = HuberRegressor(epsilon=1.35, alpha=1.0, tol=1e-10, max_iter=10_000)
        exact.fit(X, Y, sample_weight=WEIGHT)
        model = GDRegressor(
            "nesterov",
            loss=Huber(epsilon=1.35 * exact.scale_),
            alpha=exact.alpha * exact.scale_ / WEIGHT.sum(),
            precondition=precondition,
            **SETTLED,
        ).fit(X, Y, sample_weight=WEIGHT)
        assert 0 < exact.outliers_.sum() < N
        assert_same_model(model, exact, 1e-5)

    @pytest.mark.parametrize(
        "loss, quantile, factor",
        [(Quantile(0.2), 0.2, 1), (Quantile(0.9), 0.9, 1), ("absolute_error", 0.5, 2)],
        ids=repr,
    )
    def test_quantiles(self, loss, quantile, factor):
        alpha = 0.02
        exact = QuantileRegressor(quantile=quantile, alpha=alpha, solver="highs").fit(X, Y)
        model = GDRegressor("adam", loss=loss, alpha=factor * alpha, l1_ratio=1.0, **SETTLED)
        model.fit(X, Y)

        def value(m):
            return naive.objective(
                lambda y, p: np.maximum(quantile * (y - p), (quantile - 1) * (y - p)),
                X, Y, m.coef_, m.intercept_, alpha=alpha, l1_ratio=1.0,
            )  # fmt: skip

        assert -1e-9 < value(model) - value(exact) < 1e-4
        assert np.mean(Y <= model.predict(X)) == pytest.approx(quantile, abs=0.1)

    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    @pytest.mark.parametrize("epsilon", [0.0, 0.5])
    def test_support_vector_regression(self, epsilon, precondition):
        exact = SVR(kernel="linear", C=1 / (ALPHA * N), epsilon=epsilon, tol=1e-9).fit(X, Y)
        model = GDRegressor(
            "adam",
            loss=EpsilonInsensitive(epsilon) if epsilon else AbsoluteError(),
            alpha=ALPHA,
            precondition=precondition,
            **SETTLED,
        ).fit(X, Y)
        found, lowest = (
            naive.objective(
                lambda y, p: np.maximum(0, abs(y - p) - epsilon),
                X, Y, m.coef_, m.intercept_, alpha=ALPHA,
            )
            for m in (model, exact)
        )  # fmt: skip
        assert -1e-9 < found - lowest < 1e-5

    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    def test_squared_hinge(self, precondition):
        y = SCORES[:, 0] > 0
        exact = LinearSVC(
            C=1 / (2 * ALPHA * N) * 2, dual=False, fit_intercept=False, tol=1e-12, max_iter=10_000
        ).fit(X, y)
        model = GDClassifier(
            "nesterov",
            loss="squared_hinge",
            alpha=ALPHA,
            fit_intercept=False,
            precondition=precondition,
            **SETTLED,
        ).fit(X, y)
        assert_same_model(model, exact, 1e-6)

    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.parametrize("loss", ["squared_hinge", "modified_huber"])
    def test_smooth_margins(self, loss, classes):
        y = SCORES[:, :classes].argmax(axis=1)
        rows = 1 if classes == 2 else 3

        def value(w):
            w = w.reshape(rows, D + 1)
            return naive.objective(loss, X, y, w[:, :D], w[:, D], alpha=ALPHA)

        start = np.zeros(rows * (D + 1))
        lowest = scipy.optimize.minimize(value, start, method="L-BFGS-B", options={"ftol": 1e-15})
        model = GDClassifier("nesterov", loss=loss, alpha=ALPHA, **SETTLED).fit(X, y)
        found = naive.objective(loss, X, y, model.coef_, model.intercept_, alpha=ALPHA)
        assert found - lowest.fun < 1e-9

    def test_several_outputs_are_as_many_models(self):
        targets = np.exp(0.3 * SCORES) * [1.0, 100.0, 0.01]
        for loss in losses.names("regressor"):
            options = {"loss": loss, "learning_rate": 0.1, "alpha": 1e-4}
            options |= {"max_iter": 20, "tol": None}
            both = GDRegressor("sgd", **options).fit(X, targets)
            for k in range(3):
                one = GDRegressor("sgd", **options).fit(X, targets[:, k])
                np.testing.assert_allclose(both.coef_[k], one.coef_, rtol=1e-11)
                np.testing.assert_allclose(both.intercept_[k], one.intercept_, rtol=1e-11)
                np.testing.assert_allclose(both.predict(X)[:, k], one.predict(X), rtol=1e-11)


class TestPerceptron:
    def test_plain_descent_on_single_rows_is_the_perceptron(self):
        y = SCORES[:, 0] > 0
        exact = Rosenblatt(shuffle=False, tol=None, max_iter=7).fit(X, y)
        model = GDClassifier(
            "sgd",
            loss="perceptron",
            learning_rate=1.0,
            alpha=0,
            batch_size=1,
            shuffle=False,
            precondition=None,
            max_iter=7,
            tol=None,
        ).fit(X, y)
        assert_same_model(model, exact, 1e-12)

    @pytest.mark.parametrize("classes", [2, 3])
    def test_separates_what_can_be_separated(self, classes):
        y = X[:, :classes].argmax(axis=1)
        ahead = np.sort(X[:, :classes], axis=1)
        rows = ahead[:, -1] - ahead[:, -2] > 0.2
        model = GDClassifier(
            "sgd", loss="perceptron", batch_size=1, alpha=0, max_iter=500, tol=None, random_state=0
        ).fit(X[rows], y[rows])
        assert model.score(X[rows], y[rows]) == 1
        assert model.loss_curve_[-1] == 0


class TestProbabilities:
    def test_two_classes_as_in_scikit_learn(self):
        y = SCORES[:, 0] > 0
        model = GDClassifier(loss="modified_huber", tol=None).fit(X, y)
        other = SGDClassifier(loss="modified_huber").fit(X, y)
        other.coef_, other.intercept_ = model.coef_, model.intercept_
        np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), rtol=1e-12)
        certain = model.predict_proba(X) == 0
        assert certain.any()
        assert np.all(model.predict_log_proba(X)[certain] == -np.inf)

    @pytest.mark.parametrize("truth", [(0.5, 0.3, 0.2), (0.45, 0.45, 0.1), (0.4, 0.3, 0.2, 0.1)])
    def test_the_minimiser_of_the_expected_loss_gives_the_probabilities_back(self, truth):
        k = len(truth)

        def expected(scores):
            p = np.tile(scores, (k, 1))
            return truth @ naive.LOSSES["modified_huber"](np.arange(k)[:, None], p)

        found = scipy.optimize.minimize(expected, np.zeros(k), options={"gtol": 1e-9}, tol=1e-12)
        given = ModifiedHuber().probabilities(found.x[None, :])
        np.testing.assert_allclose(given[0], truth, atol=1e-6)

    def test_any_scores(self):
        scores = np.concatenate([RNG.normal(size=(200, 4)), 100 * RNG.normal(size=(200, 4))])
        given = ModifiedHuber().probabilities(scores)
        assert np.all(given >= 0)
        np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-13)
        np.testing.assert_array_equal(given.argmax(axis=1), scores.argmax(axis=1))
        # With two classes the scores are plus and minus half the score of the second.
        two = ModifiedHuber().probabilities(np.column_stack([-scores[:, 0], scores[:, 0]]) / 2)
        np.testing.assert_allclose(
            two, ModifiedHuber().probabilities(scores[:, 0]), rtol=1e-12, atol=1e-15
        )

    def test_a_number_added_to_all_scores_changes_nothing(self):
        """The sums are exact: multiples of four, which single precision has near 2**25."""
        scores = np.array([[0, 0, -4], [4, 0, 0]], dtype=np.float32)
        given = ModifiedHuber().probabilities(scores + np.float32(2**25))
        np.testing.assert_array_equal(given, ModifiedHuber().probabilities(scores))


class TestUnits:
    """Losses of the residual work untuned, for targets in any unit."""

    @pytest.mark.parametrize("factor", [1.0, 1e6, 1e-6])
    @pytest.mark.parametrize("optimizer", ["auto", "nesterov"])
    @pytest.mark.parametrize("loss", losses.names("regressor"))
    def test_diabetes(self, loss, optimizer, factor):
        data, y = load_diabetes(return_X_y=True)
        if loss == "epsilon_insensitive" and factor < 1:
            loss = EpsilonInsensitive(0.1 * factor)
        # alpha=0, as the effect of a penalty depends on the units.
        model = GDRegressor(optimizer, loss=loss, alpha=0, random_state=0).fit(data, factor * y)
        assert model.score(data, factor * y) > 0.45

    # Where a constant is almost the best model, the noise of the batches hides convergence.
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize(
        "loss, factor",
        [
            (loss, factor)
            for loss in losses.names("regressor")
            for factor in (1.0, 1e6, 1e-6)
            # Below epsilon all residuals cost nothing.
            if factor >= 1 or loss != "epsilon_insensitive"
        ],
    )
    def test_diabetes_with_the_penalty(self, loss, factor):
        data, y = load_diabetes(return_X_y=True)
        y = factor * y

        def value(m):
            return naive.objective(loss, data, y, m.coef_, m.intercept_, alpha=1e-4)

        none = GDRegressor(loss=loss, max_iter=1, tol=None).fit(data, y)
        none.coef_, start = np.zeros(data.shape[1]), np.median(y)
        none.intercept_ = start if loss not in ("poisson", "gamma") else np.log(y.mean())
        best = GDRegressor("adam", loss=loss, alpha=1e-4, **SETTLED).fit(data, y)
        raw = {"alpha": 1e-4, "scale_penalty": False}
        model = GDRegressor(loss=loss, random_state=0, **raw).fit(data, y)
        assert value(model) - value(best) < 0.01 * value(none)

    @pytest.mark.filterwarnings("ignore:The objective is:sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
    @pytest.mark.parametrize(
        "loss, scaled",
        [
            ("squared_error", "squared_error"),
            ("absolute_error", "absolute_error"),
            (Quantile(0.3), Quantile(0.3)),
            (Huber(0.5), Huber(512.0)),
            (EpsilonInsensitive(0.5), EpsilonInsensitive(512.0)),
        ],
        ids=repr,
    )
    def test_another_unit_is_the_same_path(self, loss, scaled, optimizer):
        options = {"alpha": 0, "max_iter": 10, "tol": None, "random_state": 0, "batch_size": 8}
        model = GDRegressor(optimizer, loss=loss, **options).fit(X, Y)
        other = GDRegressor(optimizer, loss=scaled, **options).fit(X, 1024 * Y)
        # Equal to the bit except for the epsilon that a rule adds to its roots.
        np.testing.assert_allclose(other.coef_, 1024 * model.coef_, rtol=1e-12)
        np.testing.assert_allclose(other.intercept_, 1024 * model.intercept_, rtol=1e-12)

    @pytest.mark.parametrize("loss", ["poisson", "gamma"])
    def test_another_unit_of_a_mean_is_another_intercept(self, loss):
        y = np.exp(0.4 * SCORES[:, 0])
        options = {"loss": loss, "alpha": 0, "max_iter": 10, "tol": None, "random_state": 0}
        model = GDRegressor("nesterov", **options).fit(X, y)
        other = GDRegressor("nesterov", **options).fit(X, 1e6 * y)
        np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-12)
        np.testing.assert_allclose(other.predict(X), 1e6 * model.predict(X), rtol=1e-12)

    @pytest.mark.parametrize("loss", losses.names("classifier"))
    def test_raw_breast_cancer(self, loss):
        data, y = load_breast_cancer(return_X_y=True)
        assert GDClassifier(loss=loss, random_state=0).fit(data, y).score(data, y) > 0.95

    @pytest.mark.parametrize("loss", losses.names("classifier"))
    def test_raw_iris(self, loss):
        data, y = load_iris(return_X_y=True)
        assert GDClassifier(loss=loss, random_state=0).fit(data, y).score(data, y) > 0.9


def second_derivatives(loss, y, p):
    """For each row, the largest eigenvalue of the Hessian with respect to the predictions."""
    kernel, step = losses.get(loss).kernel(len(p)), 1e-5
    columns = [
        (kernel.slope(y, p + step * e[:, None]) - kernel.slope(y, p - step * e[:, None]))
        / (2 * step)
        for e in np.eye(len(p))
    ]
    return np.linalg.eigvalsh(np.moveaxis(np.array(columns), 2, 0))[:, -1]


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "modified_huber"])
def test_curvature_of_smooth_losses_is_their_largest(loss, classes):
    outputs = 1 if classes == 2 else classes
    p = np.concatenate([RNG.normal(scale=s, size=(outputs, 500)) for s in (1e-3, 0.3, 3)], axis=1)
    if loss == "log_loss" and outputs > 1:
        p[2:] -= 40  # two classes are equally likely, the others impossible
    y = RNG.integers(min(classes, 2), size=(1, 1500)).astype(float)
    found = second_derivatives(loss, y, p).max()
    assert found == pytest.approx(losses.get(loss).curvature(outputs), rel=1e-7)


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 1e3])
def test_curvature_of_huber_is_one_unless_most_of_it_is_straight(epsilon):
    targets = Moments().update(Y[:, None])
    curvature = Huber(epsilon).curvature(1, targets)
    np.testing.assert_allclose(curvature, min(1, epsilon / np.std(Y)), rtol=1e-12)


class TestExponentials:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("loss", ["poisson", "gamma"])
    def test_predictions_are_finite(self, loss, dtype):
        model = GDRegressor(loss=loss, tol=None, max_iter=3).fit(X.astype(dtype), np.exp(X[:, 0]))
        far = np.full((1, D), 1e6, dtype=dtype) * np.sign(model.coef_)
        assert model.predict(far).dtype == dtype
        assert np.isfinite(model.predict(far)).all() and model.predict(-far) == 0

    @pytest.mark.parametrize("rate", [1.0, 1e2, 1e4, 1e300])
    @pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
    @pytest.mark.parametrize("loss", ["poisson", "gamma"])
    def test_finite_or_an_error(self, loss, optimizer, rate):
        model = GDRegressor(optimizer, loss=loss, learning_rate=rate, tol=None, early_stopping=True)
        try:
            model.fit(X, np.exp(0.4 * SCORES[:, 0]))
        except DivergenceError:
            assert not hasattr(model, "coef_")
        else:
            assert np.isfinite(model.coef_).all() and np.isfinite(model.loss_curve_).all()

    # Shortly before overflow, weights may be finite and their predictions not.
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
    def test_finite_or_an_error_at_the_edge_of_overflow(self, loss, seed, dtype):
        highest = np.log10(np.finfo(dtype).max)
        rng = np.random.default_rng(seed)
        X, y = SCORES.astype(dtype), np.exp(0.4 * SCORES[:, 0])
        for rate in 10 ** rng.uniform(0, highest, size=3):
            options = {"learning_rate": rate, "tol": None, "random_state": seed}
            model = GDRegressor("sgd", loss=loss, early_stopping=True, max_iter=30, **options)
            try:
                model.fit(X, y)
            except DivergenceError as error:
                assert not hasattr(model, "coef_")
                assert re.search(
                    rf"\binf\b|\b{np.dtype(dtype).name}\b|at the beginning", str(error)
                )
            else:
                assert np.isfinite(model.coef_).all() and np.isfinite(model.predict(X)).all()

    def test_a_row_without_weight_does_not_count_however_far_it_is(self):
        far = np.concatenate([X, np.full((1, D), 1e5)])
        y, weight = np.append(np.exp(X[:, 0]), 1.0), np.append(np.ones(N), 0.0)
        options = {"loss": "poisson", "batch_size": "full", "tol": None}
        model = GDRegressor("nesterov", **options).fit(far, y, sample_weight=weight)
        other = GDRegressor("nesterov", **options).fit(X, np.exp(X[:, 0]))
        np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-8)

    def test_zero_counts_only(self):
        model = GDRegressor(loss="poisson", tol=None).fit(X, np.zeros(N))
        assert np.all(model.predict(X) < 1)


class TestBadInput:
    @pytest.mark.parametrize(
        "loss, words",
        [
            (Huber(epsilon=0), ["epsilon", "Huber", "0"]),
            (Huber(epsilon="1"), ["epsilon", "Huber", "'1'"]),
            (Huber(epsilon=np.nan), ["epsilon", "Huber", "nan"]),
            (Quantile(quantile=1.0), ["quantile", "Quantile", "1.0"]),
            (EpsilonInsensitive(epsilon=-0.1), ["epsilon", "EpsilonInsensitive", "-0.1"]),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_parameters_out_of_range(self, loss, words, method):
        model = GDRegressor(loss=loss)
        with pytest.raises(ValueError) as raised:
            getattr(model, method)(X, Y)
        assert all(word in str(raised.value) for word in words)
        assert not hasattr(model, "n_features_in_")

    @pytest.mark.parametrize(
        "loss, bad, allowed",
        [
            ("poisson", -1.0, "non-negative"),
            ("gamma", 0.0, "positive"),
            ("gamma", -3.0, "positive"),
        ],
    )
    def test_targets_of_the_wrong_kind(self, loss, bad, allowed):
        y = np.ones(N)
        y[7] = bad
        model = GDRegressor(loss=loss)
        with pytest.raises(ValueError, match=naming("y", f"loss='{loss}'", allowed, bad)):
            model.fit(X, y)
        assert not hasattr(model, "n_features_in_")
        with pytest.raises(ValueError, match=naming("y_val", f"loss='{loss}'", allowed, bad)):
            model.fit(X, np.ones(N), X_val=X, y_val=y)
        model.partial_fit(X, np.ones(N))
        before = model.coef_.copy()
        with pytest.raises(ValueError, match=naming(f"loss='{loss}'", allowed, bad)):
            model.partial_fit(X, y)
        np.testing.assert_array_equal(model.coef_, before)


def test_parameters_are_tuned_by_a_grid():
    options = {"max_iter": 20, "tol": None, "random_state": 0}
    grid = {"loss__epsilon": [0.5, 5.0], "alpha": [0.0, 0.1]}
    search = GridSearchCV(GDRegressor(loss=Huber(), **options), grid).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) == 4
    for params, score in zip(search.cv_results_["params"], scores, strict=True):
        model = GDRegressor(loss=Huber(params["loss__epsilon"]), alpha=params["alpha"], **options)
        assert score == cross_val_score(model, X, Y).mean()
    assert search.best_estimator_.loss.epsilon == search.best_params_["loss__epsilon"]
