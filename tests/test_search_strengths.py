"""A search over strengths of the penalty costs little more than a fit, and ends at the minima."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit

from helpers import naive
from helpers.runs import (
    LossHessian,
    count_lanes,
    count_moments,
    count_objectives,
    count_scored_by_sklearn,
    count_set_ups,
    do_not_copy_rows,
    do_not_guess,
    do_not_precondition,
    do_not_use_hessians,
    follow,
    hessian_of_constant,
    inverse_hessian,
    keep_no_rows,
    make_data,
    updated_by_bfgs,
    without_ascent,
)
from helpers.searches import both
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, optimizers
from sk_gd.objectives.functions import Function

STRENGTHS = [f"{factor:g} * auto" for factor in np.logspace(-3, 3, 8)]
RNG = np.random.default_rng(0)
WIDE = RNG.normal(size=(400, 20)) @ RNG.normal(size=(20, 20)) * RNG.gamma(1.0, size=20)
SIGNAL = WIDE / WIDE.std(axis=0) @ RNG.normal(size=(20, 3)) + 2 * RNG.normal(size=(400, 3))
NUMBERS, TWO, THREE = SIGNAL[:, 0], (SIGNAL[:, 0] > 0).astype(int), SIGNAL.argmax(axis=1)
COUNTS = RNG.poisson(np.exp(0.3 * np.clip(NUMBERS, -4, 4)))
CASES = {
    "numbers": (GDRegressor(), NUMBERS),
    "outputs": (GDRegressor(), SIGNAL),
    "counts": (GDRegressor(loss="poisson"), COUNTS),
    "two": (GDClassifier(), TWO),
    "three": (GDClassifier(), THREE),
    "hinge": (GDClassifier(loss="squared_hinge"), TWO),
}
cases = pytest.mark.parametrize("case", CASES)


def fitted(model, grid, X, y, folds):
    """For each candidate of a search the model of the first fold, as a scorer is given it."""
    models = []

    def score(model, X, y):
        models.append(clone(model))
        vars(models[-1]).update(vars(model))
        return 0.0

    GDGridSearchCV(model, grid, cv=folds, refit=False, scoring=score).fit(X, y)
    return models


class TestAPath:
    @cases
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
    def test_eight_strengths_take_half_the_passes_and_end_at_the_minima(
        self, case, container, monkeypatch
    ):
        # Passes of dual ascent are not counted.
        without_ascent(monkeypatch)
        model, y = CASES[case]
        X = container(WIDE)
        folds = list(KFold(4).split(WIDE))[:1]
        rows = folds[0][0]
        size = naive.sizes(WIDE[rows])
        shared = plain = 0
        for each in fitted(model, {"alpha": STRENGTHS}, X, y, folds):
            alone = clone(each).fit(X[rows], y[rows])
            exact = clone(each).set_params(tol=1e-12, max_iter=5000).fit(X[rows], y[rows])
            assert each.alpha_ == pytest.approx(alone.alpha_, rel=1e-9)
            shared += sum(each.evaluation_curve_)
            plain += sum(alone.evaluation_curve_)
            least = exact.loss_curve_[-1]
            if case not in ("outputs", "three"):
                codes = y[rows]
                found = naive.objective(
                    each.loss, WIDE[rows], codes, each.coef_, each.intercept_,
                    alpha=each.alpha_, size=size,
                )  # fmt: skip
            else:
                found = each.loss_curve_[-1]
            # As near as `tol` asks for.
            assert found <= least + 1e-4 * abs(least)
        assert shared <= 0.5 * plain

    @pytest.mark.parametrize("case", ["counts", "hinge"])
    def test_where_newton_steps_are_not_cheap(self, case):
        """The Hessian of many features is not computed, and here it is not known otherwise."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(400, 80)) @ rng.normal(size=(80, 80)) * rng.gamma(1.0, size=80)
        signal = X / X.std(axis=0) @ rng.normal(size=80) / 9 + 2 * rng.normal(size=400)
        model, y = CASES[case][0], signal > 0
        if case == "counts":
            model, y = GDRegressor(loss="gamma"), np.exp(signal / 5) * rng.gamma(2, size=400)
        shared = plain = 0
        for each in fitted(model, {"alpha": STRENGTHS}, X, y, [(np.arange(300), np.arange(99))]):
            alone = clone(each).fit(X[:300], y[:300])
            exact = clone(each).set_params(tol=1e-10, max_iter=5000).fit(X[:300], y[:300])
            shared += sum(each.evaluation_curve_)
            plain += sum(alone.evaluation_curve_)
            assert each.loss_curve_[-1] <= exact.loss_curve_[-1] * (1 + 5e-4)
        assert shared <= 0.6 * plain

    @cases
    def test_strengths_that_are_far_apart(self, case):
        model, y = CASES[case]
        folds = list(KFold(4).split(WIDE))[:1]
        rows = folds[0][0]
        grid = {"alpha": ["1e7 * auto", "1e4 * auto", "100 * auto", "auto", "0.001 * auto"]}
        for each in fitted(model, grid, WIDE, y, folds):
            exact = clone(each).set_params(tol=1e-12, max_iter=5000).fit(WIDE[rows], y[rows])
            least = exact.loss_curve_[-1]
            assert each.loss_curve_[-1] <= least + 5e-4 * abs(least)

    @cases
    def test_scores_are_those_of_single_fits_at_their_minima(self, case):
        model, y = CASES[case]
        model = clone(model).set_params(tol=1e-12, max_iter=5000)
        grid = {"alpha": [0.0, 1e-6, 1e-3, 1.0, 100.0, 1e6]}
        options = {"cv": 3, "refit": False}
        mine = GDGridSearchCV(model, grid, **options).fit(WIDE, y).cv_results_
        theirs = GridSearchCV(model, grid, **options).fit(WIDE, y).cv_results_
        np.testing.assert_allclose(
            mine["mean_test_score"], theirs["mean_test_score"], rtol=0, atol=3e-5
        )

    def test_the_first_fit_of_a_path_ends_when_little_is_left_to_gain(self):
        folds = [(np.arange(300), np.arange(300, 400))]
        for strengths in (["100 * auto", "auto"], ["100 * auto"]):
            for model, y in ((GDRegressor(), NUMBERS), (GDClassifier(), THREE)):
                first = fitted(model, {"alpha": strengths}, WIDE, y, folds)[0]
                alone = clone(first).fit(WIDE[:300], y[:300])
                assert (first.n_iter_ <= alone.n_iter_ - 2) == (len(strengths) > 1)
                assert first.loss_curve_[-1] <= alone.loss_curve_[-1] * (1 + 2e-5)

    def test_a_step_to_the_minimum_is_not_confirmed(self):
        """On independent features the curvature is known after a step."""
        X = np.random.default_rng(0).normal(size=(2000, 5))
        y = X.sum(axis=1) + np.random.default_rng(1).normal(size=2000)
        folds = [(np.arange(1900), np.arange(1900, 2000))]
        weak = fitted(GDRegressor(), {"alpha": ["100 * auto", "auto"]}, X, y, folds)[-1]
        assert weak.evaluation_curve_ == [1]
        exact = clone(weak).set_params(tol=1e-12, max_iter=1000).fit(X[:1900], y[:1900])
        np.testing.assert_allclose(weak.coef_, exact.coef_, rtol=1e-6)

    def test_a_strength_that_changes_nothing_takes_one_pass(self):
        """The objective at the neighbour's minimum is known, and the first step confirms it."""
        folds = [(np.arange(300), np.arange(300, 400))]
        grid = {"alpha": [f"{factor:g} * auto" for factor in (1e-6, 1e-7, 1e-8, 1e-9)]}
        for model, y in ((GDRegressor(), NUMBERS), (GDRegressor(), SIGNAL)):
            for each in fitted(model, grid, WIDE, y, folds)[1:]:
                assert each.n_iter_ == 1
                exact = clone(each).set_params(tol=1e-12, max_iter=5000).fit(WIDE[:300], y[:300])
                assert each.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-6)

    def test_minima_point_to_the_next_one(self, monkeypatch):
        """On rows of words, where a path is slow, this saves a third of the passes."""
        rng = np.random.default_rng(0)
        topics = rng.gamma(0.3, size=(3, 500)) / np.arange(1, 501)
        topics /= topics.sum(axis=1, keepdims=True)
        y = rng.integers(0, 3, 300)
        X = sp.csr_array(np.log1p([rng.multinomial(40, topics[k]) for k in y]))
        folds = [(np.arange(225), np.arange(225, 300))]
        models = fitted(GDClassifier(), {"alpha": STRENGTHS}, X, y, folds)
        for each in models:
            exact = clone(each).set_params(tol=1e-10, max_iter=5000).fit(X[:225], y[:225])
            assert each.loss_curve_[-1] <= exact.loss_curve_[-1] * (1 + 5e-4)
        do_not_guess(monkeypatch)
        others = fitted(GDClassifier(), {"alpha": STRENGTHS}, X, y, folds)
        passes, without = (
            sum(sum(each.evaluation_curve_) for each in found) for found in (models, others)
        )
        assert passes <= 0.8 * without

    @pytest.mark.parametrize("storage", ["dense", "csr", "in place", "single"])
    def test_few_features_are_followed_with_their_hessian(self, storage, monkeypatch):
        """Newton's steps end a path in a few passes, nearer to the minimum."""
        X, y = load_breast_cancer(return_X_y=True)
        X[:, 3] = 7.0  # a constant is left out
        X = {"csr": sp.csr_array, "single": np.float32}.get(storage, np.asarray)(X)
        if storage == "in place":
            do_not_copy_rows(monkeypatch)
        folds = [(np.arange(1, 569, 2), np.arange(0, 569, 2))]
        models = fitted(GDClassifier(), {"alpha": STRENGTHS}, X, y, folds)
        for each in models:
            exact = clone(each).set_params(tol=1e-12, max_iter=5000).fit(X[1::2], y[1::2])
            least = exact.loss_curve_[-1]
            assert each.loss_curve_[-1] <= least + 1e-5 * abs(least)
        do_not_use_hessians(monkeypatch)
        others = fitted(GDClassifier(), {"alpha": STRENGTHS}, X, y, folds)
        passes, without = (
            sum(sum(each.evaluation_curve_) for each in found) for found in (models, others)
        )
        assert passes <= 0.5 * without

    @pytest.mark.parametrize("case", ["numbers", "two"])
    @pytest.mark.parametrize("shape", [(5000, 30), (800, 100)])
    def test_moments_say_what_the_hessian_is_at_first(self, case, shape, monkeypatch):
        """On many rows, and with some features more, it is not computed again."""
        n, d = shape
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n + 100, d))
        signal = X @ rng.normal(size=d) + 5 * rng.normal(size=n + 100)
        model, y = CASES[case][0], signal if case == "numbers" else (signal > 0).astype(int)
        folds = [(np.arange(n), np.arange(n, n + 100))]
        models = fitted(model, {"alpha": STRENGTHS}, X, y, folds)
        for each in models:
            exact = clone(each).set_params(tol=1e-12, max_iter=5000).fit(X[:n], y[:n])
            least = exact.loss_curve_[-1]
            assert each.loss_curve_[-1] <= least + 1e-5 * abs(least)
        if case == "numbers":  # a quadratic is at its minimum after a step
            assert [each.evaluation_curve_ for each in models[:-1]] == [[1]] * 7
        do_not_use_hessians(monkeypatch)
        others = fitted(model, {"alpha": STRENGTHS}, X, y, folds)
        passes, without = (
            sum(sum(each.evaluation_curve_) for each in found) for found in (models, others)
        )
        assert passes <= 0.9 * without

    @pytest.mark.parametrize("case", ["numbers", "counts", "classes", "hinge", "many columns"])
    def test_strong_penalties_take_few_passes(self, case, monkeypatch):
        """In the coordinates of a weak one, their curvature differs by powers of ten."""
        rng = np.random.default_rng(0)
        n, d = (9000, 140) if case == "many columns" else (1600, 20)
        X = rng.normal(size=(n + 100, d)) @ rng.normal(size=(d, d))
        signal = X @ rng.normal(size=(d, 4)) / d + rng.gumbel(size=(n + 100, 4))
        model, y = {
            "numbers": (GDRegressor(), signal),
            "counts": (GDRegressor(loss="poisson"), rng.poisson(np.exp(signal / 3))),
            "classes": (GDClassifier(), signal.argmax(axis=1)),
            "hinge": (GDClassifier(loss="squared_hinge"), signal.argmax(axis=1)),
            "many columns": (GDClassifier(), (signal[:, 0] > 1).astype(int)),
        }[case]
        folds = [(np.arange(n), np.arange(n, n + 100))]
        models = fitted(model, {"alpha": STRENGTHS}, X, y, folds)
        for each in models:
            exact = clone(each).set_params(tol=1e-12, max_iter=5000).fit(X[:n], y[:n])
            assert each.loss_curve_[-1] <= exact.loss_curve_[-1] * (1 + 1e-5)
        do_not_precondition(monkeypatch)
        others = fitted(model, {"alpha": STRENGTHS}, X, y, folds)
        passes, without = (
            sum(sum(each.evaluation_curve_) for each in found) for found in (models, others)
        )
        assert passes <= 0.6 * without

    def test_the_last_loss_is_that_of_the_model_after_a_long_step(self):
        """The weights grow with every factor by which the penalty becomes weaker."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(900, 100))
        y = X @ rng.normal(size=(100, 2)) + 5 * rng.normal(size=(900, 2))
        folds = [(np.arange(800), np.arange(800, 900))]
        for each in fitted(GDRegressor(), {"alpha": STRENGTHS}, X, y, folds):
            exact = clone(each).set_params(tol=1e-12, max_iter=1000).fit(X[:800], y[:800])
            assert each.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-6)

    def test_no_penalty_at_the_end_of_a_path(self):
        folds = [(np.arange(300), np.arange(300, 400))]
        grid = {"alpha": [10.0, 0.1, 0.0]}
        for case in ("numbers", "two", "counts"):
            model, y = CASES[case]
            last = fitted(model, grid, WIDE, y, folds)[-1]
            exact = clone(last).set_params(tol=1e-12, max_iter=5000).fit(WIDE[:300], y[:300])
            least = exact.loss_curve_[-1]
            assert last.loss_curve_[-1] <= least + 1e-4 * abs(least)

    def test_one_set_up_and_one_objective_for_all_strengths(self, monkeypatch):
        lanes, made = count_lanes(monkeypatch), count_set_ups(monkeypatch)
        objectives = count_objectives(monkeypatch)
        search = GDGridSearchCV(GDClassifier(), {"alpha": STRENGTHS}, cv=3, refit=False)
        search.fit(WIDE, TWO)
        # The last of an odd number of folds is not divided between two workers.
        assert lanes == [1] * 24
        assert len(made) == len(objectives) == 3

    def test_extreme_strengths_have_coordinates_of_their_own(self, monkeypatch):
        made = count_set_ups(monkeypatch)
        grid = {"alpha": ["auto", "1e4 * auto", "1e6 * auto"]}
        both(GDClassifier(), grid, WIDE, TWO, cv=2, refit=False, scoring="neg_log_loss")
        assert len(made) == 6

    @pytest.mark.parametrize(
        "parameters",
        [
            {"tol": None, "max_iter": 6},
            {"early_stopping": True},
            {"loss": "huber"},
            {"optimizer": "barzilai_borwein"},
            {"l1_ratio": 0.5},
        ],
        ids=lambda given: "-".join(given),
    )
    def test_fits_that_do_not_end_at_a_known_minimum_begin_at_zero(self, parameters, monkeypatch):
        lanes = count_lanes(monkeypatch)
        model = GDRegressor(random_state=0, **parameters)
        grid = {"alpha": ["0.1 * auto", "auto", "10 * auto"]}
        both(model, grid, WIDE, NUMBERS, cv=2, refit=False)
        assert lanes == [3, 3]

    @pytest.mark.parametrize("case", ["outputs", "three", "hinge"])
    def test_in_raw_coordinates_nobody_follows(self, case, monkeypatch):
        """Where features differ in size, a path ended far from the minima of single fits.

        Where a fit ends depends on rounding there: the models are counted, not compared.
        """
        lanes = count_lanes(monkeypatch)
        model, y = CASES[case]
        model = clone(model).set_params(precondition=None, max_iter=2000, tol=1e-3)
        if case == "outputs":
            model, y = model.set_params(loss="poisson"), np.exp(SIGNAL / 3)
        raw = WIDE[:, :6] / WIDE[:, :6].std(axis=0) * np.logspace(-3, 2, 6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            GDGridSearchCV(model, {"alpha": STRENGTHS}, cv=2, refit=False).fit(raw, y)
        assert lanes == [len(STRENGTHS)] * 2

    def test_without_an_intercept_nobody_follows(self):
        """On features far from zero a path stopped where the loss falls slowly at first."""
        for seed in (2, 3, 5):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(150, 3))
            y = (X @ rng.normal(size=(3, 3)) + rng.normal(size=(150, 3))).argmax(axis=1)
            X += 1000 * rng.normal(size=3)
            model = GDClassifier(fit_intercept=False, max_iter=2000)
            grid = {"alpha": ["10 * auto", "auto"]}
            both(model, grid, X, y, cv=2, refit=False, scoring="neg_log_loss")

    @pytest.mark.parametrize("case", ["counts", "classes"])
    def test_several_outputs_of_features_that_nearly_depend_on_each_other(self, case):
        """Once a run was slow, Newton's steps lead to minima that L-BFGS did not come near to."""
        rng = np.random.default_rng(1)
        places = np.linspace(0, 1, 20) - np.linspace(0, 1, 6)[:, None]
        signal = rng.normal(size=(400, 6))
        X = signal @ np.exp(-((places / 0.3) ** 2)) + 1e-3 * rng.normal(size=(400, 20))
        scores = signal @ rng.normal(size=(6, 3))
        model, y = GDRegressor(loss="poisson"), rng.poisson(np.exp(np.clip(scores, -3, 3)))
        if case == "classes":
            model, y = GDClassifier(), (scores + rng.normal(size=scores.shape)).argmax(axis=1)
        folds = [(np.arange(300), np.arange(300, 400))]
        for each in fitted(model, {"alpha": STRENGTHS}, X, y, folds):
            exact = clone(each).set_params(tol=1e-11, max_iter=5000).fit(X[:300], y[:300])
            assert each.loss_curve_[-1] <= exact.loss_curve_[-1] * (1 + 1e-4)

    def test_nobody_follows_a_fit_that_was_stopped(self):
        model = GDClassifier(max_iter=4)
        both(model, {"alpha": STRENGTHS}, WIDE, TWO, cv=2, refit=False, scoring="neg_log_loss")

    def test_strengths_beside_other_parameters(self):
        grid = {"alpha": STRENGTHS[::3], "max_iter": [3, 9], "tol": [1e-3, None]}
        both(GDClassifier(), grid, WIDE, TWO, cv=2, refit=False, scoring="neg_log_loss")
        grid = {"alpha": STRENGTHS[::3], "l1_ratio": [0.0, 0.5], "learning_rate": ["auto", 0.01]}
        model = GDRegressor(random_state=0, tol=1e-9, max_iter=60)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mine = GDGridSearchCV(model, grid, cv=2, refit=False).fit(WIDE, NUMBERS).cv_results_
            theirs = GridSearchCV(model, grid, cv=2, refit=False).fit(WIDE, NUMBERS).cv_results_
        np.testing.assert_allclose(
            mine["mean_test_score"], theirs["mean_test_score"], rtol=0, atol=1e-6
        )

    def test_the_models_can_be_trained_further(self):
        folds = [(np.arange(300), np.arange(300, 400))]
        X, y = WIDE[:300], TWO[:300]
        for each in fitted(GDClassifier(warm_start=True), {"alpha": STRENGTHS}, WIDE, TWO, folds):
            before = each.loss_curve_[-1]
            each.set_params(tol=1e-10, max_iter=2000).fit(X, y)
            exact = clone(each).fit(X, y)
            assert each.loss_curve_[-1] <= before * (1 + 1e-9)
            assert each.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-7)


class TestTheRule:
    """L-BFGS on a function that differs from the last one by a known quadratic."""

    n = 12
    root = np.random.default_rng(1).normal(size=(n, n))
    data = root @ root.T + 0.1 * np.eye(n)
    target = np.random.default_rng(2).normal(size=n)

    def settled(self, ridge, steps=10):
        """A rule at the minimum with this ridge, and its weights."""
        function = self.function(ridge)
        rule, w = optimizers.LBFGS(maxcor=20).rule(self.n), np.zeros(self.n)
        rule.start(w)
        for _ in range(steps):
            rule(w, function, 1.0)
        return rule, w

    def value(self, w, ridge):
        e = w - self.target
        return 0.5 * e @ self.data @ e + 0.5 * ridge * w @ w

    def gradient(self, w, ridge):
        return self.data @ (w - self.target) + ridge * w

    def function(self, ridge):
        return Function(lambda w: self.value(w, ridge), lambda w: self.gradient(w, ridge))

    @pytest.mark.parametrize("ridge", [0.0, 1.0, 50.0])
    def test_the_pairs_are_those_of_the_other_function(self, ridge):
        rule, w = self.settled(10.0)
        follow(rule, w, lambda rows: (ridge - 10.0) * rows)
        memory = rule.memory()
        kept = int(memory["pairs"][0])
        s, y = memory["s"][:kept], memory["y"][:kept]
        assert kept >= 5
        np.testing.assert_allclose(y, s @ (self.data + ridge * np.eye(self.n)), rtol=0, atol=1e-7)
        np.testing.assert_allclose(memory["g"], self.gradient(w, ridge), atol=1e-6)

    def test_it_knows_what_is_left_to_gain(self):
        rule, w = self.settled(10.0)
        assert rule.gain() == np.inf
        follow(rule, w, lambda rows: -9.0 * rows)
        function = self.function(1.0)
        least = np.linalg.solve(self.data + np.eye(self.n), self.data @ self.target)
        for _ in range(10):
            left = self.value(w, 1.0) - self.value(least, 1.0)
            assert left / 10 < rule.gain() < 10 * left
            rule(w, function, 1.0)
        assert rule.gain() < 1e-4

    def test_a_guess_of_the_minimum_is_tried_first(self):
        least = np.linalg.solve(self.data + np.eye(self.n), self.data @ self.target)
        rule, w = self.settled(10.0)
        guess = least - w
        follow(rule, w, lambda rows: -9.0 * rows, guess)
        np.testing.assert_allclose(rule.gradient_point(w), least, rtol=0, atol=1e-12)
        rule(w, self.function(1.0), 1.0)
        np.testing.assert_allclose(w, least, rtol=0, atol=1e-12)

    def test_the_inverse_of_the_hessian_leads_to_the_minimum(self):
        rule, w = self.settled(10.0)
        inverse = inverse_hessian(self.data + np.eye(self.n))
        np.testing.assert_allclose(inverse, np.linalg.inv(self.data + np.eye(self.n)), rtol=1e-9)
        w = np.ones(self.n)
        rule.begin_at(w, inverse)
        function = self.function(1.0)
        rule(w, function, 1.0)  # finds out about the gradient, and does not move
        np.testing.assert_array_equal(w, 1.0)
        least = np.linalg.solve(self.data + np.eye(self.n), self.data @ self.target)
        np.testing.assert_allclose(rule.gradient_point(w), least, rtol=0, atol=1e-9)
        assert rule.gain() == pytest.approx(self.value(w, 1.0) - self.value(least, 1.0))
        rule(w, function, 1.0)
        np.testing.assert_allclose(w, least, rtol=0, atol=1e-9)

    def test_what_is_learned_from_a_wrong_inverse(self):
        rule, w = self.settled(10.0)
        wrong = np.diag(1 / np.diag(self.data))
        w = np.zeros(self.n)
        rule.begin_at(w, wrong)
        for steps in (10, 30):  # fewer than the pairs that are kept, and more
            for _ in range(steps):
                rule(w, self.function(0.0), 1.0)
            pairs = [rule.memory()[name][rule.kept()] for name in "sy"]
            found = updated_by_bfgs(np.diag(np.diag(self.data)), pairs)
            g = np.random.default_rng(3).normal(size=self.n)
            np.testing.assert_allclose(rule.newton_step(g), -np.linalg.solve(found, g), rtol=1e-6)
        np.testing.assert_allclose(w, self.target, rtol=0, atol=1e-4)

    def test_an_inverse_of_some_weights_is_that_of_as_many_after_them(self):
        rule, w = self.settled(10.0, steps=1)
        inverse = inverse_hessian(self.data[:4, :4])
        kept = [np.array(rule.memory()[name][rule.kept()]) for name in "sy"]
        follow(rule, w, lambda rows: 0 * rows, inverse=inverse)
        g = np.random.default_rng(3).normal(size=self.n)
        blocks = np.kron(np.eye(3), self.data[:4, :4])
        expected = -np.linalg.solve(updated_by_bfgs(blocks, kept), g)
        np.testing.assert_allclose(rule.newton_step(g), expected, rtol=1e-6)

    def test_a_guess_uphill_is_not_tried(self):
        points = []
        for uphill in (None, self.settled(10.0)[1] - self.target):
            rule, w = self.settled(10.0)
            follow(rule, w, lambda rows: -9.0 * rows, uphill)
            points.append(rule.gradient_point(w))
        np.testing.assert_array_equal(points[0], points[1])

    def test_pairs_that_are_rounding_without_the_ridge_are_dropped(self):
        """With a strong ridge the data are below the last digits of the gradients."""
        rule, w = self.settled(1e14, steps=3)
        assert rule.memory()["pairs"][0] > 0
        follow(rule, w, lambda rows: -1e14 * rows)
        assert rule.memory()["pairs"][0] == 0
        function = self.function(0.0)
        for _ in range(60):
            rule(w, function, 1.0)
        np.testing.assert_allclose(w, self.target, atol=1e-5)


SECOND = {
    "log_loss": lambda p: 1 / (2 + 2 * np.cosh(p)),
    "poisson": np.exp,
    "squared_error": np.ones_like,
}


@pytest.mark.parametrize("loss", SECOND)
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_hessian_of_a_loss(loss, precondition, container, weighted, monkeypatch):
    """It is that of its definition, with the linear map from weights to predictions."""
    if weighted:
        keep_no_rows(monkeypatch)
    rng = np.random.default_rng(0)
    X = rng.normal(1.0, [0.5, 1, 2, 3], size=(60, 4))
    y = {"log_loss": rng.integers(0, 2, 60), "poisson": rng.poisson(3.0, 60)}.get(loss, 5 * X[:, 0])
    weight = rng.integers(0, 3, 60) if weighted else None
    data = make_data(container(X), y, loss, weight=weight, precondition=precondition)
    coordinates = data.coordinates

    def predictions(w):
        coef, intercept = coordinates.to_model(w)
        return X @ coef[0] + intercept[0]

    w = 0.1 * rng.normal(size=5)
    z = np.column_stack([predictions(each) - predictions(0 * w) for each in np.eye(5)])
    share = (np.ones(60) if weight is None else weight) * SECOND[loss](predictions(w))
    total = 60 if weight is None else weight.sum()
    expected = z.T @ (share[:, None] * z) / total / coordinates.loss_scale[0]
    np.testing.assert_allclose(LossHessian(data)(w), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", SECOND)
@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
def test_the_hessian_at_equal_predictions(loss, precondition):
    """It follows from the moments of the features."""
    rng = np.random.default_rng(0)
    X = rng.normal(1.0, [0.5, 1, 2, 3], size=(60, 4))
    y = {"log_loss": rng.integers(0, 2, 60), "poisson": rng.poisson(3.0, 60)}.get(loss, 5 * X[:, 0])
    data = make_data(X, y, loss, precondition=precondition)
    found = hessian_of_constant(data)
    np.testing.assert_allclose(found, LossHessian(data)(np.zeros(5)), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "poisson", "squared_error"])
def test_the_hessian_at_equal_predictions_of_several_outputs(loss, precondition):
    """It is the mean of those of the outputs, each by itself."""
    rng = np.random.default_rng(0)
    X = rng.normal(1.0, [0.5, 1, 2, 3], size=(60, 4))
    signal = rng.normal(size=(60, 3))
    y = {"poisson": rng.poisson(np.exp(signal)), "squared_error": 5 * signal}.get(
        loss, np.arange(60) % 3
    )
    data = make_data(X, y, loss, outputs=3, precondition=precondition)
    blocks = LossHessian(data)(np.zeros(15)).reshape(3, 5, 3, 5)
    expected = np.mean([blocks[k, :, k] for k in range(3)], axis=0)
    # Classes have a small share of the curvature for all scores together.
    np.testing.assert_allclose(hessian_of_constant(data), expected, rtol=1e-2, atol=1e-6)


class TestKnownScores:
    """The estimators' own score is computed without scikit-learn, and is the same."""

    GRID = {"alpha": ["0.1 * auto", "auto"]}

    @cases
    def test_scikit_learn_is_not_asked(self, case, monkeypatch):
        model, y = CASES[case]
        asked = count_scored_by_sklearn(monkeypatch)
        model = clone(model).set_params(tol=None, max_iter=5)
        both(model, self.GRID, WIDE, y, cv=2, refit=False)
        assert not asked
        both(model, self.GRID, WIDE, y, cv=2, refit=False, return_train_score=True)
        assert len(asked) == 4

    def test_labels_that_no_training_row_has(self):
        labels = np.array(["few", "a", "b"])[np.where(np.arange(400) < 5, 0, 1 + TWO)]
        split = [(np.arange(5, 300), np.arange(0, 400))]
        model = GDClassifier(tol=None, max_iter=5)
        both(model, self.GRID, WIDE, labels, cv=split, refit=False)

    @pytest.mark.parametrize("value", [0.0, 0.1])
    def test_constant_targets(self, value):
        y = np.where(np.arange(400) < 100, value, NUMBERS)
        y = np.column_stack([y, NUMBERS])
        split = [(np.arange(100, 400), np.arange(100))]
        model = GDRegressor(tol=None, max_iter=5)
        options = {"cv": split, "refit": False}
        mine = GDGridSearchCV(model, self.GRID, **options).fit(WIDE, y).cv_results_
        theirs = GridSearchCV(model, self.GRID, **options).fit(WIDE, y).cv_results_
        np.testing.assert_allclose(
            mine["mean_test_score"], theirs["mean_test_score"], rtol=1e-9, atol=1e-9
        )

    def test_a_single_row_has_no_variance(self):
        split = [(np.arange(1, 400), np.arange(1))]
        model = GDRegressor(tol=None, max_iter=5)
        with pytest.warns(UndefinedMetricWarning), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="One or more of the test scores")
            search = GDGridSearchCV(model, self.GRID, cv=split, refit=False).fit(WIDE, NUMBERS)
        assert np.all(np.isnan(search.cv_results_["mean_test_score"]))


LABELS = np.where(np.arange(400) < 130, "rare", np.array(["a", "b"])[TWO])


class TestMoments:
    """Splits in which each row tests once have their means and covariances from one pass."""

    FEW = {"alpha": ["0.1 * auto", "auto"]}

    @pytest.mark.parametrize("storage", [np.asarray, np.float32, sp.csr_array])
    @pytest.mark.parametrize("case", ["numbers", "outputs", "two", "three"])
    def test_one_pass_for_all_splits(self, case, storage, monkeypatch):
        model, y = CASES[case]
        model = clone(model).set_params(tol=None, max_iter=5)
        X = storage(WIDE * (np.abs(WIDE) > 0.5) + 3)
        whole, parts = count_moments(monkeypatch)
        GDGridSearchCV(model, self.FEW, cv=3, refit=False).fit(X, y)
        assert (len(whole), len(parts)) == (0, 3)
        both(model, self.FEW, X, y, cv=KFold(5, shuffle=True, random_state=0), refit=False)

    @pytest.mark.parametrize(
        ("y", "more", "cv"),
        [
            (LABELS, {}, KFold(3)),  # the first split trains on other classes
            (TWO, {"class_weight": "balanced"}, 3),
            (TWO, {"early_stopping": True}, 3),
            (TWO, {}, ShuffleSplit(3, random_state=0)),
            (
                TWO,
                {},
                [(np.arange(100, 400), np.arange(200)), (np.arange(200), np.arange(200, 400))],
            ),
            (TWO, {}, [(np.arange(300), np.arange(300, 400))]),
            (TWO, {}, KFold(20)),
        ],
        ids=["classes", "weights", "held out", "random", "overlap", "one", "many"],
    )
    def test_other_splits_and_rows_read_their_own(self, y, more, cv, monkeypatch):
        model = GDClassifier(tol=None, max_iter=5, random_state=0, **more)
        whole, _ = count_moments(monkeypatch)
        GDGridSearchCV(model, self.FEW, cv=cv, refit=False).fit(WIDE, y)
        assert len(whole) > 0
        both(model, self.FEW, WIDE, y, cv=cv, refit=False)

    def test_weights(self):
        weight = {"sample_weight": RNG.integers(0, 3, 400)}
        both(GDRegressor(tol=None, max_iter=5), self.FEW, WIDE, NUMBERS, weight, cv=3, refit=False)

    def test_constant_features(self):
        """A feature that is constant in the rows that train is so in the merged moments."""
        X = WIDE.copy()
        X[:, 0], X[:, 1] = 0.1, np.where(np.arange(400) < 100, 1.0, 0.3)
        model = GDRegressor(tol=None, max_iter=8)
        both(model, self.FEW, X, NUMBERS, cv=4, refit=False)
