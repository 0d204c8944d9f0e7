# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Amos: adaptive steps whose weight decay and learning rate fall together."""

import cython

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import fmax, pow, sqrt
    from cython.cimports.sk_gd.optimizers.base import Rule, cloned_int

    from .base import Optimizer
else:
    from math import pow, sqrt

    from .base import Optimizer, Rule, cloned_int

    fmax = max


class Amos(Optimizer):
    r"""Amos: steps scaled by the expected size of the weights, with built-in decay.

    .. math::
        v_t &= \beta v_{t-1} + (1 - \beta) g_t^2, \quad
        \hat v_t = v_t / (1 - \beta^t) \\
        c_t &= (1 + c \sqrt{\xi_t} \, b_{t-1})^{-1/2}, \quad
        d_t = (1 + d \sqrt{\xi_t \eta} \, b_{t-1})^{-1} \\
        \gamma_t &= c_t \, \xi_t^2 g_t^2 / \hat v_t, \quad
        b_t = b_{t-1} + \gamma_t (1 + b_{t-1}) \\
        w_t &= w_{t-1} - d_t \left[ \xi_t \eta \, g_t / \sqrt{\hat v_t}
               + \tfrac12 \gamma_t w_{t-1} \right]

    The learning rate is :math:`\xi`, relative to the expected scale :math:`\eta` of
    a weight. Each weight has its own averages. The decay
    :math:`\tfrac12 \gamma_t w` belongs to the method, not to the objective. If the
    gradient does not vanish, as on mini-batches or with an L1 penalty, the decay
    pulls the weights towards zero, less and less over time. For the exact minimiser
    of a lasso, use another optimizer.

    Good for training of unknown length on dense data, as the learning rate and the
    decay fall by themselves.

    Parameters
    ----------
    eta : float > 0, default=0.25
        Expected scale of the weights, in the coordinates of ``precondition``. The
        default suits a regression on about sixteen standardised features.
    beta : float in [0, 1), default=0.999
        Share of the moving average of squared gradients that each step keeps.
    c_coef, d_coef : float, default=0.25
        How fast the decay of the weights falls (:math:`c`), and how fast the whole step
        does (:math:`d`).

    References
    ----------
    Tian, R. & Parikh, A. P. (2022). Amos: an Adam-style optimizer with adaptive
    weight decay towards model-oriented scale. arXiv:2210.11693

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("amos", max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    default_rate = 0.2

    def __init__(self, eta=0.25, beta=0.999, c_coef=0.25, d_coef=0.25):
        self.eta = eta
        self.beta = beta
        self.c_coef = c_coef
        self.d_coef = d_coef

    def check(self):
        check_range(self, "eta", 0, float("inf"), closed="neither")
        check_range(self, "beta", 0, 1)
        check_range(self, "c_coef", 0, float("inf"))
        check_range(self, "d_coef", 0, float("inf"))

    def rule(self, n):
        return AmosRule(self, n)


# Against a division by zero; the authors' number.
TINY = cython.declare(cython.double, 2.0**-125)


@cython.final
@cython.cclass
class AmosRule(Rule):
    eta: cython.double
    beta: cython.double
    c_coef: cython.double
    d_coef: cython.double
    v: cython.double[::1]
    b: cython.double[::1]
    metric: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.eta = optimizer.eta
        self.beta = optimizer.beta
        self.c_coef = optimizer.c_coef
        self.d_coef = optimizer.d_coef
        self.v = self.array("v")
        self.b = self.array("b")
        # The metric of the last step, in which the proximal step is taken.
        self.metric = self.array("metric")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def rate(self, j: cython.Py_ssize_t, lr: cython.double) -> cython.double:
        return lr * self.metric[j]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cloned_int:
        j: cython.Py_ssize_t
        square: cython.double
        inverse: cython.double
        c: cython.double
        d: cython.double
        gamma: cython.double
        correction: cython.double = 1 - pow(self.beta, self.t)
        c_scale: cython.double = self.c_coef * sqrt(lr)
        d_scale: cython.double = self.d_coef * sqrt(lr * self.eta)
        for j in range(self.n):
            square = g[j] * g[j]
            self.v[j] = self.beta * self.v[j] + (1 - self.beta) * square
            inverse = correction / fmax(self.v[j], TINY)
            c = 1 / sqrt(1 + c_scale * self.b[j])
            d = 1 / (1 + d_scale * self.b[j])
            gamma = c * lr * lr * inverse * square
            self.metric[j] = d * self.eta * sqrt(inverse)
            w[j] -= self.rate(j, lr) * g[j] + d * 0.5 * gamma * w[j]
            self.b[j] += gamma * (1 + self.b[j])
        return 0
