"""Minimisation of any function by an optimizer, as a method of `scipy.optimize.minimize`."""

import copy
import difflib
import inspect
import warnings
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from scipy.optimize import OptimizeResult
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from . import auto, schedules
from .objectives.functions import Function
from .schedules.base import following

__all__ = ["minimize"]

# The next line search after one that fails is along the gradient. If so many fail, and the value
# has not become lower in between, it never will.
FAILURES = 5

OPTIONS = {
    "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "schedule": [str, schedules.Schedule, callable],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "random_state": ["random_state"],
}


def minimize(
    optimizer,
    fun,
    x0,
    args=(),
    jac=None,
    hess=None,
    hessp=None,
    bounds=None,
    constraints=(),
    callback=None,
    *,
    learning_rate="auto",
    schedule="constant",
    max_iter=10_000,
    tol=1e-5,
    random_state=None,
    **unknown,
):
    r"""Minimise a function with an optimizer, as scipy does with ``method=optimizer``.

    Each iteration is one step, and counts as one epoch for the schedule. The horizon
    is `max_iter`. Only what the optimizer needs is evaluated: most optimizers need one
    gradient in each iteration and no value. The iterates are not averaged. For a noisy
    function, use an optimizer that averages (`ScheduleFreeAdamW`) or a schedule.

    Parameters
    ----------
    optimizer : Optimizer
        The method. The object is not changed.
    fun : callable
        ``fun(x, *args)`` returns a float.
    x0 : array-like of shape (n,)
        The point to begin at. The array is not changed.
    args : tuple, default=()
        Additional arguments of `fun` and `jac`.
    jac : callable, default=None
        ``jac(x, *args)`` returns the gradient. With None, the gradient is computed by
        forward differences, which takes n + 1 evaluations of `fun`. In scipy's
        function, ``jac=True`` means that `fun` returns the value and the gradient, and
        any other value that is not a function means forward differences.
    hess, hessp : None
        No optimizer uses them. If they are given, a warning is raised.
    bounds, constraints : None
        No optimizer supports them. If they are given, an error is raised.
    callback : callable, default=None
        Called after each step as ``callback(xk)``. If its only parameter is named
        ``intermediate_result``, it is given an object with the attributes `x` and
        `fun` instead, which takes one evaluation. Raise StopIteration to stop.
    learning_rate : "auto" or float, default="auto"
        Size of the steps. ``"auto"`` is 1 for optimizers that find the size of their
        steps (`AdGD`, `BarzilaiBorwein`, `DoG`, …). For optimizers whose steps do not
        scale with the gradient (such as `Adam`) it is the ``default_rate`` of the
        class, which suits a minimum at a distance of about one. For gradient descent
        and its variants there is no such default, and a number must be given:
        1 / L, where L is the largest curvature, is safe.
    schedule : str, Schedule or callable, default="constant"
        What the learning rate is multiplied by in each step.
    max_iter : int, default=10000
        Maximum number of steps.
    tol : float or None, default=1e-5
        The run stops when no entry of the gradient, at the point that would be
        returned, is larger than `tol` in absolute value, and also where line searches no
        longer find a lower value. With None, or for optimizers without gradients, it stops
        after `max_iter` steps.
    random_state : int, RandomState or None, default=None
        Seeds optimizers that draw random numbers.

    Returns
    -------
    scipy.optimize.OptimizeResult
        Has the attributes `x`; `fun` and `jac`, the value and the gradient at `x` (`jac`
        is missing for optimizers without gradients); `nit`, the number of steps; `nfev`
        and `njev`, the numbers of evaluations of the function and of the gradient;
        `success`; `message`; and `status`: 0 if converged, 1 if `max_iter` was too small
        for `tol`, 2 if a value is not finite, 3 if line searches find no lower value, 99 if
        the callback stopped the run.
    """
    if isinstance(optimizer, type) or not hasattr(optimizer, "rule"):
        raise TypeError(
            f"optimizer must be an instance, such as optimizers.Adam(). Got {optimizer!r} instead."
        )
    name = type(optimizer).__name__
    _check_functions(name, fun, jac)
    _check_unconstrained(name, bounds, constraints)
    _check_names_of_options(name, unknown)
    _warn_of_second_derivatives(name, hess, hessp)
    options = {
        "learning_rate": learning_rate,
        "schedule": schedule,
        "max_iter": max_iter,
        "tol": tol,
        "random_state": random_state,
    }
    validate_parameter_constraints(OPTIONS, options, name)
    optimizer = copy.deepcopy(optimizer)
    optimizer.check()
    schedule = schedules.get(schedule)
    schedule.check()
    args = args if isinstance(args, tuple) else (args,)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    run = _Run(optimizer, seed, Function(fun, jac, args), _as_vector(x0), tol)
    rate = auto.learning_rate_of_function(learning_rate, optimizer)
    call_back = _with_run(callback)
    for step in range(max_iter):
        if run.has_ended():
            break
        lr = rate * float(schedule(np.array([float(step)]), max_iter)[0])
        if not run.step(lr):
            break
        try:
            call_back(run)
        except StopIteration:
            run.end_by_callback()
            break
        schedule = following(schedule, _LastValue(run))
    else:
        run.end_at_max_iter()
    return run.result()


def _check_functions(name, fun, jac):
    """Raise a TypeError unless `fun` is a function, and `jac` a function or None."""
    if not callable(fun):
        raise TypeError(f"fun must be a function for {name} to minimise. Got {fun!r} instead.")
    if not (jac is None or callable(jac)):
        raise TypeError(
            f"jac must be a function that returns the gradient, or None. Got {jac!r} instead. The "
            "other values of scipy work only in scipy.optimize.minimize(fun, x0, method=...)."
        )


def _check_unconstrained(name, bounds, constraints):
    """Raise a ValueError if there are bounds or constraints."""
    if isinstance(constraints, Sequence) and not constraints:
        constraints = None
    for what, given in (("bounds", bounds), ("constraints", constraints)):
        if given is not None:
            raise ValueError(
                f"{name} minimises over all real vectors and takes no {what}. "
                f"Got {what}={given!r} instead. Leave them out and express x by free variables, or "
                f"use a method of scipy that supports {what}, such as 'trust-constr'."
            )


def _check_names_of_options(name, unknown):
    """Raise a TypeError for the first option that does not exist."""
    for option in unknown:
        close = difflib.get_close_matches(option, OPTIONS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TypeError(
            f"Unknown option {option!r} of {name} as a method.{hint} "
            f"The options are {', '.join(map(repr, OPTIONS))}."
        )


def _warn_of_second_derivatives(name, hess, hessp):
    """Warn that no optimizer uses second derivatives."""
    for what, given in (("hess", hess), ("hessp", hessp)):
        if given is not None:
            # The level is that of the call of scipy's function: the compiled `__call__` has none.
            message = f"{name} does not use {what}, which is ignored."
            warnings.warn(message, RuntimeWarning, stacklevel=4)


def _as_vector(x0):
    """Return `x0` as a new vector of floats."""
    x0 = np.asarray(x0)
    if x0.size == 0 or x0.dtype.kind not in "buif" or not np.isfinite(x0).all():
        raise ValueError(f"x0 must be a vector of finite real numbers. Got {x0!r} instead.")
    return np.array(x0, dtype=float).ravel()


def _with_run(callback):
    """Return the callback, in either of scipy's two forms, as a function of the run."""
    if callback is None:
        return lambda run: None
    if set(inspect.signature(callback).parameters) == {"intermediate_result"}:
        return lambda run: callback(
            intermediate_result=OptimizeResult(x=run.x.copy(), fun=run.value())
        )
    return lambda run: callback(run.x.copy())


class _LastValue(Sequence):
    """A list of one loss: the value after the last step, evaluated only if a schedule needs it."""

    def __init__(self, run):
        self.run = run

    def __len__(self):
        return 1

    def __getitem__(self, index):
        selected = range(1)[index]
        if isinstance(selected, range):
            return self if selected else []
        return self.run.value()


class _Run:
    """One minimisation: its steps, how it ends, and its result.

    `x` is the point to return, after each step. `last_finite` is the last such
    point at which `x`, and the gradient if it is used, are finite.
    """

    def __init__(self, optimizer, seed, function, w, tol):
        self.function = function
        self.rule = optimizer.rule(len(w))
        self.rule.seed(seed)
        self.rule.start(w)
        self.uses_gradient = self.rule.descends()
        self.w = w
        self.x = self.last_finite = self.rule.model(w)
        self.tol = tol
        self.lr = None
        self.n_failures, self.value_then = 0, np.inf
        self.status = None
        self.message = ""

    def value(self):
        """Return the function at `x`."""
        return self.function.value_at(self.x)

    def largest_gradient(self):
        """Return the largest absolute entry of the gradient at `x`."""
        return np.abs(self.function.gradient_at(self.x)).max()

    def has_ended(self):
        """End the run at a minimum, or if the gradient is not finite; return whether it ended."""
        if not self.uses_gradient:
            return False
        gradient = self.function.gradient_at(self.rule.gradient_point(self.w))
        if not np.isfinite(gradient).all():
            self.end_not_finite("the gradient")
            return True
        self.last_finite = self.x
        stuck = self.n_failures >= FAILURES
        if self.tol is None or (np.abs(gradient).max() > self.tol and not stuck):
            return False
        # Some rules take their gradient at another point than x.
        if self.largest_gradient() <= self.tol:
            self.end_at_minimum()
        elif stuck:
            self.end_without_decrease()
        return self.status is not None

    def step(self, lr):
        """Take one step; return False if the new point is not finite."""
        self.lr = lr
        asked, before = self.function.asked, self.w.copy()
        self.rule(self.w, self.function, lr)
        if self.function.asked > asked and np.array_equal(before, self.w):
            self.count_failure()
        x = self.rule.model(self.w)
        if not np.isfinite(x).all():
            self.end_not_finite("x")
            return False
        self.x = x
        if not self.uses_gradient:
            self.last_finite = x
        return True

    def count_failure(self):
        """Note that a line search has found no lower value, from a point whose value is known."""
        value = self.value()
        self.n_failures = 1 if value < self.value_then else self.n_failures + 1
        self.value_then = min(value, self.value_then)

    def end_at_minimum(self):
        """End because the gradient is small enough."""
        largest = self.largest_gradient()
        self.end(0, f"The largest entry of the gradient, {largest:.3g}, is not above tol.")

    def end_without_decrease(self):
        """End because no step along the gradient makes the value lower."""
        largest = self.largest_gradient()
        self.end(
            3,
            f"After iteration {self.rule.t} no step along the gradient, whose largest entry is "
            f"{largest:.3g}, above tol={self.tol:.3g}, finds a lower value: it is as low as "
            "rounding allows, or the function has a corner here, or jac is not its gradient. With "
            "finite differences, give jac or a larger tol.",
        )

    def end_not_finite(self, what):
        """End because `what` is not finite; go back to the last point at which all was."""
        self.x = self.last_finite
        if self.lr is None:
            self.end(2, f"At x0 {what} is not finite: choose another x0.")
        else:
            self.end(
                2,
                f"After iteration {self.rule.t} with learning_rate={self.lr:.6g} {what} is not "
                "finite: decrease the learning_rate. The x returned is the last finite one.",
            )

    def end_by_callback(self):
        """End because the callback asked for it."""
        self.end(99, "`callback` raised `StopIteration`.")

    def end_at_max_iter(self):
        """End because all iterations are done."""
        done = f"max_iter={self.rule.t} iterations are done"
        if not self.uses_gradient:
            self.end(0, f"{done}; without gradients, tol cannot end the run earlier.")
            return
        largest = self.largest_gradient()
        if not np.isfinite(largest):
            self.end_not_finite("the gradient")
        elif self.tol is None:
            self.end(0, f"{done}, as tol=None asks for.")
        elif largest <= self.tol:
            self.end_at_minimum()
        else:
            self.end(
                1,
                f"{done}, and the largest entry of the gradient is {largest:.3g}, above "
                f"tol={self.tol:.3g}: increase max_iter, or change the learning_rate or the "
                "schedule.",
            )

    def end(self, status, message):
        """Keep why the run ended, in scipy's terms."""
        self.status, self.message = status, message

    def result(self):
        """Return the result in scipy's form."""
        value = self.value()
        if self.status != 2 and not np.isfinite(value):
            self.end_not_finite("fun")
            value = self.value()
        found = OptimizeResult(
            x=self.x,
            fun=value,
            nit=self.rule.t,
            status=self.status,
            success=self.status == 0,
            message=self.message,
        )
        if self.uses_gradient:
            found.jac = self.function.gradient_at(self.x).copy()
        # The counts come last, because the lines above evaluate, too.
        found.nfev, found.njev = self.function.nfev, self.function.njev
        return found
