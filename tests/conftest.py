"""What holds for every test."""

import gc
import os

import numpy as np
import pytest

pytest.register_assert_rewrite("helpers")

# Workers of Dask look at the frames of their threads all the time, which crashes Python 3.11 once
# in a while (https://github.com/python/cpython/issues/99110).
os.environ["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "False"


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for garbage only later, since there is hardly any, and never among the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Seed numpy's global generator, which scikit-learn uses for `random_state=None`.

    The variable SK_GD_TESTS_SEED gives another seed.
    """
    np.random.seed(int(os.environ.get("SK_GD_TESTS_SEED", "0")))  # noqa: NPY002


@pytest.fixture
def close_figures():
    """Close what the test has drawn."""
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def pytest_collection_modifyitems(items):
    """The longest tests come first, so that no process waits for another in the end."""
    items.sort(key=lambda item: "test_sklearn_suites" not in item.nodeid)


@pytest.fixture(scope="session")
def client():
    """A client of two workers, which are processes of one thread."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
