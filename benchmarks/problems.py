"""The data sets of benchmarks/tournament.py, and the exact minima of their objectives."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

ALPHA = 1e-4  # the strength of the penalty, on raw coefficients


@dataclass
class Problem:
    """A data set, with an objective whose minimum is known."""

    name: str
    X: object
    y: np.ndarray
    classifies: bool

    def objective(self, coef, intercept):
        """The objective F of a model."""
        p = self.X @ np.atleast_2d(coef).T + np.atleast_1d(intercept)
        ridge = ALPHA / 2 * np.sum(np.square(coef))
        if not self.classifies:
            return 0.5 * np.mean((p[:, 0] - self.y) ** 2) + ridge
        codes = np.unique(self.y, return_inverse=True)[1]
        if p.shape[1] == 1:
            return np.mean(np.logaddexp(0, p[:, 0]) - codes * p[:, 0]) + ridge
        return np.mean(logsumexp(p, axis=1) - p[np.arange(len(p)), codes]) + ridge

    def bounds(self):
        """F of the model without coefficients, and of the minimiser."""
        start = np.log(len(np.unique(self.y))) if self.classifies else 0.5 * np.var(self.y)
        return start, self._minimum_classifier() if self.classifies else self._minimum_regressor()

    def _minimum_regressor(self):
        X = self.X.toarray() if sp.issparse(self.X) else self.X
        n, d = X.shape
        centred, y = X - X.mean(axis=0), self.y - self.y.mean()
        # Extra rows for the ridge give least squares without the normal equations.
        stacked = np.vstack([centred / np.sqrt(n), np.sqrt(ALPHA) * np.eye(d)])
        coef = np.linalg.lstsq(stacked, np.append(y / np.sqrt(n), np.zeros(d)), rcond=None)[0]
        return self.objective(coef, self.y.mean() - X.mean(axis=0) @ coef)

    def _minimum_classifier(self):
        X, classes = self.X, np.unique(self.y)
        codes = np.searchsorted(classes, self.y)
        n, d = X.shape
        sparse = sp.issparse(X)
        mean = np.zeros(d) if sparse else X.mean(axis=0)
        spread = StandardScaler(with_mean=not sparse).fit(X).scale_
        # With this scaling L-BFGS reaches the optimum in reasonable time.
        unit = 1 / np.sqrt(spread**2 + 4 * ALPHA)
        binary = len(classes) == 2
        k = 1 if binary else len(classes)
        hot = codes[:, None] == (np.array([1]) if binary else np.arange(k))

        def value_and_gradient(flat):
            u = flat.reshape(k, d + 1)
            coef = u[:, :d] * unit
            p = X @ coef.T + (u[:, d] - coef @ mean)
            if binary:
                value = np.mean(np.logaddexp(0, p[:, 0]) - codes * p[:, 0])
                slope = 1 / (1 + np.exp(-np.clip(p, -500, 500))) - hot
            else:
                value = np.mean(logsumexp(p, axis=1) - p[np.arange(n), codes])
                slope = softmax(p, axis=1) - hot
            gradient = np.empty_like(u)
            total = slope.sum(axis=0)
            gradient[:, :d] = ((X.T @ slope).T - np.outer(total, mean)) / n + ALPHA * coef
            gradient[:, :d] *= unit
            gradient[:, d] = total / n
            return value + ALPHA / 2 * np.sum(coef**2), gradient.ravel()

        best = minimize(
            value_and_gradient,
            np.zeros(k * (d + 1)),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": 50_000,
                "maxfun": 100_000,
                "ftol": 1e-15,
                "gtol": 1e-10,
                "maxcor": 50,
            },
        )
        return best.fun


def _scaled(X):
    return StandardScaler().fit_transform(X)


def _logistic(rng, X, w, noise=1.0):
    margin = X @ w
    margin = margin / margin.std()
    return (margin + noise * rng.logistic(size=len(margin)) > 0).astype(int)


def tournament():
    """The data sets on which the defaults were chosen."""
    rng = np.random.default_rng(0)
    X, y = datasets.load_breast_cancer(return_X_y=True)
    yield Problem("breast cancer, raw", X, y, True)
    yield Problem("breast cancer, scaled", _scaled(X), y, True)
    X, y = datasets.load_digits(return_X_y=True)
    yield Problem("digits", X, y, True)
    X, y = datasets.load_wine(return_X_y=True)
    yield Problem("wine, raw", X, y, True)
    yield Problem("wine, scaled", _scaled(X), y, True)
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    yield Problem("diabetes, raw", X, y, False)
    yield Problem("diabetes, y × 10⁶", X, y * 1e6, False)
    X = rng.standard_normal((3000, 20)) * 10.0 ** rng.uniform(-4, 4, 20) + 10.0 ** rng.uniform(
        0, 3, 20
    )
    z = _scaled(X)
    w = rng.standard_normal(20)
    yield Problem("ill-scaled logistic", X, _logistic(rng, z, w, 0.5), True)
    yield Problem("ill-scaled regression", X, 50 + 9 * (z @ w + rng.standard_normal(3000)), False)
    low = rng.standard_normal((2000, 5)) @ rng.standard_normal((5, 60))
    X = low + 0.01 * rng.standard_normal((2000, 60))
    yield Problem(
        "low-rank regression", X, X @ rng.standard_normal(60) + rng.standard_normal(2000), False
    )
    yield Problem("low-rank logistic", X, _logistic(rng, X, rng.standard_normal(60), 0.3), True)
    X = sp.random_array((2000, 3000), density=0.01, rng=rng, format="csr")
    yield Problem("sparse text-like", X, _logistic(rng, X, rng.standard_normal(3000), 0.3), True)


def unseen():
    """Data sets that were not used to choose the defaults."""
    rng = np.random.default_rng(1)
    X, y = datasets.load_iris(return_X_y=True)
    yield Problem("iris", X, y, True)
    X, y = datasets.load_linnerud(return_X_y=True)
    yield Problem("linnerud", X, y[:, 0], False)
    X, y = datasets.load_digits(return_X_y=True)
    yield Problem("digits, even or odd", X, y % 2, True)
    X, y = datasets.make_classification(
        20_000, 40, n_informative=10, n_redundant=20, n_classes=4, random_state=0, shift=30, scale=7
    )
    yield Problem("four classes, redundant", X, y, True)
    X, y = datasets.make_classification(5000, 30, weights=[0.97], flip_y=0.01, random_state=1)
    yield Problem("imbalanced", X, y, True)
    X, y = datasets.make_friedman1(4000, 15, noise=1.0, random_state=2)
    yield Problem("friedman", X, y, False)
    X = np.exp(rng.standard_normal((5000, 25)) * 1.5)
    yield Problem(
        "heavy tails", X, np.log(X) @ rng.standard_normal(25) + rng.standard_normal(5000), False
    )
    X = rng.standard_normal((2000, 5)) @ rng.standard_normal((5, 60))
    X += 0.05 * rng.standard_normal((2000, 60))
    yield Problem("low rank, more noise", X, _logistic(rng, X, rng.standard_normal(60), 0.3), True)
    X = sp.random_array((3000, 1000), density=0.02, rng=rng, format="csr")
    yield Problem("sparse, noisy", X, _logistic(rng, X, rng.standard_normal(1000), 1.0), True)
    X = rng.standard_normal((300, 500))
    yield Problem(
        "more features than rows", X, X[:, :5].sum(axis=1) + rng.standard_normal(300), False
    )
    X = np.cumsum(rng.standard_normal((2000, 50)), axis=1)
    yield Problem("random walks", X, _logistic(rng, X, rng.standard_normal(50), 0.5), True)
    X = sp.random_array((5000, 1000), density=0.03, rng=rng, format="csr")
    yield Problem(
        "sparse regression",
        X,
        X @ rng.standard_normal(1000) + 0.1 * rng.standard_normal(5000),
        False,
    )
