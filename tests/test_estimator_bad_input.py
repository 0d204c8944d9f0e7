"""Bad input raises an error that says what was given and what is allowed; nothing changes."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers.assertions import naming, state
from helpers.optimizers import Stumbling
from sk_gd import GDClassifier, GDRegressor, losses, optimizers, schedules
from sk_gd.estimators import validation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
TARGET = X @ [1.0, -2.0, 0.5] + 1.0
LABELS = (TARGET > 1.0).astype(int)
WEIGHT = RNG.uniform(0.5, 2.0, size=30)


def with_entry(array, value):
    """A copy of `array` with one bad entry."""
    array = np.array(array, dtype=np.result_type(array, type(value)))
    array.flat[1] = value
    return array


def target_of(make):
    return TARGET if make is GDRegressor else LABELS


def call(estimator, method, X, y, **arguments):
    if method == "partial_fit" and isinstance(estimator, GDClassifier):
        arguments.setdefault("classes", [0, 1])
    return getattr(estimator, method)(X, y, **arguments)


def assert_refused(estimator, method, words, X, y, error=ValueError, **arguments):
    """The call raises `error`, whose message has all `words`, and changes nothing."""
    before = state(estimator)
    with pytest.raises(error) as raised:
        call(estimator, method, X, y, **arguments)
    assert state(estimator) == before
    for word in words:
        assert re.search(word, str(raised.value)), f"{word!r} is not in {str(raised.value)!r}"


def prepared(make, fitted, **parameters):
    """An estimator with `parameters`, unfitted or fitted before they were set."""
    estimator = make(tol=None, max_iter=3, random_state=0)
    if fitted:
        estimator.fit(X, target_of(make), sample_weight=WEIGHT)
    return estimator.set_params(**parameters)


def root(epochs):
    """A schedule without the argument for the horizon."""
    return 1 / np.sqrt(1 + epochs)


# Parameter, bad value, and patterns that the message must have besides the name of the
# parameter: the value that was given, and the values that are allowed.
BAD_PARAMETERS = [
    ("optimizer", "adm", ["'adm'", "Did you mean 'adam'", "'sgd'"]),
    ("optimizer", "AdamW", ["Did you mean 'adamw'"]),
    ("optimizer", "L-BFGS", ["Did you mean 'lbfgs'"]),
    ("optimizer", optimizers.Adam, [r"Adam\(\)", "instance"]),
    ("optimizer", None, ["None", "Optimizer"]),
    ("optimizer", optimizers.Nesterov(1.5), ["momentum", r"1\.5", r"\[0, 1\)", "Nesterov"]),
    ("optimizer", optimizers.Nesterov("0.9"), ["momentum", r"'0\.9'", r"\[0, 1\)"]),
    ("optimizer", optimizers.Adam(beta_1=-0.1), ["beta_1", r"-0\.1", r"\[0, 1\)"]),
    ("optimizer", optimizers.Adam(beta_2=float("nan")), ["beta_2", "nan", r"\[0, 1\)"]),
    ("optimizer", optimizers.Adagrad(epsilon=-1), ["epsilon", "-1", r"\[0, inf\)"]),
    ("loss", "huge", ["'huge'", "'(huber|hinge)'"]),
    ("loss", losses.Huber, [r"Huber\(\)", "instance"]),
    ("schedule", "cosin", ["'cosin'", "Did you mean 'cosine'", "'constant'"]),
    ("schedule", schedules.Cosine, ["Cosine", "instance"]),
    ("schedule", root, [r"\(epochs\)", "horizon", "root"]),
    ("schedule", schedules.InverseTime("1"), ["decay", "'1'", "InverseTime"]),
    ("schedule", schedules.InverseTime(float("nan")), ["decay", "nan", "InverseTime"]),
    ("learning_rate", 0.0, [r"0\.0 instead", r"\(0\.0, inf\)"]),
    ("learning_rate", -1.0, [r"-1\.0 instead", r"\(0\.0, inf\)"]),
    ("learning_rate", float("inf"), ["inf instead", r"\(0\.0, inf\)"]),
    ("learning_rate", float("nan"), ["nan instead", r"\(0\.0, inf\)"]),
    ("learning_rate", "optimal", ["'optimal' instead", "'auto'", "'schedule'"]),
    ("alpha", -1.0, [r"-1\.0 instead", r"\[0\.0, inf\)"]),
    ("l1_ratio", 1.5, [r"1\.5 instead", r"\[0\.0, 1\.0\]"]),
    ("batch_size", 0, ["0 instead", r"\[1, inf\)"]),
    ("batch_size", 1.5, [r"1\.5 instead", r"\[1, inf\)"]),
    ("batch_size", "all", ["'all' instead", "'full'"]),
    ("max_iter", 0, ["0 instead", r"\[1, inf\)"]),
    ("tol", -1.0, [r"-1\.0 instead", r"\[0\.0, inf\)"]),
    ("tol", float("nan"), ["nan instead", r"\[0\.0, inf\)"]),
    ("n_iter_no_change", 0, ["0 instead", r"\[1, inf\)"]),
    ("validation_fraction", 1.0, [r"1\.0 instead", r"\(0\.0, 1\.0\)"]),
    ("average", 0, ["0 instead", r"\[1, inf\)"]),
    ("precondition", "scale", ["'scale' instead", "'standardize'"]),
    ("precondition", "standardise", ["'standardise' instead", "Did you mean 'standardize'"]),
    ("precondition", "none", ["'none' instead", "None without quotation marks"]),
    ("random_state", "zero", ["'zero' instead", "RandomState"]),
    ("fit_intercept", 1, ["1 instead", "bool"]),
]


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
@pytest.mark.parametrize(
    "name, value, words",
    BAD_PARAMETERS,
    ids=[f"{name}={getattr(value, '__name__', repr(value))}" for name, value, _ in BAD_PARAMETERS],
)
def test_bad_parameter(make, method, fitted, name, value, words):
    estimator = prepared(make, fitted, **{name: value})
    # For an instance, `words` has the name of its parameter.
    nested = isinstance(value, (optimizers.Optimizer, schedules.Schedule))
    words = words if nested else [f"'{name}' parameter", *words]
    kinds = (ValueError, TypeError)
    assert_refused(estimator, method, words, X, target_of(make), error=kinds)


@pytest.mark.parametrize(
    "name, value, module",
    [
        ("optimizer", "adam", optimizers),
        ("loss", "hinge", losses),
        ("schedule", "cosine", schedules),
    ],
)
def test_parameter_of_a_name(name, value, module):
    """A name has no parameters: the error asks for an instance."""
    estimator = GDClassifier(**{name: value})
    place = module.__name__.partition(".")[2]
    words = naming(f"'{name}__x'", f"{name}='{value}'", f"{place}.get('{value}')")
    with pytest.raises(ValueError, match=words):
        estimator.set_params(**{f"{name}__x": 1})
    estimator.set_params(**{name: module.get(value)})
    with pytest.raises(ValueError, match="'x'"):
        estimator.set_params(**{f"{name}__x": 1})


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "value, words",
    [
        ("auto", ["class_weight", "'auto' instead", "'balanced'"]),
        ({0: -1.0, 1: 1.0}, ["class_weight", r"-1\.0"]),
        ({0: float("nan"), 1: 1.0}, ["class_weight", "nan"]),
        ({0: 0.0, 1: 0.0}, ["class_weight", "(zero|positive)"]),
        ({7: 1.0, 8: 2.0}, ["class_weight", "0, 1"]),
    ],
    ids=["name", "negative", "NaN", "zero", "labels"],
)
def test_bad_class_weight(method, fitted, value, words):
    estimator = prepared(GDClassifier, fitted, class_weight=value)
    assert_refused(estimator, method, words, X, LABELS)


def test_partial_fit_refuses_balanced_class_weights():
    """As SGDClassifier does: the class frequencies of the whole stream are not known."""
    estimator = prepared(GDClassifier, False, class_weight="balanced")
    words = ["class_weight", "balanced", "partial_fit"]
    assert_refused(estimator, "partial_fit", words, X[LABELS == 0], LABELS[LABELS == 0])


@pytest.mark.parametrize("make, loss", [(GDRegressor, "hinge"), (GDClassifier, "squared_error")])
@pytest.mark.parametrize("as_instance", [False, True])
def test_loss_of_the_other_kind(make, loss, as_instance):
    allowed = losses.names("regressor" if make is GDRegressor else "classifier")
    estimator = prepared(make, False, loss=losses.get(loss) if as_instance else loss)
    given = type(losses.get(loss)).__name__ if as_instance else repr(loss)
    listed = ", ".join(map(repr, allowed))
    assert_refused(
        estimator, "fit", ["'loss' parameter", given, f"one of {listed}, or"], X, target_of(make)
    )


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
def test_whitening_refuses_the_lasso(make, method, fitted):
    estimator = prepared(make, fitted, precondition="whiten", l1_ratio=0.5)
    words = ["precondition='whiten'", r"l1_ratio must be 0\b", r"l1_ratio=0\.5"]
    assert_refused(estimator, method, words, X, target_of(make))


def test_whitening_refuses_very_many_features():
    wide = sp.eye_array(20_000, format="csr")[:4]
    estimator = GDRegressor(precondition="whiten")
    words = ["precondition='whiten'", "20000", "10000", "'standardize'"]
    assert_refused(estimator, "fit", words, wide, np.arange(4.0))


FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
DAYS = pd.date_range("2026-01-01", periods=30)

# What is wrong, the arguments, and patterns that the message must have.
MASKED = np.ma.array(X, mask=np.arange(X.size).reshape(X.shape) == 4)
BAD_DATA = [
    ("NaN in X", {"X": with_entry(X, np.nan)}, ["X", "NaN"]),
    ("infinity in X", {"X": with_entry(X, np.inf)}, ["X", "infinity"]),
    ("infinity in sparse X", {"X": sp.csr_array(with_entry(X, np.inf))}, ["X", "infinity"]),
    ("complex X", {"X": X + 1j}, ["Complex data not supported"]),
    (
        "text in X",
        {"X": np.char.add(X.astype(str), "m")},
        ["X must have numbers only", "text", r"0\.\d+m"],
    ),
    ("dates only", {"X": pd.DataFrame({"when": DAYS})}, ["X must have numbers", r"\['when'\]"]),
    (
        "dates with a zone only",
        {"X": pd.DataFrame({"when": DAYS.tz_localize("UTC")})},
        ["X must have numbers", r"\['when'\]"],
    ),
    ("an array of dates", {"X": DAYS.to_numpy()[:, None]}, ["X must have numbers", "datetime64"]),
    ("a list of dates", {"X": [[day] for day in DAYS.to_numpy()]}, ["X must", "datetime64"]),
    ("masked X", {"X": MASKED}, ["X must have no masked", "Got 1 of 90", r"X\.filled"]),
    ("masked weights", {"sample_weight": MASKED[:, 1]}, ["sample_weight must have no masked"]),
    ("dates in X", {"X": FRAME.assign(b=DAYS)}, ["X must have numbers only", r"columns \['b'\]"]),
    ("empty X", {"X": X[:0], "y": TARGET[:0]}, [r"0 sample\(s\)", "minimum of 1"]),
    ("no features", {"X": X[:, :0]}, [r"0 feature\(s\)", "minimum of 1"]),
    ("X of one dimension", {"X": X[:, 0]}, ["Expected 2D array", "1D array"]),
    ("X and y of different lengths", {"y": TARGET[:7]}, ["inconsistent", "30, 7"]),
    ("no y", {"y": None}, ["y"]),
    ("text in weights", {"sample_weight": "balanced"}, ["sample_weight", "numbers", "'balanced'"]),
    ("dates as weights", {"sample_weight": DAYS}, ["sample_weight must have numbers", "datetime"]),
    ("NaN in weights", {"sample_weight": with_entry(WEIGHT, np.nan)}, ["sample_weight", "NaN"]),
    ("infinite weight", {"sample_weight": with_entry(WEIGHT, np.inf)}, ["sample_weight", "inf"]),
    ("negative weight", {"sample_weight": with_entry(WEIGHT, -1.0)}, ["sample_weight", "Negative"]),
    ("all-zero weights", {"sample_weight": 0 * WEIGHT}, ["(?i)sample.weight", "non-zero"]),
    ("weights of another length", {"sample_weight": WEIGHT[:7]}, ["sample_weight", "7", "30"]),
]
BAD_TARGETS = [
    (GDRegressor, "NaN", with_entry(TARGET, np.nan), ["y", "NaN"]),
    (GDRegressor, "infinity", with_entry(TARGET, np.inf), ["y", "infinity"]),
    (GDRegressor, "complex", TARGET + 1j, ["Complex data not supported"]),
    (GDRegressor, "text", np.array(["a"] * 30), ["y must have numbers only", "'a'"]),
    (GDRegressor, "text objects", np.array(["a"] * 30, object), ["y must have numbers", "'a'"]),
    (GDRegressor, "text in a frame", pd.Series(["a"] * 30), ["y must have numbers", "'a'"]),
    (GDRegressor, "dates", DAYS, ["y must have numbers", "datetime64"]),
    (GDRegressor, "dates with a zone", DAYS.tz_localize("UTC"), ["y must have numbers", "Time"]),
    (GDRegressor, "masked", MASKED[:, 1], ["y must have no masked entries", "Got 1 of 30"]),
    (GDRegressor, "None", [None, *TARGET[1:]], ["y", "NaN"]),
    (GDClassifier, "NaN", with_entry(LABELS, np.nan), ["y", "NaN"]),
    (GDClassifier, "masked", np.ma.array(LABELS, mask=LABELS == 1), ["y must have no masked"]),
    (GDClassifier, "continuous", TARGET, ["Unknown label type", "continuous"]),
    (GDClassifier, "None", [None, "a"] * 15, ["y", "NoneType, str", "without a label"]),
    (GDClassifier, "objects", np.array([1, "a"] * 15, object), ["y", "int, str", "convert y"]),
    (GDClassifier, "two columns", np.c_[LABELS, LABELS], ["y", "1d"]),
]


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(
    "arguments, words", [row[1:] for row in BAD_DATA], ids=[row[0] for row in BAD_DATA]
)
def test_bad_data(make, method, fitted, arguments, words):
    arguments = {"X": X, "y": target_of(make), **arguments}
    assert_refused(prepared(make, fitted), method, words, **arguments)


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "make, y, words",
    [(make, y, words) for make, _, y, words in BAD_TARGETS],
    ids=[f"{make.__name__}-{name}" for make, name, _, _ in BAD_TARGETS],
)
def test_bad_targets(make, method, fitted, y, words):
    assert_refused(prepared(make, fitted), method, words, X, y)


@pytest.mark.parametrize("loss", sorted({"poisson", "gamma"} & set(losses.names("regressor"))))
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_targets_out_of_the_range_of_the_loss(loss, method):
    estimator = prepared(GDRegressor, False, loss=loss)
    counts = np.where(np.arange(30) == 3, -2.0, 1.0)
    assert_refused(estimator, method, ["y", loss, "-2"], X, counts)


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
def test_one_class_only(fitted):
    estimator = prepared(GDClassifier, fitted)
    words = [r"\by\b", "class", r"\[4\]"]
    assert_refused(estimator, "fit", words, X, np.full(30, 4))


ARRAYS = {
    "as they are": (X, TARGET),
    "single": (X.astype(np.float32), TARGET.astype(np.float32)),
    "labels": (X, LABELS),
    "booleans": (X, LABELS > 0),
    "strings": (X, np.array(["a", "b"])[LABELS]),
    "objects": (X, LABELS.astype(object)),
    "complex": (X + 0j, TARGET),
    "complex target": (X, TARGET + 0j),
    "integers": ((9 * X).astype(int), LABELS),
    "half": (X.astype(np.float16), TARGET.astype(np.float16)),
    "columns": (np.asfortranarray(X), TARGET),
    "steps": (X[::2], TARGET[::2]),
    "other byte order": (X.astype(">f8"), TARGET.astype(">f8")),
    "a column": (X, TARGET[:, None]),
    "flat": (X[:, 0], TARGET),
    "cube": (X[:, :, None], TARGET),
    "matrix": (np.ma.array(X), TARGET),
    "more targets": (X[:-1], TARGET),
    "no rows": (X[:0], TARGET[:0]),
    "no features": (X[:, :0], TARGET),
    "NaN": (with_entry(X, np.nan), TARGET),
    "infinite": (with_entry(X, np.inf), TARGET),
    "NaN in y": (X, with_entry(TARGET, np.nan)),
    "sums to infinity": (np.full((30, 3), 1e308), TARGET),
    "frozen": (np.frombuffer(X.tobytes()).reshape(X.shape), TARGET),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
@pytest.mark.parametrize(("X", "y"), ARRAYS.values(), ids=ARRAYS)
def test_arrays_that_are_valid_are_those_that_validation_returns(make, X, y, monkeypatch):
    """Nothing is skipped that would have changed an array, or raised an error."""

    def outcome():
        try:
            given = validation.Validator(make()).validate(X, y)
        except ValueError as error:
            return str(error)
        same = np.shares_memory(given.X, X), np.shares_memory(given.y, y)
        return same, given.X.dtype, given.y.dtype, given.X.tolist(), given.y.tolist()

    found = outcome()
    monkeypatch.setattr(validation, "_is_valid", lambda X, y: False)
    assert found == outcome()


def test_text_in_both_x_and_y():
    """X is reported first, as without the y."""
    text = np.array([["a"]] * 30, object)
    assert_refused(prepared(GDRegressor, False), "fit", ["X must have numbers"], text, text[:, 0])


def test_text_as_targets_of_sparse_rows():
    words = ["y must have numbers only", "'a'"]
    targets = np.array(["a"] * 30, object)
    assert_refused(prepared(GDRegressor, False), "fit", words, sp.csr_array(X), targets)


def test_sparse_targets():
    estimator = prepared(GDRegressor, False)
    words = ["y must be dense", "toarray"]
    assert_refused(estimator, "fit", words, X, sp.csr_array(np.c_[TARGET, TARGET]), error=TypeError)


@pytest.mark.parametrize(
    "bad, words",
    [
        (FRAME.assign(c="x"), r"columns \['c'\]"),
        (FRAME.assign(b=DAYS), r"columns \['b'\]"),
        (FRAME.assign(b=DAYS.tz_localize("UTC")), r"columns \['b'\]"),
        (FRAME.convert_dtypes().assign(b=DAYS), r"columns \['b'\]"),
        (FRAME.convert_dtypes().assign(c=pd.Categorical(["x", "y"] * 15)), r"columns \['c'\]"),
        (np.char.add(X.astype(str), "m"), "text"),
    ],
    ids=[
        "text in a frame",
        "dates in a frame",
        "dates with a time zone",
        "dates beside nullable numbers",
        "categories beside nullable numbers",
        "text",
    ],
)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_predictions_for_what_is_no_number(bad, words):
    model = prepared(GDRegressor, True)
    with pytest.raises(ValueError, match=f"X must have numbers only.*{words}"):
        model.predict(bad)


@pytest.mark.parametrize("bad", [[[DAYS[0]] * 3] * 30, [[{}] * 3] * 30, MASKED])
def test_objects_and_masks_are_reported_with_x(bad):
    for call in (prepared(GDRegressor, True).predict, lambda X: GDRegressor().fit(X, TARGET)):
        with pytest.raises((TypeError, ValueError), match="X must have (numbers only|no masked)"):
            call(bad)


@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
def test_wrong_number_of_features(make):
    estimator = prepared(make, True)
    words = [r"\b2\b", r"\b3\b", "features"]
    assert_refused(estimator, "partial_fit", words, X[:, :2], target_of(make))
    before = state(estimator)
    with pytest.raises(ValueError, match=naming("2", "3", "features")):
        estimator.predict(X[:, :2])
    assert state(estimator) == before


@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
def test_warm_start_with_another_number_of_features(make):
    estimator = prepared(make, True, warm_start=True)
    assert_refused(
        estimator, "fit", [r"\b3\b", r"\b2\b", "features", "warm_start"], X[:, :2], target_of(make)
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
def test_going_on_without_the_intercept(make, method):
    """A model with an intercept cannot continue without it."""
    estimator = prepared(make, True, warm_start=True, fit_intercept=False)
    assert_refused(estimator, method, ["fit_intercept", "False"], X, target_of(make))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_another_number_of_outputs(method):
    estimator = prepared(GDRegressor, True, warm_start=True)
    assert_refused(
        estimator, method, [r"\by\b", r"\b1\b", r"\b2\b", "outputs"], X, np.c_[TARGET, TARGET]
    )


def test_going_on_with_fewer_of_several_outputs():
    """Before the statistics, whose shapes do not fit together either."""
    estimator = GDRegressor(random_state=0).partial_fit(X, np.c_[TARGET, TARGET, TARGET])
    words = [r"\by\b", r"\b3\b", r"\b2\b", "outputs"]
    assert_refused(estimator, "partial_fit", words, X, np.c_[TARGET, TARGET])


class TestLabelsOfPartialFit:
    def test_first_call_needs_classes(self):
        words = ["classes", "None"]
        assert_refused(GDClassifier(), "partial_fit", words, X, LABELS, classes=None)

    @pytest.mark.parametrize("classes", [2, [0], {0, 1}], ids=["a number", "one", "a set"])
    def test_fewer_than_two_classes(self, classes):
        words = ["classes must be a list", "two", re.escape(repr(classes))]
        assert_refused(GDClassifier(), "partial_fit", words, X, LABELS, classes=classes)

    def test_classes_without_an_order(self):
        words = ["classes must be a list", "numbers", "text", "None"]
        y = np.where(LABELS, "a", "b")
        assert_refused(GDClassifier(), "partial_fit", words, X, y, classes=["a", "b", None])

    def test_other_classes_later(self):
        words = ["classes", r"\[0 1\]", r"\[0 1 2\]"]
        estimator = prepared(GDClassifier, True)
        assert_refused(estimator, "partial_fit", words, X, LABELS, classes=[0, 1, 2])

    @pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
    def test_unseen_label(self, fitted):
        words = ["y", r"\[0, 1\]", r"\[7\]"]
        labels = np.where(np.arange(30) == 3, 7, LABELS)
        assert_refused(prepared(GDClassifier, fitted), "partial_fit", words, X, labels)

    def test_labels_of_another_type(self):
        words = ["y", r"\[0, 1\]", r"\['a', 'b'\]"]
        labels = np.array(["a", "b"])[LABELS]
        assert_refused(prepared(GDClassifier, False), "partial_fit", words, X, labels)

    def test_no_early_stopping(self):
        estimator = GDClassifier(early_stopping=True)
        words = ["early_stopping", "False", "True"]
        assert_refused(estimator, "partial_fit", words, X, LABELS)


VALIDATION = {"X_val": X[:10], "y_val": None, "sample_weight_val": WEIGHT[:10]}
BAD_VALIDATION = [
    ("no y_val", {"y_val": None, "sample_weight_val": None}, ["X_val", "y_val"]),
    ("no X_val", {"X_val": None, "sample_weight_val": None}, ["X_val", "y_val"]),
    ("weights alone", {"X_val": None, "y_val": None}, ["sample_weight_val", "X_val", "y_val"]),
    ("NaN in X_val", {"X_val": with_entry(X[:10], np.nan)}, ["X_val", "NaN"]),
    ("features", {"X_val": X[:10, :2]}, ["X_val", "2 features", "3 features"]),
    ("length of y_val", {"y_val": LABELS[:4]}, ["inconsistent", "10, 4"]),
    ("negative weight", {"sample_weight_val": -WEIGHT[:10]}, ["sample_weight_val", "Negative"]),
    ("zero weights", {"sample_weight_val": 0 * WEIGHT[:10]}, ["sample_weight_val", "non-zero"]),
    ("length of weights", {"sample_weight_val": WEIGHT[:4]}, ["sample_weight_val", "4", "10"]),
]


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
@pytest.mark.parametrize(
    "arguments, words", [row[1:] for row in BAD_VALIDATION], ids=[row[0] for row in BAD_VALIDATION]
)
def test_bad_validation_data(make, fitted, arguments, words):
    y = target_of(make)
    arguments = {**VALIDATION, "y_val": y[:10], **arguments}
    assert_refused(prepared(make, fitted), "fit", words, X, y, **arguments)


@pytest.mark.parametrize("labels", [[7] * 10, ["a"] * 10], ids=["other", "text"])
def test_unseen_labels_in_the_validation_data(labels):
    words = ["y_val", r"\[0, 1\]", repr(labels[:1])[1:-1]]
    estimator = prepared(GDClassifier, False)
    assert_refused(estimator, "fit", words, X, LABELS, X_val=X[:10], y_val=labels)


@pytest.mark.parametrize("n_val", [1, 2])
def test_validation_targets_of_another_number_of_outputs(n_val):
    """Both fewer and more columns are refused; fewer would be read out of bounds."""
    y, y_val = np.c_[TARGET, TARGET, TARGET], np.tile(TARGET[:10, None], n_val)
    estimator = prepared(GDRegressor, False)
    assert_refused(estimator, "fit", ["y_val", "3", str(n_val)], X, y, X_val=X[:10], y_val=y_val)


def test_held_out_part_too_small():
    """One row cannot be split: the message says which parameters to change."""
    estimator = prepared(GDRegressor, False, early_stopping=True)
    assert_refused(
        estimator, "fit", ["(validation_fraction|early_stopping|test_size)"], X[:1], [1.0]
    )


def test_held_out_part_has_all_the_weight():
    """If all training rows have no weight, there is an error and not a model of NaN."""
    weight = np.where(np.arange(30) == 0, 1.0, 0.0)
    estimator = prepared(GDRegressor, False, early_stopping=True)
    for seed in range(20):
        estimator.set_params(random_state=seed)
        assert_refused(
            estimator, "fit", ["(?i)sample.weight", "non-zero"], X, TARGET, sample_weight=weight
        )


class TestSparseFormats:
    """Sparse formats other than CSR are converted, not refused."""

    @pytest.mark.parametrize("container", ["array", "matrix"])
    @pytest.mark.parametrize("form", ["csc", "coo", "lil", "dok", "dia", "bsr"])
    def test_format(self, form, container):
        convert = getattr(sp, f"{form}_{container}")
        reference = GDRegressor(tol=None, max_iter=5).fit(sp.csr_array(X), TARGET)
        model = GDRegressor(tol=None, max_iter=5).fit(convert(X), TARGET)
        np.testing.assert_array_equal(model.coef_, reference.coef_)
        np.testing.assert_array_equal(model.predict(convert(X)), reference.predict(sp.csr_array(X)))

    def test_wide_indices(self):
        wide = sp.csr_array(X)
        wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
        reference = GDRegressor(tol=None, max_iter=5).fit(sp.csr_array(X), TARGET)
        model = GDRegressor(tol=None, max_iter=5).fit(wide, TARGET)
        np.testing.assert_array_equal(model.coef_, reference.coef_)


class TestOptimizerOfTheUser:
    def test_without_a_step(self):
        estimator = prepared(GDRegressor, False, optimizer=Stepless())
        assert_refused(
            estimator, "fit", ["Stepless", r"step\(w, g, lr, state\)"], X, TARGET, TypeError
        )

    def test_that_returns_the_weights(self):
        """Without the error the model would silently learn nothing."""
        estimator = prepared(GDRegressor, False, optimizer=Returning())
        words = ["Returning.step", "in place", "ndarray"]
        assert_refused(estimator, "fit", words, X, TARGET, TypeError)

    @pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
    def test_that_raises(self, fitted):
        estimator = prepared(GDRegressor, fitted, optimizer=Stumbling(at=3))
        assert_refused(estimator, "fit", ["stumbled at step 3"], X, TARGET, error=ZeroDivisionError)


class Stepless(optimizers.Optimizer):
    """An optimizer without a step."""


class Returning(optimizers.Optimizer):
    """Returns new weights, as functional libraries do."""

    def step(self, w, g, lr, state):
        return w - lr * g
