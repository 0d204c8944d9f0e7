"""Frames and series of polars give the same results as arrays, and keep their names."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, optimizers

pl = pytest.importorskip("polars")

IRIS = load_iris()
X, Y = IRIS.data, IRIS.target
NAMES = IRIS.target_names[Y]
FRAME = pl.DataFrame(X, schema=IRIS.feature_names)
QUICK = {"max_iter": 20, "tol": None, "random_state": 0}


def classifier(**settings):
    return GDClassifier(optimizers.Adam(), **QUICK | settings)


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum(IRIS.target_names)])
@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
def test_frame_and_labels(precondition, kind):
    y = pl.Series(NAMES).cast(kind)
    model = classifier(precondition=precondition).fit(FRAME, y, X_val=FRAME, y_val=y)
    twin = classifier(precondition=precondition).fit(X, NAMES, X_val=X, y_val=NAMES)
    np.testing.assert_array_equal(model.coef_, twin.coef_)
    np.testing.assert_array_equal(model.predict_proba(FRAME), twin.predict_proba(X))
    assert model.feature_names_in_.tolist() == FRAME.columns
    assert model.score(FRAME, y) == twin.score(X, NAMES)


def test_names_are_checked():
    model = classifier().fit(FRAME, NAMES)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(FRAME[FRAME.columns[::-1]])


def test_targets_and_weights():
    weight = np.arange(1, 151)
    targets = pl.DataFrame({"a": X[:, 0], "b": Y})
    model = GDRegressor(**QUICK).fit(FRAME[:, 1:], targets, sample_weight=pl.Series(weight))
    twin = GDRegressor(**QUICK).fit(X[:, 1:], np.c_[X[:, 0], Y], sample_weight=weight)
    np.testing.assert_array_equal(model.coef_, twin.coef_)


def test_missing_values_are_an_error():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier().fit(FRAME.with_columns(pl.lit(None, pl.Float64).alias("hole")), NAMES)


@pytest.mark.parametrize(
    "kind", [pl.Date, pl.Datetime, pl.Datetime(time_zone="UTC"), pl.Duration, pl.Time]
)
def test_dates_are_an_error(kind):
    """They would be numbers of nanoseconds."""
    column = pl.Series(np.arange(150)).cast(kind).alias("when")
    model = classifier().fit(FRAME, NAMES)
    for frame in (FRAME.with_columns(column), column.to_frame()):
        with pytest.raises(ValueError, match=r"X must have numbers only.*\['when'\]"):
            classifier().fit(frame, NAMES)
    with pytest.raises(ValueError, match=r"X must have numbers only.*\['when'\]"):
        model.predict(FRAME.with_columns(column.alias("when")))
    with pytest.raises(ValueError, match="sample_weight must have numbers only"):
        classifier().fit(FRAME, NAMES, sample_weight=column)


@pytest.mark.parametrize("search", [False, True])
def test_lazy_frame(search):
    model = GDGridSearchCV(classifier(), {"alpha": [0.1]}) if search else classifier()
    with pytest.raises(TypeError, match=r"X must be in memory. Got a LazyFrame.*X\.collect\(\)"):
        model.fit(FRAME.lazy(), NAMES)


def test_stream():
    model, twin = classifier(), classifier()
    for chunk in (
        FRAME.with_columns(name=pl.Series(NAMES))
        .sample(fraction=1, shuffle=True, seed=0)
        .iter_slices(50)
    ):
        data, y = chunk.drop("name"), chunk["name"]
        model.partial_fit(data, y, classes=IRIS.target_names)
        twin.partial_fit(data.to_numpy(), y.to_numpy(), classes=IRIS.target_names)
    np.testing.assert_array_equal(model.coef_, twin.coef_)


def test_pipeline_of_frames():
    frame = FRAME.with_columns(
        leaf=pl.when(pl.col("petal width (cm)") > 1).then(pl.lit("wide")).otherwise(pl.lit("thin"))
    )
    columns = ColumnTransformer(
        [
            ("size", StandardScaler(), FRAME.columns[:2]),
            ("leaf", OneHotEncoder(sparse_output=False), ["leaf"]),
        ],
        verbose_feature_names_out=False,
    )
    pipeline = make_pipeline(columns, classifier()).set_output(transform="polars")
    pipeline.fit(frame, NAMES)
    assert pipeline[-1].feature_names_in_.tolist() == [
        *FRAME.columns[:2],
        "leaf_thin",
        "leaf_wide",
    ]
    assert pipeline.score(frame, NAMES) > 0.7


@pytest.mark.parametrize("kind", [GridSearchCV, GDGridSearchCV])
def test_searches(kind):
    grid = {"alpha": [1e-4, 1.0]}
    search = kind(classifier(), grid, cv=3).fit(FRAME, pl.Series(NAMES))
    expected = [
        cross_val_score(classifier(alpha=alpha), X, NAMES, cv=3).mean() for alpha in grid["alpha"]
    ]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)
    assert search.best_estimator_.feature_names_in_.tolist() == FRAME.columns
