"""What one pass over the data reads: a problem's rows, in batches, in the optimizer's coordinates.

All configurations that are trained side by side share it.
"""

import dataclasses
import math
import mmap

import numpy as np
import scipy.sparse as sp

from ..indices import n_entries
from .caching import cached_property
from .held_out import raw_predictions
from .order import Order
from .parts import linear_objective
from .smoothness import extent_of, smoothness

# X with more entries than this is larger than a cache (16 MB of float64). Its rows are shuffled in
# two levels. These numbers must not depend on the machine, because the order must not.
LARGE = 2**21
# Entries of a run of adjacent rows: enough for memory to be read as a stream (4 KB of float64).
RUN = 2**9
# The most rows of a run: with short rows, more of them bring no gain.
LONGEST_RUN = 64
# Entries of a group of runs, which are in the second-level cache together (256 KB of float64).
GROUP = 2**15
# Entries of a run and of a group of X on disk (1 MB and 16 MB of float64): a disk is fast only
# where it is read in sequence, and a group is what has to be in memory.
DISK_RUN, DISK_GROUP = 2**17, 2**21
# A sample has a sixteenth of the rows, in runs of adjacent rows.
SAMPLE_SHARE, SAMPLE_RUN = 16, 64
# There is no sample if X has fewer entries than that: a pass takes a millisecond. Nor if the sample
# would have fewer rows for each weight: its minimum would be far from that of all rows.
SAMPLED_ENTRIES, ROWS_OF_A_WEIGHT = 1 << 20, 32
# About how many rows are used to check whether a model is worse than before training.
SMALL_SAMPLE = 1 << 10


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

    # The most entries of a sample. There is no limit where it is read in place.
    _most_sampled = math.inf

    def __init__(self, problem, coordinates, batch_size, shuffle):
        self.problem = problem
        self.n = problem.n
        self.coordinates = coordinates
        self.batch_size = min(batch_size, self.n)
        # Steps an epoch.
        self.n_batches = -(-self.n // self.batch_size)
        # The order of the full batch changes nothing but the rounding.
        self.shuffle = shuffle and self.batch_size < self.n
        self._of_one_lane = None

    def same_as(self, other):
        """Whether `other`, of the same problem, reads the same rows in the same way."""
        return (
            self.batch_size == other.batch_size
            and self.shuffle == other.shuffle
            and self.coordinates.same_as(other.coordinates)
        )

    def smoothness(self, penalty, noise_gain=1.0, *, sample=False):
        """Expected smoothness of a batch's gradient; `sample`: the rows stand for many more."""
        extent = self._extent._replace(n=np.inf) if sample else self._extent
        return smoothness(extent, self.coordinates, penalty, self.batch_size, noise_gain)

    def mean_square(self):
        """Mean squared length of the rows, without the constant column."""
        weights = self.problem.weights
        with np.errstate(over="ignore", invalid="ignore"):
            norms = self.coordinates.squared_norms(self.problem.X, weights)
            return np.average(norms, weights=weights) - self.coordinates.intercept

    @cached_property
    def _extent(self):
        return extent_of(self.problem.X, self.problem.weights, self.coordinates, self.n)

    @cached_property
    def _order(self):
        subset = self.problem.subset
        levels = (1, 0)
        if self.shuffle:
            X = self.problem.X
            levels = runs_and_groups(X, subset, self.batch_size, is_on_disk(X))
        return Order(subset, self.n, *levels)

    def order(self, generator):
        """The rows in the order of the next epoch; None for the order that they have."""
        if not self.shuffle:
            return self.problem.subset
        return self._order.shuffle(generator.bit_generator)

    @property
    def _n_entries(self):
        X = self.problem.X
        return self.n * (n_entries(X) / X.shape[0])

    def sample(self):
        """A full batch of a sample of the rows; None if there are too few of them.

        It has rows from everywhere, since rows may be sorted.
        """
        coordinates, entries = self.coordinates, self._n_entries
        weights = coordinates.n_outputs * coordinates.n_columns
        share = max(SAMPLE_SHARE, math.ceil(entries / self._most_sampled))
        if self.n < share * ROWS_OF_A_WEIGHT * weights or entries < SAMPLED_ENTRIES:
            return None
        firsts = np.arange(0, self.n - SAMPLE_RUN + 1, share * SAMPLE_RUN, dtype=np.intp)
        return self._full_batch_of((firsts[:, None] + np.arange(SAMPLE_RUN)).ravel())

    def small_sample(self):
        """Data of about a thousand rows from everywhere; None if they have no weight.

        They show whether training has diverged, at a negligible cost.
        """
        step = self.n // SMALL_SAMPLE
        if step < 2:
            return self
        return self._full_batch_of(np.arange(0, self.n, step, dtype=np.intp))

    def largest_prediction(self, coef, intercept):
        """The largest of a model's predictions, by size, for about a thousand rows."""
        rows = (self.small_sample() or self).problem.subset
        X = self.problem.X if rows is None else self.problem.X[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.abs(raw_predictions(X, coef, intercept)).max()

    def _full_batch_of(self, rows):
        """A full batch of some of the rows; None if they have no weight."""
        problem = self.problem
        weight = problem.weight
        if problem.subset is not None:
            rows = problem.subset[rows]
        if weight is not None:
            mean = np.mean(weight[rows])
            if not mean > 0:
                return None
            weight = weight / mean
        some = dataclasses.replace(problem, subset=rows, weight=weight)
        return Data(some, self.coordinates, len(rows), shuffle=False)

    def objective(self, penalties):
        """The objective, with a lane for each of the `penalties`."""
        single = len(penalties) == 1
        found = linear_objective(
            self.problem,
            self.coordinates,
            penalties,
            self.batch_size,
            self._order,
            self._of_one_lane if single else None,
        )
        if single and self._of_one_lane is None:
            # Later objectives of one lane use its buffers: only one of them is evaluated at a time.
            self._of_one_lane = found
        return found


def is_on_disk(X):
    """Whether X is, or is a view of, a memory-mapped file.

    The files by which joblib passes arrays to its workers do not count: the number of workers must
    not change the order of the rows.
    """
    while isinstance(X, np.ndarray) and isinstance(X.base, np.ndarray):
        X = X.base
    return (
        isinstance(X, np.memmap)
        and isinstance(X.base, mmap.mmap)
        and "joblib_memmapping_folder_" not in str(X.filename)
    )


def runs_and_groups(X, subset, batch_size, on_disk=False):
    """Rows of a run and of a group in the order of an epoch; 1 and 0 to shuffle all rows.

    Where a batch is longer than a group, it has its rows from many places anyway. Sparse rows, of
    which no group is read ahead, are then read in sequence: a group is one row.
    """
    n = X.shape[0] if subset is None else len(subset)
    if sp.issparse(X):
        lengths = np.diff(X.indptr)
        n_entries = int(np.sum(lengths if subset is None else lengths[subset], dtype=np.int64))
    else:
        n_entries = n * X.shape[1]
    entries_of_run, longest, entries_of_group = RUN, LONGEST_RUN, GROUP
    if on_disk:
        entries_of_run, longest, entries_of_group = DISK_RUN, n, DISK_GROUP
    run = min(entries_of_run * n // max(n_entries, 1), longest)
    if n_entries <= LARGE or run < 2:
        return 1, 0
    group = entries_of_group * n // n_entries
    # Whole runs: a part of one would have to be fetched by itself.
    group = max(group - group % run, run)
    return run, 1 if sp.issparse(X) and batch_size >= group else group
