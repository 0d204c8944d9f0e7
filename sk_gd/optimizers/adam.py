# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Adam, and optimizers that differ from it in one part of the step."""

import cython

from ..parameters import check_boolean, check_range

if cython.compiled:
    from cython.cimports.libc.math import pow, sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule, bias_correction, cloned_int, cloned_void

    from .base import Optimizer
else:
    from math import pow, sqrt

    from .base import Optimizer, Rule, bias_correction, cloned_int, cloned_void


class _AdamLike(Optimizer):
    """Parameters that the optimizers with two moving averages share."""

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def check(self):
        check_range(self, "beta_1", 0, 1)
        check_range(self, "beta_2", 0, 1)
        check_range(self, "epsilon", 0, float("inf"))


class Adam(_AdamLike):
    r"""Adam: momentum, with steps divided by the root of the mean squared gradient.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        w_t &= w_{t-1} - \eta_t \, \hat m_t / (\sqrt{\hat v_t} + \epsilon), \quad
        \hat m_t = m_t / (1 - \beta_1^t), \; \hat v_t = v_t / (1 - \beta_2^t)

    On mini-batches at a constant learning rate, Adam does not converge: the weights
    keep moving in a ball around the minimiser. Use a schedule, ``average=True`` or
    `ScheduleFreeAdamW`.

    Good for mini-batches of nearly any data.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    epsilon_in_sqrt : bool, default=False
        Whether to divide by :math:`\sqrt{\hat v_t + \epsilon}` instead.

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
        super().__init__(beta_1, beta_2, epsilon)
        self.epsilon_in_sqrt = epsilon_in_sqrt

    def check(self):
        super().check()
        check_boolean(self, "epsilon_in_sqrt")

    def rule(self, n):
        return AdamRule(self, n)


@cython.cclass
class AdamRule(Rule):
    """Adam's step, in three parts, of which its variants replace one."""

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.beta_2 = optimizer.beta_2
        self.inside, self.outside = epsilons(optimizer)
        # Factors, since a division takes as long as all the rest for a weight.
        self.correction_1 = self.correction_2 = 0.0
        self.m = self.array("m")
        self.v = self.array("v")
        self.divisor = self.v

    def correct(self):
        """Bias corrections."""
        self.correction_1 = bias_correction(self.correction_1, self.beta_1, self.t)
        self.correction_2 = bias_correction(self.correction_2, self.beta_2, self.t)

    def remember(self, g):
        """Update the moving averages."""
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.m[j] = self.beta_1 * self.m[j] + (1 - self.beta_1) * g[j]
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * g[j] * g[j]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.divisor[j] * self.correction_2 + self.inside) + self.outside
        return lr / root if root > 0 else 0.0

    def descend(self, w, lr):
        """Take the step."""
        j: cython.Py_ssize_t
        for j in range(self.n):
            w[j] -= AdamRule.rate(self, j, lr) * (self.m[j] * self.correction_1)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        self.correct()
        self.remember(g)
        self.descend(w, lr)
        return 0


class AMSGrad(_AdamLike):
    r"""Adam that forgets no large gradient: steps are divided by the largest mean square so far.

    .. math::
        \bar v_t &= \max(\bar v_{t-1}, v_t) \\
        w_t &= w_{t-1} - \eta_t \, \hat m_t / (\sqrt{\bar v_t / (1 - \beta_2^t)} + \epsilon)

    with the moving averages of `Adam`. As in torch, the largest :math:`v` is taken
    before the bias correction. The paper has no bias correction.

    AMSGrad converges in cases in which Adam does not, because Adam forgets rare, large
    gradients too early. But a single outlier shortens all later steps of a coordinate:
    with heavy tails, Adam is faster.

    Good for mini-batches in which large gradients are rare and matter.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.

    References
    ----------
    Reddi, S. J., Kale, S. & Kumar, S. (2018). On the convergence of Adam and
    beyond. ICLR. arXiv:1904.09237

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("amsgrad", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 0.03

    def rule(self, n):
        return AMSGradRule(self, n)


@cython.final
@cython.cclass
class AMSGradRule(AdamRule):
    def __init__(self, optimizer, n):
        AdamRule.__init__(self, optimizer, n)
        self.divisor = self.array("largest")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def remember(self, g: cython.double[::1]) -> cloned_void:
        j: cython.Py_ssize_t
        AdamRule.remember(self, g)
        for j in range(self.n):
            # Not fmax, which would be a function call.
            self.divisor[j] = self.v[j] if self.v[j] > self.divisor[j] else self.divisor[j]


class NAdam(_AdamLike):
    r"""Adam with Nesterov's momentum, which looks ahead.

    .. math::
        \mu_t &= \beta_1 (1 - \tfrac12 \, 0.96^{t \psi}), \quad
        P_t = \textstyle\prod_{s \le t} \mu_s \\
        w_t &= w_{t-1} - \frac{\eta_t}{\sqrt{\hat v_t} + \epsilon}
               \left[ \frac{\mu_{t+1} m_t}{1 - P_t \mu_{t+1}}
               + \frac{(1 - \mu_t) g_t}{1 - P_t} \right]

    with the moving averages of `Adam`. This is the form of torch; Keras uses
    :math:`\psi = 1`. NAdam reacts to a gradient one step sooner than Adam. On large
    batches this helps at a learning rate that is larger than "auto". On small ones it
    adds noise: use a schedule or ``average=True`` there.

    Good for large batches on which Adam works but reacts late.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    momentum_decay : float, default=0.004
        How fast the momentum rises from half of `beta_1` to `beta_1`
        (:math:`\psi`).

    References
    ----------
    Dozat, T. (2016). Incorporating Nesterov momentum into Adam. ICLR workshop.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("nadam", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 0.03

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, momentum_decay=0.004):
        super().__init__(beta_1, beta_2, epsilon)
        self.momentum_decay = momentum_decay

    def check(self):
        super().check()
        check_range(self, "momentum_decay", 0, float("inf"))

    def rule(self, n):
        return NAdamRule(self, n)


@cython.final
@cython.cclass
class NAdamRule(AdamRule):
    momentum_decay: cython.double
    product: cython.double[::1]

    def __init__(self, optimizer, n):
        AdamRule.__init__(self, optimizer, n)
        self.momentum_decay = optimizer.momentum_decay
        self.product = self.array("product", 1)
        self.product[0] = 1.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def momentum(self, t: cython.double) -> cython.double:
        return self.beta_1 * (1 - 0.5 * pow(0.96, t * self.momentum_decay))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        now: cython.double = self.momentum(self.t)
        ahead: cython.double = self.momentum(self.t + 1)
        self.product[0] *= now
        of_m: cython.double = ahead / (1 - self.product[0] * ahead)
        of_g: cython.double = (1 - now) / (1 - self.product[0])
        self.correct()
        self.remember(g)
        for j in range(self.n):
            w[j] -= AdamRule.rate(self, j, lr) * (of_m * self.m[j] + of_g * g[j])
        return 0


class RAdam(_AdamLike):
    r"""Adam with a built-in warm-up: the steps grow as the mean square becomes reliable.

    .. math::
        \rho_\infty &= 2 / (1 - \beta_2) - 1, \quad
        \rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t) \\
        r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \, \rho_\infty}
               {(\rho_\infty - 4)(\rho_\infty - 2) \, \rho_t}} \\
        w_t &= w_{t-1} - \eta_t r_t \, \hat m_t
               \frac{\sqrt{1 - \beta_2^t}}{\sqrt{v_t} + \epsilon}
               \quad \text{if } \rho_t > 5, \text{ else } w_{t-1} - \eta_t \hat m_t

    with the moving averages of `Adam`, in the form of torch. The first steps (five
    with the default `beta_2`) are plain momentum, whose length depends on the unit of
    the gradient. Therefore keep ``precondition`` on, or use `Adam` with a warm-up
    schedule.

    Good for training in which Adam needs a warm-up, in standardised or whitened
    coordinates.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root, before its bias correction.

    References
    ----------
    Liu, L. et al. (2020). On the variance of the adaptive learning rate and
    beyond. ICLR. arXiv:1908.03265

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("radam", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = 0.05

    def rule(self, n):
        return RAdamRule(self, n)


@cython.cclass
class RAdamRule(AdamRule):
    def __init__(self, optimizer, n):
        AdamRule.__init__(self, optimizer, n)
        self.epsilon = optimizer.epsilon
        self.rectification = 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def correct(self) -> cython.void:
        longest: cython.double = 2 / (1 - self.beta_2) - 1
        AdamRule.correct(self)
        length: cython.double = longest - 2 * self.t * (self.correction_2 - 1)
        self.outside = self.epsilon * sqrt(self.correction_2)
        self.rectification = 0.0
        if length > 5:
            self.rectification = sqrt(
                (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        if self.rectification > 0:
            return AdamRule.rate(self, j, lr * self.rectification)
        return lr

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def descend(self, w: cython.double[::1], lr: cython.double) -> cloned_void:
        j: cython.Py_ssize_t
        if self.rectification > 0:
            AdamRule.descend(self, w, lr * self.rectification)
        else:
            for j in range(self.n):
                w[j] -= lr * (self.m[j] * self.correction_1)


class AdamW(_AdamLike):
    r"""Adam with decoupled weight decay.

    .. math::
        w_{t-1}' &= (1 - \eta_t \lambda) \, w_{t-1} \\
        w_t &= w_{t-1}' - \eta_t \, \hat m_t / (\sqrt{\hat v_t} + \epsilon)

    with the moving averages of `Adam`. The decay is not part of the objective. It
    pulls each weight, including the intercept, towards zero in the coordinates of
    ``precondition``. Therefore the minimiser is not that of the objective with
    ``alpha`` alone.

    Good for reproducing recipes that regularise by weight decay. For a ridge penalty
    that is part of the objective, use ``alpha``.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of the moving averages of the gradient and of its square: the
        share of the average that each step keeps.
    epsilon : float, default=1e-8
        Added to the root.
    weight_decay : float, default=0.01
        Strength of the decay (:math:`\lambda`). It is multiplied by the learning
        rate, as in torch.

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
        super().__init__(beta_1, beta_2, epsilon)
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
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            w[j] *= 1 - lr * self.weight_decay
        return AdamRule.step(self, w, g, lr)


def epsilons(optimizer):
    """The numbers that are added inside and outside the root."""
    inside = getattr(optimizer, "epsilon_in_sqrt", False)
    return (optimizer.epsilon, 0.0) if inside else (0.0, optimizer.epsilon)
