"""From collections of Dask to partitions, each with rows of X, y and weights."""

import operator

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.base import is_dask_collection
from dask.delayed import Delayed
from distributed import Future

from .cluster import key_of

# Bytes of a part that is made of rows in memory.
BYTES_OF_PART = 100_000_000

JOIN = (
    "X, y and weights must have the same partitions. Put them into one frame and take the columns "
    "from its partitions: parts = frame.to_delayed(); X = [part[features] for part in parts]; "
    "y = [part[target] for part in parts]. Or give arrays with known chunks "
    "(compute_chunk_sizes())."
)


def is_collection(X):
    """Whether X is a collection of Dask, or a list of delayed partitions or of futures."""
    return is_dask_collection(X) or (
        isinstance(X, (list, tuple))
        and len(X) > 0
        and all(isinstance(x, (Delayed, Future)) for x in X)
    )


def partitions(X, **others):
    """Rows of X with their targets and weights, as lists of delayed parts.

    Parameters
    ----------
    X : dask array or dataframe, list of Delayed, or array-like
        Features.
    **others : the same, or None
        Targets and weights by their names. None stays None.

    Returns
    -------
    list of dict of str to Delayed or None
        A dict for every partition, with "X" and the names of the `others`.
    """
    ends = None
    if not is_collection(X):
        ends = _ends_in_memory(X)
        X = _cut(X, ends)
    elif isinstance(X, da.Array) and not np.isnan(X.shape[0]):
        ends = np.cumsum(X.chunks[0]).tolist()
    columns = _columns_of_frames({"X": X, **others}) or {"X": _parts("X", _one_chunk_a_row(X))}
    for name, values in others.items():
        if name in columns:
            continue
        columns[name] = [None] * len(columns["X"])
        if values is None:
            continue
        if not is_collection(values):
            values = _like_X(values, name, ends)
        if isinstance(values, da.Array) and isinstance(X, da.Array):
            values = _aligned(X, values)
        columns[name] = _parts(name, values)
        _check_number(name, len(columns[name]), len(columns["X"]))
    return [dict(zip(columns, parts, strict=True)) for parts in zip(*columns.values(), strict=True)]


def _ends_in_memory(X):
    """Where each part ends, if rows in memory are cut into parts."""
    if sp.issparse(X):
        size = X.data.nbytes + getattr(X, "indices", X.data).nbytes
    elif hasattr(X, "memory_usage"):
        size = int(X.memory_usage().sum())
    else:
        size = np.asarray(X).nbytes
    if len(np.shape(X)) != 2:
        raise ValueError(f"X must have two dimensions. Got {len(np.shape(X))} instead.")
    n = np.shape(X)[0]
    return [*range(n, 0, -max(1, BYTES_OF_PART * n // max(size, 1)))][::-1] or [0]


def _cut(values, ends):
    """Rows in memory as delayed parts."""
    if sp.issparse(values):
        values = sp.csr_array(values)
    elif not hasattr(values, "iloc"):
        values = np.asarray(values)
    rows = getattr(values, "iloc", values)
    return [
        dask.delayed(rows[begin:end], traverse=False)
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]


def _one_chunk_a_row(X):
    """The collection, with all columns of a row in one chunk."""
    if isinstance(X, da.Array):
        if X.ndim != 2:
            raise ValueError(f"X must have two dimensions. Got {X.ndim} instead.")
        if X.numblocks[1] > 1:
            return X.rechunk({1: -1})
    return X


def _like_X(values, name, ends):
    """Values in memory, in parts like those of X, which end at known rows."""
    if ends is None:
        raise ValueError(
            f"{name} is in memory, and how many rows each partition of X has is not known. {JOIN}"
        )
    if len(values) != ends[-1]:
        raise ValueError(
            f"{name} must have as many rows as X, {ends[-1]}. Got {len(values)} instead."
        )
    return _cut(values, ends)


def _aligned(X, values):
    """An array in the chunks of X, where both are known."""
    known = not np.isnan(X.shape[0]) and not np.isnan(values.shape[0])
    if known and X.shape[0] == values.shape[0]:
        return values.rechunk((X.chunks[0], *(-1,) * (values.ndim - 1)))
    return values


def _columns_of_frames(given):
    """The delayed parts of X and of what is given with it, as far as these are frames or series.

    They are asked for together: when Dask reads few columns of files, it makes larger partitions,
    and those of X and y would differ. None if X is no frame, or the only one.
    """
    frames = {
        name: values
        for name, values in given.items()
        if not isinstance(values, Delayed) and hasattr(values, "divisions")
    }
    X = frames.get("X")
    if X is None or len(frames) == 1:
        return None
    for name, values in frames.items():
        _check_number(name, values.npartitions, X.npartitions)
        if X.known_divisions and values.known_divisions and X.divisions != values.divisions:
            raise ValueError(f"{name} must be divided like X. Got other divisions. {JOIN}")
    together = X.map_partitions(
        _side_by_side,
        *(values for name, values in frames.items() if name != "X"),
        meta=X._meta,
        enforce_metadata=False,
        align_dataframes=False,
        token="sk_gd_columns",
    )
    try:
        parts = together.to_delayed(optimize_graph=True)
    except ValueError as error:  # of frames from different files
        raise ValueError(
            f"X and what is given with it have different partitions. {JOIN}"
        ) from error
    column = dask.delayed(operator.getitem)
    return {
        name: [column(part, k, dask_key_name=key_of("column")) for part in parts]
        for k, name in enumerate(frames)
    }


def _side_by_side(*columns):
    return columns


def _check_number(name, found, expected):
    """Raise a ValueError unless there are as many partitions as X has."""
    if found != expected:
        raise ValueError(
            f"{name} must have the partitions of X, {expected}. Got {found} instead. {JOIN}"
        )


def _parts(name, collection):
    """The partitions of a collection, as a list of Delayed."""
    if isinstance(collection, (list, tuple)):
        return [dask.delayed(x) if isinstance(x, Future) else x for x in collection]
    if isinstance(collection, Delayed) or not hasattr(collection, "to_delayed"):
        raise TypeError(
            f"{name} must be a dask array, a dask dataframe or series, or a list of delayed "
            f"partitions. Got {type(collection).__name__} instead."
        )
    parts = collection.to_delayed(optimize_graph=True)
    return list(np.ravel(parts)) if isinstance(parts, np.ndarray) else list(parts)
