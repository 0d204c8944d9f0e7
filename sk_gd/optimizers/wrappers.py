# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Optimizers around another: clipped gradients."""

import cython
import numpy as np

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, fmax, isinf, sqrt
    from cython.cimports.sk_gd.objectives.base import Objective
    from cython.cimports.sk_gd.optimizers.base import LocalRule, Rule
    from cython.cimports.sk_gd.penalties.base import PenaltyKernel

    from .base import Optimizer
else:
    from math import fabs, isinf, sqrt

    from ..objectives.base import Objective
    from ..penalties.base import PenaltyKernel
    from .base import LocalRule, Optimizer, Rule

    fmax = max


def _of_inner(name):
    """An attribute that is that of the optimizer within."""
    return property(lambda self: getattr(self.inner(), name))


class _Clip(Optimizer):
    """What both have in common: in all but the gradient they are the optimizer within."""

    def inner(self):
        """The optimizer within, as an instance."""
        if isinstance(self.optimizer, Optimizer):
            return self.optimizer
        # The names are known where all classes are, this one among them.
        from . import get

        return get(self.optimizer)

    default_rate = _of_inner("default_rate")
    noise_gain = _of_inner("noise_gain")
    parameter_free = _of_inner("parameter_free")
    default_average = _of_inner("default_average")
    full_batch = _of_inner("full_batch")
    default_full_batch = _of_inner("default_full_batch")
    smooth_only = _of_inner("smooth_only")

    def check(self):
        self.inner().check()

    def rule(self, n):
        rule = self.inner().rule(n)
        if isinstance(rule, LocalRule):
            return ClippedLocalRule(self, n, rule)
        return ClippedRule(self, n, rule)


class ClipNorm(_Clip):
    r"""Another optimizer, on gradients of bounded length.

    .. math:: g_t \leftarrow g_t \, \min(1, \; c / \|g_t\|)

    The direction is kept. The norm is that of all the weights of the model, of
    all outputs or classes together. It has no effect on rules that divide by
    the size of the gradient anyway, such as `Adam`, but for the gradients that
    stand out; and where it keeps cutting mini-batches, their mean is no longer
    the gradient of the objective.

    Good for rare rows, or a start, that would throw the weights far away:
    heavy-tailed targets, a log link, losses with exponentials.

    Parameters
    ----------
    optimizer : str or Optimizer
        What the clipped gradient is given to.
    max_norm : float, default=1.0
        The longest gradient let through (:math:`c`), in the coordinates of
        ``precondition``.

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

    def clipper(self, n):
        """What clips the gradients of one run."""
        return NormClipper(self.max_norm, n)


class ClipValue(_Clip):
    r"""Another optimizer, on gradients with bounded entries.

    .. math:: g_{t,j} \leftarrow \max(-c, \; \min(c, \; g_{t,j}))

    Changes the direction, unlike `ClipNorm`, but only the coordinates that
    stand out.

    Good for features with heavy tails.

    Parameters
    ----------
    optimizer : str or Optimizer
        What the clipped gradient is given to.
    max_value : float, default=1.0
        The largest entry let through (:math:`c`), in the coordinates of
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

    def clipper(self, n):
        """What clips the gradients of one run."""
        return ValueClipper(self.max_value, n)


@cython.cclass
class Clipper:
    """Clips a gradient in place, the whole of it or the entries that a batch touched."""

    most: cython.double
    touched: cython.double[::1]

    def __init__(self, most, n):
        self.most = most
        self.touched = np.empty(n)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def clip(self, g: cython.double[::1], n: cython.Py_ssize_t) -> cython.void:
        pass

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def clip_at(
        self, g: cython.double[::1], where: cython.Py_ssize_t[::1], count: cython.Py_ssize_t
    ) -> cython.void:
        k: cython.Py_ssize_t
        for k in range(count):
            self.touched[k] = g[where[k]]
        self.clip(self.touched, count)
        for k in range(count):
            g[where[k]] = self.touched[k]


@cython.final
@cython.cclass
class NormClipper(Clipper):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def clip(self, g: cython.double[::1], n: cython.Py_ssize_t) -> cython.void:
        j: cython.Py_ssize_t
        largest: cython.double = 0
        norm: cython.double = 0
        for j in range(n):
            norm += g[j] * g[j]
            largest = fmax(largest, fabs(g[j]))
        if isinf(norm) and not isinf(largest):
            # The squares are too large for numbers; those of the ratios are not.
            norm = 0
            for j in range(n):
                g[j] /= largest
                norm += g[j] * g[j]
            norm = sqrt(norm)
            for j in range(n):
                g[j] *= self.most / norm
            return
        norm = sqrt(norm)
        if norm > self.most:
            for j in range(n):
                g[j] *= self.most / norm


@cython.final
@cython.cclass
class ValueClipper(Clipper):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def bound(self, value: cython.double) -> cython.double:
        if value > self.most:
            return self.most
        return -self.most if value < -self.most else value

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def clip(self, g: cython.double[::1], n: cython.Py_ssize_t) -> cython.void:
        j: cython.Py_ssize_t
        for j in range(n):
            g[j] = self.bound(g[j])


@cython.final
@cython.cclass
class ClippedObjective(Objective):
    """An objective all gradients of which are clipped."""

    whole: Objective
    clipper: Clipper
    n: cython.Py_ssize_t

    def __init__(self, clipper, n):
        self.whole = None
        self.clipper = clipper
        self.n = n

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def here(self) -> cython.double:
        return self.whole.here()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def value(self, w: cython.double[::1]) -> cython.double:
        return self.whole.value(w)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def gradient(self, w: cython.double[::1], out: cython.double[::1]) -> cython.double:
        value: cython.double = self.whole.gradient(w, out)
        self.clipper.clip(out, self.n)
        return value

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def full_gradient(self, w: cython.double[::1], out: cython.double[::1]) -> cython.double:
        value: cython.double = self.whole.full_gradient(w, out)
        self.clipper.clip(out, self.n)
        return value

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def prox(self, w: cython.double[::1], step: cython.double) -> cython.int:
        return self.whole.prox(w, step)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def steps(self) -> cython.Py_ssize_t:
        return self.whole.steps()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begins_epoch(self) -> cython.bint:
        return self.whole.begins_epoch()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begins_data(self) -> cython.bint:
        return self.whole.begins_data()


@cython.final
@cython.cclass
class ClippedRule(Rule):
    """A rule that clips the gradient and leaves all else to the one within."""

    inner: Rule
    clipper: Clipper
    view: ClippedObjective

    def __init__(self, optimizer, n, inner):
        Rule.__init__(self, optimizer, n)
        self.clipper = optimizer.clipper(n)
        self.view = ClippedObjective(self.clipper, n)
        self.inner = inner
        self.arrays = inner.arrays
        self.positions = inner.positions

    def start(self, w):
        self.inner.start(w)

    def seed(self, seed):
        self.inner.seed(seed)

    def memory(self):
        return self.inner.memory()

    def restore(self, t, memory):
        self.t = t
        self.inner.restore(t, memory)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def probe(self, w: cython.double[::1], point: cython.double[::1]) -> cython.bint:
        return self.inner.probe(w, point)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        if self.view.whole is not objective:
            with cython.gil:
                self.view.whole = objective
        self.view.g = objective.g
        if self.inner.needs_gradient():
            self.clipper.clip(self.view.g, self.n)
        self.inner.t = self.t
        return self.inner.advance(w, self.view, lr)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def needs_gradient(self) -> cython.bint:
        return self.inner.needs_gradient()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return self.inner.rate(j, lr)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        return self.inner.proximal_step(w, penalty, lr)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def report(self, w: cython.double[::1], out: cython.double[::1]) -> cython.void:
        self.inner.report(w, out)


@cython.final
@cython.cclass
class ClippedLocalRule(LocalRule):
    """The same around a rule that steps over the touched coordinates of a sparse batch."""

    inner: LocalRule
    clipper: Clipper

    def __init__(self, optimizer, n, inner):
        Rule.__init__(self, optimizer, n)
        self.clipper = optimizer.clipper(n)
        self.inner = inner
        self.arrays = inner.arrays
        self.positions = inner.positions

    def start(self, w):
        self.inner.start(w)

    def memory(self):
        return self.inner.memory()

    def restore(self, t, memory):
        self.t = t
        self.inner.restore(t, memory)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        self.clipper.clip(g, self.n)
        self.inner.t = self.t
        return self.inner.step(w, g, lr)

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
        self.clipper.clip_at(g, where, count)
        self.inner.t = self.t
        return self.inner.step_at(w, g, lr, where, count)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return self.inner.rate(j, lr)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def proximal_step(
        self, w: cython.double[::1], penalty: PenaltyKernel, lr: cython.double
    ) -> cython.int:
        return self.inner.proximal_step(w, penalty, lr)
