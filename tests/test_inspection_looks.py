"""The displays are readable for any data, and refuse what cannot be drawn."""

import functools
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV

from helpers.assertions import naming
from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, optimizers, schedules

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgba  # noqa: E402

from sk_gd.inspection import (  # noqa: E402
    LossCurveDisplay,
    LossLandscapeDisplay,
    ScheduleDisplay,
    SearchDisplay,
    record_path,
)

X, Y = load_diabetes(return_X_y=True)
QUICK = {"max_iter": 4, "tol": None, "random_state": 0}


pytestmark = pytest.mark.usefixtures("close_figures")


@pytest.fixture(scope="module")
def model():
    return GDRegressor("adam", **QUICK).fit(X, Y)


@pytest.fixture(scope="module")
def path():
    return record_path(GDRegressor("adam", **QUICK), X, Y)


def heat_map(scores, **options):
    rows, columns = np.shape(scores)
    tried = np.ones((rows, columns), dtype=bool)
    axes = [list(range(columns)), list(range(rows))]
    return SearchDisplay(*axes, np.array(scores), tried, None, "x", "y", **options).plot()


def boxes(display, artists):
    """The boxes of artists after the layout."""
    display.figure_.draw_without_rendering()
    return [artist.get_window_extent() for artist in artists]


class TestStyle:
    @pytest.mark.parametrize(
        "kwargs, name, value",
        [({"lw": 3}, "linewidth", 3), ({"c": "r"}, "color", "r"), ({"ls": ":"}, "linestyle", ":")],
    )
    def test_short_names(self, kwargs, name, value, model, path):
        """The short names of ``ax.plot`` work, and apply to every curve."""
        early = GDRegressor("adam", early_stopping=True, **QUICK).fit(X, Y)
        race = [model, early]
        displays = [
            LossCurveDisplay.from_estimator(race, curve_kwargs=kwargs),
            LossCurveDisplay.from_estimator(early, curve_kwargs=kwargs),
            ScheduleDisplay.from_schedule(["cosine", "step"], curve_kwargs=kwargs),
            LossLandscapeDisplay.from_estimator(
                model, X, Y, n_directions=1, paths=path, resolution=3
            ).plot(path_kwargs=kwargs),
        ]
        assert [len(display.lines_) for display in displays] == [3, 2, 2, 1]
        for display in displays:
            assert {getattr(line, f"get_{name}")() for line in display.lines_} == {value}

    def test_on_dark_pages(self, model, path):
        """Every line differs from the background."""
        early = GDRegressor("adam", early_stopping=True, **QUICK).fit(X, Y)
        with plt.style.context("dark_background"):
            display = LossCurveDisplay.from_estimator([early] * 3)
            ground = to_rgba(display.ax_.get_facecolor())
            assert ground == to_rgba("black")
            assert ground not in [to_rgba(line.get_color()) for line in display.lines_]
            assert to_rgba(display.lines_[1].get_markerfacecolor()) == ground
            display = LossLandscapeDisplay.from_estimator(
                model, X, Y, directions="pca", paths=[path] * 3, resolution=3
            )
            assert to_rgba(display.lines_[2].get_color()) == to_rgba("black")
            failed = heat_map([[0.0, np.nan]])
            (hatched,) = failed.ax_.patches
            assert hatched.get_facecolor() == ground

    def test_names_in_small_axes(self, model):
        """The legend leaves half of the axes free."""
        _, (ax, _) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
        race = {f"model with a long name {i}": model for i in range(8)}
        display = LossCurveDisplay.from_estimator(race, ax=ax)
        legend, axes = boxes(display, [ax.get_legend(), ax])
        assert legend.width * legend.height < 0.5 * axes.width * axes.height

    def test_one_epoch(self):
        display = LossCurveDisplay({"SGD": [3.0]}).plot()
        low, high = display.ax_.get_xlim()
        assert [tick for tick in display.ax_.get_xticks() if low <= tick <= high] == [1]

    @pytest.mark.parametrize("given", [None, "constrained", "none"])
    @pytest.mark.parametrize("count", [10, 25, 35])
    def test_many_names(self, count, given, model):
        """A long legend is beside the axes and within the figure."""
        ax = None if given is None else plt.subplots(layout=given)[1]
        race = {f"model number {i}": model for i in range(count)}
        display = LossCurveDisplay.from_estimator(race, ax=ax)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            legend, axes = boxes(display, [display.ax_.get_legend(), display.ax_])
        page = display.figure_.bbox
        assert len(display.ax_.get_legend().get_texts()) == count
        assert axes.width > (0.55 if given else 0.7) * 6.4 * display.figure_.dpi
        assert axes.height > 0.7 * page.height
        assert legend.x0 >= axes.x1 - 1
        assert legend.x1 <= page.x1 and legend.y0 >= page.y0 and legend.y1 <= page.y1
        assert display.ax_.get_in_layout()

    def test_long_title(self):
        optimizer = optimizers.ClipNorm(
            optimizers.ScheduleFreeAdamW(beta_1=0.8, beta_2=0.95, weight_decay=0.1), max_norm=0.5
        )
        display = LossCurveDisplay.from_estimator(GDRegressor(optimizer, **QUICK).fit(X, Y))
        title = display.ax_.title
        (box,) = boxes(display, [title])
        assert display.figure_.bbox.x0 <= box.x0 and box.x1 <= display.figure_.bbox.x1
        assert "".join(title.get_text().split()) == "".join(repr(optimizer).split())

    def test_functions_have_names(self):
        def warm(epochs, horizon, start=0.1):
            return np.minimum(1, start + epochs / 5)

        _private = warm
        _private.__name__ = "_private"
        given = [
            functools.partial(warm, start=0.5),
            schedules.Warmup(then=lambda epochs, horizon: 1 / (1 + epochs)),
            lambda epochs, horizon: epochs / horizon,
            lambda epochs, horizon: 1 - epochs / horizon,
            warm,
        ]
        display = ScheduleDisplay.from_schedule(given)
        names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert names[1:] == ["Warmup(then=<lambda>)", "<lambda>", "<lambda> (2)", "private"]
        assert "0x" not in names[0]


class TestNames:
    def test_what_differs(self):
        race = [
            GDRegressor("adam", learning_rate=rate, **QUICK).fit(X, Y) for rate in (0.1, 0.01, 0.1)
        ]
        lines = LossCurveDisplay.from_estimator(
            [*race, GDRegressor("sgd", **QUICK).fit(X, Y)]
        ).lines_
        assert [line.get_label() for line in lines[:3]] == [
            "Adam, learning_rate=0.1",
            "Adam, learning_rate=0.01",
            "Adam, learning_rate=0.1 (2)",
        ]
        assert lines[3].get_label() == "SGD"
        states = [np.random.RandomState(0), np.random.RandomState(1)]
        race = [GDRegressor("adam", **QUICK | {"random_state": one}).fit(X, Y) for one in states]
        lines = LossCurveDisplay.from_estimator(race).lines_
        assert [line.get_label() for line in lines] == ["Adam", "Adam (2)"]

    def test_numbers(self, model):
        """The names in a dict may be numbers."""
        display = LossCurveDisplay.from_estimator({0.1: model})
        assert display.ax_.get_title() == "0.1"
        assert len(LossCurveDisplay({1: [3, 2], 2: [2, 1]}).plot().lines_) == 2

    def test_of_a_search(self):
        search = GridSearchCV(GDRegressor("adam", **QUICK), {"learning_rate": [0.1, 0.01]}, cv=2)
        with pytest.raises(ValueError, match="(?i)not fitted"):
            LossCurveDisplay.from_estimator(search)
        (line,) = LossCurveDisplay.from_estimator(search.fit(X, Y)).lines_
        assert line.get_ydata().tolist() == search.best_estimator_.loss_curve_


class TestHeatMap:
    def test_ticks_of_a_large_search(self):
        """The labels do not overlap."""
        rates, epochs = np.logspace(-4, 0, 30).tolist(), list(range(100, 130))
        grid = {"learning_rate": rates, "max_iter": epochs}
        scores = np.random.default_rng(0).random((30, 30))
        for x, y in (("learning_rate", "max_iter"), ("max_iter", "learning_rate")):
            tried = np.ones((30, 30), dtype=bool)
            display = SearchDisplay(grid[x], grid[y], scores, tried, (0, 0), x, y).plot()
            for axis in (display.ax_.xaxis, display.ax_.yaxis):
                labels = [label for label in axis.get_ticklabels() if label.get_text()]
                assert len(labels) > 3
                found = boxes(display, labels)
                assert not any(a.overlaps(b) for a, b in zip(found, found[1:], strict=False))

    def test_every_name_is_shown(self):
        """Names cannot be left out; where there is no room they are rotated."""
        names = [f"ScheduleFreeAdamW{i}" for i in range(6)]
        tried = np.ones((1, 6), dtype=bool)
        display = SearchDisplay(names, [1], np.ones((1, 6)), tried, None, "x", "y").plot()
        labels = display.ax_.get_xticklabels()
        assert [label.get_text() for label in labels] == names
        found = boxes(display, labels)
        assert not any(a.overlaps(b) for a, b in zip(found, found[1:], strict=False))

    def test_labels_tell_values_apart(self):
        values = [0.1, 0.10001, 0.1001]
        tried = np.ones((3, 3), dtype=bool)
        display = SearchDisplay(values, values, np.ones((3, 3)), tried, None, "x", "y").plot()
        for labels in (display.ax_.get_xticklabels(), display.ax_.get_yticklabels()):
            assert [float(label.get_text()) for label in labels] == values

    @pytest.mark.parametrize(
        "scores",
        [
            [[-3210.4, -3211.9], [-3300.0, -4000.0]],
            [[0.95, 0.9501], [-0.1, 0.0]],
            [[-1e5, -2e7], [-1e255, 0.5]],
        ],
    )
    def test_cells_tell_scores_apart(self, scores):
        texts = heat_map(scores).text_
        assert len({text.get_text() for text in texts}) == 4
        for text, score in zip(texts, np.ravel(scores), strict=True):
            assert float(text.get_text()) == pytest.approx(score, rel=1e-3, abs=1e-3)

    def test_scores_stay_in_their_cells(self):
        """Scores are left out where they would not be readable."""
        for shape in ((6, 20), (12, 10), (120, 1)):
            scores = np.random.default_rng(0).random(shape)
            display = heat_map(scores)
            assert len(display.text_) == len(display.ax_.texts)
            assert shape[0] < 100 or not display.text_
            widths = [box.width for box in boxes(display, display.text_)]
            axes = display.ax_.get_window_extent()
            assert max(widths, default=0) < 1.05 * axes.width / shape[1]

    def test_colours_of_what_exploded(self):
        """Good, untrained and exploded scores have different colours."""
        scores = [[0.50, 0.49, 0.48, 0.47], [0.45, 0.40, 0.13, -0.02], [-1e255, -1e30, -1e9, 0.46]]
        display = heat_map(scores)
        colours = [display.image_.to_rgba(score) for score in (0.5, 0.45, 0.13, -0.02, -1e9)]
        for i, colour in enumerate(colours):
            assert all(np.abs(np.subtract(colour, other)).max() > 0.05 for other in colours[:i])
        assert display.image_.to_rgba(-1e255) == display.image_.to_rgba(-1e9)
        names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert names == ["below -0.02"]
        plain = heat_map([[0.5, 0.4], [0.3, 0.2]])
        assert plain.ax_.get_legend() is None
        assert (plain.image_.norm.vmin, plain.image_.norm.vmax) == (0.2, 0.5)

    def test_functions_as_values(self):
        def warm(epochs, horizon):
            return np.minimum(1, epochs / 5)

        grid = {
            "schedule": ["cosine", warm, lambda epochs, horizon: 1 / (1 + epochs)],
            "max_iter": [2, 4],
        }
        search = GDGridSearchCV(GDRegressor("adam", **QUICK), grid, cv=2).fit(X, Y)
        labels = SearchDisplay.from_search(search, y="schedule").ax_.get_yticklabels()
        assert {label.get_text() for label in labels} == {"cosine", "warm", "<lambda>"}


ONE_POINT = [(np.ones(10), 0.0)]


class TestRefuses:
    @pytest.mark.parametrize(
        "options, words",
        [
            ({"directions": (np.ones(10), 0.0)}, ["directions", "list", "(coef, intercept)"]),
            ({"directions": [np.ones(10)]}, ["directions", "list", "(coef, intercept)"]),
            ({"directions": [(np.full(10, np.nan), 0.0)]}, ["directions", "finite"]),
            ({"directions": np.ones(10)}, ["directions", "'random'", "'pca'"]),
            ({"paths": (np.ones(10), 0.0)}, ["paths", "list", "(coef, intercept)"]),
            ({"paths": "adam"}, ["paths", "list", "(coef, intercept)", "'adam'"]),
            ({"paths": {"mine": [(np.full(10, np.inf), 0.0)]}}, ["paths", "finite"]),
            ({"width": "a"}, ["width", "positive", "finite", "'a'"]),
            ({"width": True}, ["width", "positive", "finite", "True"]),
            ({"width": 1e160}, ["width", "1e+160"]),
            ({"n_directions": True}, ["n_directions", "1 or 2", "True"]),
            ({"n_directions": 2.0}, ["n_directions", "1 or 2", "2.0"]),
            ({"directions": "pca", "paths": [ONE_POINT]}, ["'pca'", "2 directions", "Got fewer"]),
        ],
    )
    def test_landscape(self, options, words, model):
        with pytest.raises(ValueError, match=naming(*words)):
            LossLandscapeDisplay.from_estimator(model, X, Y, resolution=4, **options)

    def test_width_of_rounding_errors(self):
        classifier = GDClassifier("lbfgs", random_state=0).fit(X, Y > 140)
        with pytest.raises(ValueError, match=naming("width", "rounding", "1e-12")):
            LossLandscapeDisplay.from_estimator(classifier, X, Y > 140, width=1e-12, random_state=0)

    def test_paths_as_tuples(self, model, path):
        """Paths may be tuples; a tuple of two models is not taken for one model."""
        two = path[:2]
        cases = [(tuple(path), 5), (tuple(two), 2), ([tuple(two)], 2), ({"path": tuple(path)}, 5)]
        for paths, count in cases:
            display = LossLandscapeDisplay.from_estimator(
                model, X, Y, paths=paths, resolution=3, random_state=0
            )
            assert list(display.paths) == ["path"]
            assert len(display.lines_[0].get_xdata()) == count

    @pytest.mark.parametrize("horizon", ["10", np.inf, np.nan, True, None, -1])
    def test_horizon(self, horizon):
        with pytest.raises(
            ValueError, match=naming("horizon", "positive", "finite", repr(horizon))
        ):
            ScheduleDisplay.from_schedule("cosine", horizon=horizon)

    def test_empty_input(self):
        with pytest.raises(ValueError, match=naming("schedule", "at least one")):
            ScheduleDisplay.from_schedule([])
        with pytest.raises(ValueError, match=naming("multipliers", "at least one")):
            ScheduleDisplay([0, 1], {}).plot()
        with pytest.raises(ValueError, match=naming("curves", "at least one")):
            LossCurveDisplay({}).plot()

    @pytest.mark.parametrize("minimum", [np.nan, np.inf, "low", 1e9])
    def test_minimum(self, minimum, model):
        with pytest.raises(ValueError, match="^minimum"):
            LossCurveDisplay.from_estimator(model, minimum=minimum)

    def test_logarithm_of_what_is_negative(self):
        with pytest.raises(ValueError, match=naming("log", "False")):
            LossCurveDisplay({"mine": [-1.0, -2.0]}).plot(log=True)

    def test_values_that_cannot_be_drawn(self):
        offsets = np.linspace(-1, 1, 3), np.linspace(-1, 1, 3)
        with pytest.raises(ValueError, match=naming("values", "finite", "inf")):
            LossLandscapeDisplay(offsets, np.full((3, 3), np.inf), np.inf).plot()
