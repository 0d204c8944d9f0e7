# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The losses: what a prediction costs, and the slope of it.

A `Loss` is what users see and tune. ``Loss.kernel(n_outputs)`` gives its
compiled formula, evaluated on a block of rows at a time.
"""

import cython
import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator

if cython.compiled:
    from cython.cimports.libc.math import exp, fabs, log
else:
    from math import exp, fabs, log

    Point = cython.struct(value=cython.double, slope=cython.double)


@cython.cclass
class LossKernel:
    """The compiled formula of a loss; a subclass writes `point`, or `evaluate` if outputs mix.

    It works on buffers that are handed over once, a column a row of data:
    targets `y` (targets × rows), predictions `p` (outputs × rows), the weights
    of the rows, and the `slopes` (outputs × rows) that it fills.
    """

    def bind(self, y, p, weight, slopes):
        """Work on these buffers from now on."""
        self.y = y
        self.p = p
        self.weight = weight
        self.slopes = slopes

    def total(self, y, p, weight):
        """Weighted sum of the loss of predictions `p` (outputs × rows) of `y` (targets × rows)."""
        self.bind(y, p, weight, np.empty_like(p))
        return self.evaluate(0, p.shape[0], p.shape[1])

    def point(self, y, p):
        """Loss and slope of one prediction `p` of one target `y`."""
        return Point(0.0, 0.0)

    def evaluate(self, first, outputs, rows):
        """Weighted sum of the loss over the first `rows` columns; their slopes, weighted, too.

        The model is the `outputs` rows of the predictions that begin at row `first`.
        """
        total: cython.double = 0
        point: Point
        k: cython.Py_ssize_t
        i: cython.Py_ssize_t
        for k in range(outputs):
            for i in range(rows):
                point = self.point(self.y[k, i], self.p[first + k, i])
                total += self.weight[i] * point.value
                self.slopes[first + k, i] = self.weight[i] * point.slope
        return total


@cython.final
@cython.cclass
class SquaredErrorKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        return Point(0.5 * (p - y) * (p - y), p - y)


@cython.final
@cython.cclass
class BinomialKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        total: cython.double = 0
        # Rows of equal weight share one logarithm, that of the product: it is
        # the dearest part of the loss. A product of a thousand stays finite.
        product: cython.double = 1
        weight: cython.double = self.weight[0]
        e: cython.double
        p: cython.double
        i: cython.Py_ssize_t
        for i in range(rows):
            # Of a negative number: nothing overflows. Kept where the slope will be.
            self.slopes[first, i] = exp(-fabs(self.p[first, i]))
        for i in range(rows):
            if self.weight[i] != weight or product > 1e300:
                total += weight * log(product)
                weight = self.weight[i]
                product = 1
            product *= 1 + self.slopes[first, i]
            p = self.p[first, i]
            # Not fmax, which is a call.
            total += weight * ((p if p > 0 else 0.0) - self.y[0, i] * p)
        # By itself this loop becomes vector instructions.
        for i in range(rows):
            e = self.slopes[first, i]
            e = (1.0 if self.p[first, i] >= 0 else e) / (1 + e)
            self.slopes[first, i] = self.weight[i] * (e - self.y[0, i])
        return total + weight * log(product)


@cython.final
@cython.cclass
class SoftmaxKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        total: cython.double = 0
        highest: cython.double
        z: cython.double
        i: cython.Py_ssize_t
        k: cython.Py_ssize_t
        label: cython.Py_ssize_t
        for i in range(rows):
            highest = self.p[first, i]
            for k in range(first + 1, first + outputs):
                highest = self.p[k, i] if self.p[k, i] > highest else highest
            z = 0
            for k in range(first, first + outputs):
                self.slopes[k, i] = exp(self.p[k, i] - highest)
                z += self.slopes[k, i]
            label = first + cython.cast(cython.Py_ssize_t, self.y[0, i])
            total += self.weight[i] * (log(z) + highest - self.p[label, i])
            for k in range(first, first + outputs):
                self.slopes[k, i] *= self.weight[i] / z
            self.slopes[label, i] -= self.weight[i]
        return total


@cython.final
@cython.cclass
class HingeKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def point(self, y: cython.double, p: cython.double) -> Point:
        sign: cython.double = 2 * y - 1
        missing: cython.double = 1 - sign * p
        return Point(missing, -sign) if missing > 0 else Point(0.0, 0.0)


@cython.final
@cython.cclass
class WestonWatkinsKernel(LossKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        total: cython.double = 0
        missing: cython.double
        i: cython.Py_ssize_t
        k: cython.Py_ssize_t
        label: cython.Py_ssize_t
        for i in range(rows):
            label = first + cython.cast(cython.Py_ssize_t, self.y[0, i])
            self.slopes[label, i] = 0
            for k in range(first, first + outputs):
                if k != label:
                    missing = self.p[k, i] - self.p[label, i] + 1
                    if missing > 0:
                        total += self.weight[i] * missing
                        self.slopes[k, i] = self.weight[i]
                        self.slopes[label, i] -= self.weight[i]
                    else:
                        self.slopes[k, i] = 0
        return total


class Loss(BaseEstimator):
    """Base of all losses.

    Attributes
    ----------
    kinds : tuple of str
        The estimators the loss is for, "regressor" or "classifier".
    """

    kinds = ()

    def kernel(self, n_outputs):
        """The compiled formula for a model of `n_outputs` outputs."""
        raise NotImplementedError

    def curvature(self, n_outputs):
        """A bound on the second derivative in the prediction; 1 for a loss with corners."""
        return 1.0

    def units(self, targets):
        """Origin and unit of the predictions, and of the loss, given the moments of the targets.

        Three arrays with an entry an output: in coordinates that fit the data
        a prediction is ``origin + unit * q``, and the loss is of the order of
        ``energy``. None where predictions have no unit.
        """
        return None


class SquaredError(Loss):
    r"""Half the squared error, :math:`\frac12 (y - p)^2`, summed over the outputs.

    Examples
    --------
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.losses import SquaredError
    >>> model = GDRegressor(loss=SquaredError(), tol=None).fit([[0.0], [1.0]], [1.0, 3.0])
    >>> model.n_iter_
    100
    """

    kinds = ("regressor",)

    def kernel(self, n_outputs):
        return SquaredErrorKernel()

    def units(self, targets):
        variance = np.where(targets.is_constant(), 1.0, targets.variance)
        return targets.mean, np.sqrt(variance), variance


class LogLoss(Loss):
    r"""Logistic loss: the negative log-likelihood of the labels.

    With two classes, and the score :math:`p` of the second,
    :math:`\log(1 + e^{p}) - y p`; with more, the softmax (multinomial) loss
    :math:`\log \sum_j e^{p_j} - p_y`. Gives ``predict_proba``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_gd import GDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> GDClassifier(loss="log_loss", random_state=0).fit(X, y).predict_proba(X[:1]).shape
    (1, 3)
    """

    kinds = ("classifier",)

    def kernel(self, n_outputs):
        return BinomialKernel() if n_outputs == 1 else SoftmaxKernel()

    def curvature(self, n_outputs):
        # The Hessian of softmax is below half the identity (Böhning, 1992).
        return 0.25 if n_outputs == 1 else 0.5

    def probabilities(self, scores):
        """Class probabilities, (n_samples, n_classes), of decision scores."""
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def log_probabilities(self, scores):
        """Their logarithms, finite where the probabilities are zero to rounding."""
        if scores.ndim == 1:
            return np.column_stack([log_expit(-scores), log_expit(scores)])
        return log_softmax(scores, axis=1)


class Hinge(Loss):
    r"""Hinge loss: the loss of the linear support vector machine.

    With two classes :math:`\max(0, 1 \mp p)`; with more, the Weston–Watkins
    loss :math:`\sum_{j \ne y} \max(0, p_j - p_y + 1)`.

    References
    ----------
    Weston, J. & Watkins, C. (1999). Support vector machines for multi-class
    pattern recognition. ESANN.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_gd import GDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(GDClassifier(loss="hinge", random_state=0).fit(X, y).score(X, y) > 0.9)
    True
    """

    kinds = ("classifier",)

    def kernel(self, n_outputs):
        return HingeKernel() if n_outputs == 1 else WestonWatkinsKernel()
