"""How much two classes differ, from the evidence of the logistic model itself.

The linear model of `evidence` says too little where single rows have large numbers, such as long
texts as counts of words: their margins are large, and their probabilities no more than one.
"""

import dataclasses

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrf
from scipy.special import expit

from .dual import Duals
from .lanczos import by_lanczos
from .second_moments import CentredRows, drawn, has_few_rows, places

# So many rows are read, drawn at random, and at least so many of each class.
ROWS, FEWEST = 1000, 10
# The variances of the margins that are compared: the factor from one to the next, and the largest.
APART, MOST = 4.0, 2.0**14
# For each of them, the largest duality gap per row, and the most passes of dual coordinate ascent
# to get there.
LEFT, PASSES = 5e-4, 60
# The least curvature of the loss of a row, so that the sum over certain rows is not zero.
LEAST_CURVATURE = 1e-12
# The log determinant is exact enough if further steps change it by less than that, per row.
CLOSE = 1e-3


class Sample:
    """A random sample of rows of two classes, in memory.

    A row of weight two is there twice.

    Parameters
    ----------
    rows : CentredRows
        The rows.

    Attributes
    ----------
    X, y : array or CSR array of shape (n, n_features), ndarray of shape (n,)
        Some of them, and their classes, 0 or 1.
    some : ndarray of intp
        Which of the rows these are.
    problem : Problem
        All rows.
    """

    def __init__(self, rows):
        self.problem = rows.problem
        X, y, counted = rows.in_memory()
        n_rows = max(rows.total, len(counted))
        self.some = np.repeat(*drawn(places(round(min(rows.total, ROWS)), n_rows), counted))
        self.X, self.y = X[self.some], y[self.some]

    def has_both_classes(self):
        """Whether there are enough rows of each class to tell them apart."""
        return min(np.count_nonzero(self.y == k) for k in (0, 1)) >= FEWEST


class Logistic:
    r"""The evidence of a logistic model with a normal prior, by Laplace's method.

    The margins have the variance v under the prior. The coefficients u are those of the features Z,
    divided by their sizes. At the most probable ones, with the probabilities p and the sum T of the
    variances of Z, the logarithm of the evidence is, up to a constant,

    .. math:: \sum_i \log p_i(y_i) - \tfrac{T}{2v} \|u\|^2
        - \tfrac12 \log\Bigl|I + \tfrac{v}{T} Z_c^\top S Z_c\Bigr|

    Here S has the entries :math:`p_i (1 - p_i)`, and :math:`Z_c` is Z minus its mean under these
    weights: the intercept is not penalised.

    Parameters
    ----------
    sample : Sample
        Rows of two classes.
    rows : CentredRows
        All rows, with what the features are multiplied by.
    variance : float
        The sum of their variances (T).

    References
    ----------
    Rasmussen, C. E. & Williams, C. K. I. (2006). Gaussian Processes for Machine Learning, 3.4. MIT
    Press.
    """

    def __init__(self, sample, rows, variance):
        inverse = rows.inverse
        self.variance, self.inverse = variance, (inverse > 0).astype(float)
        X, y = sample.X, sample.y
        self.n, self.side = len(y), np.where(y > 0, 1, -1)
        X = X @ sp.diags_array(inverse) if sp.issparse(X) else X * inverse
        self.X = sp.csr_array(X, dtype=float)
        ones = np.ones(len(inverse))
        self.duals = Duals(self.X, y, None, ones, 1, self._ridge(1.0), True)
        self.problem = dataclasses.replace(
            sample.problem, X=self.X, y=y[:, None], subset=None, total=self.n
        )
        self.known = {}
        # Of few rows, the products of all pairs are known.
        self.products = rows.products(sample.some) if has_few_rows(rows.problem) else None

    def _ridge(self, v):
        return self.variance / (self.n * v)

    def __call__(self, v):
        """The logarithm of the evidence for a row, if the margins have the variance `v`."""
        if v not in self.known:
            self.known[v] = self._evidence(v) / self.n
        return self.known[v]

    def _evidence(self, v):
        ridge = self._ridge(v)
        self.duals.change_ridge(ridge)
        generator = np.random.default_rng(0)
        for _ in range(PASSES):
            self.duals.ascend(generator.permutation(self.n))
            coef, intercept = self.duals.model()
            margin = (self.X @ coef[0] + intercept) * self.side
            fit = -np.logaddexp(0, -margin).sum()
            prior = 0.5 * ridge * self.n * (coef[0] @ coef[0])
            # The duality gap, per row.
            if (prior - fit) / self.n - self.duals.lower_bound() <= LEFT:
                break
        curvature = np.maximum(expit(margin) * expit(-margin), LEAST_CURVATURE)
        return fit - prior - 0.5 * self._log_determinant(curvature, 1 / (ridge * self.n))

    def _log_determinant(self, curvature, spread):
        """The logarithm of the determinant in the evidence, where `spread` is v / T."""
        if self.products is not None:
            return _of_products(self.products, curvature, spread)
        problem = dataclasses.replace(self.problem, weight=curvature)
        rows = CentredRows(problem, np.zeros(len(self.inverse)), self.inverse)
        return _of_rows(rows, curvature.sum() * spread)

    def best(self, v):
        """The variance of the margins with the largest evidence, a power of two, and this evidence.

        The search begins at `v`, and goes up: the evidence is an approximation that is too low for
        large variances.
        """
        first = v
        while v * APART <= MOST and self(v * APART) > self(v):
            v *= APART
        if v == first:
            return v, self(v)
        before, top, after = self(v / APART), self(v), self(v * APART)
        bend = before - 2 * top + after
        move = 0.5 * (before - after) / bend if bend < 0 else 0.0
        return v * 2.0 ** round(np.log2(APART) * move), top


def _of_products(products, weight, spread):
    """The log determinant of I + spread · Zᵀ W Z, from the products Z Zᵀ; Z is centred here."""
    along = products @ (weight / weight.sum())
    centred = products - along - along[:, None] + along @ weight / weight.sum()
    root = np.sqrt(spread * weight)
    centred *= root
    centred *= root[:, None]
    centred.flat[:: len(root) + 1] += 1
    return 2 * np.log(dpotrf(centred)[0].diagonal()).sum()


def _of_rows(rows, spread):
    """The same of I plus `spread` times the second moment of the rows, by the Lanczos method."""
    found = np.inf
    for _, (values, counts) in by_lanczos(rows, np.empty((1, 0))):
        before, found = found, counts @ np.log1p(spread * values)
        if before - found < CLOSE * rows.total:
            break
    return found
