# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The losses for classification."""

import cython
import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

if cython.compiled:
    from cython.cimports.libc.math import log
    from cython.cimports.sk_gd.clones import cloned_double
    from cython.cimports.sk_gd.losses.base import LossKernel, Point
    from cython.cimports.sk_gd.losses.exponentials import exponentials, logistics

    from .base import Loss
else:
    from math import log

    from .base import Loss, LossKernel, Point, exponentials, logistics

    cloned_double = cython.double


@cython.cfunc
@cython.nogil
@cython.exceptval(-1, check=False)
@cython.inline
def class_of(y: cython.double, outputs: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """The class whose index is the target `y`."""
    if not 0 <= y < outputs:
        with cython.gil:
            raise ValueError(
                f"This loss needs the indices of {outputs} classes as targets. Got {y} instead."
            )
    return cython.cast(cython.Py_ssize_t, y)


@cython.final
@cython.cclass
class BinomialKernel(LossKernel):
    # For each model a weight, and a product whose logarithm is not in the sums yet.
    held: cython.double[:, ::1]

    def bind(self, y, p, weight, slopes):
        LossKernel.bind(self, y, p, weight, slopes)
        self.held = np.ones((p.shape[0], 2))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        # The compiler writes the formula twice: for a single row it has no loops.
        return self.sum(first, 1) if rows == 1 else self.sum_many(first, rows)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def sum_many(self, first: cython.Py_ssize_t, rows: cython.Py_ssize_t) -> cloned_double:
        return self.sum(first, rows)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.inline
    def sum(self, first: cython.Py_ssize_t, rows: cython.Py_ssize_t) -> cython.double:
        """`evaluate`, for the one output that there is."""
        total: cython.double
        i: cython.Py_ssize_t
        # For the scores of the wrong class this is log(1 + exp(p)), with the logistic function as
        # its slope. The loops can be turned into vector instructions.
        for i in range(rows):
            self.slopes[first, i] = (1 - 2 * self.y[0, i]) * self.p[first, i]
        total = logistics(self.slopes, first, self.weight, rows, self.held)
        for i in range(rows):
            self.slopes[first, i] *= self.weight[i] * (1 - 2 * self.y[0, i])
        return total

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rest(self, first: cython.Py_ssize_t) -> cython.double:
        product: cython.double = self.held[first, 1]
        self.held[first, 1] = 1
        return 0.0 if product == 1 else self.held[first, 0] * log(product)


@cython.final
@cython.cclass
class SoftmaxKernel(LossKernel):
    # For each row of data the highest prediction, and the sum of the exponentials.
    highest: cython.double[::1]
    z: cython.double[::1]

    def bind(self, y, p, weight, slopes):
        LossKernel.bind(self, y, p, weight, slopes)
        self.highest = np.empty(p.shape[1])
        self.z = np.empty(p.shape[1])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        total: cython.double = 0
        # The logarithm is the slowest part of the loss. Rows of equal weight share one: the
        # logarithm of their product, which stays finite for a thousand rows.
        product: cython.double = 1
        weight: cython.double = self.weight[0]
        p: cython.double
        i: cython.Py_ssize_t
        k: cython.Py_ssize_t
        label: cython.Py_ssize_t
        # All loops run along the rows of data, which the compiler turns into vector instructions.
        for i in range(rows):
            self.highest[i] = self.p[first, i]
            self.z[i] = 0
        for k in range(first + 1, first + outputs):
            for i in range(rows):
                p = self.p[k, i]
                self.highest[i] = p if p > self.highest[i] else self.highest[i]
        for k in range(first, first + outputs):
            for i in range(rows):
                self.slopes[k, i] = self.p[k, i] - self.highest[i]
            exponentials(self.slopes, k, rows)
            for i in range(rows):
                self.z[i] += self.slopes[k, i]
        for i in range(rows):
            if self.weight[i] != weight or product > 1e300:
                total += weight * log(product)
                weight = self.weight[i]
                product = 1
            product *= self.z[i]
            label = first + class_of(self.y[0, i], outputs)
            total += weight * (self.highest[i] - self.p[label, i])
        for i in range(rows):
            self.z[i] = self.weight[i] / self.z[i]
        for k in range(first, first + outputs):
            for i in range(rows):
                self.slopes[k, i] *= self.z[i]
        for i in range(rows):
            label = first + class_of(self.y[0, i], outputs)
            self.slopes[label, i] -= self.weight[i]
        return total + weight * log(product)


class LogLoss(Loss):
    r"""Logistic loss: the negative log-likelihood of the labels.

    With two classes, it is :math:`\log(1 + e^{p}) - y p`, where :math:`p` is the score
    of the second class. With more, it is the softmax (multinomial) loss
    :math:`\log \sum_j e^{p_j} - p_y`. Models with this loss have ``predict_proba``.

    Good for classification with probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_gd import GDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> GDClassifier(loss="log_loss").fit(X, y).predict_proba(X[126:127]).round(1)
    array([[0. , 0.3, 0.7]])
    """

    kinds = ("classifier",)
    relative = True
    softmax = True
    suits_full_batch = True

    def kernel(self, n_outputs):
        return BinomialKernel() if n_outputs == 1 else SoftmaxKernel()

    def curvature(self, n_outputs, targets=None):
        # The Hessian of softmax is at most half the identity (Böhning, 1992).
        return 0.25 if n_outputs == 1 else 0.5

    def typical_curvature(self, n_outputs, targets=None):
        # Half of what it is for equal probabilities of two classes, since most rows have a class
        # that is more probable, and in the same way for more classes.
        return 1 / (4 * max(2, n_outputs))

    def second_derivatives(self, y, p, unit):
        q = expit(p) if len(p) == 1 else softmax(p, axis=0)
        for k, own in enumerate(q):
            found = -own * q[k:]
            found[0] += own
            yield found

    def probabilities(self, scores):
        """Class probabilities, (n_samples, n_classes), of decision scores."""
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def log_probabilities(self, scores):
        """Logarithms of the probabilities; finite even if a probability is rounded to zero."""
        if scores.ndim == 1:
            return np.column_stack([log_expit(-scores), log_expit(scores)])
        return log_softmax(scores, axis=1)


@cython.cclass
class MarginKernel(LossKernel):
    """A loss of the margins; a subclass writes `margin`.

    With two classes the margin is the score, with the sign of the right class. With more
    classes every wrong class has a margin: the score of the right class minus its score. The
    losses of the margins are added.
    """

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def margin(self, z: cython.double) -> Point:
        """Loss and slope for one margin."""
        return Point(0.0, 0.0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        total: cython.double = 0
        sign: cython.double
        slope: cython.double
        point: Point
        i: cython.Py_ssize_t
        k: cython.Py_ssize_t
        label: cython.Py_ssize_t
        for i in range(rows):
            if outputs == 1:
                sign = 2 * self.y[0, i] - 1
                point = self.margin(sign * self.p[first, i])
                total += self.weight[i] * point.value
                self.slopes[first, i] = self.weight[i] * sign * point.slope
            else:
                label = first + class_of(self.y[0, i], outputs)
                self.slopes[label, i] = 0
                for k in range(first, first + outputs):
                    if k != label:
                        point = self.margin(self.p[label, i] - self.p[k, i])
                        total += self.weight[i] * point.value
                        slope = self.weight[i] * point.slope
                        self.slopes[k, i] = -slope
                        self.slopes[label, i] += slope
        return total


class MarginLoss(Loss):
    """Base of the losses that depend on margins."""

    kinds = ("classifier",)
    relative = True
    max_second_derivative = None

    def curvature(self, n_outputs, targets=None):
        """The largest second derivative of a margin, times the largest factor of all margins.

        With K classes this factor, an eigenvalue, is K. If the loss has corners, 1 is returned.
        """
        return 1.0 if self.has_corners else self.max_second_derivative * max(n_outputs, 1)

    @property
    def has_corners(self):
        """Whether the loss has corners."""
        return self.max_second_derivative is None

    @property
    def suits_full_batch(self):
        """Whether the loss is smooth. With corners, mini-batches are as good, sooner."""
        return not self.has_corners

    @property
    def curvature_jumps(self):
        """Whether the second derivative jumps: it is zero beyond the margin."""
        return not self.has_corners

    def typical_curvature(self, n_outputs, targets=None):
        return self.max_second_derivative or 0.25

    def second_derivatives(self, y, p, unit):
        if len(p) == 1:
            return (yield from Loss.second_derivatives(self, y, p, unit))
        # To move each score in turn would take as long as many epochs: each margin is moved once.
        right = y == np.arange(len(p))[:, None]
        margins = (np.sum(p, axis=0, where=right) - p).reshape(1, -1)
        of_margins = Loss.second_derivatives(self, np.ones_like(margins), margins, unit)
        found = np.where(right, 0.0, next(of_margins).reshape(p.shape))
        own = np.where(right, found.sum(axis=0), found)
        for k in range(len(p)):
            mixed = -(right[k] * found[k:] + right[k:] * found[k])
            mixed[0] = own[k]
            yield mixed


@cython.final
@cython.cclass
class HingeKernel(MarginKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def margin(self, z: cython.double) -> Point:
        return Point(1 - z, -1.0) if z < 1 else Point(0.0, 0.0)


class Hinge(MarginLoss):
    r"""Hinge loss: the loss of the linear support vector machine.

    With two classes, it is :math:`\max(0, 1 \mp p)`. With more, it is the
    Weston–Watkins loss :math:`\sum_{j \ne y} \max(0, p_j - p_y + 1)`.

    Good for predicting classes, if no probabilities are needed.

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

    def kernel(self, n_outputs):
        return HingeKernel()


@cython.final
@cython.cclass
class SquaredHingeKernel(MarginKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def margin(self, z: cython.double) -> Point:
        return Point((1 - z) * (1 - z), 2 * (z - 1)) if z < 1 else Point(0.0, 0.0)


class SquaredHinge(MarginLoss):
    r"""Squared hinge loss: a support vector machine with a smooth loss.

    With two classes, it is :math:`\max(0, 1 \mp p)^2`, as in ``LinearSVC``. With more,
    it is the sum over the wrong classes
    :math:`\sum_{j \ne y} \max(0, p_j - p_y + 1)^2`. A mislabelled row has the more
    influence, the further it is on the wrong side. `ModifiedHuber` limits this
    influence.

    Good for the same task as `Hinge`, and faster to train.

    References
    ----------
    Chang, K.-W., Hsieh, C.-J. & Lin, C.-J. (2008). Coordinate descent method
    for large-scale L2-loss linear support vector machines. JMLR 9, 1369-1398.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_gd import GDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(GDClassifier(loss="squared_hinge", random_state=0).fit(X, y).score(X, y) > 0.9)
    True
    """

    max_second_derivative = 2.0

    def kernel(self, n_outputs):
        return SquaredHingeKernel()


@cython.final
@cython.cclass
class ModifiedHuberKernel(MarginKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def margin(self, z: cython.double) -> Point:
        if z >= 1:
            return Point(0.0, 0.0)
        return Point((1 - z) * (1 - z), 2 * (z - 1)) if z > -1 else Point(-4 * z, -4.0)


class ModifiedHuber(MarginLoss):
    r"""Squared hinge loss that is linear far on the wrong side; with probabilities.

    Let :math:`\phi(z) = \max(0, 1 - z)^2` for margins :math:`z \ge -1`, and
    :math:`-4 z` below. With two classes, the loss is :math:`\phi(\pm p)`. With more, it
    is :math:`\sum_{j \ne y} \phi(p_y - p_j)`. It is smooth.

    ``predict_proba`` returns the probabilities for which these scores minimise the
    expected loss. With two classes, they are :math:`(1 + p) / 2`, clipped to 0 and 1, as
    in ``SGDClassifier``. With more, they satisfy the balance
    :math:`\sum_j P_j \phi'(p_j - p_k) = P_k \sum_j \phi'(p_k - p_j)` for all classes k.
    Probabilities can be exactly zero, and their logarithms infinite.

    Good for data with mislabelled rows, if probabilities are needed.

    References
    ----------
    Zhang, T. (2004). Statistical behavior and consistency of classification
    methods based on convex risk minimization. Annals of Statistics 32(1),
    56-85. doi:10.1214/aos/1079120130

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_gd import GDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GDClassifier(loss="modified_huber", random_state=0).fit(X, y)
    >>> model.predict_proba(X[:1]).round(2)
    array([[1., 0., 0.]])
    """

    max_second_derivative = 2.0

    def kernel(self, n_outputs):
        return ModifiedHuberKernel()

    def probabilities(self, scores):
        """Class probabilities, (n_samples, n_classes), of decision scores."""
        if scores.ndim == 1:
            second = (np.clip(scores, -1, 1) + 1) / 2
            return np.column_stack([1 - second, second])
        return _balance(np.clip(1 + (scores[:, None, :] - scores[:, :, None]), 0, 2), scores)


def _balance(rates, scores):
    """Stationary distributions of Markov chains with these `rates` (rows × from × to).

    The states are eliminated one by one, those with low scores first, since the rate from a
    state to a higher one is positive. Nothing is subtracted, so nothing cancels.

    References
    ----------
    Grassmann, W. K., Taksar, M. I. & Heyman, D. P. (1985). Regenerative analysis
    and steady state distributions for Markov chains. Operations Research 33(5).
    doi:10.1287/opre.33.5.1107
    """
    n, k = scores.shape
    order = np.argsort(scores, axis=1)
    rows = np.arange(n)[:, None]
    rates = rates[rows[:, :, None], order[:, :, None], order[:, None, :]].astype(float)
    for state in range(k - 1):
        rest = slice(state + 1, k)
        rates[:, rest, state] /= rates[:, state, rest].sum(axis=1)[:, None]
        rates[:, rest, rest] += rates[:, rest, state, None] * rates[:, state, None, rest]
    share = np.zeros((n, k))
    share[:, k - 1] = 1
    for state in range(k - 2, -1, -1):
        rest = slice(state + 1, k)
        share[:, state] = (share[:, rest] * rates[:, rest, state]).sum(axis=1)
    probabilities = np.empty((n, k))
    probabilities[rows, order] = share / share.sum(axis=1)[:, None]
    return probabilities


@cython.final
@cython.cclass
class PerceptronKernel(MarginKernel):
    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def margin(self, z: cython.double) -> Point:
        # Rows on the plane itself count, too. Otherwise weights of zero would never change.
        return Point(-z, -1.0) if z <= 0 else Point(0.0, 0.0)


class Perceptron(MarginLoss):
    r"""The loss of the perceptron: only rows on the wrong side count.

    With two classes, it is :math:`\max(0, \mp p)`. With more, it is the sum over the
    wrong classes :math:`\sum_{j \ne y} \max(0, p_j - p_y)`. Plain descent with a batch
    of one is Rosenblatt's rule, which separates classes that can be separated linearly.
    If they cannot, the loss is smallest where all weights are zero. The model then
    depends on the path of training, and `Hinge` is the better choice.

    Good for classes that can be separated linearly, and for teaching.

    References
    ----------
    Rosenblatt, F. (1958). The perceptron: a probabilistic model for information
    storage and organization in the brain. Psychological Review 65(6), 386-408.
    doi:10.1037/h0042519

    Examples
    --------
    >>> from sk_gd import GDClassifier
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 0, 1]
    >>> model = GDClassifier("sgd", loss="perceptron", batch_size=1, alpha=0, tol=None)
    >>> model.fit(X, y).predict(X)
    array([0, 0, 0, 1])
    """

    def kernel(self, n_outputs):
        return PerceptronKernel()
