"""What one pass over the data reads: a problem's rows, in batches, in the optimizer's coordinates.

All configurations that are trained side by side share it.
"""

import numpy as np

from .caching import cached_property
from .linear import LinearObjective
from .order import shuffle
from .smoothness import reach, smoothness


class Data:
    """Rows, coordinates and batches.

    Parameters
    ----------
    problem : Problem
        Rows, targets, weights and loss.
    coordinates : Coordinates
        The optimizer's coordinates.
    batch_size : int
        Rows a step.
    shuffle : bool
        Whether every epoch reads the rows in a new order.
    """

    def __init__(self, problem, coordinates, batch_size, shuffle):
        self.problem = problem
        self.n = problem.n
        self.coordinates = coordinates
        self.batch_size = min(batch_size, self.n)
        # The order of the full batch changes nothing but the rounding.
        self.shuffle = shuffle and self.batch_size < self.n
        self._order = None

    @property
    def n_batches(self):
        """Steps an epoch."""
        return -(-self.n // self.batch_size)

    def same_as(self, other):
        """Whether `other`, of the same problem, reads the same rows in the same way."""
        return (
            self.batch_size == other.batch_size
            and self.shuffle == other.shuffle
            and self.coordinates.same_as(other.coordinates)
        )

    def smoothness(self, penalty, noise_gain=1.0, *, sample=False):
        """Expected smoothness of a batch's gradient; `sample`: the rows stand for many more."""
        largest, longest, n = self._reach
        if sample:
            n = np.inf
        return smoothness(
            (largest, longest, n), self.coordinates, penalty, self.batch_size, noise_gain
        )

    def mean_square(self):
        """Mean squared length of the rows, without the constant column."""
        weights = self.problem.weights
        norms = self.coordinates.squared_norms(self.problem.X, weights)
        return np.average(norms, weights=weights) - self.coordinates.intercept

    @cached_property
    def _reach(self):
        return reach(self.problem.X, self.problem.weights, self.coordinates)

    def order(self, generator):
        """The rows in the order of the next epoch; None for the order that they have."""
        if not self.shuffle:
            return self.problem.subset
        if self._order is None:
            self._order = np.empty(self.n, dtype=np.intp)
        # Every epoch begins with the same order: the state of the generator alone decides.
        shuffle(self._order, self.problem.subset, generator.bit_generator)
        return self._order

    def objective(self, penalties):
        """The objective, with a lane for each of the `penalties`."""
        return LinearObjective(self.problem, self.coordinates, penalties, self.batch_size, self.n)
