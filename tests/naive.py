"""The objective, as its definition reads: what the compiled one is compared with."""

import numpy as np


def _hinge(y, p):
    if p.shape[1] == 1:
        return np.maximum(0, 1 - (2 * y - 1) * p)[:, 0]
    label = y[:, 0].astype(int)
    missing = np.maximum(0, p - p[np.arange(len(p)), label][:, None] + 1)
    return missing.sum(axis=1) - 1  # the right class is one short of itself


def _log_loss(y, p):
    if p.shape[1] == 1:
        p = np.column_stack([np.zeros(len(p)), p])
    label = y[:, 0].astype(int)
    return np.logaddexp.reduce(p, axis=1) - p[np.arange(len(p)), label]


# The loss of every row, of targets or class indices y and predictions p (rows × outputs).
LOSSES = {
    "squared_error": lambda y, p: (0.5 * (y - p) ** 2).sum(axis=1),
    "log_loss": _log_loss,
    "hinge": _hinge,
}


def objective(loss, X, y, coef, intercept, *, alpha=0.0, l1_ratio=0.0, weight=None):
    """F of the coefficients (outputs × features) and intercepts (outputs,)."""
    X = np.asarray(X.todense() if hasattr(X, "todense") else X, dtype=float)
    y = np.asarray(y, dtype=float).reshape(len(X), -1)
    coef = np.atleast_2d(coef)
    rows = LOSSES[loss](y, X @ coef.T + np.atleast_1d(intercept))
    penalty = l1_ratio * np.abs(coef).sum() + 0.5 * (1 - l1_ratio) * (coef**2).sum()
    return np.average(rows, weights=weight) + alpha * penalty


def slope(function, w, j, step=1e-6):
    """Central difference of `function` along coordinate j."""
    up, down = w.copy(), w.copy()
    up[j] += step
    down[j] -= step
    return (function(up) - function(down)) / (up[j] - down[j])
