# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""A learning rate of its own for every coordinate."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import pow, sqrt
    from cython.cimports.sk_gd.optimizers.base import LocalRule, Rule

    from .base import Optimizer
else:
    from math import pow, sqrt

    from .base import LocalRule, Optimizer, Rule


class Adagrad(Optimizer):
    r"""AdaGrad: steps divided by the root of all squared gradients so far.

    .. math::
        a_t &= a_{t-1} + g_t^2 \\
        w_t &= w_{t-1} - \eta_t \, g_t / (\sqrt{a_t} + \epsilon)

    Rare features keep large steps, hence good on sparse data; the steps shrink
    like :math:`1/\sqrt t` by themselves, hence no schedule is needed.
    The sum begins at zero and :math:`\epsilon` is outside the root, as in torch.

    Parameters
    ----------
    epsilon : float, default=1e-10
        Added to the root; keeps the first step finite.

    References
    ----------
    Duchi, J., Hazan, E. & Singer, Y. (2011). Adaptive subgradient methods for
    online learning and stochastic optimization. JMLR 12.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adagrad", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 0.5

    def __init__(self, epsilon=1e-10):
        self.epsilon = epsilon

    def check(self):
        check_range(self, "epsilon", 0, float("inf"))

    def rule(self, n):
        return AdagradRule(self, n)


@cython.final
@cython.cclass
class AdagradRule(LocalRule):
    epsilon: cython.double
    a: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.epsilon = optimizer.epsilon
        self.a = self.array("a")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.a[j]) + self.epsilon
        return lr / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.a[j] += g[j] * g[j]
            w[j] -= self.rate(j, lr) * g[j]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step_at(
        self,
        w: cython.double[::1],
        g: cython.double[::1],
        lr: cython.double,
        where: cython.Py_ssize_t[::1],
        count: cython.Py_ssize_t,
    ) -> cython.int:
        j: cython.Py_ssize_t
        k: cython.Py_ssize_t
        for k in range(count):
            j = where[k]
            self.a[j] += g[j] * g[j]
            w[j] -= self.rate(j, lr) * g[j]
        return 0


class RMSprop(Optimizer):
    r"""RMSprop: steps divided by the root of a moving average of squared gradients.

    .. math::
        a_t &= \rho a_{t-1} + (1 - \rho) g_t^2 \\
        w_t &= w_{t-1} - \eta_t \, g_t / (\sqrt{a_t} + \epsilon)

    Forgets old gradients, unlike AdaGrad, and so keeps moving: use a schedule
    or ``average=True`` to settle.

    Parameters
    ----------
    rho : float in [0, 1), default=0.99
        Share of the moving average that each step keeps (torch's `alpha`).
    epsilon : float, default=1e-8
        Added to the root.
    epsilon_in_sqrt : bool, default=False
        Divide by :math:`\sqrt{a_t + \epsilon}` instead, as Keras does.

    References
    ----------
    Tieleman, T. & Hinton, G. (2012). Lecture 6.5: RMSProp. COURSERA: Neural
    Networks for Machine Learning.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("rmsprop", max_iter=20, tol=None, average=True, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.97)
    True
    """

    default_rate = 0.03

    def __init__(self, rho=0.99, epsilon=1e-8, epsilon_in_sqrt=False):
        self.rho = rho
        self.epsilon = epsilon
        self.epsilon_in_sqrt = epsilon_in_sqrt

    def check(self):
        check_range(self, "rho", 0, 1)
        check_range(self, "epsilon", 0, float("inf"))

    def rule(self, n):
        return RMSpropRule(self, n)


@cython.final
@cython.cclass
class RMSpropRule(Rule):
    rho: cython.double
    outside: cython.double
    inside: cython.double
    a: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.rho = optimizer.rho
        self.inside, self.outside = _epsilons(optimizer)
        self.a = self.array("a")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.a[j] + self.inside) + self.outside
        return lr / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.a[j] = self.rho * self.a[j] + (1 - self.rho) * g[j] * g[j]
            w[j] -= self.rate(j, lr) * g[j]
        return 0


class _AdamLike(Optimizer):
    """Checks shared by the optimizers with two moving averages."""

    def check(self):
        check_range(self, "beta_1", 0, 1)
        check_range(self, "beta_2", 0, 1)
        check_range(self, "epsilon", 0, float("inf"))


class Adam(_AdamLike):
    r"""Adam: momentum, and steps divided by the root of the mean squared gradient.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        w_t &= w_{t-1} - \eta_t \, \hat m_t / (\sqrt{\hat v_t} + \epsilon), \quad
        \hat m_t = m_t / (1 - \beta_1^t), \; \hat v_t = v_t / (1 - \beta_2^t)

    At a constant rate Adam ends in a ball of noise on mini-batches: use a
    schedule or ``average=True`` to settle, or `ScheduleFreeAdamW`.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Share of the moving averages of the gradient and of its square that
        each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    epsilon_in_sqrt : bool, default=False
        Divide by :math:`\sqrt{\hat v_t + \epsilon}` instead.

    References
    ----------
    Kingma, D. P. & Ba, J. (2015). Adam: a method for stochastic optimization.
    ICLR. arXiv:1412.6980

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adam", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 0.03

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_in_sqrt=False):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.epsilon_in_sqrt = epsilon_in_sqrt

    def rule(self, n):
        return AdamRule(self, n)


@cython.cclass
class AdamRule(Rule):
    beta_1: cython.double
    beta_2: cython.double
    outside: cython.double
    inside: cython.double
    correction_1: cython.double
    correction_2: cython.double
    m: cython.double[::1]
    v: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.beta_2 = optimizer.beta_2
        self.inside, self.outside = _epsilons(optimizer)
        self.correction_1 = self.correction_2 = 1.0
        self.m = self.array("m")
        self.v = self.array("v")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.v[j] / self.correction_2 + self.inside) + self.outside
        return lr / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        self.correction_1 = 1 - pow(self.beta_1, self.t)
        self.correction_2 = 1 - pow(self.beta_2, self.t)
        for j in range(self.n):
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * g[j]
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * g[j] * g[j]
            w[j] -= AdamRule.rate(self, j, lr) * (self.m[j] / self.correction_1)
        return 0


class AdamW(_AdamLike):
    r"""Adam with decoupled weight decay.

    .. math::
        w_{t-1}' &= (1 - \eta_t \lambda) \, w_{t-1} \\
        w_t &= w_{t-1}' - \eta_t \, \hat m_t / (\sqrt{\hat v_t} + \epsilon)

    with the moving averages of `Adam`. The decay is not part of the objective:
    it pulls every weight, the intercept too, towards zero in the coordinates
    of ``precondition``, so the minimiser is not that of ``alpha`` alone.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Share of the moving averages of the gradient and of its square that
        each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    weight_decay : float, default=0.01
        :math:`\lambda`, multiplied by the learning rate, as in torch.

    References
    ----------
    Loshchilov, I. & Hutter, F. (2019). Decoupled weight decay regularization.
    ICLR. arXiv:1711.05101

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adamw", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 0.03

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.01):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay

    def check(self):
        super().check()
        check_range(self, "weight_decay", 0, float("inf"))

    def rule(self, n):
        return AdamWRule(self, n)


@cython.final
@cython.cclass
class AdamWRule(AdamRule):
    weight_decay: cython.double

    def __init__(self, optimizer, n):
        AdamRule.__init__(self, optimizer, n)
        self.weight_decay = optimizer.weight_decay

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            w[j] *= 1 - lr * self.weight_decay
        return AdamRule.step(self, w, g, lr)


def _epsilons(optimizer):
    """What is added inside and outside the root."""
    inside = getattr(optimizer, "epsilon_in_sqrt", False)
    return (optimizer.epsilon, 0.0) if inside else (0.0, optimizer.epsilon)
