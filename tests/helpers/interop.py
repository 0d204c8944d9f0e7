"""What the tests of other people's tools have in common."""

import ast

import pytest

# MLflow of its own use of its database, and of its own type hints.
MLFLOW_WARNINGS = [
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]


def skip_without_imports(doctest):
    """Skip the test if the examples import what is not installed."""
    tree = ast.parse("".join(example.source for example in doctest.examples))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                pytest.importorskip(alias.name)
        elif isinstance(node, ast.ImportFrom):
            pytest.importorskip(node.module)
