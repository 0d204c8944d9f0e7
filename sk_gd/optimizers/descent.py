# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Gradient descent, with and without momentum."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.sk_gd.optimizers.base import Rule, cloned_int
    from cython.cimports.sk_gd.penalties.base import PenaltyKernel

    from .base import Optimizer
else:
    from ..penalties.base import PenaltyKernel
    from .base import Optimizer, Rule, cloned_int


class SGD(Optimizer):
    r"""Gradient descent: batch, mini-batch or stochastic, depending on ``batch_size``.

    .. math:: w_t = w_{t-1} - \eta_t \, g_t

    ``learning_rate="auto"`` is one over the expected-smoothness constant for the
    batch size. With it, the full batch descends at every step. At a constant
    learning rate, mini-batches do not converge: the weights keep moving in a ball
    around the minimiser. Use a schedule or iterate averaging (``average=True``).

    Good for the full batch of well-conditioned data, for teaching, and, with
    averaging or a schedule, for streams and very sparse data.

    References
    ----------
    Robbins, H. & Monro, S. (1951). A stochastic approximation method.
    Annals of Mathematical Statistics 22(3). doi:10.1214/aoms/1177729586

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor("sgd", alpha=0, tol=None).fit(X, y)
    >>> round(float(model.predict([[6.0]])[0]), 6)
    13.0
    """

    def rule(self, n):
        return SGDRule(self, n)


@cython.final
@cython.cclass
class SGDRule(Rule):
    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.local = True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def step_along(
        self, w: cython.double[::1], j: cython.Py_ssize_t, g: cython.double, lr: cython.double
    ) -> cython.void:
        w[j] -= lr * g

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
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr


class _WithMomentum(Optimizer):
    def __init__(self, momentum=0.9):
        self.momentum = momentum

    @property
    def noise_gain(self):
        # In all, a gradient moves the weights by 1 + momentum + momentum² + … steps. With twice
        # that number the noise leaves half the gap on the worst data sets.
        return 2 / (1 - self.momentum)

    def check(self):
        check_range(self, "momentum", 0, 1)


class Momentum(_WithMomentum):
    r"""Gradient descent with momentum: like a ball that rolls with friction.

    .. math::
        v_t &= \mu v_{t-1} + \eta_t \, g_t \\
        w_t &= w_{t-1} - v_t

    The learning rate is part of the velocity, as in the paper of Sutskever et al.
    torch multiplies the velocity by the learning rate instead. As long as the
    learning rate is constant, both are the same.

    Good for smooth problems on which plain descent is slow, in the form of most
    textbooks.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Share of the velocity that each step keeps (:math:`\mu`).

    References
    ----------
    Sutskever, I., Martens, J., Dahl, G. & Hinton, G. (2013). On the importance
    of initialization and momentum in deep learning. ICML.

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import Momentum
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(Momentum(0.5), alpha=0, tol=None).fit(X, y)
    >>> round(float(model.predict([[6.0]])[0]), 6)
    13.0
    """

    def rule(self, n):
        return MomentumRule(self, n)


@cython.cclass
class MomentumRule(Rule):
    momentum: cython.double
    v: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.momentum = optimizer.momentum
        self.v = self.array("v")

    def swings(self):
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.v[j] = self.momentum * self.v[j] + lr * g[j]
            w[j] -= self.v[j]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        j: cython.Py_ssize_t
        Rule.proximal_step(self, w, penalty, lr)
        # The velocity is the way that the weights really went. Otherwise it would not come
        # to rest at the minimiser of the penalised objective.
        for j in range(self.n):
            self.v[j] -= w[j] - self.stepped[j]
        return 0


class HeavyBall(_WithMomentum):
    r"""Polyak's heavy ball: a gradient step plus a share of the previous step.

    .. math:: w_t = w_{t-1} - \eta_t \, g_t + \beta (w_{t-1} - w_{t-2})

    The iterates are those of `Momentum`, with any schedule. `Momentum` keeps the
    velocity instead of the previous point. At a large momentum, `Nesterov` is safer.

    Good for smooth problems with the full batch. On mini-batches, momentum amplifies
    the noise.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Share of the previous step (:math:`\beta`).

    References
    ----------
    Polyak, B. T. (1964). Some methods of speeding up the convergence of
    iteration methods. USSR Computational Mathematics and Mathematical Physics
    4(5). doi:10.1016/0041-5553(64)90137-5

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import HeavyBall
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(HeavyBall(0.5), alpha=0, tol=None).fit(X, y)
    >>> round(float(model.predict([[6.0]])[0]), 6)
    13.0
    """

    def rule(self, n):
        return HeavyBallRule(self, n)


@cython.final
@cython.cclass
class HeavyBallRule(Rule):
    momentum: cython.double
    previous: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.momentum = optimizer.momentum
        self.previous = self.array("previous", position=True)

    def swings(self):
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        here: cython.double
        for j in range(self.n):
            here = w[j]
            w[j] += self.momentum * (here - self.previous[j]) - lr * g[j]
            self.previous[j] = here
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr


class Nesterov(_WithMomentum):
    r"""Nesterov's accelerated gradient: momentum with a gradient that looks ahead.

    .. math::
        g_t &= \nabla f(w_{t-1} - \mu v_{t-1}) \\
        v_t &= \mu v_{t-1} + \eta_t \, g_t \\
        w_t &= w_{t-1} - v_t

    The gradient is taken at the point to which the velocity is about to carry the
    weights. torch and Keras change the variables, so that the gradient is taken at
    the weights themselves: their weights are :math:`\theta = w - \mu v`.

    Good for smooth problems with the full batch or large batches. It is the safest
    momentum method if the momentum is large.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Share of the velocity that each step keeps (:math:`\mu`).

    References
    ----------
    Nesterov, Y. (1983). A method for solving the convex programming problem
    with convergence rate O(1/k²). Soviet Mathematics Doklady 27.

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import Nesterov
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(Nesterov(0.5), alpha=0, tol=None).fit(X, y)
    >>> round(float(model.predict([[6.0]])[0]), 6)
    13.0
    """

    def rule(self, n):
        return NesterovRule(self, n)


@cython.final
@cython.cclass
class NesterovRule(MomentumRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def probe(self, w: cython.double[::1], point: cython.double[::1]) -> cython.bint:
        j: cython.Py_ssize_t
        for j in range(self.n):
            point[j] = w[j] - self.momentum * self.v[j]
        return True
