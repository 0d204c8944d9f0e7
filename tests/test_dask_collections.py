"""What the estimators on a cluster take and give: arrays, frames and lists of delayed parts."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning

import sk_gd
from helpers.assertions import reloaded
from helpers.callbacks import Callback
from helpers.clusters import TARGETS, WEIGHT, X, assert_same_model, cut, ends_of, fit_quietly

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
pd = pytest.importorskip("pandas")
dd = pytest.importorskip("dask.dataframe")

import sk_gd.dask  # noqa: E402

NAMES = list("abcde")
FRAME = pd.DataFrame(X, columns=NAMES).assign(y=TARGETS["two"], w=WEIGHT)
QUICK = {"random_state": 0, "max_iter": 4, "tol": None}

pytestmark = pytest.mark.usefixtures("client")


def arrays():
    return da.from_array(X, chunks=(50, 3)), da.from_array(TARGETS["two"], chunks=40), None


def arrays_and_weights():
    return (*arrays()[:2], da.from_array(WEIGHT, chunks=120))


def frames():
    frame = dd.from_pandas(FRAME, npartitions=3)
    return frame[NAMES], frame["y"], frame["w"]


def unknown_chunks():
    frame = dd.from_pandas(FRAME, npartitions=3)
    return frame[NAMES].to_dask_array(), frame["y"].to_dask_array(), None


def sparse_chunks():
    x = da.from_array(X, chunks=(30, -1)).map_blocks(sp.csr_matrix)
    return x, da.from_array(TARGETS["two"], chunks=30), None


def delayed():
    parts = dd.from_pandas(FRAME, npartitions=3).to_delayed()
    return [p[NAMES] for p in parts], [p["y"] for p in parts], [p["w"] for p in parts]


def futures():
    client = distributed.default_client()
    columns = X, TARGETS["two"], WEIGHT
    return [client.scatter([column[:50], column[50:]]) for column in columns]


def arrays_beside_memory():
    return arrays()[0], TARGETS["two"], WEIGHT


def in_memory():
    return X, TARGETS["two"], None


def frames_in_memory():
    return FRAME[NAMES], FRAME["y"], None


COLLECTIONS = [
    arrays,
    arrays_and_weights,
    frames,
    unknown_chunks,
    sparse_chunks,
    delayed,
    futures,
    arrays_beside_memory,
    in_memory,
    frames_in_memory,
]


# Dask itself warns of text in an array of unknown chunks.
@pytest.mark.filterwarnings("ignore:Dask currently has limited support")
@pytest.mark.parametrize("make", COLLECTIONS)
def test_fit(make):
    x, y, weight = make()
    there = sk_gd.dask.GDClassifier(**QUICK).fit(x, y, weight)
    x_here = sp.csr_array(X) if make is sparse_chunks else X
    here = sk_gd.GDClassifier(**QUICK).fit(
        x_here, TARGETS["two"], None if weight is None else WEIGHT
    )
    assert_same_model(there, here)
    np.testing.assert_array_equal(there.classes_, ["no", "yes"])
    named = make in (frames, delayed, frames_in_memory)
    assert hasattr(there, "feature_names_in_") == named
    assert there.n_features_in_ == 5


@pytest.fixture(scope="module")
def models(client):
    """Models on a cluster, for labels, for several classes, and for several outputs."""
    x = da.from_array(X, chunks=(40, 5))
    return {
        name: getattr(sk_gd.dask, kind)(**QUICK).fit(x, TARGETS[name])
        for name, kind in (
            ("two", "GDClassifier"),
            ("three", "GDClassifier"),
            ("number", "GDRegressor"),
            ("numbers", "GDRegressor"),
        )
    }


def assert_close(found, known):
    """The same labels, or the same numbers but for the rounding of blocks of rows."""
    if known.dtype.kind == "f":
        np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-14)
    else:
        np.testing.assert_array_equal(found, known)


METHODS = {
    "two": ["predict", "decision_function", "predict_proba", "predict_log_proba"],
    "three": ["predict", "decision_function", "predict_proba", "predict_log_proba"],
    "number": ["predict"],
    "numbers": ["predict"],
}


@pytest.mark.parametrize("name", METHODS)
def test_predictions_of_arrays(models, name):
    model, x = models[name], da.from_array(X, chunks=(40, 3))
    for method in METHODS[name]:
        known = getattr(model.to_local(), method)(X)
        found = getattr(model, method)(x)
        assert isinstance(found, da.Array)
        assert found.shape == known.shape
        assert found.dtype == known.dtype
        assert found.chunks[0] == (40, 40, 40)
        assert_close(found.compute(), known)
        np.testing.assert_array_equal(getattr(model, method)(X), known)
        unknown = dd.from_pandas(FRAME, npartitions=3)[NAMES].to_dask_array()
        assert_close(getattr(model, method)(unknown).compute(), known)
        parts = getattr(model, method)(cut(X, [0, 50, 120]))
        assert_close(np.concatenate(dask.compute(*parts)), known)


@pytest.mark.parametrize("name", METHODS)
def test_predictions_of_frames(models, name):
    frame = dd.from_pandas(FRAME[NAMES].set_index(np.arange(120) * 2), npartitions=3)
    model = models[name]
    for method in METHODS[name]:
        known = getattr(model.to_local(), method)(X)
        found = getattr(model, method)(frame)
        values = found.compute()
        assert found.divisions == frame.divisions
        assert values.index.equals(frame.compute().index)
        assert (found.ndim, values.ndim) == (known.ndim, known.ndim)
        assert_close(values.to_numpy(), known)
        assert found._meta.to_numpy().dtype == known.dtype or known.dtype.kind in "US"


@pytest.mark.parametrize("name", METHODS)
def test_scores(models, name):
    model, y = models[name], TARGETS[name]
    x = da.from_array(X, chunks=(40, 5))
    for weight in (None, WEIGHT):
        known = model.to_local().score(X, y, weight)
        assert model.score(X, y, weight) == known
        np.testing.assert_allclose(model.score(x, y, weight), known, rtol=1e-12)


def test_score_of_a_frame():
    frame = dd.from_pandas(FRAME, npartitions=3)
    model = sk_gd.dask.GDClassifier(**QUICK).fit(frame[NAMES], frame["y"])
    assert model.score(frame[NAMES], frame["y"]) == model.to_local().score(FRAME[NAMES], FRAME["y"])
    with pytest.raises(ValueError, match="feature names"):
        model.score(frame[NAMES[::-1]], frame["y"])


def test_parameters_copies_and_pickles(client):
    model = sk_gd.dask.GDClassifier("adgd", client=client, persist=True, **QUICK)
    known = sk_gd.GDClassifier("adgd", **QUICK).get_params()
    assert model.get_params() == {**known, "client": client, "persist": True}
    assert repr(sk_gd.dask.GDClassifier(alpha=1.0)) == "GDClassifier(alpha=1.0)"
    for copied in (clone(model), reloaded(model)):
        assert copied.client is None
        assert copied.get_params() == {**known, "client": None, "persist": True}
    assert model.client is client
    model.fit(cut(X, ends_of(3)), cut(TARGETS["two"], ends_of(3)))
    np.testing.assert_array_equal(reloaded(model).predict(X), model.predict(X))


def test_to_local():
    data = cut(X, ends_of(3)), cut(TARGETS["two"], ends_of(3))
    there = sk_gd.dask.GDClassifier(**QUICK).fit(*data)
    local = there.to_local()
    assert type(local) is sk_gd.GDClassifier
    assert local.get_params() == sk_gd.GDClassifier(**QUICK).get_params()
    assert local.loss_curve_ == there.loss_curve_
    local.partial_fit(X, TARGETS["two"])
    assert there.n_iter_ == 4
    with pytest.raises(Exception, match="not fitted"):
        sk_gd.dask.GDClassifier().to_local()


def test_subclasses_have_a_local_model():
    class Mine(sk_gd.dask.GDRegressor):
        pass

    model = Mine(**QUICK).fit(cut(X, ends_of(3)), cut(TARGETS["number"], ends_of(3)))
    assert type(model.to_local()) is sk_gd.GDRegressor


def test_validation_data():
    y = TARGETS["three"]
    parameters = {"random_state": 0, "max_iter": 30, "n_iter_no_change": 2}
    there = fit_quietly(
        sk_gd.dask.GDClassifier("adgd", **parameters),
        cut(X, ends_of(4)),
        cut(y, ends_of(4)),
        X_val=cut(X[:50], [0, 20, 50]),
        y_val=cut(y[:50], [0, 20, 50]),
        sample_weight_val=cut(WEIGHT[:50], [0, 20, 50]),
    )
    here = fit_quietly(
        sk_gd.GDClassifier("adgd", **parameters),
        X,
        y,
        X_val=X[:50],
        y_val=y[:50],
        sample_weight_val=WEIGHT[:50],
    )
    assert_same_model(there, here)
    for name in ("validation_loss_curve_", "validation_scores_"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-9)


def test_early_stopping():
    y = TARGETS["two"]
    data = cut(X, [0, 1, 40, 120]), cut(y, [0, 1, 40, 120])
    model = sk_gd.dask.GDClassifier(early_stopping=True, random_state=3, max_iter=50)
    fit_quietly(model, *data)
    assert len(model.validation_scores_) == model.n_iter_
    assert max(model.validation_scores_) > 0.6
    again = fit_quietly(clone(model), *data)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    other = fit_quietly(clone(model).set_params(random_state=4), *data)
    assert not np.array_equal(other.coef_, model.coef_)
    single = cut(X[:3], [1, 2, 3]), cut(y[:3], [1, 2, 3])
    with pytest.raises(ValueError, match="each has too few"):
        clone(model).fit(*single)


@pytest.mark.parametrize("same", [True, False])
def test_warm_start(same):
    """Training goes on as on one machine, with the same data or with others."""
    y, ends = TARGETS["two"], ends_of(3)
    parameters = {"optimizer": "nesterov", "batch_size": "full", "warm_start": True, **QUICK}
    there, here = sk_gd.dask.GDClassifier(**parameters), sk_gd.GDClassifier(**parameters)
    for rows in (slice(None), slice(None) if same else slice(0, 90)):
        ends = ends_of(3, len(y[rows]))
        there.fit(cut(X[rows], ends), cut(y[rows], ends))
        here.fit(X[rows], y[rows])
    assert there.n_iter_ == here.n_iter_ == 8
    assert_same_model(there, here)


class StopAfterTwo(Callback):
    """Counts the epochs, and stops after two."""

    def __init__(self):
        self.losses = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.losses.append(fitted_estimator.loss_curve_[-1])
        return len(self.losses) >= 2


def test_callbacks_and_verbose(capsys):
    callback = StopAfterTwo()
    model = sk_gd.dask.GDClassifier(verbose=True, **QUICK).set_callbacks(callback)
    model.fit(cut(X, ends_of(3)), cut(TARGETS["two"], ends_of(3)))
    assert model.n_iter_ == 2
    assert callback.losses == model.loss_curve_
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2"]


def test_rounds_of_a_fit(client, monkeypatch):
    """What a fit asks of the partitions, which is named after what it does."""
    from sk_gd.dask.cluster import Partitions

    asked, ask = [], Partitions.ask

    def counting(self, function, *arguments, **more):
        asked.append(function.__name__)
        return ask(self, function, *arguments, **more)

    monkeypatch.setattr(Partitions, "ask", counting)
    data = cut(X, ends_of(3)), cut(TARGETS["two"], ends_of(3))
    model = sk_gd.dask.GDClassifier(**QUICK).fit(*data)
    first = ["describe", "joint_moments"]
    assert asked == first + ["evaluate"] * sum(model.evaluation_curve_)
    asked.clear()
    sk_gd.dask.GDRegressor(**QUICK).fit(data[0], cut(TARGETS["number"], ends_of(3)))
    assert asked == first


def test_tasks_are_named_after_what_they_do(client):
    """In the dashboard, whose names are those that Dask makes of the keys."""
    for persist in (True, False):
        x, y = arrays()[:2]
        model = sk_gd.dask.GDClassifier(persist=persist, **QUICK).fit(x, y)
        model.predict(x).compute()
        dask.compute(model.predict_proba(cut(X, ends_of(2))))
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=2)
    model.decision_function(frame).compute()
    names = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
    work = ["check", "describe", "joint_moments", "pose_part", "evaluate"]
    work += ["predict", "predict_proba", "decision_function"]
    assert {f"sk_gd_{each}" for each in work} <= set(names)
    ours = {
        "make_part",
        "answer_one",
        "answers",
        "_answers",
        "framed",
        "_framed",
        "Pickled",
        "sk_gd",
    }
    assert not ours & set(names)


# Dask itself uses what pandas 3.1 deprecates.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("persist", [True, False])
def test_columns_of_files_that_dask_joins(tmp_path, persist):
    """Dask reads fewer columns in larger partitions, of X and of y together."""
    pytest.importorskip("pyarrow")
    dd.from_pandas(FRAME, npartitions=6).to_parquet(tmp_path)
    frame = dd.read_parquet(tmp_path)
    counts = [frame[each].optimize().npartitions for each in (NAMES, "y")]
    assert counts[0] != counts[1]
    model = sk_gd.dask.GDClassifier(persist=persist, **QUICK)
    model.fit(frame[NAMES], frame["y"], frame["w"])
    assert_same_model(model, sk_gd.GDClassifier(**QUICK).fit(X, TARGETS["two"], WEIGHT))
    some = frame[frame["a"] > 0]
    rows = X[:, 0] > 0
    model.fit(some[NAMES], some["y"])
    assert_same_model(model, sk_gd.GDClassifier(**QUICK).fit(X[rows], TARGETS["two"][rows]))
    known = model.to_local().score(FRAME[NAMES], FRAME["y"])
    assert model.score(frame[NAMES], frame["y"]) == known
    for other in (frame["y"], (frame["w"] > 0).to_dask_array()):
        with pytest.raises(ValueError, match="to_delayed"):
            model.fit(some[NAMES], other)


def test_labels_in_one_column():
    frame = dd.from_pandas(FRAME, npartitions=3)
    with pytest.warns(DataConversionWarning, match="table of one column"):
        model = sk_gd.dask.GDClassifier(**QUICK).fit(frame[NAMES], frame[["y"]])
    assert_same_model(model, sk_gd.GDClassifier(**QUICK).fit(X, TARGETS["two"]))
