"""Workers that die, and data that do not fit into their memory."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from helpers.clusters import TARGETS, X, cut, ends_of

pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

import sk_gd.dask  # noqa: E402

SETTINGS = {"optimizer": "adgd", "max_iter": 12, "tol": None, "random_state": 0}


def kill_one(client, after):
    """Kill the process of a worker after some seconds; the nanny starts another."""
    pids = list(client.run(os.getpid).values())

    def strike():
        time.sleep(after)
        os.kill(pids[0], signal.SIGKILL)

    thread = threading.Thread(target=strike)
    thread.start()
    return thread


def train(persist):
    ends = ends_of(7)
    model = sk_gd.dask.GDClassifier(persist=persist, **SETTINGS)
    return model.fit(cut(X, ends), cut(TARGETS["three"], ends)).coef_


@pytest.mark.parametrize(
    "runs", [1, pytest.param(20, marks=pytest.mark.slow)], ids="{} runs".format
)
def test_a_worker_is_killed(runs):
    """The model has the same bits, whenever it happens."""
    rng = np.random.default_rng(0)
    for _ in range(runs):
        # Each run has a new cluster: after many kills a nanny may not start its worker again.
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster, set_as_default=True) as client,
        ):
            begin = time.perf_counter()
            known = train(True)
            thread = kill_one(client, rng.uniform(0, time.perf_counter() - begin))
            try:
                np.testing.assert_array_equal(train(True), known)
            finally:
                thread.join()


MEGABYTES = 1 << 20


# Dask itself uses what pandas 3.1 deprecates.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.slow
def test_data_of_four_times_the_memory(tmp_path):
    """Parquet files of 4 × the workers' limit train within it."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    limit, columns, rows = 600 * MEGABYTES, 20, 100_000
    files = 4 * 2 * limit // (8 * rows * columns)
    rng, names = np.random.default_rng(0), [f"x{j}" for j in range(columns)]
    weights = rng.normal(size=columns)
    paths = [tmp_path / f"{k:04d}.parquet" for k in range(files)]
    for path in paths[:4]:
        x = rng.normal(size=(rows, columns))
        frame = pd.DataFrame(x, columns=names)
        frame["y"] = (x @ weights + rng.logistic(size=rows) > 0).astype("int8")
        frame.to_parquet(path, row_group_size=rows)
    for k, path in enumerate(paths[4:]):
        path.hardlink_to(paths[k % 4])  # the same rows again take no time to write
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=limit, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        parts = dd.read_parquet(tmp_path).to_delayed()
        assert len(parts) == files
        pids = list(client.run(os.getpid).values())
        model = sk_gd.dask.GDClassifier(max_iter=2, tol=None)
        model.fit([part[names] for part in parts], [part["y"] for part in parts])
        assert list(client.run(os.getpid).values()) == pids  # none was killed
    direction = model.coef_[0] / np.linalg.norm(model.coef_) @ weights / np.linalg.norm(weights)
    assert direction > 0.999
