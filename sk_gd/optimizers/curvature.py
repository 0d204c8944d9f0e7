# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers whose step size follows from the change of the gradient, on the full batch."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import INFINITY, fmin, sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule, cloned_int

    from .base import Optimizer
else:
    from math import inf as INFINITY
    from math import sqrt

    from .base import Optimizer, Rule, cloned_int

    fmin = min

# The factor by which a step grows if the gradient has not changed.
GROWTH = cython.declare(cython.double, 10.0)
# 2^47 + 1 splits the 53 bits of a number: the first 6 of them are kept (Veltkamp, 1968).
SPLIT = cython.declare(cython.double, 140737488355329.0)


class _Secant(Optimizer):
    """Base of both: they find the size of their steps, and need the full batch."""

    default_rate = "own"
    full_batch = "required"

    def check(self):
        check_range(self, "lambda_0", 0, float("inf"), closed="neither")


class AdGD(_Secant):
    r"""Adaptive gradient descent: the step size follows the local curvature.

    .. math::
        \lambda_t &= \min\left( \sqrt{1 + \theta_{t-1}} \, \lambda_{t-1}, \;
                     \frac{\|w_{t-1} - w_{t-2}\|}{2 \|g_t - g_{t-1}\|} \right), \quad
        \theta_t = \lambda_t / \lambda_{t-1}, \quad \theta_1 = \infty \\
        w_t &= w_{t-1} - \eta_t \lambda_t \, g_t

    The step size :math:`\lambda_t` is rounded to six binary digits, that is by less than two
    percent: see `BarzilaiBorwein`.

    This is plain descent without a smoothness constant. It provably converges on every
    convex function whose gradient is locally Lipschitz continuous, even if there is no
    global constant. It is more stable than `BarzilaiBorwein`, and slower near the
    minimiser. It needs the full batch: two mini-batches have different gradients even
    at the same weights. It does not suit losses with corners, such as the hinge or the
    absolute error, whose gradients jump.

    Good for the full batch of smooth losses whose curvature has no bound, as
    with a logarithmic link.

    Parameters
    ----------
    lambda_0 : float, default=1e-6
        The first step size, as small as rounding allows: the first step only measures
        the curvature. In the estimators, it costs one epoch.

    References
    ----------
    Malitsky, Y. & Mishchenko, K. (2020). Adaptive gradient descent without
    descent. ICML. arXiv:1910.09529 (algorithm 1)

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adgd", max_iter=50, tol=None).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    def __init__(self, lambda_0=1e-6):
        self.lambda_0 = lambda_0

    def rule(self, n):
        return AdGDRule(self, n)


class BarzilaiBorwein(_Secant):
    r"""Barzilai and Borwein's method: the step size is the inverse of the last curvature.

    .. math::
        \lambda_t &= \min\left( \rho \lambda_{t-1}, \;
                     \frac{\langle s, y \rangle}{\|y\|^2} \right), \quad
                     s = w_{t-1} - w_{t-2}, \; y = g_t - g_{t-1} \\
        w_t &= w_{t-1} - \eta_t \lambda_t \, g_t

    This is a quasi-Newton method with one number for the Hessian. It is much faster than
    plain descent on ill-conditioned smooth problems, at the same cost. The objective
    does not fall at every step. The method needs the full batch: two mini-batches have
    different gradients even at the same weights. It does not suit losses with corners,
    such as the hinge or the absolute error. Their gradients jump, so that a change says
    nothing about how far to go: training may end above its beginning, which is an error.

    The step size :math:`\lambda_t` is rounded to six binary digits, that is by less than two
    percent. Otherwise each step would magnify the rounding errors of the gradient, which
    depend on the processor and on the order of the rows: after a hundred steps two fits of
    the same model could differ in the second digit.

    Of the two step sizes in the paper, this is the shorter one. The longer one,
    :math:`\|s\|^2 / \langle s, y \rangle`, overshoots by orders of magnitude on logistic
    models. The step size grows at most by the factor :math:`\rho` in one step; without
    this limit, flat regions of a loss would throw the weights far away. Where the
    function is not convex, :math:`\langle s, y \rangle \le 0`, the step size is
    :math:`\|s\| / \|y\|` (Dai, Al-Baali & Yang, 2015).

    Good for the full batch of ill-conditioned smooth problems.

    Parameters
    ----------
    growth : float in (1, inf], default=10
        Largest factor by which a step size may exceed the last one (:math:`\rho`). The
        second step has no such limit, since the first is tiny.
    lambda_0 : float, default=1e-6
        The first step size, as small as rounding allows: the first step only measures
        the curvature. In the estimators, it costs one epoch.

    References
    ----------
    Barzilai, J. & Borwein, J. M. (1988). Two-point step size gradient methods.
    IMA Journal of Numerical Analysis 8(1). doi:10.1093/imanum/8.1.141

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("barzilai_borwein", max_iter=50, tol=None).fit(X, y)
    >>> bool(model.score(X, y) > 0.96)
    True
    """

    def __init__(self, growth=10.0, lambda_0=1e-6):
        self.growth = growth
        self.lambda_0 = lambda_0

    def check(self):
        super().check()
        check_range(self, "growth", 1, float("inf"), closed="right")

    def rule(self, n):
        return BarzilaiBorweinRule(self, n)


@cython.cclass
class SecantRule(Rule):
    """A rule whose step size comes from the last change of the weights and of the gradient."""

    before: cython.double[::1]
    last_g: cython.double[::1]
    step_size: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.before = self.array("before", position=True)
        self.last_g = self.array("last_g")
        self.step_size = self.array("step_size", 1)
        self.step_size[0] = optimizer.lambda_0

    def only_measures(self):
        # The loss after the second step is known with the third.
        return self.t < 3

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def measured(self, ss: cython.double, sy: cython.double, yy: cython.double) -> cython.double:
        """The step size that fits a change s of the weights and y of the gradient."""
        return sqrt(ss / yy)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def longest(self) -> cython.double:
        """The largest step size, given the last one."""
        return INFINITY

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr * self.step_size[0]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        s: cython.double
        y: cython.double
        rate: cython.double
        ss: cython.double = 0
        sy: cython.double = 0
        yy: cython.double = 0
        if self.t > 1:
            for j in range(self.n):
                s = w[j] - self.before[j]
                y = g[j] - self.last_g[j]
                ss += s * s
                sy += s * y
                yy += y * y
            if ss > 0:
                self.resize(self.measured(ss, sy, yy) if yy > 0 else GROWTH * self.step_size[0])
        rate = self.rate(0, lr)
        for j in range(self.n):
            self.before[j] = w[j]
            self.last_g[j] = g[j]
            w[j] -= rate * g[j]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def resize(self, size: cython.double) -> cython.void:
        # Processors, and rows in another order, round the gradient differently. A size that follows
        # from its change would be different in the last digits, and each step would magnify that.
        # The first digits are nearly always the same, and so are then all steps.
        split: cython.double
        size = fmin(size, self.longest())
        split = SPLIT * size
        self.step_size[0] = split - (split - size) if split < INFINITY else size


@cython.final
@cython.cclass
class AdGDRule(SecantRule):
    theta: cython.double[::1]

    def __init__(self, optimizer, n):
        SecantRule.__init__(self, optimizer, n)
        self.theta = self.array("theta", 1)
        self.theta[0] = INFINITY

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def measured(self, ss: cython.double, sy: cython.double, yy: cython.double) -> cython.double:
        return 0.5 * sqrt(ss / yy)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def longest(self) -> cython.double:
        return sqrt(1 + self.theta[0]) * self.step_size[0]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def resize(self, size: cython.double) -> cython.void:
        before: cython.double = self.step_size[0]
        SecantRule.resize(self, size)
        self.theta[0] = self.step_size[0] / before


@cython.final
@cython.cclass
class BarzilaiBorweinRule(SecantRule):
    growth: cython.double

    def __init__(self, optimizer, n):
        SecantRule.__init__(self, optimizer, n)
        self.growth = optimizer.growth

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def measured(self, ss: cython.double, sy: cython.double, yy: cython.double) -> cython.double:
        return sy / yy if sy > 0 else sqrt(ss / yy)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def longest(self) -> cython.double:
        # The first step was tiny, to measure the curvature: the second has no bound.
        return self.growth * self.step_size[0] if self.t > 2 else INFINITY
