"""From collections of Dask to partitions: rows of X, y and weights that lie together."""

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.base import is_dask_collection
from dask.delayed import Delayed

# Bytes of a chunk that is made of an array in memory.
CHUNK = 100_000_000

JOIN = (
    "Rows of X, y and weights must lie together. Put them into one frame and take the columns from "
    "its partitions: parts = frame.to_delayed(); X = [part[features] for part in parts]; "
    "y = [part[target] for part in parts]. Or give arrays with known chunks "
    "(compute_chunk_sizes())."
)


def is_collection(X):
    """Whether X is a collection of Dask, or a list of delayed partitions."""
    return is_dask_collection(X) or (
        isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(x, Delayed) for x in X)
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
    if not is_collection(X):
        X = _chunked(X)
    columns = {"X": _parts("X", _one_chunk_a_row(X))}
    for name, values in others.items():
        columns[name] = [None] * len(columns["X"])
        if values is None:
            continue
        if not is_collection(values):
            values = _like(X, values, name)
        if isinstance(values, da.Array) and isinstance(X, da.Array):
            values = _aligned(X, values)
        columns[name] = _parts(name, values)
        _check_divisions(X, values, name)
        if len(columns[name]) != len(columns["X"]):
            raise ValueError(
                f"{name} must have the partitions of X, {len(columns['X'])}. Got "
                f"{len(columns[name])} instead. {JOIN}"
            )
    return [dict(zip(columns, parts, strict=True)) for parts in zip(*columns.values(), strict=True)]


def _chunked(X):
    """An array or frame in memory, as a collection."""
    if hasattr(X, "iloc"):
        import dask.dataframe as dd

        return dd.from_pandas(
            X, chunksize=max(1, CHUNK // max(X.memory_usage().sum() // len(X), 1))
        )
    if sp.issparse(X):
        X = sp.csr_array(X)
        size = (X.data.nbytes + X.indices.nbytes) // max(X.shape[0], 1)
        step = max(1, CHUNK // max(size, 1))
        return [dask.delayed(X[i : i + step]) for i in range(0, X.shape[0], step)]
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions. Got an array of shape {X.shape} instead.")
    return da.from_array(X, chunks=(max(1, CHUNK // max(X[:1].nbytes, 1)), X.shape[1]))


def _one_chunk_a_row(X):
    """The collection, with all columns of a row in one chunk."""
    if isinstance(X, da.Array):
        if X.ndim != 2:
            raise ValueError(f"X must have two dimensions. Got {X.ndim} instead.")
        if X.numblocks[1] > 1:
            return X.rechunk({1: -1})
    return X


def _like(X, values, name):
    """Values in memory in chunks like those of X."""
    if isinstance(X, da.Array) and not np.isnan(X.shape[0]):
        values = np.asarray(values)
        if len(values) != X.shape[0]:
            raise ValueError(
                f"{name} must have as many rows as X, {X.shape[0]}. Got {len(values)} instead."
            )
        return da.from_array(values, chunks=(X.chunks[0], *values.shape[1:]))
    raise ValueError(
        f"{name} is in memory, and how many rows each partition of X has is not known. {JOIN}"
    )


def _aligned(X, values):
    """An array in the chunks of X, where both are known."""
    known = not np.isnan(X.shape[0]) and not np.isnan(values.shape[0])
    if known and X.shape[0] == values.shape[0]:
        return values.rechunk((X.chunks[0], *(-1,) * (values.ndim - 1)))
    return values


def _check_divisions(X, values, name):
    """Raise a ValueError if two frames are divided at different rows."""
    ours, theirs = getattr(X, "divisions", None), getattr(values, "divisions", None)
    known = getattr(X, "known_divisions", False) and getattr(values, "known_divisions", False)
    if known and ours != theirs:
        raise ValueError(f"{name} must be divided like X. Got other divisions. {JOIN}")


def _parts(name, collection):
    """The partitions of a collection, as a list of Delayed."""
    if isinstance(collection, (list, tuple)):
        return list(collection)
    if not hasattr(collection, "to_delayed"):
        raise TypeError(
            f"{name} must be a dask array, a dask dataframe or series, or a list of delayed "
            f"partitions. Got {type(collection).__name__} instead."
        )
    parts = collection.to_delayed(optimize_graph=True)
    return list(np.ravel(parts)) if isinstance(parts, np.ndarray) else list(parts)
