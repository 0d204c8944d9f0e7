"""`scoring`: a score on the validation data decides when to stop, and which weights are kept."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import make_classification, make_regression
from sklearn.metrics import (
    f1_score,
    fbeta_score,
    log_loss,
    make_scorer,
    mean_absolute_error,
    median_absolute_error,
    r2_score,
    roc_auc_score,
)

from helpers.assertions import assert_same_bits, naming, state
from helpers.callbacks import Callback
from helpers.searches import both
from sk_gd import GDClassifier, GDRegressor, check_gradient

# Noise, and few rows: scores rise, and fall again.
X, CODES = make_classification(160, 20, n_informative=4, flip_y=0.3, random_state=0)
Y = make_regression(160, 20, n_informative=4, noise=200.0, random_state=1)[1]
LABELS = np.array(["no", "yes"])[CODES]
CLASSES = np.array(["low", "middle", "high"])[np.digitize(Y, np.quantile(Y, [0.3, 0.7]))]
OUTPUTS = np.column_stack([Y, -Y + 5 * X[:, 0]])
TRAIN, REST = slice(0, 60), slice(60, None)
WEIGHT = np.random.default_rng(0).uniform(0.1, 2.0, size=100)
# All epochs, with rates at which there is something to choose among.
SETTINGS = {
    "optimizer": "adam",
    "alpha": 0.0,
    "learning_rate": 0.03,
    "max_iter": 60,
    "tol": None,
    "random_state": 0,
}
F2 = make_scorer(fbeta_score, beta=2, pos_label="yes")


def macro_f1(model, X, y, sample_weight=None):
    return f1_score(y, model.predict(X), average="macro", sample_weight=sample_weight)


def of_predictions(metric, **options):
    def score(model, *data, sample_weight=None):
        return metric(data[1], model.predict(data[0]), sample_weight=sample_weight, **options)

    return score


def auc(model, X, y, sample_weight=None):
    return roc_auc_score(y, model.decision_function(X), sample_weight=sample_weight)


def of_probabilities(model, X, y, sample_weight=None):
    return -log_loss(y, model.predict_proba(X), sample_weight=sample_weight)


# The estimator, its targets, `scoring`, and the same score from the functions of sklearn.metrics.
CASES = {
    "roc_auc": (GDClassifier, LABELS, "roc_auc", auc),
    "hinge": (functools.partial(GDClassifier, loss="hinge"), LABELS, "roc_auc", auc),
    "f2": (GDClassifier, LABELS, F2, of_predictions(fbeta_score, beta=2, pos_label="yes")),
    "own": (GDClassifier, CLASSES, macro_f1, of_predictions(f1_score, average="macro")),
    "f1": (GDClassifier, CLASSES, "f1_macro", of_predictions(f1_score, average="macro")),
    "log loss": (GDClassifier, CLASSES, "neg_log_loss", of_probabilities),
    "mae": (
        GDRegressor,
        Y,
        "neg_mean_absolute_error",
        lambda *a, **k: -of_predictions(mean_absolute_error)(*a, **k),
    ),
    "r2, outputs": (GDRegressor, OUTPUTS, "r2", of_predictions(r2_score)),
    "median": (
        functools.partial(GDRegressor, loss="huber"),
        Y,
        "neg_median_absolute_error",
        lambda *a, **k: -of_predictions(median_absolute_error)(*a, **k),
    ),
}
WEIGHED = ["own", "f2", "log loss", "r2, outputs"]
TURNS = [{}, {"average": True}, {"batch_size": "full"}, {"average": 9, "shuffle": False}]
CONTAINERS = {
    "dense": np.asarray,
    "csr": sp.csr_array,
    "float32": np.float32,
    "frame": pd.DataFrame,
}


class KeepAll(Callback):
    """Keeps the model of every epoch."""

    def __init__(self):
        self.models = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.models.append(fitted_estimator)


def trajectory(make, X, y, **settings):
    """The models of all epochs: without validation data they are the iterates."""
    kept = KeepAll()
    make(**SETTINGS | settings).set_callbacks(kept).fit(X, y)
    return kept.models


@pytest.mark.parametrize("case", CASES)
def test_scores_and_the_best_weights(case):
    make, y, scoring, score = CASES[case]
    settings = TURNS[[*CASES].index(case) % len(TURNS)]
    iterates = trajectory(make, X[TRAIN], y[TRAIN], **settings)
    expected = [score(model, X[REST], y[REST]) for model in iterates]
    given = {"X_val": X[REST], "y_val": y[REST]}
    model = make(scoring=scoring, **SETTINGS | settings).fit(X[TRAIN], y[TRAIN], **given)
    np.testing.assert_allclose(model.validation_scores_, expected, rtol=1e-12)
    best = iterates[int(np.argmax(expected))]
    np.testing.assert_array_equal(model.coef_, best.coef_)
    np.testing.assert_array_equal(model.intercept_, best.intercept_)
    # The curve of the loss is what it is without the score.
    plain = make(**SETTINGS | settings).fit(X[TRAIN], y[TRAIN], **given)
    assert model.validation_loss_curve_ == plain.validation_loss_curve_
    assert model.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("case, container", [*zip(WEIGHED, CONTAINERS, strict=True)])
def test_weights_and_containers(case, container):
    make, y, scoring, score = CASES[case]
    data, rest = CONTAINERS[container](X[TRAIN]), CONTAINERS[container](X[REST])
    given = {"X_val": rest, "y_val": y[REST], "sample_weight_val": WEIGHT}
    model = make(scoring=scoring, **SETTINGS).fit(data, y[TRAIN], **given)
    expected = [
        score(each, rest, y[REST], sample_weight=WEIGHT)
        for each in trajectory(make, data, y[TRAIN])
    ]
    np.testing.assert_allclose(model.validation_scores_, expected, rtol=1e-12)
    assert np.ptp(expected) > 0


@pytest.mark.parametrize("case", ["roc_auc", "f1", "log loss", "mae", "r2, outputs"])
def test_stops_when_the_score_does_not_improve(case):
    """By `tol` times itself, compared with the last score that did."""
    make, y, scoring, score = CASES[case]
    mark, stale, epochs = -np.inf, 0, 0
    for model in trajectory(make, X[TRAIN], y[TRAIN]):
        value = score(model, X[REST], y[REST])
        improves = value - mark >= 0.01 * abs(value)
        mark, stale = (value, 0) if improves else (mark, stale + 1)
        epochs += 1
        if stale == 3:
            break
    assert 3 < epochs < SETTINGS["max_iter"]
    settings = SETTINGS | {"scoring": scoring, "tol": 0.01, "n_iter_no_change": 3}
    model = make(**settings).fit(X[TRAIN], y[TRAIN], X_val=X[REST], y_val=y[REST])
    assert model.n_iter_ == epochs


@pytest.mark.parametrize(
    "make, y, scoring", [(GDClassifier, CLASSES, "accuracy"), (GDRegressor, OUTPUTS, "r2")]
)
def test_early_stopping_scores_the_rows_that_it_holds_out(make, y, scoring):
    """Without a chosen score these are the scores that are recorded."""
    more = {"class_weight": {"low": 3.0, "middle": 1.0, "high": 0.5}} if y is CLASSES else {}
    settings = SETTINGS | more | {"early_stopping": True}
    weight = np.linspace(0.1, 2, len(X))
    chosen = make(scoring=scoring, **settings).fit(X, y, sample_weight=weight)
    plain = make(**settings).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(chosen.validation_scores_, plain.validation_scores_, rtol=1e-9)


def test_the_schedule_follows_the_loss():
    settings = SETTINGS | {"early_stopping": True, "schedule": "plateau"}
    chosen = GDClassifier(scoring="f1_macro", **settings).fit(X, LABELS)
    assert chosen.loss_curve_ == GDClassifier(**settings).fit(X, LABELS).loss_curve_


@pytest.mark.parametrize("scoring", ["roc_auc", macro_f1], ids=["name", "callable"])
def test_resumes(scoring):
    """Two halves, pickled in between, are the whole: the best score so far is kept."""
    make = functools.partial(GDClassifier, scoring=scoring, early_stopping=True)
    whole = make(**SETTINGS).fit(X, LABELS)
    half = make(**SETTINGS | {"max_iter": 30}, warm_start=True).fit(X, LABELS)
    half = pickle.loads(pickle.dumps(half)).fit(X, LABELS)
    assert_same_bits(whole, half)
    assert whole.validation_scores_ == half.validation_scores_


def test_another_score_begins_to_count_anew():
    """The optimizer goes on as it was, and the best score so far is none of the new kind."""
    settings = SETTINGS | {"warm_start": True, "max_iter": 30}
    given = {"X_val": X[REST], "y_val": LABELS[REST]}
    model = GDClassifier(scoring="roc_auc", **settings).fit(X[TRAIN], LABELS[TRAIN], **given)
    # Areas are positive, and would be better than every one of these scores.
    model.set_params(scoring="neg_log_loss").fit(X[TRAIN], LABELS[TRAIN], **given)
    iterates = trajectory(GDClassifier, X[TRAIN], LABELS[TRAIN])[30:]
    scores = [of_probabilities(each, X[REST], LABELS[REST]) for each in iterates]
    np.testing.assert_allclose(model.validation_scores_[30:], scores, rtol=1e-12)
    np.testing.assert_array_equal(model.coef_, iterates[int(np.argmax(scores))].coef_)


def test_searches():
    model = GDClassifier(early_stopping=True, **SETTINGS | {"max_iter": 10})
    grid = {
        "scoring": [None, "roc_auc", macro_f1],
        "learning_rate": [0.01, 0.1],
        "max_iter": [3, 10],
    }
    both(model, grid, X, CODES, cv=3, scoring="neg_log_loss")


def test_is_a_parameter_like_others():
    model = GDClassifier(scoring="f1", early_stopping=True)
    assert model.get_params()["scoring"] == "f1"
    assert clone(model).scoring == "f1"
    assert "scoring='f1'" in repr(model)
    monitor = ScoringMonitor(scoring="accuracy")
    clone(model).set_callbacks(monitor).fit(X, CODES)
    assert check_gradient(clone(model), X, CODES)
    with sklearn.config_context(enable_metadata_routing=True):
        clone(model).fit(X, CODES, sample_weight=np.linspace(0.1, 1, len(X)))
    stored = pickle.dumps(model.fit(X, CODES))
    old = pickle.loads(stored)
    attributes = old.__getstate__()
    del attributes["scoring"]
    older = GDClassifier.__new__(GDClassifier)
    older.__setstate__(attributes)
    assert older.scoring is None
    np.testing.assert_array_equal(older.predict(X), model.predict(X))


class Undecided:
    def __call__(self, model, X, y):
        return np.nan

    def __repr__(self):
        return "Undecided()"


def fails(model, X, y):
    raise RuntimeError("no time")


VALID = {"X_val": X[:30], "y_val": CODES[:30]}
ONE_CLASS = {"X_val": X[CODES == 1], "y_val": CODES[CODES == 1]}
REFUSED = {
    "no validation data": ({"scoring": "f1"}, {}, ["scoring='f1'", "early_stopping", "X_val"]),
    "unknown": ({"scoring": "rocauc"}, VALID, ["scoring", "'rocauc'", "'roc_auc'"]),
    "a metric": ({"scoring": f1_score}, VALID, ["scoring", "f1_score", "make_scorer"]),
    "several": ({"scoring": ["f1", "roc_auc"]}, VALID, ["'scoring'", "['f1', 'roc_auc']"]),
    "no number": ({"scoring": Undecided()}, VALID, ["scoring=Undecided()", "finite", "nan"]),
    "failure": ({"scoring": fails}, VALID, ["scoring", "fails", "RuntimeError", "no time"]),
    "no probabilities": (
        {"scoring": "neg_log_loss", "loss": "hinge"},
        VALID,
        ["scoring='neg_log_loss'", "predict_proba"],
    ),
    "weights": (
        {"scoring": "neg_max_error", "class_weight": "balanced"},
        VALID,
        ["scoring='neg_max_error'", "sample_weight", "class_weight"],
    ),
    "weights for a function": (
        {"scoring": fails, "class_weight": "balanced"},
        VALID,
        ["fails", "takes no sample_weight"],
    ),
}


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("parameters, given, words", REFUSED.values(), ids=REFUSED)
def test_refused(parameters, given, words, is_fitted):
    model = GDClassifier(random_state=0, max_iter=3, tol=None)
    if is_fitted:
        model.fit(X, CODES)
    before = state(model.set_params(**parameters))
    with pytest.raises(ValueError, match=naming(*words)):
        model.fit(X, CODES, **given)
    assert state(model) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_validation_data_that_a_score_cannot_judge():
    with pytest.raises(ValueError, match=naming("scoring='roc_auc'", "nan")):
        GDClassifier(scoring="roc_auc").fit(X, CODES, **ONE_CLASS)


def test_partial_fit_has_no_validation_data():
    model = GDRegressor(scoring="r2")
    with pytest.raises(ValueError, match=naming("partial_fit", "scoring", "None", "'r2'")):
        model.partial_fit(X, Y)
