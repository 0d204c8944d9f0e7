"""Every wrong input to the estimators on a cluster is an error that says what to do."""

import _thread
import gc
import re
import signal
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp

import sk_gd
from helpers.clusters import TARGETS, WEIGHT, X, cut, ends_of

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

import sk_gd.dask  # noqa: E402

ENDS = ends_of(4)
Y, LABELS = TARGETS["number"], TARGETS["two"]


def classifier(**parameters):
    return sk_gd.dask.GDClassifier(max_iter=2, tol=None, **parameters)


def regressor(**parameters):
    return sk_gd.dask.GDRegressor(max_iter=2, tol=None, **parameters)


def assert_refused(words, model, *data, error=ValueError, **more):
    """The fit fails, its message has the words, and the model is as it was before."""
    before = dict(vars(model))
    with pytest.raises(error) as caught:
        model.fit(*data, **more)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert vars(model) == before


def changed(k, change):
    """X in partitions, of which one is changed."""
    parts = cut(X, ENDS)
    parts[k] = dask.delayed(change(X[ENDS[k - 1] : ENDS[k]]), traverse=False)
    return parts


def with_nan(x):
    x = x.copy()
    x[3, 1] = np.nan
    return x


def test_no_client():
    with pytest.raises(ValueError, match=r"there is none. Start one"):
        _without_client(classifier())


def _without_client(model):
    from distributed import client as module

    known = module._global_clients.copy()
    current = module._current_client.set(None)
    module._global_clients.clear()
    try:
        model.fit(cut(X, ENDS), cut(LABELS, ENDS))
    finally:
        module._global_clients.update(known)
        module._current_client.reset(current)


def test_unusable_clients(client, monkeypatch):
    closed = distributed.Client(client.scheduler.address, set_as_default=False)
    closed.close()
    data = cut(X, ENDS), cut(LABELS, ENDS)
    assert_refused(["client", "closed", "start another"], classifier(client=closed), *data)
    assert_refused(["client", "str"], classifier(client="here"), *data, error=TypeError)
    monkeypatch.setattr(distributed.Client, "asynchronous", True)
    assert_refused(["asynchronous"], classifier(client=client), *data)


REFUSED = {
    "NaN": ([with_nan, LABELS], ["In partition 2", "NaN"]),
    "columns": ([lambda x: x[:, :3], LABELS], ["Partition 2", "number of features", "3"]),
    "format": ([sp.csr_array, LABELS], ["Partition 2", "format"]),
    "rows": ([lambda x: x[:-1], LABELS], ["In partition 2", "y must have", "to_delayed"]),
    "text": ([lambda x: x.astype(str) + "x", LABELS], ["In partition 2", "could not convert"]),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("persist", [True, False])
def test_one_partition(client, name, persist):
    (change, y), words = REFUSED[name]
    assert_refused(words, classifier(persist=persist), changed(2, change), cut(y, ENDS))


def test_names_of_columns(client):
    pd = pytest.importorskip("pandas")
    parts = [pd.DataFrame(X[:30], columns=list(names)) for names in ("abcde", "abcdf")]
    y = [dask.delayed(LABELS[:30])] * 2
    assert_refused(["Partition 1", "names of features"], classifier(), _delayed(parts), y)


def _delayed(parts):
    return [dask.delayed(part, traverse=False) for part in parts]


def test_numbers_of_partitions(client):
    assert_refused(
        ["y must have the partitions of X, 4", "5", "to_delayed"],
        classifier(),
        cut(X, ENDS),
        cut(LABELS, ends_of(5)),
    )
    assert_refused(
        ["sample_weight", "as many rows", "In partition 0"],
        classifier(),
        cut(X, ENDS),
        cut(LABELS, ENDS),
        cut(WEIGHT, [29, 60, 90, 120]),
    )


def test_frames_that_are_divided_differently(client):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcde")), npartitions=4)
    y = dd.from_pandas(pd.Series(LABELS), chunksize=40)
    assert_refused(["y must", "of X"], classifier(), frame, y)
    same_number = y.repartition(divisions=[0, 20, 60, 90, 119])
    assert_refused(["y must be divided like X"], classifier(), frame, same_number)


def test_data_in_memory_beside_partitions_of_unknown_size(client):
    assert_refused(["y is in memory", "to_delayed"], classifier(), cut(X, ENDS), LABELS)
    assert_refused(
        ["y must have as many rows as X, 120", "119"],
        classifier(),
        da.from_array(X, chunks=(30, 5)),
        LABELS[:-1],
    )


def test_targets(client):
    parts, ends = cut(X, ENDS), ENDS
    assert_refused(["y must be given"], classifier(), parts, None)
    assert_refused(["two classes", "1 class"], classifier(), parts, cut(np.full(120, "a"), ends))
    assert_refused(
        ["In partition", "poisson", "negative"], regressor(loss="poisson"), parts, cut(Y, ends)
    )
    assert_refused(["Unknown label type"], classifier(), parts, cut(Y, ends))
    mixed = cut(LABELS, ends)
    mixed[2] = dask.delayed((LABELS[60:90] == "yes").astype(int))
    assert_refused(
        ["Partition 2", "kind of targets", "numbers", "text"], classifier(), parts, mixed
    )
    assert_refused(["In partition"], regressor(), parts, cut(LABELS, ends))
    mixed = cut(TARGETS["numbers"], ends)
    mixed[1] = dask.delayed(Y[30:60])
    assert_refused(["Partition 1", "number of outputs"], regressor(), parts, mixed)
    assert_refused(["sample_weight", "zeros"], regressor(), parts, cut(Y, ends), cut(0 * Y, ends))
    assert_refused(
        ["In partition 0", "Negative values"], regressor(), parts, cut(Y, ends), cut(-WEIGHT, ends)
    )


def test_no_rows(client):
    empty = cut(X[:0], [0, 0])
    assert_refused(["at least one row"], regressor(), empty, cut(Y[:0], [0, 0]))


def test_validation_data(client):
    data = cut(X, ENDS), cut(LABELS, ENDS)
    few = cut(X[:20], [10, 20])
    assert_refused(["X_val and y_val", "no y_val"], classifier(), *data, X_val=few)
    assert_refused(["X_val and y_val", "no X_val"], classifier(), *data, y_val=few)
    assert_refused(
        ["X_val", "features"],
        classifier(),
        *data,
        X_val=cut(X[:20, :2], [10, 20]),
        y_val=cut(LABELS[:20], [10, 20]),
    )
    assert_refused(
        ["partition 1", "validation data", "NaN"],
        classifier(),
        *data,
        X_val=_delayed([X[:30], with_nan(X[:30])]),
        y_val=cut(LABELS[:60], [30, 60]),
    )


def test_settings(client):
    data = cut(X, ENDS), cut(LABELS, ENDS)
    words = ["On a cluster every step reads all rows", "batch_size='full'"]
    assert_refused([*words, "Adam"], classifier(optimizer="adam"), *data)
    assert_refused([*words, "10"], classifier(optimizer="sgd", batch_size=10), *data)
    # To write "auto" is no answer where it stands already.
    assert_refused([*words, "learning_rate", "of your own"], classifier(learning_rate=0.1), *data)
    assert_refused(["'persist'"], classifier(persist="yes"), *data)
    early = {"early_stopping": True, "scoring": "roc_auc"}
    assert_refused(["scoring must be None", "'roc_auc'"], classifier(**early), *data)
    wide = _delayed([sp.random_array((10, 10_001), density=0.01, format="csr", random_state=0)] * 2)
    labels = _delayed([LABELS[:10]] * 2)
    assert_refused(["10000 features", "10001"], classifier(precondition="whiten"), wide, labels)
    assert not hasattr(classifier(), "partial_fit")


def test_a_loss_that_the_workers_do_not_know(client, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "from sk_gd.losses import SquaredError\nclass Mine(SquaredError):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    model = regressor(loss=only_here.Mine())
    assert_refused(
        ["only_here", "workers", "upload_file"], model, cut(X, ENDS), cut(Y, ENDS), error=Exception
    )
    del sys.modules["only_here"]


@pytest.mark.parametrize("kind", ["GDClassifier", "GDRegressor"])
def test_the_plain_estimators_name_those_of_a_cluster(kind):
    x, y = da.from_array(X, chunks=(30, 5)), da.from_array(LABELS, chunks=30)
    plain = getattr(sk_gd, kind)
    for data in ((x, y), (X, y), (cut(X, ENDS), cut(LABELS, ENDS))):
        with pytest.raises(TypeError, match=re.escape(f"sk_gd.dask.{kind}")):
            plain().fit(*data)
    for search, grid in (("GDGridSearchCV", {"alpha": [1]}), ("GDRandomizedSearchCV", {})):
        with pytest.raises(TypeError, match=re.escape(f"sk_gd.dask.{search}")):
            getattr(sk_gd, search)(plain(), grid).fit(x, y)


def test_ctrl_c_cancels_the_round(client, monkeypatch):
    """The interrupt goes on to the user, and nothing is left on the workers."""

    def interrupted(self, futures, **more):
        time.sleep(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(distributed.Client, "gather", interrupted)
    with pytest.raises(KeyboardInterrupt):
        classifier().fit(cut(X, ENDS), cut(LABELS, ENDS))
    monkeypatch.undo()
    _assert_nothing_left(client)


@pytest.mark.parametrize(
    "method, persist, before",
    [("map", True, 0), ("map", True, 1), ("compute", True, 0), ("compute", False, 1)],
)
def test_ctrl_c_while_tasks_are_sent(client, method, persist, before, monkeypatch):
    """They are cancelled, though there are no futures yet, and the traceback is still there."""
    send, sent = getattr(distributed.Client, method), []

    def interrupted(self, *arguments, **more):
        futures = send(self, *arguments, **more)
        sent.append(method)
        if len(sent) > before:
            raise KeyboardInterrupt
        return futures

    monkeypatch.setattr(distributed.Client, method, interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        classifier(persist=persist).fit(cut(X, ENDS), cut(LABELS, ENDS))
    monkeypatch.undo()
    _assert_nothing_left(client)
    assert caught.value.__traceback__ is not None


def late(x):
    time.sleep(0.5)
    return x


@pytest.fixture
def heeds_ctrl_c():
    """Processes that a shell starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_no_words_of_dask(client, caplog, heeds_ctrl_c):
    """Nor anything else, if it comes while a round is under way."""
    parts = [dask.delayed(late)(part) for part in cut(X, ENDS)]
    timer = threading.Timer(3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        classifier(persist=False).set_params(max_iter=1000).fit(parts, cut(LABELS, ENDS))
    _assert_nothing_left(client)
    assert "never retrieved" not in caplog.text


def _assert_nothing_left(client):
    gc.collect()  # an error of an earlier test may hold its frames, and with them its tasks
    left = None
    for _ in range(50):
        left = client.run_on_scheduler(
            lambda dask_scheduler: [key for key in dask_scheduler.tasks if "sk_gd" in str(key)]
        )
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(left)


@pytest.mark.parametrize("persist", [True, False])
def test_nothing_is_left_after_a_fit(client, persist):
    model = classifier(persist=persist).fit(cut(X, ENDS), cut(LABELS, ENDS))
    _assert_nothing_left(client)
    assert model.coef_.shape == (1, 5)
