"""The coordinates of the optimizer: maps to and from the model, statistics, and curvature."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.data import PRECONDITIONS
from helpers.runs import (
    Coordinates,
    Moments,
    begin_average,
    epoch,
    largest_curvature,
    loss_scale,
    make_data,
    make_run,
    models,
    move,
    run_of,
    small_parts,
    weights,
)
from sk_gd import GDClassifier, GDRegressor, losses, optimizers


def rows(n=40, d=4, seed=0):
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(n, d)) @ generator.normal(size=(d, d))
    return np.ascontiguousarray(mixed * [1, 10, 0.1, 3][:d] + [5, -30, 0, 1][:d])


def dense(X):
    return X.toarray() if sp.issparse(X) else X


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precondition", PRECONDITIONS)
@pytest.mark.parametrize(("loss", "outputs"), [("squared_error", 2), ("log_loss", 3)])
def test_there_and_back(loss, outputs, precondition, storage, intercept):
    X = storage(rows())
    y = rows(seed=1)[:, :2] if loss == "squared_error" else np.arange(40) % 3
    data = make_data(
        X, y, loss, outputs=outputs, precondition=precondition, ridge=0.1, intercept=intercept
    )
    coordinates = data.coordinates
    flat = np.random.default_rng(3).normal(size=outputs * (4 + intercept))
    coef, b = coordinates.to_model(flat)
    assert coef.shape == (outputs, 4)
    assert b.shape == (outputs,)
    if not intercept:
        np.testing.assert_array_equal(b, 0)
    np.testing.assert_allclose(coordinates.from_model(coef, b), flat, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("full", [False, True])
def test_moments_in_parts_are_those_of_the_whole(full, storage, weighted):
    X = rows(60)
    X[:30] += 100  # the parts have means far apart
    weight = np.random.default_rng(4).random(60) if weighted else None
    moments = Moments(full)
    for part in (slice(0, 1), slice(1, 30), slice(30, 60)):
        moments.update(storage(X[part]), None if weight is None else weight[part])
    mean = np.average(X, axis=0, weights=weight)
    covariance = np.cov(X.T, aweights=weight, ddof=0)
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moments.variance, np.diag(covariance), rtol=1e-12)
    if full:
        scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        np.testing.assert_allclose(
            moments.covariance / scale, covariance / scale, rtol=0, atol=1e-12
        )


def test_moments_of_many_rows_are_taken_in_chunks(monkeypatch):
    small_parts(monkeypatch, 16)  # four rows at a time
    X, weight = rows(42), np.random.default_rng(5).integers(0, 3, 42).astype(float)
    weight[4:8] = 0  # a whole chunk
    moments = Moments(full=True).update(X, weight)
    repeated = np.repeat(X, weight.astype(int), axis=0)
    np.testing.assert_allclose(moments.mean, repeated.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(repeated.T, ddof=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_without_weight_fill_a_chunk(dtype, monkeypatch):
    monkeypatch.setattr("sk_gd.objectives.moments.JOINT_ENTRIES", 30_000)
    X, weight = np.tile(rows(40), (1000, 1)).astype(dtype), np.zeros(40_000)
    X[:, 0] = 3
    X[:20_000] *= 2
    weight[20_000:] = np.arange(20_000) % 2
    Y = X @ [[1.0], [0.0], [-1.0], [2.0]]
    moments = Moments(full=True).update_sparse(sp.csr_array(X), Y, weight)
    used = np.column_stack([X, Y])[weight > 0].astype(float)
    for found in (moments, Moments().update(sp.csr_array(X), weight)):
        n = len(found.mean)
        np.testing.assert_allclose(found.mean, used.mean(axis=0)[:n], rtol=1e-6)
        np.testing.assert_allclose(found.variance, used.var(axis=0)[:n], rtol=1e-6)
        assert found.variance[0] == 0
    np.testing.assert_allclose(moments.covariance, np.cov(used.T, ddof=0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("value", [0.1, 1e10 / 3])
def test_constant_features_are_known(value, storage, dtype, full):
    X = np.column_stack([np.full(101, value), np.arange(101.0)]).astype(dtype)
    moments = Moments(full)
    for part in np.array_split(X, 7):
        moments.update(storage(part))
    assert moments.is_constant().tolist() == [True, False]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_deviations_around_a_large_mean_are_not_rounded_away(dtype, storage, full):
    X = (1e5 + np.random.default_rng(6).normal(size=(5000, 2))).astype(dtype)
    moments = Moments(full).update(storage(X))
    np.testing.assert_allclose(moments.variance, np.var(X, axis=0, dtype=float), rtol=1e-6)
    assert not moments.is_constant().any()


@pytest.mark.parametrize("weighted", [False, True])
def test_standardized_features_have_mean_zero_and_deviation_one(weighted):
    X = rows()
    weight = np.random.default_rng(7).random(40) if weighted else np.ones(40)
    moments = Moments().update(X, weight)
    c = Coordinates(4, 1, True, 0.25).standardize(moments, 0.0, centre=True)
    z = (X - c.shift) * c.scale
    np.testing.assert_allclose(np.average(z, axis=0, weights=weight), 0, atol=1e-12)
    np.testing.assert_allclose(np.average(z**2, axis=0, weights=weight), 1, rtol=1e-12)


def hessian(X, coordinates, curvature, weight=None, ridge=0.0):
    """The Hessian of the loss bound and the ridge, computed with `to_model` alone."""
    size = coordinates.n_columns
    columns, penalised = [], []
    origin = coordinates.to_model(np.zeros(size))
    for unit in np.eye(size):
        coef, b = coordinates.to_model(unit)
        columns.append(dense(X) @ (coef - origin[0])[0] + (b - origin[1])[0])
        penalised.append((coef - origin[0])[0])
    z, penalised = np.array(columns), np.array(penalised)
    weight = np.ones(X.shape[0]) if weight is None else weight
    full = curvature * (z * weight) @ z.T / weight.sum() + ridge * penalised @ penalised.T
    return full / loss_scale(coordinates)[0], z


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_whitened_curvature_is_one(loss, ridge, weighted, storage, intercept):
    X = rows()
    y = X[:, 0] if loss == "squared_error" else np.arange(40) % 2
    weight = np.random.default_rng(8).random(40) if weighted else None
    data = make_data(
        storage(X), y, loss, precondition="whiten", weight=weight, ridge=ridge, intercept=intercept
    )
    full, _ = hessian(X, data.coordinates, losses.get(loss).curvature(1), weight, ridge)
    # This is the Hessian of the squared error, and a bound on that of the logistic loss.
    eigenvalues = np.linalg.eigvalsh(full)
    assert eigenvalues.max() <= 1 + 1e-12
    assert eigenvalues.min() >= 1 - 1e-6


def test_whitening_survives_a_feature_that_is_the_sum_of_two():
    X = rows()
    X[:, 3] = X[:, 0] + X[:, 1]
    y = X @ [1.0, 2.0, 3.0, 0.0]
    data = make_data(X, y, "squared_error", precondition="whiten")
    full, _ = hessian(X, data.coordinates, 1.0)
    assert np.linalg.eigvalsh(full).max() <= 1 + 1e-12
    run = make_run(data, "sgd", learning_rate=1.0)
    for _ in range(3):
        epoch(data, run)
    coef, b = data.coordinates.to_model(weights(run))
    np.testing.assert_allclose((X @ coef.T + b)[:, 0], y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weighted", ["none", "all", "few"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("precondition", [None, "standardize"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_smoothness(loss, precondition, intercept, storage, weighted):
    X = rows()
    y = 3 * X[:, 0] if loss == "squared_error" else np.arange(40) % 2
    weight = None if weighted == "none" else np.random.default_rng(9).random(40)
    if weighted == "few":
        weight[4:] = 0
    data = make_data(
        storage(X), y, loss, precondition=precondition, weight=weight, intercept=intercept
    )
    c, curvature = data.coordinates, losses.get(loss).curvature(1)
    full, z = hessian(X, c, curvature, weight)
    share = np.ones(40) if weight is None else weight / weight.mean()
    largest = np.linalg.eigvalsh(full).max()
    single = (curvature * share * (z**2).sum(axis=0)).max() / loss_scale(c)[0]

    def of(batch_size):
        return largest_curvature(data, curvature, batch_size)

    assert of(40) == pytest.approx(largest, rel=1e-12)
    assert of(1000) == pytest.approx(largest, rel=1e-12)
    assert of(1) == pytest.approx(single, rel=1e-12)
    values = [of(b) for b in range(1, 41)]
    assert np.all(np.diff(values) <= 1e-12 * single)
    assert largest < of(5) < single


@pytest.mark.parametrize("size", range(1, 7))
def test_the_noise_of_a_batch_is_that_of_rows_without_replacement(size):
    data = make_data(rows()[:6], np.arange(6) % 2, "log_loss")
    numbers = np.random.default_rng(0).normal(size=6)
    means = [np.mean(some) for some in itertools.combinations(numbers, size)]
    noise = np.var(means) / np.var(numbers)
    single, whole, found = (largest_curvature(data, 0.25, b) for b in (1, 6, size))
    assert found == pytest.approx((1 - noise) * whole + noise * single, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precondition", PRECONDITIONS)
def test_automatic_rates_of_normalised_steps(precondition, storage, weighted):
    """The rate is relative to the root of the trace of the Hessian, without the intercept."""
    X = np.random.default_rng(0).normal(0.5, [1, 2, 3, 4], (40, 4))
    weight = np.random.default_rng(1).random(40) if weighted else None
    settings = {"alpha": 0.01, "scale_penalty": False, "max_iter": 1, "tol": None}
    model = GDClassifier("adam", precondition=precondition, batch_size=10, **settings)
    model.fit(storage(X), np.arange(40) % 2, weight)
    lengths, scale = np.average(X**2, axis=0, weights=weight), np.ones(4)
    if precondition == "standardize":
        mean = np.average(X, axis=0, weights=weight) if storage is np.asarray else 0.0
        scale = 1 / np.average((X - mean) ** 2, axis=0, weights=weight)
        lengths = 1 / scale
    trace = np.sum((0.25 * lengths + 0.01) * scale)
    if precondition == "whiten":
        trace = 4  # every direction has the curvature one
    expected = optimizers.Adam.default_rate / np.sqrt(trace)
    assert model.learning_rate_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "svrg"])
def test_a_batch_may_have_more_rows_than_have_weight(optimizer):
    """It is no full batch: the automatic rate must suit a batch with most of them, or with none."""
    random = np.random.default_rng(0)
    X, weight = random.normal(size=(5000, 3)), np.zeros(5000)
    # No row of even number: every fourth row is in the sample that shows divergence.
    weight[1 + 2 * random.choice(2500, 10, replace=False)] = 1
    model = GDRegressor(optimizer, alpha=0, tol=None, max_iter=100, random_state=0)
    model.fit(X, X @ [1.0, 2.0, 3.0], sample_weight=weight)
    assert model.batch_size_ > 10
    np.testing.assert_allclose(model.coef_, [1, 2, 3], rtol=1e-3)


def test_smoothness_of_many_columns_is_not_below_the_largest_eigenvalue():
    # With more columns than some hundreds, the eigenvalue is found by iteration.
    generator = np.random.default_rng(10)
    X = generator.normal(size=(120, 300)) * np.linspace(0.1, 2, 300)
    data = make_data(X, np.arange(120) % 2, "log_loss")
    full, _ = hessian(X, data.coordinates, 0.25)
    largest = np.linalg.eigvalsh(full).max()
    L = largest_curvature(data, 0.25, 120)
    assert largest <= L <= 1.02 * largest


@pytest.mark.parametrize("precondition", PRECONDITIONS)
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_batch_descent_at_the_automatic_rate_descends_at_every_step(loss, precondition):
    X = rows()
    if loss == "squared_error":
        model, y = GDRegressor, X @ [1.0, -1.0, 2.0, 0.5] + np.sin(np.arange(40))
    else:
        model, y = GDClassifier, (np.sin(np.arange(40)) > 0).astype(int)
    curve = (
        model("sgd", batch_size="full", precondition=precondition, tol=None, max_iter=50)
        .fit(X, y)
        .loss_curve_
    )
    assert np.all(np.diff(curve) <= 1e-12 * curve[0])
    assert curve[-1] < curve[0]


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
@pytest.mark.parametrize("kind", ["regressor", "multioutput", "binary", "multinomial"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])  # a learning rate near zero stops both
def test_partial_fit_keeps_the_function_when_the_statistics_move(
    optimizer, kind, precondition, storage
):
    X = rows(80)
    second = X[40:] * [3.0, 0.5, 10.0, 1.0] + 7
    classes = {"binary": [0, 1], "multinomial": [0, 1, 2]}.get(kind)
    if classes is None:
        y = X @ np.array([[1.0, 0.1], [-1.0, 0.2], [2.0, 0.0], [0.5, 1.0]])
        y = y[:, 0] if kind == "regressor" else y
        make, first = GDRegressor, {}
    else:
        y = np.arange(80) % len(classes)
        make, first = GDClassifier, {"classes": classes}
    model = make(
        optimizer, precondition=precondition, batch_size=8, learning_rate=0.05, random_state=0
    )
    for _ in range(3):
        model.partial_fit(storage(X[:40]), y[:40], **first)
    p = model.predict if classes is None else model.decision_function
    before = p(X)
    flat = weights(run_of(model)).copy()
    model.set_params(learning_rate=1e-14)
    model.partial_fit(storage(second), y[40:] * (1 if classes else 5))
    assert not np.allclose(weights(run_of(model)), flat, rtol=1e-3)  # they moved, the model did not
    np.testing.assert_allclose(p(X), before, rtol=1e-9, atol=1e-9 * np.abs(before).max())


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
@pytest.mark.parametrize("name", optimizers.names())
def test_every_point_a_run_remembers_moves_with_the_coordinates(name, precondition, averaged):
    X = rows(80)
    y = X @ np.array([[1.0, 0.1], [-1.0, 0.2], [2.0, 0.0], [0.5, 1.0]])
    first, second = (
        make_data(
            X[part], y[part], "squared_error", outputs=2, precondition=precondition, batch_size=8
        )
        for part in (slice(0, 40), slice(30, 80))
    )
    run = make_run(first, name, learning_rate=0.02)
    if averaged:
        begin_average(run)
    for _ in range(3):
        epoch(first, run)
    before = models(run)
    move(run, second)
    for (coef, b), (coef_before, b_before) in zip(models(run), before, strict=True):
        np.testing.assert_allclose(coef, coef_before, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(b, b_before, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
@pytest.mark.parametrize("name", ["sgd", "adagrad", "ftrl", "dog", "dowg", "cocob", "polyak"])
def test_the_model_stays_after_the_move_if_it_has_no_error(name, precondition):
    """The next step has no gradient: it must not go back to where the coordinates were."""
    X = rows(80)
    second = X[40:] * [3.0, 0.5, 10.0, 1.0] + 7
    y = X[:40] @ [1.0, -1.0, 2.0, 0.5]
    settings = {"precondition": precondition, "batch_size": 8}
    first = make_data(X[:40], y, "squared_error", **settings)
    # With a rate below one COCOB is still on its way to the last bet.
    run = make_run(first, name, learning_rate=1.0 if name == "cocob" else 0.5)
    for _ in range(3):
        epoch(first, run)
    coef, b = run.model()
    then = make_data(second, second @ coef[0] + b, "squared_error", **settings)
    move(run, then)
    epoch(then, run)
    np.testing.assert_allclose(run.model()[0], coef, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(run.model()[1], b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["sgd", "ftrl", "schedule_free_sgd", "schedule_free_adamw"])
def test_a_lasso_stays_at_its_minimum_when_the_coordinates_move(name):
    """What the penalty has taken so far belongs to its slopes, which are others now."""
    X = np.random.default_rng(1).normal(size=(80, 4)) * [1.0, 2.0, 0.5, 3.0]
    y = X @ [1.0, -1.0, 0.1, 0.5] + np.sin(np.arange(80))
    first, second = (
        make_data(X, y, "squared_error", precondition=precondition)
        for precondition in ("standardize", None)
    )
    run = make_run(first, name, learning_rate=0.1, alpha=0.1, l1_ratio=1.0)
    for _ in range(2000):
        epoch(first, run)
    before = models(run)
    assert np.count_nonzero(before[-1][0] == 0) == 1
    move(run, second)
    epoch(second, run)
    for (coef, b), (coef_before, b_before) in zip(models(run), before, strict=True):
        np.testing.assert_allclose(coef, coef_before, rtol=0, atol=1e-3)
        np.testing.assert_allclose(b, b_before, rtol=0, atol=1e-3)
