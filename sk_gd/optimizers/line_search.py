# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Steps along the negative gradient whose size comes from values of the objective."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import INFINITY, fabs, fmax, fmin, isfinite, pow
    from cython.cimports.sk_gd.objectives.base import Objective
    from cython.cimports.sk_gd.optimizers.base import Rule

    from .base import Optimizer
else:
    from math import fabs, isfinite, pow
    from math import inf as INFINITY

    from ..objectives.base import Objective
    from .base import Optimizer, Rule

    fmax, fmin = max, min

# The most trials of a search; if all fail there is no step.
TRIALS = cython.declare(cython.int, 60)
# If two values differ by less than this, relative to one of them, the difference is rounding.
ROUNDING = cython.declare(cython.double, 1e-15)


class Armijo(Optimizer):
    r"""Gradient descent with a line search: the step shrinks until the objective falls enough.

    .. math::
        w_t &= w_{t-1} - \sigma_t \, g_t, \quad
        \sigma_t = \beta^k \min(\gamma^{1/m} \sigma_{t-1}, \; s \, \eta_t) \\
        &\text{with the smallest } k \ge 0 \text{ such that } \;
        f(w_t) \le f(w_{t-1}) - c \, \sigma_t \|g_t\|^2

    The values are those of the batch on which the gradient was taken, and m is the
    number of batches in an epoch. On the full batch, this is the classical method; on
    mini-batches, it is the method of Vaswani et al. It adapts to the local curvature
    and needs no smoothness constant. A step costs one evaluation more than a step of
    plain descent, and another one each time that it is shortened (see
    ``evaluation_curve_``). If mini-batches contradict each other,
    the weights keep moving around the minimiser, as with plain descent: use a schedule
    or ``average``. The method does not suit the hinge loss, for which the objective
    need not fall along the negative gradient.

    An L1 penalty is left to a proximal step. With :math:`d = w_t - w_{t-1}` after that
    step, the condition is
    :math:`f(w_t) \le f(w_{t-1}) + \langle g_t, d \rangle + (1 - c) \|d\|^2 / \sigma_t`.
    Without the penalty, it is the condition above.

    The search begins with the learning rate (:math:`\eta_1`). "auto" is one over the
    smoothness constant. In this constant the noise of mini-batches counts more, in
    proportion to `longest`.

    Good for smooth losses whose smoothness constant is much too cautious or does not
    exist, as with a log link.

    Parameters
    ----------
    c : float in (0, 1), default=0.5
        Share of the decrease promised by the gradient that a step must reach. With
        1/2, as in the theory of Vaswani et al. (their code has 0.1), a step never goes
        beyond the minimum of a parabola.
    beta : float in (0, 1), default=0.7
        Factor that shortens a step which goes too far. The authors' 0.9 finds longer
        steps, but shortens them more often.
    gamma : float in [1, inf), default=2.0
        Factor by which the step may grow in an epoch.
    longest : float in [1, inf), default=10.0
        Longest step allowed, as a multiple of the learning rate (:math:`s`).

    References
    ----------
    Armijo, L. (1966). Minimization of functions having Lipschitz continuous
    first partial derivatives. Pacific Journal of Mathematics 16(1).
    doi:10.2140/pjm.1966.16.1

    Vaswani, S. et al. (2019). Painless stochastic gradient: interpolation,
    line-search, and convergence rates. NeurIPS. arXiv:1905.09997

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("armijo", batch_size="full", max_iter=50, tol=None).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    >>> max(model.evaluation_curve_) > 1
    True
    """

    def __init__(self, c=0.5, beta=0.7, gamma=2.0, longest=10.0):
        self.c = c
        self.beta = beta
        self.gamma = gamma
        self.longest = longest

    @property
    def noise_gain(self):
        # In a mini-batch the search cannot tell the objective from the noise. Therefore even
        # the longest step is a sixth of that of plain descent. With longer steps some of 150
        # seeds left a small data set half-fitted.
        return 6 * self.longest

    def check(self):
        check_range(self, "c", 0, 1, closed="neither")
        check_range(self, "beta", 0, 1, closed="neither")
        check_range(self, "gamma", 1, float("inf"))
        check_range(self, "longest", 1, float("inf"))

    def rule(self, n):
        return ArmijoRule(self, n)


class Polyak(Optimizer):
    r"""Polyak's step: the gap of the objective to its minimum over the squared gradient.

    .. math::
        w_t = w_{t-1} - \sigma_t \, g_t, \quad
        \sigma_t = \min\left( \frac{f(w_{t-1}) - f^*}{c \, \|g_t\|^2}, \;
                   \gamma^{1/m} \sigma_{t-1}, \; \eta_t \right)

    The value and the gradient are those of the batch, and m is the number of batches
    in an epoch. If the minimum is known, descent is as fast as if the constants of
    smoothness and strong convexity were known, and convex objectives need not be
    smooth. If the model can fit all rows exactly, the minimum is
    known: it is zero for every batch.

    Otherwise zero is a lower bound, and the learning rate limits the step. "auto" is
    one over the smoothness constant, in which the noise of mini-batches counts 2 / c
    times. The method then is plain descent with shorter steps on batches whose gradient
    is large for their value. With the true minimum as `f_star`, use a large learning
    rate.

    The authors' code adds an epsilon to the denominator. It is not needed here: no step
    is taken if the gradient is zero, and no step is longer than the learning rate.

    Good for objectives whose minimum is known, and for models that can fit all rows
    exactly, for which it is zero.

    Parameters
    ----------
    f_star : float, default=0.0
        The minimum, or a lower bound of it (:math:`f^*`). It is that of the objective
        with the ridge penalty and without the L1 penalty. Its units are those of
        ``tol``: for regression, unless ``precondition`` is None, it is relative to the
        scale of the loss, which for ``squared_error`` is the variance of the target.
    c : float in (0, inf), default=0.5
        Factor of the squared gradient. 1 is Polyak's step, which is best on the full
        batch. 1/2 is the authors' choice for mini-batches of strongly convex
        functions; its steps are twice as long.
    gamma : float in (1, inf], default=2.0
        Factor by which the step may grow in an epoch.

    References
    ----------
    Polyak, B. T. (1969). Minimization of unsmooth functionals. USSR
    Computational Mathematics and Mathematical Physics 9(3).
    doi:10.1016/0041-5553(69)90061-5

    Loizou, N., Vaswani, S., Laradji, I. & Lacoste-Julien, S. (2021). Stochastic
    Polyak step-size for SGD: an adaptive learning rate for fast convergence.
    AISTATS. arXiv:2002.10542

    Examples
    --------
    The model can fit these rows exactly. The learning rate is so large that it does
    not limit the steps:

    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import Polyak
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(Polyak(), learning_rate=1e3, alpha=0, tol=None)
    >>> round(float(model.fit(X, y).predict([[6.0]])[0]), 6)
    13.0
    """

    def __init__(self, f_star=0.0, c=0.5, gamma=2.0):
        self.f_star = f_star
        self.c = c
        self.gamma = gamma

    @property
    def noise_gain(self):
        # If the batches contradict each other even Polyak's own step is too long, and this one
        # is longer by 1 / c. With twice that number the noise leaves half the gap.
        return 2 / self.c

    def check(self):
        check_range(self, "f_star", -float("inf"), float("inf"), closed="neither")
        check_range(self, "c", 0, float("inf"), closed="neither")
        check_range(self, "gamma", 1, float("inf"), closed="right")

    def rule(self, n):
        return PolyakRule(self, n)


@cython.cclass
class SizedRule(Rule):
    """A rule that finds a step size, and steps along the negative gradient.

    If no step is taken the size stays as it was.
    """

    gamma: cython.double
    taken: cython.double
    size: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.gamma = optimizer.gamma
        self.taken = 0.0
        self.size = self.array("size", 1)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def grown(
        self, objective: Objective, first: cython.double, most: cython.double
    ) -> cython.double:
        """The last size, grown by the share of one step in an epoch; `first` at the first step."""
        if self.size[0] == 0:
            return fmin(first, most)
        return fmin(pow(self.gamma, 1.0 / objective.steps()) * self.size[0], most)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return self.taken

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def take(
        self, w: cython.double[::1], g: cython.double[::1], size: cython.double
    ) -> cython.void:
        """Take a step of this size; the proximal step follows."""
        j: cython.Py_ssize_t
        self.taken = self.size[0] = size
        for j in range(self.n):
            w[j] -= size * g[j]


@cython.final
@cython.cclass
class ArmijoRule(SizedRule):
    c: cython.double
    beta: cython.double
    longest: cython.double
    trial: cython.double[::1]

    def __init__(self, optimizer, n):
        SizedRule.__init__(self, optimizer, n)
        self.c = optimizer.c
        self.beta = optimizer.beta
        self.longest = optimizer.longest
        self.trial = self.array("trial")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        d: cython.double
        slope: cython.double
        square: cython.double
        found: cython.double
        f: cython.double = objective.here()
        size: cython.double = self.grown(objective, lr, self.longest * lr)
        self.taken = 0
        # A schedule may end at zero.
        for _ in range(TRIALS if size > 0 else 0):
            for j in range(self.n):
                self.trial[j] = w[j] - size * objective.g[j]
            objective.prox(self.trial, size)
            slope = 0
            square = 0
            for j in range(self.n):
                d = self.trial[j] - w[j]
                slope += objective.g[j] * d
                square += d * d
            found = objective.value(self.trial)
            if found <= f + slope + (1 - self.c) / size * square + ROUNDING * fabs(f):
                self.take(w, objective.g, size)
                break
            size *= self.beta
        return 0


@cython.final
@cython.cclass
class PolyakRule(SizedRule):
    f_star: cython.double
    c: cython.double

    def __init__(self, optimizer, n):
        SizedRule.__init__(self, optimizer, n)
        self.f_star = optimizer.f_star
        self.c = optimizer.c

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        square: cython.double = 0
        gap: cython.double = objective.here() - self.f_star
        self.taken = 0
        for j in range(self.n):
            square += objective.g[j] * objective.g[j]
        if gap > 0 and square > 0:
            size: cython.double = fmin(gap / (self.c * square), self.grown(objective, lr, lr))
            self.take(w, objective.g, size)
        return 0


def between(low, low_slope, high, slope, finite):
    """A size between `low` and `high`: where a slope that changes evenly is zero."""
    share: cython.double = 0.5
    if not finite or not isfinite(slope):
        share = 0.1
    elif slope > 0:
        share = fmin(fmax(low_slope / (low_slope - slope), 0.001), 0.9)
    return low + share * (high - low)


def beyond(low, low_slope, size, slope, high):
    """A size beyond `size`, in the same way."""
    more: cython.double = 100 * size
    if high < INFINITY:
        return 0.5 * (size + high)
    if slope > low_slope:
        more = size + (size - low) * slope / (low_slope - slope)
    return fmin(fmax(more, 2 * size), 100 * size)
