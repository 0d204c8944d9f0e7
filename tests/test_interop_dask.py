"""Dask as a backend of joblib gives the same bits as no parallelism."""

import os

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, cross_val_score

from helpers.interop import JOBLIB_DASK_WARNINGS
from sk_gd import GDClassifier, GDGridSearchCV, optimizers

pytestmark = JOBLIB_DASK_WARNINGS
distributed = pytest.importorskip("distributed")

X, Y = load_breast_cancer(return_X_y=True)
NAMES = np.array(["malignant", "benign"])[Y]
QUICK = {"batch_size": 16, "max_iter": 5, "tol": None, "random_state": 0}
GRID = {"alpha": [1e-4, 1e-2], "optimizer__beta_1": [0.5, 0.9]}


@pytest.fixture(scope="module", autouse=True)
def client():
    """Two workers in processes of their own, without a dashboard."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", [GridSearchCV, GDGridSearchCV])
def test_searches(kind):
    search = kind(GDClassifier(optimizers.Adam(), **QUICK), GRID, cv=3)
    alone = search.fit(X, NAMES)
    scores = alone.cv_results_["mean_test_score"]
    coef = alone.best_estimator_.coef_
    with joblib.parallel_config("dask"):
        search.set_params(n_jobs=-1).fit(X, NAMES)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], scores)
    np.testing.assert_array_equal(search.best_estimator_.coef_, coef)


def process(model, X, y):
    """A scorer that returns the number of its process."""
    return os.getpid()


def test_folds_are_trained_by_the_workers(client):
    model = GDClassifier(precondition="whiten", **QUICK)
    with joblib.parallel_config("dask"):
        scores = cross_val_score(model, X, NAMES, cv=6)
        processes = cross_val_score(model, X, NAMES, cv=6, scoring=process)
    np.testing.assert_array_equal(scores, cross_val_score(model, X, NAMES, cv=6))
    assert set(processes) <= set(client.run(os.getpid).values())


def test_a_model_travels(client):
    """A model that a worker trains further comes back with the same bits."""
    model = GDClassifier(optimizers.Nesterov(), **QUICK).fit(X, NAMES)
    far = client.submit(lambda model, X, y: model.partial_fit(X, y), model, X, NAMES).result()
    np.testing.assert_array_equal(far.coef_, model.partial_fit(X, NAMES).coef_)


# Of dask-ml and of what it imports.
@pytest.mark.filterwarnings("ignore")
def test_incremental_of_dask_ml(client):
    """A loop of `partial_fit` over the blocks: the same bits."""
    wrappers = pytest.importorskip("dask_ml.wrappers")
    import dask.array as da

    x, y = da.from_array(X, chunks=(100, -1)), da.from_array(Y, chunks=100)
    given = {"random_state": 0, "learning_rate": 0.01}
    wrapped = wrappers.Incremental(GDClassifier(**given), shuffle_blocks=False)
    wrapped.fit(x, y, classes=[0, 1])
    known = GDClassifier(**given)
    for begin in range(0, len(X), 100):
        known.partial_fit(X[begin : begin + 100], Y[begin : begin + 100], classes=[0, 1])
    np.testing.assert_array_equal(wrapped.estimator_.coef_, known.coef_)
    np.testing.assert_array_equal(wrapped.predict(x).compute(), known.predict(X))
    after = wrappers.ParallelPostFit(known)
    np.testing.assert_allclose(after.predict_proba(x).compute(), known.predict_proba(X), rtol=1e-12)
