"""Moments of the rows that train in each split, from one pass over all rows."""

import threading

import numpy as np
import scipy.sparse as sp

from ..objectives.gram import joint_moments
from ..objectives.moments import Moments
from .splits import positions

# With more splits, adding the moments of all others takes as long as reading the rows again.
MOST_SPLITS = 12


class SharedMoments:
    """The moments of the rows that test in each split. The others train.

    Parameters
    ----------
    X, y : ndarray or CSR matrix, ndarray
        All rows, validated.
    calls : dict of int to FitCall
        A fit of each split, by the number of the split. Each row tests in one of them.
    """

    def __init__(self, X, y, calls):
        self._X = X
        self._y = y
        self._calls = calls
        self._labels = None
        self._parts = None
        self._lock = threading.Lock()

    def suit(self, targets):
        """Tell whether the rows of all splits have the columns of these targets."""
        if targets.kind == "regressor":
            return targets.bounds is None
        if self._labels is None:
            self._labels = np.unique(self._y)
        return np.array_equal(targets.classes, self._labels)

    def without(self, split, targets):
        """Return the joint moments of features and targets of the rows that train in a split."""
        with self._lock:
            if self._parts is None:
                Y = targets.columns(targets.encode(self._y))
                self._parts = [
                    self._part(positions(self._calls[k].test), Y) for k in range(len(self._calls))
                ]
        if any(part is None for part in self._parts):
            return None
        moments = Moments(full=True)
        for k, part in enumerate(self._parts):
            if k != split:
                moments.merge(part)
        return moments if np.isfinite(moments.covariance).all() else None

    def _part(self, rows, Y):
        if sp.issparse(self._X):
            return joint_moments(self._X[rows], Y[rows])
        return joint_moments(self._X, Y, None, rows)


def shared_moments(X, y, calls):
    """Return the `SharedMoments` of splits; None unless each row tests once, and trains else.

    `calls` has a fit of each split, by the number of the split.
    """
    if not 1 < len(calls) <= MOST_SPLITS or sorted(calls) != list(range(len(calls))):
        return None
    tested = np.zeros(X.shape[0], dtype=bool)
    for call in calls.values():
        trains, tests = (as_mask(rows, len(tested)) for rows in (call.train, call.test))
        if trains is None or tests is None or np.any(trains == tests) or np.any(tested & tests):
            return None
        tested |= tests
    return SharedMoments(X, y, calls) if np.all(tested) else None


def as_mask(rows, n):
    """Return which of n rows these are; None if one occurs twice, or is counted from the end."""
    rows = positions(rows)
    mask = np.zeros(n, dtype=bool)
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        return None
    mask[rows] = True
    return mask if np.count_nonzero(mask) == len(rows) else None
