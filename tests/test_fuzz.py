"""The properties of random fits, on a few cases; ``benchmarks/fuzz.py`` checks a million."""

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

from helpers.fuzz_cases import Case, Table
from helpers.fuzz_properties import PROPERTIES

# The same cases in every run, and none from a database. Many cases are fits that are refused.
QUICK = hypothesis.settings(
    max_examples=50,
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


# What long runs have found: the property, the case, and what was wrong.
FOUND = {
    "sums of numbers that are finite": (
        "sound",
        Case("regressor", Table(x_faults=("all of 1e150",), dtype="float32")),
    ),
    "an intercept that float32 cannot hold": (
        "sound",
        Case("regressor", Table(n=1, y_faults=("of 1e150",), dtype="float32")),
    ),
    "variances that do not go with their covariances": (
        "sound",
        Case(
            "regressor",
            Table(2, 5, 465, 0, ("zero column", "empty rows"), (), "unequal", "csr"),
        ),
    ),
    "a half that has not diverged, of a whole that has": (
        "halves_are_the_whole",
        Case(
            "regressor",
            Table(n=101, seed=244, weights="random"),
            {"optimizer": "random_search", "batch_size": 7, "schedule": "cyclic", "max_iter": 4}
            | {"fit_intercept": False, "tol": None},
        ),
    ),
    "a chosen score of predictions whose squares overflow": (
        "sound",
        Case(
            "regressor",
            Table(),
            {"optimizer": "sgd", "learning_rate": 1e150, "scoring": "r2", "early_stopping": True},
        ),
    ),
    "two rows of huge weights, and pivots below one": (
        "sound",
        Case("regressor", Table(n=3, d=20, weights="large"), {"early_stopping": True}),
    ),
    "predictions that float32 cannot hold, in raw coordinates": (
        "sound",
        Case(
            "classifier",
            Table(n=2, columns=2, x_faults=("column of 1e150",), dtype="float32"),
            {"optimizer": "adgd", "precondition": None},
            "partial_fit",
        ),
    ),
    "a singular matrix, of which only the largest eigenvalue was computed": (
        "sound",
        Case(
            "classifier",
            Table(n=25, columns=3, x_faults=("duplicate",)),
            {"loss": "squared_hinge", "optimizer": "sgd", "max_iter": 4},
        ),
    ),
    "no penalty for features without variance": (
        "reaches_the_optimum",
        Case("classifier", Table(25, 1, 1, 2, ("indicator",))),
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_cases_that_were_found(what):
    name, case = FOUND[what]
    PROPERTIES[name][0](case)
