"""Rules that evaluate values, several gradients, or no gradient in a step."""

import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, make_classification, make_regression
from sklearn.linear_model import LogisticRegression, Ridge

from helpers import naive
from helpers.assertions import naming
from helpers.functions import quadratic, squares
from helpers.optimizers import starting, walk
from helpers.runs import Function
from sk_gd import GDClassifier, GDRegressor, losses, optimizers
from sk_gd.optimizers import LBFGS, SVRG, Armijo, Polyak, RandomLocalSearch, RandomSearch

X, Y = make_regression(120, 5, noise=20.0, random_state=0)
LABELS = make_classification(120, 5, flip_y=0.1, random_state=1)[1]
# The penalty of scikit-learn's models.
RAW = {"scale_penalty": False}


class TestArmijo:
    def test_takes_the_longest_step_that_meets_the_condition(self):
        # On w² the condition is size <= 1 - c = 0.75. Of the sizes 2, 1 and 0.5 only the last
        # meets it, and it leads exactly to the minimum.
        path = walk(Armijo(c=0.25, beta=0.5), quadratic(2.0, 0.0), [8.0], 1, lr=2.0)
        assert path[0] == [0.0]

    def test_counts_its_evaluations(self):
        # The search above needs a gradient and three values.
        function = Function(squares, lambda w: 2 * w)
        walk(Armijo(c=0.25, beta=0.5), function, [8.0], 1, lr=2.0)
        assert (function.asked, function.njev) == (3, 1)

    def test_grows_again(self):
        # Far away the curvature is 100, near the minimum it is 1.
        function = Function(
            lambda w: float(scipy.special.huber(1, w[0])) + 50 * max(abs(w[0]) - 10, 0) ** 2,
            lambda w: np.clip(w, -1, 1) + 100 * np.sign(w) * max(abs(w[0]) - 10, 0),
        )
        path = walk(Armijo(longest=100.0), function, [11.0], 30, lr=0.1)
        steps = -np.diff([11.0, *(w[0] for w in path)])
        assert steps[1] < 0.15 and np.max(steps) > 1

    def test_a_step_into_infinity_is_taken_back(self):
        with np.errstate(over="ignore"):
            (w,) = walk(
                Armijo(beta=0.5),
                Function(lambda w: np.exp(w).sum(), np.exp),
                [5.0],
                1,
                lr=1e300,
            )
        assert np.exp(w[0]) < np.exp(5.0)

    def test_no_step_if_nothing_lower_is_found(self):
        # With a wrong gradient all steps lead up; the next search begins with the same size.
        w = np.array([0.0])
        rule = starting(Armijo(), w)
        rule(w, Function(squares, lambda w: np.array([1.0])), 0.3)
        assert w[0] == 0.0
        rule(w, Function(squares, lambda w: np.array([0.0])), 0.3)
        assert rule.arrays["size"][0] == 0.3

    def test_a_rate_of_zero_asks_for_nothing(self):
        w = np.array([8.0])
        rule, function = starting(Armijo(), w), Function(squares, lambda w: 2 * w)
        for lr in (0.0, 0.3, 0.0):
            before, asked = w[0], function.asked
            rule(w, function, lr)
            assert (w[0] == before) == (function.asked == asked) == (lr == 0)

    @pytest.mark.parametrize("batch_size", ["full", 30])
    def test_the_estimator_reports_them(self, batch_size):
        model = GDRegressor("armijo", batch_size=batch_size, max_iter=5, tol=None, random_state=0)
        model.fit(X, Y)
        steps = 1 if batch_size == "full" else 4
        assert len(model.evaluation_curve_) == 5
        assert all(n >= 2 * steps for n in model.evaluation_curve_)
        plain = GDRegressor("sgd", batch_size=30, max_iter=2, tol=None).fit(X, Y)
        assert plain.evaluation_curve_ == [4, 4]

    @pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
    @pytest.mark.parametrize("learning_rate", [1e-3, 1.0, 1e3])
    def test_every_step_leads_down(self, learning_rate, l1_ratio):
        """The objective with its penalty falls for every learning rate."""
        model = GDClassifier(
            Armijo(),
            alpha=0.02,
            l1_ratio=l1_ratio,
            learning_rate=learning_rate,
            batch_size="full",
            max_iter=40,
            tol=None,
        )
        curve = model.fit(X, LABELS).loss_curve_
        assert np.all(np.diff(curve) <= 1e-15) and curve[-1] < curve[0]

    def test_needs_no_smoothness(self):
        # The Poisson loss has no bound on its curvature.
        counts = np.random.default_rng(0).poisson(np.exp(X[:, 0]))
        settings = {"loss": "poisson", "batch_size": "full", "max_iter": 60, "tol": None}
        found = GDRegressor(Armijo(), learning_rate=100.0, **settings).fit(X, counts)
        exact = GDRegressor("lbfgs", **settings).fit(X, counts)
        assert found.loss_curve_[-1] - exact.loss_curve_[-1] < 1e-9


class TestPolyak:
    def test_published_values(self):
        # The example of optax: sum x² from (1, 2, 3).
        path = walk(Polyak(c=1.0), Function(squares, lambda w: 2 * w), [1.0, 2.0, 3.0], 5)
        expected = [3.5, 0.875, 0.21875, 0.0546875, 0.013671875]
        np.testing.assert_allclose([squares(w) for w in path], expected, rtol=1e-14)

    def test_corners_do_not_matter(self):
        # One step leads to the minimum of |x| + |y| from any point on a diagonal (a test of optax).
        function = Function(lambda w: np.abs(w).sum(), np.sign)
        np.testing.assert_allclose(
            walk(Polyak(c=1.0), function, [3.0, -3.0], 1, lr=10.0), [[0.0, 0.0]], atol=1e-15
        )

    def test_the_minimum_that_is_known(self):
        # On ½ x² + 7 each step halves x.
        function = Function(lambda w: 0.5 * squares(w) + 7, lambda w: w)
        path = walk(Polyak(f_star=7.0, c=1.0), function, [8.0], 3)
        np.testing.assert_allclose(path, [[4.0], [2.0], [1.0]], rtol=1e-14)

    def test_makes_no_step_at_the_bound(self):
        # A step of length zero must not limit the next step, where there is more to gain.
        function = Function(squares, lambda w: 2 * w)
        w = np.array([3.0, 4.0])
        rule = starting(Polyak(f_star=25.0, c=1.0), w)
        rule(w, function, 1.0)
        assert w.tolist() == [3.0, 4.0]
        w[0] += 1e-3
        rule(w, function, 1.0)
        assert squares(w) == pytest.approx(25.0, abs=1e-6)

    def test_grows_by_gamma_an_epoch(self):
        # A steep row with a short step is followed by a flat row.
        steep, flat = quadratic(100.0, 0.0), quadratic(0.01, 0.0)
        w = np.array([1.0])
        rule = starting(Polyak(gamma=3.0), w)
        rule(w, steep, 1e6)
        assert rule.arrays["size"][0] == pytest.approx(1 / 100, rel=1e-14)
        w[:] = 1.0
        rule(w, flat, 1e6)
        assert rule.arrays["size"][0] == pytest.approx(3 / 100, rel=1e-14)

    def test_interpolating_models_need_no_rate(self):
        exact = np.array([1.0, -2.0, 0.5, 3.0, 0.0])
        model = GDRegressor(Polyak(), alpha=0.0, learning_rate=1e6, max_iter=50, tol=None)
        model.set_params(batch_size=10, random_state=0).fit(X, X @ exact + 4)
        np.testing.assert_allclose(model.coef_, exact, rtol=0, atol=1e-10)


class TestSVRG:
    """Compared with the published method, written as a loop over rows."""

    EPOCHS, RATE, ALPHA = 5, 0.05, 0.1

    def naive(self, batch_size, frequency):
        def gradient(rows, w):
            z = np.c_[X[rows], np.ones(len(rows))]
            ridge = self.ALPHA * np.append(w[:-1], 0)
            return z.T @ (z @ w - Y[rows]) / len(rows) + ridge

        w, everything = np.zeros(6), np.arange(120)
        for epoch in range(self.EPOCHS):
            if epoch % frequency == 0:
                snapshot, mean = w, gradient(everything, w)
            for begin in range(0, 120, batch_size):
                rows = everything[begin : begin + batch_size]
                w = w - self.RATE * (gradient(rows, w) - gradient(rows, snapshot) + mean)
        return w

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
    @pytest.mark.parametrize("frequency", [1, 2, 10])
    @pytest.mark.parametrize("batch_size", [1, 25])
    def test_is_the_published_method(self, batch_size, frequency, container):
        model = GDRegressor(
            SVRG(update_frequency=frequency),
            alpha=self.ALPHA,
            learning_rate=self.RATE,
            batch_size=batch_size,
            max_iter=self.EPOCHS,
            tol=None,
            precondition=None,
            shuffle=False,
            **RAW,
        ).fit(container(X), Y)
        expected = self.naive(batch_size, frequency)
        np.testing.assert_allclose(np.append(model.coef_, model.intercept_), expected, rtol=1e-12)
        # Each step has two gradients, and a snapshot one of the full data.
        steps = -(-120 // batch_size)
        expected = [2 * steps + (k % frequency == 0) for k in range(self.EPOCHS)]
        assert model.evaluation_curve_ == expected

    def test_a_constant_rate_ends_at_the_minimiser(self):
        settings = {"alpha": 0.1, "batch_size": 10, "max_iter": 150, "tol": None, "random_state": 0}
        settings |= RAW
        exact = Ridge(0.1 * 120).fit(X, Y)
        reduced, plain = (
            np.abs(GDRegressor(name, **settings).fit(X, Y).coef_ - exact.coef_).max()
            for name in ("svrg", "sgd")
        )
        assert reduced < 1e-9 < 1e-2 < plain

    @pytest.mark.parametrize("frequency", [2, 3])
    def test_resumes_between_snapshots(self, frequency):
        model = GDRegressor(SVRG(frequency), batch_size=10, tol=None, random_state=0)
        whole = clone(model).set_params(max_iter=8).fit(X, Y)
        parts = clone(model).set_params(max_iter=1, warm_start=True)
        for _ in range(8):
            parts = pickle.loads(pickle.dumps(parts.fit(X, Y)))
        np.testing.assert_array_equal(parts.coef_, whole.coef_)

    def test_each_part_of_the_data_has_its_snapshot(self):
        exact = Ridge(0.1 * 60).fit(X[60:], Y[60:])
        settings = {"batch_size": 10, "precondition": None, "random_state": 0}
        model = GDRegressor("svrg", alpha=0.1, **settings, **RAW)
        for part in [slice(0, 60)] * 3 + [slice(60, 120)] * 100:
            model.partial_fit(X[part], Y[part])
        np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-10)


class TestLBFGS:
    def test_finds_the_minimum_of_a_parabola_in_two_steps(self):
        # The first pair gives the exact curvature.
        path = walk(LBFGS(), quadratic(5.0, 3.0), [8.0], 2)
        assert path[1] == pytest.approx(3.0, abs=1e-14)

    def test_ill_conditioned_quadratic(self):
        # With the best constant step this takes a million steps.
        curvature = np.logspace(0, 5, 6)
        path = walk(LBFGS(), quadratic(curvature, 1.0), np.zeros(6), 60)
        np.testing.assert_allclose(path[-1], 1.0, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("start", [(-1.2, 1.0), (3.0, -5.0), (1.5, 1.5, 1.5, 1.5, 1.5)])
    def test_rosenbrock(self, start):
        rosenbrock = Function(scipy.optimize.rosen, scipy.optimize.rosen_der)
        path = walk(LBFGS(), rosenbrock, start, 120)
        np.testing.assert_allclose(path[-1], 1.0, rtol=0, atol=1e-10)

    def test_an_iteration_is_one_evaluation(self):
        X, y = load_breast_cancer(return_X_y=True)
        model = GDClassifier("lbfgs", alpha=0.01, max_iter=40, tol=None).fit(X, y)
        assert sum(model.evaluation_curve_) <= 40 * 1.25

    @pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
    @pytest.mark.parametrize("loss", losses.names("classifier"))
    def test_never_goes_up(self, loss, precondition):
        """Not even on the hinge loss, for which it is not made."""
        model = GDClassifier("lbfgs", loss=loss, precondition=precondition, alpha=0.01, **RAW)
        model.set_params(max_iter=1, warm_start=True, tol=None)
        values = []
        for _ in range(25):
            model.fit(X, LABELS)
            values.append(
                naive.objective(loss, X, LABELS, model.coef_, model.intercept_, alpha=0.01)
            )
        assert np.all(np.diff(values) <= 1e-9 * np.abs(values[:-1]))

    @pytest.mark.parametrize("loss", ["poisson", "gamma"])
    def test_exponentials_do_not_overflow(self, loss):
        # The counts are far from the first predictions, and the features have very different units.
        generator = np.random.default_rng(0)
        wild = X * [1e-3, 1e3, 1, 10, 0.1]
        counts = generator.poisson(np.exp(3 * X[:, 0] + 2)) + 0.5
        for precondition in (None, "standardize", "whiten"):
            settings = {"loss": loss, "alpha": 0.0, "max_iter": 200, "tol": None}
            model = GDRegressor("lbfgs", precondition=precondition, **settings).fit(wild, counts)
            assert np.isfinite(model.loss_curve_).all()
            assert model.loss_curve_[-1] < model.loss_curve_[0]

    def test_other_data_are_another_function(self):
        """Between parts of a stream, no value of the last part is used."""
        exact = LogisticRegression(C=1 / (0.05 * 60), tol=1e-10).fit(X[60:], LABELS[60:])
        for precondition in (None, "standardize", "whiten"):
            model = GDClassifier("lbfgs", alpha=0.05, precondition=precondition, **RAW)
            for part in [slice(0, 60)] * 5 + [slice(60, 120)] * 20:
                model.partial_fit(X[part], LABELS[part], classes=[0, 1])
            np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-6)

    def test_a_damped_step(self):
        # A learning rate of 0.1 reduces the distance by a tenth.
        w = np.array([8.0])
        rule = starting(LBFGS(), w)
        for _ in range(2):
            rule(w, quadratic(1.0, 0.0), 0.1)
        before = w[0]
        rule(w, quadratic(1.0, 0.0), 0.1)
        assert w[0] == pytest.approx(0.9 * before, rel=1e-12)

    @pytest.mark.parametrize("optimizer", [LBFGS(), optimizers.ClipNorm("lbfgs")], ids=repr)
    def test_the_lasso_is_refused(self, optimizer):
        model = GDRegressor(optimizer, l1_ratio=0.5)
        with pytest.raises(ValueError, match=naming(type(optimizer).__name__, "l1_ratio=0.5", "0")):
            model.fit(X, Y)
        assert not hasattr(model, "coef_")
        # Without a penalty there is no corner, whatever its kind.
        free = GDRegressor(optimizer, alpha=0.0).fit(X, Y)
        np.testing.assert_array_equal(model.set_params(alpha=0.0).fit(X, Y).coef_, free.coef_)


DRAWING = [RandomSearch(), RandomLocalSearch()]


@pytest.mark.parametrize("optimizer", DRAWING, ids=repr)
class TestRandom:
    def test_no_gradient(self, optimizer):
        """The gradient of the function is never evaluated."""

        def never(w):
            raise AssertionError("a gradient was asked for")

        path = walk(optimizer, Function(squares, never), [3.0, 4.0], 20, lr=0.5)
        values = [25.0, *map(squares, path)]
        assert np.all(np.diff(values) <= 0) and values[-1] < 5

    def test_only_what_is_lower_is_kept(self, optimizer):
        model = GDRegressor(optimizer, batch_size="full", max_iter=30, tol=None, random_state=0)
        assert np.all(np.diff(model.fit(X, Y).loss_curve_) <= 0)

    def test_candidates_are_evaluations(self, optimizer):
        optimizer = clone(optimizer).set_params(n_candidates=7)
        model = GDRegressor(optimizer, batch_size=30, max_iter=2, tol=None).fit(X, Y)
        assert model.evaluation_curve_ == [4 * 8, 4 * 8]

    def test_the_same_batch_for_both(self, optimizer):
        # The objective rises by ten from batch to batch, which must not cause a move.
        w = np.zeros(2)
        rule = starting(optimizer, w)
        for level in range(0, 100, 10):
            before = w.copy()
            rule(w, Function(lambda w, level=level: squares(w) + level, None), 1.0)
            assert squares(w) <= squares(before)

    def test_random_state_decides_the_draws(self, optimizer):
        model = GDRegressor(optimizer, max_iter=3, tol=None)
        one, same, other = (
            clone(model).set_params(random_state=seed).fit(X, Y).coef_ for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)

    def test_no_two_steps_have_the_same_draws(self, optimizer):
        seen = []

        def record(w):
            seen.append(tuple(w))
            return 1.0

        walk(optimizer, Function(record, None), [0.0, 0.0], 10)
        draws = set(seen) - {(0.0, 0.0)}
        assert len(draws) == 10 * optimizer.n_candidates
        # Mean zero, deviation one, no correlation, within four standard errors. The length of two
        # weights of deviation one is the root of two.
        draws = np.array(sorted(draws))
        if isinstance(optimizer, RandomSearch):
            draws *= np.sqrt(2)
        error = 4 / np.sqrt(len(draws))
        np.testing.assert_allclose(draws.mean(axis=0), 0, atol=error)
        np.testing.assert_allclose(np.cov(draws.T), np.eye(2), atol=np.sqrt(2) * error)

    @pytest.mark.parametrize("loss", ["hinge", "perceptron"])
    def test_any_loss(self, optimizer, loss):
        # The start, zero weights, is a minimum of the perceptron loss.
        model = GDClassifier(optimizer, loss=loss, tol=None, random_state=0).fit(X, LABELS)
        assert np.any(model.coef_) == (loss == "hinge")


def test_draws_of_many_weights_are_the_same_whatever_is_drawn_at_a_time():
    seen, n = [], 40_000

    def record(w):
        seen.append(w.copy())
        return 1.0

    rule = starting(RandomSearch(n_candidates=5), np.zeros(n))
    rule.seed(7)
    rule(np.zeros(n), Function(record, None), 1.0)
    draws = np.random.Generator(np.random.Philox(key=[7, 1])).standard_normal((5, n))
    np.testing.assert_allclose(seen[1:], draws / np.sqrt(n), rtol=1e-14)


def test_random_local_search_gets_near_the_minimum():
    exact = Ridge(1e-4 * 120).fit(X, Y)
    model = GDRegressor(
        RandomLocalSearch(), max_iter=300, tol=None, schedule="cosine", random_state=0
    ).fit(X, Y)
    assert model.score(X, Y) > exact.score(X, Y) - 1e-3


def test_the_full_batch_is_what_auto_means_for_draws():
    many, target = make_regression(500, 3, random_state=0)
    for name in ("random_search", "random_local_search"):
        model = GDRegressor(name, max_iter=2, tol=None)
        assert model.fit(many, target).t_ == 2
        assert model.set_params(batch_size=100).fit(many, target).t_ == 10
