# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers that adapt the step size of each coordinate to its gradients."""

import cython

from ..parameters import check_boolean, check_range
from .adam import epsilons

if cython.compiled:
    from cython.cimports.libc.math import sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule, cloned_int
    from cython.cimports.sk_gd.penalties.base import PenaltyKernel

    from .base import Optimizer
else:
    from math import sqrt

    from ..penalties.base import PenaltyKernel
    from .base import Optimizer, Rule, cloned_int


class Adagrad(Optimizer):
    r"""AdaGrad: steps divided by the root of the sum of all squared gradients.

    .. math::
        a_t &= a_{t-1} + g_t^2 \\
        w_t &= w_{t-1} - \eta_t \, g_t / (\sqrt{a_t} + \epsilon)

    The steps shrink like :math:`1/\sqrt t` without a schedule. As in torch, the sum
    begins at zero, and :math:`\epsilon` is added outside the root.

    Good for sparse data, because rare features keep large steps, and for training
    without a schedule.

    Parameters
    ----------
    epsilon : float, default=1e-10
        Added to the root.

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
class AdagradRule(Rule):
    epsilon: cython.double
    a: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.local = True
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
    @cython.exceptval(check=False)
    @cython.inline
    def step_along(
        self, w: cython.double[::1], j: cython.Py_ssize_t, g: cython.double, lr: cython.double
    ) -> cython.void:
        self.a[j] += g * g
        w[j] -= self.rate(j, lr) * g

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.step_along(w, j, g[j], lr)
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
        k: cython.Py_ssize_t
        for k in range(count):
            self.step_along(w, where[k], g[where[k]], lr)
        return 0


class Adadelta(Optimizer):
    r"""Adadelta: steps in the units of the weights, scaled by the previous steps.

    .. math::
        a_t &= \rho a_{t-1} + (1 - \rho) g_t^2, \quad
        \Delta_t = \frac{\sqrt{d_{t-1} + \epsilon}}{\sqrt{a_t + \epsilon}} \, g_t \\
        w_t &= w_{t-1} - \eta_t \Delta_t, \quad
        d_t = \rho d_{t-1} + (1 - \rho) \Delta_t^2

    The paper has no learning rate, which corresponds to a learning rate of 1. The
    steps begin short, since :math:`d_0 = 0`, and grow by themselves. For a fast start,
    use `RMSprop` or `Adam`.

    Good for gradients of unknown unit, if a slow start does no harm.

    Parameters
    ----------
    rho : float in [0, 1), default=0.9
        Share of both moving averages that each step keeps.
    epsilon : float > 0, default=1e-6
        Added inside the roots. The size of the first step is the root of
        ``epsilon / (1 - rho)``, times the learning rate.

    References
    ----------
    Zeiler, M. D. (2012). ADADELTA: an adaptive learning rate method.
    arXiv:1212.5701

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("adadelta", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 5.0

    def __init__(self, rho=0.9, epsilon=1e-6):
        self.rho = rho
        self.epsilon = epsilon

    def check(self):
        check_range(self, "rho", 0, 1)
        check_range(self, "epsilon", 0, float("inf"), closed="neither")

    def rule(self, n):
        return AdadeltaRule(self, n)


@cython.final
@cython.cclass
class AdadeltaRule(Rule):
    rho: cython.double
    epsilon: cython.double
    a: cython.double[::1]
    d: cython.double[::1]
    ratio: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.rho = optimizer.rho
        self.epsilon = optimizer.epsilon
        self.a = self.array("a")
        self.d = self.array("d")
        # The metric of the last step, in which the proximal step is taken.
        self.ratio = self.array("ratio")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr * self.ratio[j]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        delta: cython.double
        # Two loops, since the compiler turns none with so many arrays into vector instructions.
        for j in range(self.n):
            self.a[j] = self.rho * self.a[j] + (1 - self.rho) * g[j] * g[j]
            self.ratio[j] = sqrt(self.d[j] + self.epsilon) / sqrt(self.a[j] + self.epsilon)
        for j in range(self.n):
            delta = self.ratio[j] * g[j]
            w[j] -= lr * delta
            self.d[j] = self.rho * self.d[j] + (1 - self.rho) * delta * delta
        return 0


class RMSprop(Optimizer):
    r"""RMSprop: steps divided by the root of a moving average of squared gradients.

    .. math::
        a_t &= \rho a_{t-1} + (1 - \rho) g_t^2 \\
        w_t &= w_{t-1} - \eta_t \, g_t / (\sqrt{a_t} + \epsilon)

    Unlike AdaGrad, it forgets old gradients, so the steps do not shrink to zero.

    Good for mini-batches, if features need different step sizes, with a schedule or
    ``average=True``.

    Parameters
    ----------
    rho : float in [0, 1), default=0.99
        Share of the moving average that each step keeps (torch's `alpha`).
    epsilon : float, default=1e-8
        Added to the root.
    epsilon_in_sqrt : bool, default=False
        Whether to divide by :math:`\sqrt{a_t + \epsilon}` instead, as Keras does.

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
        check_boolean(self, "epsilon_in_sqrt")

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
        self.inside, self.outside = epsilons(optimizer)
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
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.a[j] = self.rho * self.a[j] + (1 - self.rho) * g[j] * g[j]
            w[j] -= self.rate(j, lr) * g[j]
        return 0


class FTRL(Optimizer):
    r"""FTRL-Proximal: AdaGrad for sparse models, with a threshold on sums of gradients.

    .. math::
        z_t &= z_{t-1} + g_t - (h_t - h_{t-1}) w_{t-1}, \quad
        h_t = \frac{1}{\eta} \left( \beta + \sqrt{\textstyle\sum_{s \le t} g_s^2} \right) \\
        w_t &= -\operatorname{soft}(z_t, t \, l_1) / h_t

    where soft moves its argument towards zero by :math:`t \, l_1`, but not beyond
    zero. The threshold :math:`l_1` comes from the ``alpha`` and ``l1_ratio`` of the
    estimator. It is added once for each step, so that the minimiser is that of the
    objective. The ridge penalty is part of the gradient.

    A coefficient is zero as long as the sum of all its gradients is below the
    threshold, so the noise of mini-batches does not make it nonzero. A step whose
    learning rate is zero adds to the sum of squares only. Without an L1 penalty, this
    is `Adagrad` with :math:`\beta` as its epsilon.

    Good for sparse models of sparse data, with coefficients that are exactly zero,
    in one pass over a stream.

    Parameters
    ----------
    beta : float, default=1
        Added to the root of the sum of squares. It shortens the first steps.

    References
    ----------
    McMahan, H. B. et al. (2013). Ad click prediction: a view from the trenches.
    KDD. doi:10.1145/2487575.2488200

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("ftrl", alpha=0.01, l1_ratio=1.0, max_iter=50, tol=None)
    >>> bool(model.set_params(random_state=0).fit(X, y).score(X, y) > 0.94)
    True
    >>> int((model.coef_ == 0).sum()) > 10
    True
    """

    default_rate = 1.0

    def __init__(self, beta=1.0):
        self.beta = beta

    def check(self):
        check_range(self, "beta", 0, float("inf"))

    def rule(self, n):
        return FTRLRule(self, n)


@cython.final
@cython.cclass
class FTRLRule(Rule):
    beta: cython.double
    a: cython.double[::1]
    # How many proximal steps each weight has had.
    count: cython.double[::1]
    # The part of the sum of gradients that the penalty holds back: -z - h w.
    held: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.local = True
        self.beta = optimizer.beta
        self.a = self.array("a")
        self.count = self.array("count")
        self.held = self.array("held")

    def rescale_slopes(self, factor):
        self.arrays["held"] *= factor

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        h: cython.double = self.beta + sqrt(self.a[j])
        return lr / h if h > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def step_along(
        self, w: cython.double[::1], j: cython.Py_ssize_t, g: cython.double, lr: cython.double
    ) -> cython.void:
        self.a[j] += g * g
        w[j] += self.rate(j, lr) * (self.held[j] - g)
        # In a step of length zero the weights cannot take up what is held.
        self.held[j] = 0.0 if lr > 0 else self.held[j]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.step_along(w, j, g[j], lr)
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
        k: cython.Py_ssize_t
        for k in range(count):
            self.step_along(w, where[k], g[where[k]], lr)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        j: cython.Py_ssize_t
        eta: cython.double
        self.keep_stepped(w)
        for j in range(self.n):
            eta = self.rate(j, lr)
            if eta > 0:
                self.count[j] += 1
            self.steps[j] = eta * self.count[j]
        penalty.prox(w, self.steps)
        for j in range(self.n):
            eta = self.rate(j, lr)
            if eta > 0:
                self.held[j] = (self.stepped[j] - w[j]) / eta
        return 0
