"""Which rows: indices, masks, runs of them."""

import numpy as np


def positions(rows):
    """The indices of rows, which may be a mask."""
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp, copy=False)


def are_different(rows):
    """Whether no row is there twice, nor counted from the end."""
    return rows.min() >= 0 and np.bincount(rows).max() == 1


def without_copy(rows):
    """The same rows as a slice, which is not copied, if they follow each other."""
    first, last = (rows[0], rows[-1]) if len(rows) else (0, -1)
    if last - first == len(rows) - 1 and np.all(np.diff(rows) == 1):
        return slice(first, last + 1)
    return rows
