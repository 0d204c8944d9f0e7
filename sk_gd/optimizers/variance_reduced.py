# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers that subtract the noise of mini-batch gradients."""

import cython
import numpy as np

from ..parameters import check_integer

if cython.compiled:
    from cython.cimports.sk_gd.objectives.base import Objective
    from cython.cimports.sk_gd.optimizers.base import Rule

    from .base import Optimizer
else:
    from ..objectives.base import Objective
    from .base import Optimizer, Rule


class SVRG(Optimizer):
    r"""Stochastic variance-reduced gradient: the noise of a batch is estimated and subtracted.

    .. math::
        w_t = w_{t-1} - \eta_t \left[ g_t(w_{t-1}) - g_t(\tilde w) + \nabla f(\tilde w) \right]

    Every few epochs, the weights are stored as the snapshot :math:`\tilde w`, and the
    gradient of all the data is computed there. :math:`g_t` is the gradient of a batch.
    The nearer the weights are to the snapshot, the less noise is left. Therefore SVRG
    converges to the minimiser at a constant learning rate, while plain descent keeps
    moving around it. With a snapshot in every epoch, an epoch costs three passes over
    the data. For a good model after a few epochs, `ScheduleFreeAdamW` is faster. On the
    full batch, SVRG is plain descent.

    Good for high accuracy from mini-batches of smooth losses.

    Parameters
    ----------
    update_frequency : int, default=1
        Number of epochs from one snapshot to the next. The authors use 2 for convex
        models. With 1, the snapshot is more recent, at 3 gradients per row instead of
        2.5. With ``partial_fit``, leave it at 1: each call has new data and needs its
        own snapshot.

    References
    ----------
    Johnson, R. & Zhang, T. (2013). Accelerating stochastic gradient descent
    using predictive variance reduction. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("svrg", max_iter=20, tol=None, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.97)
    True
    """

    # A step uses two gradients of a batch. Where their noise does not cancel it adds up.
    noise_gain = 2.0

    def __init__(self, update_frequency=1):
        self.update_frequency = update_frequency

    def check(self):
        check_integer(self, "update_frequency", 1)

    def rule(self, n):
        return SVRGRule(self, n)


@cython.final
@cython.cclass
class SVRGRule(Rule):
    update_frequency: cython.double
    snapshot: cython.double[::1]
    whole: cython.double[::1]
    age: cython.double[::1]
    there: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.update_frequency = optimizer.update_frequency
        self.snapshot = self.array("snapshot", position=True)
        self.whole = self.array("whole")
        # The age of the snapshot in epochs. At the start it is due.
        self.age = self.array("age", 1)
        self.age[0] = optimizer.update_frequency
        self.there = np.empty(n)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        if objective.begins_epoch():
            if self.age[0] >= self.update_frequency:
                for j in range(self.n):
                    self.snapshot[j] = w[j]
                objective.full_gradient(self.snapshot, self.whole)
                self.age[0] = 0
            self.age[0] += 1
        objective.gradient(self.snapshot, self.there)
        for j in range(self.n):
            w[j] -= lr * (objective.g[j] - self.there[j] + self.whole[j])
        return 0
