"""Statistics of the data: weighted means, variances and covariances of features and targets."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..indices import CHUNK, slices
from ..threads import count_parts, one_blas_thread
from .csr_products import column_moments, self_product
from .sums import centred_sums, class_sums, constant_columns

# Entries of the sparse rows whose products are added together (12 MB): no fewer than there are
# products of columns, which are up to 1024², because all of these are touched each time.
JOINT_ENTRIES = 1 << 20
# The features of sparse X whose mean is so many standard deviations from zero are centred: nearly
# all of their numbers are stored. To centre the others would cost more than their rows.
FAR_FROM_ZERO = 3.0
# If so many sparse columns have so large a share of numbers that are not zero, their products take
# longer than those of dense columns.
MANY_FILLED, FILLED = 16, 1 / 3
# The share of numbers that are not zero below which a table is mostly zeros, as texts are.
MOSTLY_ZERO = 0.1
# Squares of means, and variances, must be within these bounds, so that products with a few other
# numbers are finite, and not zero.
SMALLEST_SQUARE, LARGEST_SQUARE = 1e-300, 1e300


class Moments:
    """Weighted mean and second central moment of the rows seen so far.

    Parameters
    ----------
    full : bool
        Keep the covariance matrix, not only its diagonal.

    Attributes
    ----------
    total : float
        Sum of the weights.
    mean : ndarray of shape (n_columns,)
        Mean of every column.
    scatter : ndarray of shape (n_columns,) or (n_columns, n_columns)
        Sum of the squares, or of the products, of the deviations from the mean.
    filled : ndarray of shape (n_columns,)
        Sum of the weights of the rows in which a column is not zero.
    """

    def __init__(self, full=False):
        self.full = full
        self.total = 0.0
        self.mean = None
        self.scatter = None
        self.filled = None
        self._constant = None

    def part(self, columns):
        """The moments of some of the columns, a slice."""
        other = Moments(self.full)
        other.total, other.mean = self.total, self.mean[columns]
        other.scatter = self.scatter[columns, columns] if self.full else self.scatter[columns]
        other.filled = self.filled[columns]
        return other

    def variances_only(self):
        """The same moments without covariances."""
        other = Moments()
        other.total, other.mean, other.filled = self.total, self.mean, self.filled
        other.scatter = self.scatter.diagonal().copy() if self.full else self.scatter
        return other

    def update(self, X, weight=None, rows=None, Y=None):
        """Add the rows of `X`, or some of them, with the columns of `Y` beside them.

        A sparse X is read as a whole, and without Y: the weight of a row that is not among `rows`
        must be zero.
        """
        if sp.issparse(X):
            return self._add_sparse(X, weight)
        n = X.shape[0] if rows is None else len(rows)
        n_parts = count_parts(n * (X.shape[1] + (0 if Y is None else Y.shape[1])))

        def part(k):
            begin, end = n * k // n_parts, n * (k + 1) // n_parts
            return centred_sums(X, Y, weight, rows, begin, end, self.full)

        def take(found):
            if found is not None:
                self._merge(*found)

        one_blas_thread.in_parts(part, n_parts, take)
        return self

    def update_sparse(self, X, Y, weight=None):
        """Add the rows of a sparse X, with the columns of a dense Y beside them.

        As in `update`, a row that does not train must have the weight zero.
        """
        for rows in _sparse_chunks(X):
            part = sp.hstack([X[rows], sp.csr_matrix(Y[rows])], format="csr")
            self._add_sparse(part, None if weight is None else weight[rows])
        return self

    def with_classes(self, X, Y, weight=None, rows=None):
        """The moments of these rows with `Indicators` beside them; see `update` for the parameters.

        Most products with 0/1 columns are zero. What is left are the sums of the rows of each
        class.
        """
        if sp.issparse(X):
            sums, counts = _sparse_class_sums(X, Y, weight)
            sums -= np.outer(counts, self.mean)
        else:
            sums, counts = class_sums(X, Y.codes, Y.shape[1], weight, rows, self.mean)
        d, both = len(self.mean), Moments(full=True)
        both.total, both.mean = self.total, np.append(self.mean, counts / self.total)
        both.filled = np.append(self.filled, counts)
        both.scatter = np.diag(both.filled)
        both.scatter[:d, :d] = self.scatter
        both.scatter[:d, d:], both.scatter[d:, :d] = sums.T, sums
        both.scatter[d:, d:] -= np.outer(counts, counts / self.total)
        return both

    def merge(self, other):
        """Add the rows of other moments, which have covariances if these have."""
        if other.total > 0:
            self._merge(other.total, other.mean, other.scatter, other.filled)
        return self

    def _add_sparse(self, X, weight):
        found = column_moments(X, weight)
        if found is None:
            return self
        total, mean, squares, filled = found
        scatter = squares
        if self.full:
            dense = _is_far(mean, squares / total) | well_filled(filled, total)
            scatter = _sparse_scatter(X, weight, mean, dense)
            # For columns that are not centred these variances are more accurate, since differences
            # cancel. For centred ones they are less accurate if the weights are far apart.
            sparse = np.flatnonzero(~dense)
            scatter[sparse, sparse] = squares[sparse]
        self._merge(total, mean, scatter, filled)
        return self

    def _merge(self, total, mean, scatter, filled):
        self._constant = None
        if self.mean is None:
            self.total, self.mean, self.scatter, self.filled = total, mean, scatter, filled
            return
        apart = mean - self.mean
        both = self.total + total
        between = np.outer(apart, apart) if self.full else apart * apart
        between *= self.total * total / both
        self.mean = self.mean + apart * (total / both)
        self.scatter = self.scatter + scatter
        self.scatter += between
        self.filled = self.filled + filled
        self.total = both

    def is_far(self):
        """Which features have a mean far from zero: not centred, they resemble the intercept."""
        return _is_far(self.mean, self.variance)

    @property
    def variance(self):
        """Variance of every feature."""
        return (self.scatter.diagonal() if self.full else self.scatter) / self.total

    @property
    def covariance(self):
        """Covariance matrix; needs `full`."""
        return self.scatter / self.total

    @property
    def deviation(self):
        """Standard deviation of every feature; one for a constant."""
        return np.sqrt(np.where(self.is_constant(), 1.0, self.variance))

    @property
    def size(self):
        r"""The size of every feature, in which a penalty measures its coefficient.

        It is :math:`\sigma_j / \sqrt{q_j}`, with the standard deviation :math:`\sigma_j` and the
        share :math:`q_j` of rows in which the feature is not zero: the standard deviation of a
        feature without zeros, and about 1 for a rare 0/1 indicator. For a constant it is 1.
        """
        squares = self.scatter.diagonal() if self.full else self.scatter
        ones = np.ones(len(self.mean))
        return np.sqrt(np.divide(squares, self.filled, out=ones, where=~self.is_constant()))

    def are_of_text(self, more_than):
        """Whether there are more features, and less than a tenth of their numbers are not zero.

        Constant features do not count.
        """
        filled = self.filled[~self.is_constant()]
        mostly_zero = filled.sum() < MOSTLY_ZERO * self.total * len(filled)
        return bool(len(filled) > more_than and mostly_zero)

    def is_constant(self):
        """Which features have no variance beyond rounding, or one whose inverse is not finite."""
        if self._constant is None:
            self._constant = constant_columns(self.total, self.mean, self.variance, SMALLEST_SQUARE)
        return self._constant


def _is_far(mean, variance):
    return np.abs(mean) > FAR_FROM_ZERO * np.sqrt(np.maximum(variance, 0.0))


def well_filled(filled, total):
    """Which columns, `filled` in so many of all rows, are multiplied sooner as dense ones."""
    found = filled > FILLED * total
    return found if np.count_nonzero(found) >= MANY_FILLED else np.zeros_like(found)


def _sparse_scatter(X, weight, mean, dense):
    """Sums of the products of the deviations of a sparse matrix from the `mean` of its columns.

    The columns `dense`, which have few zeros, are centred first. If they are far from zero, the
    difference of their products and the products of their means would only be rounding.
    """
    weight = np.ones(X.shape[0]) if weight is None else weight
    if not dense.any():
        # To select all columns of a matrix takes longer than its products.
        scatter = self_product(X, weight)
        scatter -= np.sum(weight) * np.outer(mean, mean)
        return scatter
    sparse = np.flatnonzero(~dense)
    dense = np.flatnonzero(dense)
    scatter = np.zeros((len(mean), len(mean)))
    # Every chunk touches all products of columns: it has no fewer numbers.
    for rows in slices(X.shape[0], max(CHUNK, scatter.size) // len(dense)):
        x, w = X[rows], weight[rows]
        some = x[:, sparse]
        scaled = sp.diags_array(w) @ some
        scatter[np.ix_(sparse, sparse)] += self_product(some, w)
        scatter[np.ix_(sparse, sparse)] -= np.sum(w) * np.outer(mean[sparse], mean[sparse])
        centred = (x[:, dense] if len(sparse) else x).toarray() - mean[dense]
        centred[w == 0] = 0  # such a row may be anywhere
        cross = scaled.T @ centred - np.outer(mean[sparse], w @ centred)
        scatter[np.ix_(sparse, dense)] += cross
        scatter[np.ix_(dense, sparse)] += cross.T
        scatter[np.ix_(dense, dense)] += centred.T @ (w[:, None] * centred)
    return scatter


def _sparse_class_sums(X, Y, weight):
    """Weighted sums of the rows of a sparse matrix for each class, and the sums of the weights."""
    sums, counts = np.zeros((Y.shape[1], X.shape[1])), np.zeros(Y.shape[1])
    weight = np.ones(X.shape[0]) if weight is None else weight
    for rows in _sparse_chunks(X):
        # Rows without weight may have any numbers.
        rows = rows.start + np.flatnonzero(weight[rows])
        of_class = Y[rows].transposed(weight[rows])
        sums += of_class @ X[rows]
        counts += of_class.sum(axis=1)
    return sums, counts


def _sparse_chunks(X):
    """Slices of sparse rows, with no fewer entries than the columns that each adds its sums to."""
    n_entries = max(JOINT_ENTRIES, X.shape[1])
    return slices(X.shape[0], max(1, n_entries * X.shape[0] // max(X.nnz, 1)))


class Statistics(NamedTuple):
    """What the coordinates are made from.

    Attributes
    ----------
    features : Moments or None
        Those of the columns of X; None if nothing needs them.
    targets : Moments or None
        Those of the columns of y; None for classes.
    """

    features: Moments | None = None
    targets: Moments | None = None


def observe(problem, needed, before=None):
    """The statistics of a problem, on top of those `before`.

    Parameters
    ----------
    problem : Problem
        Rows, targets and weights.
    needed : {"variances", "ratio", "covariances"} or None
        Which moments of the features are needed, if any; "ratio": the variances, and what the
        signal-to-noise ratio is computed from.
    before : Statistics, optional
        Those of the rows seen so far.

    Returns
    -------
    Statistics
        New ones; `before` is not changed.
    """
    before = before or Statistics()
    features, targets = before.features, before.targets
    full = needed == "covariances"
    joint = full or (needed == "ratio" and problem.uses_joint_moments)
    if joint and before == Statistics() and problem.joint_moments is not None:
        return _parts(problem, full)
    if needed is not None:
        if features is not None and features.full and not full:
            features = features.variances_only()
        so_far = features if features is not None and features.full == full else Moments(full)
        features = _updated(so_far, "X", problem.add_features)
    return Statistics(features, _targets(problem, targets))


def _parts(problem, full):
    """The statistics that the joint moments of features and targets have as their parts."""
    joint, d = problem.joint_moments, problem.n_features
    features, targets = joint.part(slice(0, d)), None
    if problem.targets.kind == "regressor":
        targets = _checked(joint.part(slice(d, None)).variances_only(), "y")
    if not full:
        features = features.variances_only()
    return Statistics(_checked(features, "X"), targets)


def _targets(problem, before):
    """The moments of numbers as targets, on top of those `before`; None for classes."""
    if problem.targets.kind != "regressor":
        return None
    return _updated(before or Moments(), "y", problem.add_targets)


def _updated(moments, name, add):
    """New moments to which `add` has added rows; a ValueError if they are too large."""
    updated = Moments(moments.full)
    # `update` replaces these arrays and never writes into them.
    vars(updated).update(vars(moments))
    with np.errstate(over="ignore", invalid="ignore"):
        add(updated)
    return _checked(updated, name)


def _checked(moments, name):
    """The moments; a ValueError if squares of them are too large to compute with."""
    # NaN is refused, too.
    if not (
        np.abs(moments.mean).max() <= LARGEST_SQUARE**0.5
        and moments.variance.max() <= LARGEST_SQUARE
    ):
        raise ValueError(
            f"{name} must have a finite variance. Got numbers that are too large: their squares "
            f"overflow. Divide {name} by a constant."
        )
    return moments
