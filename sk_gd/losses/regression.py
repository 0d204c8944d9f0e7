# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The losses for regression."""

import cython
import numpy as np

from ..parameters import check_range

if cython.compiled:
    from cython.cimports.libc.math import exp, fabs, fmin, log
    from cython.cimports.sk_gd.losses.base import LossKernel, Point

    from .base import Loss
else:
    from math import exp, fabs, log

    from .base import Loss, LossKernel, Point

    fmin = min

# The exponential of a larger number is infinite, or nearly.
LARGEST = cython.declare(cython.double, 700.0)


@cython.final
@cython.cclass
class SquaredErrorKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        return Point(0.5 * (p - y) * (p - y), p - y)


class SquaredError(Loss):
    r"""Half the squared error: the mean is predicted.

    .. math:: \tfrac12 (y - p)^2

    The losses of several outputs are added. A single target far from all others can
    change the whole model: `Huber` limits its influence.

    Good for predicting means, if the targets have no outliers.

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> X, y = [[1.0]] * 5, [1.0, 2.0, 3.0, 4.0, 1000.0]
    >>> GDRegressor(loss="squared_error").fit(X, y).predict([[1.0]]).round(2)
    array([202.])
    """

    kinds = ("regressor",)
    suits_full_batch = True

    @property
    def quadratic(self):
        """Whether the formula is this one; a subclass may have another."""
        return type(self).kernel is SquaredError.kernel

    def kernel(self, n_outputs):
        return SquaredErrorKernel()

    def curvature(self, n_outputs, targets=None):
        return 1.0


@cython.final
@cython.cclass
class AbsoluteErrorKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        if p > y:
            return Point(p - y, 1.0)
        return Point(y - p, -1.0 if p < y else 0.0)


class AbsoluteError(Loss):
    r"""The absolute error: the median is predicted.

    .. math:: |y - p|

    Every row has the same influence, however far its target is. The loss has a corner
    at its minimum, so the steps of plain descent never become small by themselves: use
    the default optimizer, a schedule, or an optimizer that averages.

    Good for predicting medians, and for targets with outliers.

    References
    ----------
    Koenker, R. & Bassett, G. (1978). Regression quantiles. Econometrica 46(1),
    33-50. doi:10.2307/1913643

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> X, y = [[1.0]] * 5, [1.0, 2.0, 3.0, 4.0, 1000.0]
    >>> model = GDRegressor(loss="absolute_error", schedule="cosine", tol=None).fit(X, y)
    >>> bool(abs(model.predict([[1.0]])[0] - 3) < 1)
    True
    """

    kinds = ("regressor",)
    suits_full_batch = True
    has_corners = True
    robust = True

    def kernel(self, n_outputs):
        return AbsoluteErrorKernel()


@cython.final
@cython.cclass
class HuberKernel(LossKernel):
    epsilon: cython.double

    def __init__(self, epsilon):
        self.epsilon = epsilon

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        r: cython.double = p - y
        if fabs(r) <= self.epsilon:
            return Point(0.5 * r * r, r)
        return Point(
            self.epsilon * (fabs(r) - 0.5 * self.epsilon), self.epsilon if r > 0 else -self.epsilon
        )


class Huber(Loss):
    r"""The Huber loss: quadratic for small residuals, linear for large ones.

    .. math::
        \begin{cases}
        \tfrac12 (y - p)^2 & |y - p| \le \epsilon \\
        \epsilon |y - p| - \tfrac12 \epsilon^2 & \text{otherwise}
        \end{cases}

    As in ``SGDRegressor``, :math:`\epsilon` is in the units of `y`.
    ``HuberRegressor`` estimates the deviation of the noise and multiplies its
    :math:`\epsilon` by it.

    Good for targets with outliers.

    Parameters
    ----------
    epsilon : float in (0, inf), default=1.35
        The residual at which the loss becomes linear. An `epsilon` of 1.35 standard
        deviations of the noise loses 5 % of the efficiency of least squares if the
        noise is normal. Therefore the default suits targets whose noise has a
        deviation of about one.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of
    Mathematical Statistics 35(1), 73-101. doi:10.1214/aoms/1177703732

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.losses import Huber
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 110.0]
    >>> model = GDRegressor(loss=Huber(epsilon=1.0), schedule="cosine", max_iter=500, tol=None)
    >>> bool(abs(model.fit(X, y).predict([[1.0]])[0] - 3) < 1)
    True
    """

    kinds = ("regressor",)
    suits_full_batch = True
    robust = True

    def __init__(self, epsilon=1.35):
        self.epsilon = epsilon

    def check(self):
        check_range(self, "epsilon", 0, np.inf, closed="neither")

    def kernel(self, n_outputs):
        return HuberKernel(self.epsilon)


@cython.final
@cython.cclass
class QuantileKernel(LossKernel):
    quantile: cython.double

    def __init__(self, quantile):
        self.quantile = quantile

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        if y > p:
            return Point(self.quantile * (y - p), -self.quantile)
        if y < p:
            return Point((1 - self.quantile) * (p - y), 1 - self.quantile)
        return Point(0.0, 0.0)


class Quantile(Loss):
    r"""The pinball loss: a quantile is predicted.

    .. math:: \max\bigl(q (y - p),\; (1 - q) (p - y)\bigr)

    At :math:`q = 0.5`, it is half the absolute error. It has the same corner: see
    `AbsoluteError`.

    Good for predicting ranges instead of single values, as a share of about :math:`q`
    of the targets is below the predictions.

    Parameters
    ----------
    quantile : float in (0, 1), default=0.5
        The quantile (:math:`q`).

    References
    ----------
    Koenker, R. & Bassett, G. (1978). Regression quantiles. Econometrica 46(1),
    33-50. doi:10.2307/1913643

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.losses import Quantile
    >>> X, y = np.zeros((100, 1)), np.arange(100.0)
    >>> model = GDRegressor(loss=Quantile(quantile=0.9), schedule="cosine", tol=None)
    >>> bool(abs(model.fit(X, y).intercept_ - 90) < 2)
    True
    """

    kinds = ("regressor",)
    suits_full_batch = True
    has_corners = True
    robust = True

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def check(self):
        check_range(self, "quantile", 0, 1, closed="neither")

    def kernel(self, n_outputs):
        return QuantileKernel(self.quantile)


@cython.final
@cython.cclass
class EpsilonInsensitiveKernel(LossKernel):
    epsilon: cython.double

    def __init__(self, epsilon):
        self.epsilon = epsilon

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        beyond: cython.double = fabs(p - y) - self.epsilon
        if beyond > 0:
            return Point(beyond, 1.0 if p > y else -1.0)
        return Point(0.0, 0.0)


class EpsilonInsensitive(Loss):
    r"""The loss of support vector regression: small residuals cost nothing.

    .. math:: \max(0,\; |y - p| - \epsilon)

    :math:`\epsilon` is in the units of `y`, as in ``LinearSVR`` and
    ``SGDRegressor``. Choose it well below the deviation of the targets: if all
    residuals cost nothing, there is nothing to learn.

    Good for targets that are known up to a tolerance.

    Parameters
    ----------
    epsilon : float in [0, inf), default=0.1
        The largest residual that costs nothing. With 0, the loss is the absolute error.

    References
    ----------
    Vapnik, V. N. (1995). The nature of statistical learning theory. Springer.
    doi:10.1007/978-1-4757-2440-0

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.losses import EpsilonInsensitive
    >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> model = GDRegressor(loss=EpsilonInsensitive(epsilon=0.5), max_iter=500, tol=None)
    >>> bool(abs(model.fit(X, y).predict([[3.0]])[0] - 7) < 0.6)
    True
    """

    kinds = ("regressor",)
    suits_full_batch = True
    has_corners = True
    robust = True

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def check(self):
        check_range(self, "epsilon", 0, np.inf)

    def kernel(self, n_outputs):
        return EpsilonInsensitiveKernel(self.epsilon)


class LogLink(Loss):
    """Base of the losses with a logarithmic link: the model predicts the log of the mean."""

    kinds = ("regressor",)
    suits_full_batch = True

    def response(self, p):
        """The mean, whose logarithm the raw prediction `p` is; at most the largest number."""
        return np.exp(np.minimum(p, np.floor(np.log(np.finfo(np.result_type(p, np.float32)).max))))

    def second_derivative(self, mean):
        """The second derivative where the predicted mean and the target are both `mean`."""
        raise NotImplementedError

    def spread(self, targets):
        """Mean and squared coefficient of variation of the targets; one if all are equal."""
        # The inverse of the least numbers is none.
        mean = np.where(targets.mean > 0, np.maximum(targets.mean, 1e-150), 1.0)
        deviation = np.where(targets.is_constant(), mean, targets.deviation)
        variation = (deviation / mean) ** 2
        return mean, variation

    def units(self, targets=None):
        mean, variation = self.spread(targets)
        curvature = self.curvature(len(mean), targets)
        # Newton's step for a residual of one deviation. A step of one, in the logarithm, would
        # be far too long for many targets.
        unit = self.second_derivative(mean) * np.sqrt(variation) / curvature
        return np.log(mean), unit, curvature * unit**2

    def curvature(self, n_outputs, targets=None):
        """The second derivative at the mean prediction, with each target as its own weight.

        There is no upper bound. In the fitted model most of the curvature comes from the large
        targets: the mean of y² over the mean of y.
        """
        mean, variation = self.spread(targets)
        return self.second_derivative(mean) * (1 + variation)


@cython.final
@cython.cclass
class PoissonKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        mean: cython.double = exp(fmin(p, LARGEST))
        deviance: cython.double = mean - y
        if y > 0:
            deviance += y * (log(y) - p)
        return Point(deviance, mean - y)


class Poisson(LogLink):
    r"""Half the Poisson deviance with a logarithmic link, for counts and frequencies.

    .. math:: e^p - y + y (\log y - p)

    The model predicts the mean, :math:`e^p`. The minimiser is that of
    ``PoissonRegressor``. For a frequency (counts divided by exposure), give the
    exposure as ``sample_weight``. Targets must not be negative. The curvature
    :math:`e^p` has no bound: if plain descent diverges, lower the learning rate.

    Good for counts and frequencies.

    References
    ----------
    McCullagh, P. & Nelder, J. A. (1989). Generalized linear models, 2nd ed.
    Chapman and Hall. doi:10.1201/9780203753736

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1, 2, 4, 8]
    >>> model = GDRegressor("nesterov", loss="poisson", alpha=0, max_iter=500, tol=None)
    >>> model.fit(X, y).predict([[4.0]]).round(2)
    array([16.])
    """

    domain = "non-negative numbers"

    def kernel(self, n_outputs):
        return PoissonKernel()

    def allows(self, y):
        return np.asarray(y) >= 0

    def second_derivative(self, mean):
        return mean


@cython.final
@cython.cclass
class GammaKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        ratio: cython.double = y * exp(fmin(-p, LARGEST))
        return Point(ratio - 1 - log(y) + p, 1 - ratio)


class Gamma(LogLink):
    r"""Half the gamma deviance with a logarithmic link, for amounts and durations.

    .. math:: y e^{-p} - 1 - \log y + p

    The model predicts the mean, :math:`e^p`. The minimiser is that of
    ``GammaRegressor``. The curvature :math:`y e^{-p}` has no bound: if plain descent
    diverges, lower the learning rate.

    Good for positive amounts and durations whose deviation grows with their mean.

    References
    ----------
    McCullagh, P. & Nelder, J. A. (1989). Generalized linear models, 2nd ed.
    Chapman and Hall. doi:10.1201/9780203753736

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.1, 0.2, 0.4, 0.8]
    >>> model = GDRegressor("nesterov", loss="gamma", alpha=0, max_iter=500, tol=None)
    >>> model.fit(X, y).predict([[4.0]]).round(2)
    array([1.6])
    """

    domain = "positive numbers"

    def kernel(self, n_outputs):
        return GammaKernel()

    def allows(self, y):
        return np.asarray(y) > 0

    def second_derivative(self, mean):
        return np.ones_like(mean)
