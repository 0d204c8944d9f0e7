"""Files of skops: the loaded model is the same, needs only the listed types, and trains on."""

import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sk_gd.skops
from helpers.assertions import assert_goes_on
from helpers.optimizers import NumpyAdam
from helpers.runs import STORED_TYPES
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, losses, optimizers, schedules

io = pytest.importorskip("skops.io")

X, Y = load_diabetes(return_X_y=True)
IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
QUICK = {"max_iter": 3, "tol": None, "random_state": 0}
TRUSTED = sk_gd.skops.trusted_types()


def stored(model, trusted=TRUSTED):
    return io.loads(io.dumps(model), trusted=trusted)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "clipped"])
@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer(name, wrapped, average):
    optimizer = optimizers.ClipNorm(name) if wrapped else optimizers.get(name)
    model = GDClassifier(optimizer, average=average, schedule="plateau", **QUICK)
    model.fit(IRIS, NAMES)
    assert_goes_on(model, stored(model), IRIS, NAMES)


@pytest.mark.parametrize(
    "settings",
    [
        {"precondition": None},
        {"precondition": "whiten"},
        {"loss": losses.ModifiedHuber(), "class_weight": {"setosa": 2.0}},
        {"l1_ratio": 1.0, "optimizer": "adam"},
        {"batch_size": 7, "schedule": schedules.Warmup(then=schedules.Cosine())},
    ],
    ids=["raw", "whiten", "instances", "lasso", "warm-up"],
)
def test_every_setting_of_a_classifier(settings):
    model = GDClassifier(**settings, **QUICK).fit(IRIS, NAMES)
    twin = stored(model)
    assert repr(twin) == repr(model)
    assert_goes_on(model, twin, IRIS, NAMES)


@pytest.mark.parametrize("loss", losses.names("regressor"))
@pytest.mark.parametrize("y", [Y, np.c_[Y, Y[::-1]]], ids=["one output", "two"])
def test_every_regressor(loss, y):
    model = GDRegressor(loss=losses.get(loss), **QUICK).fit(X, y)
    assert_goes_on(model, stored(model), X, y)


@pytest.mark.parametrize("schedule", schedules.names())
def test_every_schedule(schedule):
    model = GDRegressor(schedule=schedule, **QUICK).fit(X, Y)
    assert_goes_on(model, stored(model), X, Y)


def test_validation_data_and_warm_start():
    """The best weights and the remaining patience are in the file."""
    settings = {"early_stopping": True, "tol": 1e-3, "n_iter_no_change": 50, "random_state": 0}
    model = GDRegressor("adam", warm_start=True, max_iter=3, **settings)
    with pytest.warns(UserWarning, match="max_iter"):
        twin = stored(model.fit(X, Y)).fit(X, Y)
        model.fit(X, Y)
    np.testing.assert_array_equal(twin.coef_, model.coef_)
    assert twin.validation_loss_curve_ == model.validation_loss_curve_


def test_inside_a_pipeline():
    model = make_pipeline(StandardScaler(), GDClassifier("adam", **QUICK)).fit(IRIS, NAMES)
    twin = stored(model)
    np.testing.assert_array_equal(twin.predict_proba(IRIS), model.predict_proba(IRIS))


def test_searches():
    search = GDGridSearchCV(GDClassifier("adam", **QUICK), {"max_iter": [2, 3]}, cv=3)
    file = io.dumps(search.fit(IRIS, NAMES))
    others = set(io.get_untrusted_types(data=file)) - set(TRUSTED)
    assert all(name.startswith("sklearn.") for name in others)
    twin = io.loads(file, trusted=[*TRUSTED, *others])
    assert twin.best_params_ == search.best_params_
    np.testing.assert_array_equal(twin.predict(IRIS), search.predict(IRIS))


def test_what_is_not_of_this_package_is_asked_for():
    model = GDClassifier(NumpyAdam(), **QUICK).fit(IRIS, NAMES)
    file = io.dumps(model)
    (own,) = set(io.get_untrusted_types(data=file)) - set(TRUSTED)
    assert own == "helpers.optimizers.NumpyAdam"
    with pytest.raises(io.exceptions.UntrustedTypesFoundException, match="NumpyAdam"):
        io.loads(file, trusted=TRUSTED)
    assert_goes_on(model, io.loads(file, trusted=[*TRUSTED, own]), IRIS, NAMES)


def test_callbacks_are_taken_off_first():
    model = GDClassifier(**QUICK).set_callbacks(ScoringMonitor(scoring="accuracy"))
    model.fit(IRIS, NAMES)
    with pytest.raises(io.exceptions.UntrustedTypesFoundException, match="ScoringMonitor"):
        stored(model)
    np.testing.assert_array_equal(stored(model.set_callbacks()).predict(IRIS), model.predict(IRIS))


def test_only_what_a_file_has_need_be_trusted():
    """A file has few types, and no compiled ones."""
    model = GDClassifier(optimizers.Adam(), **QUICK).fit(IRIS, NAMES)
    public = [GDClassifier, optimizers.Adam, schedules.Constant]
    expected = [f"{cls.__module__}.{cls.__name__}" for cls in public] + STORED_TYPES
    assert io.get_untrusted_types(data=io.dumps(model)) == sorted(expected)
