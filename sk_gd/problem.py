"""What is learned from, as the loop reads it: rows, targets, weights, their order, their loss."""

import functools
import weakref
from dataclasses import dataclass, field

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.utils import gen_batches

from .objectives.coordinates import reach, smoothness
from .objectives.gram import condense, pays
from .objectives.linear import LinearObjective
from .objectives.order import shuffle
from .parameters import fingerprint

# So few rows are one batch: weights and repeated rows are then the same.
TINY = 100
# Rows at a time where the loss of all of them is wanted.
CHUNK = 8192


@dataclass
class Problem:
    """What there is to learn from, as the estimators understand it.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Read in place.
    y : ndarray of shape (n_samples, n_targets)
        Targets, or class indices.
    weight : ndarray of shape (n_samples,) or None
        With mean one over the rows that train and zero on the others; None if
        all that train have the same.
    loss : Loss
        The loss.
    rows : ndarray of intp or None
        The rows of X that were given; None for all.
    subset : ndarray of intp or None
        Those that train; None for all of X.
    held_out : Validation or None
        The others.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray | None
    loss: object
    rows: np.ndarray | None = None
    subset: np.ndarray | None = None
    held_out: object = None
    _seen: weakref.WeakSet = field(default_factory=weakref.WeakSet)

    @property
    def n(self):
        """How many rows train."""
        return self.X.shape[0] if self.subset is None else len(self.subset)

    @property
    def weights(self):
        """Weights that are zero on the rows that do not train; None if all do, and are even."""
        if self.weight is not None or self.subset is None:
            return self.weight
        return spread(1.0, self.subset, self.X.shape[:1])

    def question(self, alpha, l1_ratio):
        """The same for fits of the same objective to the same data; and with the same watched."""
        asked, watched = [repr(fingerprint(self.loss)), alpha, l1_ratio], [self.subset]
        for part, known in ((self, asked), (self.held_out, watched)):
            if part is not None:
                known += [part.X.shape, _trace(part.X), part.y]
        # Rows that are held out by chance have no weight, each time others.
        (asked if self.subset is None else watched).append(self.weight)
        if self.held_out is not None:
            watched.append(self.held_out.weight)
        return joblib.hash(asked), joblib.hash(watched)

    def data(self, coordinates, batch_size, shuffle, often=False):
        """The data in these coordinates and batches; the same object for the same ones.

        If they are to be read `often`, and as a whole, a few rows may stand for all.
        """
        problem = self
        if often and batch_size >= self.n and self._condensed is not None:
            problem, *means = self._condensed
            coordinates = coordinates.measured_from(*means)
        data = Data(problem, coordinates, batch_size, shuffle)
        for known in self._seen:
            if known.same_as(data):
                return known
        self._seen.add(data)
        return data

    @functools.cached_property
    def _condensed(self):
        """A problem of few rows with the same objective, and the means they are measured from."""
        X, y = self.X, self.y
        if sp.issparse(X) or not (self.loss.quadratic and pays(self.n, X.shape[1] + y.shape[1])):
            return None
        found = condense(X, y, self.weight, self.subset)
        if found is None:
            return None
        X, y, *means = found
        return Problem(X, y, None, self.loss), *means


class Data:
    """What all configurations in training read: rows, their order, and the loss.

    Parameters
    ----------
    problem : Problem
        Rows, targets, weights and loss.
    coordinates : Coordinates
        The optimizer's coordinates.
    batch_size : int
        Rows a step.
    shuffle : bool
        Whether every epoch has an order of its own.
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
        """Whether those who read `other`, of the same problem, read the same."""
        return (
            self.batch_size == other.batch_size
            and self.shuffle == other.shuffle
            and self.coordinates.same_as(other.coordinates)
        )

    def smoothness(self, ridge, noise_gain=1.0, sample=False):
        """Expected smoothness of a batch's gradient; the rows may be a `sample` of many more."""
        largest, longest, n = self._reach
        return smoothness(
            (largest, longest, np.inf if sample else n),
            self.coordinates,
            self.coordinates.curvature,
            ridge,
            self.batch_size,
            noise_gain,
        )

    def mean_square(self):
        """Mean squared length of the rows, without the constant column."""
        weights = self.problem.weights
        norms = self.coordinates.squared_norms(self.problem.X, weights)
        return np.average(norms, weights=weights) - self.coordinates.intercept

    @functools.cached_property
    def _reach(self):
        return reach(self.problem.X, self.problem.weights, self.coordinates)

    def order(self, generator):
        """The rows in the order of the next epoch, or None for as they are."""
        if not self.shuffle:
            return self.problem.subset
        if self._order is None:
            self._order = np.empty(self.n, dtype=np.intp)
        # Always from the same beginning: the generator alone is the state.
        shuffle(self._order, self.problem.subset, generator.bit_generator)
        return self._order

    def objective(self, runs):
        """The objective, with a lane for each of `runs`; each of them may ask it alone."""
        whole = self._objective(runs)
        for run in runs:
            run.lane.connect(whole if len(runs) == 1 else self._objective([run]))
        return whole

    def _objective(self, runs):
        penalties = [run.lane.penalty for run in runs]
        return LinearObjective(self.problem, self.coordinates, penalties, self.batch_size, self.n)


def _trace(X):
    """A number that hardly any other X has: one pass over it, where a hash takes ten."""
    rng = np.random.default_rng(0)
    with np.errstate(over="ignore", invalid="ignore"):
        return rng.standard_normal(X.shape[0]) @ (X @ rng.standard_normal(X.shape[1]))


def spread(values, rows, shape):
    """An array that has the `values` in these rows, and zeros elsewhere."""
    out = np.zeros(shape)
    out[rows] = values
    return out


def normalise(weight, subset):
    """Weights with mean one over the rows that train, and zero on the others."""
    trains = slice(None) if subset is None else subset
    with np.errstate(over="ignore"):
        mean = weight[trains].mean()
    if np.isinf(mean):
        weight = weight / np.max(weight)
        mean = weight[trains].mean()
    if not mean > 0:
        raise ValueError(
            "sample_weight must be non-zero somewhere in the rows that train, after early_stopping "
            "held out validation_fraction of them. Got zeros only."
        )
    return spread(weight[trains] / mean, trains, weight.shape)


def mean_loss(loss, X, y, weight, coef, intercept):
    """Weighted mean of the loss of a model, a chunk of rows at a time."""
    kernel = loss.kernel(len(coef))
    total = count = 0.0
    for rows in gen_batches(X.shape[0], CHUNK):
        p = np.ascontiguousarray((X[rows] @ coef.T + intercept).T, dtype=float)
        w = np.ones(p.shape[1]) if weight is None else weight[rows]
        total += kernel.total(np.ascontiguousarray(y[rows].T), p, w)
        count += w.sum()
    return total / count


class Validation:
    """Held-out data: the loss and the score of a model on them."""

    def __init__(self, X, y, weight, loss, score):
        self.X = X
        self.y = y
        self.weight = weight
        self.loss = loss
        self.score = score

    def __call__(self, coef, intercept):
        """Mean loss, and score, of the model."""
        loss = mean_loss(self.loss, self.X, self.y, self.weight, coef, intercept)
        return loss, self.score(self.X @ coef.T + intercept)


def auto_batch_size(problem):
    """Rows a step for ``batch_size="auto"``."""
    X, n = problem.X, problem.n
    if n <= TINY:
        return n
    rows = min(max(n // 100, 32), 256)
    if sp.issparse(X):
        given, entries = X.shape[0], X.nnz
        if problem.rows is not None:
            given, entries = len(problem.rows), int(np.diff(X.indptr)[problem.rows].sum())
        # A step touches every weight: let the products be more work.
        rows = max(rows, min(4 * X.shape[1] * given // max(entries, 1), n // 50))
    return rows
