"""The coordinates an optimizer works in, and the statistics they are made from.

The objective is the same in all of them; only its geometry differs. A model
with coefficients W and intercept b is, for every output k,

    W_k = unit_k · scale * v_k,    b_k = origin_k + unit_k · c_k - shift · W_k,

so that its prediction is ``origin + unit · (z · v + c)`` with the features
``z = (x - shift) * scale``; with a `rotation` R, ``(v, c) = R u``.
"""

import copy

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.utils.sparsefuncs import mean_variance_axis

from ..indices import without_copy
from ..penalties import ElasticNet

# Rows a chunk of statistics takes at a time: enough to be fast, too few to show in memory.
CHUNK = 32768
# Beyond this a full matrix costs more than it gives.
MAX_WHITEN_FEATURES = 10_000
# Up to so many columns the Gram matrix is cheaper than a few passes over the data.
MAX_GRAM_COLUMNS = 257


class Moments:
    """Weighted mean and second central moment of the rows seen so far.

    Parameters
    ----------
    full : bool
        Keep the covariance matrix, not only its diagonal.
    """

    def __init__(self, full=False):
        self.full = full
        self.total = 0.0
        self.mean = None
        self.scatter = None

    def update(self, X, weight=None, rows=None):
        """Add the rows of `X`, or some of them, in chunks, each merged into the whole by its mean.

        Of sparse rows that are not among `rows` the weight must be zero.
        """
        if sp.issparse(X):
            self._merge(*self._sparse(X, weight))
            return self
        step = max(1, CHUNK // X.shape[1])
        for begin in range(0, X.shape[0] if rows is None else len(rows), step):
            chunk = slice(begin, begin + step)
            if rows is not None:
                chunk = without_copy(rows[chunk])
            x = X[chunk]
            w = np.ones(len(x)) if weight is None else weight[chunk]
            total = w.sum()
            if total > 0:
                # A constant column must come out exactly: it is measured from one of its numbers,
                # and of a row that counts, lest the rounding by it be larger than the rest.
                origin = x[np.argmax(w)].astype(float) if self.mean is None else self.mean
                centred = x - origin
                if weight is not None:
                    centred[w == 0] = 0  # the square might be infinite
                shift = w @ centred / total
                if self.full:
                    scaled = centred if weight is None else centred * w[:, None]
                    scatter = scaled.T @ centred - total * np.outer(shift, shift)
                else:
                    np.square(centred, out=centred)
                    scatter = w @ centred - total * shift * shift
                self._merge(total, origin + shift, scatter)
        return self

    def _sparse(self, X, weight):
        # mean_variance_axis wants weights of the data's own type.
        w = None if weight is None else weight.astype(X.dtype, copy=False)
        mean, variance = (a.astype(float) for a in mean_variance_axis(X, axis=0, weights=w))
        total = float(X.shape[0] if weight is None else weight.sum())
        if not self.full:
            return total, mean, variance * total
        X = X.astype(np.float64)
        scaled = X if weight is None else sp.diags_array(weight) @ X
        scatter = np.asarray((scaled.T @ X).todense()) - total * np.outer(mean, mean)
        # The difference of two large numbers; the variances are known better.
        np.fill_diagonal(scatter, variance * total)
        return total, mean, scatter

    def _merge(self, total, mean, scatter):
        if self.mean is None:
            self.total, self.mean, self.scatter = total, mean, scatter
            return
        apart = mean - self.mean
        both = self.total + total
        between = np.outer(apart, apart) if self.full else apart * apart
        self.mean = self.mean + apart * (total / both)
        self.scatter = self.scatter + scatter + between * (self.total * total / both)
        self.total = both

    @property
    def variance(self):
        """Variance of every feature."""
        return (np.diagonal(self.scatter) if self.full else self.scatter) / self.total

    @property
    def covariance(self):
        """Covariance matrix, if kept."""
        return self.scatter / self.total

    @property
    def deviation(self):
        """Standard deviation of every feature; one for a constant."""
        return np.sqrt(np.where(self.is_constant(), 1.0, self.variance))

    def is_constant(self):
        """Which features have no deviation but that of rounding."""
        eps = np.finfo(float).eps
        n = max(self.total, 1.0)
        return self.variance <= n * eps * self.variance + (n * self.mean * eps) ** 2


class Coordinates:
    """One linear map between a model and the weights an optimizer works on.

    Attributes
    ----------
    n_outputs, n_features, n_columns : int
        A weight vector is (n_outputs, n_columns), flattened; the last column
        is the intercept, if there is one.
    shift, scale : ndarray of shape (n_features,) or None
        Of the features; None in raw coordinates.
    rotation : ndarray of shape (n_columns, n_columns) or None
        The full-matrix part.
    origin, unit, loss_scale : ndarray of shape (n_outputs,)
        Of the predictions and of the loss.
    curvature : float
        Of the loss in the prediction, both in these units.
    """

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
        self.unit = np.ones(n_outputs)
        self.loss_scale = np.ones(n_outputs)
        self.curvature = float(np.max(curvature))

    def standardize(self, moments, units, curvature, ridge, *, centre):
        """Measure features in their deviation, and predictions in the target's.

        `units` is (origin, unit, loss_scale) or None, `curvature` that of the loss
        in the raw prediction, `ridge` the strength of the ridge.
        Where the ridge is stiffer than the data, a feature is measured by the
        ridge: no rule may become unstable by it.
        """
        if units is not None:
            origin, self.unit, self.loss_scale = units
            if self.intercept:
                self.origin = origin
            self.in_units = True
        self.curvature = float(np.max(curvature * self.unit**2 / self.loss_scale))
        self.shift = moments.mean.copy() if centre else np.zeros(self.n_features)
        # What is not shifted deviates from zero.
        variance = moments.variance + (0.0 if centre else moments.mean**2)
        constant = moments.is_constant()
        if not centre:
            constant &= moments.mean == 0
        stiffest = np.sqrt(ridge / self.curvature * np.max(self.unit**2 / self.loss_scale))
        deviation = np.maximum(np.sqrt(np.maximum(variance, 0.0)), stiffest)
        self.scale = 1 / np.where(constant, 1.0, deviation)
        return self

    def whiten(self, moments, curvature, ridge, *, centre):
        """Turn the standardised coordinates so that the curvature is at most one everywhere."""
        d = self.n_features
        second = moments.covariance
        if not self.intercept:
            second = second + np.outer(moments.mean, moments.mean)
        second = second * np.outer(self.scale, self.scale)
        strength = ridge * np.mean(self.unit**2 / self.loss_scale)
        curved = curvature * second + np.diag(strength * self.scale**2)
        # Directions without data or ridge have no curvature to invert; they
        # keep a little of their features' own.
        diagonal = np.diagonal(curved)
        floor = 1e-9 * np.where(diagonal > 0, diagonal, 1.0)
        factor = scipy.linalg.cholesky(curved + np.diag(floor), lower=True)
        rotation = np.zeros((self.n_columns, self.n_columns))
        rotation[:d, :d] = scipy.linalg.solve_triangular(factor, np.eye(d), lower=True).T
        if self.intercept:
            rotation[d, d] = 1 / np.sqrt(curvature)
            if not centre:
                rotation[d, :d] = -(moments.mean * self.scale) @ rotation[:d, :d]
        self.rotation = rotation
        return self

    def weight_scales(self):
        """What a penalty needs to know of every weight, before the rotation; two flat arrays.

        How large a raw coefficient one unit of the weight is, 0 for an intercept, and the
        loss scale of its output.
        """
        size = np.zeros((self.n_outputs, self.n_columns))
        size[:, : self.n_features] = 1.0 if self.scale is None else self.scale
        size *= self.unit[:, None]
        return size.ravel(), np.repeat(self.loss_scale, self.n_columns)

    def to_model(self, weights):
        """Coefficients (n_outputs, n_features) and intercepts (n_outputs,) of flat weights."""
        v = weights.reshape(self.n_outputs, self.n_columns)
        if self.rotation is not None:
            v = v @ self.rotation.T
        coef = v[:, : self.n_features] * self.unit[:, None]
        intercept = self.origin.copy()
        if self.scale is not None:
            coef = coef * self.scale
        if self.intercept:
            intercept += self.unit * v[:, -1]
        if self.shift is not None:
            intercept -= coef @ self.shift
        return coef, intercept

    def gain(self):
        """The most that `to_model` can make of weights of at most one, but for the origin."""
        d = self.n_features
        row = np.ones(self.n_columns)
        if self.rotation is not None:
            row = np.abs(self.rotation).sum(axis=1)
        coef = row[:d] if self.scale is None else row[:d] * self.scale
        shifted = 0.0 if self.shift is None else coef @ np.abs(self.shift)
        constant = row[d] if self.intercept else 0.0
        return float(np.max(self.unit) * max(np.max(coef), shifted + constant))

    def can_hold(self, weights, dtype, room):
        """Whether the model's numbers, and `room` times its predictions, are finite in `dtype`."""
        largest = np.finfo(dtype).max
        with np.errstate(over="ignore", invalid="ignore"):
            coef, intercept = self.to_model(weights)
            v = weights.reshape(self.n_outputs, self.n_columns)
            if self.rotation is not None:
                v = v @ self.rotation.T
            reach = room * self.unit * np.abs(v).sum(axis=1)
            return all(np.all(np.abs(part) <= largest) for part in (coef, intercept, reach))

    def from_model(self, coef, intercept):
        """The inverse of `to_model`."""
        v = np.empty((self.n_outputs, self.n_columns))
        v[:, : self.n_features] = coef / self.unit[:, None]
        if self.scale is not None:
            v[:, : self.n_features] /= self.scale
        if self.intercept:
            shifted = intercept - self.origin
            if self.shift is not None:
                shifted = shifted + coef @ self.shift
            v[:, -1] = shifted / self.unit
        if self.rotation is not None:
            v = scipy.linalg.solve(self.rotation, v.T).T
        return v.ravel()

    def same_as(self, other):
        """Whether the map is exactly that of `other`."""
        return all(
            np.array_equal(mine, theirs)
            if mine is not None and theirs is not None
            else mine is theirs
            for mine, theirs in (
                (getattr(self, name), getattr(other, name))
                for name in ("shift", "scale", "rotation", "origin", "unit", "loss_scale")
            )
        )

    def measured_from(self, x_mean, y_mean):
        """The same map for features and targets from which these means have been subtracted."""
        other = copy.copy(self)
        other.shift = (0.0 if self.shift is None else self.shift) - x_mean
        other.scale = np.ones(self.n_features) if self.scale is None else self.scale
        other.origin = self.origin - y_mean
        other.in_units = True
        return other

    def mean_square(self, moments):
        """Mean squared length of rows with these moments, without the constant column."""
        mean = (moments.mean - self.shift) * self.scale
        return np.sum(moments.variance * self.scale**2 + mean**2)

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

    def squared_norms(self, X, weight=None):
        """Squared norm of every row, in these coordinates and with the constant one.

        Zero for rows without weight, whose norm might be infinite.
        """
        norms = self._squared_norms(X)
        if weight is not None:
            norms[weight == 0] = 0
        return norms

    def _squared_norms(self, X):
        d = self.n_features
        scale = np.ones(d) if self.scale is None else self.scale
        if sp.issparse(X) and self.rotation is None:
            return X.multiply(X) @ scale**2 + float(self.intercept)
        shift = np.zeros(d) if self.shift is None else self.shift
        norms = np.empty(X.shape[0])
        step = max(1, CHUNK // d)
        for begin in range(0, X.shape[0], step):
            x = X[begin : begin + step]
            z = np.ones((x.shape[0], self.n_columns))
            z[:, :d] = ((x.toarray() if sp.issparse(x) else x) - shift) * scale
            if self.rotation is not None:
                z = z @ self.rotation
            norms[begin : begin + step] = np.einsum("ij,ij->i", z, z)
        return norms


def root_trace(square, coordinates, curvature, ridge):
    """Root of the trace of the Hessian, in the optimizer's coordinates.

    That is the root of the curvature of the loss times `square`, the mean squared
    length of the rows without the constant column; what a feature lacks in extent
    the ridge may make up for.
    """
    if coordinates.rotation is not None:
        # The map was made so that loss and ridge together have curvature one.
        return np.sqrt(coordinates.n_features)
    l2 = ElasticNet(ridge).curvature(*coordinates.weight_scales())
    trace = curvature * square + np.sum(l2) / coordinates.n_outputs
    return np.sqrt(trace) if trace > 0 else 1.0


def reach(X, weight, coordinates):
    """How far the rows reach in the optimizer's coordinates, before the ridge.

    The largest eigenvalue of their second moment (which nobody asks for after a
    rotation), the largest squared length of a single one, and how many there
    are. `weight` has mean one over the rows that count, and is zero elsewhere.
    """
    w = np.ones(X.shape[0]) if weight is None else weight
    norms = coordinates.squared_norms(X, weight)
    whole = 0.0
    if coordinates.rotation is None and np.any(norms):
        whole = _largest_eigenvalue(X, w, coordinates)
    return whole, float(np.max(w * norms)), int(np.count_nonzero(w))


def smoothness(reach, coordinates, curvature, ridge, batch_size, noise_gain=1.0):
    """Expected smoothness L of a mini-batch gradient, in the optimizer's coordinates.

    Between the largest eigenvalue of the Hessian, for the full batch, and the
    largest curvature of a single row, for a batch of one [1]_. `reach` is that
    of the data, `curvature` that of the loss, in these coordinates. A rule that
    multiplies the noise of a batch says by how much with `noise_gain`.

    References
    ----------
    .. [1] Gower, R. et al. (2019). SGD: general analysis and improved rates.
       ICML. arXiv:1901.09401
    """
    largest, longest, n = reach
    l2 = ElasticNet(ridge).curvature(*coordinates.weight_scales())
    if coordinates.rotation is None:
        whole, stiffest = curvature * largest, float(l2.max())
    else:
        # The map was made so that loss and ridge together have curvature one.
        whole, stiffest = 1.0, 0.0
    if batch_size >= n:
        return whole + stiffest or 1.0  # without curvature any step will do
    single = curvature * longest
    b = batch_size
    # Of n rows, or of any number of them.
    noise = (n - b) / (b * (n - 1)) if np.isfinite(n) else 1 / b
    return whole * (1 - noise) + noise_gain * noise * single + stiffest or 1.0


def _largest_eigenvalue(X, weight, coordinates):
    """Largest eigenvalue of the second moment of the columns; `weight` has mean one."""
    z = coordinates.columns(X)
    k = z.shape[1]
    if k <= MAX_GRAM_COLUMNS:
        gram = _second_moment(X, weight, coordinates)
        return float(scipy.linalg.eigvalsh(gram, subset_by_index=[k - 1, k - 1])[0])
    share = weight / np.sum(weight)
    gram = LinearOperator((k, k), matvec=lambda v: z.rmatvec(share * z.matvec(v)), dtype=float)
    # A start with a part in every direction, the same every time.
    start = np.random.default_rng(0).standard_normal(k)
    # eigsh approaches from below; the bound must not.
    return 1.01 * float(eigsh(gram, k=1, v0=start, tol=1e-3, return_eigenvectors=False)[0])


def _second_moment(X, weight, coordinates):
    """Weighted mean of z zᵀ over the rows, z being the features and the constant one."""
    d = coordinates.n_features
    moments = Moments(full=True).update(X, weight)
    mean, second = moments.mean, moments.covariance
    if coordinates.scale is not None:
        mean = (mean - coordinates.shift) * coordinates.scale
        second = second * np.outer(coordinates.scale, coordinates.scale)
    gram = np.ones((coordinates.n_columns, coordinates.n_columns))
    gram[:d, :d] = second + np.outer(mean, mean)
    if coordinates.intercept:
        gram[d, :d] = gram[:d, d] = mean
    return gram
