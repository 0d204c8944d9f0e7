# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers that find the size of their steps by themselves: the learning rate is one."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, fmax, sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule, cloned_int, cloned_void
    from cython.cimports.sk_gd.penalties.base import PenaltyKernel

    from .base import Optimizer
else:
    from math import fabs, sqrt

    from ..penalties.base import PenaltyKernel
    from .base import Optimizer, Rule, cloned_int, cloned_void

    fmax = max


@cython.cclass
class MeasuringRule(Rule):
    """A rule that sets the size of its steps by the gradients of the whole objective.

    A proximal step gives a subgradient of the penalty at the new weights: `pull`. At the
    minimum, gradient and pull cancel. A rule that measures the gradient alone would never
    come to rest.
    """

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.pull = self.array("pull")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        j: cython.Py_ssize_t
        Rule.proximal_step(self, w, penalty, lr)
        for j in range(self.n):
            # After a step of length zero the weights are where they were, and so is the pull.
            if self.steps[j] > 0:
                self.pull[j] = (self.stepped[j] - w[j]) / self.steps[j]
        return 0


class DoG(Optimizer):
    r"""Distance over gradients: step sizes from the distance travelled so far.

    .. math::
        \bar r_t &= \max(\bar r_{t-1}, \|w_{t-1} - w_0\|), \quad
        \bar r_1 = r_\epsilon (1 + \|w_0\|) \\
        w_t &= w_{t-1} - \eta_t \, \frac{\bar r_t}
               {\sqrt{\epsilon + \sum_{s \le t} \|g_s\|^2}} \, g_t

    There is nothing to tune: the distance grows until it is that of the minimiser.
    All coordinates have the same step size, so the method suits well-conditioned
    problems. If features need different step sizes, `Prodigy` and `COCOB` are faster.
    The steps do not shrink to zero by themselves. The authors call averaging crucial,
    and ``average="auto"`` is their average.

    Good for well-conditioned problems without a learning rate to choose.

    Parameters
    ----------
    r_epsilon : float, default=1e-3
        First estimate of the distance (:math:`r_\epsilon`), relative to one plus the
        norm of the initial weights. The authors' 1e-6 takes dozens of steps to grow to
        the size of standardised weights. Before that, training on a full batch would
        stop for lack of progress.
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

    default_rate = "own"
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
    r"""Distance over weighted gradients: `DoG` with a smaller weight on early gradients.

    .. math::
        \bar r_t &= \max(\bar r_{t-1}, \|w_{t-1} - w_0\|), \quad \bar r_1 = r_\epsilon \\
        v_t &= v_{t-1} + \bar r_t^2 \|g_t\|^2 \\
        w_t &= w_{t-1} - \eta_t \, \frac{\bar r_t^2}{\sqrt{v_t} + \epsilon} \, g_t

    Gradients from the time when the distance was underestimated hardly count, so the
    steps are longer than those of `DoG`. The method is faster on smooth problems and
    less stable in noise. As for `DoG`, ``average="auto"`` averages the iterates.

    Good for smooth, well-conditioned problems without a learning rate to choose.

    Parameters
    ----------
    r_epsilon : float, default=1e-2
        First estimate of the distance (:math:`r_\epsilon`). The authors use the root
        of their epsilon, which is the same number.
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
    """A rule that keeps the largest distance from the first weights, and a sum over gradients."""

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
    ) -> cloned_void:
        j: cython.Py_ssize_t
        rate: cython.double = self.rate(0, lr)
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
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
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
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        self.measure(w, self.r_epsilon)
        self.total[0] += self.distance[0] * self.distance[0] * self.squared(g)
        self.descend(w, g, lr)
        return 0


class COCOB(Optimizer):
    r"""Continuous coin betting: each coordinate bets its winnings on the next gradient.

    .. math::
        L_t &= \max(L_{t-1}, |g_t|), \quad A_t = A_{t-1} + |g_t|, \quad
        R_t = \max(R_{t-1} - g_t (w_{t-1} - w_0), 0) \\
        \theta_t &= \theta_{t-1} - g_t \\
        w_t &= w_{t-1} + \eta_t \left( w_0 + \frac{\theta_t (L_t + R_t)}
               {L_t \max(A_t + L_t, \alpha L_t)} - w_{t-1} \right)

    There is no learning rate, and none is estimated: with :math:`\eta = 1` the
    weights are the bet itself. The method is scale-free in each coordinate. The first
    step is :math:`1 / \alpha` in each coordinate. On mini-batches, the bets keep moving
    around the minimiser: for the last digits, use ``schedule="cosine"`` or
    ``average=True``. On the full batch, neither helps.

    Good for data whose coordinates differ in scale, without a learning rate to
    choose.

    Parameters
    ----------
    alpha : float, default=100
        Caution of the first bets (:math:`\alpha`). The bet of step t stakes at most the
        share :math:`t / \alpha` of the capital.
    epsilon : float, default=1e-8
        First estimate of the largest gradient (:math:`L_0`).

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

    default_rate = "own"

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
    # The bet that was placed: the weights without the first ones. These are not stored, since the
    # bet must stay when the weights move with the coordinates.
    bet: cython.double[::1]
    largest: cython.double[::1]
    total: cython.double[::1]
    reward: cython.double[::1]
    theta: cython.double[::1]

    def __init__(self, optimizer, n):
        MeasuringRule.__init__(self, optimizer, n)
        self.alpha = optimizer.alpha
        self.bet = self.array("bet")
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
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        whole: cython.double
        change: cython.double
        for j in range(self.n):
            whole = g[j] + self.pull[j]
            self.largest[j] = fmax(self.largest[j], fabs(whole))
            self.total[j] += fabs(whole)
            self.reward[j] = fmax(self.reward[j] - whole * self.bet[j], 0.0)
            self.theta[j] -= g[j]
            change = self.rate(j, lr) * self.theta[j] - lr * self.bet[j]
            self.bet[j] += change
            w[j] += change
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        j: cython.Py_ssize_t
        MeasuringRule.proximal_step(self, w, penalty, lr)
        # The bet loses what the penalty takes back.
        for j in range(self.n):
            self.theta[j] -= self.pull[j]
            self.bet[j] += w[j] - self.stepped[j]
        return 0
