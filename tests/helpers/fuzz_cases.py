"""Random data sets and settings for the fuzzing tests, each with a `repr` that makes it again.

A case is drawn as a few small choices, and everything else follows from them and from a seed. So
Hypothesis can simplify a case that fails: in every list of choices the plain one comes first.
"""

import tempfile
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

from helpers.optimizers import DRAWN
from sk_gd import GDClassifier, GDRegressor, losses, optimizers, schedules
from sk_gd.optimizers import ClipNorm, ClipValue, Momentum

# Schedules that depend on the number of epochs.
ENDING = (schedules.Polynomial, schedules.Cosine, schedules.OneCycle, schedules.Warmup)
POSITIVE = ("poisson", "gamma")


@dataclass(frozen=True)
class Table:
    """Features, targets and weights, made from a seed.

    Attributes
    ----------
    n, d, seed : int
        Rows, features, and the seed of all random numbers.
    columns : int
        Outputs of y, or classes; zero is a y of one dimension.
    x_faults, y_faults : tuple of str
        What is wrong with X and with y: keys of `X_FAULTS` and `Y_FAULTS`.
    weights : str
        A key of `WEIGHTS`.
    container : str
        A key of `CONTAINERS`.
    dtype : str
        The type of X.
    """

    n: int = 12
    d: int = 2
    seed: int = 0
    columns: int = 0
    x_faults: tuple = ()
    y_faults: tuple = ()
    weights: str = "none"
    container: str = "dense"
    dtype: str = "float64"

    def features(self):
        """X as an array of float64, before it is put into its container."""
        generator = np.random.default_rng(self.seed)
        X = generator.normal(size=(self.n, self.d)) + generator.normal(size=self.d)
        largest = np.finfo(float).max
        for name in self.x_faults:
            with np.errstate(over="ignore"):  # two faults may make a column too large
                X_FAULTS[name](X, generator)
            np.clip(X, -largest, largest, out=X)
        return X

    def scores(self):
        """Numbers of which a fifth of the variance is noise, (n, columns)."""
        generator = np.random.default_rng([self.seed, 1])
        clean = replace(self, x_faults=()).features()
        shape = self.d, max(self.columns, 1)
        slopes = generator.normal(size=shape)
        signal = clean @ (slopes / np.linalg.norm(slopes, axis=0))
        return signal + 0.5 * generator.normal(size=signal.shape)

    def y(self, kind, loss):
        """Targets, or labels, that the loss is defined for."""
        generator = np.random.default_rng([self.seed, 2])
        scores = self.scores()
        if kind == "classifier":
            return _labels(scores, self, generator)
        if loss in POSITIVE:
            scores = np.ceil(4 * np.exp(np.clip(scores, -2, 2)))
        for name in self.y_faults:
            Y_FAULTS[name](scores, generator)
        if loss in POSITIVE:
            scores = np.abs(scores) + (loss == "gamma") * np.finfo(float).tiny
        return scores if self.columns else scores[:, 0]

    def weight(self):
        """Weights of the rows, or None."""
        return WEIGHTS[self.weights](np.random.default_rng([self.seed, 3]), self.n)

    def X(self, rows=slice(None)):
        """Rows of X in their type and container; what float32 cannot hold becomes its largest."""
        largest = np.finfo(self.dtype).max
        X = np.clip(self.features()[rows], -largest, largest).astype(self.dtype)
        return CONTAINERS[self.container](X)


def _labels(scores, table, generator):
    """Labels of two or more classes, every class at least once where there are rows enough."""
    n, classes = table.n, max(table.columns, 2)
    code = scores.argmax(axis=1) if table.columns > 2 else (scores[:, 0] > 0).astype(int)
    if "rare" in table.y_faults:
        code = np.zeros(n, dtype=int)
    code[: min(n, classes)] = np.arange(classes)[:n]
    if "text" in table.y_faults:
        return np.array([f"class {label}" for label in range(classes)])[code]
    if "numbers" in table.y_faults:
        return 2.5 * code - 1
    return code


def _some_column(X, generator):
    return X[:, generator.integers(X.shape[1])]


def _set(values):
    """A fault that replaces a column."""

    def change(X, generator):
        _some_column(X, generator)[:] = values

    return change


def _scaled(factor):
    """A fault that multiplies a column."""

    def change(X, generator):
        _some_column(X, generator)[:] *= factor

    return change


def _scaled_all(factor):
    def change(X, generator):
        X *= factor

    return change


def _shifted(offset):
    def change(X, generator):
        _some_column(X, generator)[:] += offset

    return change


def _twice(X, generator):
    _some_column(X, generator)[:] = X[:, 0]


def _empty_rows(X, generator):
    X[generator.random(len(X)) < 0.5] = 0


def _thin(X, generator):
    X[generator.random(X.shape) < 0.8] = 0


def _indicator(X, generator):
    column = _some_column(X, generator)
    column[:] = column > 0


def _outlier(X, generator):
    X[generator.integers(len(X)), 0] = 1e6


X_FAULTS = {
    "zero column": _set(0.0),
    "constant column": _set(1.0),
    "large constant column": _set(1.7e9),
    "empty": _scaled_all(0.0),
    "duplicate": _twice,
    "huge column": _scaled(1e6),
    "column of 1e150": _scaled(1e150),
    "column of 1e-150": _scaled(1e-150),
    "all of 1e150": _scaled_all(1e150),
    "all of 1e-150": _scaled_all(1e-150),
    "column of 1e300": _scaled(1e300),
    "subnormal column": _scaled(1e-310),
    "offset of 100": _shifted(100.0),
    "offset of 1e8": _shifted(1e8),
    "empty rows": _empty_rows,
    "thin": _thin,
    "indicator": _indicator,
    "outlier": _outlier,
}
Y_FAULTS = {
    "constant": _set(3.0),
    "zero": _scaled_all(0.0),
    "outlier": _outlier,
    "offset of 1e8": _shifted(1e8),
    "of 1e6": _scaled_all(1e6),
    "of 1e150": _scaled_all(1e150),
    "of 1e-150": _scaled_all(1e-150),
    "of 1e300": _scaled_all(1e300),
    "subnormal": _scaled_all(1e-310),
}
LABEL_FAULTS = ("text", "numbers", "rare")

WEIGHTS = {
    "none": lambda generator, n: None,
    "ones": lambda generator, n: np.ones(n),
    "integers": lambda generator, n: generator.integers(0, 4, n) + (np.arange(n) < 4),
    "random": lambda generator, n: generator.random(n),
    "many zeros": lambda generator, n: np.where(generator.random(n) < 0.3, 1.0, 0.0),
    "unequal": lambda generator, n: 10.0 ** generator.uniform(-12, 12, n),
    "small": lambda generator, n: 1e-150 * generator.random(n),
    "large": lambda generator, n: 1e150 * generator.random(n),
    "subnormal": lambda generator, n: 1e-310 * generator.random(n),
}


def _strided(X):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), dtype=X.dtype)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def _read_only(X):
    X.setflags(write=False)
    return X


def _memmap(X):
    if not X.size:
        return X  # an empty file cannot be mapped
    with tempfile.TemporaryFile() as file:
        X.tofile(file)
        file.seek(0)
        return np.memmap(file, dtype=X.dtype, mode="r", shape=X.shape)


def _frame(X):
    import pandas as pd

    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])


DENSE = {
    "dense": lambda X: X,
    "fortran": np.asfortranarray,
    "strided": _strided,
    "backwards": lambda X: np.ascontiguousarray(X[::-1])[::-1],
    "read-only": _read_only,
    "memmap": _memmap,
    "frame": _frame,
    "list": lambda X: X.tolist() if X.dtype == np.float64 else X,
}
SPARSE = {
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "csr matrix": sp.csr_matrix,
}
CONTAINERS = DENSE | SPARSE


@dataclass(frozen=True)
class Case:
    """An estimator with some parameters, and data for it."""

    kind: str = "regressor"
    table: Table = field(default_factory=Table)
    parameters: dict = field(default_factory=dict)
    way: str = "fit"

    def model(self, **more):
        """The estimator, not fitted."""
        make = GDRegressor if self.kind == "regressor" else GDClassifier
        return make(**{"random_state": 0} | self.parameters | more)

    @property
    def loss(self):
        """The name of the loss."""
        default = "squared_error" if self.kind == "regressor" else "log_loss"
        return self.parameters.get("loss", default)

    def data(self):
        """X in its container, y, and the weights."""
        return self.table.X(), self.table.y(self.kind, self.loss), self.table.weight()


# Strategies.

ROWS = (12, 1, 2, 3, 5, 40, 101)
FEATURES = (2, 1, 3, 5, 20)
WRAPPED = (ClipNorm(Momentum()), ClipValue(Momentum()))
ANY = {
    "optimizer": ("auto", *optimizers.names(), *WRAPPED),
    "alpha": ("auto", 0.0, 1e-4, 0.1, 10.0, 1e6, "10 * auto"),
    "l1_ratio": (0.0, 0.5, 1.0),
    "scale_penalty": (True, False),
    "fit_intercept": (True, False),
    "learning_rate": ("auto", *(10.0**k for k in range(-6, 4, 3)), 1e-150, 1e150, 1e300),
    "schedule": schedules.names(),
    "batch_size": ("auto", "full", 1, 7),
    "max_iter": (3, 1, 20),
    "tol": (1e-4, 0.0, None, 0.5),
    "n_iter_no_change": (5, 1),
    "early_stopping": (False, True),
    "average": ("auto", False, True, 2),
    "precondition": ("standardize", None, "whiten"),
    "shuffle": (True, False),
}


def integers(last):
    """Seeds from zero to `last`."""
    return st.integers(0, last)


@st.composite
def settings(draw, kind, choices=ANY):
    """Parameters that differ from the defaults in a few names."""
    names = draw(st.lists(st.sampled_from(sorted(choices)), max_size=5, unique=True))
    parameters = {name: draw(st.sampled_from(choices[name])) for name in names}
    parameters["loss"] = draw(st.sampled_from(losses.names(kind)))
    # Most of the differences between cases are those between optimizers.
    if "optimizer" in choices:
        parameters["optimizer"] = draw(st.sampled_from(choices["optimizer"]))
    parameters.setdefault("max_iter", 3)
    return parameters


SCORES = {
    "regressor": ("r2", "neg_mean_absolute_error", "neg_mean_poisson_deviance"),
    "classifier": ("accuracy", "neg_log_loss", "roc_auc", "f1"),
}


@st.composite
def wild(draw):
    """Cases of all kinds."""
    kind = draw(st.sampled_from(("regressor", "classifier")))
    parameters = draw(settings(kind))
    scoring = draw(st.sampled_from((None, None, *SCORES[kind])))
    if scoring is not None:
        parameters |= {"scoring": scoring, "early_stopping": draw(st.sampled_from((True, False)))}
    if kind == "classifier":
        weights = draw(st.sampled_from((None, "balanced", {0: 5.0})))
        parameters |= {} if weights is None else {"class_weight": weights}
    faults = Y_FAULTS if kind == "regressor" else LABEL_FAULTS
    table = Table(
        n=draw(st.sampled_from(ROWS)),
        d=draw(st.sampled_from(FEATURES)),
        seed=draw(integers(999)),
        columns=draw(st.sampled_from((0, 1, 3) if kind == "regressor" else (2, 3, 5))),
        x_faults=tuple(draw(st.lists(st.sampled_from(list(X_FAULTS)), max_size=2))),
        y_faults=tuple(draw(st.lists(st.sampled_from(list(faults)), max_size=1))),
        weights=draw(st.sampled_from(list(WEIGHTS))),
        container=draw(st.sampled_from(list(CONTAINERS))),
        dtype=draw(st.sampled_from(("float64", "float32"))),
    )
    way = draw(st.sampled_from(("fit", "partial_fit", "validation", "warm_start")))
    return Case(kind, table, parameters, way)


# Losses with a slope that does not jump: rounding in a prediction stays rounding in the slope.
SMOOTH = {
    "regressor": ("squared_error", "huber", "poisson", "gamma"),
    "classifier": ("log_loss", "squared_hinge", "modified_huber"),
}
# Full batches of the same rows, a few steps: two computations differ by rounding only. The sign
# of a gradient is no such function of it, and random searches draw anew in other coordinates.
SIGNS = ("lion", "rprop")
STEADY = tuple(name for name in optimizers.names() if name not in (*DRAWN, *SIGNS))
CALM = {
    "alpha": (0.1, "auto", 0.0, 1e-3),
    "scale_penalty": (True, False),
    "fit_intercept": (True, False),
    "precondition": ("standardize", None, "whiten"),
    "average": ("auto", False, True),
    "schedule": schedules.names(),
}
LEARNING = {
    "optimizer": ("auto", *optimizers.names()),
    "learning_rate": ("auto", 1e-3, 0.1, 1.0, 10.0),
    "batch_size": ("auto", "full", 1, 7),
    "tol": (1e-4, None),
}
NEAR_DEFAULTS = {
    "alpha": ("auto", 0.1, 1e-3, "10 * auto"),
    "scale_penalty": (True, False),
    "precondition": ("standardize", "whiten"),
}
# Training that continues has the horizon of both halves.
ENDLESS = tuple(name for name in schedules.names() if not isinstance(schedules.get(name), ENDING))
FRIENDLY = ("indicator", "thin", "huge column", "duplicate")


@st.composite
def calm(draw, **fixed):
    """Cases in which rounding stays rounding: smooth losses, full batches, a few epochs.

    `fixed` replaces parameters, or attributes of the table: by a value, or by a strategy.
    """
    kind = draw(st.sampled_from(("regressor", "classifier")))
    parameters = draw(settings(kind, CALM))
    parameters |= {"batch_size": "full", "max_iter": 4, "tol": None}
    parameters["loss"] = draw(st.sampled_from(SMOOTH[kind]))
    parameters["optimizer"] = draw(st.sampled_from(STEADY))
    table = draw(friendly(kind))
    for name, value in fixed.items():
        value = draw(value) if isinstance(value, st.SearchStrategy) else value
        if name in Table.__annotations__:
            table[name] = value
        else:
            parameters[name] = value
    coordinates = parameters.get("precondition", "standardize")
    if coordinates == "whiten" and "duplicate" in table["x_faults"]:
        table["x_faults"] = ()  # a singular matrix is inverted, where rounding is a billion times
    if parameters["optimizer"] == "armijo" and table["d"] == 1:
        # On a parabola of one variable its condition is an equation, and rounding decides.
        table["d"] = 2
    if parameters["optimizer"] == "amos":
        # It divides by the gradient, and that of an indicator can be zero but for rounding.
        table["x_faults"] = tuple(name for name in table["x_faults"] if name != "indicator")
    if (coordinates, parameters["optimizer"]) == (None, "lbfgs"):
        # Curvatures of 1 and 1e12 are learnt from differences of gradients, where rounding is as
        # many times: another order of the rows changes predictions by a tenth.
        table["x_faults"] = tuple(name for name in table["x_faults"] if name != "huge column")
    return Case(kind, Table(**table), parameters)


@st.composite
def friendly(draw, kind):
    """The attributes of a table that poses no difficulties; most are those of real data."""
    return {
        "n": draw(st.sampled_from((40, 25, 101))),
        "d": draw(st.sampled_from((2, 1, 3, 5))),
        "seed": draw(integers(999)),
        "columns": draw(st.sampled_from((0, 2) if kind == "regressor" else (2, 3))),
        "x_faults": tuple(draw(st.lists(st.sampled_from(FRIENDLY), max_size=1))),
        "weights": draw(st.sampled_from(("none", "random", "integers"))),
    }


@st.composite
def learnable(draw):
    """Cases with enough epochs, and most of the variance of the targets in the features."""
    kind = draw(st.sampled_from(("regressor", "classifier")))
    parameters = draw(settings(kind, CALM | LEARNING))
    parameters["max_iter"] = 60
    # The perceptron of zero weights has no loss.
    names = [name for name in losses.names(kind) if name != "perceptron"]
    parameters["loss"] = draw(st.sampled_from(names))
    table = draw(friendly(kind))
    table["x_faults"] = ()
    return Case(kind, Table(**table), parameters)


@st.composite
def default(draw):
    """Cases at the defaults, or near them, whose minimum an exact solver of scikit-learn finds."""
    kind = draw(st.sampled_from(("regressor", "classifier")))
    losses_ = ("squared_error", "poisson", "gamma") if kind == "regressor" else ("log_loss",)
    table = draw(friendly(kind))
    parameters = {"loss": draw(st.sampled_from(losses_))}
    for name in ("alpha", "scale_penalty", "precondition"):
        if draw(st.booleans()):
            parameters[name] = draw(st.sampled_from(NEAR_DEFAULTS[name]))
    if parameters["loss"] != "squared_error":
        table["columns"] = 0 if kind == "regressor" else table["columns"]
    table["container"] = draw(st.sampled_from(("dense", "csr")))
    table["dtype"] = draw(st.sampled_from(("float64", "float32")))
    return Case(kind, Table(**table), parameters)
