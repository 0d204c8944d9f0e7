"""Exponentials and logistic functions of many numbers, as the losses compute them."""

import decimal
import operator

import numpy as np
import pytest

from sk_gd.losses.base import exponentials, logistics

RNG = np.random.default_rng(42)


def exponentials_of(x):
    """The exponentials of a vector."""
    numbers = np.array(x, dtype=float, ndmin=2)
    exponentials(numbers, 0, numbers.shape[1])
    return numbers[0]


class TestExponentialsOfMany:
    def test_error_is_below_one_unit_in_the_last_place(self):
        # Also where the results are subnormal, and where the whole number in the formula changes.
        x = [
            RNG.uniform(-745.13, 709.78, 1000),
            RNG.uniform(-40, 1, 2000),
            RNG.uniform(-745.13, -705, 500),
            (np.arange(-1074, 1024) + 0.5) * np.log(2),
        ]
        x = np.concatenate([*x, [0.0, 5e-324, -1e-300, 709.782712893384, -745.1332191019411]])
        with decimal.localcontext(prec=40, Emin=-1_000_000) as context:
            exact = [context.exp(decimal.Decimal(number)) for number in x.tolist()]
            error = [
                abs(decimal.Decimal(found) - e) / decimal.Decimal(np.spacing(float(e)).item())
                for found, e in zip(exponentials_of(x).tolist(), exact, strict=True)
            ]
        assert max(error) < 1

    def test_beyond_the_range(self):
        x = [np.inf, 1e308, 709.7827128933841, -745.1332191019413, -1e308, -np.inf, np.nan]
        expected = [np.inf, np.inf, np.inf, 0, 0, 0, np.nan]
        np.testing.assert_array_equal(exponentials_of(x), expected)

    def test_a_number_has_the_same_digits_at_every_place(self):
        x = RNG.normal(0, 20, 67)
        whole = exponentials_of(x)
        for n in range(4, 67):
            np.testing.assert_array_equal(exponentials_of(x[-n:]), whole[-n:])


# The logarithm that is left there is not needed.
HELD = np.ones((1, 2))


def exact_logistics(x):
    """The logistic function of a vector and log(1 + exp(x)), in forty digits."""
    with decimal.localcontext(prec=40, Emin=-1_000_000) as context:
        powers = [context.exp(decimal.Decimal(number)) for number in x.tolist()]
        return [p / (1 + p) for p in powers], [context.ln(1 + p) for p in powers]


class TestLogisticsOfMany:
    @pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 63, 64, 65, 200])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_functions_and_sum(self, n, weighted):
        x = np.concatenate([RNG.normal(0, 3, n - n // 2), RNG.uniform(-700, 700, n // 2)])
        weight = RNG.uniform(0, 2, n) if weighted else np.full(n, 1.5)
        found, held = x[None].copy(), np.ones((1, 2))
        total = logistics(found, 0, weight, n, held)
        total += held[0, 0] * np.log(held[0, 1])
        exact, logarithms = exact_logistics(x)
        np.testing.assert_allclose(found[0], np.array(exact, dtype=float), rtol=5e-16)
        # A logarithm near zero has the rounding of one plus a small number.
        expected = sum(map(operator.mul, map(decimal.Decimal, weight.tolist()), logarithms))
        rounding = 4e-16 * weight.sum()
        np.testing.assert_allclose(total, float(expected), rtol=1e-14, atol=rounding)

    def test_beyond_the_range(self):
        x = np.array([[np.inf, 1e308, 800, -800, -1e308, -np.inf, 0.0]])
        total = logistics(x, 0, np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]), 7, HELD)
        np.testing.assert_array_equal(x, [[1, 1, 1, 0, 0, 0, 0.5]])
        assert np.isnan(total)  # zero times infinity
        assert logistics(np.full((1, 5), 1e300), 0, np.ones(5), 5, HELD) == 5e300
        assert np.isnan(logistics(np.full((1, 5), np.nan), 0, np.ones(5), 5, HELD))

    def test_a_number_has_the_same_digits_at_every_place(self):
        x = RNG.normal(0, 20, 67)
        whole = x[None].copy()
        logistics(whole, 0, np.ones(67), 67, HELD)
        for n in range(4, 67):
            part = x[None, -n:].copy()
            logistics(part, 0, np.ones(n), n, HELD)
            np.testing.assert_array_equal(part[0], whole[0, -n:])

    @pytest.mark.parametrize("row, n, weights", [(1, 4, 4), (-1, 4, 4), (0, 5, 5), (0, 4, 3)])
    def test_no_more_numbers_than_there_are(self, row, n, weights):
        with pytest.raises(IndexError, match="There are no"):
            logistics(np.zeros((1, 4)), row, np.ones(weights), n, HELD)
