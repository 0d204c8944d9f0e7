# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers that wrap another one and clip its gradients."""

import cython
import numpy as np

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, fmax, isinf, sqrt
    from cython.cimports.sk_gd.objectives.base import Objective
    from cython.cimports.sk_gd.optimizers.base import Rule

    from .base import Optimizer
else:
    from math import fabs, isinf, sqrt

    from ..objectives.base import Objective
    from .base import Optimizer, Rule

    fmax = max


def _of_inner(name):
    """An attribute that has the value of the inner optimizer."""
    return property(lambda self: getattr(self.inner(), name))


class _Clip(Optimizer):
    """Base of both: everything but the gradient is as in the inner optimizer."""

    default_rate = _of_inner("default_rate")
    noise_gain = _of_inner("noise_gain")
    default_average = _of_inner("default_average")
    full_batch = _of_inner("full_batch")
    smooth_only = _of_inner("smooth_only")

    def inner(self):
        """The inner optimizer, as an instance."""
        if isinstance(self.optimizer, Optimizer):
            return self.optimizer
        return self._get(self.optimizer)

    def check(self):
        self.inner().check()


class ClipNorm(_Clip):
    r"""Another optimizer, with gradients of bounded norm.

    .. math:: g_t \leftarrow g_t \, \min(1, \; c / \|g_t\|)

    The direction of the gradient is kept. The norm is taken over all weights of the
    model, of all outputs or classes together. Optimizers such as `Adam` divide by the
    size of the gradient anyway; for them, clipping matters only for gradients that stand
    out. PyTorch divides by :math:`\|g_t\| + 10^{-6}`, so that its clipped gradients are a
    little shorter. If it clips many mini-batches, the mean of the clipped gradients is no longer
    the gradient of the objective.

    Good for rare rows, or first steps, that would throw the weights far away, as with
    heavy-tailed targets, a log link, or losses with exponentials.

    Parameters
    ----------
    optimizer : str or Optimizer
        The optimizer that is given the clipped gradients.
    max_norm : float, default=1.0
        Largest norm of a gradient (:math:`c`), in the coordinates of ``precondition``.

    References
    ----------
    Pascanu, R., Mikolov, T. & Bengio, Y. (2013). On the difficulty of training
    recurrent neural networks. ICML. arXiv:1211.5063

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import ClipNorm, Nesterov
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(ClipNorm(Nesterov(0.5), max_norm=0.1), alpha=0, tol=None)
    >>> round(float(model.fit(X, y).predict([[6.0]])[0]), 6)
    13.0
    """

    def __init__(self, optimizer, max_norm=1.0):
        self.optimizer = optimizer
        self.max_norm = max_norm

    def check(self):
        check_range(self, "max_norm", 0, float("inf"), closed="neither")
        super().check()

    def rule(self, n):
        return NormClippedRule(self, n, self.max_norm)


class ClipValue(_Clip):
    r"""Another optimizer, with gradients of bounded entries.

    .. math:: g_{t,j} \leftarrow \max(-c, \; \min(c, \; g_{t,j}))

    Unlike `ClipNorm`, it changes the direction of the gradient, but only the
    coordinates that stand out.

    Good for features with heavy tails.

    Parameters
    ----------
    optimizer : str or Optimizer
        The optimizer that is given the clipped gradients.
    max_value : float, default=1.0
        Largest absolute entry of a gradient (:math:`c`), in the coordinates of
        ``precondition``.

    References
    ----------
    Mikolov, T. (2012). Statistical language models based on neural networks.
    PhD thesis, Brno University of Technology.

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import ClipValue
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(ClipValue("sgd", max_value=0.1), alpha=0, tol=None)
    >>> round(float(model.fit(X, y).predict([[6.0]])[0]), 6)
    13.0
    """

    def __init__(self, optimizer, max_value=1.0):
        self.optimizer = optimizer
        self.max_value = max_value

    def check(self):
        check_range(self, "max_value", 0, float("inf"), closed="neither")
        super().check()

    def rule(self, n):
        return ValueClippedRule(self, n, self.max_value)


@cython.cclass
class WrappedRule(Rule):
    """A rule that passes every call on to another rule."""

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.inner = optimizer.inner().rule(n)
        self.local = self.inner.local
        self.arrays = self.inner.arrays
        self.positions = self.inner.positions

    def start(self, w):
        self.inner.start(w)

    def begin_after(self, steps):
        self.inner.begin_after(steps)

    def rescale_slopes(self, factor):
        self.inner.rescale_slopes(factor)

    def seed(self, seed):
        self.inner.seed(seed)

    def only_measures(self):
        return self.inner.only_measures()

    def memory(self):
        return self.inner.memory()

    def restore(self, t, memory):
        self.t = t
        self.inner.restore(t, memory)

    def swings(self):
        return self.inner.swings()

    def at_zero(self, w, penalty):
        return self.inner.at_zero(w, penalty)

    def probe(self, w, point):
        return self.inner.probe(w, point)

    def needs_gradient(self):
        return self.inner.needs_gradient()

    def advance(self, w, objective, lr):
        self.inner.t = self.t
        return self.inner.advance(w, objective, lr)

    def step(self, w, g, lr):
        self.inner.t = self.t
        return self.inner.step(w, g, lr)

    def step_at(self, w, g, lr, where, count):
        self.inner.t = self.t
        return self.inner.step_at(w, g, lr, where, count)

    def rate(self, j, lr):
        return self.inner.rate(j, lr)

    def proximal_step(self, w, penalty, lr):
        return self.inner.proximal_step(w, penalty, lr)

    def report(self, w, out):
        self.inner.report(w, out)


@cython.cclass
class ClippedRule(WrappedRule):
    """A rule that is given clipped gradients; a subclass writes `clip`."""

    def __init__(self, optimizer, n, most):
        WrappedRule.__init__(self, optimizer, n)
        self.most = most
        self.touched = np.empty(n if self.local else 0)
        self.view = ClippedObjective(self)

    def clip(self, g, n):
        """Clip the first `n` entries of a gradient, in place."""

    def advance(self, w, objective, lr):
        if self.view.whole is not objective:
            with cython.gil:
                self.view.whole = objective
        self.view.g = objective.g
        if self.needs_gradient():
            self.clip(objective.g, self.n)
        return WrappedRule.advance(self, w, self.view, lr)

    def step(self, w, g, lr):
        self.clip(g, self.n)
        return WrappedRule.step(self, w, g, lr)

    def step_at(self, w, g, lr, where, count):
        k: cython.Py_ssize_t
        for k in range(count):
            self.touched[k] = g[where[k]]
        self.clip(self.touched, count)
        for k in range(count):
            g[where[k]] = self.touched[k]
        return WrappedRule.step_at(self, w, g, lr, where, count)


@cython.final
@cython.cclass
class NormClippedRule(ClippedRule):
    def clip(self, g, n):
        j: cython.Py_ssize_t
        largest: cython.double = 0
        norm: cython.double = length(g, n)
        if isinf(norm):
            for j in range(n):
                largest = fmax(largest, fabs(g[j]))
            if not isinf(largest):
                # The squares are infinite; the squares of the ratios are not.
                for j in range(n):
                    g[j] /= largest
                norm = length(g, n)
        if largest > 0 or norm > self.most:
            for j in range(n):
                g[j] *= self.most / norm


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def length(g: cython.double[::1], n: cython.Py_ssize_t) -> cython.double:
    """The norm of the first `n` entries."""
    j: cython.Py_ssize_t
    square: cython.double = 0
    for j in range(n):
        square += g[j] * g[j]
    return sqrt(square)


@cython.final
@cython.cclass
class ValueClippedRule(ClippedRule):
    def clip(self, g, n):
        j: cython.Py_ssize_t
        for j in range(n):
            if fabs(g[j]) > self.most:
                g[j] = self.most if g[j] > 0 else -self.most


@cython.final
@cython.cclass
class ClippedObjective(Objective):
    """An objective whose gradients are clipped before the inner rule sees them."""

    def __init__(self, rule):
        self.whole = None
        self.rule = rule

    def here(self):
        return self.whole.here()

    def value(self, w):
        return self.whole.value(w)

    def gradient(self, w, out):
        value: cython.double = self.whole.gradient(w, out)
        self.rule.clip(out, self.rule.n)
        return value

    def full_gradient(self, w, out):
        value: cython.double = self.whole.full_gradient(w, out)
        self.rule.clip(out, self.rule.n)
        return value

    def prox(self, w, step):
        return self.whole.prox(w, step)

    def steps(self):
        return self.whole.steps()

    def begins_epoch(self):
        return self.whole.begins_epoch()

    def begins_data(self):
        return self.whole.begins_data()
