# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Function: any Python function as an objective."""

import cython
import numpy as np
from scipy.optimize import approx_fprime

if cython.compiled:
    from cython.cimports.sk_gd.objectives.base import Objective
else:
    from .base import Objective

# Step of a forward difference, relative to the entry. It balances truncation and rounding.
STEP = float(np.sqrt(np.finfo(float).eps))


class Evaluated:
    """Value and gradient of the function at one point; None if not known."""

    def __init__(self, x, key):
        self.x = x
        self.key = key
        self.value = None
        self.gradient = None


@cython.cclass
class Function(Objective):
    """A Python function of one vector and its gradient, evaluated on demand and counted.

    The values at three points are kept: that of the rule, the last other one, and the lowest.
    They are not evaluated again: the function must be deterministic.

    Parameters
    ----------
    fun : callable or None
        ``fun(x, *args)`` returns a float; None if no value is needed.
    jac : callable or None
        ``jac(x, *args)`` returns the gradient. None: by forward differences of `fun`.
    args : tuple
        Further arguments of both.

    Attributes
    ----------
    nfev, njev : int
        How often the function and the gradient were evaluated. Finite differences count as
        evaluations of the function.
    """

    fun: object
    jac: object
    args: tuple
    paired: cython.bint
    current: object
    other: object
    lowest: object
    nfev = cython.declare(cython.Py_ssize_t, visibility="readonly")
    njev = cython.declare(cython.Py_ssize_t, visibility="readonly")

    def __init__(self, fun, jac=None, args=()):
        self.fun = fun
        self.jac = jac
        self.args = args
        # For jac=True scipy passes one function, which returns both, as `fun` and `jac`.
        self.paired = jac is not None and jac == getattr(fun, "derivative", None)
        self.current = self.other = self.lowest = None
        self.nfev = self.njev = self.asked = 0
        self.g = None
        # NaN, so that a rule that reads it without calling `here` is noticed.
        self.f = np.nan

    def look(self, w, with_gradient):
        """Move to `w`, the point of the rule."""
        self.current = self.at(w)
        if with_gradient:
            if self.g is None or len(self.g) != len(w):
                self.g = np.empty(len(w))
            np.asarray(self.g)[:] = self.gradient_at(w)

    def at(self, w):
        """What is known at `w`."""
        key = bytes(w)
        for known in (self.current, self.other, self.lowest):
            if known is not None and known.key == key:
                return known
        self.other = Evaluated(np.array(w, dtype=float), key)
        return self.other

    def value_at(self, w):
        """The value at `w`."""
        known = self.at(w)
        if known.value is None:
            self.evaluate(known)
        return known.value

    def gradient_at(self, w):
        """The gradient at `w`; not to be changed."""
        known = self.at(w)
        if known.gradient is None:
            self.differentiate(known)
        return known.gradient

    def evaluate(self, known):
        """Compute the value."""
        known.value = self.call(known.x)
        if self.lowest is None or not self.lowest.value <= known.value:
            self.lowest = known
        if self.paired:
            self.njev += 1
            # After an error of the function `jac` would return the gradient of the last point.
            finite = np.isfinite(known.value)
            known.gradient = self.slopes(known.x) if finite else np.full(known.x.size, np.nan)

    def differentiate(self, known):
        """Compute the gradient."""
        if (self.paired or self.jac is None) and known.value is None:
            self.evaluate(known)
        if known.gradient is None:
            self.njev += 1
            known.gradient = self.differences(known) if self.jac is None else self.slopes(known.x)

    def call(self, x):
        """Call the function with a copy of `x`, which it may keep or change."""
        self.nfev += 1
        try:
            value = np.asarray(self.fun(x.copy(), *self.args))
        except OverflowError:
            # Where numpy gives infinity, Python's own numbers raise an error.
            return np.inf
        if value.size != 1 or value.dtype.kind not in "buif":
            raise ValueError(
                "fun must return one real number. Got an array of shape "
                f"{value.shape} and dtype {value.dtype} instead."
            )
        return float(value.item())

    def slopes(self, x):
        """Call `jac` for the gradient at `x`."""
        try:
            gradient = np.asarray(self.jac(x.copy(), *self.args))
        except OverflowError:
            return np.full(x.size, np.nan)
        if gradient.size != x.size or gradient.dtype.kind not in "buif":
            raise ValueError(
                f"jac must return the gradient: {x.size} real numbers. Got an array of "
                f"shape {gradient.shape} and dtype {gradient.dtype} instead."
            )
        return np.array(gradient, dtype=float).ravel()

    def differences(self, known):
        """The gradient by forward differences, from the value at the point."""
        if not np.isfinite(known.value):
            return np.full(known.x.size, np.nan)

        def fun(x):
            return known.value if np.array_equal(x, known.x) else self.call(x)

        return approx_fprime(known.x, fun, STEP * np.maximum(1, np.abs(known.x)))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def here(self) -> cython.double:
        with cython.gil:
            return self.value_at(self.current.x)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def value(self, w: cython.double[::1]) -> cython.double:
        with cython.gil:
            self.asked += 1
            return self.value_at(np.asarray(w))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def gradient(self, w: cython.double[::1], out: cython.double[::1]) -> cython.double:
        with cython.gil:
            self.asked += 1
            np.asarray(out)[:] = self.gradient_at(np.asarray(w))
            return self.value_at(np.asarray(w))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def full_gradient(self, w: cython.double[::1], out: cython.double[::1]) -> cython.double:
        return self.gradient(w, out)
