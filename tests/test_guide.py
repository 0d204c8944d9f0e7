"""What a newcomer copies from the guide runs as the text says."""

import doctest

import pytest

from helpers.project import ROOT

# The pages on which every snippet uses this package and scikit-learn only. On others, models of
# other packages are stopped early on purpose, and warn.
PAGES = ("first", "defaults", "tuning", "own", "stopping", "divergence", "functions", "from_exact")


@pytest.mark.parametrize("page", PAGES)
def test_snippets_give_no_warnings(page):
    """Warnings are errors here; the build of the documentation does not show them."""
    path = ROOT / "docs" / "guide" / f"{page}.rst"
    found = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert found.attempted > 0 and found.failed == 0
