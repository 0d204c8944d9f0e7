"""From collections of Dask to the problem that they pose: the first rounds of a fit."""

import contextlib
import warnings

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_random_state

from ..auto import check_whole_batches
from ..estimators.posing import targets_of
from ..estimators.settings import check_whitening
from ..estimators.validation import has_validation_data
from ..targets import ClassTargets
from .cluster import Partitions, bytes_of, client_of, keeps
from .collections import partitions
from .partition import Shared, Size, check, describe, hold_out_part, pose_part, size_of
from .predicting import plain_of
from .problem import ClusterHeldOut, ClusterProblem


def pose_collections(estimator, settings, classes, X, y, sample_weight, validation):
    """The problem that collections pose, and the fitted attributes from their validation."""
    if y is None:
        raise ValueError("y must be given: labels or targets for the rows of X. Got None instead.")
    client = client_of(estimator.client)
    if settings.optimizer != "auto":
        check_whole_batches(settings.batch_size, settings.optimizer)
    plain = plain_of(estimator)
    rows = checked(client, plain, estimator.persist, X=X, y=y, sample_weight=sample_weight)
    with contextlib.closing(rows):
        like, described = describe_all(rows, settings.kind, is_robust=settings.loss.robust)
        check_whitening(settings, like.seen["n_features_in_"])
        shared = shared_by_all(settings, classes, like, described)
        held_out = None
        if has_validation_data(*validation):
            held_out = _given_held_out(client, plain, validation, shared, like, estimator.persist)
            shared = shared._replace(settings=settings._replace(early_stopping=False))
        return pose_all(rows, shared, like, described, held_out), like.seen


def checked(client, plain, persist, X, **others):
    """Validated partitions of X and of what belongs to its rows: see `check`."""
    columns = partitions(X, **others)
    keep = keeps(persist, client, bytes_of(X, columns) if persist == "auto" else None)
    return Partitions.of(client, check, plain, columns, keep)


def shared_by_all(settings, classes, like, described):
    """What all partitions must know, from their descriptions."""
    return Shared(_with_seed(settings), _targets(settings, classes, described), like.dtype)


def pose_all(rows, shared, like, described, held_out=None):
    """The problem that validated partitions pose."""
    parts = rows.then(pose_part, shared)
    try:
        sizes = _sizes(parts, shared, described)
    except BaseException:
        parts.close()
        raise
    return ClusterProblem(parts, sizes, shared.settings, shared.targets, like, held_out)


def _with_seed(settings):
    """Settings with a number as the seed: from it, partitions draw the rows that they hold out."""
    if not settings.early_stopping:
        return settings
    seed = check_random_state(settings.random_state).randint(np.iinfo(np.int32).max)
    return settings._replace(random_state=seed)


def _sizes(parts, shared, described):
    """The sizes of the parts of the problem, and whether they hold out rows."""
    if shared.settings.early_stopping:
        # What a random split leaves has to be asked.
        sizes = parts.ask(size_of)
        if not any(size.holds_out for size in sizes):
            raise ValueError(
                "early_stopping cannot hold out rows of any partition: each has too few. Give "
                "X_val and y_val, larger partitions, or early_stopping=False."
            )
    else:
        sizes = [Size.of(each, shared.targets) for each in described]
    if not any(size.n for size in sizes):
        raise ValueError("sample_weight must be non-zero somewhere. Got zeros only.")
    return sizes


def checked_for(model, X, y, sample_weight):
    """Validated partitions of rows like those that a model has learnt from."""
    plain = plain_of(model)
    seen = ("n_features_in_", "feature_names_in_")
    vars(plain).update({name: vars(model)[name] for name in seen if name in vars(model)})
    client = client_of(model.client)
    rows = checked(client, plain, False, X=X, y=y, sample_weight=sample_weight)
    describe_all(rows, plain._kind)
    return rows


def describe_all(rows, kind, name="", *, is_robust=False):
    """What the first partition with rows is like, and the descriptions of all; else an error."""
    described = rows.ask(describe, kind == "classifier", is_robust)
    for index, each in enumerate(described):
        if each.error is not None:
            error = each.error
            raise type(error)(f"In partition {index}{name}: {error}") from error
    with_rows = [each for each in described if each.n]
    if not with_rows:
        raise ValueError(f"X{name} must have at least one row. Got empty partitions only.")
    first = with_rows[0]
    for index, each in enumerate(described):
        if each.n == 0:
            continue
        for what, known, now in (
            ("number of features", first.seen["n_features_in_"], each.seen["n_features_in_"]),
            ("names of features", _names(first), _names(each)),
            ("format (sparse or dense)", first.is_sparse, each.is_sparse),
            ("number of outputs", first.y.shape[1:], each.y.shape[1:]),
            ("kind of targets", _kind_of(first.y), _kind_of(each.y)),
        ):
            if known != now:
                raise ValueError(
                    f"All partitions must have the same {what}. Partition {index}{name} has {now}, "
                    f"and an earlier one has {known}."
                )
    if any(each.is_column for each in with_rows):
        warnings.warn(
            "y is a table of one column. Labels are expected as a series or as an array of one "
            "dimension, and the column is taken.",
            DataConversionWarning,
            stacklevel=2,
        )
    dtype = np.result_type(*(each.dtype for each in with_rows))
    return first._replace(dtype=dtype), described


def _kind_of(y):
    """Whether targets are text or numbers."""
    return "text" if isinstance(y.flat[0], str) else "numbers"


def _names(description):
    names = description.seen.get("feature_names_in_")
    return None if names is None else list(names)


def _targets(settings, classes, described):
    """What y is, from the descriptions of the partitions."""
    described = [each for each in described if each.n]
    if settings.kind == "regressor":
        targets = targets_of(settings, described[0].y)
        if not targets.is_robust:
            return targets
        samples = zip(*(each.sample for each in described), strict=True)
        y, weight = (np.concatenate(each) for each in samples)
        return targets.prepared(weight, y)
    labels = np.concatenate([each.y for each in described])
    targets = targets_of(settings, labels, classes)
    if settings.class_weight is None:
        return targets
    weights = np.concatenate([each.label_weights for each in described])
    # One row for every label of a partition, which counts for all of its rows.
    factors = targets.prepared(weights, targets.encode(labels)).factors
    return ClassTargets(targets.classes, None, factors)


def _given_held_out(client, plain, validation, shared, like, persist):
    """Validation data that were given."""
    X, y, weight = validation
    rows = checked(client, plain, persist, X=X, y=y, sample_weight=weight)
    found, _ = describe_all(rows, shared.settings.kind, " of the validation data")
    if found.seen["n_features_in_"] != like.seen["n_features_in_"] or _names(found) != _names(like):
        raise ValueError("X_val must have the features of X. Got other features.")
    return ClusterHeldOut(rows.then(hold_out_part, shared), shared.targets)
