"""Losses that users write in numpy."""

import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import r2_score

from helpers import naive
from helpers.assertions import assert_goes_on, assert_same_model
from helpers.data import ALPHA, PRECONDITIONS, SCORES, SETTLED, WEIGHT, D, X, Y
from helpers.losses import Halves
from sk_gd import DivergenceError, GDClassifier, GDRegressor
from sk_gd.losses import Loss
from sk_gd.losses.links import predictions_of


class LogCosh(Loss):
    kinds = ("regressor",)

    def __init__(self, scale=1.0):
        self.scale = scale

    def value(self, y, p):
        r = (p - y) / self.scale
        return np.logaddexp(r, -r) - np.log(2)

    def gradient(self, y, p):
        return np.tanh((p - y) / self.scale) / self.scale


class Softmax(Loss):
    kinds = ("classifier",)
    relative = True

    def value(self, y, p):
        if p.ndim == 1:
            return np.logaddexp(0, p) - y * p
        return np.logaddexp.reduce(p, axis=1) - p[np.arange(len(y)), y]

    def gradient(self, y, p):
        if p.ndim == 1:
            return 1 / (1 + np.exp(-p)) - y
        slope = softmax(p, axis=1)
        slope[np.arange(len(y)), y] -= 1
        return slope

    def curvature(self, n_outputs, targets=None):
        return 0.25 if n_outputs == 1 else 0.5

    def typical_curvature(self, n_outputs, targets=None):
        return 1 / (4 * max(2, n_outputs))


class TestYourOwn:
    @pytest.mark.parametrize("precondition", PRECONDITIONS)
    def test_minimiser(self, precondition):
        def value(w):
            return naive.objective(
                lambda y, p: np.log(np.cosh(p - y)), X, Y, w[:D], w[D], alpha=ALPHA
            )

        lowest = scipy.optimize.minimize(value, np.zeros(D + 1), options={"gtol": 1e-9})
        model = GDRegressor(
            "nesterov", loss=LogCosh(), alpha=ALPHA, precondition=precondition, **SETTLED
        ).fit(X, Y)
        np.testing.assert_allclose([*model.coef_, model.intercept_], lowest.x, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
    @pytest.mark.parametrize("batch_size", [1, 7, "full"])
    @pytest.mark.parametrize("case", ["one output", "three outputs", "two classes", "three"])
    def test_same_as_the_compiled_one(self, case, batch_size, container):
        options = {"batch_size": batch_size, "max_iter": 5, "tol": None, "random_state": 0}
        if "output" in case:
            y = SCORES[:, 0] if case == "one output" else SCORES
            models = [GDRegressor(loss=loss, **options) for loss in (Halves(), "squared_error")]
        else:
            y = SCORES[:, : 2 if case == "two classes" else 3].argmax(axis=1)
            models = [GDClassifier(loss=loss, **options) for loss in (Softmax(), "log_loss")]
        one, other = (m.fit(container(X), y, sample_weight=WEIGHT) for m in models)
        assert_same_model(one, other, 1e-12)
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-12)

    def test_is_a_scikit_learn_object(self):
        model = GDRegressor(loss=LogCosh(scale=3.0), max_iter=5, tol=None, random_state=0)
        assert clone(model).loss.scale == 3.0
        assert "LogCosh(scale=3.0)" in repr(model)
        again = pickle.loads(pickle.dumps(model.fit(X, Y)))
        assert_goes_on(model, again, X, Y)

    def test_intercepts_are_published_as_they_were_trained(self):
        # relative=False: the loss changes if a number is added to all scores.
        class Apart(Softmax):
            relative = False

        y = SCORES.argmax(axis=1)
        models = [
            GDClassifier(loss=loss, tol=None, max_iter=3, random_state=0).fit(X + 3, y)
            for loss in (Softmax(), Apart())
        ]
        centred, raw = (m.intercept_ for m in models)
        np.testing.assert_allclose(raw - raw.mean(), centred, rtol=0, atol=1e-12)

    def test_has_no_probabilities_unless_it_says_so(self):
        class Likely(Softmax):
            def probabilities(self, scores):
                return softmax(scores, axis=1)

        y = SCORES.argmax(axis=1)
        assert not hasattr(GDClassifier(loss=Softmax()), "predict_proba")
        model = GDClassifier(loss=Likely(), tol=None).fit(X, y)
        logarithms = model.predict_log_proba(X)
        np.testing.assert_allclose(np.exp(logarithms), model.predict_proba(X), rtol=1e-13)


def broken(**methods):
    """An instance of LogCosh with other methods."""
    return type("Broken", (LogCosh,), methods)()


@pytest.mark.parametrize(
    "loss, error, words",
    [
        (broken(value=Loss.value), TypeError, r"Broken.*value\(y, p\).*gradient\(y, p\)"),
        (broken(gradient=Loss.gradient), TypeError, r"Broken.*value\(y, p\).*gradient\(y, p\)"),
        (broken(value=lambda self, y, p: 1.0), ValueError, r"Broken.value.*\(2,\).*\(\)"),
        (broken(gradient=lambda self, y, p: p[:1]), ValueError, r"Broken.gradient.*\(1,\)"),
        (broken(value=lambda self, y, p: p + 1j), ValueError, "Broken.value.*complex128"),
        (broken(value=lambda self, y, p: p[:, None]), ValueError, "Broken.value"),
        (broken(gradient=lambda self, y, p: 1 / 0), ZeroDivisionError, "division"),
        (broken(gradient=lambda self, y, p: np.negative(p, out=p)), ValueError, "read-only"),
        (broken(gradient=lambda self, y, p: p * np.nan), ValueError, r"Broken\.gradient.*NaN"),
        (broken(value=lambda self, y, p: p * np.nan), ValueError, r"Broken\.value.*NaN"),
        (broken(value=lambda self, y, p: np.full_like(p, np.inf)), DivergenceError, "diverged"),
        (broken(kinds=()), ValueError, "kinds"),
        (broken(kinds=("classifier",)), ValueError, r"Broken.*\('classifier',\)"),
    ],
)
def test_errors_of_a_users_loss(loss, error, words):
    model = GDRegressor("sgd", loss=loss, tol=None)
    with pytest.raises(error, match=words):
        model.fit(X, Y)
    assert not hasattr(model, "n_features_in_") and not hasattr(model, "coef_")


class OwnPoisson(Loss):
    kinds = ("regressor",)

    def value(self, y, p):
        return np.exp(p) - y * p

    def gradient(self, y, p):
        return np.exp(p) - y

    def response(self, p):
        return np.exp(p)

    def allows(self, y):
        return y >= 0


class Fractions(Loss):
    kinds = ("regressor",)

    def value(self, y, p):
        return np.logaddexp(0, p) - y * p

    def gradient(self, y, p):
        return expit(p) - y

    def response(self, p):
        return expit(p)


class TestALinkFunction:
    """Runs begin where the predictions, and not the raw ones, are the mean of the targets."""

    @pytest.mark.parametrize("level", [0, 3, 5, 9])
    def test_counts_at_the_defaults(self, level):
        generator = np.random.default_rng(0)
        Z = generator.normal(size=(500, 4))
        y = generator.poisson(np.exp(level + Z @ [0.3, 0.2, -0.1, 0]))
        known = PoissonRegressor(alpha=1e-6).fit(Z, y)
        model = GDRegressor(loss=OwnPoisson(), random_state=0).fit(Z, y)
        assert model.score(Z, y) > known.score(Z, y) - 0.02

    @pytest.mark.parametrize("flipped", [False, True])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_fractions_at_the_defaults(self, share, flipped):
        class Flipped(Fractions):
            def value(self, y, p):
                return super().value(y, -p)

            def gradient(self, y, p):
                return -super().gradient(y, -p)

            def response(self, p):
                return super().response(-p)

        generator = np.random.default_rng(0)
        Z = generator.normal(size=(500, 4))
        mean = expit(np.log(share / (1 - share)) + Z @ [0.5, 0.3, -0.2, 0])
        y = generator.binomial(20, mean) / 20
        loss = Flipped() if flipped else Fractions()
        model = GDRegressor(loss=loss, random_state=0).fit(Z, y)
        np.testing.assert_allclose(model.predict(Z), mean, rtol=0, atol=0.08)

    def test_several_outputs(self):
        generator = np.random.default_rng(0)
        Z = generator.normal(size=(500, 4))
        y = generator.poisson(np.exp([1, 6] + Z @ generator.normal(size=(4, 2)) / 5))
        model = GDRegressor(loss=OwnPoisson(), random_state=0).fit(Z, y)
        scores = r2_score(y, model.predict(Z), multioutput="raw_values")
        for found, each in zip(scores, y.T, strict=True):
            assert found > PoissonRegressor(alpha=1e-6).fit(Z, each).score(Z, each) - 0.02

    def test_a_mean_that_no_prediction_has(self):
        """As of targets that are all zero: the model begins at zero."""
        origin, unit = predictions_of(np.exp, np.zeros(1), np.ones(1))
        assert (origin, unit) == (0, 1)
        origin, unit = predictions_of(np.square, -np.ones(1), np.ones(1) / 2)
        assert (origin, unit) == (0, 1)
