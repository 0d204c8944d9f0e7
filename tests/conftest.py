"""What holds for every test."""

import os

import numpy as np
import pytest

pytest.register_assert_rewrite("helpers")


@pytest.fixture(autouse=True)
def the_same_random_numbers():
    """Have `random_state=None` mean the same in every run; SK_GD_TESTS_SEED is for other runs.

    scikit-learn draws from numpy's global generator then.
    """
    np.random.seed(int(os.environ.get("SK_GD_TESTS_SEED", "0")))  # noqa: NPY002


@pytest.fixture
def close_figures():
    """Close what the test has drawn."""
    from matplotlib import pyplot

    yield
    pyplot.close("all")
