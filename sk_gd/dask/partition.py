"""What a worker does with a partition: check it, describe it, answer for its rows."""

import contextlib
import copy
import weakref
from dataclasses import dataclass, field
from typing import NamedTuple

import joblib
import numpy as np
import scipy.sparse as sp

from ..estimators.posing import MOST_COUNTED, SplitError, held_out_rows, pose
from ..estimators.validation import Validator, ValidData
from ..indices import n_entries
from ..objectives.held_out import HeldOut, mean_loss, raw_predictions
from ..objectives.moments import Moments
from ..objectives.outliers import sample_of
from ..objectives.problem import checksum
from ..objectives.remote import sums_of_rows
from ..objectives.second_moments import drawn
from ..penalties import ElasticNet
from .collections import JOIN


@dataclass
class Partition:
    """Validated rows, or the reason why they are not valid.

    Attributes
    ----------
    index : int
        The place of the partition.
    given : ValidData or None
        The rows; None if there are none, or if there is an `error`.
    seen : dict
        The fitted attributes that the validation of X gave.
    error : Exception or None
        What is wrong with the rows.
    rows : ndarray of intp or None
        The rows of ``given.X`` that ``given.y`` and the weights belong to; None for all.
    tested_by : ndarray of intp or None
        For every row the number of the fold that tests it, if the numbers were given.
    is_column : bool
        Whether labels were a table of one column.
    """

    index: int
    given: ValidData | None = None
    seen: dict = field(default_factory=dict)
    error: Exception | None = None
    rows: np.ndarray | None = None
    tested_by: np.ndarray | None = None
    is_column: bool = False

    @property
    def X(self):
        """All rows of X, of which only some may be among those that were given."""
        return None if self.given is None else self.given.X


def check(estimator, index, X, y, sample_weight, cv=None):
    """Validate the rows of a partition. An error is kept, for the client to raise."""
    try:
        _check_lengths(X, y, sample_weight)
    except ValueError as error:
        return Partition(index, error=error)
    if X.shape[0] == 0:
        return Partition(index)
    validator = Validator(estimator)
    known = hasattr(estimator, "n_features_in_")
    is_column = estimator._kind == "classifier" and np.shape(y)[1:] == (1,)
    if is_column:
        y = np.asarray(y)[:, 0]  # scikit-learn would warn, where nobody reads it
    try:
        weight = None if sample_weight is None else np.asarray(sample_weight)
        # scikit-learn refuses weights that are all zero. Those of other partitions need not be.
        idle = weight is not None and not np.any(weight)
        given = validator.validate(X, y, None if idle else weight, reset=not known)
        if idle:
            given = given._replace(sample_weight=np.zeros(len(given.y)))
        tested_by = None if cv is None else check_fold_numbers(cv, given.y)
    except Exception as error:
        return Partition(index, error=error)
    return Partition(index, given, validator.attributes, tested_by=tested_by, is_column=is_column)


def check_fold_numbers(cv, y):
    """The numbers of the folds that test the rows: integers, -1 for none."""
    cv = np.asarray(cv)
    if cv.shape != y.shape[:1]:
        raise ValueError(
            f"cv must have a number for every row, {len(y)}. Got an array of shape {cv.shape} "
            "instead."
        )
    if cv.dtype.kind not in "iu" or cv.min() < -1:
        raise ValueError(
            "cv must have integers, the fold that tests each row, or -1 for rows that always "
            f"train. Got {cv.dtype} with the least value {cv.min()} instead."
        )
    return cv.astype(np.intp)


def _check_lengths(X, y, sample_weight):
    """Raise a ValueError unless the columns of a partition have as many rows."""
    for name, values in (("y", y), ("sample_weight", sample_weight)):
        if values is not None and len(values) != X.shape[0]:
            raise ValueError(
                f"{name} must have as many rows as X, {X.shape[0]}. Got {len(values)} instead. "
                + JOIN
            )


class Description(NamedTuple):
    """What a partition says of itself.

    Attributes
    ----------
    n : int
        Number of rows.
    total : float
        Sum of their weights, or their number.
    seen : dict
        The fitted attributes that the validation of X gave.
    dtype, is_sparse, n_entries :
        The type of the numbers in X, whether X is sparse, how many numbers are stored.
    y : ndarray
        A few targets, or every label once.
    sample : tuple of ndarray or None
        Targets and weights from which outliers are found.
    label_weights : ndarray or None
        The sum of the weights of every label.
    is_column : bool
        Whether labels were a table of one column.
    error : Exception or None
        What is wrong with the rows.
    """

    n: int = 0
    total: float = 0.0
    seen: dict | None = None
    dtype: object = None
    is_sparse: bool = False
    n_entries: int = 0
    y: np.ndarray | None = None
    sample: tuple | None = None
    label_weights: np.ndarray | None = None
    is_column: bool = False
    error: Exception | None = None


def describe(partition, classifies, is_robust=False):
    """The description of a partition. `is_robust`: the loss is, and needs to know outliers."""
    if partition.given is None:
        return Description(error=partition.error)
    X, y, weight = partition.given
    share = np.ones(len(y)) if weight is None else weight
    sums = None
    if classifies:
        try:
            y, codes = np.unique(y, return_inverse=True)
        except TypeError as error:  # labels of several types
            return Description(error=error)
        sums = np.bincount(codes.ravel(), share)
    return Description(
        n=len(share),
        total=float(share.sum()),
        seen=partition.seen,
        dtype=X.dtype,
        is_sparse=sp.issparse(X),
        n_entries=n_entries(X),
        y=y if classifies else y[:1],
        sample=sample_of(y.reshape(len(y), -1), weight) if is_robust else None,
        label_weights=sums,
        is_column=partition.is_column,
    )


class Shared(NamedTuple):
    """What all partitions must know to pose their parts of the problem.

    Attributes
    ----------
    settings : Settings
        The parameters. Rows are held out partition by partition.
    targets : RealTargets or ClassTargets
        What y is.
    dtype : numpy.dtype
        The type of the numbers in X.
    """

    settings: object
    targets: object
    dtype: object


def pose_part(partition, shared):
    """The part of the problem that a partition poses; None if no row has weight."""
    if partition.given is None:
        return None
    X, y, weight = partition.given
    given = ValidData(X.astype(shared.dtype, copy=False), y, weight)
    settings, targets, rows = shared.settings, shared.targets, partition.rows
    with _of_partition(partition.index):
        if not _has_weight(targets, given):
            return None
        if settings.early_stopping:
            seed = np.random.default_rng([settings.random_state, partition.index]).integers(2**31)
            settings = settings._replace(random_state=int(seed))
            with contextlib.suppress(SplitError):
                return pose(settings, targets, given, rows=rows)
            settings = settings._replace(early_stopping=False)
        return pose(settings, targets, given, rows=rows)


def hold_out_part(partition, shared):
    """The rows of a partition of validation data, as `HeldOut`; None if no row has weight."""
    if partition.given is None:
        return None
    X, y, weight = partition.given
    with _of_partition(partition.index):
        if not _has_weight(shared.targets, partition.given):
            return None
        return held_out_rows(shared.settings, shared.targets, ValidData(X, y, weight))


def _has_weight(targets, given):
    """Whether any row has weight, that of its class included."""
    weight = given.sample_weight
    if weight is not None and not np.any(weight):
        return False
    if targets.factors is None:
        return True
    each = targets.factors_of(targets.encode(given.y))
    return bool(np.any(each if weight is None else each * weight))


@contextlib.contextmanager
def _of_partition(index):
    """Say in an error of which partition it is."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"In partition {index}: {error}") from error


class Size(NamedTuple):
    """How many rows of a part train, the sum of their weights, and whether others are held out."""

    n: int = 0
    counted: float = 0.0
    n_entries: int = 0
    holds_out: bool = False

    @classmethod
    def of(cls, described, targets):
        """The size of the part that a partition poses, all of whose rows train."""
        counted = described.total
        if described.n and targets.factors is not None:
            factors = targets.factors_of(targets.encode(described.y))
            counted = float(described.label_weights @ factors)
        if not counted > 0:
            return cls()
        return cls(described.n, min(counted, MOST_COUNTED), described.n_entries)


def size_of(part):
    """The size of a part."""
    if part is None:
        return Size()
    return Size(part.n, part.n_counted, part.n_entries, part.held_out is not None)


# What follows answers for the rows of one part. Its weights have mean one; `share` is what they
# must be multiplied by to have mean one over the rows of all parts.


def moments(part, share, full):
    """The moments of the features, and those of the columns that stand for the targets."""
    features = Moments(full)
    part.add_features(features)
    y = part.y if part.subset is None else part.y[part.subset]
    columns = Moments().update(np.asarray(part.targets.columns(y)), _weights(part))
    return _scaled(features, share), _scaled(columns, share)


def joint_moments(part, share):
    """The moments of features and targets, side by side; None if a square is not finite."""
    found = part.joint_moments
    vars(part).pop("joint_moments")  # a property that keeps its value
    return None if found is None else _scaled(found, share)


def _scaled(moments, share):
    """Moments of rows whose weights are multiplied by `share`."""
    if share != 1:
        moments.total *= share
        moments.scatter = moments.scatter * share
        moments.filled = moments.filled * share
    return moments


def merge_moments(one, other):
    """The moments of both; None if either is None."""
    if one is None or other is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        # What Dask holds must not be changed.
        return copy.copy(one).merge(other)


def merge_both(one, other):
    """The moments of features and of targets, as `moments` gives them."""
    return tuple(merge_moments(*pair) for pair in zip(one, other, strict=True))


class NamedCoordinates(NamedTuple):
    """Coordinates, and a name by which a worker knows those of an earlier round."""

    name: str
    coordinates: object


# The objective that last answered for a part, with what decides it. To make one takes a hundred
# times as long as the sums of a few rows. It is kept outside of the part, which Dask holds, moves
# and measures.
_OBJECTIVES = weakref.WeakKeyDictionary()
# It is kept if a point has at most so many weights, or a small share of the numbers in the rows.
KEPT_WEIGHTS, KEPT_SHARE = 1 << 10, 1 / 64


def evaluate(part, share, named, whole, points, wants_gradients):
    """The part's share in the sums over `whole` rows, at the `points`: see `sums_of_rows`."""
    key = named.name, len(points)
    # Two threads must not have the same one.
    known, objective = _OBJECTIVES.pop(part, (None, None))
    if known != key:
        objective = _objective(part, named.coordinates, len(points))
    sums = sums_of_rows(objective, part.subset, part.n, whole, points, wants_gradients)
    if points.size <= max(KEPT_WEIGHTS, KEPT_SHARE * part.n_entries):
        _OBJECTIVES[part] = key, objective
    sums *= share
    return sums


def _objective(part, coordinates, n_lanes):
    """The objective of a part, without penalties."""
    kernel = ElasticNet(0.0).kernel(*coordinates.weight_scales(), proximal=False)
    return part.data(coordinates, part.n, False).objective([kernel] * n_lanes)


def curvature(part, share, coordinates, v):
    """The part's share in the second moment of the columns times v, summed over rows."""
    z = coordinates.columns(part.X)
    weight = 1.0 if part.weights is None else part.weights
    return z.rmatvec(share * weight * z.matvec(v))


def rows_of(part, share, some=slice(None)):
    """X, y and weights of the rows that train, or of some of them."""
    rows = some if part.subset is None else part.subset[some]
    weight = np.ones(part.n)[some] if part.weight is None else part.weight[rows]
    return part.X[rows], part.y[rows], share * weight


def drawn_from(part, share, places):
    """X, y and weights of the rows at these places in the part: how often each is there."""
    rows = np.arange(part.n) if part.subset is None else part.subset
    if not len(places):
        return part.X[:0], part.y[:0], np.zeros(0)
    weight = np.ones(part.n) if part.weight is None else _weights(part)
    some, times = drawn(places, weight)
    return part.X[rows[some]], part.y[rows[some]], times.astype(float)


def _weights(part):
    """The weights of the rows that train; None if they are equal."""
    if part.weight is None or part.subset is None:
        return part.weight
    return part.weight[part.subset]


def fingerprint(part, share):
    """Two texts that differ for different rows, and for different held-out rows."""
    return (*part.fingerprint(None), share)


def _held_out(rows):
    """The held-out rows that were given, or that a part of the problem has; None without any."""
    return rows if rows is None or isinstance(rows, HeldOut) else rows.held_out


def checksum_held_out(rows):
    """A text that differs for different held-out rows."""
    rows = _held_out(rows)
    return None if rows is None else joblib.hash([checksum(rows.X), rows.y, rows.weight])


def judge(rows, coef, intercept):
    """Sums over held-out rows: the loss, the weights, and what the score needs."""
    rows = _held_out(rows)
    if rows is None:
        return None
    p = raw_predictions(rows.X, coef, intercept)
    weight = np.ones(len(p)) if rows.weight is None else rows.weight
    loss = mean_loss(rows.loss, rows.y, p, rows.weight) * weight.sum()
    return loss, weight.sum(), rows.targets.scored(rows.loss, rows.y, p, weight)
