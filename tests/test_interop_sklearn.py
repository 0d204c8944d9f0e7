"""What people put around an estimator, or before it: scikit-learn's own tools, and pandas."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, optimizers

X, Y = make_regression(90, 5, n_targets=3, n_informative=3, noise=3.0, bias=4.0, random_state=0)
IRIS, SPECIES = load_iris(return_X_y=True, as_frame=True)
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)[SPECIES]
QUICK = {"max_iter": 20, "tol": None, "random_state": 0}


def classifier(**settings):
    return GDClassifier(optimizers.Adam(beta_1=0.8), **QUICK | settings)


def regressor(**settings):
    return GDRegressor(optimizers.Nesterov(momentum=0.8), **QUICK | settings)


class TestPandas:
    def test_names_are_kept_and_checked(self):
        model = classifier().fit(IRIS, NAMES)
        assert model.feature_names_in_.tolist() == IRIS.columns.tolist()
        with pytest.raises(ValueError, match="feature names"):
            model.predict(IRIS[IRIS.columns[::-1]])
        with pytest.raises(ValueError, match="feature names"):
            model.partial_fit(IRIS.add_prefix("the "), NAMES)
        with pytest.warns(UserWarning, match="valid feature names"):
            model.predict(IRIS.to_numpy())

    @pytest.mark.parametrize(
        "frame",
        [
            IRIS.round().astype({IRIS.columns[0]: int, IRIS.columns[1]: "float32"}),
            IRIS.round().astype({IRIS.columns[0]: "Int64", IRIS.columns[1]: "Float32"}),
            IRIS.convert_dtypes(),
            IRIS.sample(frac=1, random_state=0),
        ],
        ids=["mixed", "nullable and mixed", "nullable", "shuffled index"],
    )
    def test_frame_as_array(self, frame):
        one = classifier().fit(frame, pd.Series(NAMES))
        other = classifier().fit(frame.to_numpy(dtype=float), NAMES)
        np.testing.assert_array_equal(one.coef_, other.coef_)
        np.testing.assert_array_equal(
            one.predict(frame), one.classes_[one.predict_proba(frame).argmax(1)]
        )

    @pytest.mark.parametrize("kind", ["str", "string", "category", object])
    def test_labels_of_every_kind(self, kind):
        y = pd.Series(NAMES).astype(kind)
        model = classifier().fit(IRIS, y)
        np.testing.assert_array_equal(model.coef_, classifier().fit(IRIS, NAMES).coef_)
        assert model.score(IRIS, y) > 0.9
        parts = classifier().partial_fit(IRIS, y, classes=y.unique())
        np.testing.assert_array_equal(parts.classes_, model.classes_)

    @pytest.mark.parametrize("kind", ["boolean", "Int64", "Float32", "uint8"])
    def test_classes_are_those_of_logistic_regression(self, kind):
        y = pd.Series(SPECIES > 0).astype(kind)
        model, other = classifier().fit(IRIS, y), LogisticRegression(max_iter=500).fit(IRIS, y)
        np.testing.assert_array_equal(model.classes_, other.classes_)
        assert model.classes_.dtype == other.classes_.dtype
        assert model.predict(IRIS).dtype == other.predict(IRIS).dtype

    def test_targets_and_weights(self):
        weight = np.arange(1, 91)
        frame, targets = pd.DataFrame(X).add_prefix("x"), pd.DataFrame(Y).convert_dtypes()
        one = regressor().fit(frame, targets, sample_weight=pd.Series(weight, dtype="Int64"))
        other = regressor().fit(X, Y, sample_weight=weight)
        np.testing.assert_array_equal(one.coef_, other.coef_)

    def test_validation_frame(self):
        frame, y = IRIS.convert_dtypes(), pd.Series(NAMES, dtype="string")
        model = classifier().fit(frame, y, X_val=frame[::3], y_val=y[::3])
        twin = classifier().fit(IRIS, NAMES, X_val=IRIS[::3], y_val=NAMES[::3])
        assert len(model.validation_scores_) == 20
        assert model.validation_loss_curve_ == twin.validation_loss_curve_

    def test_missing_values_are_an_error(self):
        frame = IRIS.convert_dtypes()
        frame.iloc[3, 1] = pd.NA
        with pytest.raises(ValueError, match="Input X contains NaN"):
            classifier().fit(frame, NAMES)
        with pytest.raises(ValueError, match="Input y contains NaN"):
            classifier().fit(IRIS, SPECIES.astype("Int64").replace(1, pd.NA))

    def test_names_come_out_of_a_pipeline(self):
        pipeline = make_pipeline(
            StandardScaler(), PolynomialFeatures(2, include_bias=False), classifier()
        ).set_output(transform="pandas")
        pipeline.fit(IRIS, NAMES)
        names = pipeline[-1].feature_names_in_
        np.testing.assert_array_equal(names, pipeline[:-1].get_feature_names_out())
        assert "petal length (cm)^2" in names
        plain = clone(pipeline).set_output(transform="default").fit(IRIS, NAMES)
        np.testing.assert_array_equal(plain[-1].coef_, pipeline[-1].coef_)
        assert not hasattr(plain[-1], "feature_names_in_")

    @pytest.mark.parametrize("sparse", [False, True])
    @pytest.mark.parametrize("kind", ["str", "category"])
    def test_columns_of_every_kind(self, kind, sparse):
        frame = IRIS.assign(leaf=np.where(IRIS["petal width (cm)"] > 1, "wide", "narrow"))
        frame["leaf"] = frame["leaf"].astype(kind)
        columns = ColumnTransformer(
            [
                ("size", StandardScaler(), IRIS.columns[:2]),
                ("leaf", OneHotEncoder(sparse_output=sparse), ["leaf"]),
            ],
            sparse_threshold=1.0 if sparse else 0.0,
        )
        pipeline = make_pipeline(columns, classifier())
        if not sparse:  # which has no frames
            pipeline.set_output(transform="pandas")
        pipeline.fit(frame, NAMES)
        assert pipeline.score(frame, NAMES) > 0.7
        by_hand = np.c_[
            StandardScaler().fit_transform(IRIS.iloc[:, :2]),
            frame["leaf"] == "narrow",
            frame["leaf"] == "wide",
        ]
        if not sparse:
            np.testing.assert_array_equal(
                pipeline[-1].coef_, classifier().fit(by_hand, NAMES).coef_
            )
            assert pipeline[-1].feature_names_in_.tolist()[2:] == [
                "leaf__leaf_narrow",
                "leaf__leaf_wide",
            ]
        np.testing.assert_allclose(
            pipeline.decision_function(frame),
            by_hand @ pipeline[-1].coef_.T + pipeline[-1].intercept_,
            rtol=1e-12,
        )


AROUND_A_CLASSIFIER = {
    "ada boost": lambda model: AdaBoostClassifier(model, n_estimators=3, random_state=0),
    "bagging": lambda model: BaggingClassifier(model, n_estimators=3, random_state=0),
    "calibrated": lambda model: CalibratedClassifierCV(model, cv=3),
    "isotonic": lambda model: CalibratedClassifierCV(model, method="isotonic", cv=3),
    "one versus one": OneVsOneClassifier,
    "one versus rest": OneVsRestClassifier,
    "output code": lambda model: OutputCodeClassifier(model, code_size=5, random_state=0),
    "stacking": lambda model: StackingClassifier([("a", model)], model, cv=3),
    "voting": lambda model: VotingClassifier([("a", model), ("b", clone(model))]),
}


@pytest.mark.parametrize("settings", [{}, {"precondition": "whiten"}], ids=["default", "whiten"])
@pytest.mark.parametrize("around", AROUND_A_CLASSIFIER.values(), ids=AROUND_A_CLASSIFIER)
def test_around_a_classifier(around, settings):
    model = around(classifier(**settings)).fit(IRIS, NAMES)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.score(IRIS, NAMES) > 0.8


class TestSearches:
    def test_grid_over_rate_and_epochs_in_a_pipeline(self):
        pipeline = make_pipeline(StandardScaler(), GDClassifier("adam", tol=None, random_state=0))
        grid = {"gdclassifier__learning_rate": [1e-4, 0.1], "gdclassifier__max_iter": [1, 30]}
        search = GridSearchCV(pipeline, grid, cv=3).fit(IRIS, NAMES)
        assert search.best_params_["gdclassifier__learning_rate"] == 0.1
        assert search.best_params_["gdclassifier__max_iter"] == 30
        assert search.best_score_ > 0.9

    def test_grid_over_the_parameters_of_an_optimizer(self):
        model = GDRegressor(optimizers.Adam(), **QUICK)
        search = GridSearchCV(model, {"optimizer__beta_1": [0.5, 0.9]}, cv=3).fit(X, Y[:, 0])
        scores = [
            cross_val_score(GDRegressor(optimizers.Adam(b), **QUICK), X, Y[:, 0], cv=3).mean()
            for b in (0.5, 0.9)
        ]
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], scores)
        assert scores[0] != scores[1]

    def test_grid_over_optimizers(self):
        grid = {"optimizer": ["adam", optimizers.Nesterov(0.95)]}
        search = GridSearchCV(GDRegressor(**QUICK), grid, cv=3).fit(X, Y[:, 0])
        assert search.best_score_ > 0.8
        assert len(set(search.cv_results_["mean_test_score"])) == 2

    @pytest.mark.parametrize("piped", [False, True], ids=["alone", "in a pipeline"])
    def test_halving_over_epochs(self, piped):
        """Each rung has three times the epochs of the last, and a third of its candidates."""
        model = classifier(precondition="whiten")
        prefix = ""
        if piped:
            model, prefix = make_pipeline(StandardScaler(), model), "gdclassifier__"
        grid = {
            f"{prefix}learning_rate": [1e-3, 1e-2, 1e-1],
            f"{prefix}optimizer__beta_1": [0.5, 0.8, 0.9],
        }
        cv = StratifiedKFold(3)
        search = HalvingGridSearchCV(
            model,
            grid,
            resource=f"{prefix}max_iter",
            min_resources=3,
            max_resources=27,
            factor=3,
            cv=cv,
            random_state=0,
        ).fit(IRIS, NAMES)
        assert (search.n_resources_, search.n_candidates_) == ([3, 9, 27], [9, 3, 1])
        results = search.cv_results_
        for params, epochs, score in zip(
            results["params"], results["n_resources"], results["mean_test_score"], strict=True
        ):
            assert params[f"{prefix}max_iter"] == epochs
            twin = clone(model).set_params(**params)
            assert cross_val_score(twin, IRIS, NAMES, cv=cv).mean() == score
        best = search.best_estimator_[-1] if piped else search.best_estimator_
        assert best.n_iter_ == 27 and search.best_score_ > 0.9

    @pytest.mark.parametrize("kind", [GridSearchCV, GDGridSearchCV])
    @pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
    def test_backends_of_joblib_change_nothing(self, backend, kind):
        grid = {"alpha": [1e-4, 1e-2], "optimizer": [optimizers.Adam(), "sgd"]}
        search = kind(classifier(batch_size=16), grid, cv=3).fit(IRIS, NAMES)
        with joblib.parallel_config(backend, n_jobs=2):
            other = clone(search).fit(IRIS, NAMES)
        for name, values in search.cv_results_.items():
            if "test_score" in name:
                np.testing.assert_array_equal(other.cv_results_[name], values)
        np.testing.assert_array_equal(other.best_estimator_.coef_, search.best_estimator_.coef_)


class TestEnsembles:
    """What is made of several models is what one makes of them by hand."""

    CV = StratifiedKFold(3)

    def test_stacking(self):
        stack = StackingClassifier(
            [("a", classifier()), ("b", classifier(loss="hinge"))],
            GDClassifier("lbfgs", **QUICK),
            cv=self.CV,
        ).fit(IRIS, NAMES)
        seen = np.hstack(
            [
                cross_val_predict(classifier(), IRIS, NAMES, cv=self.CV, method="predict_proba"),
                cross_val_predict(
                    classifier(loss="hinge"), IRIS, NAMES, cv=self.CV, method="decision_function"
                ),
            ]
        )
        final = GDClassifier("lbfgs", **QUICK).fit(seen, NAMES)
        np.testing.assert_array_equal(stack.final_estimator_.coef_, final.coef_)

    def test_stacking_and_voting_of_regressors(self):
        models = [("a", regressor()), ("b", GDRegressor(loss="huber", **QUICK))]
        stack = StackingRegressor(models, regressor(), cv=3).fit(X, Y[:, 0])
        assert stack.score(X, Y[:, 0]) > 0.9
        mean = np.mean([model.fit(X, Y[:, 0]).predict(X) for _, model in models], axis=0)
        np.testing.assert_allclose(
            VotingRegressor(models).fit(X, Y[:, 0]).predict(X), mean, rtol=1e-12
        )

    def test_soft_voting(self):
        models = [("a", classifier()), ("b", GDClassifier("sgd", **QUICK))]
        vote = VotingClassifier(models, voting="soft").fit(IRIS, NAMES)
        mean = np.mean([model.fit(IRIS, NAMES).predict_proba(IRIS) for _, model in models], axis=0)
        np.testing.assert_allclose(vote.predict_proba(IRIS), mean, rtol=1e-12)

    def test_one_versus_rest(self):
        model = OneVsRestClassifier(classifier()).fit(IRIS, NAMES)
        for inner, name in zip(model.estimators_, model.classes_, strict=True):
            alone = classifier().fit(IRIS, (name == NAMES).astype(int))
            np.testing.assert_array_equal(inner.coef_, alone.coef_)
        parts = OneVsRestClassifier(classifier())
        for _ in range(20):
            parts.partial_fit(IRIS, NAMES, classes=np.unique(NAMES))
        assert parts.score(IRIS, NAMES) > 0.8

    def test_multi_output(self):
        """One model of three outputs on the full batch is three models."""
        settings = {"batch_size": "full", **QUICK}
        one = GDRegressor("sgd", **settings).fit(X, Y)
        three = MultiOutputRegressor(GDRegressor("sgd", **settings)).fit(X, Y)
        np.testing.assert_allclose(one.predict(X), three.predict(X), rtol=1e-11)
        labels = np.where(Y > 0, "yes", "no")
        model = MultiOutputClassifier(classifier()).fit(X, labels)
        for k in range(3):
            alone = classifier().fit(X, labels[:, k])
            np.testing.assert_array_equal(model.predict(X)[:, k], alone.predict(X))
        parts = MultiOutputClassifier(classifier())
        parts.partial_fit(X, labels, classes=[np.array(["no", "yes"])] * 3)
        for k in range(3):
            alone = classifier().partial_fit(X, labels[:, k], classes=["no", "yes"])
            np.testing.assert_array_equal(parts.predict(X)[:, k], alone.predict(X))

    def test_chains(self):
        """The second model has the first one's target as a feature."""
        chain = RegressorChain(regressor()).fit(X, Y)
        second = regressor().fit(np.c_[X, Y[:, 0]], Y[:, 1])
        np.testing.assert_array_equal(chain.estimators_[1].coef_, second.coef_)
        labels = (Y > 0).astype(int)
        chain = ClassifierChain(classifier()).fit(X, labels)
        second = classifier().fit(np.c_[X, labels[:, 0]], labels[:, 1])
        np.testing.assert_array_equal(chain.estimators_[1].coef_, second.coef_)

    def test_calibration_is_of_the_scores(self):
        """The sigmoid of Platt: probabilities rise with the scores, and nothing else."""
        rows = SPECIES > 0
        data, y = IRIS[rows], NAMES[rows]
        model = classifier(loss="hinge").fit(data[::2], y[::2])
        calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(data[1::2], y[1::2])
        p = calibrated.predict_proba(data)[:, 1]
        order = np.argsort(model.decision_function(data))
        assert np.all(np.diff(p[order]) >= 0) and p[order[0]] < 0.1 < 0.9 < p[order[-1]]
        np.testing.assert_array_equal(calibrated.classes_, ["versicolor", "virginica"])

    def test_thresholds(self):
        y = np.where(SPECIES == 1, "this", "that")
        tuned = TunedThresholdClassifierCV(classifier(), cv=3).fit(IRIS, y)
        assert 0 < tuned.best_threshold_ < 1
        fixed = FixedThresholdClassifier(classifier(), threshold=0.9, pos_label="this")
        p = classifier().fit(IRIS, y).predict_proba(IRIS)[:, 1]
        np.testing.assert_array_equal(fixed.fit(IRIS, y).predict(IRIS) == "this", p >= 0.9)

    def test_transformed_target(self):
        y = np.exp(Y[:, 0] / 100)
        model = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp).fit(X, y)
        alone = regressor().fit(X, np.log(y))
        np.testing.assert_array_equal(model.predict(X), np.exp(alone.predict(X)))


class TestFeatures:
    def test_select_from_model(self):
        lasso = GDRegressor("adam", alpha=5.0, l1_ratio=1.0, max_iter=300, tol=None)
        chosen = SelectFromModel(lasso, threshold=1e-8).fit(X, Y[:, 0]).get_support()
        expected = Lasso(alpha=5.0).fit(X, Y[:, 0]).coef_ != 0
        np.testing.assert_array_equal(chosen, expected)
        assert 0 < expected.sum() < 5

    def test_recursive_elimination(self):
        exact = RFE(LinearRegression(), n_features_to_select=1).fit(X, Y[:, 0])
        model = GDRegressor("lbfgs", alpha=0, max_iter=200, tol=None)
        ours = RFE(model, n_features_to_select=1).fit(X, Y[:, 0])
        np.testing.assert_array_equal(ours.ranking_, exact.ranking_)
        one_less = RFE(classifier(), n_features_to_select=3).fit(IRIS, NAMES).get_support()
        smallest = np.argmin(np.sum(classifier().fit(IRIS, NAMES).coef_ ** 2, axis=0))
        assert one_less.tolist() == [j != smallest for j in range(4)]

    def test_permutation_importance(self):
        """Of a linear model it is known: twice the variance that the feature explains."""
        model = regressor().fit(X, Y[:, 0])
        found = permutation_importance(model, X, Y[:, 0], n_repeats=200, random_state=0)
        residual = Y[:, 0] - model.predict(X)
        part = X * model.coef_
        expected = np.array(
            [
                2 * np.var(part[:, j]) + 2 * np.mean((part[:, j] - part[:, j].mean()) * residual)
                for j in range(5)
            ]
        ) / np.var(Y[:, 0])
        np.testing.assert_allclose(found.importances_mean, expected, atol=0.02)


def test_incremental_learning_curve():
    """Chunk after chunk is given to one model by partial_fit."""
    sizes, _, scores = learning_curve(
        classifier(),
        IRIS,
        NAMES,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        train_sizes=[0.2, 0.6, 1.0],
        shuffle=True,
        random_state=0,
        exploit_incremental_learning=True,
        error_score="raise",
    )
    shuffled = np.random.RandomState(0)
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(IRIS, NAMES))
    for k, (train, test) in enumerate((shuffled.permutation(a), b) for a, b in splits):
        model, seen = classifier(), 0
        for i, size in enumerate(sizes):
            rows, seen = train[seen:size], size
            model.partial_fit(IRIS.iloc[rows], NAMES[rows], classes=np.unique(NAMES))
            assert scores[i, k] == model.score(IRIS.iloc[test], NAMES[test])
    assert scores[-1].min() > 0.5
