"""The 0/1 columns that stand for classes."""

import numpy as np
import scipy.sparse as sp


class Indicators:
    """A column for each class, which is 1 in the rows of the class.

    The columns are only made of some rows at a time: those of all rows and of many classes have
    more numbers than X.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        The number of the class of each row.
    n_classes : int
        How many classes there are.
    """

    def __init__(self, codes, n_classes):
        self.codes = codes
        self.shape = len(codes), n_classes

    def __getitem__(self, rows):
        return Indicators(self.codes[rows], self.shape[1])

    def __array__(self, dtype=None, copy=None):
        return (self.codes[:, None] == np.arange(self.shape[1])).astype(dtype or float)

    def transposed(self, weight=None):
        """The transposed columns as a sparse matrix, times the weights of the rows."""
        n, n_classes = self.shape
        ones = np.ones(n) if weight is None else weight
        at = self.codes.astype(np.intp), np.arange(n)
        return sp.csr_array((ones, at), shape=(n_classes, n))
