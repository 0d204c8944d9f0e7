# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Penalty (what is configured) and PenaltyKernel (its formulas): the base of all penalties.

A `Penalty` holds strengths. ``Penalty.kernel(size, loss_scale)`` gives its formulas in the
coordinates in which an optimizer works. Nothing here knows of optimizers or objectives: a rule
takes the proximal step, in its own metric.
"""

from ctypes import c_double

import cython
import numpy as np
from sklearn.base import BaseEstimator


@cython.cclass
class PenaltyKernel:
    """The formulas of a penalty, on one flat vector of weights in the optimizer's coordinates.

    A rule minimises the loss and the penalty divided by the loss scale. That is the unit of
    `smooth_value`, `add_gradient` and `prox`; `value` is the penalty itself.

    Attributes
    ----------
    n : int
        How many weights there are.
    has_gradient : bool
        Whether a part of the penalty is smooth and joins the gradient.
    has_prox : bool
        Whether a part of the penalty is left to a proximal step.
    """

    def __init__(self, n, has_gradient, has_prox):
        self.n = n
        self.has_gradient = has_gradient
        self.has_prox = has_prox

    def __call__(self, w):
        """`value`, from Python."""
        if np.shape(w) != (self.n,):
            raise ValueError(f"A penalty of {self.n} weights was given the shape {np.shape(w)}.")
        if cython.compiled:
            weights: cython.double[::1] = np.array(w, dtype=float)
            return self.value(cython.address(weights[0]))
        else:
            return self.value(w)

    def value(self, w):
        """The penalty at the weights `w`, in the units of the model's objective."""
        return 0.0

    def smooth_value(self, w):
        """The value of the part that `add_gradient` adds the gradient of."""
        return 0.0

    def add_gradient(self, w, loss, factor, g):
        """Write `factor` times `loss`, and the gradient of the smooth part at `w`, to `g`.

        `loss` is the gradient of the loss but for the factor. It may be in `g`.
        """
        j: cython.Py_ssize_t
        for j in range(self.n):
            g[j] = factor * loss[j]
        return 0

    def prox(self, w, steps):
        """Take the proximal step of the other part: change `w` in place.

        `steps` are the step sizes, one a weight: the new weights u minimise the sum of
        ``(u_j - w_j)**2 / (2 * steps_j)`` plus that part. Where a step is zero, w stays.
        """
        return 0


class Penalty(BaseEstimator):
    """Base of all penalties.

    A penalty is a function of the coefficients that the objective adds to the mean loss. It is
    smooth, or it has a proximal step (for corners and constraints), or it is the sum of both.

    A penalty in numpy is a subclass with some of the methods `value`, `gradient` and `prox`. All
    of them are given the coefficients times the sizes of their features, `coef`, as one flat
    vector, output after output and without the intercepts. They are called with the GIL, once a
    step.

    Parameters are the arguments of ``__init__``, stored under their names.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd.penalties import Penalty
    >>> class NonNegative(Penalty):
    ...     def prox(self, coef, steps):
    ...         return np.maximum(coef, 0)
    >>> NonNegative().smooth
    False
    """

    @property
    def smooth(self):
        """Whether the penalty has neither corners nor constraints."""
        return type(self).prox is Penalty.prox

    def check(self):
        """Raise a ValueError if a parameter is out of its range."""

    def value(self, coef):
        """The penalty, a float; zero for a constraint."""
        return 0.0

    def smooth_value(self, coef):
        """The value of the smooth part, for a penalty that has both parts."""
        return self.value(coef) if self.smooth else 0.0

    def gradient(self, coef):
        """The derivatives of the smooth part, of the shape of `coef`."""
        raise NotImplementedError

    def prox(self, coef, steps):
        """The proximal step of the part that is not smooth.

        Returns the vector u that minimises ``((u - coef)**2 / steps).sum() / 2`` plus this part
        of the penalty of u. `steps` has the shape of `coef`; an entry may be zero.
        """
        raise NotImplementedError

    def kernel(self, size, loss_scale, proximal=True):
        """The formulas in the coordinates of an optimizer.

        Parameters
        ----------
        size : ndarray
            How large a penalised coefficient one unit of each weight is; 0 for an intercept.
        loss_scale : ndarray
            The loss that is one in the optimizer's units, an entry a weight.
        proximal : bool
            Whether the rule takes proximal steps. If not, a subgradient of the part that is
            not smooth joins the gradient.

        Returns
        -------
        PenaltyKernel
            The formulas.
        """
        name = type(self).__name__
        has_gradient = type(self).gradient is not Penalty.gradient
        if self.smooth and not has_gradient:
            raise TypeError(f"{name} has no formula: a penalty defines gradient, prox, or both.")
        if not (self.smooth or proximal):
            raise ValueError(
                f"{name} needs a proximal step, and the rule of the optimizer has no metric to "
                "take it in. Use another optimizer, such as 'adam'."
            )
        if has_gradient and np.ptp(loss_scale[size > 0]) > 0:
            raise ValueError(
                f"The smooth part of {name} needs one loss scale for all outputs. Got "
                f"{np.unique(loss_scale[size > 0])} instead; use precondition=None."
            )
        return NumpyPenalty(self, size, loss_scale, has_gradient, not self.smooth)

    def slope(self, size, loss_scale):
        """How steep the part that is not smooth is for every weight, in any unit.

        A rule that has added up such slopes continues with them in other coordinates.

        Parameters
        ----------
        size, loss_scale : ndarray
            As for `kernel`.

        Returns
        -------
        ndarray
            By default the slope of a coefficient is one.
        """
        return size / loss_scale

    def curvature(self, size, loss_scale):
        """The second derivative of the smooth part for every weight, for the learning rate.

        Parameters
        ----------
        size, loss_scale : ndarray
            As for `kernel`.

        Returns
        -------
        ndarray
            An upper bound for each weight, zero by default.
        """
        return np.zeros(len(size))


@cython.final
@cython.cclass
class NumpyPenalty(PenaltyKernel):
    """The formulas of a penalty that is written in numpy."""

    def __init__(self, penalty, size, loss_scale, has_gradient, has_prox):
        PenaltyKernel.__init__(self, len(size), has_gradient, has_prox)
        self.penalty = penalty
        self.penalised = np.flatnonzero(size)
        self.size = np.asarray(size)[self.penalised]
        self.loss_scale = np.asarray(loss_scale)[self.penalised]

    def array(self, w):
        """The weights at an address as an array."""
        if cython.compiled:
            address = cython.cast(cython.size_t, w)
            return np.frombuffer((c_double * self.n).from_address(address))
        else:
            return w

    def coefficients(self, w):
        """The penalised coefficients of the weights, an array."""
        return w[self.penalised] * self.size

    def value(self, w):
        with cython.gil:
            return self.penalty.value(self.coefficients(self.array(w)))

    def smooth_value(self, w):
        with cython.gil:
            if not self.has_gradient:
                return 0.0
            return self.penalty.smooth_value(self.coefficients(self.array(w))) / self.loss_scale[0]

    def add_gradient(self, w, loss, factor, g):
        PenaltyKernel.add_gradient(self, w, loss, factor, g)
        if self.has_gradient:
            with cython.gil:
                gradient = self.penalty.gradient(self.coefficients(self.array(w)))
                # In compiled code an address: the array is a view of it.
                total = self.array(g)
                total[self.penalised] += gradient * self.size / self.loss_scale
        return 0

    def prox(self, w, steps):
        if self.has_prox:
            with cython.gil:
                weights = np.asarray(w)
                # Of the coefficients: a weight moves by its step, a coefficient by `size` times it.
                metric = np.asarray(steps)[self.penalised] * self.size**2 / self.loss_scale
                coef = self.penalty.prox(self.coefficients(weights), metric)
                weights[self.penalised] = coef / self.size
        return 0
