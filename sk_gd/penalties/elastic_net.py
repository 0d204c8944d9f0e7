# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The elastic net: the penalty of the estimators, from ridge to lasso."""

import cython
import numpy as np

from ..aligned import aligned
from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fabs, isfinite
    from cython.cimports.sk_gd.penalties.base import PenaltyKernel

    from .base import Penalty
else:
    from math import fabs, isfinite

    from .base import Penalty, PenaltyKernel


class ElasticNet(Penalty):
    r"""The elastic net: squares and absolute values of the coefficients.

    .. math::
        \alpha \left( \rho \, \|u\|_1 + \tfrac12 (1 - \rho) \|u\|_2^2 \right)

    The estimators apply it to coefficients times the sizes of their features, or, with
    ``scale_penalty=False``, to the coefficients themselves (u).

    Parameters
    ----------
    alpha : float in [0, inf), default=1e-4
        The strength (:math:`\alpha`).
    l1_ratio : float in [0, 1], default=0
        Share of the L1 norm (:math:`\rho`): 0 is ridge, 1 is lasso.

    References
    ----------
    Zou, H. & Hastie, T. (2005). Regularization and variable selection via the elastic net.
    Journal of the Royal Statistical Society B 67(2). doi:10.1111/j.1467-9868.2005.00503.x

    Examples
    --------
    >>> from sk_gd.penalties import ElasticNet
    >>> penalty = ElasticNet(alpha=0.5, l1_ratio=0.25)
    >>> penalty.lasso, penalty.ridge, penalty.smooth
    (0.125, 0.375, False)
    """

    def __init__(self, alpha=1e-4, l1_ratio=0.0):
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    @property
    def lasso(self):
        """Strength of the L1 norm."""
        return self.alpha * self.l1_ratio

    @property
    def ridge(self):
        """Strength of half the squared L2 norm."""
        return self.alpha * (1 - self.l1_ratio)

    @property
    def smooth(self):
        """Whether there is no L1 norm, which has a corner at zero."""
        return not self.lasso > 0

    def check(self):
        check_range(self, "alpha", 0, float("inf"))
        check_range(self, "l1_ratio", 0, 1, closed="both")

    def kernel(self, size, loss_scale, proximal=True):
        l1, l2 = self.slope(size, loss_scale), self.curvature(size, loss_scale)
        return ElasticNetKernel(l1, l2, loss_scale, proximal)

    def slope(self, size, loss_scale):
        return per_weight(self.lasso, size, False, loss_scale)

    def curvature(self, size, loss_scale):
        return per_weight(self.ridge, size, True, loss_scale)


def check_strength(strength):
    """Raise a ValueError unless the strength on the weights of an optimizer is finite."""
    if not np.isfinite(strength).all():
        raise ValueError(
            "alpha must be so small that it is a number in the units of X and y, too. Got a "
            "strength that overflows; decrease alpha, or bring the numbers of X and y nearer to 1."
        )


def per_weight(
    strength: cython.double,
    size: cython.const[cython.double][::1],
    squared: cython.bint,
    loss_scale: cython.const[cython.double][::1],
):
    """The strength times the sizes of the weights, or their squares, in units of the loss.

    A ValueError if that is not finite.
    """
    n: cython.Py_ssize_t = len(size)
    if len(loss_scale) != n:
        raise ValueError(f"Got {n} sizes and {len(loss_scale)} loss scales.")
    j: cython.Py_ssize_t
    factor: cython.double
    finite: cython.bint = True
    found = np.empty(n)
    strengths: cython.double[::1] = found
    for j in range(n):
        factor = size[j] * size[j] if squared else size[j]
        strengths[j] = strength * factor / loss_scale[j]
        finite &= isfinite(strengths[j])
    if not finite:
        check_strength(np.inf)
    return found


@cython.final
@cython.cclass
class ElasticNetKernel(PenaltyKernel):
    r""":math:`\sum_j l1_j |w_j| + \frac12 l2_j w_j^2` on the weights of an optimizer.

    The ridge is smooth and joins the gradient. The lasso is taken by a proximal step after the
    rule's own step, so that weights become exactly zero.
    """

    def __init__(self, l1, l2, loss_scale, proximal):
        if not len(l1) == len(l2) == len(loss_scale):
            raise ValueError("The strengths and the loss scale must have one entry a weight each.")
        self.l1 = aligned(l1)
        self.l2 = aligned(l2)
        self.loss_scale = np.array(loss_scale, dtype=float)
        self.ridge = self.lasso = False
        j: cython.Py_ssize_t
        for j in range(len(l1)):
            self.ridge |= self.l2[j] != 0
            self.lasso |= self.l1[j] != 0
        has_prox = self.lasso and proximal
        PenaltyKernel.__init__(self, len(l1), self.ridge or (self.lasso and not proximal), has_prox)

    def curvature(self):
        """The second derivative of the smooth part for every weight."""
        return np.asarray(self.l2)

    def value(self, w):
        total: cython.double = 0
        j: cython.Py_ssize_t
        for j in range(self.n):
            total += self.loss_scale[j] * (self.l1[j] * fabs(w[j]) + 0.5 * self.l2[j] * w[j] * w[j])
        return total

    def smooth_value(self, w):
        total: cython.double = 0
        j: cython.Py_ssize_t
        if self.ridge:
            for j in range(self.n):
                total += 0.5 * self.l2[j] * w[j] * w[j]
        if self.lasso and not self.has_prox:
            for j in range(self.n):
                total += self.l1[j] * fabs(w[j])
        return total

    def add_gradient(self, w, loss, factor, g):
        j: cython.Py_ssize_t
        for j in range(self.n):
            g[j] = factor * loss[j] + self.l2[j] * w[j]
        if self.lasso and not self.has_prox:
            for j in range(self.n):
                if w[j] != 0:
                    g[j] += self.l1[j] if w[j] > 0 else -self.l1[j]
        return 0

    def prox(self, w, steps):
        j: cython.Py_ssize_t
        if self.has_prox:
            for j in range(self.n):
                if self.l1[j] > 0:
                    w[j] = soft_threshold(w[j], self.l1[j] * steps[j])
        return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
@cython.inline
def soft_threshold(value: cython.double, threshold: cython.double) -> cython.double:
    """`value`, nearer to zero by `threshold`, but not beyond zero."""
    if value > threshold:
        return value - threshold
    if value < -threshold:
        return value + threshold
    return 0.0
