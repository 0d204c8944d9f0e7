"""The second moments of features and targets, from their covariance matrix or from their rows.

The evidence and the principal components are computed from them.
"""

import copy

import numpy as np
import scipy.sparse as sp

from ..indices import n_entries, slices
from .caching import cached_property
from .csr_products import Products, scaled, self_product
from .moments import FAR_FROM_ZERO, well_filled

# If a mean is more standard deviations from zero, its rounding would be too large in products.
VERY_FAR = 1e4
# Up to so many rows the evidence is computed from the products of all pairs of them. With more
# features than rows the Lanczos method is at its worst, and other solvers are slow, too.
MAX_EXACT_ROWS = 512
# Numbers of X that are read together. Of larger dense X they are fewer (1 MB): rows of a sample are
# copied, and should still be in a cache when they are multiplied.
NUMBERS, CACHED = 1 << 20, 1 << 17


def has_few_rows(problem):
    """Whether the signal-to-noise ratio is computed from the products of all pairs of rows."""
    return max(problem.n_counted, problem.n) <= MAX_EXACT_ROWS


def places(n, n_rows):
    """Where n of so many rows are drawn, from 0 to 1, none of them twice.

    A row that is there twice would look as if the features told its target without an error.
    """
    rows = int(min(n_rows, 2**53))
    some = np.random.default_rng(0).choice(rows, n, replace=False, shuffle=False)
    return (np.sort(some) + 0.5) / rows


def drawn(places, weight):
    """Which rows are at these places among all rows, from 0 to 1, and how often each is there.

    A row is as long as its weight: it is drawn as often as if it were repeated.
    """
    ends = np.cumsum(weight)
    rows = np.searchsorted(ends, places * ends[-1], side="right")
    return np.unique(np.minimum(rows, len(ends) - 1), return_counts=True)


def signs(n):
    """Random signs."""
    return np.random.default_rng(0).choice([-1.0, 1.0], n)


def scale_of(variance, targets):
    """What outputs are divided by, so that their squares add up to one; None if they are constant.

    For a regression every output has its own number; the columns of classes share one.
    """
    total = variance.sum()
    if not 0 < total < np.inf:
        return None
    if targets.kind == "classifier":
        return np.full(len(variance), np.sqrt(total))
    return np.sqrt(np.where(variance > 0, variance * np.count_nonzero(variance), np.inf))


class Covariances:
    """The second moments of features and targets, from their covariance matrix."""

    def __init__(self, problem, inverse):
        self.problem, self.inverse = problem, inverse
        self.total = problem.n_counted
        moments, d = problem.joint_moments, len(inverse)
        self.scale = None
        if moments is not None:
            self.scale = scale_of(moments.variance[d:], problem.targets)
            covariance = moments.covariance
            self.with_targets = covariance[:d, d:] * inverse[:, None]
            self.second = covariance[:d, :d] * inverse[:, None]
            self.second *= inverse
            self.of_targets = covariance[d:, d:]

    def multiplied_by(self, inverse):
        """The same, of features that are multiplied by `inverse`."""
        return Covariances(self.problem, inverse)

    @property
    def products(self):
        """Mean products of the features and the targets: features × outputs."""
        return self.with_targets / self.scale

    def variation(self, mix):
        """The variation of the targets that `mix` mixes, as a share of that of all targets."""
        mix = mix / self.scale[:, None]
        return np.sum(mix * (self.of_targets @ mix))

    def starts(self, mix):
        """The products with the targets that `mix` mixes, and in the last row signs."""
        vectors = (self.products @ mix).T
        vectors[-1] = signs(len(self.inverse)) * (self.inverse > 0)
        return vectors

    def times(self, vectors):
        """The second moment of the features times these vectors."""
        return vectors @ self.second

    def duals(self, vectors, products):
        """What other vectors are multiplied by for their inner products with these: the same."""
        return vectors


class CentredRows:
    """The second moments of features and targets, from their rows.

    The `mean` of the features is subtracted, and they are multiplied by `inverse`.
    """

    def __init__(self, problem, mean, inverse):
        self.problem = problem
        self.total = problem.n_counted
        self.rows = problem.subset
        self.inverse = inverse
        self.mean, self.shift = mean, mean * inverse
        X = problem.X
        width = max(n_entries(X) / X.shape[0], 1)
        is_large = not sp.issparse(X) and problem.n * width > NUMBERS
        self.step = max(1, int((CACHED if is_large else NUMBERS) / width))
        y, weight = problem.y, problem.weight
        if self.rows is not None:
            y, weight = y[self.rows], None if weight is None else weight[self.rows]
        n = problem.n
        self.share = np.full(n, 1 / n) if weight is None else weight / np.sum(weight)
        columns = np.asarray(problem.targets.columns(y))
        middle = np.average(columns, axis=0, weights=weight)
        variance = np.average(np.square(columns - middle), axis=0, weights=weight)
        self.centred = columns - middle
        self.scale = scale_of(variance, problem.targets)

    def multiplied_by(self, inverse):
        """The same rows, of features that are multiplied by `inverse`."""
        other = copy.copy(self)
        if self.step >= self.problem.n:
            other._X = self._X  # gathered once for both
        other.inverse, other.shift = inverse, self.mean * inverse
        for made in ("_whole", "gram"):
            vars(other).pop(made, None)
        return other

    def batches(self):
        """Some rows at a time: pairs of columns and their products, and which rows these are."""
        n = self.problem.n
        if self.step >= n:
            yield self._whole, slice(0, n)
            return
        for batch in slices(n, self.step):
            rows = batch if self.rows is None else self.rows[batch]
            yield self._split(self.problem.X[rows]), batch

    @cached_property
    def _X(self):
        """All rows, which are gathered once."""
        return self.problem.X if self.rows is None else self.problem.X[self.rows]

    @cached_property
    def _whole(self):
        return self._split(self._X)

    def _split(self, X):
        """Pairs of columns and their products, minus the mean if that is very far from zero."""
        far = np.abs(self.shift) > VERY_FAR
        if not far.any():
            parts = [(slice(None), X)]
        elif not sp.issparse(X):
            # To pick columns would take longer than to subtract zeros.
            parts = [(slice(None), X - np.where(far, self.mean, 0.0))]
        else:
            parts = [(far, X[:, far].toarray() - self.mean[far]), (~far, X[:, ~far])]
        return [(columns, Products(x)) for columns, x in parts]

    def in_memory(self):
        """All rows, their first targets, and how many rows each stands for."""
        y = self.problem.y if self.rows is None else self.problem.y[self.rows]
        return self._X, y[:, 0], self.share * self.total

    def targets(self):
        """Targets, times the roots of the shares."""
        return np.sqrt(self.share)[:, None] * self.centred / self.scale

    def variation(self, mix):
        """The variation of the targets that `mix` mixes, as a share of that of all targets."""
        return np.sum((self.targets() @ mix) ** 2)

    def _parts(self):
        """Some columns at a time.

        Yields
        ------
        tuple
            Which, the rows in them, and what is still to be subtracted from each; None if nothing.
        """
        X = self._X
        if not sp.issparse(X):
            yield slice(None), X * self.inverse - self.shift, None
            return
        z = sp.csc_array(X @ sp.diags_array(self.inverse))
        # Far from zero, the difference of products would only be rounding. Few numbers are zero.
        dense = np.abs(self.shift) > FAR_FROM_ZERO
        dense |= well_filled(np.diff(z.indptr), z.shape[0])
        if not dense.any():
            yield slice(None), z, self.shift
            return
        yield ~dense, z[:, ~dense], self.shift[~dense]
        columns = np.flatnonzero(dense)
        for some in slices(len(columns), max(1, NUMBERS // z.shape[0])):
            yield columns[some], z[:, columns[some]].toarray() - self.shift[columns[some]], None

    @cached_property
    def gram(self):
        """The products of all pairs of rows, times the roots of their shares."""
        products = np.zeros((self.problem.n, self.problem.n))
        for _, z, shift in self._parts():
            if shift is None:
                products += z @ z.T
            else:
                against = z @ shift
                products += self_product(z.T) + (shift @ shift - against - against[:, None])
        root = np.sqrt(self.share)
        return products * root * root[:, None]

    def products(self, some):
        """The products of all pairs of `some` rows, centred as `gram` is."""
        root = np.sqrt(self.share[some])
        return self.gram[np.ix_(some, some)] / (root * root[:, None])

    def combined(self, factors):
        """Sums of the rows times `factors` (rows × columns): features × columns."""
        found = np.empty((len(self.inverse), factors.shape[1]))
        for columns, z, shift in self._parts():
            found[columns] = z.T @ factors
            if shift is not None:
                found[columns] -= np.outer(shift, factors.sum(axis=0))
        return found

    @property
    def _in_features(self):
        """Whether the vectors have a number for each feature, and not one for each row.

        The matrix of the products of all pairs of rows, times the roots of their shares, has the
        same eigenvalues, but for zeros. The smaller matrix is used, which has fewer zeros.
        """
        return len(self.inverse) <= self.total

    def starts(self, mix):
        """The vectors to start from: see `Covariances`."""
        factors = (self.targets() @ mix).T  # the last column of `mix` is zero
        if self._in_features:
            vectors = self._sums(factors).T
            vectors[-1] = signs(len(self.inverse)) * (self.inverse > 0)
            return vectors
        factors[-1] = self._signs()
        return factors

    def _signs(self):
        """Random signs of the rows, centred. A row that stands for some has the sum of their signs.

        The sum of their squares is set to its expectation, so that there is no error if all
        eigenvalues are equal.
        """
        counted, root = self.share * self.total, np.sqrt(self.share)
        whole = np.rint(counted).astype(int)
        if np.allclose(counted, whole, rtol=0, atol=1e-6):
            n = whole.sum()
            ends = np.append(0, np.cumsum(signs(n)))
            found = np.diff(ends[np.append(0, np.cumsum(whole))]) / np.sqrt(np.maximum(whole, 1))
        else:
            n = len(root)
            found = signs(n)
        along = found @ root
        return (found - along * root) * np.sqrt((n - 1) / (n - along**2))

    def times(self, vectors):
        """The matrix times these vectors."""
        if self._in_features:
            return self._sums(self._products(vectors.T)).T
        return self._products(self._sums(vectors))

    def duals(self, vectors, products):
        """What other vectors are multiplied by for their inner products with these.

        Vectors with a number for each row stand for the sums of the rows times these numbers. The
        signs stand for themselves.
        """
        if self._in_features:
            return vectors
        found = products.copy()
        found[-1] = vectors[-1]
        return found

    def _sums(self, factors):
        """The sums of the rows times `factors`: features × vectors.

        Times the roots of the shares the factors add up to zero, so that the means of the features
        need not be subtracted.
        """
        weighted = np.ascontiguousarray((factors * np.sqrt(self.share)).T)
        found = np.zeros((len(self.inverse), len(factors)))
        for parts, batch in self.batches():
            for columns, x in parts:
                found[columns] += x.transposed_times(weighted[batch])
        return scaled(found, self.inverse)

    def _products(self, vectors):
        """The products of vectors (features × vectors) and the centred rows: vectors × rows."""
        vectors = scaled(vectors, self.inverse)
        found = np.zeros((self.problem.n, vectors.shape[1]))
        for parts, batch in self.batches():
            for columns, x in parts:
                found[batch] += x.times(vectors[columns])
        found -= self.share @ found
        return (found * np.sqrt(self.share)[:, None]).T
