"""Validates data in place of an estimator, which stays as it is."""

import contextlib
import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight, assert_all_finite, validate_data

from ..objectives.csr_rows import check_entries, has_duplicates
from ..targets import TARGETS, targets_without_numbers

# What numpy says of text, and of dates beside numbers; and Python of other objects.
NO_NUMBERS = ("could not convert", "could not be promoted")
OBJECTS = "float() argument must be"

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


class ValidData(NamedTuple):
    """Validated data.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Data, of float32 or float64.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets or labels.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows; None if they are equal.
    """

    X: object
    y: np.ndarray
    sample_weight: np.ndarray | None = None


class Validator:
    """Validates data in place of an estimator, and keeps the attributes that this sets.

    scikit-learn sets the number and the names of the features on the estimator that validates. Here
    this is a copy: the estimator itself stays as it is until the fit has succeeded.
    """

    def __init__(self, estimator):
        self._copy = object.__new__(type(estimator))
        vars(self._copy).update(vars(estimator))

    def validate(self, X, y, sample_weight=None, *, reset=True):
        """X, y and weights as `ValidData`; without `reset` X must be like the one seen before."""
        for name, data in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            check_in_memory(kind_of(self._copy), name, data)
            _refuse_masked(name, data)
        valid = _is_valid(X, y)
        if valid and reset:
            # To look for column names of arrays takes a twentieth of a small fit.
            vars(self._copy).pop("feature_names_in_", None)
            self._copy.n_features_in_ = X.shape[1]
            return ValidData(X, y, check_weight(sample_weight, y))
        check_sparse(X)
        if sp.issparse(y):
            raise TypeError("y must be dense. Got a sparse array instead: write y.toarray().")
        checks = TARGETS[self._copy._kind].checks
        X, y = validate_features(
            self._copy, X, y, reset=reset, order="C", skip_check_array=valid, **checks
        )
        if not valid and y.dtype.kind == "f":
            # None becomes NaN when scikit-learn converts objects, after it has looked for NaN.
            assert_all_finite(y, input_name="y")
        if sp.issparse(X) and not X.has_canonical_format and _has_duplicates(X):
            # An entry that is there twice counts as the sum, in squares as well.
            X = X.copy()
            X.sum_duplicates()
        return ValidData(X, y, check_weight(sample_weight, y))

    @property
    def attributes(self):
        """Number and names of the features, as fitted attributes."""
        names = ("n_features_in_", "feature_names_in_")
        return {name: vars(self._copy)[name] for name in names if name in vars(self._copy)}


def validate_features(estimator, *data, **checks):
    """X, or X and y, as scikit-learn validates them for an estimator."""
    # scikit-learn adds all numbers to see whether they are finite.
    numeric = data if checks.get("y_numeric") else data[:1]
    _refuse_masked("X", data[0])
    _refuse_dates(data[0])
    with _numbers_only(*numeric), np.errstate(over="ignore", invalid="ignore"):
        return validate_data(estimator, *data, accept_sparse="csr", dtype=FLOATS, **checks)


def _is_valid(X, y):
    """Whether X and y are arrays that scikit-learn's checks would return as they are.

    False if that is not certain.
    """
    if not (
        type(X) is type(y) is np.ndarray
        and X.ndim == 2
        and X.dtype in FLOATS
        and X.flags.c_contiguous
        and y.shape == X.shape[:1]
        and (y.dtype.kind in "iub" or y.dtype in FLOATS)
        and X.size > 0
    ):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        # Integers are all finite.
        return math.isfinite(X.sum()) and (y.dtype.kind in "iub" or math.isfinite(y.sum()))


@contextlib.contextmanager
def _numbers_only(X, y=None):
    """Say in an error what is not a number: y, or X, and in which columns of a frame."""
    try:
        yield
    except (ValueError, TypeError) as error:
        columns, message = _columns_without_numbers(X), str(error)
        is_text = any(words in message for words in NO_NUMBERS)
        is_objects = OBJECTS in message
        no_number = is_text or is_objects
        if y is not None and no_number and not columns and (sp.issparse(X) or _has_numbers(X)):
            raise targets_without_numbers("y", f"text or objects: {error}") from error
        if not (columns or no_number):
            raise
        if is_objects and not columns:
            # As in scikit-learn, it is a TypeError.
            raise TypeError(str(_features_without_numbers(f"objects: {error}"))) from error
        raise _features_without_numbers(columns or f"text: {error}") from error


def _columns_of(X):
    """Names and columns of a frame of pandas or polars, or a table of pyarrow."""
    if _is_table(X):
        return zip(X.column_names, X.columns, strict=True)
    return ((name, X[name]) for name in getattr(X, "columns", ()))


def _is_table(X):
    """Whether X is a table of pyarrow, which is no frame."""
    return hasattr(type(X), "column_names")


def _columns_without_numbers(X):
    """The columns of a frame that are no numbers, for a message; empty if there are none."""
    columns = [name for name, column in _columns_of(X) if not _has_numbers(column)]
    return f"text or dates in the columns {columns}" if columns else ""


def _features_without_numbers(got):
    return ValueError(
        f"X must have numbers only. Got {got}; encode them, for example with "
        "sklearn.preprocessing.OneHotEncoder in a ColumnTransformer."
    )


def _refuse_dates(X):
    """Raise a ValueError if X, or a column of a frame, has dates: nanoseconds for scikit-learn."""
    if isinstance(X, (list, tuple)) and len(X):
        X = np.asarray(X[0])
    if _is_date(getattr(X, "dtype", None)):
        raise _features_without_numbers(f"dates or times ({X.dtype})")
    dtypes = X.schema.types if _is_table(X) else getattr(X, "dtypes", ())
    if hasattr(X, "columns") and any(map(_is_date, dtypes)):
        raise _features_without_numbers(_columns_without_numbers(X))


def _is_date(dtype):
    kind = getattr(dtype, "kind", None)
    if kind is None:
        # Types of polars and pyarrow, such as Datetime, Time, date32, timestamp and duration.
        return str(dtype).lower().startswith(("date", "time", "duration"))
    return kind in "mM"


def _refuse_masked(name, data):
    """Raise a ValueError if entries are masked: scikit-learn reads what is behind the mask."""
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise ValueError(
            f"{name} must have no masked entries. Got {np.ma.count_masked(data)} of {data.size} "
            f"masked instead; leave out their rows, or replace them, as by {name}.filled(value)."
        )


def _has_numbers(column):
    try:
        np.asarray(column, dtype=float)
    except (ValueError, TypeError):
        return False
    # Dates with a time zone, and times of polars, are objects in an array, but not in the frame.
    return not (_is_date(np.asarray(column).dtype) or _is_date(getattr(column, "dtype", None)))


def check_sparse(X):
    """Raise a ValueError if indices of a compressed sparse X are out of bounds."""
    if sp.issparse(X) and X.format in ("csr", "csc"):
        shape = X.shape if X.format == "csr" else X.shape[::-1]
        indptr = X.indptr.astype(X.indices.dtype, copy=False)
        check_entries(X.indices, indptr, len(X.data), *shape)


def _has_duplicates(X):
    # Unsorted entries, as text vectorisers give them, do no harm. Sorting them would take a tenth
    # of a fit.
    return has_duplicates(X.indices, X.indptr.astype(X.indices.dtype, copy=False), X.shape[1])


def kind_of(estimator):
    """The name of the class of which an estimator is, or is derived from."""
    return "GDRegressor" if estimator._kind == "regressor" else "GDClassifier"


def check_in_memory(kind, name, data):
    """Raise a TypeError for a collection of Dask, or a list of its delayed parts.

    `kind` is the class in `sk_gd.dask` that takes such data.
    """
    if type(data).__name__ == "LazyFrame":
        raise TypeError(
            f"{name} must be in memory. Got a LazyFrame instead: write {name}.collect()."
        )
    first = data[0] if isinstance(data, (list, tuple)) and len(data) else data
    if hasattr(first, "__dask_graph__"):
        raise TypeError(
            f"{name} must be in memory. Got a collection of Dask ({type(first).__name__}) instead: "
            f"use sk_gd.dask.{kind}, which leaves the rows on the workers, or {name}.compute()."
        )


def check_weight(sample_weight, y):
    """Weights as floats, none of them negative; None if there are none."""
    if sample_weight is None:
        return None
    if _is_date(getattr(sample_weight, "dtype", None)):
        raise ValueError(
            f"sample_weight must have numbers only. Got dates or times ({sample_weight.dtype})."
        )
    try:
        return _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(f"sample_weight must have numbers only. Got text: {error}.") from error


@contextlib.contextmanager
def errors_of_validation_data():
    """Say in an error that it is about the validation data."""
    try:
        yield
    except ValueError as error:
        raise ValueError(
            f"In the validation data (X_val, y_val, sample_weight_val): {error}"
        ) from error


def has_validation_data(X_val, y_val, sample_weight_val):
    """Whether there are validation data; a ValueError if only a part of them was given."""
    if (X_val is None) != (y_val is None):
        missing = "y_val" if y_val is None else "X_val"
        raise ValueError(f"X_val and y_val go together. Got no {missing}.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val needs X_val and y_val. Got neither.")
    return X_val is not None


def validate_held_out(validator, *validation):
    """The validation data as `ValidData`; None if there are none."""
    if not has_validation_data(*validation):
        return None
    with errors_of_validation_data():
        return validator.validate(*validation, reset=False)
