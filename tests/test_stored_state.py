"""What is loaded is checked: a damaged model is refused, or works; nothing crashes."""

import copy
import pickle
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes, load_iris

import sk_gd.skops
from helpers.assertions import assert_goes_on, reloaded
from helpers.runs import run_of
from sk_gd import GDClassifier, GDRegressor, optimizers
from sk_gd.losses import Huber, LogLoss, Loss
from sk_gd.optimizers import Optimizer

X, Y = load_diabetes(return_X_y=True)
IRIS, SPECIES = load_iris(return_X_y=True)
QUICK = {"max_iter": 2, "tol": None, "random_state": 0}
MODELS = {
    "whitened": lambda: GDRegressor("lbfgs", loss="huber", precondition="whiten", **QUICK),
    "hessian": lambda: GDClassifier(
        optimizers.LBFGS(hessian=True), **{**QUICK, "alpha": 1e-6, "max_iter": 20}
    ),
    "averaged": lambda: GDRegressor(
        "adam", average=True, early_stopping=True, batch_size=50, **QUICK
    ),
    "classes": lambda: GDClassifier("random_search", **QUICK),
    "sparse": lambda: GDClassifier("nesterov", batch_size=8, **QUICK),
}


def data_of(name):
    if name == "sparse":
        return sp.csr_matrix(IRIS * (IRIS > 2)), SPECIES
    return (IRIS, SPECIES) if name in ("classes", "hessian") else (X, Y)


def leaves(state, path=()):
    """The paths to all that is stored, from the outside to the inside."""
    for key, value in state.items() if isinstance(state, dict) else enumerate(state):
        yield *path, key
        if isinstance(value, (dict, tuple)):
            yield from leaves(value, (*path, key))


def corrupted(state, path, change):
    """A copy of a stored state in which `change` has been applied to what is at `path`."""
    if not path:
        return change(state)
    if isinstance(state, tuple):
        return tuple(
            corrupted(each, path[1:], change) if i == path[0] else each
            for i, each in enumerate(state)
        )
    return {
        key: corrupted(each, path[1:], change) if key == path[0] else each
        for key, each in state.items()
    }


def changes(value):
    """Other values in place of one that was stored."""
    yield from (None, "text", -3, 7, 10**30, float("nan"), [], {}, np.zeros(3), np.zeros((2, 2)))
    if isinstance(value, np.ndarray):
        yield from (value[:-1].copy(), np.concatenate([value, value]), value.astype(np.float32))
        yield from (value[None], value.astype(object), np.full_like(value, 1e3), value[:0])
        yield np.full_like(value, -5)
    if isinstance(value, list):
        yield from (value[:-1], value * 2, [str(each) for each in value])


def with_state(model, run_state):
    """The model, as if its file had this state of the run."""
    twin = copy.copy(model)
    run = type(run_of(model)).__new__(type(run_of(model)))
    run.__setstate__(run_state)
    twin._run = run
    return twin


def assert_works(model, X, y):
    """Predictions and all ways to train on, or errors of this package."""
    model.predict(X)
    for train in (
        copy.deepcopy(model).partial_fit,
        copy.deepcopy(model).set_params(early_stopping=False).partial_fit,
        copy.deepcopy(model).set_params(warm_start=True).fit,
        copy.deepcopy(model).fit,
    ):
        try:
            train(X, y)
        except ValueError as error:
            assert any(word in str(error) for word in ("Got", "diverged"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_a_damaged_run_is_refused_or_works(name):
    data = data_of(name)
    model = MODELS[name]().fit(*data)
    state = run_of(model).__getstate__()
    refused = 0
    for path in leaves(state):
        value = state
        for key in path:
            value = value[key]
        for new in changes(value):
            try:
                twin = with_state(model, corrupted(state, path, lambda _, new=new: new))
            except ValueError as error:
                assert "This model cannot be loaded. It was stored by" in str(error)
                refused += 1
            else:
                if isinstance(value, np.ndarray) and isinstance(new, np.ndarray):
                    assert new.shape == value.shape
                assert_works(twin, *data)
    assert refused > 300


@pytest.mark.parametrize("name", MODELS)
def test_what_is_missing_or_unknown_is_refused(name):
    model = MODELS[name]().fit(*data_of(name))
    state = run_of(model).__getstate__()
    for path in leaves(state):
        if isinstance(path[-1], str) and path != ("version",):
            *above, key = path
            without = corrupted(
                state, above, lambda part, key=key: {k: v for k, v in part.items() if k != key}
            )
            with pytest.raises(ValueError, match="cannot be loaded"):
                with_state(model, without)
    with pytest.raises(ValueError, match="cannot be loaded.*by an earlier version"):
        with_state(model, {})
    with pytest.raises(ValueError, match=r"by version 0.0.7 .* this is version \d.*unheard"):
        with_state(model, {**state, "version": "0.0.7", "unheard": 1})


def test_the_generator_must_be_one_whose_state_numpy_checks():
    model = MODELS["averaged"]().fit(X, Y)
    state = run_of(model).__getstate__()
    state["generator"] = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(ValueError, match="PCG64"):
        with_state(model, state)


@pytest.mark.filterwarnings("ignore:max_iter:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["max_iter", "n_iter_no_change", "average"])
def test_counts_that_are_as_good_as_infinite(name):
    """Parameters without an upper limit: what can be fitted can be loaded."""
    settings = {"optimizer": "adam", "batch_size": 50, "max_iter": 40, "tol": 0.1}
    settings["n_iter_no_change"] = 2
    model = GDRegressor(**{**settings, name: sys.maxsize}).fit(X, Y)
    assert_goes_on(model, reloaded(model), X, Y)


def lane_of_three_weights(state):
    return {**state, "lane": {**state["lane"], "w": np.zeros(3)}}


@pytest.mark.parametrize("form", ["pickle", "skops"])
def test_files(form, monkeypatch):
    model = MODELS["averaged"]().fit(X, Y)
    kind = type(run_of(model))
    original = kind.__getstate__
    with monkeypatch.context() as patch:
        patch.setattr(kind, "__getstate__", lambda run: lane_of_three_weights(original(run)))
        if form == "pickle":
            file, load = pickle.dumps(model), pickle.loads
        else:
            io = pytest.importorskip("skops.io")
            file = io.dumps(model)

            def load(file):
                return io.loads(file, trusted=sk_gd.skops.trusted_types())

    with pytest.raises(ValueError, match=r"'w'\] must be a finite array of float64 of shape \(11,"):
        load(file)


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("coef_", [None, "text", np.zeros(3), np.zeros((2, 10)), np.zeros(10, dtype=object)]),
        ("intercept_", [None, "text", np.zeros(3)]),
        ("n_features_in_", [None, "text", 7, -1]),
        ("_run", ["text", {}]),
    ],
)
def test_damaged_attributes_of_a_regressor(attribute, values):
    model = MODELS["averaged"]().fit(X, Y)
    for value in values:
        state = {**model.__getstate__(), attribute: value}
        with pytest.raises(ValueError, match="cannot be loaded"):
            GDRegressor.__new__(GDRegressor).__setstate__(state)


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("coef_", [None, np.zeros(4), np.zeros((3, 3)), np.zeros((2, 4))]),
        ("intercept_", [None, 1.0, np.zeros(2)]),
        ("classes_", [None, "text", np.arange(2), np.zeros((3, 1))]),
    ],
)
def test_damaged_attributes_of_a_classifier(attribute, values):
    model = MODELS["classes"]().fit(IRIS, SPECIES)
    for value in values:
        state = {**model.__getstate__(), attribute: value}
        with pytest.raises(ValueError, match="cannot be loaded"):
            GDClassifier.__new__(GDClassifier).__setstate__(state)


@pytest.mark.parametrize("attribute", ["coef_", "intercept_", "classes_"])
def test_missing_attributes(attribute):
    state = MODELS["classes"]().fit(IRIS, SPECIES).__getstate__()
    del state[attribute]
    with pytest.raises(ValueError, match=f"cannot be loaded.*{attribute} is missing"):
        GDClassifier.__new__(GDClassifier).__setstate__(state)


def test_the_run_of_another_model():
    """It would be trained on with arrays of other lengths."""
    state, other = (MODELS["averaged"]().fit(X[:, :d], Y).__getstate__() for d in (10, 9))
    with pytest.raises(ValueError, match="coef_ must be of the shape that the run has"):
        GDRegressor.__new__(GDRegressor).__setstate__(state | {"_run": other["_run"]})


def test_a_damaged_sparse_matrix_of_coefficients():
    model = MODELS["classes"]().fit(IRIS, SPECIES).sparsify()
    assert pickle.loads(pickle.dumps(model)).predict(IRIS).shape == SPECIES.shape
    whole = model.coef_
    model.coef_ = whole[:, :3]
    with pytest.raises(ValueError, match="cannot be loaded"):
        pickle.loads(pickle.dumps(model))
    model.coef_ = whole
    model.coef_.indices[0] = 10**6
    with pytest.raises(ValueError, match="cannot be loaded"):
        pickle.loads(pickle.dumps(model))


# What users write is checked, too.


@pytest.mark.parametrize("attribute", ["indices", "indptr"])
@pytest.mark.parametrize("wrong", [-1, 10**6])
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array])
def test_entries_outside_a_sparse_matrix(container, wrong, attribute):
    features = container(IRIS)
    getattr(features, attribute)[2] = wrong
    for model in (MODELS["sparse"](), GDClassifier(**QUICK)):
        with pytest.raises(ValueError, match="indices fit its shape"):
            model.fit(features, SPECIES)


class Short(Loss):
    kinds = ("regressor",)

    def __init__(self, method="units", answer=None):
        self.method = method
        self.answer = answer

    def value(self, y, p):
        return (y - p) ** 2

    def gradient(self, y, p):
        return 2 * (p - y)

    def units(self, targets=None):
        return self.answer if self.method == "units" else super().units(targets)

    def curvature(self, n_outputs, targets=None):
        return self.answer if self.method == "curvature" else 2.0


one, three = np.ones(1), np.ones(3)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("units", (one, one, one)),
        ("units", (three, three, 1.0)),
        ("units", (three, three)),
        ("units", (three, three, np.array(["a"] * 3))),
        ("units", 3.0),
        ("curvature", np.ones(2)),
        ("curvature", "much"),
    ],
)
@pytest.mark.parametrize("precondition", ["standardize", None])
def test_a_loss_with_short_units(precondition, method, answer):
    model = GDRegressor("adam", loss=Short(method, answer), precondition=precondition, **QUICK)
    with pytest.raises(ValueError, match=rf"Short\.\w*{method} must return"):
        model.fit(X, np.c_[Y, Y, Y])


def test_a_loss_of_numbers_for_classes_and_the_other_way_round():
    class Classes(Huber):
        kinds = ("classifier",)

    class Numbers(LogLoss):
        kinds = ("regressor",)

    with pytest.raises(ValueError, match="needs a target for every output"):
        GDClassifier("adam", loss=Classes(), precondition=None, **QUICK).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="needs the indices of 3 classes"):
        GDRegressor("adam", loss=Numbers(), precondition=None, alpha=0, **QUICK).fit(
            X, np.c_[Y, Y, Y]
        )


def test_a_kernel_is_given_arrays_that_belong_together():
    kernel = LogLoss().kernel(3)
    p, weight = np.zeros((3, 5)), np.ones(5)
    for targets, weights in (
        (np.zeros((1, 4)), weight),
        (np.zeros((1, 5)), np.ones(4)),
        (np.full((1, 5), 3.0), weight),
        (np.full((1, 5), np.nan), weight),
        (np.full((1, 5), -1.0), weight),
    ):
        with pytest.raises(ValueError, match="need"):
            kernel.total(targets, p, weights)
    with pytest.raises(ValueError, match="need"):
        kernel.total(np.zeros((1, 0)), np.zeros((3, 0)), np.zeros(0))


class Own(Optimizer):
    default_rate = 0.01

    def __init__(self, how=None):
        self.how = how

    def init(self, w):
        return [1] if self.how == "state" else {"n": len(w)}

    def step(self, w, g, lr, state):
        assert w.shape == g.shape == (state["n"],)
        w -= lr * g
        if self.how == "shape":
            w.shape = (-1, 1)
            g.shape = (-1, 1)

    def rule(self, n):
        if self.how == "length":
            return optimizers.Adam().rule(n - 1)
        if self.how == "no rule":
            return 3
        return super().rule(n)


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")  # by numpy 2.5
def test_an_optimizer_that_changes_the_shapes_of_its_arrays():
    changed, model = (GDRegressor(Own(how), **QUICK).fit(X, Y) for how in ("shape", None))
    np.testing.assert_array_equal(changed.coef_, model.coef_)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("state", TypeError, "which init returns, must be a dict"),
        ("length", ValueError, "must make a rule of n weights"),
    ],
)
def test_an_optimizer_whose_rule_does_not_fit(how, error, message):
    with pytest.raises(error, match=message):
        GDRegressor(Own(how), **QUICK).fit(X, Y)


@pytest.mark.parametrize("attribute", ["w", "average"])
def test_a_run_that_was_changed_in_memory(attribute):
    model = MODELS["averaged"]().fit(X, Y)
    setattr(run_of(model).lane, attribute, np.zeros(3))
    with pytest.raises(ValueError):
        model.set_params(early_stopping=False).partial_fit(X, Y)
