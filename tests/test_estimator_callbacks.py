"""scikit-learn's callbacks: a task per epoch, scores, a progress bar, and early stops."""

import numpy as np
import pytest
import sklearn
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import make_classification, make_regression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.assertions import reloaded
from helpers.callbacks import Callback
from sk_gd import DivergenceError, GDClassifier, GDRegressor
from sk_gd.optimizers import Optimizer

X, TARGET = make_regression(90, 4, noise=3.0, bias=5.0, random_state=0)
LABELS = make_classification(90, 4, random_state=0)[1]
QUICK = {"tol": None, "random_state": 0}


class Recorder:
    """Records every call of its hooks."""

    def __init__(self):
        self.calls = []
        self.models = []

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.calls.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.calls.append(("end", context.task_name))
        self.models.append((context.task_name, fitted_estimator))


class StopAfter(Callback):
    """A user's stopping rule: stop after the epoch `last`."""

    def __init__(self, last):
        self.last = last

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id + 1 >= self.last


@pytest.mark.parametrize("make, y", [(GDRegressor, TARGET), (GDClassifier, LABELS)])
def test_one_task_an_epoch(make, y):
    recorder = Recorder()
    make(max_iter=3, **QUICK).set_callbacks(recorder).fit(X, y)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    assert recorder.calls == [
        ("setup", "fit"),
        ("begin", "fit"),
        *(3 * epoch),
        ("end", "fit"),
        ("teardown", "fit"),
    ]


def test_partial_fit_is_one_epoch():
    recorder = Recorder()
    model = GDRegressor(**QUICK).set_callbacks(recorder)
    model.partial_fit(X, TARGET).partial_fit(X, TARGET)
    assert recorder.calls.count(("begin", "epoch")) == 2
    assert recorder.calls.count(("teardown", "fit")) == 2


@pytest.mark.parametrize("settings", [{}, {"average": True}, {"early_stopping": True}])
def test_the_model_of_every_epoch_is_that_of_a_shorter_fit(settings):
    recorder = Recorder()
    settings = {"batch_size": 16, **QUICK, **settings}
    GDRegressor(max_iter=3, **settings).set_callbacks(recorder).fit(X, TARGET)
    models = [model for name, model in recorder.models if name == "epoch"]
    for epochs, model in enumerate(models, start=1):
        short = GDRegressor(max_iter=epochs, **settings).fit(X, TARGET)
        assert model.n_iter_ == epochs
        np.testing.assert_array_equal(model.predict(X), short.predict(X))


def test_callbacks_change_nothing():
    one = GDRegressor(max_iter=5, **QUICK).fit(X, TARGET)
    other = GDRegressor(max_iter=5, **QUICK).set_callbacks(Recorder()).fit(X, TARGET)
    np.testing.assert_array_equal(one.coef_, other.coef_)
    assert set(vars(other)) - set(vars(one)) == {"_skl_callbacks"}


class TestStopFromOutside:
    def test_alone(self):
        model = GDRegressor(max_iter=50).set_callbacks(StopAfter(3)).fit(X, TARGET)
        assert model.n_iter_ == len(model.loss_curve_) == 3
        short = GDRegressor(max_iter=3, tol=None).fit(X, TARGET)
        np.testing.assert_array_equal(model.coef_, short.coef_)

    def test_in_a_pipeline(self):
        model = GDRegressor(max_iter=50, **QUICK).set_callbacks(StopAfter(3))
        pipeline = make_pipeline(StandardScaler(), model).fit(X, TARGET)
        assert pipeline[-1].n_iter_ == 3

    def test_in_a_grid_search(self):
        model = GDRegressor(max_iter=50, **QUICK).set_callbacks(StopAfter(3))
        search = GridSearchCV(model, {"learning_rate": [0.01, 0.1]}, cv=3).fit(X, TARGET)
        assert search.best_estimator_.n_iter_ == 3
        # The callback stops the fits on the folds, too.
        best = search.best_params_["learning_rate"]
        rows = np.arange(90) >= 30
        fold = GDRegressor(max_iter=3, learning_rate=best, **QUICK).fit(X[rows], TARGET[rows])
        score = search.cv_results_["split0_test_score"][search.best_index_]
        assert score == fold.score(X[~rows], TARGET[~rows])

    def test_it_can_be_resumed(self):
        model = GDRegressor(max_iter=50, warm_start=True, **QUICK).set_callbacks(StopAfter(3))
        model.fit(X, TARGET).fit(X, TARGET)
        whole = GDRegressor(max_iter=6, **QUICK).fit(X, TARGET)
        assert model.n_iter_ == 6
        np.testing.assert_array_equal(model.coef_, whole.coef_)


class Interrupt(StopAfter):
    """Ctrl-C at the end of the epoch `last`."""

    def on_fit_task_end(self, estimator, context):
        if super().on_fit_task_end(estimator, context):
            raise KeyboardInterrupt


class TestInterrupt:
    """Ctrl-C during `fit` keeps the model so far."""

    @pytest.mark.parametrize("fitted", [False, True])
    @pytest.mark.parametrize("settings", [{}, {"average": True}, {"early_stopping": True}])
    def test_the_model_so_far(self, fitted, settings):
        settings = {"batch_size": 16, **QUICK, **settings}
        model = GDRegressor(max_iter=6, **settings)
        if fitted:
            model.fit(X[:20], TARGET[:20])
        model.set_callbacks(Interrupt(3))
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, TARGET)
        short = GDRegressor(max_iter=3, **settings).fit(X, TARGET)
        assert model.n_iter_ == len(model.loss_curve_) == 3
        np.testing.assert_array_equal(model.predict(X), short.predict(X))

    def test_within_an_epoch(self):
        """The weights are those of the latest step."""

        class Counting(Optimizer):
            def init(self, w):
                return {"steps": np.zeros(1)}

            def step(self, w, g, lr, state):
                if state["steps"] == 34:
                    return self.end()
                state["steps"] += 1
                w -= lr * g

        class Interrupting(Counting):
            def end(self):
                raise KeyboardInterrupt

        class Resting(Counting):
            def end(self):
                pass

        settings = {"batch_size": 9, "learning_rate": 0.1, "max_iter": 9, **QUICK}
        model = GDRegressor(Interrupting(), **settings)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, TARGET)
        assert model.n_iter_ == 3
        np.testing.assert_array_equal(
            model.coef_, GDRegressor(Resting(), **settings).fit(X, TARGET).coef_
        )

    def test_while_an_epoch_is_scored(self):
        """The epoch is in no curve, and the model can be stored."""

        def score(model, X, y):
            scored.append(model.score(X, y))
            if len(scored) == 4:
                raise KeyboardInterrupt
            return scored[-1]

        scored, held_out = [], {"X_val": X[:20], "y_val": TARGET[:20]}
        model = GDRegressor(max_iter=6, scoring=score, **QUICK)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, TARGET, **held_out)
        model = reloaded(model.set_params(scoring=None))
        short = GDRegressor(max_iter=3, scoring="r2", **QUICK).fit(X, TARGET, **held_out)
        np.testing.assert_array_equal(model.coef_, short.coef_)
        for curve in ("loss_curve_", "evaluation_curve_", "validation_loss_curve_"):
            assert getattr(model, curve) == getattr(short, curve)
        assert model.validation_scores_ == short.validation_scores_ == scored[:3]

    def test_the_next_fit_continues(self):
        model = GDRegressor(max_iter=6, warm_start=True, **QUICK).set_callbacks(Interrupt(2))
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, TARGET)
        model.set_callbacks().set_params(max_iter=4).fit(X, TARGET)
        whole = GDRegressor(max_iter=6, **QUICK).fit(X, TARGET)
        np.testing.assert_array_equal(model.coef_, whole.coef_)

    def test_before_the_end_of_an_epoch_nothing_is_fitted(self):
        class AtOnce(Interrupt):
            def on_fit_task_begin(self, estimator, context):
                raise KeyboardInterrupt

        model = GDRegressor(**QUICK).set_callbacks(AtOnce(1))
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, TARGET)
        assert not hasattr(model, "coef_")

    def test_partial_fit_leaves_the_model_as_it_was(self):
        model = GDRegressor(**QUICK).partial_fit(X, TARGET)
        before = {name: value for name, value in vars(model).items() if name.endswith("_")}
        model.set_callbacks(Interrupt(1))
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X, TARGET)
        after = {name: value for name, value in vars(model).items() if name.endswith("_")}
        assert after.keys() == before.keys()
        assert all(after[name] is before[name] for name in before)


class TestTeardown:
    def test_after_divergence(self):
        recorder = Recorder()
        model = GDRegressor("sgd", learning_rate=1e200, max_iter=9, **QUICK)
        with pytest.raises(DivergenceError):
            model.set_callbacks(recorder).fit(X, TARGET)
        assert recorder.calls[-1] == ("teardown", "fit")
        assert set(vars(model)) == {*model.get_params(deep=False), "_skl_callbacks"}

    @pytest.mark.parametrize("fitted", [False, True])
    def test_after_bad_data(self, fitted):
        recorder = Recorder()
        model = GDRegressor(max_iter=2, **QUICK)
        model = model.fit(X, TARGET) if fitted else model
        before = set(vars(model))
        with pytest.raises(ValueError, match="NaN"):
            model.set_callbacks(recorder).fit(X * np.nan, TARGET)
        assert [call for call in recorder.calls if call[0] == "setup"] in ([], [("setup", "fit")])
        assert len(recorder.calls) % 2 == 0 and ("begin", "epoch") not in recorder.calls
        assert set(vars(model)) == before | {"_skl_callbacks"}

    @pytest.mark.parametrize("task", ["epoch", "fit"])
    def test_after_a_callback_that_fails(self, task):
        class Failing(Recorder):
            def on_fit_task_end(self, estimator, context):
                if context.task_name == task:
                    raise RuntimeError("no more")

        callback = Failing()
        model = GDRegressor(max_iter=2, **QUICK).set_callbacks(callback)
        with pytest.raises(RuntimeError, match="no more"):
            model.fit(X, TARGET)
        assert callback.calls[-1] == ("teardown", "fit")
        assert not hasattr(model, "coef_")
        model.set_callbacks().fit(X, TARGET, X_val=X[:9], y_val=TARGET[:9])
        before = vars(model).copy()
        with pytest.raises(RuntimeError, match="no more"):
            model.set_callbacks(callback).fit(X[:, :2], TARGET)
        assert vars(model) == before | {"_skl_callbacks": [callback]}
        np.testing.assert_array_equal(
            model.set_callbacks().fit(X, TARGET).coef_,
            GDRegressor(max_iter=2, **QUICK).fit(X, TARGET).coef_,
        )


class TestScoringMonitor:
    def test_alone(self):
        monitor = ScoringMonitor(scoring="r2")
        model = GDRegressor(max_iter=4, **QUICK).set_callbacks(monitor).fit(X, TARGET)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        assert [row["task_id"] for row in rows] == [0, 1, 2, 3]
        for epochs, row in enumerate(rows, start=1):
            short = GDRegressor(max_iter=epochs, **QUICK).fit(X, TARGET)
            assert row["r2"] == pytest.approx(r2_score(TARGET, short.predict(X)), rel=1e-12)
        assert model.n_iter_ == 4

    def test_frames_without_warnings(self):
        """The hooks get the data with the names of the features."""
        frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
        monitor = ScoringMonitor(scoring="accuracy")
        model = GDClassifier(max_iter=3, **QUICK).set_callbacks(monitor).fit(frame, LABELS)
        logs = monitor.get_logs().data
        assert len(logs) == 4
        assert logs[-1]["accuracy"] == model.score(frame, LABELS)

    @pytest.mark.parametrize("labels", [LABELS, np.digitize(TARGET, [-50, 50])])
    def test_probabilities(self, labels):
        monitor = ScoringMonitor(scoring="neg_log_loss")
        model = GDClassifier("sgd", alpha=0.0, batch_size="full", max_iter=3, **QUICK)
        model.set_callbacks(monitor).fit(X, labels)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        # The objective of an epoch is the log loss of the model at the end of the epoch before.
        logged = [-row["neg_log_loss"] for row in rows]
        np.testing.assert_allclose(logged[:-1], model.loss_curve_[1:], rtol=1e-12)

    def test_weights_go_to_the_scorer(self):
        weight = np.linspace(0.1, 3, 90)
        monitor = ScoringMonitor(scoring="r2")
        with sklearn.config_context(enable_metadata_routing=False):
            model = GDRegressor(max_iter=2, **QUICK).set_callbacks(monitor)
            model.fit(X, TARGET, sample_weight=weight)
        expected = r2_score(TARGET, model.predict(X), sample_weight=weight)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        assert rows[-1]["r2"] == pytest.approx(expected, rel=1e-12)

    def test_in_a_pipeline_in_a_grid_search(self):
        monitor = ScoringMonitor(scoring="r2")
        model = GDRegressor(max_iter=3, **QUICK).set_callbacks(monitor)
        pipeline = make_pipeline(StandardScaler(), model)
        grid = {"gdregressor__learning_rate": [0.01, 0.1]}
        GridSearchCV(pipeline, grid, cv=3).fit(X, TARGET)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        # Two candidates on three folds, and the final fit.
        assert len(rows) == (2 * 3 + 1) * 3


class TestProgressBar:
    @pytest.fixture(autouse=True)
    def rich(self):
        pytest.importorskip("rich")

    def test_alone(self, capsys):
        model = GDRegressor(max_iter=5, **QUICK).set_callbacks(ProgressBar()).fit(X, TARGET)
        assert model.n_iter_ == 5
        assert "GDRegressor" in capsys.readouterr().out

    def test_around_a_grid_search(self, capsys):
        model = make_pipeline(StandardScaler(), GDClassifier(max_iter=3, **QUICK))
        search = GridSearchCV(model, {"gdclassifier__alpha": [0.0, 0.1]}, cv=2)
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, LABELS)
        out = capsys.readouterr().out
        assert "GridSearchCV" in out and "GDClassifier" in out
