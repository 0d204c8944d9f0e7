"""MLflow: a model that is logged and loaded again, from a database in a file, without a network."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sk_gd.skops
from helpers.interop import MLFLOW_WARNINGS
from sk_gd import GDClassifier, GDRegressor, optimizers

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("mlflow.sklearn")
pytest.importorskip("skops")

DATA, Y = load_breast_cancer(return_X_y=True, as_frame=True)
NAMES = np.where(Y, "benign", "malignant")
QUICK = {"max_iter": 5, "tol": None, "random_state": 0}

pytestmark = MLFLOW_WARNINGS


@pytest.fixture(scope="module", autouse=True)
def tracking(tmp_path_factory):
    """A store of its own for all of these tests: its tables take seconds to make."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(folder)  # where artifacts go
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        yield
        mlflow.set_tracking_uri(before)


def logged(model, **options):
    """The address of the model."""
    # Told what is needed, MLflow need not find out by loading the model in another process.
    with mlflow.start_run():
        return mlflow.sklearn.log_model(
            model, name="model", pip_requirements=["sk-gd"], **options
        ).model_uri


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
def test_log_and_load(precondition):
    model = GDClassifier(optimizers.Adam(), precondition=precondition, **QUICK).fit(DATA, NAMES)
    address = logged(model, skops_trusted_types=sk_gd.skops.trusted_types())

    twin = mlflow.sklearn.load_model(address)
    np.testing.assert_array_equal(twin.predict_proba(DATA), model.predict_proba(DATA))
    model.partial_fit(DATA, NAMES)
    twin.partial_fit(DATA, NAMES)
    np.testing.assert_array_equal(twin.coef_, model.coef_)


def test_as_a_function_of_a_frame():
    model = make_pipeline(StandardScaler(), GDClassifier("adam", **QUICK)).fit(DATA, NAMES)
    address = logged(model, skops_trusted_types=sk_gd.skops.trusted_types())
    function = mlflow.pyfunc.load_model(address)
    np.testing.assert_array_equal(function.predict(DATA), model.predict(DATA))


def test_types_that_are_not_trusted_are_named():
    model = GDClassifier("adam", **QUICK).fit(DATA, NAMES)
    with pytest.raises(mlflow.MlflowException, match=f"{GDClassifier.__module__}.GDClassifier"):
        logged(model)


def test_pickled():
    X, y = load_diabetes(return_X_y=True)
    model = GDRegressor(**QUICK).fit(X, y)
    twin = mlflow.sklearn.load_model(logged(model, serialization_format="cloudpickle"))
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


@pytest.fixture
def autolog():
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    yield
    mlflow.sklearn.autolog(disable=True)


def recorded(model):
    """What has been logged of a fit."""
    with mlflow.start_run() as run:
        model.fit(DATA, NAMES)
    return mlflow.get_run(run.info.run_id).data


def test_autolog_of_a_search(autolog):
    grid = {"optimizer__beta_1": [0.5, 0.9]}
    search = GridSearchCV(GDClassifier(optimizers.Adam(), **QUICK), grid, cv=2)
    found = recorded(search)
    assert found.metrics["best_cv_score"] == search.best_score_
    assert float(found.params["best_optimizer__beta_1"]) == search.best_params_["optimizer__beta_1"]


def test_autolog_of_a_pipeline(autolog):
    """It watches scikit-learn's classes: what is in them is logged, the same thing alone is not."""
    model = GDClassifier(optimizers.Adam(beta_1=0.7), **QUICK)
    pipeline = make_pipeline(StandardScaler(), model)
    found = recorded(pipeline)
    assert found.params["gdclassifier__optimizer__beta_1"] == "0.7"
    assert found.metrics["training_score"] == pipeline.score(DATA, NAMES)
    assert recorded(model).params == {}
