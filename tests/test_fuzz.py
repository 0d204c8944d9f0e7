"""The properties of random fits, on a few cases; ``benchmarks/fuzz.py`` checks a million."""

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

from helpers.fuzz_properties import PROPERTIES

# The same cases in every run, and none from a database. Many cases are fits that are refused.
QUICK = hypothesis.settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", PROPERTIES)
def test_random_fits(name):
    check, cases = PROPERTIES[name]
    QUICK(hypothesis.given(cases)(check))()
