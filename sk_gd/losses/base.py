# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Loss (what users see and tune) and LossKernel (its formula): the base of all losses.

``Loss.kernel(n_outputs)`` gives the compiled formula, which is evaluated on a block of rows at a
time.
"""

import cython
import numpy as np

from ..parameters import Parameters, comes_first
from .links import predictions_of

# The step of finite differences of slopes, in the unit of the predictions.
STEP = 1e-4

if cython.compiled:
    from cython.cimports.sk_gd.losses.exponentials import exponentials as compiled_exponentials
    from cython.cimports.sk_gd.losses.exponentials import logistics as compiled_logistics
else:
    from math import exp, fabs, log

    Point = cython.struct(value=cython.double, slope=cython.double)


@cython.cclass
class LossKernel:
    """The compiled formula of a loss; a subclass writes `point`, or `evaluate` if outputs mix.

    `bind` sets the buffers that it works on. Each has a column for each row of data: targets
    `y` (targets × rows), predictions `p` (outputs × rows), weights, and `slopes`
    (outputs × rows), which the kernel fills. If outputs do not mix, `totals` has the share of
    each output in the sum.
    """

    def bind(self, y, p, weight, slopes):
        """Work on these buffers from now on."""
        n = p.shape[1]
        if n < 1 or (y.shape[1], weight.shape[0], *slopes.shape) != (n, n, *p.shape):
            raise ValueError(
                f"Predictions of shape {p.shape} need as many targets, weights and slopes. Got the "
                f"shapes {y.shape}, {weight.shape} and {slopes.shape} instead."
            )
        self.y = y
        self.p = p
        self.weight = weight
        self.slopes = slopes
        self.totals = np.zeros(p.shape[0])

    def total(self, y, p, weight):
        """Weighted sum of the loss for predictions `p` (outputs × rows) of `y` (targets × rows)."""
        self.bind(y, p, weight, np.empty_like(p))
        return self.evaluate(0, p.shape[0], p.shape[1]) + self.rest(0)

    def slope(self, y, p):
        """Slopes of the loss at the predictions `p` (outputs × rows) of `y`."""
        self.bind(y, p, np.ones(p.shape[1]), np.empty_like(p))
        self.evaluate(0, p.shape[0], p.shape[1])
        return np.asarray(self.slopes)

    def point(self, y, p):
        """Loss and slope for one prediction `p` of one target `y`."""
        return Point(0.0, 0.0)

    def evaluate(self, first, outputs, rows):
        """Weighted sum of the loss over the first `rows` columns; also fills weighted slopes.

        The predictions of the model are `outputs` rows of the buffer, from row `first` on.
        """
        total: cython.double = 0
        point: Point
        k: cython.Py_ssize_t
        i: cython.Py_ssize_t
        if outputs > self.y.shape[0]:
            with cython.gil:
                raise ValueError(
                    "This loss needs a target for every output. Got classes instead: a loss for "
                    "more than two classes compares their scores."
                )
        for k in range(outputs):
            self.totals[first + k] = 0
            for i in range(rows):
                point = self.point(self.y[k, i], self.p[first + k, i])
                self.totals[first + k] += self.weight[i] * point.value
                self.slopes[first + k, i] = self.weight[i] * point.slope
            total += self.totals[first + k]
        return total

    def rest(self, first):
        """What `evaluate` has left out of its sums, for the model whose row is `first`.

        The sum of the values of all calls is the sum of the loss only with the rest. It begins
        anew: the next call returns what was left out since.
        """
        return 0.0


def exponentials(numbers, row, n):
    """Replace the first `n` numbers of a row by their exponentials."""
    check_length(numbers, row, n)
    if cython.compiled:
        compiled_exponentials(numbers, row, n)
    else:
        for i in range(n):
            numbers[row, i] = exp(numbers[row, i])
    return 0


def logistics(numbers, row, weight, n, held):
    """Replace the first `n` numbers of a row by their logistic function 1 / (1 + exp(-x)).

    Returns the weighted sum of its integral, log(1 + exp(x)). If compiled, logarithms are left for
    later: ``held[row]`` has a weight and a product, at first any weight and one.
    """
    check_length(numbers, row, n)
    if n > weight.shape[0]:
        with cython.gil:
            raise IndexError(f"There are no {n} weights.")
    if cython.compiled:
        return compiled_logistics(numbers, row, weight, n, held)
    else:
        total = 0.0
        for i in range(n):
            x = numbers[row, i]
            # The exponent is negative, so that nothing overflows.
            e = exp(-fabs(x))
            total += weight[i] * (max(x, 0.0) + log(1 + e))
            numbers[row, i] = (1.0 if x >= 0 else e) / (1 + e)
        return total


def check_length(numbers, row, n):
    """Raise an IndexError unless there are so many numbers in the row."""
    if not (0 <= row < numbers.shape[0] and n <= numbers.shape[1]):
        with cython.gil:
            raise IndexError(f"There are no {n} numbers in row {row}.")
    return 0


@cython.final
@cython.cclass
class NumpyKernel(LossKernel):
    """The formula of a loss that a user has written in numpy."""

    def __init__(self, loss):
        self.loss = loss
        self.asked = False

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def evaluate(
        self, first: cython.Py_ssize_t, outputs: cython.Py_ssize_t, rows: cython.Py_ssize_t
    ) -> cython.double:
        total: cython.double = 0
        k: cython.Py_ssize_t
        with cython.gil:
            weight = np.asarray(self.weight)[:rows]
            y = np.asarray(self.y)[:, :rows]
            p = np.asarray(self.p)[first : first + outputs, :rows]
            slopes = np.asarray(self.slopes)[first : first + outputs, :rows]
            if len(y) == outputs:
                for k in range(outputs):
                    value, slope = self.ask(y[k], p[k])
                    self.totals[first + k] = weight @ value
                    total += self.totals[first + k]
                    slopes[k] = weight * slope
            else:
                value, slope = self.ask_about_classes(y[0].astype(np.intp), p.T)
                total = weight @ value
                slopes[:] = weight * slope.T
        return total

    def ask(self, y, p):
        """Call the user's methods: the losses of the rows, and their slopes."""
        y.flags.writeable = p.flags.writeable = False
        value = self.checked("value", self.loss.value(y, p), y.shape)
        slope = self.checked("gradient", self.loss.gradient(y, p), p.shape)
        if not self.asked:
            self.asked = True
            self.check_numbers("value", value, y, p)
            self.check_numbers("gradient", slope, y, p)
        return value, slope

    def ask_about_classes(self, y, p):
        """`ask` with more than two classes, for which the arrays have other shapes."""
        try:
            return self.ask(y, p)
        except ValueError as error:
            if "broadcast" not in str(error):
                raise
            raise ValueError(
                f"{type(self.loss).__name__} must work on more than two classes. Then p has a "
                f"column for each class, here the shape {p.shape}, and y has the indices of the "
                f"classes, of shape {y.shape}. Got the error: {error}"
            ) from error

    def checked(self, method, answer, shape):
        """The `answer` of a user's method as an array, which must have this shape."""
        answer = np.asarray(answer)
        if answer.shape != shape or answer.dtype.kind not in "fiub":
            raise ValueError(
                f"{type(self.loss).__name__}.{method} must return real numbers of shape {shape}. "
                f"Got an array of {answer.dtype} of shape {answer.shape} instead."
            )
        return answer

    def check_numbers(self, method, answer, y, p):
        """Raise a ValueError for NaN at finite predictions: no learning rate is to blame."""
        wrong = np.isnan(answer).nonzero()[0]
        if wrong.size and np.isfinite(p).all():
            i = wrong[0]
            raise ValueError(
                f"{type(self.loss).__name__}.{method} must return numbers. Got NaN for the target "
                f"{y[i]} and the prediction {p[i]} instead."
            )


class Loss(Parameters):
    """Base of all losses, and of your own.

    To write your own loss, subclass `Loss`, say in ``kinds`` what it is for, and define the
    two methods `value` and `gradient`, in numpy. Both are given the targets `y` and the raw
    predictions `p` of some rows, read-only:

    * In regression `p` and `y` have shape ``(n,)``. With several outputs the methods are
      called for each output, and the losses are added.
    * With two classes the shapes are the same; `y` is 0 or 1, and `p` is the score of class 1.
    * With more classes `y` has the indices of the classes, integers of shape ``(n,)``, and `p`
      has the scores, of shape ``(n, n_classes)``.

    ``value(y, p)`` returns the loss of every row, of shape ``(n,)``, and ``gradient(y, p)`` its
    derivatives with respect to `p`, of the shape of `p`. `sk_gd.check_gradient` compares the
    two. Both are called with the GIL, once for each block of rows: choose a `batch_size` that
    is not too small.

    Parameters are the arguments of ``__init__``, stored under their names, so
    that ``get_params``, ``clone`` and ``GridSearchCV`` over ``loss__epsilon``
    work. The other methods have defaults that suit a loss of the residual. A loss with a link
    function defines ``response(p)``, too, which returns the predictions for raw predictions.

    Attributes
    ----------
    kinds : tuple of str
        The estimators that the loss is for: "regressor", "classifier".
    domain : str
        The targets that the loss is defined for, as an error message calls them.
    relative : bool
        Whether the loss stays the same if one number is added to the scores of all
        classes. The intercepts of the classes then have the mean zero.
    suits_full_batch : bool
        Whether ``optimizer="auto"`` trains on full batches, by methods that compare the
        gradients of successive steps: the loss is smooth, or these methods come closer to the
        minimum in spite of its corners. False unless you say so.
    has_corners : bool
        Whether the slope jumps. The second derivative then says nothing of the minimum.
    curvature_jumps : bool
        Whether the second derivative of a loss without corners jumps.
    softmax : bool
        Whether it is the negative log-likelihood of the classes, with the probabilities that are
        the softmax of the scores.
    robust : bool
        Whether the loss limits the influence of outliers. The unit of the targets, in which
        learning rates and the strength of ``alpha="auto"`` are measured, is then that of most
        of the targets: those far from the median are moved to four deviations from it.
    quadratic : bool
        Whether the loss is half the squared error. It only depends on the means and
        covariances of the data, so that full batches read the data once.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd import GDRegressor, check_gradient
    >>> from sk_gd.losses import Loss
    >>> class LogCosh(Loss):
    ...     kinds = ("regressor",)
    ...     def value(self, y, p):
    ...         return np.logaddexp(p - y, y - p) - np.log(2)
    ...     def gradient(self, y, p):
    ...         return np.tanh(p - y)
    >>> X, y = np.arange(6.0)[:, None], 2 * np.arange(6.0) + 1
    >>> check_gradient(LogCosh(), X, y, random_state=0).error < 1e-6
    True
    >>> model = GDRegressor(loss=LogCosh(), max_iter=300, tol=None).fit(X, y)
    >>> bool(abs(model.coef_[0] - 2) < 0.1)
    True
    """

    kinds: tuple[str, ...] = ()
    domain: str = "real numbers"
    relative = False
    suits_full_batch = False
    softmax = False
    has_corners = False
    curvature_jumps = False
    robust = False
    quadratic = False

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        # A subclass of a compiled loss that defines a formula must not inherit the compiled
        # kernel, which would never call it.
        if comes_first(cls, "value", "kernel") or comes_first(cls, "gradient", "kernel"):
            cls.kernel, cls.second_derivatives = Loss.kernel, Loss.second_derivatives
            if "suits_full_batch" not in vars(cls):
                cls.suits_full_batch = False

    def check(self):
        """Raise a ValueError if a parameter is out of its range."""

    def value(self, y, p):
        """The loss of every row, (n,)."""
        raise NotImplementedError

    def gradient(self, y, p):
        """The derivatives of the losses with respect to `p`, of the shape of `p`."""
        raise NotImplementedError

    def kernel(self, n_outputs):
        """The compiled formula for a model of `n_outputs` outputs."""
        if type(self).value is Loss.value or type(self).gradient is Loss.gradient:
            raise TypeError(
                f"{type(self).__name__} has no value or no gradient: a loss of your own defines "
                "value(y, p), the loss of every row, and gradient(y, p), its derivatives in p."
            )
        return NumpyKernel(self)

    def allows(self, y):
        """Which of the targets `y` the loss is defined for."""
        return np.ones(np.shape(y), dtype=bool)

    def response(self, p):
        """The predictions for raw predictions `p`: `p` itself if there is no link function."""
        return p

    def curvature(self, n_outputs, targets=None):
        """The second derivative with respect to the prediction, for the learning rate.

        It is an upper bound where there is one that is close. The default is 1 for classes.
        For numbers, `targets` has ``mean``, ``variance`` and ``deviation``, arrays with an entry
        for each output. The default is then the mean of the second derivative within one
        deviation of the mean: exact for a parabola, and useful for losses with corners or
        straight parts. If there is a link function, predictions of these means are taken.
        """
        if targets is None:
            return 1.0
        middle, apart = self._middle(targets)
        y = np.repeat(targets.mean[:, None], 2, axis=1)
        kernel = self.kernel(n_outputs)
        change = kernel.slope(y, middle[:, None] + apart[:, None] * [-1.0, 1.0]) @ [-0.5, 0.5]
        # Where the loss is flat that far, take it to have a corner in the middle.
        return np.where(change > 0, change, 1.0) / apart

    def _middle(self, targets):
        """The raw predictions of the mean targets, and how far it is to one deviation more."""
        if type(self).response is Loss.response:
            return targets.mean, targets.deviation
        return predictions_of(self.response, targets.mean, targets.deviation)

    def typical_curvature(self, n_outputs, targets=None):
        """The second derivative of most rows: the unit of the strength of ``alpha="auto"``.

        By default it is `curvature`.
        """
        return self.curvature(n_outputs, targets)

    def second_derivatives(self, y, p, unit):
        """The second derivatives of the losses at the predictions `p` (outputs × rows) of `y`.

        Yields for every output an array of the shape of ``p[k:]``: the derivatives of the slopes
        of this output k, and of those after it, in its prediction. By default they are finite
        differences; `unit` has the size of the predictions of every output.
        """
        kernel = self.kernel(len(p))
        for k in range(len(p)):
            step = np.zeros((len(p), 1))
            step[k] = STEP * unit[k]
            found = kernel.slope(y, p + step)[k:] - kernel.slope(y, p - step)[k:]
            found /= 2 * step[k]
            yield found

    def units(self, targets=None):
        """Origin and unit of the predictions, and the loss scale, from moments of the targets.

        Three arrays with an entry for each output. In coordinates that fit the data a
        prediction is ``origin + unit * q``, and the loss is of the order of ``loss_scale``.
        None for classes, whose scores have no unit.
        """
        if targets is None:
            return None
        middle, apart = self._middle(targets)
        return middle, apart, self.curvature(len(apart), targets) * apart**2

    def log_probabilities(self, scores):
        """The logarithms of `probabilities`, for a loss that has this method."""
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities(scores))
