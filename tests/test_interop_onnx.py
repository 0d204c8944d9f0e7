"""Models as ONNX graphs: onnxruntime predicts what the estimator predicts."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.assertions import naming
from sk_gd import GDClassifier, GDRegressor, losses, optimizers
from sk_gd.losses import Loss

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import sk_gd.onnx  # noqa: E402

X, Y = load_diabetes(return_X_y=True)
# Raw data of very different units, two classes and three.
DATA = {
    "binary": load_breast_cancer(return_X_y=True),
    "softmax": load_iris(return_X_y=True),
}
NAMES = np.array(["one", "other", "third"])
QUICK = {"max_iter": 20, "tol": None, "random_state": 0}
TYPES = ["float32", "float64"]
# Rounding to float32 has an error of half a unit in the last place.
ROUNDING = {"float32": np.finfo(np.float32).eps / 2, "float64": 1e-13}


@pytest.fixture(autouse=True)
def registered():
    sk_gd.onnx.register()


def convert(model, data, **options):
    """An onnxruntime session for the model."""
    graph = skl2onnx.to_onnx(model, data[:1], options={id(model): options} if options else None)
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def run(model, data, **options):
    return convert(model, data, **options).run(None, {"X": data})


def assert_same_classes(model, data, found, expected):
    labels, values = found
    np.testing.assert_array_equal(labels, model.predict(data))
    assert values.dtype == data.dtype
    atol = ROUNDING[data.dtype.name] * max(1, np.abs(expected).max())
    np.testing.assert_allclose(values, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": optimizers.Adam(beta_1=0.8), "precondition": None},
        {"precondition": "whiten"},
        {"fit_intercept": False},
        {"optimizer": "sgd", "alpha": 0.1, "l1_ratio": 1.0},
    ],
    ids=["default", "optimizer, raw", "whiten", "no intercept", "lasso"],
)
def test_probabilities(settings, kind, dtype):
    data, y = DATA[kind]
    model = GDClassifier(**settings, **QUICK).fit(data, NAMES[y])
    data = data.astype(dtype)
    expected = model.predict_proba(data)
    assert_same_classes(model, data, run(model, data, zipmap=False), expected)


@pytest.mark.parametrize("kind", DATA)
def test_small_probabilities_are_not_lost(kind):
    data, y = DATA[kind]
    model = GDClassifier("lbfgs", alpha=0, precondition="whiten", max_iter=100, tol=None)
    model.fit(data, y)
    _, found = run(model, 3 * data, zipmap=False)
    expected = model.predict_log_proba(3 * data)
    seen = found > 0
    assert found[seen].min() < 1e-100
    np.testing.assert_allclose(np.log(found[seen]), expected[seen], rtol=1e-10, atol=1e-14)
    assert np.all(expected[~seen] < np.log(np.finfo(float).tiny))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("loss", [*losses.names("classifier"), losses.ModifiedHuber()])
def test_labels_and_scores(loss, kind, dtype):
    """A loss without probabilities gives scores even without raw_scores."""
    data, y = DATA[kind]
    model = GDClassifier(loss=loss, **QUICK).fit(data, y)
    data = data.astype(dtype)
    scores = model.decision_function(data)
    expected = np.column_stack([-scores, scores]) if kind == "binary" else scores
    found = run(model, data, zipmap=False, raw_scores=True)
    assert_same_classes(model, data, found, expected)
    if not hasattr(model, "predict_proba"):
        assert_same_classes(model, data, run(model, data, zipmap=False), expected)
    elif kind == "binary" or loss == "log_loss":
        expected = model.predict_proba(data)
        assert_same_classes(model, data, run(model, data, zipmap=False), expected)


@pytest.mark.parametrize(
    "labels, kept",
    [
        ([3, -5, 2**40], [3, -5, 2**40]),
        ([True, False], [1, 0]),
        ([2.0, 1.0, 7.0], [2, 1, 7]),
        (["ü", "b", "a"], ["ü", "b", "a"]),
        (np.array(["long label", "b", ""], dtype=object), ["long label", "b", ""]),
    ],
    ids=["int", "bool", "float", "text", "object"],
)
def test_labels_of_every_kind(labels, kept):
    data, y = DATA["softmax"]
    rows = y < len(labels)
    model = GDClassifier(**QUICK).fit(data[rows], np.asarray(labels)[y[rows]])
    found, _ = run(model, data, zipmap=False)
    index = {label: i for i, label in enumerate(np.asarray(labels).tolist())}
    expected = [kept[index[label]] for label in model.predict(data).tolist()]
    assert found.tolist() == expected


def test_options():
    data, y = DATA["softmax"]
    data = data.astype(np.float32)
    model = GDClassifier(**QUICK).fit(data, NAMES[y])
    p = model.predict_proba(data)

    labels, dicts = run(model, data)  # as skl2onnx does by default
    assert set(dicts[0]) == set(NAMES)
    np.testing.assert_allclose([[row[c] for c in model.classes_] for row in dicts], p, atol=1e-6)

    labels, *columns = run(model, data, zipmap="columns")
    np.testing.assert_allclose(np.column_stack(columns), p, atol=1e-6)
    np.testing.assert_array_equal(labels, model.predict(data))

    labels, found, classes = run(model, data, zipmap=False, output_class_labels=True)
    assert classes.tolist() == model.classes_.tolist()
    np.testing.assert_allclose(found, p, atol=1e-6)

    labels, found = run(model, data, zipmap=False, nocl=True)
    np.testing.assert_array_equal(labels, p.argmax(axis=1))
    np.testing.assert_allclose(found, p, atol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("y", [Y, Y[:, None], np.c_[Y, Y[::-1]]], ids=["1-D", "one column", "two"])
@pytest.mark.parametrize("loss", losses.names("regressor"))
def test_regression(loss, y, dtype):
    model = GDRegressor(optimizers.Nesterov(), loss=loss, **QUICK).fit(X, y)
    data = X.astype(dtype)
    (found,) = run(model, data)
    expected = model.predict(data).reshape(len(X), -1)
    assert found.shape == expected.shape and found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=ROUNDING[dtype])


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
@pytest.mark.parametrize("dtype", TYPES)
def test_the_link_does_not_overflow(loss, dtype):
    model = GDRegressor(loss=loss, **QUICK).fit(X.astype(dtype), Y)
    far = (1e6 * X).astype(dtype)
    (found,) = run(model, far)
    expected = model.predict(far)
    assert np.all(np.isfinite(expected)) and expected.max() > np.finfo(dtype).max / 1e3
    np.testing.assert_allclose(found.max(), expected.max(), rtol=1e-6)


def test_raw_data_of_single_precision():
    """The graph does not lose digits by cancellation in float32."""
    data = (load_breast_cancer().data + 1e4).astype(np.float32)
    model = GDClassifier(**QUICK).fit(data.astype(float), DATA["binary"][1])
    assert_same_classes(model, data, run(model, data, zipmap=False), model.predict_proba(data))


def test_integers():
    data = load_breast_cancer().data.astype(np.int64)
    model = GDClassifier(**QUICK).fit(data, DATA["binary"][1])
    labels, p = run(model, data, zipmap=False)
    np.testing.assert_array_equal(labels, model.predict(data))
    np.testing.assert_allclose(p, model.predict_proba(data), atol=1e-6)


def test_sparse_coefficients():
    settings = {"alpha": 0.05, "l1_ratio": 1.0, **QUICK}
    data, y = DATA["softmax"]
    classifier = GDClassifier("adam", **settings).fit(data, y).sparsify()
    assert_same_classes(
        classifier, data, run(classifier, data, zipmap=False), classifier.predict_proba(data)
    )
    regressor = GDRegressor("adam", **settings).fit(X, Y).sparsify()
    np.testing.assert_allclose(run(regressor, X)[0][:, 0], regressor.predict(X), rtol=1e-13)


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize(
    "around",
    [
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=3),
        lambda model: CalibratedClassifierCV(model, cv=3),
        lambda model: CalibratedClassifierCV(clone(model).set_params(loss="hinge"), cv=3),
        lambda model: StackingClassifier([("a", model)], model, cv=3),
        OneVsRestClassifier,
    ],
    ids=["pipeline", "grid", "calibrated", "calibrated hinge", "stacking", "one versus rest"],
)
def test_inside_others(around, kind):
    data, y = DATA[kind]
    data = data.astype(np.float32)
    model = around(GDClassifier("adam", **QUICK)).fit(data.astype(float), NAMES[y])
    labels, p = run(model, data, zipmap=False)
    np.testing.assert_array_equal(labels, model.predict(data))
    np.testing.assert_allclose(p, model.predict_proba(data), atol=1e-6)


def test_regressor_in_a_pipeline():
    model = make_pipeline(StandardScaler(), GDRegressor(loss="poisson", **QUICK)).fit(X, Y)
    (found,) = run(model, X.astype(np.float32))
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=1e-5)


class Cubic(Loss):
    """A loss with a user's link."""

    kinds = ("regressor",)

    def value(self, y, p):
        return 0.5 * (y - p) ** 2

    def gradient(self, y, p):
        return p - y

    def response(self, p):
        return p**3


class Straight(Cubic):
    """A loss without a link."""

    response = Loss.response


class Half(losses.LogLoss):
    """A loss with a user's probabilities."""

    def probabilities(self, scores):
        return np.full((len(scores), 2), 0.5)


def test_what_there_is_no_graph_for():
    """There is an error, never a wrong number."""
    model = GDRegressor(loss=Cubic(), **QUICK).fit(X, Y)
    with pytest.raises(NotImplementedError, match=naming("response", "Cubic()")):
        run(model, X)
    model = GDRegressor(loss=Straight(), **QUICK).fit(X, Y)
    np.testing.assert_allclose(run(model, X)[0][:, 0], model.predict(X), rtol=1e-13)

    data, y = DATA["softmax"]
    model = GDClassifier(loss="modified_huber", **QUICK).fit(data, y)
    with pytest.raises(
        NotImplementedError, match=naming("probabilities", "ModifiedHuber()", "raw_scores")
    ):
        run(model, data, zipmap=False)
    model = GDClassifier(loss=Half(), **QUICK).fit(data, y == 0)
    with pytest.raises(NotImplementedError, match=naming("probabilities", "Half()", "raw_scores")):
        run(model, data, zipmap=False)
    labels, _ = run(model, data, zipmap=False, raw_scores=True)
    np.testing.assert_array_equal(labels, model.predict(data))


def test_the_example():
    results = doctest.testmod(sk_gd.onnx)
    assert results.attempted > 0 and results.failed == 0


def test_registering_twice_changes_nothing():
    sk_gd.onnx.register()
    model = GDRegressor(**QUICK).fit(X, Y)
    np.testing.assert_allclose(run(model, X)[0][:, 0], model.predict(X), rtol=1e-13)


def test_without_skl2onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=naming("skl2onnx", "[interop]")):
        sk_gd.onnx.register()


def test_nothing_is_registered_unasked():
    code = """
import numpy as np, skl2onnx, sk_gd.onnx
model = sk_gd.GDRegressor(tol=None, max_iter=1).fit(np.eye(2), [0, 1])
try:
    skl2onnx.to_onnx(model, np.eye(2))
except skl2onnx.common.exceptions.MissingShapeCalculator:
    print("unknown")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "unknown\n", done.stderr


def test_not_fitted():
    sk_gd.onnx.register()
    with pytest.raises(NotFittedError):
        skl2onnx.to_onnx(GDRegressor(), X[:1])
