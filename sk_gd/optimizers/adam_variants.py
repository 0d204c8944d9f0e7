# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Variants of Adam that measure the size of the gradient in another way."""

import cython

from ..parameters import check_boolean, check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, sqrt
    from cython.cimports.sk_gd.optimizers.adam import AdamRule, RAdamRule
    from cython.cimports.sk_gd.optimizers.base import Rule, bias_correction, cloned_int, cloned_void

    from .adam import _AdamLike
    from .base import Optimizer
else:
    from math import fabs, sqrt

    from .adam import AdamRule, RAdamRule, _AdamLike
    from .base import Optimizer, Rule, bias_correction, cloned_int, cloned_void


class Adamax(_AdamLike):
    r"""Adam with a decaying maximum of the gradient instead of the mean square.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon) \\
        w_t &= w_{t-1} - \frac{\eta_t}{1 - \beta_1^t} \, m_t / u_t

    As in torch, :math:`\epsilon` is added to the gradient; the paper has no
    :math:`\epsilon`. After a large gradient, the steps are shorter than Adam's. The
    denominator needs no bias correction.

    Good for sparse gradients and gradients with outliers.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving average of the gradient and of the maximum: the
        share that each step keeps.
    epsilon : float, default=1e-8
        Added to the absolute value of the gradient.

    References
    ----------
    Kingma, D. P. & Ba, J. (2015). Adam: a method for stochastic optimization,
    section 7.1. ICLR. arXiv:1412.6980

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adamax", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    default_rate = 0.1

    def rule(self, n):
        return AdamaxRule(self, n)


@cython.final
@cython.cclass
class AdamaxRule(Rule):
    beta_1: cython.double
    beta_2: cython.double
    epsilon: cython.double
    correction: cython.double
    m: cython.double[::1]
    u: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.beta_2 = optimizer.beta_2
        self.epsilon = optimizer.epsilon
        self.correction = 0.0
        self.m = self.array("m")
        self.u = self.array("u")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr / self.u[j] if self.u[j] > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        kept: cython.double
        size: cython.double
        self.correction = bias_correction(self.correction, self.beta_1, self.t)
        for j in range(self.n):
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * g[j]
            kept = self.beta_2 * self.u[j]
            size = fabs(g[j]) + self.epsilon
            # Not fmax, which would be a function call.
            self.u[j] = kept if kept > size else size
            w[j] -= self.rate(j, lr) * (self.m[j] * self.correction)
        return 0


class AdaBelief(_AdamLike):
    r"""Adam with long steps where the gradient is close to its moving average.

    .. math::
        s_t &= \beta_2 s_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \epsilon \\
        w_t &= w_{t-1} - \eta_t \, \hat m_t / (\sqrt{\hat s_t} + \epsilon), \quad
        \hat s_t = s_t / (1 - \beta_2^t)

    with the :math:`m` and the bias corrections of `Adam`. :math:`\epsilon` is added
    twice: inside the recursion, where it adds up, and outside the root. Therefore it
    is about the square of Adam's. The steps depend on the noise of the gradient, not
    on its size. On the full batch there is no noise, and the steps may become long
    before the gradient changes.

    Good for mini-batches, with a schedule.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its squared
        deviation: the share of the average that each step keeps.
    epsilon : float, default=1e-16
        Added to the moving average at each step, and to its root.
    rectify : bool, default=False
        Whether to warm up as `RAdam` does. The authors' package does so by default;
        their paper does not.

    References
    ----------
    Zhuang, J. et al. (2020). AdaBelief optimizer: adapting stepsizes by the
    belief in observed gradients. NeurIPS. arXiv:2010.07468

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adabelief", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    default_rate = 0.03

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-16, rectify=False):
        super().__init__(beta_1, beta_2, epsilon)
        self.rectify = rectify

    def check(self):
        super().check()
        check_boolean(self, "rectify")

    def rule(self, n):
        return RectifiedAdaBeliefRule(self, n) if self.rectify else AdaBeliefRule(self, n)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _believe(rule: AdamRule, g: cython.double[::1], epsilon: cython.double) -> cython.void:
    """Update the moving averages: of the gradient, and of its deviation from that average."""
    j: cython.Py_ssize_t
    surprise: cython.double
    for j in range(rule.n):
        rule.m[j] = rule.beta_1 * rule.m[j] + (1 - rule.beta_1) * g[j]
        surprise = g[j] - rule.m[j]
        rule.v[j] = rule.beta_2 * rule.v[j] + (1 - rule.beta_2) * surprise * surprise + epsilon


@cython.final
@cython.cclass
class AdaBeliefRule(AdamRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def remember(self, g: cython.double[::1]) -> cloned_void:
        _believe(self, g, self.outside)


@cython.final
@cython.cclass
class RectifiedAdaBeliefRule(RAdamRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def remember(self, g: cython.double[::1]) -> cloned_void:
        _believe(self, g, self.epsilon)


class Yogi(_AdamLike):
    r"""Adam whose mean square changes by the squared gradient, not by a share of itself.

    .. math::
        v_t = v_{t-1} - (1 - \beta_2) \operatorname{sign}(v_{t-1} - g_t^2) \, g_t^2

    with the step of `Adam`. When the gradients become small, the denominator falls
    slowly, and the steps do not grow at once as Adam's do. Therefore Yogi is more
    stable on rare features, and slower to recover from a large first gradient.

    Good for rare features, on which Adam's steps grow too soon.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        `beta_1` is the share of the moving average of the gradient that each step
        keeps. One minus `beta_2` is the speed at which the mean square changes.
    epsilon : float, default=1e-3
        Added to the root. The default is that of the authors.
    initial_accumulator : float, default=1e-6
        Initial value of both averages. The average of the gradient therefore moves
        even weights without any gradient, but by almost nothing.

    References
    ----------
    Zaheer, M., Reddi, S., Sachan, D., Kale, S. & Kumar, S. (2018). Adaptive
    methods for nonconvex optimization. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("yogi", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    default_rate = 0.05

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-3, initial_accumulator=1e-6):
        super().__init__(beta_1, beta_2, epsilon)
        self.initial_accumulator = initial_accumulator

    def check(self):
        super().check()
        check_range(self, "initial_accumulator", 0, float("inf"))

    def rule(self, n):
        return YogiRule(self, n)


@cython.final
@cython.cclass
class YogiRule(AdamRule):
    def __init__(self, optimizer, n):
        AdamRule.__init__(self, optimizer, n)
        self.arrays["m"][:] = self.arrays["v"][:] = optimizer.initial_accumulator

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def remember(self, g: cython.double[::1]) -> cloned_void:
        j: cython.Py_ssize_t
        square: cython.double
        change: cython.double
        for j in range(self.n):
            square = g[j] * g[j]
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * g[j]
            change = (1 - self.beta_2) * square
            if not self.v[j] < square:
                change = -change if self.v[j] > square else 0.0
            self.v[j] += change


class Adan(Optimizer):
    r"""Adam with Nesterov's momentum, based on differences of successive gradients.

    .. math::
        d_t &= g_t - g_{t-1}, \quad d_1 = 0 \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_t \\
        n_t &= \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 d_t)^2 \\
        w_t &= \left[ w_{t-1} - \eta_t \, (\hat m_t + \beta_2 \hat v_t)
               / (\sqrt{\hat n_t} + \epsilon) \right] / (1 + \eta_t \lambda)

    where a hat means division by :math:`1 - \beta^t`. The betas are the shares that a
    step keeps, as in the authors' code. The betas of the paper are one minus these.
    On large batches, Adan allows larger learning rates than Adam. On small batches,
    the differences are mostly noise.

    Good for large batches, with a schedule.

    Parameters
    ----------
    beta_1, beta_2, beta_3 : float in [0, 1), default=0.98, 0.92 and 0.99
        Decay rates of the moving averages of the gradient, of its difference and of
        the square: the share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    weight_decay : float, default=0
        Decoupled weight decay (:math:`\lambda`). Unlike the ``alpha`` of the
        estimator, it is not part of the objective.

    References
    ----------
    Xie, X., Zhou, P., Li, H., Lin, Z. & Yan, S. (2024). Adan: adaptive Nesterov
    momentum algorithm for faster optimizing deep models. IEEE TPAMI.
    arXiv:2208.06677

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adan", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    default_rate = 0.1

    def __init__(self, beta_1=0.98, beta_2=0.92, beta_3=0.99, epsilon=1e-8, weight_decay=0.0):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.epsilon = epsilon
        self.weight_decay = weight_decay

    def check(self):
        for beta in ("beta_1", "beta_2", "beta_3"):
            check_range(self, beta, 0, 1)
        check_range(self, "epsilon", 0, float("inf"))
        check_range(self, "weight_decay", 0, float("inf"))

    def rule(self, n):
        return AdanRule(self, n)


@cython.final
@cython.cclass
class AdanRule(Rule):
    beta_1: cython.double
    beta_2: cython.double
    beta_3: cython.double
    epsilon: cython.double
    weight_decay: cython.double
    correction_1: cython.double
    correction_2: cython.double
    correction_3: cython.double
    m: cython.double[::1]
    v: cython.double[::1]
    square: cython.double[::1]
    previous: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.beta_2 = optimizer.beta_2
        self.beta_3 = optimizer.beta_3
        self.epsilon = optimizer.epsilon
        self.weight_decay = optimizer.weight_decay
        self.correction_1 = self.correction_2 = self.correction_3 = 0.0
        self.m = self.array("m")
        self.v = self.array("v")
        self.square = self.array("n")
        self.previous = self.array("previous")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.square[j] * self.correction_3) + self.epsilon
        return lr / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        d: cython.double
        ahead: cython.double
        share: cython.double = 1 / (1 + lr * self.weight_decay)
        self.correction_1 = bias_correction(self.correction_1, self.beta_1, self.t)
        self.correction_2 = bias_correction(self.correction_2, self.beta_2, self.t)
        self.correction_3 = bias_correction(self.correction_3, self.beta_3, self.t)
        if self.t == 1:
            for j in range(self.n):
                self.previous[j] = g[j]
        # Two loops, since the compiler turns none with so many arrays into vector instructions.
        for j in range(self.n):
            d = g[j] - self.previous[j]
            ahead = g[j] + self.beta_2 * d
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * d
            self.square[j] = self.beta_3 * self.square[j] + (1 - self.beta_3) * ahead * ahead
            self.previous[j] = g[j]
        for j in range(self.n):
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * g[j]
            w[j] -= self.rate(j, lr) * (
                self.m[j] * self.correction_1 + self.beta_2 * (self.v[j] * self.correction_2)
            )
            w[j] *= share
        return 0
