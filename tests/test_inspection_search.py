"""What a SearchDisplay draws: a curve, a heat map or points, of whichever search."""

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_diabetes, make_classification
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.assertions import naming
from sk_gd import (
    GDClassifier,
    GDGridSearchCV,
    GDRandomizedSearchCV,
    GDRegressor,
    optimizers,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from sk_gd.inspection import SearchDisplay  # noqa: E402

X, Y = load_diabetes(return_X_y=True)
MODEL = GDRegressor("adam", max_iter=4, tol=None, random_state=0)
ALPHAS = [0.0, 1e-4, 1e-2, 1.0]
GRIDS = [GridSearchCV, GDGridSearchCV]
RANDOM = [RandomizedSearchCV, GDRandomizedSearchCV]

pytestmark = [
    pytest.mark.usefixtures("close_figures"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite"),
]


def searched(scores, **params):
    """A fitted search whose results are given."""
    search = GridSearchCV(MODEL, {})
    errors = np.full(len(scores), 0.25)
    search.cv_results_ = {"mean_test_score": np.array(scores, float), "std_test_score": errors}
    for name, values in params.items():
        search.cv_results_[f"param_{name}"] = np.empty(len(values), dtype=object)
        search.cv_results_[f"param_{name}"][:] = values
    return search


def legend(display):
    shown = display.ax_.get_legend()
    return [text.get_text() for text in shown.get_texts()] if shown else []


class TestCurve:
    @pytest.mark.parametrize("search_class", GRIDS)
    def test_of_a_pipeline(self, search_class):
        """One parameter, by its last name: the scores and their deviations over the splits."""
        inputs, labels = make_classification(120, 5, random_state=0)
        model = make_pipeline(StandardScaler(), GDClassifier("adam", max_iter=4, tol=None))
        search = search_class(model, {"gdclassifier__alpha": ALPHAS}, cv=3).fit(inputs, labels)
        display = SearchDisplay.from_search(search)
        line, _, (bars,) = display.errorbar_
        assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("alpha", "mean_test_score")
        assert line.get_xdata().tolist() == ALPHAS
        assert line.get_ydata().tolist() == search.cv_results_["mean_test_score"].tolist()
        halves = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        np.testing.assert_allclose(halves, search.cv_results_["std_test_score"], atol=1e-12)
        assert line.get_linestyle() == "-"
        assert display.ax_.get_xscale() == "symlog"
        assert display.best == search.best_index_
        assert (display.image_, display.points_, display.text_) == (None, None, [])

    def test_best_over_the_others(self):
        """With y=None; the label has the other parameters, except those of one value."""
        grid = {"learning_rate": [1e-3, 0.1], "max_iter": [2, 5, 9], "batch_size": [32]}
        search = GDGridSearchCV(MODEL, grid, cv=2).fit(X, Y)
        display = SearchDisplay.from_search(search, x="max_iter", y=None)
        assert display.label == "mean_test_score, best over learning_rate"
        best = search.cv_results_["mean_test_score"].reshape(1, 2, 3).max(axis=(0, 1))
        assert display.scores.tolist() == best.tolist()
        assert display.ax_.get_xscale() == "linear"

    def test_names_have_no_line(self):
        """Objects and None are side by side, and nothing is drawn between them."""
        grid = {"optimizer": ["sgd", optimizers.Adam(beta_1=0.5)]}
        display = SearchDisplay.from_search(GDGridSearchCV(MODEL, grid, cv=2).fit(X, Y))
        assert [label.get_text() for label in display.ax_.get_xticklabels()] == [
            "sgd",
            "Adam(beta_1=0.5)",
        ]
        assert display.errorbar_[0].get_linestyle() == "None"
        display = SearchDisplay.from_search(searched([1, 2, 3], precondition=["whiten", None, 1]))
        labels = {label.get_text() for label in display.ax_.get_xticklabels()}
        assert labels == {"whiten", "None", "1"}

    def test_diverged_and_exploded(self):
        """Neither hides the differences of the rest; both are marked inside the axes."""
        scores = [0.4, 0.5, 0.45, -1e200, np.nan]
        display = SearchDisplay.from_search(
            searched(scores, learning_rate=[0.001, 0.01, 0.1, 1.0, 10.0])
        )
        assert legend(display) == ["below 0.4", "diverged or failed", "best"]
        low, high = display.ax_.get_ylim()
        assert -1 < low < 0.4 and 0.5 < high < 1.5
        assert display.ax_.get_xlim()[1] > 10
        *_, exploded, failed = display.ax_.lines
        assert (exploded.get_xdata().tolist(), failed.get_xdata().tolist()) == ([1.0], [10.0])

    def test_a_plateau(self):
        """Candidates that are equally good do not make the others far away."""
        scores = [0.4887, 0.48871, 0.48869, 0.4887, 0.44, 0.2]
        alphas = [0.0, 1e-6, 1e-4, 1e-2, 1.0, 100.0]
        results = searched(scores, alpha=alphas)
        results.cv_results_["std_test_score"] = np.full(6, 0.02)
        display = SearchDisplay.from_search(results)
        assert legend(display) == ["best"]
        low, high = display.ax_.get_ylim()
        assert low < 0.2 and high > 0.4887 + 0.02
        table = searched(scores * 2, alpha=alphas * 2, l1_ratio=[0.0] * 6 + [1.0] * 6)
        table.cv_results_["std_test_score"] = np.full(12, 0.02)
        display = SearchDisplay.from_search(table)
        assert display.errors.shape == display.scores.shape
        assert display.image_.norm.vmin == 0.2
        assert legend(display) == ["best"]

    def test_everything_failed(self):
        display = SearchDisplay.from_search(searched([np.nan] * 3, alpha=[1, 2, 3]))
        assert (display.best, legend(display)) == (None, ["diverged or failed"])

    def test_one_split_has_no_error_bars(self):
        search = GDGridSearchCV(MODEL, {"alpha": ALPHAS}, cv=2).fit(X, Y)
        assert SearchDisplay.from_search(search, score="split1_test_score").errors is None

    def test_style(self):
        """Short names of matplotlib's arguments work."""
        search = searched([1, 2], alpha=[1, 2])
        display = SearchDisplay.from_search(search, curve_kwargs={"c": "red", "ls": ":"})
        assert display.errorbar_[0].get_color() == "red"
        assert display.errorbar_[0].get_linestyle() == ":"


class TestHeatMap:
    @pytest.mark.parametrize("search_class", GRIDS)
    def test_any_two_parameters(self, search_class):
        """The rate is vertical, names are, and a third parameter is in the label."""
        grid = {"alpha": ALPHAS, "learning_rate": [0.01, 0.1, 0.3], "average": [True, False]}
        search = search_class(MODEL, grid, cv=2).fit(X, Y)
        display = SearchDisplay.from_search(search)
        assert (display.x, display.y) == ("alpha", "learning_rate")
        assert display.label == "mean_test_score, best over average"
        best = search.cv_results_["mean_test_score"].reshape(4, 2, 3).max(axis=1).T
        np.testing.assert_array_equal(display.scores, best)
        assert display.figure_.axes[1].get_ylabel() == display.label
        named = SearchDisplay.from_search(search, x="alpha", y="average")
        assert named.y_values == [False, True]

    def test_names_are_vertical(self):
        grid = {"optimizer": ["adam", "sgd"], "learning_rate": [0.01, 0.1]}
        display = SearchDisplay.from_search(GDGridSearchCV(MODEL, grid, cv=2).fit(X, Y))
        assert (display.x, display.y) == ("learning_rate", "optimizer")

    def test_numbers_before_names(self):
        values = ["auto", 0.1, 0.01]
        rates, alphas = np.repeat(values, 2).astype(object), [1, 2] * 3
        rates = [value if value == "auto" else float(value) for value in rates]
        display = SearchDisplay.from_search(searched(range(6), learning_rate=rates, alpha=alphas))
        assert display.y_values == [0.01, 0.1, "auto"]

    def test_grids_with_different_parameters(self):
        """A parameter that a candidate does not set has a place of its own."""
        grids = [{"optimizer": ["adam"], "alpha": [0.1, 1.0]}, {"optimizer": ["sgd"]}]
        search = GDGridSearchCV(MODEL, grids, cv=2).fit(X, Y)
        display = SearchDisplay.from_search(search, x="alpha")
        assert display.x_values == [0.1, 1.0, "not set"]
        assert display.tried.tolist() == [[True, True, False], [False, False, True]]

    def test_lists_as_values(self):
        """Values need not be hashable."""
        sizes = [[1, 2], [3], [1, 2], [3]]
        display = SearchDisplay.from_search(searched(range(4), sizes=sizes, alpha=[1, 1, 2, 2]))
        assert display.scores.shape == (2, 2)


class TestPoints:
    @pytest.mark.parametrize("search_class", RANDOM)
    def test_random_search(self, search_class):
        """Each candidate is at its numbers, on a logarithmic axis where they are drawn so."""
        drawn = {"alpha": loguniform(1e-5, 10), "l1_ratio": uniform()}
        search = search_class(MODEL, drawn, n_iter=12, random_state=0, cv=2).fit(X, Y)
        display = SearchDisplay.from_search(search, x="l1_ratio", y="alpha")
        assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("linear", "log")
        results = search.cv_results_
        expected = np.c_[results["param_l1_ratio"], results["param_alpha"]].astype(float)
        where, order = display.points_.get_offsets().data, np.argsort(results["mean_test_score"])
        np.testing.assert_array_equal(where, expected[order])
        np.testing.assert_array_equal(
            display.points_.get_array(), results["mean_test_score"][order]
        )
        assert display.scores[display.best] == search.best_score_
        assert display.x_values[display.best] == search.best_params_["l1_ratio"]

    def test_names_on_one_axis(self):
        drawn = {"learning_rate": loguniform(1e-3, 1), "optimizer": ["adam", "sgd"]}
        search = GDRandomizedSearchCV(MODEL, drawn, n_iter=8, random_state=0, cv=2).fit(X, Y)
        display = SearchDisplay.from_search(search)
        assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["adam", "sgd"]
        places = [["adam", "sgd"].index(name) for name in display.y_values]
        assert sorted(places) == sorted(display.points_.get_offsets().data[:, 1])

    def test_diverged(self):
        rates, alphas = [0.001, 0.02, 0.5, 9.0], [0.3, 0.02, 1.0, 0.5]
        display = SearchDisplay.from_search(
            searched([1, 2, np.nan, np.nan], learning_rate=rates, alpha=alphas)
        )
        assert legend(display) == ["diverged or failed", "best"]
        assert display.points_.get_offsets().shape == (2, 2)
        crosses = display.ax_.collections[1].get_offsets().data
        assert sorted(crosses.tolist()) == [[0.5, 9.0], [1.0, 0.5]]

    def test_few_values_are_a_table(self):
        """A random search over lists, in which values repeat, is a heat map."""
        lists = {"alpha": [0.1, 1.0, 10.0], "learning_rate": [0.01, 0.1, 0.3]}
        search = GDRandomizedSearchCV(MODEL, lists, n_iter=7, random_state=0, cv=2).fit(X, Y)
        display = SearchDisplay.from_search(search)
        assert display.scores.shape == (3, 3)
        assert display.tried.sum() == 7


class TestRefuses:
    def test_the_same_parameter_twice(self):
        search = searched([1, 2], alpha=[1, 2], max_iter=[3, 4])
        with pytest.raises(ValueError, match=naming("x and y", "different", "'alpha'")):
            SearchDisplay.from_search(search, x="alpha", y="alpha")

    def test_no_other_parameter(self):
        with pytest.raises(ValueError, match=naming("x and y", "different", "y='alpha'")):
            SearchDisplay.from_search(searched([1, 2], alpha=[1, 2]), y="alpha")

    @pytest.mark.parametrize("axis", ["x", "y"])
    def test_an_unknown_parameter(self, axis):
        with pytest.raises(ValueError, match=naming(axis, "'alpha'", "'eta'", "not searched")):
            SearchDisplay.from_search(searched([1, 2], alpha=[1, 2]), **{axis: "eta"})

    def test_what_is_no_search(self):
        model = GDRegressor().fit(np.eye(3), np.arange(3))
        with pytest.raises(TypeError, match=naming("search", "GDGridSearchCV", "GDRegressor()")):
            SearchDisplay.from_search(model)

    def test_nothing_was_searched(self):
        with pytest.raises(ValueError, match=naming("search", "parameter")):
            SearchDisplay.from_search(searched([1]))
