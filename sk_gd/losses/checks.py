"""What the methods of a loss return is checked: users may have written them."""

from typing import NamedTuple

import numpy as np


class Units(NamedTuple):
    """What `Loss.units` returns: arrays with an entry for each output."""

    origin: np.ndarray
    unit: np.ndarray
    loss_scale: np.ndarray


def units_of(loss, n_outputs, targets):
    """The `Units` of a loss, which a user may have written; None for classes."""
    units = loss.units(targets)
    if units is None:
        return None
    if not isinstance(units, tuple) or len(units) != 3:
        _refuse(loss, "units", f"None or three arrays of shape ({n_outputs},)", units)
    arrays = [np.asarray(each) for each in units]
    for each, array in zip(units, arrays, strict=True):
        if array.shape != (n_outputs,) or array.dtype.kind not in "fiu":
            _refuse(loss, "units", f"three arrays of numbers of shape ({n_outputs},)", each)
    return Units(*(array.astype(float, copy=False) for array in arrays))


def curvature_of(loss, method, n_outputs, targets):
    """A curvature of a loss, which a user may have written: one number, or one an output."""
    curvature = getattr(loss, method)(n_outputs, targets)
    array = np.asarray(curvature)
    if array.shape not in ((), (n_outputs,)) or array.dtype.kind not in "fiu":
        _refuse(loss, method, f"a number, or an array of shape ({n_outputs},)", curvature)
    if not array.min() >= 0:  # NaN is not, either
        raise ValueError(
            f"{type(loss).__name__}.{method} must return numbers of at least 0. "
            f"Got {array} instead."
        )
    return curvature


def probabilities_of(loss, method, scores, n_classes):
    """What `probabilities` or `log_probabilities` of a loss returns for these scores."""
    found = np.asarray(getattr(loss, method)(scores))
    if found.shape != (len(scores), n_classes):
        _refuse(loss, method, f"an array of shape ({len(scores)}, {n_classes})", found)
    return found


def _refuse(loss, method, allowed, got):
    if isinstance(got, np.ndarray):
        got = f"an array of {got.dtype} of shape {got.shape}"
    raise ValueError(f"{type(loss).__name__}.{method} must return {allowed}. Got {got} instead.")
