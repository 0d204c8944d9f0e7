"""What the methods of a loss return is checked: users may have written them."""

import numpy as np


def units_of(loss, n_outputs, targets):
    """The units of a loss, which a user may have written."""
    units = loss.units(targets)
    if units is None:
        return None
    if not isinstance(units, tuple) or len(units) != 3:
        _refuse(loss, "units", f"None or three arrays of shape ({n_outputs},)", units)
    for each in units:
        if np.shape(each) != (n_outputs,) or np.asarray(each).dtype.kind not in "fiu":
            _refuse(loss, "units", f"three arrays of numbers of shape ({n_outputs},)", each)
    return tuple(np.asarray(each, dtype=float) for each in units)


def curvature_of(loss, method, n_outputs, targets):
    """A curvature of a loss, which a user may have written: one number, or one an output."""
    curvature = getattr(loss, method)(n_outputs, targets)
    shape = np.shape(curvature)
    if shape not in ((), (n_outputs,)) or np.asarray(curvature).dtype.kind not in "fiu":
        _refuse(loss, method, f"a number, or an array of shape ({n_outputs},)", curvature)
    return curvature


def _refuse(loss, method, allowed, got):
    if isinstance(got, np.ndarray):
        got = f"an array of {got.dtype} of shape {got.shape}"
    raise ValueError(f"{type(loss).__name__}.{method} must return {allowed}. Got {got} instead.")
