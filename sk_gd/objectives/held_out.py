"""Held-out data: the loss and the score of a model on rows that do not train."""

import numpy as np

from ..indices import n_entries, slices
from ..threads import count_parts, one_blas_thread

# Rows whose predictions are computed together.
ROWS = 8192


class HeldOut:
    """Rows that do not train, on which the model is evaluated.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Data.
    y : ndarray of shape (n_samples, n_targets)
        Targets, or class indices.
    weight : ndarray of shape (n_samples,) or None
        Weights of the rows; None if they are equal.
    loss : Loss
        The loss.
    targets : RealTargets or ClassTargets
        Knows how predictions are scored.
    chosen_score : callable, optional
        Computes the score that decides in place of the loss, from X, y, weight and a model.
    """

    def __init__(self, X, y, weight, loss, targets, chosen_score=None):
        if weight is not None and not np.all(weight):
            # The loss of a row without weight may be infinite; zero times it is not zero.
            rows = np.flatnonzero(weight)
            X, y, weight = X[rows], y[rows], weight[rows]
        self.X = X
        self.y = y
        with np.errstate(over="ignore"):
            overflows = weight is not None and not np.isfinite(np.sum(weight))
        self.weight = weight / len(weight) if overflows else weight
        self.loss = loss
        self.targets = targets
        self.chosen_score = chosen_score

    def judge(self, coef, intercept):
        """Mean loss and score of the model."""
        p = raw_predictions(self.X, coef, intercept)
        loss = mean_loss(self.loss, self.y, p, self.weight)
        if self.chosen_score is not None:
            return loss, self.chosen_score(self.X, self.y, self.weight, coef, intercept)
        return loss, self.targets.scorer(self.loss, self.y, self.weight)(p)


def raw_predictions(X, coef, intercept):
    """Predictions (rows × outputs) of a model, without link; X is read a chunk at a time."""
    p = np.empty((X.shape[0], len(coef)))
    batches = slices(X.shape[0], ROWS)
    n_parts = count_parts(n_entries(X))

    def part(k):
        # A model that is about to diverge may have predictions that overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in batches[k::n_parts]:
                p[rows] = X[rows] @ coef.T + intercept

    one_blas_thread.in_parts(part, n_parts)
    return p


def mean_loss(loss, y, p, weight):
    """Weighted mean of the loss of predictions `p` (rows × outputs)."""
    kernel = loss.kernel(p.shape[1])
    total = count = 0.0
    for rows in slices(len(p), ROWS):
        w = np.ones(len(p[rows])) if weight is None else weight[rows]
        total += kernel.total(np.ascontiguousarray(y[rows].T), np.ascontiguousarray(p[rows].T), w)
        count += w.sum()
    return total / count
