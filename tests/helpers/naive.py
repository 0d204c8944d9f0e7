"""The objective in plain NumPy, as its definition says: the reference for the compiled one."""

import numpy as np
import scipy.special


def _margins(of_margin):
    """The loss that sums `of_margin` of (right score - wrong score) over the wrong classes."""

    def loss(y, p):
        if p.shape[1] == 1:
            return of_margin(np.where(y == 1, p, -p))[:, 0]
        rows = np.arange(len(p))
        label = y[:, 0].astype(int)
        each = of_margin(p[rows, label][:, None] - p)
        return each.sum(axis=1) - each[rows, label]

    return loss


def _modified_huber(z):
    """The modified Huber loss of the margin."""
    return np.where(z < -1, -4 * z, np.maximum(0, 1 - z) ** 2)


def _log_loss(y, p):
    """The negative logarithm of the probability of the right class."""
    if p.shape[1] == 1:
        p = np.column_stack([np.zeros(len(p)), p])
    label = y[:, 0].astype(int)
    return np.logaddexp.reduce(p, axis=1) - p[np.arange(len(p)), label]


def _of_outputs(each):
    """The loss that sums `each` over the outputs."""
    return lambda y, p: each(y, p).sum(axis=1)


# Functions of y (targets or class indices) and p (predictions, rows × outputs), which return the
# loss of every row.
LOSSES = {
    "squared_error": _of_outputs(lambda y, p: 0.5 * (y - p) ** 2),
    "absolute_error": _of_outputs(lambda y, p: np.abs(y - p)),
    "huber": _of_outputs(lambda y, p: scipy.special.huber(1.35, y - p)),
    "quantile": _of_outputs(lambda y, p: np.maximum(0.5 * (y - p), 0.5 * (p - y))),
    "epsilon_insensitive": _of_outputs(lambda y, p: np.maximum(0, np.abs(y - p) - 0.1)),
    "poisson": _of_outputs(lambda y, p: scipy.special.kl_div(y, np.exp(p))),
    "gamma": _of_outputs(lambda y, p: y / np.exp(p) - np.log(y / np.exp(p)) - 1),
    "log_loss": _log_loss,
    "hinge": _margins(lambda z: np.maximum(0, 1 - z)),
    "squared_hinge": _margins(lambda z: np.maximum(0, 1 - z) ** 2),
    "modified_huber": _margins(_modified_huber),
    "perceptron": _margins(lambda z: np.maximum(0, -z)),
}


def sizes(X, weight=None):
    """The sizes of the features: deviation / root of the share of rows that are not zero."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float)
    mean = np.average(X, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    filled = np.average(X != 0, axis=0, weights=weight)
    constant = np.ptp(X if weight is None else X[np.asarray(weight) > 0], axis=0) == 0
    return np.where(constant, 1.0, deviation) / np.sqrt(np.where(constant, 1.0, filled))


def objective(loss, X, y, coef, intercept, *, alpha=0.0, l1_ratio=0.0, weight=None, size=1.0):
    """The objective at coefficients (outputs × features) and intercepts (outputs,).

    `loss` is a name, or a function of y and p if its parameters are not the defaults. `size` are
    the sizes of the features, in which coefficients are penalised.
    """
    X = np.asarray(X.todense() if hasattr(X, "todense") else X, dtype=float)
    y = np.asarray(y, dtype=float).reshape(len(X), -1)
    coef = np.atleast_2d(coef)
    of_rows = LOSSES[loss] if isinstance(loss, str) else _of_outputs(loss)
    rows = of_rows(y, X @ coef.T + np.atleast_1d(intercept))
    sized = coef * size
    penalty = l1_ratio * np.abs(sized).sum() + 0.5 * (1 - l1_ratio) * (sized**2).sum()
    return np.average(rows, weights=weight) + alpha * penalty


def slope(function, w, j, step=1e-6):
    """Central difference of `function` along coordinate j."""
    up, down = w.copy(), w.copy()
    up[j] += step
    down[j] -= step
    return (function(up) - function(down)) / (up[j] - down[j])
