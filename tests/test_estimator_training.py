"""Once per epoch: stopping, history, validation, schedules, averages and divergence."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import comb
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_wine,
    make_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV

from helpers.assertions import naming
from helpers.optimizers import MINI_BATCH, batch_size_for, with_batch_sizes
from sk_gd import DivergenceError, GDClassifier, GDRegressor, optimizers, schedules

X, TARGET = make_regression(120, 5, noise=10.0, bias=20.0, random_state=0)
LABELS = make_classification(120, 5, n_informative=3, flip_y=0.1, random_state=0)[1]
WEIGHT = np.random.default_rng(0).uniform(0.2, 3.0, size=120)


class Recording(optimizers.Optimizer):
    """Plain descent that keeps the learning rates and iterates of its last run."""

    rates = []
    iterates = []

    def init(self, w):
        Recording.rates, Recording.iterates = [], []
        return {}

    def step(self, w, g, lr, state):
        w -= lr * g
        Recording.rates.append(lr)
        Recording.iterates.append(w.copy())


class TestStopping:
    @staticmethod
    def epochs_until_stale(curve, tol, patience, unit=1.0):
        """The documented stopping rule, applied to the curve of a fit without it.

        Improvements count if they are a share `tol` of what is left, or of a thousandth of
        the unit. They are measured from the last one that counts, so small ones add up.
        """
        reached, since = np.inf, 0
        for epoch, value in enumerate(curve, start=1):
            since += 1
            if reached - value >= tol * max(value, unit / 1000):
                reached, since = value, 0
            if since == patience:
                return epoch
        raise AssertionError("the curve is too short")

    @pytest.mark.parametrize("tol", [1e-2, 1e-4, 0.0])
    @pytest.mark.parametrize("patience", [1, 4])
    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_regressor(self, optimizer, tol, patience):
        settings = {"batch_size": 20, "random_state": 0, "max_iter": 400}
        free = GDRegressor(optimizer, tol=None, **settings).fit(X, TARGET)
        stopped = GDRegressor(optimizer, tol=tol, n_iter_no_change=patience, **settings)
        stopped.fit(X, TARGET)
        expected = self.epochs_until_stale(free.loss_curve_, tol, patience, TARGET.var())
        assert stopped.n_iter_ == expected
        assert stopped.loss_curve_ == free.loss_curve_[: stopped.n_iter_]

    def test_regressor_whose_loss_goes_to_zero(self):
        settings = {"alpha": 0.0, "batch_size": "full", "max_iter": 400}
        y = X @ np.arange(5.0)
        free = GDRegressor("sgd", tol=None, **settings).fit(X, y)
        stopped = GDRegressor("sgd", tol=1e-2, **settings).fit(X, y)
        expected = self.epochs_until_stale(free.loss_curve_, 1e-2, 5, y.var())
        assert stopped.n_iter_ == expected < 400
        # A share of what is left would never be too small.
        shares = np.diff(free.loss_curve_) / free.loss_curve_[1:]
        assert np.all(shares[: stopped.n_iter_] < -1e-2)

    def test_classifier(self):
        settings = {"batch_size": 20, "random_state": 0, "max_iter": 400}
        free = GDClassifier("adam", tol=None, **settings).fit(X, LABELS)
        stopped = GDClassifier("adam", tol=1e-3, n_iter_no_change=3, **settings).fit(X, LABELS)
        assert stopped.n_iter_ == self.epochs_until_stale(free.loss_curve_, 1e-3, 3)

    def test_validation_loss_is_watched_where_there_is_one(self):
        data = {"X_val": X[80:], "y_val": LABELS[80:]}
        settings = {"random_state": 0, "max_iter": 400}
        free = GDClassifier("adam", tol=None, **settings).fit(X[:80], LABELS[:80], **data)
        stopped = GDClassifier("adam", tol=1e-4, n_iter_no_change=3, **settings)
        stopped.fit(X[:80], LABELS[:80], **data)
        expected = self.epochs_until_stale(free.validation_loss_curve_, 1e-4, 3)
        assert stopped.n_iter_ == expected
        assert stopped.n_iter_ != self.epochs_until_stale(free.loss_curve_, 1e-4, 3)

    def test_at_the_minimum(self):
        """A gradient of zero leaves nothing to wait for."""
        model = GDRegressor().fit(X, TARGET)
        patient = GDRegressor(tol=None, max_iter=30).fit(X, TARGET)
        assert model.n_iter_ == 3
        np.testing.assert_array_equal(model.coef_, patient.coef_)
        # It is the closed form, and a fit that continues finds the same again.
        size = X.std(axis=0)
        centred = X - X.mean(axis=0)
        ridge = len(X) * model.alpha_ * np.diag(size**2)
        exact = np.linalg.solve(centred.T @ centred + ridge, centred.T @ TARGET)
        np.testing.assert_allclose(model.coef_, exact, rtol=1e-12)
        again = GDRegressor(warm_start=True).fit(X, TARGET).fit(X, TARGET)
        assert again.n_iter_ <= 6
        np.testing.assert_array_equal(again.coef_, model.coef_)

    def test_momentum_that_passes_through_the_minimum(self):
        """The gradient there is zero, but the weights have not come to rest."""
        x, y = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
        settings = {"alpha": 0.0, "learning_rate": 1.0, "batch_size": "full", "precondition": None}
        free = GDRegressor("momentum", tol=None, max_iter=500, **settings).fit(x, y)
        assert free.loss_curve_[1] == 0 < free.loss_curve_[2]
        stopped = GDRegressor("momentum", max_iter=500, **settings).fit(x, y)
        assert 3 < stopped.n_iter_ < 500
        assert stopped.loss_curve_[-1] < 1e-6 < max(stopped.loss_curve_[2:])

    @pytest.mark.parametrize(
        "optimizer",
        ["momentum", "heavy_ball", "nesterov", optimizers.ClipNorm("momentum", max_norm=1e3)],
    )
    @pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
    def test_a_swing_is_no_end(self, load, optimizer):
        """Momentum runs past the minimum for more epochs than the patience, and comes back."""
        X, y = load(return_X_y=True)
        model = GDClassifier(optimizer, batch_size="full", max_iter=1000).fit(X, y)
        assert np.any(np.diff(model.loss_curve_) > 0)
        exact = GDClassifier(tol=1e-10, max_iter=1000).fit(X, y)
        assert model.n_iter_ < 1000
        assert model.loss_curve_[-1] < 1.01 * exact.loss_curve_[-1]

    def test_training_that_gathers_speed_goes_on(self):
        """The first steps are too short to count, and grow by themselves."""
        X, y = load_diabetes(return_X_y=True)
        optimizer = optimizers.DAdaptAdam(d_0=1e-4)
        model = GDRegressor(optimizer, alpha=0, batch_size="full", max_iter=1000).fit(X, y)
        assert model.score(X, y) > LinearRegression().fit(X, y).score(X, y) - 0.01

    @pytest.mark.parametrize("make, y", [(GDRegressor, TARGET), (GDClassifier, LABELS)])
    def test_no_tolerance_runs_all_epochs_in_silence(self, make, y):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert make(tol=None, max_iter=7).fit(X, y).n_iter_ == 7

    @pytest.mark.parametrize("make, y", [(GDRegressor, TARGET), (GDClassifier, LABELS)])
    def test_warning_says_what_to_change(self, make, y):
        with pytest.warns(ConvergenceWarning) as caught:
            model = make(max_iter=2).fit(X, y)
        text = str(caught[0].message)
        assert model.n_iter_ == 2
        for word in ("max_iter=2", "tol=0.0001", "tol=None"):
            assert word in text
        # Nothing that was done already is advised.
        assert "learning_rate" not in text
        # The warning points at the line that called fit.
        assert caught[0].filename == __file__
        with pytest.warns(ConvergenceWarning, match="learning_rate='auto'"):
            make(max_iter=2, learning_rate=0.1).fit(X, y)

    @pytest.mark.parametrize(
        ("watched", "parameters"),
        [
            ("objective", {}),
            ("validation loss", {"early_stopping": True}),
            ("validation score", {"early_stopping": True, "scoring": "r2"}),
        ],
    )
    def test_warning_says_what_has_not_settled(self, watched, parameters):
        with pytest.warns(ConvergenceWarning, match=f"before the {watched} settled"):
            GDRegressor("sgd", max_iter=2, **parameters).fit(X, TARGET)

    @pytest.mark.parametrize(
        ("rate", "batch_size", "warns"),
        [(0.0001, "full", False), (0.001, "full", True), (0.001, 10, True), (0.1, "full", True)],
    )
    def test_an_objective_that_rises(self, rate, batch_size, warns, recwarn):
        """A very small rise says nothing."""

        class Climbing(optimizers.Optimizer):
            def step(self, w, g, lr, state):
                w += lr * g

        settings = {"shuffle": False, "learning_rate": rate, "batch_size": batch_size}
        model = GDRegressor(Climbing(), **settings).fit(X, TARGET)
        assert model.loss_curve_[-1] > model.loss_curve_[0]
        assert [str(w.message).startswith("The objective is") for w in recwarn] == [True] * warns

    def test_partial_fit_never_warns_nor_stops(self):
        model = GDRegressor("sgd", max_iter=2)
        for _ in range(60):
            model.partial_fit(X, TARGET)
        assert model.n_iter_ == 60

    @pytest.mark.parametrize("optimizer", optimizers.names())
    @pytest.mark.parametrize("unit", [1e-6, 1e6])
    def test_unit_of_the_target_changes_nothing(self, optimizer, unit):
        settings = {"random_state": 0, "max_iter": 300, "tol": 1e-3}
        settings["batch_size"] = batch_size_for(optimizer, 20)
        one = GDRegressor(optimizer, **settings).fit(X, TARGET)
        other = GDRegressor(optimizer, **settings).fit(X, unit * TARGET)
        assert one.n_iter_ == other.n_iter_ < 300
        np.testing.assert_allclose(other.coef_, unit * one.coef_, rtol=1e-10)
        np.testing.assert_allclose(
            other.loss_curve_, unit**2 * np.array(one.loss_curve_), rtol=1e-7
        )


class TestHistory:
    """The curve is the objective of the model at the beginning of each epoch."""

    # Rules that evaluate the gradient at the weights of the model.
    AT_THE_MODEL = ["sgd", "momentum", "adagrad", "rmsprop", "adam"]

    @staticmethod
    def penalty(coef, alpha, l1_ratio):
        return alpha * (l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * (coef**2).sum())

    @pytest.mark.parametrize("l1_ratio", [0.0, 0.6])
    @pytest.mark.parametrize("precondition", [None, "standardize"])
    @pytest.mark.parametrize("optimizer", AT_THE_MODEL)
    def test_regressor(self, optimizer, precondition, l1_ratio):
        model = GDRegressor(
            optimizer,
            alpha=2.0,
            l1_ratio=l1_ratio,
            batch_size="full",
            precondition=precondition,
            learning_rate=0.1,
            max_iter=3,
            tol=None,
            warm_start=True,
            scale_penalty=False,
        ).fit(X, TARGET, sample_weight=WEIGHT)
        squares = np.average((TARGET - model.predict(X)) ** 2, weights=WEIGHT)
        expected = squares / 2 + self.penalty(model.coef_, 2.0, l1_ratio)
        model.fit(X, TARGET, sample_weight=WEIGHT)
        assert model.loss_curve_[3] == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("labels", [LABELS, LABELS + (X[:, 0] > 0.5)], ids=["two", "three"])
    @pytest.mark.parametrize("optimizer", AT_THE_MODEL)
    def test_classifier(self, optimizer, labels):
        model = GDClassifier(
            optimizer, alpha=0.3, l1_ratio=0.5, batch_size="full", max_iter=3, tol=None
        ).set_params(warm_start=True, scale_penalty=False)
        model.fit(X, labels, sample_weight=WEIGHT)
        expected = log_loss(labels, model.predict_proba(X), sample_weight=WEIGHT)
        expected += self.penalty(model.coef_, 0.3, 0.5)
        model.fit(X, labels, sample_weight=WEIGHT)
        assert model.loss_curve_[3] == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("optimizer", optimizers.names())
    def test_start(self, optimizer):
        """The first model predicts the mean (zero in raw coordinates) and has no penalty."""
        settings = {"batch_size": "full", "max_iter": 1, "tol": None, "alpha": 5.0}
        model = GDRegressor(optimizer, **settings).fit(X, TARGET)
        assert model.loss_curve_[0] == pytest.approx(TARGET.var() / 2, rel=1e-13)
        model = GDRegressor(optimizer, precondition=None, **settings).fit(X, TARGET)
        assert model.loss_curve_[0] == pytest.approx(np.mean(TARGET**2) / 2, rel=1e-13)
        model = GDClassifier(optimizer, **settings).fit(X, LABELS)
        assert model.loss_curve_[0] == pytest.approx(np.log(2), rel=1e-13)

    @pytest.mark.parametrize("optimizer, batch_size", with_batch_sizes("full", 120, 500, 50, 1))
    def test_lengths(self, optimizer, batch_size):
        steps = {50: 3, 1: 120}.get(batch_size, 1)
        model = GDRegressor(optimizer, batch_size=batch_size, max_iter=4, tol=None).fit(X, TARGET)
        assert model.n_iter_ == len(model.loss_curve_) == 4
        assert model.t_ == 4 * steps
        assert all(isinstance(value, float) for value in model.loss_curve_)


class TestFullBatch:
    """Rules that compare successive gradients, which must be from the same rows."""

    NAMES = [name for name in optimizers.names() if name not in MINI_BATCH]
    X, TARGET = make_regression(400, 3, random_state=0)

    def test_there_are_some(self):
        assert "rprop" in self.NAMES

    @pytest.mark.parametrize("batch_size", ["auto", "full", 400, 1000])
    @pytest.mark.parametrize("optimizer", NAMES)
    def test_they_get_the_full_batch(self, optimizer, batch_size):
        model = GDRegressor(optimizer, batch_size=batch_size, max_iter=3, tol=None)
        assert model.fit(self.X, self.TARGET).t_ == 3
        assert GDRegressor("sgd", max_iter=3, tol=None).fit(self.X, self.TARGET).t_ > 3

    @pytest.mark.parametrize("batch_size", [1, 399])
    @pytest.mark.parametrize("optimizer", NAMES)
    def test_mini_batches_are_refused(self, optimizer, batch_size):
        model = GDRegressor(optimizer, batch_size=batch_size)
        words = naming(
            type(optimizers.get(optimizer)).__name__, "batch_size", "'full'", batch_size, 400
        )
        with pytest.raises(ValueError, match=words):
            model.fit(self.X, self.TARGET)
        assert not hasattr(model, "coef_")


class TestValidation:
    # Fewer rows than features, and noise: the validation loss falls, then rises.
    RNG = np.random.default_rng(3)
    X = RNG.normal(size=(90, 60))
    TARGET = X[:, :3] @ [3.0, -2.0, 2.0] + 2.0 * RNG.normal(size=90)
    WEIGHT = RNG.uniform(0.1, 2.0, size=40)
    SETTINGS = {
        "alpha": 0.0,
        "max_iter": 150,
        "tol": None,
        "random_state": 0,
        "learning_rate": 0.003,
    }

    def test_best_regressor(self):
        X, y, X_val, y_val = self.X[:50], self.TARGET[:50], self.X[50:], self.TARGET[50:]
        data = {"X_val": X_val, "y_val": y_val, "sample_weight_val": self.WEIGHT}
        model = GDRegressor("adam", **self.SETTINGS).fit(X, y, **data)
        losses, scores = model.validation_loss_curve_, model.validation_scores_
        assert len(losses) == len(scores) == model.n_iter_ == 150
        best = int(np.argmin(losses))
        assert 0 < best < 149
        p = model.predict(X_val)
        loss = np.average((y_val - p) ** 2, weights=self.WEIGHT) / 2
        score = r2_score(y_val, p, sample_weight=self.WEIGHT)
        assert losses[best] == pytest.approx(loss, rel=1e-12)
        assert scores[best] == pytest.approx(score, rel=1e-12)
        short = GDRegressor("adam", **{**self.SETTINGS, "max_iter": best + 1}).fit(X, y)
        np.testing.assert_array_equal(model.coef_, short.coef_)
        np.testing.assert_array_equal(model.intercept_, short.intercept_)

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_best_classifier(self, n_classes):
        edges = np.quantile(self.TARGET, np.arange(1, n_classes) / n_classes)
        labels = np.array(["low", "middle", "high"])[np.digitize(self.TARGET, edges)]
        data = {"X_val": self.X[50:], "y_val": labels[50:], "sample_weight_val": self.WEIGHT}
        model = GDClassifier("adam", **self.SETTINGS).fit(self.X[:50], labels[:50], **data)
        best = int(np.argmin(model.validation_loss_curve_))
        assert 0 < best < 149
        p, predicted = model.predict_proba(self.X[50:]), model.predict(self.X[50:])
        weight = {"sample_weight": self.WEIGHT}
        loss = log_loss(labels[50:], p, labels=model.classes_, **weight)
        score = accuracy_score(labels[50:], predicted, **weight)
        assert model.validation_loss_curve_[best] == pytest.approx(loss, rel=1e-12)
        assert model.validation_scores_[best] == pytest.approx(score, rel=1e-12)

    # With a feature for every row, a coefficient moves only if its row trains.
    HOLD_OUT = {
        "optimizer": "sgd",
        "alpha": 0.0,
        "fit_intercept": False,
        "precondition": None,
        "early_stopping": True,
        "max_iter": 3,
        "tol": None,
        "random_state": 0,
    }

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
    def test_held_out_rows_do_not_train(self, container):
        y = np.arange(1.0, 41.0)
        model = GDRegressor(validation_fraction=0.25, **self.HOLD_OUT)
        model.fit(container(np.eye(40)), y)
        held_out = model.coef_ == 0
        assert held_out.sum() == 10
        loss = np.mean(y[held_out] ** 2) / 2
        assert model.validation_loss_curve_ == pytest.approx([loss] * 3, rel=1e-13)

    def test_held_out_labels_are_stratified(self):
        labels = np.r_[np.zeros(30), np.ones(10)].astype(int)
        model = GDClassifier(validation_fraction=0.2, **self.HOLD_OUT).fit(np.eye(40), labels)
        held_out = model.coef_[0] == 0
        assert np.bincount(labels[held_out]).tolist() == [6, 2]
        assert model.validation_loss_curve_ == pytest.approx([np.log(2)] * 3, rel=1e-13)

    def test_validation_data_take_the_place_of_a_part_held_out(self):
        settings = {**self.SETTINGS, "max_iter": 5}
        data = {"X_val": self.X[50:], "y_val": self.TARGET[50:]}
        one = GDRegressor(**settings).fit(self.X[:50], self.TARGET[:50], **data)
        other = GDRegressor(early_stopping=True, **settings)
        other.fit(self.X[:50], self.TARGET[:50], **data)
        np.testing.assert_array_equal(one.coef_, other.coef_)

    def test_no_validation_no_curve(self):
        model = GDRegressor(**self.SETTINGS).fit(self.X, self.TARGET)
        assert not hasattr(model, "validation_loss_curve_")
        assert not hasattr(model, "validation_scores_")

    def test_a_later_fit_without_validation_has_no_curve_of_the_last(self):
        model = GDRegressor(early_stopping=True, **self.SETTINGS).fit(self.X, self.TARGET)
        model.set_params(early_stopping=False).fit(self.X, self.TARGET)
        assert not hasattr(model, "validation_loss_curve_")
        assert not hasattr(model, "validation_scores_")


# Plateau depends on the losses, which are not known before training.
TIMED = [name for name in schedules.names() if name != "plateau"]


class Witness(schedules.Schedule):
    """Returns the training time, and records the horizons that it gets."""

    horizons = set()

    def __call__(self, epochs, horizon):
        Witness.horizons.add(horizon)
        return 1.0 + epochs


class TestSchedules:
    SETTINGS = {"learning_rate": 0.01, "tol": None, "random_state": 0}

    def rates(self, schedule, batch_size, epochs=4, **parameters):
        GDRegressor(
            Recording(),
            schedule=schedule,
            batch_size=batch_size,
            max_iter=epochs,
            **self.SETTINGS,
            **parameters,
        ).fit(X, TARGET)
        return np.array(Recording.rates)

    @pytest.mark.parametrize("batch_size, steps", [("full", 1), (50, 3), (1, 120)])
    def test_training_time_and_horizon(self, batch_size, steps):
        Witness.horizons.clear()
        rates = self.rates(Witness(), batch_size)
        np.testing.assert_allclose(rates, 0.01 * (1 + np.arange(4 * steps) / steps), rtol=1e-13)
        assert Witness.horizons == {4}

    def test_cosine_and_inverse_time_by_hand(self):
        np.testing.assert_allclose(
            self.rates("cosine", "full"),
            [0.01, 0.01 * (2 + 2**0.5) / 4, 0.005, 0.01 * (2 - 2**0.5) / 4],
            rtol=1e-13,
        )
        np.testing.assert_allclose(
            self.rates("inverse_time", 60),
            0.01 / np.array([1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]),
            rtol=1e-13,
        )

    @pytest.mark.parametrize("schedule", TIMED)
    def test_batch_size_changes_nothing(self, schedule):
        """The first rate of each epoch does not depend on the number of steps."""
        whole = self.rates(schedule, "full")
        for batch_size in (60, 50, 1):
            steps = -(-120 // batch_size)
            rates = self.rates(schedule, batch_size)[::steps]
            np.testing.assert_allclose(rates, whole, rtol=1e-13)

    def test_time_goes_on_with_partial_fit(self):
        model = GDRegressor(Recording(), schedule=Witness(), batch_size=60, **self.SETTINGS)
        seen = []
        for _ in range(3):
            model.partial_fit(X, TARGET)
            seen = list(Recording.rates)
        np.testing.assert_allclose(seen, 0.01 * (1 + np.arange(6) / 2), rtol=1e-13)


class TestDivergence:
    def diverged(self, estimator, y=TARGET, **arguments):
        with warnings.catch_warnings(), pytest.raises(DivergenceError) as raised:
            # There must be no numpy warning besides the error.
            warnings.simplefilter("error")
            estimator.fit(X, y, **arguments)
        return raised.value

    def test_what_the_error_carries(self):
        settings = {"alpha": 0.0, "batch_size": "full", "learning_rate": 1e6, "tol": None}
        error = self.diverged(GDRegressor("sgd", max_iter=500, **settings))
        assert isinstance(error, ValueError)
        assert error.learning_rate == 1e6
        Z = np.c_[(X - X.mean(0)) / X.std(0), np.ones(len(X))]
        curvature = np.linalg.eigvalsh(Z.T @ Z / len(X))[-1]
        assert error.safe_learning_rate == pytest.approx(2 / curvature, rel=1e-12)
        text = str(error)
        assert f"epoch {error.epoch} " in text and "1e+06" in text and "auto" in text
        assert f"{error.safe_learning_rate:.6g}" in text
        assert re.search(r"\b(inf|nan)\b", text)
        # With fewer epochs it ends before its numbers overflow, and has diverged all the same.
        early = self.diverged(GDRegressor("sgd", max_iter=5, **settings))
        assert early.epoch == 5 and early.safe_learning_rate == error.safe_learning_rate
        before, after = re.search("was (.*) at the beginning and is (.*) now", str(early)).groups()
        assert float(before) == pytest.approx(np.var(TARGET) / 2, rel=1e-5)
        assert 1e6 * float(before) < float(after) < np.inf

    @pytest.mark.parametrize("make, y", [(GDRegressor, TARGET), (GDClassifier, LABELS)])
    def test_without_numpy_warnings(self, make, y):
        error = self.diverged(make("sgd", learning_rate=1e300, tol=None), y)
        assert error.epoch >= 1

    @pytest.mark.parametrize("batch_size", ["full", 10])
    def test_safe_rate_is_safe(self, batch_size):
        settings = {"alpha": 0.01, "batch_size": batch_size, "tol": None, "max_iter": 200}
        error = self.diverged(GDRegressor("sgd", learning_rate=1e300, random_state=0, **settings))
        safe = 0.99 * error.safe_learning_rate
        model = GDRegressor("sgd", learning_rate=safe, random_state=0, **settings).fit(X, TARGET)
        assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
        if batch_size == "full":
            above = 1.05 * error.safe_learning_rate
            self.diverged(GDRegressor("sgd", learning_rate=above, **settings))

    def test_in_a_grid_search_the_candidate_scores_error_score(self):
        search = GridSearchCV(
            GDRegressor("sgd", tol=None, max_iter=20),
            {"learning_rate": [0.1, 1e300]},
            error_score=-7.0,
            cv=3,
        )
        with pytest.warns(FitFailedWarning, match="DivergenceError"):
            search.fit(X, TARGET)
        assert search.cv_results_["mean_test_score"][1] == -7.0
        assert search.best_params_ == {"learning_rate": 0.1}


class TestVerbose:
    def test_a_line_an_epoch(self, capsys):
        model = GDRegressor(verbose=1, tol=None, max_iter=4).fit(X, TARGET)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 4
        for epoch, (line, loss) in enumerate(zip(lines, model.loss_curve_, strict=True), start=1):
            assert f"epoch {epoch}" in line and f"{loss:.6g}" in line

    def test_validation_too(self, capsys):
        data = {"X_val": X, "y_val": TARGET}
        model = GDRegressor(verbose=1, tol=None, max_iter=1).fit(X, TARGET, **data)
        (line,) = capsys.readouterr().out.splitlines()
        assert f"{model.validation_loss_curve_[0]:.6g}" in line
        assert f"{model.validation_scores_[0]:.4g}" in line

    def test_silent_by_default(self, capsys):
        GDRegressor(tol=None, max_iter=2).fit(X, TARGET)
        assert capsys.readouterr().out == ""


class TestAverage:
    SETTINGS = {
        "batch_size": 30,
        "precondition": None,
        "learning_rate": 0.01,
        "tol": None,
        "max_iter": 5,
        "random_state": 0,
    }

    @pytest.mark.parametrize("average, begin", [(True, 1), (1, 1), (3, 3), (5, 5)])
    def test_begins_at_its_epoch(self, average, begin):
        model = GDRegressor(Recording(), average=average, **self.SETTINGS).fit(X, TARGET)
        iterates = np.array(Recording.iterates)[4 * (begin - 1) :]
        # Polynomial decay of order 8 in closed form: iterate i counts C(i + 7, 8) times.
        weights = comb(np.arange(1, len(iterates) + 1) + 7, 8)
        expected = np.average(iterates, axis=0, weights=weights)
        np.testing.assert_allclose(np.append(model.coef_, model.intercept_), expected, rtol=1e-12)

    @pytest.mark.parametrize("average", [False, 6])
    def test_no_average_before_its_epoch(self, average):
        model = GDRegressor(Recording(), average=average, **self.SETTINGS).fit(X, TARGET)
        np.testing.assert_array_equal(
            np.append(model.coef_, model.intercept_), Recording.iterates[-1]
        )

    @pytest.mark.parametrize("optimizer", optimizers.names())
    def test_sparse_as_dense(self, optimizer):
        """Steps that touch few coordinates must still average all of them."""
        thin = X * (np.random.default_rng(1).uniform(size=X.shape) < 0.3)
        settings = {**self.SETTINGS, "alpha": 0.0, "average": 2}
        settings["batch_size"] = batch_size_for(optimizer, 30)
        dense = GDRegressor(optimizer, **settings).fit(thin, TARGET)
        sparse = GDRegressor(optimizer, **settings).fit(sp.csr_array(thin), TARGET)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-8)

    def test_settles_the_noise_of_mini_batches(self):
        exact = np.linalg.lstsq(np.c_[X, np.ones(len(X))], TARGET, rcond=None)[0][:-1]
        settings = {"alpha": 0.0, "batch_size": 5, "tol": None, "max_iter": 60, "random_state": 0}
        plain, averaged = (
            np.linalg.norm(GDRegressor("adam", average=a, **settings).fit(X, TARGET).coef_ - exact)
            for a in (False, True)
        )
        assert averaged < plain / 3
