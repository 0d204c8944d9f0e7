"""Training with schedules: learning rates, plateaus, resumed fits, users' schedules, searches."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from helpers.assertions import assert_same_bits
from helpers.runs import (
    epoch,
    finish_epoch,
    make_data,
    make_run,
    multipliers,
    rule_of,
    run_of,
    set_schedule,
)
from helpers.schedules import INSTANCES, OF_THE_HORIZON, in_training
from sk_gd import GDClassifier, GDRegressor, optimizers, schedules
from sk_gd.schedules import Exponential, InverseTime, Plateau, Polynomial, Schedule, Warmup

X, TARGET = make_regression(150, 6, n_informative=4, noise=5.0, random_state=0)
LABELS = make_classification(150, 6, n_informative=4, n_classes=3, random_state=0)[1]
K = 4


class Listening(optimizers.Optimizer):
    """Plain descent that keeps the learning rates it was given."""

    def init(self, w):
        return {"rates": []}

    def step(self, w, g, lr, state):
        state["rates"].append(lr)
        w -= lr * g


def rates(model):
    """The learning rates that the `Listening` of a fitted model got."""
    return np.array(rule_of(run_of(model)).state["rates"])


def listening(schedule, **parameters):
    settings = {"batch_size": 30, "max_iter": 12, "tol": None, "random_state": 0}
    settings |= {"learning_rate": 0.5, "schedule": schedule}
    return GDRegressor(Listening(), **{**settings, **parameters})


# Reduces the rate often, on any data.
EAGER = Plateau(factor=0.5, patience=0, threshold=0.5)


class TestTraining:
    @pytest.mark.parametrize("schedule", [*INSTANCES, EAGER], ids=repr)
    def test_learning_rates(self, schedule):
        """The multipliers are those at (t - 1) / (steps per epoch), for every batch size."""
        for batch_size, steps in ((30, 5), ("full", 1), (40, 4)):
            model = listening(schedule, batch_size=batch_size).fit(X, TARGET)
            times = np.arange(12 * steps) / steps
            expected = 0.5 * in_training(schedule, times, 12, model.loss_curve_)
            np.testing.assert_allclose(rates(model), expected, rtol=1e-14)

    def test_plateau_lowers_the_rate_of_a_loss_that_stalls(self):
        """At a large constant rate the loss does not converge; with the plateau it does."""
        settings = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 1, "tol": None}
        settings |= {"max_iter": 30, "random_state": 0, "alpha": 0.0}
        hovering = GDRegressor(**settings).fit(X, TARGET)
        settled = GDRegressor(schedule=Plateau(factor=0.3, patience=1), **settings).fit(X, TARGET)
        y = TARGET - TARGET.mean()
        design = X - X.mean(axis=0)
        least = np.sum((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2)
        excess = [
            np.sum((TARGET - model.predict(X)) ** 2) / least - 1 for model in (hovering, settled)
        ]
        assert excess[1] < 0.01 * excess[0]

    def test_plateau_watches_the_validation_loss(self):
        """The validation targets are such that the validation loss only rises."""
        model = listening(Plateau(factor=0.5, patience=0)).fit(X, TARGET, X_val=X, y_val=-TARGET)
        schedule = Plateau(factor=0.5, patience=0)
        each = np.arange(12)
        expected = 0.5 * in_training(schedule, each, 12, model.validation_loss_curve_)
        np.testing.assert_allclose(rates(model)[::5], expected, rtol=1e-14)
        assert not np.allclose(expected, 0.5 * in_training(schedule, each, 12, model.loss_curve_))
        held_out = listening(schedule, early_stopping=True, batch_size=27).fit(X, TARGET)
        expected = 0.5 * in_training(schedule, each, 12, held_out.validation_loss_curve_)
        np.testing.assert_allclose(rates(held_out)[::5], expected, rtol=1e-14)

    def test_plateau_begins_anew_where_another_loss_is_watched(self):
        """With and without validation data the losses differ, so the plateau starts again."""
        model = listening(EAGER, warm_start=True, max_iter=5).fit(X, TARGET)
        assert rates(model)[-1] < 0.5
        model.fit(X, TARGET, X_val=X, y_val=TARGET)
        expected = 0.5 * in_training(EAGER, range(5), 5, model.validation_loss_curve_)
        np.testing.assert_allclose(rates(model)[25::5], expected, rtol=1e-14)
        model.fit(X, TARGET)
        expected = 0.5 * in_training(EAGER, range(5), 5, model.loss_curve_[10:])
        np.testing.assert_allclose(rates(model)[50::5], expected, rtol=1e-14)

    def test_lanes_react_by_themselves(self):
        """One lane has a rate that is too large, and one a small rate."""
        data = make_data(X, TARGET, "squared_error", precondition="standardize", batch_size=30)

        def train(*learning_rates):
            runs = [make_run(data, "sgd", learning_rate=rate) for rate in learning_rates]
            heard = []
            for run in runs:
                set_schedule(run, Warmup(epochs=1, then=Plateau(factor=0.5, patience=0)))
            for _ in range(10):
                heard.append([multipliers(run, 5) for run in runs])
                epoch(data, *runs)
                finish_epoch(data, *runs)
            return np.array(heard).transpose(1, 0, 2)

        together = train(1.0, 1e-3)
        np.testing.assert_array_equal(together[0], train(1.0)[0])
        np.testing.assert_array_equal(together[1], train(1e-3)[0])
        assert together[0][-1].max() == 0.25 and together[1][1:].min() == 1

    @pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
    @pytest.mark.parametrize("schedule", [*INSTANCES, EAGER, Warmup(1, then=EAGER)], ids=repr)
    def test_resumes(self, make, schedule):
        """K epochs, a pickle and K more epochs give the bits of 2 K epochs."""
        y = TARGET if make is GDRegressor else LABELS
        classes = {} if make is GDRegressor else {"classes": np.unique(y)}
        settings = {"optimizer": "adam", "batch_size": 16, "tol": None, "random_state": 0}
        model = make(schedule=schedule, **settings)
        untouched = joblib.hash(schedule)

        parts, twin = clone(model).set_params(max_iter=2 * K), clone(model)
        twin.set_params(max_iter=2 * K)
        for number in range(2 * K):
            if number == K:
                parts = pickle.loads(pickle.dumps(parts))
            parts.partial_fit(X, y, **classes)
            twin.partial_fit(X, y, **classes)
        assert_same_bits(parts, twin)

        halves = clone(model).set_params(max_iter=K, warm_start=True).fit(X, y)
        again = pickle.loads(pickle.dumps(halves)).fit(X, y)
        if not isinstance(getattr(schedule, "then", schedule), OF_THE_HORIZON):
            assert_same_bits(again, clone(model).set_params(max_iter=2 * K).fit(X, y))
        assert_same_bits(again, halves.fit(X, y))
        assert joblib.hash(schedule) == untouched

    @pytest.mark.parametrize("schedule", ["cosine", "polynomial", "one_cycle"])
    def test_a_second_fit_still_moves(self, schedule):
        """The second fit has a new horizon."""
        settings = {"max_iter": 4, "tol": None, "warm_start": True, "random_state": 0}
        model = GDRegressor("sgd", schedule=schedule, **settings)
        before = model.fit(X, TARGET).loss_curve_[-1]
        assert model.fit(X, TARGET).loss_curve_[-1] < before - 1e-6

    def test_resumed_plateau_remembers(self):
        """In the test of resumed training the rate falls before and after the pickle."""
        model = listening(EAGER, max_iter=2 * K).fit(X, TARGET)
        each = rates(model)[::5]
        assert each[0] > each[K - 1] > each[-1]

    def test_losses_of_a_fit_that_failed_are_forgotten(self):
        """The plateau must not see the losses of a fit that failed after two epochs."""
        model = listening(EAGER, warm_start=True, max_iter=4).fit(X, TARGET)
        twin = pickle.loads(pickle.dumps(model))
        model.set_params(schedule=lambda e, horizon: np.where(e < 6, 1.0, -1.0))
        with pytest.raises(ValueError, match="negative"):
            model.fit(X, TARGET)
        model.set_params(schedule=EAGER).fit(X, TARGET)
        np.testing.assert_array_equal(rates(model), rates(twin.fit(X, TARGET)))
        assert_same_bits(model, twin)

    @pytest.mark.parametrize("name", schedules.names())
    def test_trains_both_estimators(self, name):
        with warnings.catch_warnings():
            # Convergence is not tested here.
            warnings.simplefilter("ignore", ConvergenceWarning)
            X, y = load_breast_cancer(return_X_y=True)
            classifier = GDClassifier("adam", schedule=name, random_state=0).fit(X, y)
            X, y = load_diabetes(return_X_y=True)
            regressor = GDRegressor("adam", schedule=name, random_state=0).fit(X, y)
        assert classifier.score(*load_breast_cancer(return_X_y=True)) > 0.95
        assert regressor.score(X, y) > 0.45


def root(e, horizon):
    """A user's schedule that can be pickled."""
    return 1 / np.sqrt(1 + e)


class Root(Schedule):
    """The same as a class."""

    def multiplier(self, epochs, horizon):
        return 1 / np.sqrt(1 + epochs)


class TestOwn:
    @pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
    def test_function_and_class(self, make):
        y = TARGET if make is GDRegressor else LABELS
        settings = {"max_iter": K, "tol": None, "random_state": 0, "batch_size": 16}
        by_lambda = make(schedule=lambda e, horizon: 1 / np.sqrt(1 + e), **settings).fit(X, y)
        for schedule in (root, Root()):
            other = pickle.loads(pickle.dumps(make(schedule=schedule, **settings).fit(X, y)))
            assert_same_bits(by_lambda, other)

    def test_function_gets_times_and_horizon(self):
        calls = []

        def schedule(e, horizon):
            calls.append((e.copy(), horizon))
            return e / horizon

        model = listening(schedule, max_iter=3, batch_size=75).fit(X, TARGET)
        np.testing.assert_array_equal(np.concatenate([e for e, _ in calls]), np.arange(6) / 2)
        assert {horizon for _, horizon in calls} == {3}
        np.testing.assert_allclose(rates(model), 0.5 * np.arange(6) / 6, rtol=1e-14)

    def test_function_in_a_warm_up(self):
        """After the warm-up its times begin at zero, and its horizon is the rest."""
        schedule = Warmup(epochs=2, start_factor=0, then=lambda e, horizon: 1 - e / horizon)
        np.testing.assert_allclose(schedule([0, 1, 2, 6, 10], 10), [0, 0.5, 1, 0.5, 0], rtol=1e-14)

    def test_integers_are_numbers(self):
        assert schedules.get(lambda e, horizon: e < 2)([1.0, 3.0], 5).tolist() == [1.0, 0.0]


class TestSearch:
    settings = {"max_iter": 3, "tol": None, "random_state": 0, "batch_size": 30}

    def test_schedules(self):
        grid = {"schedule": [*schedules.names(), Warmup(1, then=Plateau()), root]}
        search = GridSearchCV(GDRegressor(**self.settings), grid, cv=2).fit(X, TARGET)
        assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
        assert repr(search.best_params_["schedule"]) == repr(search.best_estimator_.schedule)

    @pytest.mark.parametrize(
        "schedule, name, values",
        [
            (InverseTime(), "schedule__decay", [0.1, 10.0]),
            (Warmup(1, then=Exponential()), "schedule__then__gamma", [0.9, 0.1]),
            (Warmup(1), "schedule__then", ["constant", Exponential(0.1)]),
        ],
        ids=["plain", "nested", "exchanged"],
    )
    def test_parameters(self, schedule, name, values):
        model = GDRegressor("sgd", schedule=schedule, **self.settings)
        search = GridSearchCV(model, {name: values}, cv=2).fit(X, TARGET)
        # With the first value the rate falls more slowly, which is better here.
        scores = search.cv_results_["mean_test_score"]
        assert scores[0] > scores[1]
        assert search.best_params_ == {name: values[0]}


class TestHorizon:
    """A fit has `max_iter` epochs ahead of it, whatever came before.

    On a parabola of curvature one, an epoch multiplies the distance to the minimum with one minus
    the rate.
    """

    X, RATE = np.array([[1.0], [-1.0]]), 0.1

    def model(self):
        settings = {"precondition": None, "fit_intercept": False, "alpha": 0, "tol": None}
        return GDRegressor(
            "sgd",
            learning_rate=self.RATE,
            schedule=Polynomial(1),
            max_iter=5,
            warm_start=True,
            **settings,
        )

    def shrinks(self, first, last, horizon):
        return np.prod(1 - self.RATE * (1 - np.arange(first, last) / horizon))

    @pytest.mark.parametrize(
        "held_out", [(None, None), (1, 1), (1, 2)], ids=["none", "same", "other"]
    )
    def test_a_fit_that_goes_on(self, held_out):
        """Also if other rows are held out, of which the model is judged anew."""
        model, left = self.model(), 1.0
        for begin, unit in zip((0, 5), held_out, strict=True):
            given = {} if unit is None else {"X_val": unit * self.X, "y_val": unit * self.X[:, 0]}
            left *= self.shrinks(begin, begin + 5, begin + 5)
            model.fit(self.X, self.X[:, 0], **given)
            assert 1 - model.coef_[0] == pytest.approx(left, rel=1e-12)

    def test_a_fit_after_other_data(self):
        model = self.model().fit(self.X, self.X[:, 0]).partial_fit(self.X, 3 * self.X[:, 0])
        left = (1 - model.coef_[0]) * self.shrinks(0, 5, 5)
        assert 1 - model.fit(self.X, self.X[:, 0]).coef_[0] == pytest.approx(left, rel=1e-12)
