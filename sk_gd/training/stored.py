"""What is stored of a run: plain containers, which are checked before they are used.

Files may be damaged, or made by somebody else. Compiled code trusts the lengths of its arrays.
"""

import contextlib
from numbers import Integral, Real

import numpy as np

from .._versions import not_loadable
from ..exceptions import DivergenceError
from ..optimizers.base import Optimizer, Rule
from ..penalties.base import Penalty
from ..schedules import Schedule

# No state of these leads beyond its own memory, as one of the Mersenne twister may.
GENERATORS = (np.random.PCG64, np.random.PCG64DXSM)
# Counts in a run are smaller: they are kept as integers and as floats.
MOST = 2**53

COORDINATES = (
    "n_features", "n_outputs", "intercept", "n_columns", "shift", "scale", "rotation", "in_units",
    "origin", "unit", "loss_scale", "curvature", "feature_size",
)  # fmt: skip
# Only coordinates along axes have these.
AXES = ("axes", "middle")
MOMENTS = ("full", "total", "mean", "scatter", "filled", "_constant")
LANE = ("optimizer", "t", "memory", "w", "average", "averaged")


class Stored:
    """A dict that was stored, and checks of what it has.

    Parameters
    ----------
    name : str
        What messages call it.
    values : dict
        Numbers, arrays and other dicts by name.
    names : iterable of str
        The names that it must have, and no others.
    """

    def __init__(self, name, values, names):
        self.name = name
        self.values = values
        if not isinstance(values, dict):
            raise damaged(name, "a dict", values)
        if {*values} != {*names}:
            apart = sorted(map(str, {*values} ^ {*names}))
            raise ValueError(f"{name} must have the entries {[*names]}. It differs in {apart}.")

    def __getitem__(self, key):
        return self.values[key]

    def refuse(self, key, allowed):
        """The error that says what is allowed in place of an entry."""
        return damaged(f"{self.name}[{key!r}]", allowed, self.values[key])

    def part(self, key, names):
        """A dict in this one."""
        return Stored(f"{self.name}[{key!r}]", self.values[key], names)

    def flag(self, *keys):
        """Check that the entries are True or False."""
        for key in keys:
            if not isinstance(self.values[key], (bool, np.bool_)):
                raise self.refuse(key, "True or False")

    def number(self, *keys, low=-np.inf):
        """Check that the entries are real numbers of at least `low`, or NaN if there is no such."""
        for key in keys:
            value = self.values[key]
            if not is_number(value) or (low > -np.inf and not value >= low):
                raise self.refuse(key, f"a number of at least {low}")

    def count(self, *keys, low=0, high=MOST):
        """Check that the entries are integers from `low` to `high`."""
        for key in keys:
            value = self.values[key]
            is_integer = isinstance(value, Integral) and not isinstance(value, bool)
            if not (is_integer and low <= value <= high):
                raise self.refuse(key, f"an integer from {low} to {high}")

    def array(self, shape, *keys, dtype=np.float64, finite=False):
        """Check that the entries are arrays of this shape and type."""
        for key in keys:
            check_array(f"{self.name}[{key!r}]", self.values[key], shape, dtype, finite=finite)

    def numbers(self, *keys, most):
        """Check that the entries are lists of at most so many numbers."""
        for key in keys:
            value = self.values[key]
            if not (isinstance(value, list) and len(value) <= most and all(map(is_number, value))):
                raise self.refuse(key, f"a list of at most {most} numbers")

    def kind(self, cls, *keys):
        """Check that the entries are instances of this class, whose parameters are allowed."""
        for key in keys:
            value = self.values[key]
            if not isinstance(value, cls):
                raise self.refuse(key, f"an instance of {cls.__name__}")
            with_reason(f"{self.name}[{key!r}]", value.check)


def is_number(value):
    """Whether this is a real number, or NaN."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def damaged(name, allowed, got):
    """The error for something stored that is not what it must be."""
    if isinstance(got, np.ndarray):
        got = f"an array of {got.dtype} of shape {got.shape}"
    else:
        got = f"{type(got).__name__} {str(got)[:80]}"
    return ValueError(f"{name} must be {allowed}. Got {got} instead.")


def with_reason(name, function, *arguments):
    """Call a function of something stored; any error of it says that this cannot be used."""
    try:
        return function(*arguments)
    except Exception as error:
        raise ValueError(f"{name} cannot be used. {type(error).__name__}: {error}") from error


def check_array(name, value, shape, dtype=np.float64, *, finite=False):
    """Raise a ValueError unless this is an array of this shape and type, C-contiguous."""
    if not (
        type(value) in (np.ndarray, np.memmap)
        and value.shape == shape
        and value.dtype == dtype
        and value.flags.c_contiguous
        and (not finite or np.isfinite(value).all())
    ):
        what = "a finite" if finite else "an"
        raise damaged(name, f"{what} array of {np.dtype(dtype)} of shape {shape}", value)


@contextlib.contextmanager
def refusing(version):
    """Say in an error that a model which this version of sk_gd has stored cannot be loaded."""
    try:
        yield
    except ValueError as error:
        raise not_loadable(version, error) from error


def check_run(state, names, config, history, stopping):
    """Raise a ValueError unless a run can be made of its stored state.

    The others are the names of what a run, its configuration, history and stopping rule have.
    """
    run = Stored("the run", state, names)
    run.count("seed", "n_steps_before")
    run.number("limit")
    if not (run["error"] is None or isinstance(run["error"], DivergenceError)):
        raise run.refuse("error", "None or a DivergenceError")
    generator = run["generator"]
    if type(generator) is not np.random.Generator or (
        type(generator.bit_generator) not in GENERATORS
    ):
        raise run.refuse("generator", "a Generator of numpy with a PCG64")
    _check_signal(run)
    if run["fingerprint"] is not None:
        pair = run["fingerprint"]
        if not (isinstance(pair, tuple) and [type(each) for each in pair] == [str, str]):
            raise run.refuse("fingerprint", "None or a tuple of two strings")
    _check_history(run.part("history", history))
    part = run.part("stopping", stopping)
    part.number("mark")
    part.count("stale")
    part.flag("at_minimum")
    _check_config(run.part("config", config))
    shape = _check_coordinates(_coordinates(run))
    _check_statistics(run.part("statistics", ("features", "targets")), *shape)
    _check_best(run.part("best", ("loss", "model")), *shape)
    _check_lane(run, shape[0] * run["coordinates"]["n_columns"])


def _check_signal(run):
    signal = run["signal"]
    # Files of version 0.2 have two numbers only: the penalty always was in sizes.
    if not (
        isinstance(signal, tuple)
        and len(signal) in (2, 3)
        and all(is_number(each) and each >= 0 for each in signal[:2])
        and all(isinstance(each, bool) for each in signal[2:])
    ):
        allowed = "a tuple of two numbers of at least 0, and whether the penalty is in sizes"
        raise run.refuse("signal", allowed)


def _check_history(history):
    history.numbers("loss_curve", most=MOST)
    n = len(history["loss_curve"])
    history.numbers("validation_loss_curve", "validation_scores", most=n)
    history.numbers("evaluation_curve", "watched", most=n)
    for name in ("evaluation_curve", "watched"):
        if len(history[name]) != n:
            raise history.refuse(name, f"a list of {n} numbers, one an epoch")
    if len(history["validation_scores"]) != len(history["validation_loss_curve"]):
        raise history.refuse("validation_scores", "as long as the curve of the validation loss")
    history.count("begin", high=n)


def _check_config(config):
    config.number("learning_rate", "loss_unit", low=0)
    # Parameters without an upper limit: `sys.maxsize` is as good as infinite.
    config.count("horizon", "n_iter_no_change", "average", high=np.inf)
    config.kind(Schedule, "schedule")
    config.kind(Penalty, "penalty")
    config.flag("validated")
    if config["tol"] is not None:
        config.number("tol", low=0)
    if not (isinstance(config["dtype"], str) and config["dtype"] in ("float32", "float64")):
        raise config.refuse("dtype", "'float32' or 'float64'")


def _coordinates(run):
    """The coordinates of a run, with those entries that they may have."""
    stored = run["coordinates"]
    along_axes = isinstance(stored, dict) and not stored.keys().isdisjoint(AXES)
    return run.part("coordinates", COORDINATES + AXES if along_axes else COORDINATES)


def _check_coordinates(coordinates):
    """Check coordinates; returns the shape of the coefficients of a model."""
    coordinates.count("n_features", "n_outputs", "n_columns", low=1)
    coordinates.flag("intercept")
    outputs, features = int(coordinates["n_outputs"]), int(coordinates["n_features"])
    columns, axes = int(coordinates["n_columns"]), features
    if "axes" in coordinates.values:
        axes = columns - int(coordinates["intercept"])
        coordinates.array((features, axes), "axes")
        coordinates.array((features,), "middle")
    if columns != axes + int(coordinates["intercept"]):
        raise coordinates.refuse("n_columns", "the number of features, and one for an intercept")
    coordinates.array((outputs,), "origin", "unit", "loss_scale")
    coordinates.flag("in_units")
    coordinates.number("curvature")
    if (coordinates["shift"] is None) != (coordinates["scale"] is None):
        raise coordinates.refuse("scale", "None if the shift is None, and only then")
    for name, shape in (
        ("shift", (axes,)),
        ("scale", (axes,)),
        ("rotation", (columns, columns)),
    ):
        if coordinates[name] is not None:
            coordinates.array(shape, name)
    if not is_number(coordinates["feature_size"]):
        coordinates.array((features,), "feature_size")
    return outputs, features


def _check_statistics(statistics, outputs, features):
    for name, n in (("features", features), ("targets", outputs)):
        if statistics[name] is None:
            continue
        moments = statistics.part(name, MOMENTS)
        moments.flag("full")
        moments.number("total", low=0)
        moments.array((n,), "mean", "filled", finite=True)
        moments.array((n, n) if moments["full"] else (n,), "scatter", finite=True)
        squares = np.diagonal(moments["scatter"]) if moments["full"] else moments["scatter"]
        if np.min(squares) < 0 or np.min(moments["filled"]) < 0:
            raise moments.refuse("scatter", "an array of sums of squares, none of them negative")
        if moments["_constant"] is not None:
            moments.array((n,), "_constant", dtype=np.bool_)


def _check_best(best, outputs, features):
    best.number("loss")
    model = best["model"]
    if model is None:
        return
    if not (isinstance(model, tuple) and len(model) == 2):
        raise best.refuse("model", "None or a tuple of two arrays")
    check_array("the best model", model[0], (outputs, features))
    check_array("the best model", model[1], (outputs,))


def _check_lane(run, n_weights):
    lane = run.part("lane", LANE)
    lane.kind(Optimizer, "optimizer")
    lane.count("t", "averaged")
    lane.array((n_weights,), "w", finite=True)
    if lane["average"] is not None:
        lane.array((n_weights,), "average", finite=True)
    elif lane["averaged"]:
        raise lane.refuse("averaged", "0, since there is no average")
    rule = with_reason("its optimizer", lane["optimizer"].rule, n_weights)
    if not isinstance(rule, Rule):
        raise lane.refuse("optimizer", "one with a rule")
    with_reason("the state of its optimizer", rule.restore, lane["t"], lane["memory"])
