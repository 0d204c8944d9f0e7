"""The fitted attributes of a model that is loaded are checked before they are used."""

from numbers import Real

import numpy as np
import scipy.sparse as sp

from ..training.run import Run
from ..training.stored import Stored, check_array, damaged, refusing

NEEDED = ("coef_", "intercept_")


def check_fitted(attributes, kind):
    """Raise a ValueError unless models of this kind can predict with these attributes."""
    if not any(name in attributes for name in (*NEEDED, "_run")):
        return
    with refusing("a version"):
        for name in NEEDED + (("classes_",) if kind == "classifier" else ()):
            if name not in attributes:
                raise ValueError(f"{name} is missing.")
        if "n_features_in_" in attributes:
            Stored("the model", attributes, attributes).count("n_features_in_", low=1)
        shape = _check_coefficients(attributes)
        if kind == "classifier":
            rows, classes = shape[0], attributes["classes_"]
            n_classes = 2 if rows == 1 else rows
            if not (isinstance(classes, np.ndarray) and classes.shape == (n_classes,)):
                raise damaged("classes_", f"an array of {n_classes} labels", classes)
        _check_run(attributes, shape)


def _check_coefficients(attributes):
    """Check coefficients and intercepts; returns outputs and features."""
    coef, intercept = attributes["coef_"], attributes["intercept_"]
    if not np.ndim(coef):
        raise damaged("coef_", "an array", coef)
    d, flat = attributes.get("n_features_in_", np.shape(coef)[-1]), isinstance(intercept, Real)
    shape = (1, d) if flat else (len(np.atleast_1d(intercept)), d)
    if sp.issparse(coef):
        if coef.shape != shape:
            raise damaged("coef_", f"a matrix of shape {shape}", coef)
        coef.check_format(full_check=True)
    else:
        _check_floats("coef_", coef, shape[1:] if flat else shape)
    if not flat:
        _check_floats("intercept_", intercept, shape[:1])
    return shape


def _check_floats(name, value, shape):
    single = getattr(value, "dtype", None) == np.float32
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)  # a coef_ of several outputs need not be
    check_array(name, value, shape, np.float32 if single else np.float64)


def _check_run(attributes, shape):
    run = attributes.get("_run")
    if run is None:
        return
    if not isinstance(run, Run) or run.coordinates is None:
        raise damaged("_run", "a run", run)
    if (run.coordinates.n_outputs, run.coordinates.n_features) != shape:
        raise damaged("coef_", "of the shape that the run has", shape)
