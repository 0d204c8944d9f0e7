"""Which rows a split has: as indices, as a mask, or packed into a bit for each row."""

import numpy as np


def positions(rows):
    """Return the indices of rows, which may be given as a mask."""
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp, copy=False)


def are_different(rows):
    """Tell whether no row occurs twice, and none is counted from the end."""
    return rows.min() >= 0 and np.bincount(rows).max() == 1


class Packed:
    """Rows in ascending order, stored as one bit for each row of X; an array when asked."""

    def __init__(self, rows, n_samples):
        chosen = np.zeros(n_samples, dtype=bool)
        chosen[rows] = True
        self._bits = np.packbits(chosen)
        self._n_samples = n_samples

    def __array__(self, dtype=None, copy=None):
        # As booleans they are searched three times as fast.
        chosen = np.unpackbits(self._bits, count=self._n_samples).view(bool)
        rows = np.flatnonzero(chosen)
        return rows if dtype is None else rows.astype(dtype)


def packed(rows, n_samples):
    """Return the same rows in less memory, if they are in ascending order."""
    array = np.asarray(rows)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        return rows
    ascending = len(array) and array[0] >= 0 and np.all(array[1:] > array[:-1])
    return Packed(array, n_samples) if array.dtype == bool or ascending else array


class PackedSplits:
    """A splitter that yields the splits of another one, packed.

    A search keeps all splits until it ends. Indices would take eight bytes for each
    row and split.
    """

    def __init__(self, cv):
        self.cv = cv

    def split(self, X, y=None, **params):
        """Yield the rows that train and the rows that test, for each split."""
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        for train, test in self.cv.split(X, y, **params):
            yield packed(train, n_samples), packed(test, n_samples)
