# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Optimizers without gradients: they try random weights and keep the better ones."""

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


class _Random(Optimizer):
    """Base of both: the number of candidates of a step."""

    # On a few rows the best of many candidates is the one with the most luck.
    full_batch = "preferred"

    def __init__(self, n_candidates=40):
        self.n_candidates = n_candidates

    def check(self):
        check_integer(self, "n_candidates", 1)


class RandomSearch(_Random):
    r"""Random search: draw random weights and keep the best.

    .. math::
        w_t = \arg\min_{w \in \{w_{t-1}, \, u_1, \ldots, u_k\}} f(w), \quad
        u_i \sim \mathcal N(0, \eta_t^2 I)

    The current weights and the candidates are compared on the same batch. The method
    needs only values, so the loss may have any gradient or none. But each further digit
    of accuracy, and each further feature, multiplies the number of draws. On small
    mini-batches, the best of many draws is merely the luckiest: ``batch_size="auto"`` is
    the full batch. The learning rate is the standard deviation of the draws. With
    "auto", the predictions of the draws vary a third as much as the targets. With a
    larger learning rate, the best draw can be better, but improvements are rarer.

    The random numbers of a step come from Philox, a counter-based generator. Its key is
    the ``random_state`` of the estimator and the number of the step.

    Good for a first look at a loss without a usable gradient, with few weights, and for
    teaching, as the baseline that every other method must beat.

    Parameters
    ----------
    n_candidates : int, default=40
        Number of draws in each step (:math:`k`). Each draw costs one evaluation.

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
    >>> model = GDClassifier("random_search", tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.85)
    True
    """

    default_rate = 0.3

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

    def rule(self, n):
        return RandomLocalSearchRule(self, n)


@cython.cclass
class RandomRule(Rule):
    """A rule that compares candidates with the weights, and moves to one that is better."""

    n_candidates: cython.Py_ssize_t
    key: cython.double[::1]
    draws: cython.double[:, ::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.n_candidates = optimizer.n_candidates
        self.key = self.array("key", 1)
        self.draws = np.empty((optimizer.n_candidates, n))

    def seed(self, seed):
        self.key[0] = seed

    def draw(self):
        """Fill `draws` with the normal deviates of this step."""
        generator = np.random.Generator(np.random.Philox(key=[int(self.key[0]), self.t]))
        generator.standard_normal(out=np.asarray(self.draws))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def candidate(self, w: cython.double, draw: cython.double, lr: cython.double) -> cython.double:
        """A weight to try instead of `w`."""
        return lr * draw

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def needs_gradient(self) -> cython.bint:
        return False

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        j: cython.Py_ssize_t
        k: cython.Py_ssize_t
        found: cython.double
        lowest: cython.double = objective.here()
        with cython.gil:
            self.draw()
        for k in range(self.n_candidates):
            for j in range(self.n):
                self.draws[k, j] = self.candidate(w[j], self.draws[k, j], lr)
            found = objective.value(self.draws[k])
            if found < lowest:
                lowest = found
                for j in range(self.n):
                    w[j] = self.draws[k, j]
        return 0


@cython.final
@cython.cclass
class RandomSearchRule(RandomRule):
    pass


@cython.final
@cython.cclass
class RandomLocalSearchRule(RandomRule):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def candidate(self, w: cython.double, draw: cython.double, lr: cython.double) -> cython.double:
        return w + lr * draw
