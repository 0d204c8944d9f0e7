"""scikit-learn's own tests of its linear models, with the estimators of this package.

`helpers.sklearn_adapters` translates, `helpers.sklearn_suites` is a plugin that expects the
failures listed in ``tests/data/sklearn_differences.toml``. To see what each test comes to, run one
module with ``SK_GD_SUITES_REPORT=FILE``; nothing is then expected to fail.
"""

import os
import subprocess
import sys

import pytest

from helpers.project import ROOT
from helpers.sklearn_suites import MODULES, load


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_difference_is_listed(module, tmp_path):
    """What is not listed passes, and what is listed fails."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    # The traceback of every expected failure would take as long as the tests.
    options = ["-q", "-rfE", "--tb=no", "-c", os.devnull, "--rootdir", str(tmp_path)]
    plugins = ["-p", "no:cacheprovider", "-p", "helpers.sklearn_suites"]
    target = f"sklearn.linear_model.tests.{module}"
    # With it, scikit-learn tests other array types, for which there are no adapters.
    environment = {name: v for name, v in os.environ.items() if name != "SCIPY_ARRAY_API"}
    environment |= {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plugins, "--pyargs", target],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert found.returncode == 0, found.stdout[-10_000:] + found.stderr[-2000:]


def test_every_key_has_a_reason_and_every_reason_is_used():
    table = load()
    used = {key for module in MODULES for key in table[module]}
    assert used == set(table["reasons"])
