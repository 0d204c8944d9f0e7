"""Shared by the tests of other packages and of the examples that need these packages."""

import ast
import doctest
import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning

# MLflow warns about its own use of its database, and about its own type hints.
MLFLOW_WARNINGS = [
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]
# joblib forgets the data of a call all at once. If a task was their last owner, joblib then tries
# to forget them a second time, and Python reports the KeyError. It depends on timing.
JOBLIB_DASK_WARNINGS = pytest.mark.filterwarnings(
    "ignore:.*_WeakKeyDictionary:pytest.PytestUnraisableExceptionWarning"
)


def skip_without_imports(examples):
    """Skip the test if the examples of a doctest import what is not installed."""
    tree = ast.parse("".join(example.source for example in examples.examples))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                pytest.importorskip(alias.name)
        elif isinstance(node, ast.ImportFrom):
            pytest.importorskip(node.module)


def run_examples(examples):
    """Run a doctest; its models need not converge."""
    out = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        results = doctest.DocTestRunner().run(examples, out=out.append)
    assert results.attempted > 0
    assert results.failed == 0, "".join(out)
