# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers without gradients: they try random weights and keep the better ones."""

import cython
import numpy as np

from ..parameters import check_integer

if cython.compiled:
    from cython.cimports.libc.math import sqrt
    from cython.cimports.sk_gd.objectives.base import Objective
    from cython.cimports.sk_gd.optimizers.base import Rule

    from .base import Optimizer
else:
    from math import sqrt

    from ..objectives.base import Objective
    from .base import Optimizer, Rule

# Normal deviates that are drawn at a time, so that many candidates of many weights fit in memory.
DRAWN = 65536


class _Random(Optimizer):
    """Base of both: a number of candidates a step."""

    # On a few rows the best of many candidates is the one with the most luck.
    full_batch = "preferred"

    def check(self):
        check_integer(self, "n_candidates", 1)


class RandomSearch(_Random):
    r"""Random search: draw random weights and keep the best.

    .. math::
        w_t = \arg\min_{w \in \{w_{t-1}, \, u_1, \ldots, u_k\}} f(w), \quad
        u_i \sim \mathcal N(0, \tfrac{\eta_t^2}{n} I)

    with n the number of weights. The current weights and the candidates are compared on
    the same batch. The method needs only values, so the loss may have any gradient or
    none. But each further digit of accuracy, and each further feature, multiplies the
    number of draws. On small mini-batches, the best of many draws is merely the luckiest:
    ``batch_size="auto"`` is the full batch.

    The learning rate is the length of the draws (the root of its mean square). With a
    larger one, the best draw can be better, but improvements are rarer. With many weights
    nearly all draws are nearly orthogonal to the direction that would be best, and only
    short ones improve anything: with "auto", they are the shorter the more weights there
    are.

    The random numbers of a step come from Philox, a counter-based generator. Its key is
    the ``random_state`` of the estimator and the number of the step.

    Good for a first look at a loss without a usable gradient, with few weights, and for
    teaching, as the baseline that every other method must beat.

    Parameters
    ----------
    n_candidates : int, default=1000
        Number of draws in each step (:math:`k`). Each draw costs one evaluation. With
        fewer, a few epochs without a better draw, after which ``tol`` ends the training,
        are no sign that there is none.

    References
    ----------
    Rastrigin, L. A. (1963). The convergence of the random search method in the
    extremal control of a many parameter system. Automation and Remote
    Control 24(10).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("random_search", max_iter=10, tol=None, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    default_rate = 2.0

    def __init__(self, n_candidates=1000):
        self.n_candidates = n_candidates

    def rule(self, n):
        return RandomSearchRule(self, n)


class RandomLocalSearch(_Random):
    r"""Random local search: try a random step, and take it if the objective falls.

    .. math::
        u = w + \eta_t \, \delta, \quad \delta \sim \mathcal N(0, I), \qquad
        w \leftarrow u \;\text{ if }\; f(u) < f(w)

    A step makes several such trials, one after the other, on the same batch. Values of
    different batches are never compared. On small mini-batches, many trials succeed by
    luck: ``batch_size="auto"`` is the full batch. The method needs only values, so the
    loss may have any gradient or none. But a gradient costs as much as two trials, and
    is worth one trial for each weight. The learning rate is the standard deviation of
    the trial steps. A schedule that ends at zero makes them finer and finer.

    The random numbers of a step come from Philox, a counter-based generator. Its key is
    the ``random_state`` of the estimator and the number of the step.

    Good for losses without a usable gradient, in few weights.

    Parameters
    ----------
    n_candidates : int, default=40
        Number of trials in each step. Each trial costs one evaluation.

    References
    ----------
    Rastrigin, L. A. (1963). The convergence of the random search method in the
    extremal control of a many parameter system. Automation and Remote
    Control 24(10).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("random_local_search", tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    default_rate = 0.05

    def __init__(self, n_candidates=40):
        self.n_candidates = n_candidates

    def rule(self, n):
        return RandomLocalSearchRule(self, n)


@cython.cclass
class RandomRule(Rule):
    """A rule that compares candidates with the weights, and moves to one that is better."""

    n_candidates: cython.Py_ssize_t
    n_drawn: cython.Py_ssize_t
    key: cython.double[::1]
    generator: object
    draws: cython.double[:, ::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.n_candidates = optimizer.n_candidates
        self.n_drawn = max(1, min(optimizer.n_candidates, DRAWN // n))
        self.key = self.array("key", 1)
        self.generator = None
        self.draws = np.empty((self.n_drawn, n))

    def seed(self, seed):
        self.key[0] = seed

    def restore(self, t, memory):
        Rule.restore(self, t, memory)
        self.check_count("key")

    def draw(self, first):
        """Fill `draws` with the `first`, or the next, normal deviates of this step."""
        if first:
            self.generator = np.random.Generator(np.random.Philox(key=[int(self.key[0]), self.t]))
        self.generator.standard_normal(out=np.asarray(self.draws))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def candidate(self, w: cython.double, draw: cython.double, lr: cython.double) -> cython.double:
        """A weight to try instead of `w`."""
        return w + lr * draw

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def needs_gradient(self) -> cython.bint:
        return False

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        i: cython.Py_ssize_t
        j: cython.Py_ssize_t
        k: cython.Py_ssize_t
        found: cython.double
        lowest: cython.double = objective.here()
        for k in range(self.n_candidates):
            i = k % self.n_drawn
            if i == 0:
                with cython.gil:
                    self.draw(k == 0)
            for j in range(self.n):
                self.draws[i, j] = self.candidate(w[j], self.draws[i, j], lr)
            found = objective.value(self.draws[i])
            if found < lowest:
                lowest = found
                for j in range(self.n):
                    w[j] = self.draws[i, j]
        return 0


@cython.final
@cython.cclass
class RandomSearchRule(RandomRule):
    # The deviation of the draws if their length is one.
    unit: cython.double

    def __init__(self, optimizer, n):
        RandomRule.__init__(self, optimizer, n)
        self.unit = 1 / sqrt(n)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def candidate(self, w: cython.double, draw: cython.double, lr: cython.double) -> cython.double:
        return lr * self.unit * draw


@cython.final
@cython.cclass
class RandomLocalSearchRule(RandomRule):
    pass
