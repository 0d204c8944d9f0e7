# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Variants of Adam that estimate their learning rate: the distance to the minimiser."""

import cython

from ..parameters import check_boolean, check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, fmax, pow, sqrt
    from cython.cimports.sk_gd.optimizers.base import cloned_int
    from cython.cimports.sk_gd.optimizers.parameter_free import MeasuringRule

    from .base import Optimizer
else:
    from math import fabs, pow, sqrt

    from .base import Optimizer, cloned_int
    from .parameter_free import MeasuringRule

    fmax = max


class _AdaptedAdam(Optimizer):
    """Checks that the forms of Adam with an estimated distance share."""

    default_rate = "own"
    default_average = True

    def check(self):
        check_range(self, "beta_1", 0, 1)
        check_range(self, "beta_2", 0, 1)
        check_range(self, "epsilon", 0, float("inf"))
        check_range(self, "d_0", 0, float("inf"), closed="neither")
        check_range(self, "weight_decay", 0, float("inf"))
        check_boolean(self, "bias_correction")


class DAdaptAdam(_AdaptedAdam):
    r"""Adam with D-adaptation: the learning rate bounds the distance to the minimiser from below.

    .. math::
        n_t &= \sqrt{\beta_2} \, n_{t-1} + (1 - \sqrt{\beta_2}) \, \lambda_t
               \left\langle g_t, s_{t-1} / (\sqrt{v_{t-1}} + \epsilon) \right\rangle, \quad
               \lambda_t = d_{t-1} \eta_t \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) \lambda_t g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        s_t &= \sqrt{\beta_2} \, s_{t-1} + (1 - \sqrt{\beta_2}) \lambda_t g_t \\
        d_t &= \max\left(d_{t-1}, \frac{n_t}{(1 - \sqrt{\beta_2}) \|s_t\|_1}\right) \\
        w_t &= w_{t-1} - m_t / (\sqrt{v_t} + \epsilon)

    As long as the gradients agree, :math:`d` grows exponentially. It never falls. The
    steps are long and do not shrink to zero by themselves: ``average="auto"`` averages
    the iterates. On the full batch, the steps may overshoot and oscillate, so that
    ``tol`` ends the training early: use ``tol=None`` there, and a schedule for the last
    digits. (The formula is that without `bias_correction`.)

    The estimate holds for subgradients, not for proximal steps. With an L1 penalty,
    coefficients come close to zero but are not exactly zero.

    Good for mini-batches on which Adam works, if its learning rate is not known.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    d_0 : float, default=1e-3
        The first lower bound. The authors' 1e-6 is far below the size of
        standardised weights. While it grows, the first steps gain hardly anything.
    bias_correction : bool, default=True
        Whether to multiply :math:`\lambda_t` by
        :math:`\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)`, as Adam does. The authors'
        code, which is for networks, does not. Without it, the first steps are three
        times as long, and overshoot if the gradients are as steady as those of a
        linear model.
    weight_decay : float, default=0
        Decoupled weight decay, multiplied by :math:`\lambda_t`. Unlike the ``alpha``
        of the estimator, it is not part of the objective.

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

    def __init__(
        self,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        d_0=1e-3,
        bias_correction=True,
        weight_decay=0.0,
    ):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.d_0 = d_0
        self.bias_correction = bias_correction
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

    This is `Adam` without a learning rate to choose. The steps are long and, like
    Adam's, do not shrink to zero by themselves: ``average="auto"`` averages the
    iterates. On the full batch, the steps may oscillate around the minimiser, so that
    ``tol`` ends the training early: use ``tol=None`` there. For the last digits of a
    long training, add ``schedule="cosine"``, which the authors recommend. (The formula
    is that without `bias_correction`.)

    Good for mini-batches and, with ``tol=None``, the full batch, if Adam works on them
    and its learning rate is not known.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    d_0 : float, default=1e-3
        The first estimate. The authors' 1e-6 is far below the size of
        standardised weights. While it grows, training on a full batch would stop for
        lack of progress.
    d_coef : float, default=1
        Factor of the estimate (:math:`c`). The authors tune the method by it.
    bias_correction : bool, default=True
        Whether to multiply :math:`\lambda_t` by
        :math:`\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)`, as Adam does. The authors'
        code, which is for networks, does not. Without it, the first steps are three
        times as long, and overshoot if the gradients are as steady as those of a
        linear model.
    weight_decay : float, default=0
        Decoupled weight decay, multiplied by :math:`\lambda_t`. Unlike the ``alpha``
        of the estimator, it is not part of the objective.

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
        d_0=1e-3,
        d_coef=1.0,
        bias_correction=True,
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
    """The moving averages of Adam, and those for the estimate of the distance."""

    beta_1: cython.double
    beta_2: cython.double
    epsilon: cython.double
    weight_decay: cython.double
    corrects: cython.bint
    correction: cython.double
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
        self.corrects = optimizer.bias_correction
        self.correction = 1.0
        self.m = self.array("m")
        self.v = self.array("v")
        self.s = self.array("s")
        self.d = self.array("d", 1)
        self.d[0] = optimizer.d_0
        self.numerator = self.array("numerator", 1)

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begin(self, lr: cython.double) -> cython.double:
        """The learning rate of this step."""
        if self.corrects:
            self.correction = sqrt(1 - pow(self.beta_2, self.t)) / (1 - pow(self.beta_1, self.t))
        return self.d[0] * lr * self.correction


@cython.final
@cython.cclass
class DAdaptAdamRule(AdaptedAdamRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        root: cython.double
        product: cython.double = 0
        size: cython.double = 0
        scaled: cython.double = self.begin(lr)
        keep: cython.double = sqrt(self.beta_2)
        for j in range(self.n):
            root = sqrt(self.v[j]) + self.epsilon
            if root > 0:
                product += g[j] * self.s[j] / root
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * scaled * g[j]
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * g[j] * g[j]
            self.s[j] = keep * self.s[j] + (1 - keep) * scaled * g[j]
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
    origin: cython.double[::1]

    def __init__(self, optimizer, n):
        AdaptedAdamRule.__init__(self, optimizer, n)
        self.d_0 = optimizer.d_0
        self.d_coef = optimizer.d_coef
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
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        whole: cython.double
        root: cython.double
        product: cython.double = 0
        size: cython.double = 0
        d: cython.double = self.d[0]
        scaled: cython.double = self.begin(lr)
        weight: cython.double = d / self.d_0 * scaled
        keep: cython.double = sqrt(self.beta_2)
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
