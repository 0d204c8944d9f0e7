"""The coordinates that an optimizer works in: a linear map between its weights and a model.

The objective is the same in all coordinates; only its geometry differs. A model
with coefficients W and intercept b is, for every output k,

    W_k = unit_k · scale * v_k,    b_k = origin_k + unit_k · c_k - shift · W_k,

so that its prediction is ``origin + unit · (z · v + c)`` with the features
``z = (x - shift) * scale``. With a `rotation` R, ``(v, c) = R u``. With `axes` A, x is not a row of
X itself, but its coordinates on the axes, ``((X - middle) / size) A``.
"""

import copy

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrf, dtrtri
from scipy.sparse.linalg import LinearOperator

from .._versions import not_loadable
from ..indices import chunks
from ..losses.checks import curvature_of, units_of
from ..penalties.elastic_net import check_strength
from .moments import SMALLEST_SQUARE

# Beyond this number of features the full matrix costs more than it saves.
MAX_WHITEN_FEATURES = 10_000


def __getattr__(name):
    """Refuse models of early versions, whose files name `Moments` by this address."""
    if name == "Moments":
        raise not_loadable("an early version", f"{__name__}.{name} has moved.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def coordinates_for(
    problem,
    statistics,
    precondition,
    *,
    fit_intercept=True,
    ridge=0.0,
    feature_size=1.0,
    centre=False,
):
    """The coordinates that `precondition` names.

    Parameters
    ----------
    problem : Problem
        The data; their loss gives the unit of the predictions and the curvature.
    statistics : Statistics
        The moments of features and targets.
    precondition : {"standardize", "balance", "components", "whiten"} or None
        None: raw coordinates.
    fit_intercept : bool
        Whether the model has an intercept.
    ridge : float
        Strength of the ridge penalty.
    feature_size : ndarray of shape (n_features,) or float
        What coefficients are multiplied by before they are penalised.
    centre : bool
        Whether to subtract the means of all features. With an intercept, means far from zero are
        always subtracted.

    Returns
    -------
    Coordinates
        The map.
    """
    n_features, n_outputs = problem.n_features, problem.targets.n_outputs
    curvature = curvature_of(problem.loss, "curvature", n_outputs, statistics.targets)
    coordinates = Coordinates(n_features, n_outputs, fit_intercept, curvature)
    coordinates.feature_size = feature_size
    if precondition is None:
        return coordinates
    features = statistics.features
    if precondition == "components":
        few = problem.components(features, feature_size, fit_intercept)
        coordinates.project(few)
        features, centre = few.moments, fit_intercept
    if fit_intercept and not centre:
        centre = features.is_far()
    units = units_of(problem.loss, n_outputs, statistics.targets)
    if units is not None:
        coordinates.measure_targets(units, curvature)
    if precondition in ("balance", "components"):
        typical = curvature_of(problem.loss, "typical_curvature", n_outputs, statistics.targets)
        return coordinates.balance(features, typical, ridge, centre=centre)
    coordinates.standardize(features, ridge, centre=centre)
    if precondition == "whiten":
        coordinates.whiten(features, ridge)
    return coordinates


def _variance(moments, centre):
    """The variance of every feature, or its mean square if it is not centred; 0 for a constant.

    `centre` says which of the features are centred, or whether all are.
    """
    centred = np.where(moments.is_constant(), 0.0, moments.variance)
    if centre is True:
        return centred
    square = np.maximum(moments.variance, 0.0) + moments.mean**2
    return np.where(centre, centred, np.where(square < SMALLEST_SQUARE, 0.0, square))


def _cholesky(matrix):
    """The lower Cholesky factor of a positive semi-definite matrix, which is overwritten.

    A direction without data and without ridge has no curvature. So a small share of the curvature
    of every feature is added, or a larger one if that is less than the rounding.
    """
    diagonal = np.einsum("jj->j", matrix)
    curvature = np.where(diagonal > np.sqrt(SMALLEST_SQUARE), diagonal, 1.0)
    for share in (1e-9, 1e-6, 1e-3):
        diagonal += share * curvature
        factor, failed = dpotrf(matrix, lower=True)
        if not failed:
            return factor
    raise ValueError(
        "precondition='whiten' needs a covariance matrix of X that is one beyond rounding. Got "
        "features whose numbers are too far apart; use precondition='standardize'."
    )


class Coordinates:
    """A linear map between the weights of an optimizer and a model.

    Attributes
    ----------
    n_outputs, n_features, n_columns : int
        A weight vector is (n_outputs, n_columns), flattened. The last column
        is the intercept, if there is one. A model has a coefficient for each of the features.
    intercept : bool
        Whether there is an intercept.
    axes : ndarray of shape (n_features, n_axes) or None
        Orthonormal columns. The features are then those of X minus `middle`, divided by their sizes
        and projected on the axes.
    middle : ndarray of shape (n_features,) or None
        What is subtracted from the features of X before they are projected.
    shift, scale : ndarray of shape (n_features,) or None
        Subtracted from the features, and multiplied with them; None in raw coordinates. A
        scale of zero leaves a feature out of the model.
    rotation : ndarray of shape (n_columns, n_columns) or None
        The matrix R of whitened coordinates.
    origin, unit : ndarray of shape (n_outputs,)
        A prediction of q in these coordinates is origin + unit · q.
    loss_scale : ndarray of shape (n_outputs,)
        The loss, in these coordinates, is divided by it.
    in_units : bool
        Whether origin and unit differ from zero and one.
    curvature : float
        Bound on the second derivative of the loss in the prediction, in these coordinates.
    feature_size : ndarray of shape (n_features,) or float
        What coefficients are multiplied by before they are penalised.
    """

    feature_size = 1.0
    axes = middle = None

    def __init__(self, n_features, n_outputs, intercept, curvature=1.0):
        self.n_features = n_features
        self.n_outputs = n_outputs
        self.intercept = intercept
        self.n_columns = n_features + intercept
        self.shift = None
        self.scale = None
        self.rotation = None
        self.in_units = False
        self.origin = np.zeros(n_outputs)
        self.unit = self.loss_scale = np.ones(n_outputs)
        self.curvature = float(np.asarray(curvature).max())

    @property
    def n_axes(self):
        """Number of features in these coordinates."""
        return self.n_columns - self.intercept

    def project(self, components):
        """Project the rows on the axes of `components`."""
        self.axes, self.middle = components.axes, components.middle
        self.n_columns = self.axes.shape[1] + self.intercept

    def measure_targets(self, units, curvature):
        """Measure predictions and losses in these `units`.

        `curvature` is that of the loss in the raw prediction.
        """
        self.unit, self.loss_scale = units.unit, units.loss_scale
        if self.intercept:
            self.origin = units.origin
        self.in_units = True
        self.curvature = float((curvature * self.unit**2 / self.loss_scale).max())

    def standardize(self, moments, ridge, *, centre):
        """Divide features by their standard deviation, or by their root mean square.

        They are divided by the standard deviation if they are centred. `ridge` is the strength of
        the ridge. Where its curvature is larger than that of the data, it sets the scale of the
        feature: otherwise a step that suits the data would be too long for the ridge.
        """
        stiffest = (self.unit / np.sqrt(self.loss_scale)).max() * self.feature_size
        with np.errstate(over="ignore"):
            stiffest = np.sqrt(ridge / self.curvature) * stiffest
        check_strength(stiffest)
        variance = _variance(moments, centre)
        deviation = np.maximum(np.sqrt(np.maximum(variance, 0.0)), stiffest)
        return self._measure_features(moments, variance, deviation, centre)

    def _measure_features(self, moments, variance, deviation, centre):
        """Subtract the means of features, and divide those that vary by `deviation`."""
        self.shift = moments.mean if centre is True else np.where(centre, moments.mean, 0.0)
        self.scale = 1 / np.where(variance == 0, 1.0, deviation)
        return self

    def omit_constants(self, moments):
        """Leave constant features out of the model, since there is an intercept.

        Their gradients are zero, but would be computed as the rounding of sums that cancel.
        """
        # Along axes no coordinate is constant.
        if self.scale is not None and self.intercept and self.axes is None:
            self.scale = np.where(moments.is_constant(), 0.0, self.scale)

    def balance(self, moments, curvature, ridge, *, centre):
        """Scale features so that loss and ridge together have about the same curvature along all.

        `curvature` is the typical one of the loss in the raw prediction, not a bound. The large
        curvature of the ridge along rare features then no longer slows the others down.

        The scale is the geometric mean of two: with the variance of the feature, and with the
        square of its size. The first suits the beginning. Near the minimum the loss of most rows is
        flatter than is typical, and the curvature is that of the ridge.
        """
        typical = (curvature * self.unit**2 / self.loss_scale).mean()
        with np.errstate(over="ignore"):
            relative = self._mean_strength(ridge) / typical
            stiff = relative * np.square(self._penalised_size)
        check_strength(stiff)
        variance = _variance(moments, centre)
        share = np.where(variance > 0, moments.filled / moments.total, 1.0)
        square = np.sqrt(variance + stiff) * np.sqrt(variance / share + stiff)
        return self._measure_features(moments, variance, np.sqrt(square), centre)

    def whiten(self, moments, ridge):
        """Rotate standardised coordinates so that no curvature is above one."""
        d, curvature = self.n_features, self.curvature
        second = moments.covariance
        if not self.intercept:
            second = second + np.outer(moments.mean, moments.mean)
        curved = np.outer(self.scale, curvature * self.scale)
        curved *= second
        constant = moments.is_constant()
        if self.intercept and constant.any():
            # Off the diagonal there is only the rounding of large numbers.
            curved[constant] = curved[:, constant] = 0.0
        diagonal = np.einsum("jj->j", curved)
        diagonal += self._mean_strength(ridge) * (self.scale * self.feature_size) ** 2
        factor = _cholesky(curved)
        rotation = np.zeros((self.n_columns, self.n_columns))
        rotation[:d, :d] = dtrtri(factor, lower=True)[0].T
        if self.intercept:
            rotation[d, d] = 1 / np.sqrt(curvature)
            rotation[d, :d] = -((moments.mean - self.shift) * self.scale) @ rotation[:d, :d]
        self.rotation = rotation
        return self

    def _mean_strength(self, ridge):
        """The strength of the ridge in the units of the optimizer; the mean over the outputs."""
        with np.errstate(over="ignore"):
            strength = ridge * (self.unit**2 / self.loss_scale).mean()
        check_strength(strength)
        return strength

    @property
    def _penalised_size(self):
        """What coefficients are multiplied by before they are penalised."""
        return self.feature_size if self.axes is None else 1.0

    def weight_scales(self):
        """What a penalty needs to know of every weight, before the rotation; two flat arrays.

        The first is the penalised coefficient if the weight is one, and zero for an intercept. The
        second is the loss scale of the output that the weight belongs to.
        """
        size = np.zeros((self.n_outputs, self.n_columns))
        scale = 1.0 if self.scale is None else self.scale
        size[:, : self.n_axes] = scale * self._penalised_size
        size *= self.unit[:, None]
        return size.ravel(), self.loss_scale.repeat(self.n_columns)

    def before_rotation(self, weights):
        """Flat weights before the rotation, an output a row."""
        v = weights.reshape(-1, self.n_columns)
        return v if self.rotation is None else v @ self.rotation.T

    def hessian_products(self, weights, curvature):
        """The products of flat weights, one vector a row, with a Hessian.

        It is diagonal before the rotation, with this `curvature` of every weight.
        """
        v = self.before_rotation(weights).reshape(weights.shape) * curvature
        if self.rotation is not None:
            v = v.reshape(-1, self.n_columns) @ self.rotation
        return v.reshape(weights.shape)

    def to_model(self, weights):
        """Coefficients (n_outputs, n_features) and intercepts (n_outputs,) of flat weights."""
        v = self.before_rotation(weights)
        coef = v[:, : self.n_axes] * self.unit[:, None]
        intercept = self.origin.copy()
        if self.scale is not None:
            coef = coef * self.scale
        if self.intercept:
            intercept += self.unit * v[:, -1]
        if self.shift is not None:
            intercept -= coef @ self.shift
        if self.axes is not None:
            coef = coef @ self.axes.T / self.feature_size
            intercept -= coef @ self.middle
        return coef, intercept

    def amplification(self):
        """The largest number that `to_model` makes of weights of at most one, origin excluded."""
        d = self.n_axes
        row = np.ones(self.n_columns)
        if self.rotation is not None:
            row = np.abs(self.rotation).sum(axis=1)
        coef = row[:d] if self.scale is None else row[:d] * self.scale
        shifted = 0.0 if self.shift is None else coef @ np.abs(self.shift)
        constant = row[d] if self.intercept else 0.0
        if self.axes is not None:
            coef = np.abs(self.axes) @ coef / self.feature_size
            shifted += coef @ np.abs(self.middle)
        return float(self.unit.max() * max(coef.max(), shifted + constant))

    def can_hold(self, weights, dtype, room):
        """Whether the model, and `room` times its predictions, are finite in `dtype`."""
        largest = np.finfo(dtype).max
        with np.errstate(over="ignore", invalid="ignore"):
            coef, intercept = self.to_model(weights)
            v = self.before_rotation(weights)
            reach = room * self.unit * np.abs(v).sum(axis=1)
            return all(np.all(np.abs(part) <= largest) for part in (coef, intercept, reach))

    def from_model(self, coef, intercept):
        """The inverse of `to_model`.

        With axes, the model is projected on them: it has the same predictions of the rows, and no
        larger penalty.
        """
        v = np.empty((self.n_outputs, self.n_columns))
        if self.axes is not None:
            intercept = intercept + coef @ self.middle
            coef = coef * self.feature_size @ self.axes
        v[:, : self.n_axes] = coef / self.unit[:, None]
        if self.scale is not None:
            # The contribution of a feature that is left out goes to the intercept, by the shift.
            w = v[:, : self.n_axes]
            w[:] = np.divide(w, self.scale, out=np.zeros_like(w), where=self.scale > 0)
        if self.intercept:
            shifted = intercept - self.origin
            if self.shift is not None:
                shifted = shifted + coef @ self.shift
            v[:, -1] = shifted / self.unit
        if self.rotation is not None:
            d, rotation = self.n_features, self.rotation
            v[:, :d] = scipy.linalg.solve_triangular(rotation[:d, :d], v[:, :d].T).T
            if self.intercept:
                v[:, d] = (v[:, d] - v[:, :d] @ rotation[d, :d]) / rotation[d, d]
        return v.ravel()

    def same_as(self, other):
        """Whether the two maps are equal."""
        return self is other or all(
            np.array_equal(mine, theirs)
            if mine is not None and theirs is not None
            else mine is theirs
            for mine, theirs in (
                (getattr(self, name), getattr(other, name))
                for name in (
                    "shift",
                    "scale",
                    "rotation",
                    "axes",
                    "middle",
                    "origin",
                    "unit",
                    "loss_scale",
                )
            )
        )

    def measured_from(self, x_mean, y_mean):
        """The same map, for features and targets from which these means were subtracted."""
        other = copy.copy(self)
        other.shift = (0.0 if self.shift is None else self.shift) - x_mean
        other.scale = np.ones(self.n_features) if self.scale is None else self.scale
        other.origin = self.origin - y_mean
        other.in_units = True
        return other

    def unrotated(self):
        """The same map without the rotation."""
        other = copy.copy(self)
        other.rotation = None
        return other

    def mean_square(self, moments):
        """Mean squared length of rows with these moments, constant column excluded."""
        mean = moments.mean - self.shift
        return float((moments.variance + mean * mean) @ (self.scale * self.scale))

    def columns(self, X):
        """The features in these coordinates, before the rotation, as a linear operator."""
        n, d = X.shape
        scale = np.ones(d) if self.scale is None else self.scale
        shift = np.zeros(d) if self.shift is None else self.shift

        def forward(v):
            v = np.ravel(v)
            u = scale * v[:d]
            return X @ u - shift @ u + (v[d] if self.intercept else 0.0)

        def backward(r):
            r = np.ravel(r)
            g = scale * (X.T @ r - shift * r.sum())
            return np.append(g, r.sum()) if self.intercept else g

        return LinearOperator((n, self.n_columns), matvec=forward, rmatvec=backward, dtype=float)

    def points(self, x, order="C"):
        """Rows of numbers in these coordinates, constant column included.

        Before a rotation their `order` in memory is by rows (C) or by columns (F).
        """
        d = self.n_axes
        z = np.ones((x.shape[0], self.n_columns), order=order)
        z[:, :d] = x
        if self.shift is not None:
            z[:, :d] -= self.shift
        if self.scale is not None:
            z[:, :d] *= self.scale
        return z if self.rotation is None else z @ self.rotation

    def squared_norms(self, X, weight=None):
        """Squared norm of every row in these coordinates, constant column included.

        Zero for rows without weight, whose norm may be infinite.
        """
        norms = self._squared_norms(X)
        if weight is not None:
            norms[weight == 0] = 0
        return norms

    def _squared_norms(self, X):
        d = self.n_axes
        if sp.issparse(X) and self.rotation is None:
            scale = np.ones(d) if self.scale is None else self.scale
            shift = np.zeros(d) if self.shift is None else self.shift
            norms = X.multiply(X) @ scale**2 + float(self.intercept)
            if np.any(shift):
                norms += (shift * scale) @ (shift * scale) - 2 * (X @ (shift * scale**2))
            return norms
        norms = np.empty(X.shape[0])
        for rows in chunks(X.shape[0], d):
            x = X[rows]
            z = self.points(x.toarray() if sp.issparse(x) else x)
            norms[rows] = np.einsum("ij,ij->i", z, z)
        return norms
