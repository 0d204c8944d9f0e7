"""Which rows: indices, masks, runs of them."""

import numpy as np


def positions(rows):
    """The indices of rows, which may be a mask."""
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp, copy=False)


class Packed:
    """Rows in ascending order, as a bit for every row there is; an array when asked."""

    def __init__(self, rows, n_samples):
        chosen = np.zeros(n_samples, dtype=bool)
        chosen[rows] = True
        self._bits = np.packbits(chosen)
        self._n_samples = n_samples

    def __array__(self, dtype=None, copy=None):
        rows = np.flatnonzero(np.unpackbits(self._bits, count=self._n_samples))
        return rows if dtype is None else rows.astype(dtype)


def packed(rows, n_samples):
    """The same rows in less memory, if they are in ascending order."""
    array = np.asarray(rows)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        return rows
    ascending = len(array) and array[0] >= 0 and np.all(array[1:] > array[:-1])
    return Packed(array, n_samples) if array.dtype == bool or ascending else array


def are_different(rows):
    """Whether no row is there twice, nor counted from the end."""
    return rows.min() >= 0 and np.bincount(rows).max() == 1


def without_copy(rows):
    """The same rows as a slice, which is not copied, if they follow each other."""
    first, last = (rows[0], rows[-1]) if len(rows) else (0, -1)
    if first >= 0 and last - first == len(rows) - 1 and np.all(rows[1:] == rows[:-1] + 1):
        return slice(first, last + 1)
    return rows
