# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The elastic-net penalty."""

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.libc.math import fabs
else:
    from math import fabs


@cython.cclass
class ElasticNet:
    r""":math:`\sum_j l1_j |w_j| + \frac12 l2_j w_j^2`, on one flat vector.

    The ridge is smooth and joins the gradient; the lasso is taken by a
    proximal step after the rule's own, so that weights become exactly zero.

    Parameters
    ----------
    l1, l2 : ndarray
        The strengths in the coordinates of the vector, an entry a weight; zero
        for an intercept.
    energy : ndarray, optional
        What a penalty of one is in the objective, an entry a weight; one if
        the vector is in no units of its own.
    proximal : bool
        Whether the rule has a metric in which to take the proximal step; if
        not, the subgradient of the lasso joins the gradient.
    """

    def __init__(self, l1, l2, energy=None, proximal=True):
        self.n = len(l1)
        self.l1 = np.ascontiguousarray(l1, dtype=float)
        self.l2 = np.ascontiguousarray(l2, dtype=float)
        self.energy = np.ones(self.n) if energy is None else np.array(energy, dtype=float)
        self.lasso = bool(np.any(l1))
        self.ridge = bool(np.any(l2))
        self.proximal = proximal

    def value(self, w):
        """The penalty at `w`, in the units of the objective."""
        total: cython.double = 0
        j: cython.Py_ssize_t
        for j in range(self.n):
            total += self.energy[j] * (self.l1[j] * fabs(w[j]) + 0.5 * self.l2[j] * w[j] * w[j])
        return total

    def add_gradient(self, w, g):
        """Add what is not left to the proximal step to the gradient `g` at `w`."""
        j: cython.Py_ssize_t
        if self.ridge:
            for j in range(self.n):
                g[j] += self.l2[j] * w[j]
        if self.lasso and not self.proximal:
            for j in range(self.n):
                if w[j] != 0:
                    g[j] += self.l1[j] if w[j] > 0 else -self.l1[j]

    def shrink(self, w, rule, lr):
        """The proximal step of the lasso in the metric of `rule`: soft thresholding."""
        j: cython.Py_ssize_t
        if self.lasso and self.proximal:
            for j in range(self.n):
                if self.l1[j] > 0:
                    rule.shrink(w, j, self.l1[j] * rule.rate(j, lr))
