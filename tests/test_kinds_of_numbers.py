"""Parameters may be numbers of any kind: those of numpy, as grids are made of, and booleans."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_validate

from sk_gd import GDClassifier, GDGridSearchCV, schedules

X, Y = load_iris(return_X_y=True)
SETTINGS = {"max_iter": 7, "tol": None, "random_state": 0}
KINDS = [
    ("alpha", np.float16(0.125), 0.125),
    ("alpha", np.longdouble(0.125), 0.125),
    ("l1_ratio", np.float32(0.1), float(np.float32(0.1))),
    ("l1_ratio", np.longdouble(0.5), 0.5),
    ("l1_ratio", True, 1.0),
    ("learning_rate", np.float32(0.1), float(np.float32(0.1))),
    ("learning_rate", True, 1.0),
    ("batch_size", np.int8(7), 7),
    ("batch_size", np.uint8(30), 30),
    ("max_iter", np.uint8(7), 7),
    ("tol", np.longdouble(1e-3), 1e-3),
    ("tol", True, 1.0),
    ("n_iter_no_change", np.int8(3), 3),
    ("n_iter_no_change", True, 1),
    ("scale_penalty", np.False_, False),
    ("scale_penalty", np.True_, True),
    ("fit_intercept", np.False_, False),
    ("shuffle", np.False_, False),
    ("early_stopping", np.True_, True),
    ("warm_start", np.True_, True),
    ("validation_fraction", np.float16(0.25), 0.25),
    ("average", np.True_, True),
    ("average", np.uint8(3), 3),
    ("random_state", np.uint8(3), 3),
    ("random_state", True, 1),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("optimizer", ["auto", "adam"])
@pytest.mark.parametrize(("name", "value", "number"), KINDS)
def test_same_as_a_number_of_python(optimizer, name, value, number):
    model = GDClassifier(optimizer, **SETTINGS | {name: value}).fit(X, Y)
    twin = GDClassifier(optimizer, **SETTINGS | {name: number}).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, twin.coef_)
    # A deep copy of a number is another object in old versions of numpy.
    cloned = getattr(clone(model), name)
    assert getattr(model, name) is value
    assert type(cloned) is type(value) and cloned == value
    loaded = pickle.loads(pickle.dumps(model)).set_params(warm_start=True)
    twin.set_params(warm_start=True)
    np.testing.assert_array_equal(loaded.fit(X, Y).coef_, twin.fit(X, Y).coef_)


@pytest.mark.parametrize("name", ["scale_penalty", "fit_intercept", "shuffle"])
def test_best_model_of_a_grid_of_an_array_can_be_loaded(name):
    grid = {name: np.array([True, False])}
    search = GDGridSearchCV(GDClassifier("adam", **SETTINGS), grid, cv=3).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))


def test_models_come_back_from_other_processes():
    model = GDClassifier("adam", **SETTINGS | {"scale_penalty": np.bool_(True)})
    found = cross_validate(model, X, Y, cv=2, n_jobs=2, return_estimator=True)
    assert all(each.n_iter_ == 7 for each in found["estimator"])


@pytest.mark.parametrize("epochs", [np.uint8(5), np.int8(5)])
def test_long_training_after_a_warm_up(epochs):
    schedule = schedules.Warmup(epochs=epochs, then="cosine")
    times = np.linspace(0, 400, 9)
    twin = schedules.Warmup(epochs=5, then="cosine")
    np.testing.assert_array_equal(schedule(times, 300), twin(times, 300))


def test_classes_of_a_masked_array_are_a_plain_one():
    model = GDClassifier(random_state=0).partial_fit(X, Y, classes=np.ma.array([0, 1, 2]))
    assert type(model.classes_) is np.ndarray
