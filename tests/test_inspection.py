"""The displays show the values of the estimators and searches."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.assertions import naming
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, schedules

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from sk_gd.inspection import (  # noqa: E402
    LossCurveDisplay,
    LossLandscapeDisplay,
    ScheduleDisplay,
    SearchDisplay,
    record_path,
)

X, Y = load_diabetes(return_X_y=True)
X_CLASS, LABELS = make_classification(
    200, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
)
QUICK = {"max_iter": 8, "tol": None, "random_state": 0}


pytestmark = pytest.mark.usefixtures("close_figures")


def test_without_matplotlib():
    """The module does not import it; plotting without it raises an error that says so."""
    code = (
        "import sys, sk_gd\n"
        "assert 'sk_gd.inspection' not in sys.modules\n"
        "from sk_gd import inspection\n"
        "assert 'matplotlib' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n"
        "    inspection.ScheduleDisplay.from_schedule('cosine')\n"
        "except ImportError as error:\n"
        "    assert 'ScheduleDisplay' in str(error) and 'matplotlib' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


class TestLossCurve:
    def test_curves(self):
        race = [GDRegressor(name, **QUICK).fit(X, Y) for name in ("sgd", "adam", "adam")]
        display = LossCurveDisplay.from_estimator(race)
        assert [line.get_label() for line in display.lines_] == ["SGD", "Adam", "Adam (2)"]
        for line, model in zip(display.lines_, race, strict=True):
            assert line.get_ydata().tolist() == model.loss_curve_
            assert line.get_xdata().tolist() == [*range(1, 9)]
        assert display.ax_.get_yscale() == "linear"
        assert display.figure_ is display.ax_.figure
        looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
        assert len({colour for colour, _ in looks}) == len({dash for _, dash in looks}) == 3

    def test_validation_of_a_pipeline(self):
        model = make_pipeline(StandardScaler(), GDRegressor(early_stopping=True, **QUICK))
        _, ax = plt.subplots()
        display = LossCurveDisplay.from_estimator(model.fit(X, Y), ax=ax)
        training, validation = display.lines_
        assert display.ax_ is ax
        assert training.get_ydata().tolist() == model[-1].loss_curve_
        assert validation.get_ydata().tolist() == model[-1].validation_loss_curve_
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "training",
            "validation",
        ]

    def test_gap(self):
        model = GDRegressor("adam", early_stopping=True, **QUICK).fit(X, Y)
        display = LossCurveDisplay.from_estimator({"mine": model}, minimum=100.0)
        (line,) = display.lines_
        assert line.get_ydata() == pytest.approx(np.array(model.loss_curve_) - 100, rel=1e-12)
        assert display.ax_.get_yscale() == "log"
        assert LossCurveDisplay.from_estimator(model, log=True).ax_.get_yscale() == "log"

    def test_refuses_other_models(self):
        with pytest.raises(TypeError, match=naming("estimator", "GDRegressor", "LinearRegression")):
            LossCurveDisplay.from_estimator(LinearRegression().fit(X, Y))
        search = GDGridSearchCV(GDRegressor(**QUICK), {"alpha": [0.0, 1.0]}, refit=False).fit(X, Y)
        with pytest.raises(TypeError, match=naming("refit=True", "GDGridSearchCV")):
            LossCurveDisplay.from_estimator(search)
        with pytest.raises(ValueError, match="(?i)not fitted"):
            LossCurveDisplay.from_estimator(GDRegressor())
        with pytest.raises(ValueError, match=naming("estimator", "at least one")):
            LossCurveDisplay.from_estimator([])
        with pytest.raises(TypeError, match=naming("estimator", "GDRegressor", "'adam'")):
            LossCurveDisplay.from_estimator("adam")


RATES = [1e-3, 0.1, 1e6]
EPOCHS = [5, 10]


class TestSearch:
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
    @pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
    @pytest.mark.parametrize("search_class", [GridSearchCV, GDGridSearchCV])
    def test_cells(self, search_class):
        """A pipeline whose largest rate diverges; each cell shows its best score over alpha."""
        model = make_pipeline(StandardScaler(), GDRegressor("sgd", tol=None, random_state=0))
        grid = {
            "gdregressor__learning_rate": RATES,
            "gdregressor__max_iter": EPOCHS,
            "gdregressor__alpha": [1e-4, 10.0],
        }
        search = search_class(model, grid, cv=2)
        search.fit(X, Y)
        display = SearchDisplay.from_search(search)
        results = search.cv_results_
        assert (display.x_values, display.y_values) == (EPOCHS, RATES)
        for row, rate in enumerate(RATES):
            for column, epochs in enumerate(EPOCHS):
                scores = [
                    score
                    for score, params in zip(
                        results["mean_test_score"], results["params"], strict=True
                    )
                    if params["gdregressor__learning_rate"] == rate
                    and params["gdregressor__max_iter"] == epochs
                ]
                assert len(scores) == 2
                expected = np.nan if np.isnan(scores).all() else np.nanmax(scores)
                np.testing.assert_equal(display.scores[row, column], expected)
        assert np.isnan(display.scores[-1]).all()
        hatched = [patch for patch in display.ax_.patches if patch.get_hatch()]
        assert sorted(patch.get_xy() for patch in hatched) == [(-0.5, 1.5), (0.5, 1.5)]
        (frame,) = (patch for patch in display.ax_.patches if not patch.get_hatch())
        best = search.best_params_
        row = RATES.index(best["gdregressor__learning_rate"])
        column = EPOCHS.index(best["gdregressor__max_iter"])
        assert display.best == (row, column)
        assert frame.get_xy() == (column - 0.5, row - 0.5)
        assert len(display.text_) == 4

    def test_halving(self):
        """The epochs are the resource; cells that were not tried are empty, not failed."""
        search = HalvingGridSearchCV(
            GDRegressor("adam", tol=None, random_state=0),
            {"learning_rate": [1e-3, 1e-2, 0.1, 0.3]},
            resource="max_iter",
            min_resources=3,
            max_resources=12,
            factor=2,
            cv=2,
            random_state=0,
        ).fit(X, Y)
        display = SearchDisplay.from_search(search)
        assert display.x_values == [3, 6, 12]
        assert display.tried.sum(axis=0).tolist() == [4, 2, 1]
        assert not [patch for patch in display.ax_.patches if patch.get_hatch()]
        row, column = display.best
        assert display.y_values[row] == search.best_params_["learning_rate"]
        assert display.x_values[column] == 12

    def test_halving_over_the_rows(self):
        """Each cell shows its last round, as scores on fewer rows are not comparable."""
        model = GDClassifier("adam", tol=None, random_state=0)
        grid = {"learning_rate": [1e-3, 1e-2, 0.1], "max_iter": [2, 5, 10], "alpha": [1e-4, 0.1]}
        search = HalvingGridSearchCV(model, grid, random_state=0)
        search.fit(*load_breast_cancer(return_X_y=True))
        display = SearchDisplay.from_search(search)
        assert display.scores[display.best] == search.best_score_
        results = search.cv_results_
        highest = np.max(results["mean_test_score"][results["iter"] < results["iter"].max()])
        assert highest > search.best_score_
        for row, rate in enumerate(grid["learning_rate"]):
            for column, epochs in enumerate(grid["max_iter"]):
                inside = (results["param_learning_rate"] == rate) & (
                    results["param_max_iter"] == epochs
                )
                inside &= results["iter"] == results["iter"][inside].max()
                assert display.scores[row, column] == results["mean_test_score"][inside].max()
        split = SearchDisplay.from_search(search, score="split0_test_score")
        last = np.flatnonzero(results["iter"] == results["iter"].max())
        chosen = results["params"][last[np.argmax(results["split0_test_score"][last])]]
        assert split.y_values[split.best[0]] == chosen["learning_rate"]
        assert split.x_values[split.best[1]] == chosen["max_iter"]

    def test_the_framed_cell_is_what_the_search_chose(self):
        """For every mean test score, also if `refit` is a function."""
        grid = {"learning_rate": [1e-3, 0.1], "max_iter": [2, 10]}
        search = GridSearchCV(
            GDRegressor("adam", tol=None, random_state=0),
            grid,
            cv=2,
            scoring=["r2", "neg_max_error"],
            refit=lambda results: 0,
            return_train_score=True,
        ).fit(X, Y)
        for score in ("mean_test_r2", "mean_test_neg_max_error"):
            assert SearchDisplay.from_search(search, score=score).best == (0, 0)
            assert np.argmax(search.cv_results_[score]) != 0
        for score in ("mean_train_r2", "split1_test_r2", "split0_train_neg_max_error"):
            display = SearchDisplay.from_search(search, score=score)
            assert display.scores[display.best] == np.max(search.cv_results_[score])
        search.refit = False
        del search.best_index_
        display = SearchDisplay.from_search(search, score="mean_test_r2")
        assert display.scores[display.best] == np.max(search.cv_results_["mean_test_r2"])

    def test_everything_failed(self):
        model = GDRegressor("sgd", tol=None, random_state=0)
        search = GridSearchCV(model, {"learning_rate": [0.1], "max_iter": [3]}, cv=2).fit(X, Y)
        search.cv_results_["mean_test_score"][:] = np.nan
        display = SearchDisplay.from_search(search)
        assert display.best is None
        assert len(display.ax_.patches) == 1

    def test_without_a_colorbar(self):
        grid = {"learning_rate": [0.01, 0.1], "max_iter": [2, 4]}
        search = GDGridSearchCV(GDRegressor("adam", **QUICK), grid, cv=2).fit(X, Y)
        assert len(SearchDisplay.from_search(search).figure_.axes) == 2
        display = SearchDisplay.from_search(search, colorbar=False)
        assert display.figure_.axes == [display.ax_]
        assert len(display.text_) == 4

    def test_refuses(self):
        grid = {"learning_rate": [0.1, 0.2], "optimizer": ["sgd", "adam"]}
        search = GDGridSearchCV(GDRegressor(**QUICK), grid, cv=2).fit(X, Y)
        with pytest.raises(
            ValueError, match=naming("x", "'learning_rate'", "'optimizer'", "'max_iter'")
        ):
            SearchDisplay.from_search(search, x="max_iter")
        with pytest.raises(ValueError, match=naming("score", "'mean_test_score'", "'accuracy'")):
            SearchDisplay.from_search(search, x="optimizer", score="accuracy")
        for score in ("rank_test_score", "mean_fit_time", "std_test_score", "params", None):
            with pytest.raises(ValueError, match=naming("score", "'mean_test_score'", repr(score))):
                SearchDisplay.from_search(search, x="optimizer", score=score)
        display = SearchDisplay.from_search(search, x="optimizer")
        assert display.x_values == ["adam", "sgd"]


class TestLandscape:
    @pytest.mark.parametrize("n_directions", [1, 2])
    @pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
    def test_line_and_plane_of_a_regression(self, n_directions, l1_ratio):
        """Compared with the objective, written out for this case."""
        penalty = {"alpha": 0.3, "l1_ratio": l1_ratio, "scale_penalty": False}
        model = GDRegressor("adam", **penalty, **QUICK).fit(X, Y)
        random = np.random.default_rng(0)
        directions = [(random.normal(size=10), random.normal()) for _ in range(n_directions)]
        display = LossLandscapeDisplay.from_estimator(
            model, X, Y, directions=directions, width=30, resolution=5
        )

        def objective(coef, intercept):
            size = l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * coef @ coef
            return np.mean((Y - X @ coef - intercept) ** 2) / 2 + 0.3 * size

        assert display.centre == pytest.approx(objective(model.coef_, model.intercept_), rel=1e-12)
        assert display.values.shape == (5,) * n_directions
        assert display.values[(2,) * n_directions] == pytest.approx(display.centre, rel=1e-12)
        for place in np.ndindex(display.values.shape):
            # The first direction is horizontal: it belongs to the columns.
            steps = [display.offsets[k][i] for k, i in enumerate(reversed(place))]
            coef, intercept = model.coef_.copy(), model.intercept_
            for step, (w, b) in zip(steps, directions, strict=True):
                coef, intercept = coef + step * w, intercept + step * b
            assert display.values[place] == pytest.approx(objective(coef, intercept), rel=1e-12)

    def test_of_three_classes(self):
        """The centre is the minimum that scikit-learn finds."""
        alpha = 0.1
        settings = {"scale_penalty": False, "tol": 1e-10}
        model = GDClassifier("lbfgs", alpha=alpha, **settings).fit(X_CLASS, LABELS)
        exact = LogisticRegression(C=1 / (alpha * len(LABELS)), tol=1e-10).fit(X_CLASS, LABELS)
        logs = exact.predict_log_proba(X_CLASS)[np.arange(len(LABELS)), LABELS]
        minimum = -logs.mean() + alpha / 2 * np.sum(exact.coef_**2)
        display = LossLandscapeDisplay.from_estimator(
            model, X_CLASS, LABELS, resolution=9, random_state=0
        )
        assert display.centre == pytest.approx(minimum, rel=1e-12)
        assert display.values.min() == display.values[4, 4]

    def test_path(self):
        """It begins at zero weights and ends at the model that `fit` gives."""
        for sparse in (X, X + 5.0):
            start = record_path(GDRegressor("adam", **QUICK), sparse, Y)[0]
            assert not start[0].any()
            assert start[1] == pytest.approx(Y.mean(), rel=1e-12)
        assert record_path(GDRegressor(precondition=None, **QUICK), X, Y)[0][1] == 0
        model = GDClassifier("adam", schedule="cosine", **QUICK)
        path = record_path(model, X_CLASS, LABELS)
        model.fit(X_CLASS, LABELS)
        assert len(path) == 9
        assert all(coef.shape == (3, 5) and bias.shape == (3,) for coef, bias in path)
        assert path[-1][0].tolist() == model.coef_.tolist()
        assert path[-1][1].tolist() == model.intercept_.tolist()
        display = LossLandscapeDisplay.from_estimator(
            model, X_CLASS, LABELS, directions="pca", paths={"Adam": path}, resolution=4
        )
        places, values = display.paths["Adam"]
        assert places[-1] == pytest.approx([0, 0], abs=1e-9)
        assert values[0] == pytest.approx(np.log(3), rel=1e-12)
        assert values[-1] == display.centre
        (line,) = display.lines_
        assert line.get_xdata().tolist() == places[:, 0].tolist()
        assert np.all(np.abs(places).max(axis=0) < [np.ptp(each) for each in display.offsets])

    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_sparse_data_of_two_outputs(self, fit_intercept):
        """The display is the same as for dense data."""
        targets = np.column_stack([Y, X[:, 0]])
        model = GDRegressor("adam", fit_intercept=fit_intercept, **QUICK).fit(X, targets)
        path = record_path(model, X, targets)
        assert path[0][0].shape == (2, 10)
        dense, sparse = (
            LossLandscapeDisplay.from_estimator(
                model, data, targets, directions="pca", paths=path, resolution=3
            )
            for data in (X, sp.csr_matrix(X))
        )
        assert sparse.values == pytest.approx(dense.values, rel=1e-12)
        assert sparse.centre == pytest.approx(dense.paths["path"][1][-1], rel=1e-12)

    def test_without_a_colorbar(self):
        model = GDRegressor("adam", **QUICK).fit(X, Y)
        options = {"resolution": 3, "random_state": 0}
        display = LossLandscapeDisplay.from_estimator(model, X, Y, **options)
        assert len(display.figure_.axes) == 2
        display = LossLandscapeDisplay.from_estimator(model, X, Y, colorbar=False, **options)
        assert display.figure_.axes == [display.ax_]

    def test_pipeline(self):
        model = make_pipeline(StandardScaler(), GDRegressor("adam", **QUICK)).fit(X, Y)
        display = LossLandscapeDisplay.from_estimator(
            model, X, Y, n_directions=1, paths=[record_path(model, X, Y)], resolution=3
        )
        scaled = StandardScaler().fit_transform(X)
        alone = LossLandscapeDisplay.from_estimator(model[-1], scaled, Y, resolution=3)
        assert display.centre == pytest.approx(alone.centre, rel=1e-12)
        assert display.lines_[0].get_ydata()[-1] == display.centre

    @pytest.mark.parametrize(
        "options, words",
        [
            ({"directions": "pca"}, ["directions='pca'", "paths=None", "record_path"]),
            ({"directions": "steepest"}, ["directions", "'random'", "'pca'", "'steepest'"]),
            ({"directions": [(np.ones(3), 0.0)]}, ["directions", "10", "(3,)"]),
            ({"directions": [(np.ones(10), 0.0)] * 2}, ["directions", "linearly independent"]),
            ({"directions": []}, ["directions", "one or two", "0"]),
            ({"n_directions": 3}, ["n_directions", "1 or 2", "3"]),
            ({"width": 0}, ["width", "positive", "0"]),
            ({"resolution": 1}, ["resolution", "2", "1"]),
            ({"paths": {"mine": []}}, ["paths", "'mine'"]),
            ({"paths": [(np.ones(3), 0.0)]}, ["paths", "10", "(3,)"]),
        ],
    )
    def test_refuses(self, options, words):
        model = GDRegressor(**QUICK).fit(X, Y)
        with pytest.raises(ValueError, match=naming(*words)):
            LossLandscapeDisplay.from_estimator(model, X, Y, **options)

    def test_refuses_other_models(self):
        with pytest.raises(TypeError, match=naming("estimator", "GDRegressor", "LinearRegression")):
            record_path(LinearRegression(), X, Y)


class TestSchedule:
    def test_multipliers(self):
        given = ["cosine", schedules.Step(step_size=10), lambda epochs, horizon: epochs / horizon]
        display = ScheduleDisplay.from_schedule(given, horizon=40)
        cosine, step, own = (line.get_ydata() for line in display.lines_)
        times = display.lines_[0].get_xdata()
        assert (times[0], times.max() < 40) == (0, True)
        assert cosine == pytest.approx((1 + np.cos(np.pi * times / 40)) / 2, rel=1e-12, abs=1e-14)
        assert sorted(set(np.round(step, 12)))[-1] == 1
        assert own == pytest.approx(times / 40, rel=1e-14)
        assert display.lines_[1].get_label() == "Step(step_size=10)"

    def test_refuses(self):
        with pytest.raises(ValueError, match=naming("horizon", "positive", "0")):
            ScheduleDisplay.from_schedule("cosine", horizon=0)
        with pytest.raises(ValueError, match=naming("schedule", "'cosinus'", "'cosine'")):
            ScheduleDisplay.from_schedule("cosinus")
