"""Optimizers on any function, as methods of `scipy.optimize.minimize`."""

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

from . import schedules
from .objectives.functions import Function

__all__ = ["minimize"]

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
    r"""Minimise a function by an optimizer: what ``method=optimizer`` of scipy does.

    Each iteration is one step, and one epoch to the schedule; the horizon is
    `max_iter`. What a rule does not ask for is not evaluated: most want one gradient
    an iteration and no value. Nothing is averaged; a noisy function wants an
    optimizer that averages by itself (`ScheduleFreeAdamW`), or a schedule.

    Parameters
    ----------
    optimizer : Optimizer
        The method. It is not changed.
    fun : callable
        ``fun(x, *args)`` returns a float.
    x0 : array-like of shape (n,)
        Where to begin. It is not changed.
    args : tuple, default=()
        Further arguments of `fun` and `jac`.
    jac : callable, default=None
        ``jac(x, *args)`` returns the gradient. None, and in scipy's function
        everything that is neither a function nor ``True`` (`fun` returns value and
        gradient), means forward differences: n + 1 evaluations of `fun`.
    hess, hessp : None
        No optimizer uses them: a warning says so.
    bounds, constraints : None
        No optimizer respects them: an error says so.
    callback : callable, default=None
        Called after every step: ``callback(xk)``, or, by this very name,
        ``callback(intermediate_result)`` with attributes `x` and `fun` (which takes an
        evaluation). Raise StopIteration to stop.
    learning_rate : "auto" or float, default="auto"
        With ``"auto"`` it is one for optimizers that find the size of their steps
        (`AdGD`, `BarzilaiBorwein`, `DoG`, …), and the class's ``default_rate`` for
        those that do not scale it with the gradient (`Adam` and its kin), which
        suits functions whose minimum is about one away. For plain descent and its
        kin there is no such number, and it must be given: 1 / L, with L the largest
        curvature, is safe.
    schedule : str, Schedule or callable, default="constant"
        What the learning rate is multiplied by from step to step.
    max_iter : int, default=10000
        At most so many steps.
    tol : float or None, default=1e-5
        The end has come when no entry of the gradient, at the point that would be
        returned, is larger than this. None, and without gradients: after `max_iter` steps.
    random_state : int, RandomState or None, default=None
        Of optimizers that draw random numbers.

    Returns
    -------
    scipy.optimize.OptimizeResult
        `x`; `fun` and `jac` there (no `jac` if the optimizer wants no gradients);
        `nit` steps; `nfev` and `njev` evaluations of the function and the
        gradient; `success`, `message`, and `status`: 0 for converged, 1 for `max_iter` too
        small for `tol`, 2 for values that are not finite, 99 for stopped by the callback.
    """
    _refuse(optimizer, fun, jac, hess, hessp, bounds, constraints, unknown)
    options = {
        "learning_rate": learning_rate,
        "schedule": schedule,
        "max_iter": max_iter,
        "tol": tol,
        "random_state": random_state,
    }
    validate_parameter_constraints(OPTIONS, options, type(optimizer).__name__)
    optimizer = copy.deepcopy(optimizer)
    optimizer.check()
    schedule = schedules.get(schedule)
    schedule.check()
    args = args if isinstance(args, tuple) else (args,)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    run = _Run(optimizer, seed, Function(fun, jac, args), _start(x0), tol)
    rate = _rate(optimizer, learning_rate)
    tell = _listener(callback)
    for step in range(max_iter):
        if run.arrived():
            break
        lr = rate * float(schedule(np.array([float(step)]), max_iter)[0])
        if not run.step(lr):
            break
        try:
            tell(run)
        except StopIteration:
            run.stop()
            break
        schedule = schedule.after(_Latest(run))
    else:
        run.run_out()
    return run.result()


def _refuse(optimizer, fun, jac, hess, hessp, bounds, constraints, unknown):
    """Raise an error, or warn, for what no optimizer does."""
    name = type(optimizer).__name__
    if not callable(fun):
        raise TypeError(f"fun must be a function for {name} to minimise. Got {fun!r} instead.")
    if not (jac is None or callable(jac)):
        raise TypeError(
            f"jac must be a function that returns the gradient, or None. Got {jac!r} instead; what "
            "else scipy allows is for scipy.optimize.minimize(fun, x0, method=...) only."
        )
    free = constraints is None or (isinstance(constraints, Sequence) and not constraints)
    for what, given, allowed in (
        ("bounds", bounds, bounds is None),
        ("constraints", constraints, free),
    ):
        if not allowed:
            raise ValueError(
                f"{name} minimises over all real vectors: it takes no {what}. Got "
                f"{what}={given!r}; leave them out and express x by free variables, or take one of "
                "scipy's methods that know them, such as 'trust-constr'."
            )
    for option in unknown:
        near = difflib.get_close_matches(option, OPTIONS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TypeError(
            f"Unknown option {option!r} of {name} as a method.{hint} "
            f"The options are {', '.join(map(repr, OPTIONS))}."
        )
    for what, given in (("hess", hess), ("hessp", hessp)):
        if given is not None:
            # Points at the call of scipy's function; the compiled `__call__` has no level.
            warnings.warn(f"{name} does not use {what}: ignored.", RuntimeWarning, stacklevel=4)


def _start(x0):
    """A vector of our own, where to begin."""
    x0 = np.asarray(x0)
    if x0.size == 0 or x0.dtype.kind not in "buif" or not np.isfinite(x0).all():
        raise ValueError(f"x0 must be a vector of finite real numbers. Got {x0!r} instead.")
    return np.array(x0, dtype=float).ravel()


def _rate(optimizer, learning_rate):
    """The learning rate as a number."""
    if learning_rate != "auto":
        return float(learning_rate)
    if optimizer.default_rate == "own":
        return 1.0
    if optimizer.default_rate == "smoothness":
        raise ValueError(
            f"The learning_rate of {type(optimizer).__name__} depends on the curvature, of which "
            "nothing is known: 'auto' has no answer. Give a number, "
            'options={"learning_rate": 0.01} (for plain descent 1 / L is safe, L being the largest '
            "curvature), or take an optimizer that needs none, such as AdGD()."
        )
    return float(optimizer.default_rate)


def _listener(callback):
    """The callback in either of scipy's two forms, as a function of the run."""
    if callback is None:
        return lambda run: None
    if set(inspect.signature(callback).parameters) == {"intermediate_result"}:
        return lambda run: callback(
            intermediate_result=OptimizeResult(x=run.x.copy(), fun=run.value())
        )
    return lambda run: callback(run.x.copy())


class _Latest(Sequence):
    """The value after the last step as the only loss, evaluated if a schedule looks at it."""

    def __init__(self, run):
        self.run = run

    def __len__(self):
        return 1

    def __getitem__(self, index):
        where = range(1)[index]
        if isinstance(where, range):
            return self if where else []
        return self.run.value()


class _Run:
    """One minimisation, from which the result is made.

    `x` is the point to return, after every step; `sound` is the last one that
    is finite, with a finite gradient as far as there is one.
    """

    def __init__(self, optimizer, seed, function, w, tol):
        self.function = function
        self.rule = optimizer.rule(len(w))
        self.rule.seed(seed)
        self.rule.start(w)
        self.differentiates = self.rule.descends()
        self.w = w
        self.x = self.sound = self.rule.model(w)
        self.tol = tol
        self.lr = None
        self.status = None
        self.message = ""

    def value(self):
        """The function at `x`."""
        return self.function.value_at(self.x)

    def slope(self):
        """The largest entry of the gradient at `x`."""
        return np.abs(self.function.gradient_at(self.x)).max()

    def arrived(self):
        """Whether there is no way on: at a minimum, or where the gradient is not finite."""
        if not self.differentiates:
            return False
        gradient = self.function.gradient_at(self.rule.gradient_point(self.w))
        if not np.isfinite(gradient).all():
            self.fail("the gradient")
            return True
        self.sound = self.x
        # The rule may want its gradient elsewhere than at x; of most it is the same point.
        if self.tol is None or np.abs(gradient).max() > self.tol or self.slope() > self.tol:
            return False
        self.converge()
        return True

    def step(self, lr):
        """One step. False if it led nowhere."""
        self.lr = lr
        self.rule(self.w, self.function, lr)
        x = self.rule.model(self.w)
        if not (np.isfinite(self.w).all() and np.isfinite(x).all()):
            self.fail("x")
            return False
        self.x = x
        if not self.differentiates:
            self.sound = x
        return True

    def converge(self):
        """End at a minimum."""
        self.end(0, f"The largest entry of the gradient, {self.slope():.3g}, is not above tol.")

    def fail(self, what):
        """End where `what` is not finite."""
        self.x = self.sound
        if self.lr is None:
            self.end(2, f"At x0 {what} is not finite: choose another x0.")
        else:
            self.end(
                2,
                f"After iteration {self.rule.t} with learning_rate={self.lr:.6g} {what} is not "
                "finite: decrease the learning_rate. x is the last point where all was.",
            )

    def stop(self):
        """End because the callback says so."""
        self.end(99, "`callback` raised `StopIteration`.")

    def run_out(self):
        """End because no iterations are left."""
        done = f"max_iter={self.rule.t} iterations are done"
        if not self.differentiates:
            self.end(0, f"{done}; without gradients there is no tol to end earlier.")
        elif not np.isfinite(self.slope()):
            self.fail("the gradient")
        elif self.tol is None:
            self.end(0, f"{done}, as tol=None asks for.")
        elif self.slope() <= self.tol:
            self.converge()
        else:
            self.end(
                1,
                f"{done}, and the largest entry of the gradient is {self.slope():.3g}, above "
                f"tol={self.tol:.3g}: increase max_iter, change the learning_rate or the schedule.",
            )

    def end(self, status, message):
        """Why it is over, as scipy puts it."""
        self.status, self.message = status, message

    def result(self):
        """What scipy returns."""
        value = self.value()
        if self.status != 2 and not np.isfinite(value):
            self.fail("fun")
            value = self.value()
        found = OptimizeResult(
            x=self.x,
            fun=value,
            nit=self.rule.t,
            status=self.status,
            success=self.status == 0,
            message=self.message,
        )
        if self.differentiates:
            found.jac = self.function.gradient_at(self.x).copy()
        # At last: the lines above evaluate, too.
        found.nfev, found.njev = self.function.nfev, self.function.njev
        return found
