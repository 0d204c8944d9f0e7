"""A plugin of pytest that runs scikit-learn's tests of its linear models with the adapters.

What does not pass must be in tests/data/sklearn_differences.toml, with its reason; what is there
must not pass.
"""

import json
import os
import tomllib
from pathlib import Path

import pytest

from helpers import sklearn_adapters

MODULES = ("test_sgd", "test_ridge", "test_logistic", "test_coordinate_descent")
TABLE = Path(__file__).parents[1] / "data" / "sklearn_differences.toml"
# These depend on the last digits, which other machines have others of.
ROUNDED = ("accuracy", "underdetermined")
# Tests that are not run.
SLOW = {
    "test_SGDClassifier_fit_for_all_backends": "n_jobs has no counterpart",
    "test_multi_core_gridsearch_and_early_stopping": "a search in processes of its own",
    "test_sgd_oneclass_vs_linear_oneclass": "not about these estimators",
    "test_sgd_oneclass_vs_linear_oneclass_offsets_match": "not about these estimators",
    "test_lbfgs_solver_consistency": "of private functions, to the last digit",
    "test_linear_models_cv_fit_with_loky": "of ElasticNetCV and LassoCV, which have no adapters",
    "test_enet_cv_sample_weight_consistency": "of ElasticNetCV alone",
    "test_enet_cv_sample_weight_correctness": "of ElasticNetCV alone",
    "test_logistic_cv_sparse": "of LogisticRegressionCV alone",
    "test_logistic_regressioncv_class_weights": "of LogisticRegressionCV alone",
    "test_LogisticRegressionCV_no_refit": "of LogisticRegressionCV alone",
    "test_logisticregressioncv_warns_with_use_legacy_attributes": "of LogisticRegressionCV alone",
    "test_lr_cv_scores_differ_when_sample_weight_is_requested": "of LogisticRegressionCV alone",
    "test_lr_cv_scores_without_enabling_metadata_routing": "of LogisticRegressionCV alone",
    "test_lr_scoring_warns": "of LogisticRegressionCV alone",
    "test_multinomial_cv_iris": "LogisticRegressionCV must be better than fits of a class each",
    "test_elastic_net_vs_l1_l2": "of how a search that knows l1_ratio does on other rows: luck",
    "test_ridge_classifier_with_scoring": "of RidgeClassifierCV alone",
    "test_ridge_regression_custom_scoring": "of RidgeCV alone",
    "test_ridge_gcv_vs_ridge_loo_cv": "of RidgeCV alone, which has no adapter",
    "test_regularization_limits_ridge_gcv": "of RidgeCV alone",
    "test_regularization_limits_ridge_classifier_gcv": "of RidgeClassifierCV alone",
}
# A parameter of RidgeCV alone: tests that compare it with `Ridge` would fit that twice.
REPEATED = {"gcv_mode": "svd"}
# Where the outcomes are written, if they are wanted.
REPORT = os.environ.get("SK_GD_SUITES_REPORT")
outcomes = {}


def load():
    """The table: reasons by key, and the keys by module and test."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}


def listed():
    """The key of the reason of every listed test, by module and name."""
    table = load()
    return {
        (module, test): key
        for module in MODULES
        for key, tests in table.get(module, {}).items()
        for test in tests
    }


def pytest_configure(config):
    """Replace the estimators before the tests import them."""
    sklearn_adapters.install()


def pytest_collection_modifyitems(items):
    """Expect the failures that are listed."""
    keys, reasons = listed(), load()["reasons"]
    for item in items:
        module = item.module.__name__.rpartition(".")[2]
        key = keys.get((module, item.name)) or keys.get((module, item.originalname))
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if item.originalname in SLOW:
            item.add_marker(pytest.mark.skip(reason=SLOW[item.originalname]))
        elif any(given.get(name) == value for name, value in REPEATED.items()):
            item.add_marker(pytest.mark.skip(reason="the same fits as in another case"))
        elif key and not REPORT:
            strict = key not in ROUNDED
            item.add_marker(pytest.mark.xfail(reason=reasons[key], strict=strict))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Note what a test came to, and whether it has trained an estimator of this package."""
    before = sklearn_adapters.calls[0]
    outcome = yield
    error = outcome.excinfo
    text = "passed" if error is None else f"{error[0].__name__}: {error[1]}"[:300]
    module = item.module.__name__.rpartition(".")[2]
    outcomes[f"{module}::{item.name}"] = [sklearn_adapters.calls[0] > before, text]


def pytest_sessionfinish():
    """Write the outcomes, if they are wanted."""
    if REPORT:
        Path(REPORT).write_text(json.dumps(outcomes, indent=1), encoding="utf-8")
