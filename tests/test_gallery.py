"""The pages of the gallery run, and their statements hold."""

import re
import runpy

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, recall_score

from helpers.project import ROOT

pyplot = pytest.importorskip("matplotlib.pyplot")

EXAMPLES = ROOT / "examples"
HEADER = (EXAMPLES / "GALLERY_HEADER.rst").read_text("utf-8")
PAGES = [path.stem for path in EXAMPLES.glob("plot_*.py")]


def numbers(line):
    """The numbers in a line of output."""
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", line)]


@pytest.fixture
def page(monkeypatch, capsys):
    """A function that runs a page and returns its variables and its output."""

    def show():
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            for axis in ("x", "y"):
                labels = [getattr(figure, f"get_sup{axis}label")()]
                labels += [getattr(ax, f"get_{axis}label")() for ax in figure.axes]
                assert any(labels), f"a figure without a name of its {axis} axis"
        figures.extend(pyplot.get_fignums())
        pyplot.close("all")

    def run(name):
        monkeypatch.setattr(pyplot, "show", show)
        names = runpy.run_path(str(EXAMPLES / f"plot_{name}.py"))
        assert figures, "no picture"
        assert not pyplot.get_fignums(), "a picture that is not shown"
        return names, capsys.readouterr().out

    figures = []
    pyplot.switch_backend("agg")
    yield run
    pyplot.close("all")


def test_first_page_names_every_page_once():
    assert sorted(re.findall(r":doc:`(plot_\w+)`", HEADER)) == sorted(PAGES)


def test_every_page_is_tested():
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {name.removeprefix("plot_") for name in PAGES} <= tests


def test_untuned(page):
    """The gap falls with the epochs, and after twenty the default has the smallest."""
    names, output = page("untuned")
    after_twenty = [numbers(line)[-1] for line in output.splitlines()]
    assert min(after_twenty) == after_twenty[-1] < 2
    assert after_twenty[0] > 100  # worse than no model
    ours = names["curves"]["GDClassifier()"]
    assert ours[-1] < ours[0] / 10


def test_minimize_any_function(page):
    """The minima are the published ones; on a parabola the steps have a closed form."""
    _, output = page("minimize_any_function")
    points = [numbers(point) for point in re.findall(r"\[(.*?)\]", output)]
    expected = [[1.0, 1.0]] * 6 + [
        [3.0, 2.0],
        [-2.8051, 3.1313],
        [-3.7793, -3.2832],
        [3.5844, -1.8481],
    ]
    assert points[3:] == [pytest.approx(point, abs=2e-4) for point in expected]
    ways = [3 - np.array(numbers(line)) for line in output.splitlines() if "[" not in line]
    for way, rate in zip(ways, (0.25, 0.9, 1.02), strict=True):
        assert way == pytest.approx(3 * (1 - 2 * rate) ** np.arange(1, 7), abs=1e-4)


def test_momentum_ravine(page):
    """Steps grow with the condition number, or with its square root (Nesterov 1983)."""
    names, output = page("momentum_ravine")
    lines = dict(line.split(maxsplit=1) for line in output.splitlines())
    slopes = {name: numbers(lines[name])[-1] for name in names["needed"]}
    assert slopes == {
        "SGD": pytest.approx(1, abs=0.1),
        "HeavyBall": pytest.approx(0.5, abs=0.1),
        "Nesterov": pytest.approx(0.5, abs=0.1),
    }
    heights = {name: names["ravine"](path[-1]) for name, path in names["paths"].items()}
    assert heights["Nesterov"] < heights["Momentum"] < heights["SGD"] / 100
    across = np.sign(names["paths"]["SGD"][:, 1])
    assert np.all(across[1:] == -across[:-1])  # it zig-zags


def test_loss_landscape(page):
    names, _ = page("loss_landscape")
    gaps = {
        name: values[-1] - names["display"].centre
        for name, (_, values) in names["display"].paths.items()
    }
    assert 0 < gaps["momentum"] < gaps["gradient descent"]


def test_preconditioning(page):
    names, _ = page("preconditioning")
    away = [
        np.linalg.norm(names["path"](precondition) - names["minimiser"], axis=1)
        for precondition in (None, "standardize", "whiten")
    ]
    assert away[0][30] > 10 * away[1][30]
    assert away[2][1] < 1e-6  # the first step is Newton's


def test_random_search(page):
    names, _ = page("random_search")
    counts = names["counts"]
    assert max(counts["sgd"]) <= 5
    assert all(np.diff(counts["random_local_search"]) >= 0)
    blind = np.array(counts["random_search"])
    assert blind[-1] == np.inf and len(blind) < 7
    # The factor grows with every feature, as volumes do.
    assert np.all(np.diff(np.log(blind[:4])) > 0) and blind[3] > 10 * blind[0]


def test_batch_sizes(page):
    names, _ = page("batch_sizes")
    batch, mini, single = (gaps for _, _, gaps in names["found"].values())
    milliseconds = [each for _, each, _ in names["found"].values()]
    assert milliseconds[0] == min(milliseconds) < milliseconds[2] / 2
    assert max(mini[1], single[1]) < batch[1] / 100
    assert batch[-1] < min(mini.min(), single.min())
    constant, slow, average, cosine = (np.median(gaps[-5:]) for gaps in names["remedied"].values())
    assert max(average, cosine) < slow < constant
    assert names["remedied"]["a tenth of the rate"][0] > names["remedied"]["constant rate"][0]


def test_learning_rate_schedules(page):
    names, _ = page("learning_rate_schedules")
    gaps = names["gaps"]
    assert gaps["constant"] == max(gaps.values())
    assert gaps["cosine"] < gaps["constant"] / 100


def test_optimizer_race(page):
    names, _ = page("optimizer_race")
    final = names["final"]
    assert all(final[name, "cosine"] < final[name, "constant"] for name in names["STYLES"])
    constant = {name: final[name, "constant"] for name in names["STYLES"]}
    assert constant["adagrad"] == min(constant.values())
    raw = {name: gaps[-1] for name, gaps in names["raw"].items()}
    assert raw["adam"] < min(raw["sgd"], raw["momentum"]) / 20
    assert max(raw["adagrad"], raw["rmsprop"]) < min(raw["sgd"], raw["momentum"]) / 5
    # In scaled coordinates there is no such difference.
    assert final["adam", "cosine"] > final["sgd", "cosine"] / 5


def test_softmax_and_svm(page):
    names, output = page("softmax_and_svm")
    errors = [float(error) for error in re.findall(r"GradientCheck\(error=(\S+) ", output)]
    assert len(errors) == 2 and max(errors) < 1e-6
    softmax, svm = (names["pull"](model) for model in names["MODELS"].values())
    assert softmax.min() > 0
    assert np.mean(svm == 0) > 0.5
    moved = [float(share) for share in re.findall(r"([\d.]+) ?%", output)]
    assert moved[0] > 10 and moved[1] < 0.1


def test_imbalanced(page):
    names, output = page("imbalanced")
    plain, weighted = (
        average_precision_score(names["y_test"], names[model].decision_function(names["X_test"]))
        for model in ("plain", "weighted")
    )
    assert plain == pytest.approx(weighted, abs=0.01)
    y_test = names["y_test"]
    recall = [
        recall_score(y_test, model.predict(names["X_test"])) for model in names["MODELS"].values()
    ]
    assert recall[0] < 0.5 < min(recall[1:])
    brier = [brier_score_loss(y_test, p) for p in names["probabilities"].values()]
    assert brier[1] > 2 * brier[0]
    printed = numbers(output)
    assert {*np.round(recall, 2), *np.round(brier, 4)} <= set(printed)
    assert brier[2] == pytest.approx(brier[0], rel=0.01)


@pytest.mark.slow
def test_sparse_text(page):
    names, _ = page("sparse_text")
    exact, ftrl, adagrad = (
        np.array(names["weights"][name]) for name in ("minimum", "FTRL", "Adagrad")
    )
    theirs = LogisticRegression(
        C=1 / (names["ALPHAS"][0] * len(names["y_train"])), l1_ratio=1, solver="saga", max_iter=1000
    ).fit(names["X_train"], names["y_train"])
    assert np.count_nonzero(theirs.coef_) == pytest.approx(exact[0], abs=2)  # tiny ones
    # The texts are those of whatever is installed.
    assert np.all((exact <= ftrl) & (ftrl < 5 * exact))
    assert np.all(adagrad > 10 * exact)
    assert np.all(np.array(names["accuracies"]["FTRL"])[1:] > 0.85)


@pytest.mark.slow
def test_dask(page):
    """A cluster gives the model of one machine, in whatever order the rows are."""
    pytest.importorskip("distributed")
    _, output = page("dask")
    assert [numbers(line)[-1] < 1e-10 for line in output.splitlines()] == [True, True]


def test_out_of_core(page):
    names, output = page("out_of_core")
    loaded, mapped, chunked = (float(peak) for peak in re.findall(r"([\d.]+) MB", output))
    assert loaded > 5 * max(mapped, chunked)
    gaps = list(names["gaps"].values())
    # Rows on disk are shuffled in longer runs.
    assert max(gaps[1:]) < 10 * gaps[0]
    assert names["found"][-1] > 100 * gaps[2]  # the last to be drawn is sorted by class


def test_search_heat_map(page):
    names, output = page("search_heat_map")
    ours, theirs = names["searches"].values()
    assert ours.best_params_ == theirs.best_params_
    assert names["apart"] < 1e-8
    assert names["diverged"][0] == names["diverged"][1] > 0
    rates = ours.cv_results_["param_learning_rate"].data.astype(float)
    scores = ours.cv_results_["mean_test_score"]
    worse = scores < 0
    assert np.isnan(scores).sum() == names["diverged"][0]
    printed = {names["diverged"][0], worse.sum(), rates[worse].min(), ours.best_score_.round(6)}
    assert printed <= set(numbers(output))
    # The bad scores are beside those that diverged; the first cell is the lowest.
    assert min(rates[np.isnan(scores)]) >= min(rates[worse]) > max(rates[scores >= 0])
    assert 0 <= scores[0] == min(scores[scores >= 0]) < 0.05


@pytest.mark.slow
def test_early_stopping(page):
    names, _ = page("early_stopping")
    leaked, honest = names["too_good"]
    error = np.std(leaked) / np.sqrt(len(leaked))
    assert np.mean(leaked) > 3 * error
    assert abs(np.mean(honest)) < 2 * np.std(honest) / np.sqrt(len(honest))
    assert np.all(leaked > honest)
    stopped, searched = (np.mean(losses) for losses in names["losses"].values())
    assert searched < stopped


@pytest.mark.slow
def test_own_optimizer(page):
    names, output = page("own_optimizer")
    losses = {name: model.loss_curve_[-1] for name, model in names["fitted"].items()}
    assert losses["NormalizedMomentum"] < losses["SGD"]
    (error,) = re.findall(r"GradientCheck\(error=(\S+) ", output)
    assert float(error) < 1e-6
    errors = [re.search(r"\d\.\d{3}\b", line) for line in output.splitlines()[-5:]]
    squared, huber, own, *found = (float(error[0]) for error in errors)
    assert own < huber < squared / 2
    # Three ways to one minimum; the noise allows an error of about sqrt(2 / 500) per entry.
    assert found == [pytest.approx(own, abs=2e-3)] * 2 and own < 0.2
