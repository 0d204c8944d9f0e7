"""From validated data to the problem: targets are encoded, rows weighted, and some held out."""

import numpy as np
from sklearn.model_selection import train_test_split

from ..losses import Loss
from ..objectives.held_out import HeldOut
from ..objectives.moments import SMALLEST_SQUARE
from ..objectives.problem import Problem, normalise, spread
from ..targets import ClassTargets, RealTargets
from .chosen_score import ChosenScore
from .settings import check_whitening
from .validation import errors_of_validation_data

# The largest sum of weights, so that products with it do not overflow.
MOST_COUNTED = np.finfo(float).max * 1e-8


class SplitError(ValueError):
    """There are too few rows to hold some out."""


def targets_of(settings, y, classes=None, before=None):
    """What y is; `classes` are those known before, `before` the statistics of earlier parts."""
    if settings.kind == "regressor":
        return RealTargets.of(y, settings.loss.robust, None if before is None else before.targets)
    return ClassTargets.of(y, settings.class_weight, classes)


def pose(settings, targets, given, given_val=None, rows=None):
    """The problem that the data pose.

    Parameters
    ----------
    settings : Settings
        The parameters of the estimator.
    targets : RealTargets or ClassTargets
        What y is.
    given : ValidData
        The data to learn from.
    given_val : ValidData, optional
        Validation data.
    rows : ndarray of intp, optional
        The rows of ``given.X`` that ``given.y`` and the weights belong to, each once; the
        other rows are not read. None: all rows.

    Returns
    -------
    Problem
        With its own, completed, `targets`.
    """
    X = given.X
    check_whitening(settings, X.shape[1])
    y = targets.encode(given.y)
    _check_domain(settings, y)
    if settings.kind == "regressor" and given.sample_weight is not None:
        y = _of_rows_that_count(y, given.sample_weight)
    _check_differences(settings, y)
    targets = targets.prepared(given.sample_weight, y)
    weight = targets.weigh(given.sample_weight, y)
    subset = held_out = None
    if given_val is not None:
        held_out = held_out_rows(settings, targets, given_val)
    elif settings.early_stopping:
        subset, rest = _split(settings, targets, y)
        X_rest = X[rest if rows is None else rows[rest]]
        weight_rest = None if weight is None else weight[rest]
        held_out = _held_out_by_chance(settings, targets, X_rest, y[rest], weight_rest)
    elif settings.scoring is not None:
        raise ValueError(
            f"scoring={settings.scoring!r} judges validation data, and there are none. Set "
            "early_stopping=True, or give X_val and y_val to fit, or use scoring=None."
        )
    total = None
    if weight is not None:
        with np.errstate(over="ignore"):
            total = float(np.sum(weight if subset is None else weight[subset]))
        total = min(total, MOST_COUNTED)
        weight = normalise(weight, subset)
    if rows is not None:
        weight = None if weight is None else spread(weight, rows, X.shape[:1])
        y = spread(y, rows, (X.shape[0], y.shape[1]))
        subset = rows if subset is None else rows[subset]
    return Problem(X, y, weight, settings.loss, targets, rows, subset, held_out, total)


def _check_domain(settings, y):
    """Raise a ValueError unless the loss is defined for all targets."""
    if type(settings.loss).allows is Loss.allows:
        return
    allowed = settings.loss.allows(y)
    if not np.all(allowed):
        raise ValueError(
            f"With loss={settings.given_loss!r} y must have {settings.loss.domain} only. "
            f"Got {y[~allowed][0]} instead."
        )


def _of_rows_that_count(y, weight):
    """The targets, with that of another row where a row has no weight.

    The loss there may be infinite, and zero times it is not zero.
    """
    return y if np.all(weight) else np.where(weight[:, None] > 0, y, y[np.argmax(weight)])


def _check_differences(settings, y):
    """Raise a ValueError if targets differ by so little that squares of it underflow."""
    if settings.kind == "regressor":
        with np.errstate(over="ignore"):
            extent = y.max(axis=0) - y.min(axis=0)
        tiny = (extent > 0) & (extent < SMALLEST_SQUARE**0.5)
        if tiny.any():
            raise ValueError(
                "y must be constant, or differ by more than 1e-150, since smaller numbers have no "
                f"squares. Got differences of {np.min(extent[tiny]):.3g}; multiply y by a constant."
            )


def held_out_rows(settings, targets, given_val):
    """Validation data that were given, as `HeldOut`."""
    with errors_of_validation_data():
        y = targets.encode(given_val.y, "y_val")
        _check_domain(settings, y)
        weight = targets.weigh(given_val.sample_weight, y)
    return _as_held_out(settings, targets, given_val.X, y, weight)


def _as_held_out(settings, targets, X, y, weight):
    """Rows as `HeldOut`, with the score that the user has chosen."""
    score = None
    if settings.scoring is not None:
        score = ChosenScore(settings.estimator, settings.loss, targets)
        score.check_weight(weight)
    return HeldOut(X, y, weight, settings.loss, targets, score)


def _split(settings, targets, y):
    """Which rows train, in ascending order, and which are held out."""
    stratify = targets.stratify(y)
    try:
        subset, rest = train_test_split(
            np.arange(len(y)),
            test_size=settings.validation_fraction,
            random_state=settings.random_state,
            stratify=stratify,
        )
    except ValueError as error:
        reason = error if stratify is None else _labels_of_one_row(targets, stratify) or error
        raise SplitError(
            "early_stopping cannot hold out validation_fraction="
            f"{settings.validation_fraction} of {len(y)} rows. Give X_val and y_val, or change one "
            f"of the two. {reason}"
        ) from error
    return np.sort(subset), rest


def _labels_of_one_row(targets, codes):
    """A sentence about the labels that cannot be in both parts of a split; empty without any."""
    found, counts = np.unique(codes, return_counts=True)
    if counts.min() > 1:
        return ""
    labels = targets.decode(found[counts == 1][:, None]).tolist()
    return f"Labels of one row, which cannot be in both parts: {labels}."


def _held_out_by_chance(settings, targets, X, y, weight):
    """The rows that early stopping holds out, as `HeldOut`."""
    if weight is not None and not np.any(weight):
        raise ValueError(
            "sample_weight must be non-zero somewhere in the rows that early_stopping holds "
            "out. Got zeros only; increase validation_fraction or give X_val and y_val."
        )
    return _as_held_out(settings, targets, X, y, weight)
