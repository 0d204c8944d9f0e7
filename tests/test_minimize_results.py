"""Optimizers as methods of scipy's minimize: arguments, counts, callbacks and messages."""

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, minimize

from helpers.assertions import naming
from helpers.functions import FUNCTIONS, Counted, beale, himmelblau, parabola, rosenbrock
from sk_gd import optimizers
from sk_gd.minimize import minimize as minimize_with
from sk_gd.optimizers import (
    LBFGS,
    SGD,
    Adam,
    AdGD,
    Armijo,
    HeavyBall,
    Momentum,
    Nesterov,
    Optimizer,
    ScheduleFreeSGD,
)


class TestBookkeeping:
    @pytest.mark.parametrize("name", optimizers.names())
    def test_counts(self, name):
        counted = Counted(himmelblau)
        method, start = optimizers.get(name), [0.0, 0.0]
        options = {"max_iter": 20, "tol": None, "learning_rate": 1e-3, "random_state": 0}
        seen = []
        found = minimize(
            counted.value,
            start,
            jac=counted.gradient,
            method=method,
            options=options,
            callback=seen.append,
        )
        assert (found.nfev, found.njev) == (counted.values, counted.gradients)
        assert found.nit == len(seen) == 20
        np.testing.assert_array_equal(seen[-1], found.x)
        both = minimize(counted, start, jac=True, method=method, options=options)
        assert both.nfev == both.njev == counted.calls
        np.testing.assert_array_equal(both.x, found.x)

    def test_no_unneeded_evaluations(self):
        counted = Counted(himmelblau, [0.0, 0.0])
        options = {"learning_rate": 0.01, "max_iter": 30, "tol": None}
        found = minimize(**counted.pair(), method=Momentum(), options=options)
        # The last gradient and the only value belong to the result.
        assert (found.nfev, found.njev) == (1, 31)

    def test_differences_are_evaluations(self):
        counted = Counted(himmelblau)
        options = {"learning_rate": 0.01, "max_iter": 10, "tol": None}
        found = minimize(counted.value, [0.0, 0.0], method=SGD(), options=options)
        assert found.nfev == counted.values == 11 * 3
        assert found.njev == 11

    @pytest.mark.parametrize("name", ["random_search", "random_local_search"])
    def test_no_gradient_where_none_is_wanted(self, name):
        counted = Counted(himmelblau, [0.0, 0.0])
        found = minimize(
            **counted.pair(),
            method=optimizers.get(name),
            options={"max_iter": 20, "random_state": 0},
        )
        assert counted.gradients == found.njev == 0
        assert found.nfev == counted.values == 20 * optimizers.get(name).n_candidates + 1
        assert found.success and "without gradients" in found.message
        assert "jac" not in found

    @pytest.mark.parametrize("name", ["random_search", "random_local_search"])
    def test_random_numbers_of_a_state(self, name):
        method, value = optimizers.get(name), Counted(himmelblau).value
        first, again, other = (
            minimize_with(method, value, [0.0, 0.0], max_iter=5, random_state=state).x
            for state in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        assert np.all(first != other)

    def test_a_start_in_integers(self):
        found = minimize_with(AdGD(), lambda x: (x[0] - 3) ** 2, np.array([5]), tol=1e-6)
        assert found.success and found.x[0] == pytest.approx(3)

    def test_converged(self):
        found = minimize(parabola, 0, jac=True, method=AdGD(), tol=1e-8)
        assert found.success and found.status == 0 and "not above tol" in found.message
        assert np.abs(found.jac).max() <= 1e-8
        assert found.x == pytest.approx([3.0], abs=1e-8)
        assert found.fun == pytest.approx(-4.0, rel=1e-14)

    def test_out_of_iterations(self):
        options = {"max_iter": 5}
        found = minimize(rosenbrock, [-1.2, 1.0], jac=True, method=Adam(), options=options)
        assert not found.success and found.status == 1 and found.nit == 5
        assert "max_iter=5" in found.message and "tol=1e-05" in found.message
        assert np.abs(found.jac).max() > 1e-5

    def test_the_last_iteration(self):
        """It may end at the minimum, or where there is no gradient."""
        options = {"learning_rate": 0.5, "max_iter": 1}
        found = minimize(parabola, [0.0], jac=True, method=SGD(), options=options)
        assert (found.x[0], found.status, found.nit) == (3, 0, 1)
        assert "not above tol" in found.message
        found = minimize(
            lambda x: parabola(x)[0],
            [0.0],
            jac=lambda x: [-6.0 if x[0] == 0 else np.nan],
            method=SGD(),
            options=options,
        )
        assert (found.x[0], found.status, found.success) == (0, 2, False)
        assert "After iteration 1" in found.message

    def test_begins_at_a_minimum(self):
        found = minimize(parabola, [3.0], jac=True, method=Adam())
        assert (found.success, found.nit, found.njev) == (True, 0, 1)

    @pytest.mark.parametrize("method", [Nesterov(), ScheduleFreeSGD()], ids=repr)
    def test_a_zero_gradient_at_the_look_ahead_point_does_not_stop(self, method):
        # The gradient at the returned point decides.
        seen = []
        options = {"learning_rate": 0.05, "max_iter": 5000}
        found = minimize(
            parabola, [0.0], jac=True, method=method, options=options, callback=seen.append
        )
        assert found.success
        assert abs(2 * found.x[0] - 6) <= 1e-5
        np.testing.assert_array_equal(found.x, seen[-1])


class TestNoLowerValue:
    """Line searches that can only fail end the run: each costs dozens of evaluations."""

    @pytest.mark.parametrize(
        "method, options",
        [(LBFGS(), {}), (Armijo(), {"learning_rate": 1.0})],
        ids=["LBFGS", "Armijo"],
    )
    def test_a_corner(self, method, options):
        found = minimize(lambda x: np.abs(x).sum(), [0.5] * 2, method=method, options=options)
        assert (found.success, found.status) == (False, 3)
        assert found.fun < 1e-6
        assert "corner" in found.message and "tol=1e-05" in found.message

    def test_differences_of_large_values(self):
        """Rounding of the values leaves gradients that are larger than `tol`."""
        random = np.random.default_rng(0)
        A, b = random.standard_normal((30, 6)), random.standard_normal(30)
        counted = Counted(lambda x: (1e6 * np.sum((A @ x - b) ** 2), None))
        found = minimize(counted.value, [0.5] * 6, method=LBFGS())
        assert found.status == 3 and "finite differences" in found.message
        assert found.nfev == counted.values < 2000
        lowest = 1e6 * np.linalg.lstsq(A, b, rcond=None)[1][0]
        assert found.fun == pytest.approx(lowest, rel=1e-14)

    def test_the_gradient_of_another_function(self):
        options = {"max_iter": 40}
        found = minimize(
            lambda x: parabola(x)[0],
            [0.0],
            jac=lambda x: -np.array(parabola(x)[1]),
            method=LBFGS(),
            options=options,
        )
        assert found.status == 3 and found.nit < 20 and found.x[0] == 0
        # Without a tolerance all steps are taken.
        options["tol"] = None
        found = minimize(lambda x: np.abs(x).sum(), [1.0], method=LBFGS(), options=options)
        assert found.success and found.nit == 40
        assert found.message == "max_iter=40 iterations are done, as tol=None asks for."


class TestCallback:
    def test_with_the_point(self):
        seen = []
        options = {"learning_rate": 0.1, "max_iter": 3, "tol": None}
        found = minimize(
            parabola, [0.0], jac=True, method=SGD(), callback=seen.append, options=options
        )
        # The callback gets copies, which do not change afterwards.
        np.testing.assert_allclose(np.ravel(seen), [0.6, 1.08, 1.464], rtol=1e-14)
        np.testing.assert_array_equal(seen[-1], found.x)

        def spoil(x):
            x[:] = np.nan

        again = minimize(parabola, [0.0], jac=True, method=SGD(), callback=spoil, options=options)
        np.testing.assert_array_equal(again.x, found.x)

    @pytest.mark.parametrize("after", [1, 4])
    def test_stops(self, after):
        seen = []

        def callback(intermediate_result):
            seen.append(intermediate_result)
            if len(seen) == after:
                raise StopIteration

        found = minimize(parabola, [0.0], jac=True, method=Adam(), callback=callback)
        assert (found.nit, found.status, found.success) == (after, 99, False)
        assert found.message == "`callback` raised `StopIteration`."
        assert seen[-1].fun == found.fun == parabola(found.x)[0]
        np.testing.assert_array_equal(seen[-1].x, found.x)

    def test_other_errors_come_through(self):
        def callback(xk):
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            minimize(parabola, [0.0], jac=True, method=Adam(), callback=callback)


class TestArguments:
    @pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
    @pytest.mark.parametrize("method", [SGD(), Adam(), Nesterov()], ids=repr)
    def test_differences_instead_of_a_gradient(self, function, method):
        start, *_ = FUNCTIONS[function]
        options = {"learning_rate": 1e-3, "max_iter": 50, "tol": None}
        with_jac = minimize(function, start, jac=True, method=method, options=options)
        without = minimize(lambda x: function(x)[0], start, method=method, options=options)
        np.testing.assert_allclose(without.x, with_jac.x, atol=1e-5)
        np.testing.assert_allclose(without.jac, with_jac.jac, rtol=1e-4, atol=1e-4)

    def test_differences_far_from_zero(self):
        # The step is relative to x; an absolute step would vanish beside 1e9.
        found = minimize(
            lambda x: 1e-9 * (x[0] - 3e9) ** 2,
            [1e9],
            method=SGD(),
            options={"learning_rate": 4e8, "max_iter": 200, "tol": 1e-4},
        )
        assert found.success
        assert found.x == pytest.approx([3e9], rel=1e-4)

    def test_args(self):
        def fun(x, centre, scale):
            return scale * ((x - centre) ** 2).sum()

        def jac(x, centre, scale):
            return 2 * scale * (x - centre)

        for gradient in (jac, None):
            found = minimize(fun, [0.0, 0.0], args=(4.0, 0.5), jac=gradient, method=AdGD())
            np.testing.assert_allclose(found.x, 4.0, atol=1e-4)
        found = minimize(lambda x, c: (x[0] - c) ** 2, [0.0], args=2.0, method=AdGD())
        assert found.x == pytest.approx([2.0], abs=1e-4)

    @pytest.mark.parametrize("start", [2, [2], np.array(2), np.array([2], dtype=np.int8)])
    def test_start_is_converted_and_kept(self, start):
        before = np.array(start)
        found = minimize(parabola, start, jac=True, method=Adam())
        assert found.x.shape == (1,) and found.x.dtype == float
        assert found.x == pytest.approx([3.0], abs=1e-4)
        np.testing.assert_array_equal(start, before)

    def test_the_function_may_do_what_it_likes_to_its_argument(self):
        def rude(x):
            value = parabola(x)
            x[:] = np.nan
            return value

        kind, ruder = (minimize(f, [0.0], jac=True, method=Adam()) for f in (parabola, rude))
        np.testing.assert_array_equal(kind.x, ruder.x)

    def test_the_gradient_may_be_one_array_that_changes(self):
        g = np.empty(1)

        def jac(x):
            g[0] = 2 * x[0] - 6
            return g

        found = minimize(lambda x: parabola(x)[0], [0.0], jac=jac, method=AdGD())
        assert found.x == pytest.approx([3.0], abs=1e-5)

    @pytest.mark.parametrize("bounds", [[(0, 1)], Bounds(0, 1)])
    def test_bounds_are_refused(self, bounds):
        with pytest.raises(ValueError, match=naming("Adam", "bounds", repr(bounds))):
            minimize(parabola, [0.0], jac=True, method=Adam(), bounds=bounds)

    @pytest.mark.parametrize(
        "constraints",
        [{"type": "eq", "fun": np.sum}, [{"type": "eq", "fun": np.sum}], LinearConstraint([1], 0)],
    )
    def test_constraints_are_refused(self, constraints):
        with pytest.raises(ValueError, match=naming("Adam", "constraints", repr(constraints))):
            minimize(parabola, [0.0], jac=True, method=Adam(), constraints=constraints)

    @pytest.mark.parametrize("what", ["hess", "hessp"])
    def test_second_derivatives_are_ignored_with_a_warning(self, what):
        with pytest.warns(RuntimeWarning, match=naming("Adam", what)) as caught:
            found = minimize(parabola, [0.0], jac=True, method=Adam(), **{what: lambda x: [[2.0]]})
        assert found.success
        assert caught[0].filename == __file__

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"maxiter": 10}, "'maxiter'.*Did you mean 'max_iter'"),
            ({"learning_rate": 0}, "learning_rate.*Adam"),
            ({"learning_rate": np.nan}, "learning_rate.*Adam"),
            ({"max_iter": 0}, "max_iter.*Adam"),
            ({"tol": -1}, "tol.*Adam"),
            ({"schedule": "cosinus"}, "Did you mean 'cosine'"),
        ],
    )
    def test_options_out_of_range(self, options, message):
        with pytest.raises((TypeError, ValueError), match=message):
            minimize(parabola, [0.0], jac=True, method=Adam(), options=options)

    def test_parameters_out_of_range(self):
        with pytest.raises(ValueError, match=naming("'beta_1'", "Adam", "2")):
            minimize(parabola, [0.0], jac=True, method=Adam(beta_1=2))

    @pytest.mark.parametrize("start", [np.nan, [np.inf, 0.0], [], ["a"], [1j]])
    def test_start_out_of_range(self, start):
        with pytest.raises(ValueError, match=naming("x0", "finite", "real")):
            minimize(lambda x: (x**2).sum(), start, method=Adam())

    def test_shape_of_what_the_functions_return(self):
        with pytest.raises(ValueError, match=naming("fun", "one", "(2,)")):
            minimize(lambda x: x, [0.0, 0.0], method=Adam())
        with pytest.raises(ValueError, match=naming("jac", "2", "(3,)")):
            minimize(np.sum, [0.0, 0.0], jac=lambda x: np.ones(3), method=Adam())
        with pytest.raises(TypeError, match=naming("fun", "function", "3.0")):
            Adam()(3.0, [0.0])
        with pytest.raises(TypeError, match=naming("jac", "function", "True")):
            Adam()(parabola, [0.0], jac=True)

    def test_what_is_no_optimizer(self):
        for given in (Adam, SGD):
            with pytest.raises(TypeError, match=rf"{given.__name__} .*method=optimizers.Adam\(\)"):
                minimize(np.sum, [0.0], method=given)
        with pytest.raises(TypeError, match=naming("optimizer", "instance", "function parabola")):
            minimize_with(parabola, [0.0], Adam())

    def test_errors_of_the_functions_come_through(self):
        def broken(x):
            raise KeyError("mine")

        for functions in ({"fun": broken}, {"fun": np.sum, "jac": broken}):
            with pytest.raises(KeyError, match="mine"):
                minimize(x0=[0.0], method=Adam(), **functions)


class TestNotFinite:
    @pytest.mark.parametrize("function", [himmelblau, beale], ids=lambda f: f.__name__)
    @pytest.mark.parametrize("method", [SGD(), Momentum(), Nesterov(), HeavyBall()], ids=repr)
    def test_diverging(self, method, function):
        start, *_ = FUNCTIONS[function]
        found = minimize(function, start, jac=True, method=method, options={"learning_rate": 3.0})
        assert (found.success, found.status) == (False, 2)
        assert f"iteration {found.nit} " in found.message and "learning_rate=3 " in found.message
        assert np.isfinite(found.x).all()
        assert found.nit < 100

    def test_a_place_without_a_value(self):
        # The third step, from 1.4 to 2.1, leaves the domain.
        def fun(x):
            return (-x[0], [-1.0]) if x[0] < 2 else (np.nan, [np.nan])

        options = {"learning_rate": 0.7, "max_iter": 50}
        found = minimize(fun, [0.0], jac=True, method=SGD(), options=options)
        assert found.x == pytest.approx([1.4], rel=1e-14)
        assert found.fun == pytest.approx(-1.4, rel=1e-14)
        assert (found.success, found.status, found.nit) == (False, 2, 3)
        assert "After iteration 3 with learning_rate=0.7" in found.message

    def test_a_start_without_a_gradient(self):
        found = minimize(lambda x: (np.nan, [np.nan]), [1.0], jac=True, method=Adam())
        assert (found.status, found.nit) == (2, 0)
        assert "At x0" in found.message
        found = minimize(lambda x: 0.0, [1.0], jac=lambda x: [np.nan], method=Adam())
        assert (found.status, found.nit) == (2, 0)
        assert "At x0 the gradient is not finite" in found.message
        np.testing.assert_array_equal(found.x, [1.0])

    def test_a_minimum_without_a_value(self):
        found = minimize(lambda x: np.nan, [1.0], jac=lambda x: 2 * x, method=AdGD())
        assert (found.success, found.status) == (False, 2)
        assert "fun" in found.message

    def test_a_large_step_of_the_rule(self):
        class Jump(Optimizer):
            default_rate = 1.0

            def step(self, w, g, lr, state):
                w[:] = np.inf

        found = minimize(parabola, [0.0], jac=True, method=Jump())
        assert (found.status, found.nit, found.x[0]) == (2, 1, 0.0)
        assert "x is not finite" in found.message

    def test_a_large_step_of_a_rule_that_averages(self):
        found = minimize_with(
            ScheduleFreeSGD(), lambda x: -x[0], [0.0], jac=lambda x: [-1e10], learning_rate=1e300
        )
        assert (found.status, found.nit, found.x[0]) == (2, 1, 0.0)
        assert "x is not finite" in found.message
