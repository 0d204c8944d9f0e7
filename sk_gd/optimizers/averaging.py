# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers that average their iterates and predict with the average."""

import cython
import numpy as np

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fmax, pow, sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule, bias_correction, cloned_int
    from cython.cimports.sk_gd.penalties.base import PenaltyKernel

    from .base import Optimizer
else:
    from math import pow, sqrt

    from ..penalties.base import PenaltyKernel
    from .base import Optimizer, Rule, bias_correction, cloned_int

    fmax = max


class _ScheduleFree(Optimizer):
    """Checks that the schedule-free optimizers share."""

    def check(self):
        check_range(self, "beta_1", 0, 1)
        check_range(self, "weight_decay", 0, float("inf"))
        check_range(self, "r", 0, float("inf"))


class ScheduleFreeSGD(_ScheduleFree):
    r"""Gradient descent without a schedule: the model is an average that is good at any moment.

    .. math::
        y_t &= (1 - \beta_1) z_{t-1} + \beta_1 x_{t-1}, \quad g_t = \nabla f(y_t) \\
        z_t &= z_{t-1} - \eta_t \, (g_t + \lambda y_t) \\
        x_t &= (1 - c_t) x_{t-1} + c_t z_t, \quad
        c_t = \frac{h_t^2 \, t^r}{\sum_{s \le t} h_s^2 \, s^r}, \quad
        h_t = \max_{s \le t} \eta_s

    The gradient is taken at y, the steps move z, and the model is x. This average
    reduces the noise of mini-batches without a schedule or a horizon. Use it if plain
    descent works except for its noise. On ill-conditioned data, `ScheduleFreeAdamW` is
    much faster. On the full batch there is no noise to average, and `Nesterov` is
    faster.

    Good for mini-batches of well-conditioned data, and for streams.

    Parameters
    ----------
    beta_1 : float in [0, 1), default=0.9
        Where the gradient is taken, on the way from z (0) to the average x (1): the
        authors' ``momentum``. With 0, the model is the plain mean of the iterates.
    weight_decay : float, default=0
        Weight decay at y (:math:`\lambda`). Unlike the ``alpha`` of the estimator, it
        is not part of the objective.
    r : float, default=0
        Exponent of the step number in the weights of the average. A larger value
        forgets the beginning faster.

    References
    ----------
    Defazio, A. et al. (2024). The road less scheduled. NeurIPS.
    arXiv:2405.15682

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("schedule_free_sgd", max_iter=20, tol=None, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.97)
    True
    """

    def __init__(self, beta_1=0.9, weight_decay=0.0, r=0.0):
        self.beta_1 = beta_1
        self.weight_decay = weight_decay
        self.r = r

    def rule(self, n):
        return ScheduleFreeSGDRule(self, n)


class ScheduleFreeAdamW(_ScheduleFree):
    r"""Adam without a schedule: the model is an average that is good at any moment.

    .. math::
        y_t &= (1 - \beta_1) z_{t-1} + \beta_1 x_{t-1}, \quad g_t = \nabla f(y_t) \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        z_t &= z_{t-1} - \eta_t \left[ g_t / (\sqrt{v_t / (1 - \beta_2^t)} + \epsilon)
               + \lambda y_t \right] \\
        x_t &= (1 - c_t) x_{t-1} + c_t z_t, \quad
        c_t = \frac{h_t^2 \, t^r}{\sum_{s \le t} h_s^2 \, s^r}, \quad
        h_t = \max_{s \le t} \eta_s

    The gradient is taken at y, the steps move z, and the model is x. The horizon need
    not be known in advance: the model is good whenever training stops early, after
    each call of ``partial_fit``, and at each ``max_iter`` of a grid. The method allows
    larger learning rates than Adam.

    Good for the first try on any data, and whenever the number of epochs is not known
    in advance. With other settings it is the default of the estimators on
    mini-batches.

    Parameters
    ----------
    beta_1 : float in [0, 1), default=0.9
        Where the gradient is taken, on the way from z (0) to the average x (1). A
        larger value is less noisy. The authors recommend up to 0.98 for long runs.
    beta_2 : float in [0, 1), default=0.999
        Share of the moving average of squared gradients that each step keeps.
        Features with heavy tails need a smaller value.
    epsilon : float, default=1e-8
        Added to the root.
    weight_decay : float, default=0
        Decoupled weight decay, at y (:math:`\lambda`). Unlike the ``alpha`` of the
        estimator, it is not part of the objective.
    r : float, default=0
        Exponent of the step number in the weights of the average. A larger value
        forgets the beginning faster.

    References
    ----------
    Defazio, A. et al. (2024). The road less scheduled. NeurIPS.
    arXiv:2405.15682

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("schedule_free_adamw", max_iter=20, tol=None, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.97)
    True
    """

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.0, r=0.0):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.r = r

    @property
    def default_rate(self):
        # The gradient point has a share of 1 - beta_1 of the noise of z. The smaller this
        # share is, the longer the steps may be.
        return 0.15 / sqrt(1 - self.beta_1)

    def check(self):
        super().check()
        check_range(self, "beta_2", 0, 1)
        check_range(self, "epsilon", 0, float("inf"))

    def rule(self, n):
        return ScheduleFreeAdamWRule(self, n)


@cython.cclass
class ScheduleFreeRule(Rule):
    """Three points: the steps change `w` (z), the model is `x`, the gradient is taken between."""

    beta_1: cython.double
    weight_decay: cython.double
    r: cython.double
    share: cython.double
    x: cython.double[::1]
    held: cython.double[::1]
    all_steps: cython.double[::1]
    largest_lr: cython.double[::1]
    total: cython.double[::1]
    earlier: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.weight_decay = optimizer.weight_decay
        self.r = optimizer.r
        self.share = 0.0
        self.x = self.array("x", position=True)
        # What the penalty took from the sum of all steps, and the sum of their sizes.
        self.held = self.array("held")
        self.all_steps = self.array("all_steps")
        self.largest_lr = self.array("largest_lr", 1)
        self.total = self.array("total", 1)
        self.earlier = self.array("earlier", 1)

    def begin_after(self, steps):
        # The average already has so many points: the first noisy steps must not replace it.
        self.earlier[0] = steps

    def rescale_slopes(self, factor):
        # As if they had always been so: one proximal step makes up for all steps so far.
        self.arrays["held"] *= factor

    def at_zero(self, w, penalty: PenaltyKernel):
        # Noise moves iterates to zero, too. The average is held there if a step of size one, with
        # the mean of all gradients (what the penalty took is their sum), and the proximal step
        # after it end at zero. Multiplied by the sizes of all steps, which then may be zero:
        point = np.asarray(self.x) * np.asarray(self.all_steps) + np.asarray(self.held)
        penalty.prox(point, self.all_steps)
        return (np.asarray(w) == 0) & (point == 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def probe(self, w: cython.double[::1], point: cython.double[::1]) -> cython.bint:
        j: cython.Py_ssize_t
        for j in range(self.n):
            point[j] = self.between(w[j], j)
        return True

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def between(self, z: cython.double, j: cython.Py_ssize_t) -> cython.double:
        """The point y, at which the gradient is taken."""
        return (1 - self.beta_1) * z + self.beta_1 * self.x[j]

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def weigh(self, lr: cython.double) -> cython.void:
        """Compute the share of this step in the average."""
        weight: cython.double
        self.largest_lr[0] = fmax(self.largest_lr[0], lr)
        weight = self.largest_lr[0] * self.largest_lr[0] * pow(self.t, self.r)
        if self.total[0] == 0:
            self.total[0] = self.earlier[0] * weight
        self.total[0] += weight
        self.share = weight / self.total[0] if self.total[0] > 0 else 0.0

    @cython.final
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def follow(self, z: cython.double, j: cython.Py_ssize_t) -> cython.void:
        """Add the new z to the average."""
        self.x[j] = (1 - self.share) * self.x[j] + self.share * z

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        j: cython.Py_ssize_t
        self.keep_stepped(w)
        # Dual averaging: one proximal step for all steps so far. After noisy steps, proximal
        # steps one by one would bias their average.
        for j in range(self.n):
            self.all_steps[j] += self.rate(j, lr)
            w[j] += self.held[j]
        penalty.prox(w, self.all_steps)
        for j in range(self.n):
            self.held[j] += self.stepped[j] - w[j]
            self.x[j] += self.share * (w[j] - self.stepped[j])
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def report(self, w: cython.double[::1], out: cython.double[::1]) -> cython.void:
        j: cython.Py_ssize_t
        for j in range(self.n):
            out[j] = self.x[j]


@cython.final
@cython.cclass
class ScheduleFreeSGDRule(ScheduleFreeRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        self.weigh(lr)
        for j in range(self.n):
            w[j] -= lr * (g[j] + self.weight_decay * self.between(w[j], j))
            self.follow(w[j], j)
        return 0


@cython.final
@cython.cclass
class ScheduleFreeAdamWRule(ScheduleFreeRule):
    beta_2: cython.double
    epsilon: cython.double
    correction: cython.double
    v: cython.double[::1]

    def __init__(self, optimizer, n):
        ScheduleFreeRule.__init__(self, optimizer, n)
        self.beta_2 = optimizer.beta_2
        self.epsilon = optimizer.epsilon
        self.correction = 0.0
        self.v = self.array("v")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        root: cython.double = sqrt(self.v[j] * self.correction) + self.epsilon
        return lr / root if root > 0 else 0.0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        y: cython.double
        self.correction = bias_correction(self.correction, self.beta_2, self.t)
        self.weigh(lr)
        for j in range(self.n):
            y = self.between(w[j], j)
            self.v[j] = self.beta_2 * self.v[j] + (1 - self.beta_2) * g[j] * g[j]
            w[j] -= self.rate(j, lr) * g[j] + lr * self.weight_decay * y
            self.follow(w[j], j)
        return 0
