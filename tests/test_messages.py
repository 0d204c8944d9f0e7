"""Who comes from another package is told what to write here."""

import ast
import inspect
import math
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from sklearn.datasets import load_diabetes

from helpers.project import ROOT
from sk_gd import GDClassifier, GDRegressor, losses, optimizers, schedules
from sk_gd.callbacks import Checkpoint
from sk_gd.parameters import closest

X, TARGET = load_diabetes(return_X_y=True)
LABELS = (TARGET > 140).astype(int)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("eta0", "learning_rate=0.1"),
        ("lr", "learning_rate=0.1"),
        ("penalty", "l1_ratio=1 is L1"),
        ("C", r"alpha=1 / \(C \* n_samples\)"),
        ("n_jobs", "GDGridSearchCV has n_jobs"),
        ("solver", "optimizer='lbfgs'"),
        ("momentum", "optimizers.Momentum"),
        ("epochs", "max_iter"),
    ],
)
@pytest.mark.parametrize("make", [GDClassifier, GDRegressor])
def test_parameters_of_other_packages(make, name, words):
    with pytest.raises(TypeError, match=f"{make.__name__} has no parameter {name!r}: .*{words}"):
        make(**{name: 1})
    with pytest.raises(TypeError, match=words):
        make().set_params(**{name: 1})


@pytest.mark.parametrize(
    ("make", "name", "meant"),
    [
        (GDClassifier, "optimiser", "optimizer"),
        (GDRegressor, "l1_ration", "l1_ratio"),
        (optimizers.Adam, "beta1", "beta_1"),
        (losses.Quantile, "quantil", "quantile"),
        (schedules.Cosine, "finall", "final"),
    ],
)
def test_mistyped_parameters(make, name, meant):
    words = rf"{make.__name__} has no parameter '{name}'\. Did you mean '{meant}'\? It has .*"
    with pytest.raises(TypeError, match=words + repr(meant)):
        make(**{name: 1})


@pytest.mark.parametrize(("args", "named"), [((0.9,), {}), ((), {"momentum": 0.9})])
def test_values_for_an_optimizer_without_parameters(args, named):
    """Python would ignore them, for a class without ``__init__``."""
    with pytest.raises(TypeError, match=r"SGD has no parameter.*(0\.9|'momentum')"):
        optimizers.SGD(*args, **named)


class Plain(optimizers.Optimizer):
    def step(self, w, g, lr, state):
        w -= lr * g


def test_an_own_optimizer_without_parameters():
    with pytest.raises(TypeError, match=r"Plain has no parameter 'speed'\. It has none\."):
        Plain(speed=0.9)


def test_names_of_another_kind_of_estimator():
    with pytest.raises(ValueError, match="kind must be 'regressor' or 'classifier'. Got 'classif"):
        losses.names("classification")


class WithRate(optimizers.Optimizer):
    """An optimizer whose own parameter has a name that is a hint for others."""

    def __init__(self, lr=0.1):
        self.lr = lr


@pytest.mark.parametrize(
    "make",
    [optimizers.SGD, optimizers.Adam, losses.Hinge, losses.Huber, schedules.Cosine, WithRate],
)
def test_signatures_list_the_parameters(make):
    """Those that help and editors show."""
    assert list(inspect.signature(make).parameters) == sorted(make._get_param_names())


def test_signature_of_an_optimizer_as_a_function():
    assert list(inspect.signature(optimizers.Adam()).parameters)[:2] == ["fun", "x0"]


class HandsOn(GDClassifier):
    """A subclass whose own parameters nobody lists."""

    def __init__(self, **parameters):
        super().__init__(**parameters)


def test_names_that_are_handed_on():
    assert HandsOn(alpha=3).alpha == 3


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (GDRegressor(loss="mse"), "'mse': write 'squared_error'"),
        (GDClassifier(loss="cross_entropy"), "'cross_entropy': write 'log_loss'"),
        (GDRegressor(loss="cross_entropy"), "one of 'squared_error'"),
        (GDClassifier("nag"), "'nag': write 'nesterov'"),
        (GDClassifier("newton-cg"), "'lbfgs'.*precondition='whiten'"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value),
)
def test_names_of_other_packages(model, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X, LABELS)


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_a_loss_in_the_place_of_the_optimizer(loss):
    with pytest.raises(ValueError, match=f"write loss='{loss}'") as raised:
        GDClassifier(loss).fit(X, LABELS)
    assert len(str(raised.value)) < 150  # no list of all optimizers


@pytest.mark.parametrize(("name", "words"), [("optimal", "inverse_time"), ("adaptive", "plateau")])
def test_schedules_of_sgd(name, words):
    with pytest.raises(ValueError, match=words):
        GDClassifier(schedule=name).fit(X, LABELS)


@pytest.mark.parametrize(
    ("make", "parameters", "words"),
    [
        (optimizers.Adam, {"lr": 0.1}, r"GDClassifier\(optimizers.Adam\(\), learning_rate=0.1\)"),
        (optimizers.Adam, {"betas": (0.9, 0.999)}, "beta_1"),
        (optimizers.SGD, {"momentum": 0.9, "nesterov": True}, "Nesterov"),
    ],
)
def test_parameters_of_torch_optimizers(make, parameters, words):
    with pytest.raises(TypeError, match=words):
        make(**parameters)


def test_own_parameters_are_allowed():
    assert WithRate(lr=0.5).lr == 0.5


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("adma", "adam"),
        ("Adam", "adam"),
        ("nesterof", "nesterov"),
        ("LBFGS", "lbfgs"),
        ("cocob_", "cocob"),
        ("barz", "barzilai_borwein"),
        ("ada", "adam"),
        ("zzz", None),
    ],
)
def test_the_closest_name(word, meant):
    assert closest(word, optimizers.names()) == meant


def test_a_schedule_that_compares_times_as_one_number():
    model = GDRegressor("sgd", schedule=lambda e, horizon: 0.1 if e > 5 else 1.0)
    with pytest.raises(ValueError, match=r"np.where\(epochs > 5"):
        model.fit(X, TARGET)


def test_a_schedule_that_takes_times_as_one_number():
    model = GDRegressor("sgd", schedule=lambda e, horizon: 1 + math.cos(math.pi * e / horizon))
    with pytest.raises(ValueError, match=r"array of times.*math\.cos.*np\.cos"):
        model.fit(X, TARGET)


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_other_errors_of_a_schedule_stay(kind):
    def wrong(epochs, horizon):
        raise kind("mine")

    with pytest.raises(kind, match="^mine$"):
        GDRegressor("sgd", schedule=wrong).fit(X, TARGET)


def test_a_scoring_that_is_cut_short():
    with pytest.raises(ValueError, match="'acc'. Did you mean 'accuracy'?"):
        GDClassifier(scoring="acc", early_stopping=True).fit(X, LABELS)


class Dividing(optimizers.Optimizer):
    """Divides by the gradient, which is zero for the intercept of centred data."""

    def step(self, w, g, lr, state):
        with np.errstate(invalid="ignore", divide="ignore"):
            w -= lr * g / np.abs(g)


def test_nan_of_an_own_step_is_not_blamed_on_the_rate():
    X = np.column_stack([np.arange(4.0), [1.0, -1.0, -1.0, 1.0]])
    model = GDRegressor(Dividing(), batch_size="full", learning_rate=0.1)
    with pytest.raises(ValueError, match=r"The first Dividing.step has made NaN"):
        model.fit(X, [0.0, 1.0, 2.0, 3.0])


class Root(losses.Loss):
    """The root of the error, whose derivative 0 / 0 is not known at zero."""

    kinds = ("regressor",)

    def value(self, y, p):
        return np.sqrt(np.abs(p - y))

    def gradient(self, y, p):
        with np.errstate(invalid="ignore"):
            return (p - y) / (2 * np.abs(p - y) ** 1.5)


class LogOfError(Root):
    """A loss that is not known for targets above the predictions."""

    def value(self, y, p):
        with np.errstate(invalid="ignore"):
            return np.log1p(p - y)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Root(), r"Root\.gradient must return numbers\. Got NaN for the target 0\.0 and the predi"),
        (LogOfError(), r"LogOfError\.value must return numbers\. Got NaN"),
    ],
    ids=["gradient", "value"],
)
def test_nan_of_an_own_loss_is_not_blamed_on_the_rate(loss, words):
    model = GDRegressor("sgd", loss=loss, batch_size="full", precondition=None, learning_rate=0.1)
    with pytest.raises(ValueError, match=words):
        model.fit([[0.0], [1.0], [2.0]], [0.0, 5.0, 3.0])


def test_text_in_a_frame_is_reported_with_its_columns():
    frame = pd.DataFrame({"size": [1.0, 2.0], "colour": ["red", "blue"], "shape": ["a", "b"]})
    with pytest.raises(ValueError, match=re.escape("['colour', 'shape']")):
        GDClassifier().fit(frame, [0, 1])


def test_names_of_schedules_are_unchanged():
    assert not set(schedules.names()) & {"optimal", "adaptive"}


class Remembering(optimizers.Optimizer):
    """Keeps an array that the next step is given with other numbers."""

    def __init__(self, what="g", within=False):
        self.what = what
        self.within = within

    def step(self, w, g, lr, state):
        kept = {"w": w, "g": g}[self.what]
        state["last"] = [kept] if self.within else kept
        w -= lr * g


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("what", ["w", "g"])
def test_a_state_that_keeps_no_copy(what, within):
    words = rf"Remembering\.step keeps {what} itself in state\['last'\].*{what}\.copy\(\)"
    with pytest.raises(ValueError, match=words):
        GDRegressor(Remembering(what, within)).fit(X, TARGET)


class Forgetful(schedules.Schedule):
    """Changes itself, and returns nothing."""

    def multiplier(self, epochs, horizon):
        return np.ones_like(epochs)

    def after(self, losses):
        pass


@pytest.mark.parametrize("schedule", [Forgetful(), schedules.Warmup(then=Forgetful())], ids=repr)
def test_a_schedule_that_returns_no_schedule(schedule):
    words = r"Forgetful\.after must return the schedule.*Got None"
    with pytest.raises(TypeError, match=words):
        GDRegressor("sgd", schedule=schedule).fit(X, TARGET)
    with pytest.raises(TypeError, match=words):
        scipy.optimize.minimize(
            np.sum, [1.0], method=optimizers.Adam(), options={"schedule": schedule}
        )


class Exponential(losses.Loss):
    """A loss of two classes, whose probabilities are those of one."""

    kinds = ("classifier",)

    def value(self, y, p):
        return np.exp((1 - 2 * y) * p)

    def gradient(self, y, p):
        return (1 - 2 * y) * np.exp((1 - 2 * y) * p)

    def probabilities(self, scores):
        return 1 / (1 + np.exp(-2 * scores))


def test_a_loss_of_two_classes_for_three():
    with pytest.raises(ValueError, match=r"Exponential must work on more than two.*a column for"):
        GDClassifier(loss=Exponential()).fit(X, np.digitize(TARGET, [100, 200]))


def test_probabilities_of_one_class():
    model = GDClassifier(loss=Exponential()).fit(X, LABELS)
    words = r"Exponential\.{} must return an array of shape \(442, 2\).*shape \(442,\)"
    with pytest.raises(ValueError, match=words.format("probabilities")):
        model.predict_proba(X)
    with pytest.raises(ValueError, match=words.format("log_probabilities")):
        model.predict_log_proba(X)


@pytest.mark.parametrize("number", [-1.0, np.nan])
def test_a_curvature_that_is_none(number):
    class Bent(Exponential):
        def curvature(self, n_outputs, targets=None):
            return number

    with pytest.raises(ValueError, match=rf"Bent\.\w*curvature must .* at least 0. Got {number}"):
        GDClassifier(loss=Bent()).fit(X, LABELS)


@pytest.mark.parametrize(
    "content", [b"", b"hello", pickle.dumps({})], ids=["empty", "text", "dict"]
)
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="model must be a file that a Checkpoint has written"):
        Checkpoint(path).fit(GDRegressor(warm_start=True), X, TARGET)


def test_a_checkpoint_without_a_folder(tmp_path):
    """The error comes before the first epoch."""
    begun = []

    class Noting(optimizers.Optimizer):
        def step(self, w, g, lr, state):
            begun.append(lr)

    model = GDRegressor(Noting(), warm_start=True)
    with pytest.raises(FileNotFoundError, match=r"folder of the checkpoint .*there must exist"):
        Checkpoint(tmp_path / "not" / "there").fit(model, X, TARGET)
    assert not begun


def test_errors_can_be_printed_in_every_encoding():
    """Where it is ASCII, printing another character would be an error of its own."""
    for path in (ROOT / "sk_gd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise):
                text = ast.unparse(node)
                assert text.isascii(), f"{path.name}, line {node.lineno}: {text}"
