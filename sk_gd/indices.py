"""Rows of a table: which of them, some of them at a time, and how many numbers they have."""

import numpy as np
import scipy.sparse as sp

# Numbers in the rows of a chunk: enough to be fast, too few to show in the memory used.
CHUNK = 32768


def without_copy(rows):
    """Return the same rows as a slice, which copies nothing, if they follow each other."""
    first, last = (rows[0], rows[-1]) if len(rows) else (0, -1)
    if first >= 0 and last - first == len(rows) - 1 and np.all(rows[1:] == rows[:-1] + 1):
        return slice(first, last + 1)
    return rows


def slices(n, size):
    """Return slices of `size` rows that are n rows together; the last one has what is left."""
    # That of scikit-learn checks its arguments, which takes longer than a short batch.
    return [slice(begin, min(begin + size, n)) for begin in range(0, n, size)]


def chunks(n, width):
    """Return slices of n rows of so many numbers each, about `CHUNK` numbers in every slice."""
    return slices(n, max(1, CHUNK // max(1, width)))


def n_entries(X):
    """Return how many numbers X stores."""
    return X.nnz if sp.issparse(X) else X.size
