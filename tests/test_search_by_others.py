"""The searches with unusual scorers, splits, transformers and pipelines."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, StandardScaler

from helpers.callbacks import Callback
from helpers.searches import BINARY, both, classifier
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor

X, Y = BINARY
HORIZONS = {"model__max_iter": [2, 5, 20]}


def pipeline(*steps, kind=Pipeline):
    return kind([*steps, ("model", classifier())])


def importance(model, X, y):
    options = {"n_repeats": 1, "random_state": 0, "scoring": "neg_log_loss"}
    return float(np.abs(permutation_importance(model, X, y, **options).importances_mean).sum())


def moving(model, X, y):
    """A scorer that changes X."""
    X += 0.5
    return float(-np.mean((model.predict_proba(X)[:, 1] - y) ** 2))


def training_on(model, X, y):
    return float(model.partial_fit(X, y).coef_.sum())


def beginning_again(model, X, y):
    return float(model.set_params(warm_start=True).fit(X, y).coef_.sum())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scorers_are_given_the_estimator_itself(n_jobs):
    seen = []

    def looking(model, X, y):
        seen.append((type(model), sorted(vars(model)), type(X), X.shape))
        return model.score(X, y)

    for model in (classifier(), pipeline(("scale", StandardScaler()))):
        grid = {"max_iter" if isinstance(model, GDClassifier) else "model__max_iter": [2, 5]}
        found = []
        for kind in (GridSearchCV, GDGridSearchCV):
            kind(
                model,
                grid,
                cv=3,
                n_jobs=1 if kind is GridSearchCV else n_jobs,
                scoring={"a": looking, "b": looking},
                refit=False,
            ).fit(X, Y)
            found.append(sorted(seen, key=repr))
            seen.clear()
        assert found[0] == found[1]


@pytest.mark.parametrize("scoring", ["neg_log_loss", ["accuracy", "neg_log_loss"]])
def test_what_scorers_complain_of_names_the_estimator(scoring):
    said = []
    for kind in (GridSearchCV, GDGridSearchCV):
        with pytest.raises(AttributeError) as error:
            kind(
                classifier(loss="hinge"),
                {"max_iter": [2, 5]},
                cv=3,
                scoring=scoring,
                refit=False,
                error_score="raise",
            ).fit(X, Y)
        said.append(str(error.value))
    assert said[0] == said[1] and "GDClassifier" in said[0]


def text(model, X, y):
    return "good"


def test_what_is_said_of_a_scorer_names_it():
    said = []
    for kind in (GridSearchCV, GDGridSearchCV):
        with pytest.raises(ValueError, match="must return a number") as error:
            kind(classifier(), {"max_iter": [2, 5]}, cv=3, scoring=text, error_score="raise").fit(
                X, Y
            )
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("scoring", [importance, moving])
@pytest.mark.parametrize("steps", [[], [("scale", StandardScaler())]])
def test_scorers_that_change_x(scoring, steps):
    both(pipeline(*steps), HORIZONS, X, Y, cv=3, scoring=scoring, return_train_score=True)
    both(classifier(), {"max_iter": [2, 5, 20]}, X, Y, cv=3, scoring=scoring)


@pytest.mark.parametrize(("scoring", "alone"), [(training_on, 0), (beginning_again, 18)])
def test_scorers_that_train_on(scoring, alone):
    grid = {"max_iter": [2, 5, 20], "optimizer": ["adam", "momentum"]}
    stopping = classifier(tol=0.05, n_iter_no_change=1, batch_size=16)
    for model in (classifier(batch_size=16), stopping):
        both(model, grid, X, Y, cv=3, scoring=scoring, alone=alone)


def test_nested_steps():
    parts = Pipeline([("scale", StandardScaler()), ("turn", PCA(2))])
    both(pipeline(("parts", parts)), {"parts__turn": [PCA(1), PCA(3)], **HORIZONS}, X, Y, cv=3)
    union = FeatureUnion([("turn", PCA(2)), ("scale", MinMaxScaler())])
    both(pipeline(("union", union)), {"union__turn": ["drop", PCA(1)], **HORIZONS}, X, Y, cv=3)


@pytest.mark.parametrize(
    ("container", "scaler"),
    [(np.array, StandardScaler), (sp.csr_array, MaxAbsScaler), (pd.DataFrame, StandardScaler)],
)
def test_transformers_in_place_of_several_passes(container, scaler):
    model = pipeline(("scale", scaler(copy=False)))
    grid = {"model__loss": ["log_loss", "hinge"], "model__learning_rate": [0.01, 0.1]}
    options = {"cv": 3, "scoring": "accuracy", "refit": False, "return_train_score": True}
    both(model, grid, container(3 + 5 * X), Y, **options)


def test_fitted_transformers_are_told_apart():
    first, second = PCA(2).fit(X), PCA(2).fit(X[:, ::-1] ** 2)
    grid = {"turn": [FrozenEstimator(first), FrozenEstimator(second)]}
    search = both(pipeline(("turn", PCA(2))), grid, X, Y, cv=3, scoring="neg_log_loss")
    assert len(set(search.cv_results_["mean_test_score"])) == 2


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_fitted_transformer_stays_as_it_is(n_jobs):
    frozen = FrozenEstimator(StandardScaler().fit(X))
    before = copy.deepcopy(vars(frozen.estimator))
    both(pipeline(("one", frozen), ("two", frozen)), HORIZONS, X, Y, cv=6, n_jobs=n_jobs)
    assert list(vars(frozen)) == ["estimator"]
    assert list(vars(frozen.estimator)) == list(before)


class Power:
    """A function that cannot be pickled; every candidate has its own copy."""

    def __init__(self, exponent):
        self.of = lambda X: np.sign(X) * np.abs(X) ** exponent

    def __call__(self, X):
        return self.of(X)


def test_functions_without_a_name_are_told_apart():
    powers = {"of__func": [Power(exponent) for exponent in (0, 0.5, 1, 2, 3, 4, 5, 6)]}
    model = pipeline(("of", FunctionTransformer()))
    both(model, powers, X, Y, cv=3, scoring="neg_log_loss")


@pytest.mark.parametrize("step", ["scale", "model"])
def test_requests_for_weights_are_told_apart(step):
    weight = np.random.default_rng(0).integers(1, 5, len(Y))
    with config_context(enable_metadata_routing=True):
        kind = {"scale": StandardScaler, "model": classifier}[step]
        asked = [kind().set_fit_request(sample_weight=flag) for flag in (True, False)]
        model = Pipeline(
            [
                ("scale", StandardScaler().set_fit_request(sample_weight=True)),
                # A penalty in the sizes of the features would undo what the scaler does.
                (
                    "model",
                    classifier(scale_penalty=False).set_fit_request(sample_weight=True),
                ),
            ]
        )
        given = {"sample_weight": weight}
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=False)
        search = both(model, {step: asked}, X, Y, given, cv=3, scoring=scorer)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


class Contrary(Pipeline):
    def predict(self, X, **parameters):
        assert self.named_steps["scale"].n_samples_seen_ == 100
        return 1 - super().predict(X, **parameters)


def test_a_pipeline_that_looks_at_its_fitted_steps():
    model = pipeline(("scale", StandardScaler()), kind=Contrary)
    both(model, HORIZONS, X, Y, cv=3, scoring="accuracy")


class Copying(Pipeline):
    def predict(self, X, **parameters):
        return super(Copying, copy.deepcopy(self)).predict(X, **parameters)


def test_a_pipeline_that_copies_its_fitted_steps():
    model = pipeline(("scale", StandardScaler()), kind=Copying)
    both(model, HORIZONS, X, Y, cv=3, scoring="accuracy")


class Shifted(Pipeline):
    def fit(self, X, y, **parameters):
        self.shift_ = self.named_steps["model"].max_iter
        return super().fit(X, y, **parameters)

    def predict(self, X, **parameters):
        return super().predict(X, **parameters) * self.shift_ % 2


def test_a_pipeline_with_a_fit_of_its_own():
    model = pipeline(("scale", StandardScaler()), kind=Shifted)
    both(model, HORIZONS, X, Y, cv=3, scoring="accuracy", alone=9)


def test_a_pipeline_that_reports_every_step(capsys):
    model = pipeline(("scale", StandardScaler())).set_params(verbose=True)
    both(model, HORIZONS, X, Y, cv=3, alone=9)
    said = capsys.readouterr().out
    assert said.count("(step 1 of 2) Processing scale") == 2 * (9 + 1)


class Noting(Callback):
    """A callback that notes which tasks begin."""

    def __init__(self):
        self.begun = []

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)


@pytest.mark.parametrize("of_a_pipeline", [False, True])
def test_callbacks_of_a_candidate_are_told_of_every_fit(of_a_pipeline):
    begun = []
    for kind in (GridSearchCV, GDGridSearchCV):
        model = pipeline(("scale", StandardScaler())) if of_a_pipeline else classifier()
        name = "model__max_iter" if of_a_pipeline else "max_iter"
        callback = Noting()
        kind(model.set_callbacks(callback), {name: [2, 5]}, cv=2, refit=False).fit(X, Y)
        begun.append(callback.begun)
    assert begun[0] == begun[1] and begun[0].count("fit") == 4


class Reading(Noting):
    """A callback that reads the rows that train."""

    def on_fit_task_end(self, estimator, context, *, X=None, y=None):
        if X is not None:
            self.begun.append([*np.sum(X, axis=0), np.sum(y)])


@pytest.mark.parametrize("of_a_pipeline", [False, True])
def test_callbacks_of_the_search_are_given_the_rows_that_train(of_a_pipeline):
    model = pipeline(("scale", StandardScaler())) if of_a_pipeline else classifier()
    read = []
    for kind in (GridSearchCV, GDGridSearchCV):
        callback = Reading()
        grid = {"model__max_iter" if of_a_pipeline else "max_iter": [2, 5]}
        kind(model, grid, cv=2, refit=False).set_callbacks(callback).fit(X, Y)
        read.append(sorted(each for each in callback.begun if isinstance(each, list)))
    assert len(read[0]) >= 4
    np.testing.assert_array_equal(read[1], read[0])


class Pairs(FunctionTransformer):
    """Takes a matrix of pairs of rows: its columns are rows that train."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        return tags


def test_pairs_of_rows():
    model = pipeline(("pairs", Pairs()))
    both(model, {"model__max_iter": [2, 5]}, X @ X.T, Y, cv=2, alone=4)


def test_validation_data():
    """They are the same for all splits, and no fit has them in a shared pass."""
    fit = {"X_val": X[:60], "y_val": Y[:60]}
    both(classifier(), {"max_iter": [2, 5]}, X, Y, fit, cv=3, alone=6)


def test_without_targets():
    said = []
    for kind in (GridSearchCV, GDGridSearchCV):
        with pytest.raises(TypeError, match="'y'") as error:
            kind(classifier(), {"max_iter": [2, 5]}, cv=2, error_score="raise").fit(X)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("kind", ["u1", "u4", "u8", "i2"])
def test_rows_of_any_integers(kind):
    backwards = np.arange(99, -1, -1).astype(kind)
    twice = np.concatenate([backwards[::2], backwards[::2]])
    splits = [(twice, np.arange(100, 150).astype(kind)), (np.arange(50).astype(kind), twice)]
    options = {"cv": splits, "scoring": "neg_log_loss"}
    both(classifier(batch_size=16), {"max_iter": [2, 5]}, X, Y, **options)


def test_rows_counted_from_the_end():
    """Every row tests once, so that the splits could share their moments."""
    first, last = np.arange(75), np.arange(-75, 0)
    y = X @ np.arange(6.0) + Y
    both(GDRegressor(), {"alpha": [0.1, 10.0]}, X, y, cv=[(first, last), (last, first)])


def test_a_split_without_a_test():
    splits = [(np.arange(100), np.arange(100, 150)), (np.arange(100), np.arange(0))]
    scores = []
    for kind in (GridSearchCV, GDGridSearchCV):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = kind(classifier(), {"max_iter": [2, 5]}, cv=splits, refit=False).fit(X, Y)
        scores.append([search.cv_results_[f"split{k}_test_score"] for k in (0, 1)])
    np.testing.assert_array_equal(scores[1], scores[0])
    assert np.isnan(scores[1][1]).all()


ROWS = np.arange(100)


@pytest.mark.parametrize(
    "split",
    [
        (ROWS[:, None], ROWS),
        (set(ROWS), ROWS),
        (ROWS, set(ROWS)),
        (ROWS.astype(float), ROWS),
        (ROWS, ROWS.astype(float)),
    ],
    ids=["column", "set", "set to test", "floats", "floats to test"],
)
def test_splits_that_are_not_rows(split):
    said = []
    for kind in (GridSearchCV, GDGridSearchCV):
        with pytest.raises(ValueError) as error:
            kind(classifier(), {"max_iter": [2, 5]}, cv=[split]).fit(X, Y)
        said.append(str(error.value).splitlines()[:3])
    assert said[1] == said[0]


@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
def test_a_row_that_does_not_train_counts_for_nothing(precondition):
    """An outlier among the test rows changes neither the rate nor the coordinates."""
    far = X.copy()
    far[0, 0] = 1e155
    train, test = next(KFold(3).split(far))
    model = classifier(max_iter=2, batch_size=16, precondition=precondition)
    grid = {"learning_rate": ["auto", 0.01], "optimizer": ["sgd", "adam"]}
    search = both(model, grid, far, Y, cv=[(train, test)], refit=False)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    rows, weight = np.append(0, train), np.append(0.0, np.ones(len(train)))
    for optimizer in grid["optimizer"]:
        model.set_params(optimizer=optimizer, batch_size="full")
        alone = model.fit(X[train], Y[train]).coef_
        among = model.fit(far[rows], Y[rows], sample_weight=weight).coef_
        np.testing.assert_allclose(among, alone, rtol=1e-9)
