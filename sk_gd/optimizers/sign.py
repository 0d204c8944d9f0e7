# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizers that use only the sign of the gradient."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fmax, fmin
    from cython.cimports.sk_gd.optimizers.base import Rule, cloned_int

    from .base import Optimizer
else:
    from .base import Optimizer, Rule, cloned_int

    fmax, fmin = max, min


class Lion(Optimizer):
    r"""Lion: steps along the sign of a mix of the gradient and its moving average.

    .. math::
        c_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        w_t &= (1 - \eta_t \lambda) \, w_{t-1} - \eta_t \operatorname{sign}(c_t) \\
        m_t &= \beta_2 m_{t-1} + (1 - \beta_2) g_t

    All steps have the same length, whatever the gradient is. Therefore Lion needs a
    learning rate a few times smaller than Adam's, and it converges only with a
    schedule that ends at zero (``schedule="cosine"``). With an L1 penalty,
    coefficients come near zero but are not exactly zero: use an optimizer that is
    not sign-based.

    Good for mini-batches with outliers, with a schedule that ends at zero.

    Parameters
    ----------
    beta_1 : float in [0, 1), default=0.9
        Share of the moving average in the direction of the step.
    beta_2 : float in [0, 1), default=0.99
        Share of the moving average that each step keeps.
    weight_decay : float, default=0
        Decoupled weight decay (:math:`\lambda`). Unlike the ``alpha`` of the
        estimator, it is not part of the objective.

    References
    ----------
    Chen, X. et al. (2023). Symbolic discovery of optimization algorithms.
    NeurIPS. arXiv:2302.06675

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("lion", schedule="cosine", max_iter=20, tol=None, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    default_rate = 0.005

    def __init__(self, beta_1=0.9, beta_2=0.99, weight_decay=0.0):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.weight_decay = weight_decay

    def check(self):
        check_range(self, "beta_1", 0, 1)
        check_range(self, "beta_2", 0, 1)
        check_range(self, "weight_decay", 0, float("inf"))

    def rule(self, n):
        return LionRule(self, n)


@cython.final
@cython.cclass
class LionRule(Rule):
    beta_1: cython.double
    beta_2: cython.double
    weight_decay: cython.double
    m: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.beta_1 = optimizer.beta_1
        self.beta_2 = optimizer.beta_2
        self.weight_decay = optimizer.weight_decay
        self.m = self.array("m")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        for j in range(self.n):
            w[j] *= 1 - lr * self.weight_decay
            w[j] -= lr * _sign(self.beta_1 * self.m[j] + (1 - self.beta_1) * g[j])
            self.m[j] = self.beta_2 * self.m[j] + (1 - self.beta_2) * g[j]
        return 0


class Rprop(Optimizer):
    r"""Rprop: step sizes that grow while the gradient keeps its sign, on the full batch.

    .. math::
        \Delta_t &= \operatorname{clip}(\Delta_{t-1} \cdot (\eta_+, 1, \eta_-),
                    \Delta_{\min}, \Delta_{\max})
                    \quad \text{as } g_t g_{t-1} \text{ is} > 0, = 0, < 0 \\
        w_t &= w_{t-1} - \Delta_t \operatorname{sign}(g_t)

    where :math:`g_t` counts as zero in the step in which its sign changes. The
    learning rate is the size of the first step. All later step sizes follow from the
    signs, so of a schedule only its beginning counts. The signs of mini-batch gradients
    are mostly noise: ``batch_size="auto"`` is the full batch, and a smaller batch is an error.
    In `partial_fit`, the given data are the full batch. With an L1 penalty, use an
    optimizer that is not sign-based: here a subgradient of the penalty, zero at zero,
    joins the gradient, as in torch, and coefficients jump to and fro over zero.

    Good for small data that fit in one batch, without anything to tune.

    Parameters
    ----------
    eta_minus : float in (0, 1), default=0.5
        Factor of the step size when the sign changes.
    eta_plus : float > 1, default=1.2
        Factor of the step size when the sign stays the same.
    step_min, step_max : float, default=1e-6 and 50
        Limits of the step size, in the coordinates of ``precondition``.

    References
    ----------
    Riedmiller, M. & Braun, H. (1993). A direct adaptive method for faster
    backpropagation learning: the RPROP algorithm. IEEE ICNN.
    doi:10.1109/ICNN.1993.298623

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor("rprop", alpha=0, tol=None).fit(X, y)
    >>> round(float(model.predict([[6.0]])[0]), 4)
    13.0
    """

    default_rate = 0.1
    full_batch = "required"

    def __init__(self, eta_minus=0.5, eta_plus=1.2, step_min=1e-6, step_max=50.0):
        self.eta_minus = eta_minus
        self.eta_plus = eta_plus
        self.step_min = step_min
        self.step_max = step_max

    def check(self):
        check_range(self, "eta_minus", 0, 1, closed="neither")
        check_range(self, "eta_plus", 1, float("inf"), closed="neither")
        check_range(self, "step_max", 0, float("inf"), closed="neither")
        check_range(self, "step_min", 0, self.step_max, closed="both")

    def rule(self, n):
        return RpropRule(self, n)


@cython.final
@cython.cclass
class RpropRule(Rule):
    eta_minus: cython.double
    eta_plus: cython.double
    step_min: cython.double
    step_max: cython.double
    length: cython.double[::1]
    previous: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.eta_minus = optimizer.eta_minus
        self.eta_plus = optimizer.eta_plus
        self.step_min = optimizer.step_min
        self.step_max = optimizer.step_max
        self.length = self.array("length")
        self.previous = self.array("previous")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        agreement: cython.double
        factor: cython.double
        for j in range(self.n):
            if self.t == 1:
                self.length[j] = lr
            agreement = _sign(g[j]) * _sign(self.previous[j])
            factor = 1.0
            if agreement > 0:
                factor = self.eta_plus
            elif agreement < 0:
                factor = self.eta_minus
            self.length[j] = fmin(fmax(self.length[j] * factor, self.step_min), self.step_max)
            self.previous[j] = 0.0 if agreement < 0 else g[j]
            w[j] -= self.length[j] * _sign(self.previous[j])
        return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
@cython.inline
def _sign(value: cython.double) -> cython.double:
    if value > 0:
        return 1.0
    return -1.0 if value < 0 else 0.0
