"""Robust losses: outliers among the targets decide neither units, nor strength, nor stopping."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import norm

from sk_gd import GDRegressor
from sk_gd.objectives.moments import Moments
from sk_gd.objectives.outliers import SENT, bounds_of, quantiles, sample_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LOSSES = ["huber", "absolute_error", "quantile", "epsilon_insensitive"]
OPTIMIZERS = ["auto", "adam", "schedule_free_adamw", "dog", "prodigy", "rprop", "armijo"]


def problem(n=1000, noise=0.3, outlier=1e6):
    """Features, targets of which one is far away, and the targets without noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    truth = X @ [1, 2, -1] + 3
    y = truth + rng.normal(0, noise, n)
    y[5] = outlier
    return X, y, truth


@pytest.mark.parametrize("n, outlier", [(101, 1e4), (1000, 1e6)])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_outlier_changes_little(optimizer, loss, n, outlier):
    X, y, truth = problem(n, outlier=outlier)
    model = GDRegressor(optimizer, loss=loss, random_state=0).fit(X, y)
    assert np.median(np.abs(model.predict(X) - truth)) < 0.5


@pytest.mark.parametrize("loss", LOSSES)
def test_the_strength_is_that_of_the_other_targets(loss):
    X, y, truth = problem()
    without = GDRegressor(loss=loss, random_state=0).fit(np.delete(X, 5, 0), np.delete(y, 5))
    model = GDRegressor(loss=loss, random_state=0).fit(X, y)
    assert 0.3 < model.alpha_ / without.alpha_ < 3
    np.testing.assert_allclose(model.coef_, without.coef_, atol=0.02)


@pytest.mark.parametrize("optimizer", ["auto", "adam", "nesterov"])
@pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
def test_the_unit_of_the_targets_does_not_matter(optimizer, loss):
    X, y, _ = problem()
    one, other = (
        GDRegressor(optimizer, loss=loss, random_state=0).fit(X, y * unit) for unit in (1, 2.0**20)
    )
    np.testing.assert_allclose(one.coef_, other.coef_ / 2.0**20, rtol=1e-6)
    assert one.n_iter_ == other.n_iter_


def test_a_robust_loss_with_an_l1_penalty():
    X, y, truth = problem(outlier=3)
    for loss in LOSSES:
        model = GDRegressor(loss=loss, l1_ratio=0.5, random_state=0).fit(X, y)
        assert np.median(np.abs(model.predict(X) - truth)) < 0.2


def test_weights_are_repeated_rows():
    rng = np.random.default_rng(0)
    X, y, truth = problem(101, outlier=1e4)
    weight = rng.integers(0, 4, 101)
    model = GDRegressor(loss="huber", random_state=0)
    weighted = model.fit(X, y, weight).coef_
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).coef_
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)
    y = y[:, None]
    for rows in (101, 25):  # without their weights, 25 rows are too few to judge a stream
        some, counts = y[:rows], weight[:rows]
        for before in (None, Moments().update(truth[:, None] + 100)):
            np.testing.assert_array_equal(
                bounds_of(some, counts, before),
                bounds_of(np.repeat(some, counts, axis=0), None, before),
            )


@pytest.mark.parametrize("level", [0.05, 0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_quantiles(level, n):
    y = np.random.default_rng(n).normal(size=n)
    expected = np.quantile(y, level, method="inverted_cdf")
    assert quantiles(y, None, [level])[0] == expected
    assert quantiles(y, np.full(n, 0.1), [level])[0] == expected


def test_bounds_where_most_targets_are_equal():
    y = np.zeros((1000, 1))
    y[:300, 0] = np.random.default_rng(0).normal(size=300)
    for others in (300, 200, 80):
        y[others:] = 0
        (lowest,), (highest,) = bounds_of(y)
        assert -6 < lowest < -0.5 < 0.5 < highest < 6
    y[20:] = 0  # too few others to tell
    assert bounds_of(y)[1] == np.inf


def test_normal_targets_have_no_outliers():
    y = norm.ppf((np.arange(100_000) + 0.5) / 100_000)[:, None] * [1, 1e9] + [3, 0]
    np.testing.assert_allclose(bounds_of(y), [[-1, -4e9], [7, 4e9]], rtol=1e-3)
    y = np.random.default_rng(0).normal(size=(10_000, 2)) * [1, 1e9]
    assert np.mean(np.clip(y, *bounds_of(y)) == y) > 0.9998


@pytest.mark.parametrize("rows", [1, 5, 100])
def test_a_stream_with_an_outlier(rows):
    X, y, truth = problem()
    y[5], y[500] = y[4], 1e6
    model = GDRegressor("adam", loss="huber", random_state=0)
    for begin in range(0, 1000, rows):
        model.partial_fit(X[begin : begin + rows], y[begin : begin + rows])
    assert np.median(np.abs(model.predict(X) - truth)) < (0.5 if rows < 100 else 4)
    assert model._run.statistics.targets.deviation < 10


@pytest.mark.parametrize("move", [100, -100])
def test_a_stream_whose_targets_move(move):
    rng = np.random.default_rng(0)
    before = Moments()
    for level in (0, move, 2 * move):
        y = rng.normal(level, 1, (200, 1))
        bounds = bounds_of(y, None, before if before.total else None)
        before.update(np.clip(y, *bounds))
    np.testing.assert_allclose(before.mean, move, rtol=0.01)


def test_partitions_send_samples():
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=(50_000, 2)), rng.random(50_000)
    samples = [sample_of(y[k::5], weight[k::5]) for k in range(5)]
    few, weights = (np.concatenate(each) for each in zip(*samples, strict=True))
    assert len(few) == 5 * SENT
    np.testing.assert_allclose(bounds_of(few, weights), bounds_of(y, weight), rtol=0.01)


def test_sparse_and_dense_have_the_same_bounds():
    X, y, _ = problem()
    one, other = (
        GDRegressor(loss="huber", random_state=0).fit(each, y) for each in (X, sp.csr_matrix(X))
    )
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-4)
    assert one.alpha_ == pytest.approx(other.alpha_, rel=1e-6)
