"""Moments of the rows that train in a split, of which every row is read once for all splits."""

import threading

import numpy as np
import scipy.sparse as sp

from ..objectives.gram import joint_moments
from ..objectives.moments import Moments
from .splits import positions

# With more splits, to add up the moments of all others takes as long as reading the rows again.
MOST_SPLITS = 12


class SharedMoments:
    """The moments of the rows that test in each split: those that train are all others.

    Parameters
    ----------
    X, y : ndarray or CSR matrix, ndarray
        All rows, validated.
    tests : list of ndarray of intp
        The rows that test in each split. Each row tests in one of them.
    """

    def __init__(self, X, y, tests):
        self._X = X
        self._y = y
        self._tests = tests
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
                self._parts = [self._part(rows, Y) for rows in self._tests]
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


def shared_moments(X, y, splits):
    """Return the `SharedMoments` of splits; None unless each row tests once, and trains else.

    `splits` has the rows that train and those that test, by the number of the split.
    """
    if not 1 < len(splits) <= MOST_SPLITS or sorted(splits) != list(range(len(splits))):
        return None
    tests = [positions(splits[k][1]) for k in range(len(splits))]
    n = X.shape[0]
    each_once = [np.concatenate(tests)]
    each_once += [np.concatenate([positions(splits[k][0]), test]) for k, test in enumerate(tests)]
    for rows in each_once:
        if len(rows) != n or rows.min() < 0 or rows.max() >= n or np.bincount(rows).max() > 1:
            return None
    return SharedMoments(X, y, tests)
