"""Examples that can be followed with pencil and paper."""

import numpy as np
import pytest

from sk_gd import GDRegressor


def descend(X, y, learning_rate, n_iter):
    """Batch gradient descent from zero in the raw coordinates."""
    return GDRegressor(
        "sgd",
        alpha=0,
        learning_rate=learning_rate,
        schedule="constant",
        batch_size="full",
        max_iter=n_iter,
        tol=None,
        average=False,
        precondition=None,
    ).fit(X, y)


def test_a_thousand_steps_on_two_features():
    # Recorded with every digit from plain Python loops over the five rows.
    X = np.array([[1, 0], [2, 1], [3, 0], [4, 1], [5, 0]], dtype=float)
    y = np.array([3, 5, 7, 9, 11], dtype=float)
    model = descend(X, y, 0.01, 1000)
    assert model.intercept_ == pytest.approx(0.8907546215358821, rel=1e-12)
    assert model.coef_[0] == pytest.approx(2.0237699271134932, rel=1e-12)
    assert model.coef_[1] == pytest.approx(0.057888309859129156, rel=1e-11)
    assert model.predict([[1.0, 0.0]])[0] == pytest.approx(2.9145245486493754, rel=1e-12)


def test_one_step_on_a_line():
    # The mean of (p - y) x over x = 1..5, y = 2x + 1 at zero is -(2 * 11 + 3), of (p - y) -7.
    x = np.arange(1.0, 6.0)
    model = descend(x[:, None], 2 * x + 1, 0.01, 1)
    assert model.coef_[0] == pytest.approx(0.25, rel=1e-14)
    assert model.intercept_ == pytest.approx(0.07, rel=1e-14)
    assert model.loss_curve_ == [pytest.approx(0.5 * (9 + 25 + 49 + 81 + 121) / 5, rel=1e-14)]


def test_the_line_is_found():
    # The flattest direction has curvature 6 - sqrt(34) = 0.17: exp(-0.17 * 0.05 * 2000) is left.
    x = np.arange(1.0, 6.0)
    model = descend(x[:, None], 2 * x + 1, 0.05, 2000)
    assert model.coef_[0] == pytest.approx(2, abs=1e-6)
    assert model.intercept_ == pytest.approx(1, abs=1e-6)
    assert model.predict([[6.0]])[0] == pytest.approx(13, abs=1e-6)


def test_the_line_is_found_in_the_default_coordinates():
    x = np.arange(1.0, 6.0)
    model = GDRegressor("sgd", alpha=0, tol=None).fit(x[:, None], 2 * x + 1)
    np.testing.assert_allclose(model.predict([[6.0], [100.0]]), [13, 201], rtol=1e-12)
