# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Steps whose size the method finds by itself: the learning rate is one."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, fmax, pow, sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule

    from .base import Optimizer
else:
    from math import fabs, pow, sqrt

    from .base import Optimizer, Rule

    fmax = max


@cython.cclass
class MeasuringRule(Rule):
    """A rule that judges its steps by the gradients, the lasso's included.

    The proximal step of the lasso leaves at the new weights a subgradient of it,
    `pull`. At the minimum gradient and pull cancel, and measures of what is
    still to be gained must see both, or they would never come to rest.
    """

    lr: cython.double
    pull: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.lr = 0.0
        self.pull = self.array("pull")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def shrink(
        self, w: cython.double[::1], j: cython.Py_ssize_t, threshold: cython.double
    ) -> cython.void:
        stepped: cython.double = w[j]
        rate: cython.double = self.rate(j, self.lr)
        Rule.shrink(self, w, j, threshold)
        self.pull[j] = (stepped - w[j]) / rate if rate > 0 else 0.0


class DoG(Optimizer):
    r"""Distance over gradients: steps as long as the way so far deserves.

    .. math::
        \bar r_t &= \max(\bar r_{t-1}, \|w_{t-1} - w_0\|), \quad
        \bar r_1 = r_\epsilon (1 + \|w_0\|) \\
        w_t &= w_{t-1} - \eta_t \, \frac{\bar r_t}
               {\sqrt{\epsilon + \sum_{s \le t} \|g_s\|^2}} \, g_t

    Nothing to tune: the distance grows until it is that of the minimiser. One
    step size for all coordinates, hence for well-conditioned problems; where
    features differ in what they need, `Prodigy` and `COCOB` are faster. The steps
    do not settle by themselves: the authors call averaging crucial, and
    ``average="auto"`` is their average here.

    Parameters
    ----------
    r_epsilon : float, default=1e-3
        Distance assumed at first (:math:`r_\epsilon`), relative to one plus the
        norm of the first weights. The authors' 1e-6 takes some fifty steps to
        grow to the size of standardised weights, in which time training on a full
        batch would stop for lack of progress.
    epsilon : float, default=1e-8
        Added to the sum of squared norms.

    References
    ----------
    Ivgi, M., Hinder, O. & Carmon, Y. (2023). DoG is SGD's best friend: a
    parameter-free dynamic step size schedule. ICML. arXiv:2302.12022

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("dog", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    parameter_free = True
    default_average = True

    def __init__(self, r_epsilon=1e-3, epsilon=1e-8):
        self.r_epsilon = r_epsilon
        self.epsilon = epsilon

    def check(self):
        check_range(self, "r_epsilon", 0, float("inf"), closed="neither")
        check_range(self, "epsilon", 0, float("inf"))

    def rule(self, n):
        return DoGRule(self, n)


class DoWG(DoG):
    r"""Distance over weighted gradients: `DoG` that counts early gradients less.

    .. math::
        \bar r_t &= \max(\bar r_{t-1}, \|w_{t-1} - w_0\|), \quad \bar r_1 = r_\epsilon \\
        v_t &= v_{t-1} + \bar r_t^2 \|g_t\|^2 \\
        w_t &= w_{t-1} - \eta_t \, \frac{\bar r_t^2}{\sqrt{v_t} + \epsilon} \, g_t

    Gradients taken while the distance was still underestimated hardly count, so
    the steps are longer than those of `DoG`: faster on smooth problems, less
    steady in noise. As with it, ``average="auto"`` averages.

    Parameters
    ----------
    r_epsilon : float, default=1e-2
        Distance assumed at first (:math:`r_\epsilon`); the authors' is the root
        of their epsilon, the same.
    epsilon : float, default=1e-4
        Added to the root.

    References
    ----------
    Khaled, A., Mishchenko, K. & Jin, C. (2023). DoWG unleashed: an efficient
    universal parameter-free gradient descent method. NeurIPS. arXiv:2305.16284

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("dowg", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    def __init__(self, r_epsilon=1e-2, epsilon=1e-4):
        super().__init__(r_epsilon, epsilon)

    def rule(self, n):
        return DoWGRule(self, n)


@cython.cclass
class DistanceRule(MeasuringRule):
    """The largest distance from the first weights, and a sum over the gradients."""

    r_epsilon: cython.double
    epsilon: cython.double
    origin: cython.double[::1]
    distance: cython.double[::1]
    total: cython.double[::1]

    def __init__(self, optimizer, n):
        MeasuringRule.__init__(self, optimizer, n)
        self.r_epsilon = optimizer.r_epsilon
        self.epsilon = optimizer.epsilon
        self.origin = self.array("origin", position=True)
        self.distance = self.array("distance", 1)
        self.total = self.array("total", 1)

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def measure(self, w: cython.double[::1], least: cython.double) -> cython.void:
        """Update the distance, which is never below `least`."""
        j: cython.Py_ssize_t
        square: cython.double = 0
        for j in range(self.n):
            square += (w[j] - self.origin[j]) * (w[j] - self.origin[j])
        self.distance[0] = fmax(self.distance[0], fmax(sqrt(square), least))

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def squared(self, g: cython.double[::1]) -> cython.double:
        """Squared norm of the gradient of the whole objective."""
        j: cython.Py_ssize_t
        square: cython.double = 0
        for j in range(self.n):
            square += (g[j] + self.pull[j]) * (g[j] + self.pull[j])
        return square

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def descend(
        self, w: cython.double[::1], g: cython.double[::1], lr: cython.double
    ) -> cython.void:
        j: cython.Py_ssize_t
        rate: cython.double = self.rate(0, lr)
        self.lr = lr
        for j in range(self.n):
            w[j] -= rate * g[j]


@cython.final
@cython.cclass
class DoGRule(DistanceRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.total[0] + self.epsilon)
        return lr * self.distance[0] / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        square: cython.double = 0
        if self.distance[0] == 0:
            for j in range(self.n):
                square += self.origin[j] * self.origin[j]
        self.measure(w, self.r_epsilon * (1 + sqrt(square)))
        self.total[0] += self.squared(g)
        self.descend(w, g, lr)
        return 0


@cython.final
@cython.cclass
class DoWGRule(DistanceRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.total[0]) + self.epsilon
        return lr * self.distance[0] * self.distance[0] / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        self.measure(w, self.r_epsilon)
        self.total[0] += self.distance[0] * self.distance[0] * self.squared(g)
        self.descend(w, g, lr)
        return 0


class _AdaptedAdam(Optimizer):
    """Checks shared by the forms of Adam that estimate their distance."""

    parameter_free = True
    default_average = True

    def check(self):
        check_range(self, "beta_1", 0, 1)
        check_range(self, "beta_2", 0, 1)
        check_range(self, "epsilon", 0, float("inf"))
        check_range(self, "d_0", 0, float("inf"), closed="neither")
        check_range(self, "weight_decay", 0, float("inf"))


class DAdaptAdam(_AdaptedAdam):
    r"""Adam by D-adaptation: the learning rate is a lower bound of the distance to go.

    .. math::
        n_t &= \sqrt{\beta_2} \, n_{t-1} + (1 - \sqrt{\beta_2}) \, \lambda_t
               \left\langle g_t, s_{t-1} / (\sqrt{v_{t-1}} + \epsilon) \right\rangle, \quad
               \lambda_t = d_{t-1} \eta_t \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) \lambda_t g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        s_t &= \sqrt{\beta_2} \, s_{t-1} + (1 - \sqrt{\beta_2}) \lambda_t g_t \\
        d_t &= \max\left(d_{t-1}, \frac{n_t}{(1 - \sqrt{\beta_2}) \|s_t\|_1}\right) \\
        w_t &= w_{t-1} - m_t / (\sqrt{v_t} + \epsilon)

    As long as the gradients agree, :math:`d` grows many times a step, and it is
    never reduced. The steps are long and do not settle by themselves:
    ``average="auto"`` averages. On the full batch they overshoot and swing;
    there `Prodigy`, whose estimate is bounded by the distance gone, or a
    schedule, is the better choice. The bias of the averages is not corrected, as
    in the authors' code.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Share of the moving averages of the gradient and of its square that
        each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    d_0 : float, default=1e-6
        The first lower bound.
    weight_decay : float, default=0
        Decoupled weight decay, multiplied by :math:`\lambda_t`. Not part of the
        objective; the ``alpha`` of the estimator is.

    References
    ----------
    Defazio, A. & Mishchenko, K. (2023). Learning-rate-free learning by
    D-adaptation. ICML. arXiv:2301.07733

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("dadapt_adam", max_iter=20, tol=None, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.97)
    True
    """

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, d_0=1e-6, weight_decay=0.0):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.d_0 = d_0
        self.weight_decay = weight_decay

    def rule(self, n):
        return DAdaptAdamRule(self, n)


class Prodigy(_AdaptedAdam):
    r"""Adam whose learning rate is an estimate of the distance to the minimiser.

    .. math::
        n_t &= \sqrt{\beta_2} \, n_{t-1} + \tfrac{d_{t-1}}{d_0} \lambda_t
               \langle g_t, w_0 - w_{t-1} \rangle, \quad \lambda_t = d_{t-1} \eta_t \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) d_{t-1} g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_{t-1}^2 g_t^2 \\
        s_t &= \sqrt{\beta_2} \, s_{t-1} + \tfrac{d_{t-1}}{d_0} \lambda_t g_t \\
        d_t &= \max\left(d_{t-1}, c \, n_t / \|s_t\|_1\right) \\
        w_t &= w_{t-1} - \lambda_t m_t / (\sqrt{v_t} + d_t \epsilon)

    `Adam` without a rate to choose. Its steps are long and, like Adam's, do not
    settle by themselves: ``average="auto"`` averages. On the full batch, where
    they swing around the minimiser, ``schedule="cosine"`` with ``tol=None`` is
    better, and what the authors recommend.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Share of the moving averages of the gradient and of its square that
        each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    d_0 : float, default=1e-6
        The first estimate.
    d_coef : float, default=1
        Factor of the estimate (:math:`c`): the authors' way to tune the method.
    bias_correction : bool, default=False
        Multiply :math:`\lambda_t` by :math:`\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)`,
        which makes the first steps those of Adam, shorter.
    weight_decay : float, default=0
        Decoupled weight decay, multiplied by :math:`\lambda_t`. Not part of the
        objective; the ``alpha`` of the estimator is.

    References
    ----------
    Mishchenko, K. & Defazio, A. (2024). Prodigy: an expeditiously adaptive
    parameter-free learner. ICML. arXiv:2306.06101

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("prodigy", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    def __init__(
        self,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        d_0=1e-6,
        d_coef=1.0,
        bias_correction=False,
        weight_decay=0.0,
    ):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.d_0 = d_0
        self.d_coef = d_coef
        self.bias_correction = bias_correction
        self.weight_decay = weight_decay

    def check(self):
        super().check()
        check_range(self, "d_coef", 0, float("inf"), closed="neither")

    def rule(self, n):
        return ProdigyRule(self, n)


@cython.cclass
class AdaptedAdamRule(MeasuringRule):
    """The moving averages of Adam, and those that estimate the distance."""

    beta_1: cython.double
    beta_2: cython.double
    epsilon: cython.double
    weight_decay: cython.double
    m: cython.double[::1]
    v: cython.double[::1]
    s: cython.double[::1]
    d: cython.double[::1]
    numerator: cython.double[::1]

    def __init__(self, optimizer, n):
        MeasuringRule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.beta_2 = optimizer.beta_2
        self.epsilon = optimizer.epsilon
        self.weight_decay = optimizer.weight_decay
        self.m = self.array("m")
        self.v = self.array("v")
        self.s = self.array("s")
        self.d = self.array("d", 1)
        self.d[0] = optimizer.d_0
        self.numerator = self.array("numerator", 1)


@cython.final
@cython.cclass
class DAdaptAdamRule(AdaptedAdamRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.v[j]) + self.epsilon
        return lr * self.d[0] * (1 - pow(self.beta_1, self.t)) / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        whole: cython.double
        root: cython.double
        product: cython.double = 0
        size: cython.double = 0
        scaled: cython.double = self.d[0] * lr
        keep: cython.double = sqrt(self.beta_2)
        self.lr = lr
        for j in range(self.n):
            whole = g[j] + self.pull[j]
            root = sqrt(self.v[j]) + self.epsilon
            if root > 0:
                product += whole * self.s[j] / root
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * scaled * g[j]
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * g[j] * g[j]
            self.s[j] = keep * self.s[j] + (1 - keep) * scaled * whole
            size += fabs(self.s[j])
        self.numerator[0] = keep * self.numerator[0] + (1 - keep) * scaled * product
        if size > 0 and lr > 0:
            self.d[0] = fmax(self.d[0], self.numerator[0] / ((1 - keep) * size))
        for j in range(self.n):
            root = sqrt(self.v[j]) + self.epsilon
            w[j] *= 1 - self.weight_decay * scaled
            if root > 0:
                w[j] -= self.m[j] / root
        return 0


@cython.final
@cython.cclass
class ProdigyRule(AdaptedAdamRule):
    d_0: cython.double
    d_coef: cython.double
    corrects: cython.bint
    correction: cython.double
    origin: cython.double[::1]

    def __init__(self, optimizer, n):
        AdaptedAdamRule.__init__(self, optimizer, n)
        self.d_0 = optimizer.d_0
        self.d_coef = optimizer.d_coef
        self.corrects = optimizer.bias_correction
        self.correction = 1.0
        self.origin = self.array("origin", position=True)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        d: cython.double = self.d[0]
        root: cython.double = sqrt(self.v[j]) + d * self.epsilon
        begun: cython.double = self.correction * (1 - pow(self.beta_1, self.t))
        return lr * d * d * begun / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        whole: cython.double
        root: cython.double
        scaled: cython.double
        weight: cython.double
        product: cython.double = 0
        size: cython.double = 0
        d: cython.double = self.d[0]
        keep: cython.double = sqrt(self.beta_2)
        self.lr = lr
        if self.corrects:
            self.correction = sqrt(1 - pow(self.beta_2, self.t)) / (1 - pow(self.beta_1, self.t))
        scaled = d * lr * self.correction
        weight = d / self.d_0 * scaled
        for j in range(self.n):
            whole = g[j] + self.pull[j]
            product += whole * (self.origin[j] - w[j])
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * d * g[j]
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * d * d * g[j] * g[j]
            self.s[j] = keep * self.s[j] + weight * whole
            size += fabs(self.s[j])
        self.numerator[0] = keep * self.numerator[0] + weight * product
        if size > 0 and lr > 0:
            self.d[0] = fmax(d, self.d_coef * self.numerator[0] / size)
        for j in range(self.n):
            root = sqrt(self.v[j]) + self.d[0] * self.epsilon
            w[j] *= 1 - self.weight_decay * scaled
            if root > 0:
                w[j] -= scaled * self.m[j] / root
        return 0


class COCOB(Optimizer):
    r"""Continuous coin betting: every coordinate bets its winnings on the next gradient.

    .. math::
        L_t &= \max(L_{t-1}, |g_t|), \quad A_t = A_{t-1} + |g_t|, \quad
        R_t = \max(R_{t-1} - g_t (w_{t-1} - w_0), 0) \\
        \theta_t &= \theta_{t-1} - g_t \\
        w_t &= w_{t-1} + \eta_t \left( w_0 + \frac{\theta_t (L_t + R_t)}
               {L_t \max(A_t + L_t, \alpha L_t)} - w_{t-1} \right)

    No learning rate and none estimated: with :math:`\eta = 1` the weights are
    the bet itself. Scale-free, coordinate by coordinate. The first step is
    :math:`1 / \alpha` in every coordinate. Bets swing around the minimiser before
    they settle: use ``schedule="cosine"`` or ``average=True`` for the last digits.

    Parameters
    ----------
    alpha : float, default=100
        Caution of the first bets: the part of the capital that they stake is at
        most one over it.
    epsilon : float, default=1e-8
        The largest gradient assumed at first (:math:`L_0`).

    References
    ----------
    Orabona, F. & Tommasi, T. (2017). Training deep networks without learning
    rates through coin betting. NeurIPS. arXiv:1705.07795

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("cocob", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    parameter_free = True

    def __init__(self, alpha=100.0, epsilon=1e-8):
        self.alpha = alpha
        self.epsilon = epsilon

    def check(self):
        check_range(self, "alpha", 0, float("inf"))
        check_range(self, "epsilon", 0, float("inf"), closed="neither")

    def rule(self, n):
        return COCOBRule(self, n)


@cython.final
@cython.cclass
class COCOBRule(MeasuringRule):
    alpha: cython.double
    origin: cython.double[::1]
    largest: cython.double[::1]
    total: cython.double[::1]
    reward: cython.double[::1]
    theta: cython.double[::1]

    def __init__(self, optimizer, n):
        MeasuringRule.__init__(self, optimizer, n)
        self.alpha = optimizer.alpha
        self.origin = self.array("origin", position=True)
        self.largest = self.array("largest")
        self.largest[:] = optimizer.epsilon
        self.total = self.array("total")
        self.reward = self.array("reward")
        self.theta = self.array("theta")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        largest: cython.double = self.largest[j]
        stake: cython.double = fmax(self.total[j] + largest, self.alpha * largest)
        return lr * (largest + self.reward[j]) / (largest * stake)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        whole: cython.double
        self.lr = lr
        for j in range(self.n):
            whole = g[j] + self.pull[j]
            self.largest[j] = fmax(self.largest[j], fabs(whole))
            self.total[j] += fabs(whole)
            self.reward[j] = fmax(self.reward[j] - whole * (w[j] - self.origin[j]), 0.0)
            self.theta[j] -= g[j]
            w[j] += lr * (self.origin[j] - w[j]) + self.rate(j, lr) * self.theta[j]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def shrink(
        self, w: cython.double[::1], j: cython.Py_ssize_t, threshold: cython.double
    ) -> cython.void:
        # What the lasso takes back is lost to the bet as well.
        MeasuringRule.shrink(self, w, j, threshold)
        self.theta[j] -= self.pull[j]
