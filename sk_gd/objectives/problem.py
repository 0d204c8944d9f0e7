"""The problem that data pose to an estimator: the rows that train, their targets, the loss."""

import dataclasses
import weakref
from dataclasses import dataclass, field

import joblib
import numpy as np
import scipy.sparse as sp

from ..parameters import fingerprint
from .caching import cached_property
from .components import components
from .data import Data
from .evidence import (
    MAX_EXACT,
    Signal,
    n_directions,
    sampled_places,
    signal_in_text,
    signal_to_noise,
)
from .gram import condense, joint_moments, worth_condensing
from .second_moments import CentredRows, drawn, has_few_rows

TINY = np.finfo(float).tiny


@dataclass(eq=False)
class Problem:
    """What there is to learn from.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Read in place.
    y : ndarray of shape (n_samples, n_targets)
        Targets, or class indices.
    weight : ndarray of shape (n_samples,) or None
        Weights with mean one over the rows that train and zero on the others; None if
        all rows that train have the same weight.
    loss : Loss
        The loss.
    targets : RealTargets or ClassTargets
        What y is.
    rows : ndarray of intp or None
        The rows of X that were given; None for all.
    subset : ndarray of intp or None
        The rows that train; None for all of X.
    held_out : HeldOut or None
        Rows on which the model is evaluated.
    total : float or None
        Sum of the weights, as they were given, of the rows that train; None for their number.
    coordinates : dict
        The coordinates that have been made so far, by what decides them.
    """

    # Whether every batch must be all rows.
    whole_batches_only = False
    # Called for the joint moments, where they are known without reading the rows.
    known_moments = None

    X: object
    y: np.ndarray
    weight: np.ndarray | None
    loss: object
    targets: object
    rows: np.ndarray | None = None
    subset: np.ndarray | None = None
    held_out: object = None
    total: float | None = None
    # What has been made so far. A problem of other rows, by `dataclasses.replace`, begins without.
    coordinates: dict = field(default_factory=dict, init=False)
    _components: dict = field(default_factory=dict, init=False)
    _centred_rows: CentredRows | None = field(default=None, init=False)
    _signals: dict = field(default_factory=dict, init=False)
    # Weak references to the data.
    _known: list = field(default_factory=list, init=False)

    def __getstate__(self):
        """What another process needs: Dask may move a problem at any time, even after its use."""
        made = {"coordinates": {}, "_components": {}, "_centred_rows": None, "_known": []}
        return vars(self) | made

    @cached_property
    def n(self):
        """Number of rows that train."""
        return self.X.shape[0] if self.subset is None else len(self.subset)

    @cached_property
    def n_counted(self):
        """Number of rows that the rows with their weights stand for."""
        return self.n if self.total is None else self.total

    @cached_property
    def n_features(self):
        """Number of features."""
        return self.X.shape[1]

    @property
    def n_entries(self):
        """Numbers that a pass over the data multiplies: of sparse rows those that are stored."""
        return self.X.nnz if self.is_sparse else self.n * self.n_features

    @property
    def dtype(self):
        """The type of the numbers in X."""
        return self.X.dtype

    @cached_property
    def is_sparse(self):
        """Whether X is sparse."""
        return sp.issparse(self.X)

    @property
    def weights(self):
        """Weights that are zero on the rows that do not train; None if all train alike."""
        if self.weight is not None or self.subset is None:
            return self.weight
        return spread(1.0, self.subset, self.X.shape[:1])

    def fingerprint(self, penalty):
        """Two strings: equal for the same objective and data, and for the same held-out data.

        `penalty` are the parameters that decide the penalty.
        """
        objective = [repr(fingerprint(self.loss)), repr(penalty), self.total]
        watched = [self.subset]
        for part, known in ((self, objective), (self.held_out, watched)):
            if part is not None:
                known += [part.X.shape, checksum(part.X), part.y]
        # Rows held out at random have no weight. Another fit holds out others.
        (objective if self.subset is None else watched).append(self.weight)
        if self.held_out is not None:
            score = self.held_out.chosen_score
            watched += [self.held_out.weight, score and repr(score.fingerprint())]
        return joblib.hash(objective), joblib.hash(watched)

    def data(self, coordinates, batch_size, shuffle, *, condensed=False):
        """The data in these coordinates and batches; the same object for equal ones.

        `condensed`: if every step reads all rows, a few rows with the same Gram matrix may
        stand for them. Finding them costs some passes over the data.
        """
        problem = self
        if coordinates.axes is not None:
            problem = self._along_axes(coordinates)
        elif condensed and batch_size >= self.n and self._condensed is not None:
            problem, *means = self._condensed
            coordinates = coordinates.measured_from(*means)
        data = problem.read(coordinates, batch_size, shuffle)
        for known in (reference() for reference in self._known):
            if known is not None and known.same_as(data):
                return known
        self._known.append(weakref.ref(data))
        return data

    def add_features(self, moments):
        """Add the features of the rows that train to `moments`."""
        # A sparse X is read as a whole: rows that do not train need a weight of zero.
        weight = self.weights if self.is_sparse else self.weight
        moments.update(self.X, weight, self.subset)

    def add_targets(self, moments):
        """Add the targets of the rows that train to `moments`, outliers within their bounds."""
        moments.update(self.targets.columns(self.y), self.weight, self.subset)

    def rows_of_evidence(self, features, inverse):
        """The rows, centred and multiplied by `inverse`, as the evidence reads them."""
        some = self._of_evidence(n_directions(features, inverse))
        if not self.is_sparse and features.are_of_text(MAX_EXACT):
            some = some._as_sparse()
        if some is self:
            return self.centred_rows(features.mean, inverse)
        return CentredRows(some, features.mean, inverse)

    def _as_sparse(self):
        """The same problem with the rows that train as a CSR matrix."""
        train = slice(None) if self.subset is None else self.subset
        weight = None if self.weight is None else self.weight[train]
        X = sp.csr_array(self.X[train])
        return dataclasses.replace(self, X=X, y=self.y[train], weight=weight, subset=None)

    def _of_evidence(self, n_directions):
        """The problem of the rows that the evidence reads: all, or a sample of them."""
        at = sampled_places(self, n_directions)
        if at is None:
            return self
        rows = np.arange(self.n) if self.subset is None else self.subset
        given = np.ones(len(rows)) if self.weight is None else self.weight[rows]
        some, times = drawn(at, given)
        weight = np.zeros(self.X.shape[0])
        weight[rows[some]] = times
        total = float(min(len(at), self.n_counted))
        return dataclasses.replace(self, subset=rows[some], weight=weight, total=total)

    def centred_rows(self, middle, inverse):
        """The rows minus `middle`, multiplied by `inverse`."""
        known = self._centred_rows
        if (
            known is None
            or not np.array_equal(known.inverse, inverse)
            or not np.array_equal(known.shift, middle * inverse)
        ):
            # Evidence and components need the same products of the rows.
            self._centred_rows = CentredRows(self, middle, inverse)
        return self._centred_rows

    def components(self, features, size, centre):
        """See `components.components`; they are computed once for the same arguments."""
        key = centre, np.ndim(size)
        if key not in self._components:
            self._components[key] = components(self, features, size, centre)
        return self._components[key]

    def _along_axes(self, coordinates):
        """The same problem, with rows along the axes of these coordinates."""
        rows = self._components[coordinates.intercept, np.ndim(coordinates.feature_size)].rows
        y, weight = self.y, self.weight
        if self.subset is not None:
            y, weight = y[self.subset], None if weight is None else weight[self.subset]
        return Problem(rows, y, weight, self.loss, self.targets)

    def close(self):
        """Release what other processes hold for the problem."""

    def read(self, coordinates, batch_size, shuffle):
        """New data in these coordinates and batches."""
        return Data(self, coordinates, batch_size, shuffle)

    @cached_property
    def joint_moments(self):
        """Moments, covariances included, of features and targets side by side.

        Classes are one column each, which is 1 in their rows. None if a square is not finite.
        """
        if self.known_moments is not None:
            return self.known_moments()
        weight = self.weights if self.is_sparse else self.weight
        return joint_moments(self.X, self.targets.columns(self.y), weight, self.subset)

    def signal(self, features, *, scaled, automatic):
        """The `Signal` of these rows; it is computed once.

        `scaled`: the penalty uses the sizes of the features; `automatic`: its strength is computed
        from the signal, and not only the coordinates are.
        """
        # Texts, and tables of many categories.
        text = automatic and features.are_of_text(MAX_EXACT)
        key = scaled, text
        if key not in self._signals:
            if text:
                found = signal_in_text(self, features, scaled=scaled)
            else:
                found = signal_to_noise(self, features, features.size if scaled else 1.0), scaled
            self._signals[key] = Signal(found[0], self.n, found[1])
        return self._signals[key]

    @property
    def has_two_classes(self):
        """Whether the loss is the log loss of two classes."""
        return self.loss.softmax and self.targets.n_outputs == 1

    @cached_property
    def has_few_features(self):
        """Whether the signal-to-noise ratio is computed from all covariances, exactly."""
        return self.n_features <= min(self.n_counted, MAX_EXACT)

    @property
    def has_few_rows(self):
        """Whether the products of all pairs of rows, which are in memory, cost little."""
        return not self.whole_batches_only and has_few_rows(self)

    @property
    def uses_joint_moments(self):
        """Whether the signal-to-noise ratio is computed from the joint moments."""
        # Those of sparse rows, too: the strength of the penalty is the same for dense ones.
        return self.has_few_features or self._worth_condensing()

    @property
    def can_condense(self):
        """Whether the Gram matrix of features and targets may stand for the rows."""
        # On a cluster a pass is a round, whatever there is to read.
        return self._worth_condensing(sparse=self.is_sparse and not self.whole_batches_only)

    def _worth_condensing(self, **options):
        n_columns = self.n_features + self.targets.n_outputs
        return self.loss.quadratic and worth_condensing(self.n_counted, n_columns, **options)

    @cached_property
    def _condensed(self):
        """A problem of few rows with the same objective, and the means subtracted from them."""
        if not self.can_condense or self.joint_moments is None:
            return None
        X, y, *means = condense(self.joint_moments, self.n_features)
        return Problem(X, y, None, self.loss, self.targets), *means


def checksum(X):
    """A number that differs for different X: one pass over X, where a hash takes ten."""
    rng = np.random.default_rng(0)
    with np.errstate(over="ignore", invalid="ignore"):
        return rng.standard_normal(X.shape[0]) @ (X @ rng.standard_normal(X.shape[1]))


def spread(values, rows, shape):
    """An array with the `values` in these rows, and zeros elsewhere."""
    out = np.zeros(shape)
    out[rows] = values
    return out


def normalise(weight, subset):
    """Weights with mean one over the rows that train, and zero on the others."""
    trains = slice(None) if subset is None else subset
    with np.errstate(over="ignore"):
        mean = weight[trains].mean()
    # The mean of the smallest numbers has few digits, and that of the largest may be infinite.
    if not TINY <= mean < np.inf:
        weight = np.ldexp(weight, 600 if mean < TINY else -600)
        mean = weight[trains].mean()
    if not mean > 0:
        raise ValueError(
            "sample_weight must be non-zero somewhere in the rows that train, after early_stopping "
            "held out validation_fraction of them. Got zeros only."
        )
    return spread(weight[trains] / mean, trains, weight.shape)
