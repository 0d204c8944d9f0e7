"""The objective does not depend on storage, weights or repeated rows, blocks, or lanes."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from helpers import naive
from helpers.optimizers import batch_size_for
from helpers.runs import (
    BLOCK,
    Recorder,
    epoch,
    has_diverged,
    loss_sum,
    make_data,
    make_run,
    model_weights,
    recorded_gradient,
    sums,
    weights,
)
from sk_gd import GDClassifier, GDRegressor, optimizers

KINDS = ["regressor", "multioutput", "binary", "multinomial", "svm", "multiclass_svm", "many"]
CLASSIFIERS = {
    "binary": ("log_loss", 2),
    "multinomial": ("log_loss", 3),
    "many": ("log_loss", 8),
    "svm": ("hinge", 2),
    "multiclass_svm": ("hinge", 3),
}


def problem(kind, n=60, d=5, zeros=0.4):
    generator = np.random.default_rng(21)
    X = generator.normal(size=(n, d))
    X[generator.random(X.shape) < zeros] = 0
    k = max(3, CLASSIFIERS[kind][1] if kind in CLASSIFIERS else 0)
    score = X @ generator.normal(size=(d, k)) + 0.3 * generator.normal(size=(n, k))
    if kind == "regressor":
        return X, score[:, 0]
    if kind == "multioutput":
        return X, score[:, :2]
    return X, score[:, : CLASSIFIERS[kind][1]].argmax(axis=1)


def estimator(kind, optimizer, **options):
    options = {"max_iter": 20, "tol": None, "random_state": 0, "average": False} | options
    if kind in CLASSIFIERS:
        return GDClassifier(optimizer, loss=CLASSIFIERS[kind][0], **options)
    return GDRegressor(optimizer, **options)


def assert_same(model, other, rtol, atol=0.0):
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=rtol, atol=atol)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("kind", KINDS)
def test_integer_weights_are_repeated_rows(kind, precondition, storage):
    X, y = problem(kind)
    weight = np.random.default_rng(22).integers(0, 4, len(y))
    options = {"batch_size": "full", "precondition": precondition, "learning_rate": 0.05}
    weighted = estimator(kind, "momentum", **options).fit(storage(X), y, sample_weight=weight)
    X, y = np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)
    assert_same(weighted, estimator(kind, "momentum", **options).fit(storage(X), y), 1e-10, 1e-12)


@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("name", optimizers.names())
def test_integer_weights_are_repeated_rows_at_the_automatic_rate(name, precondition):
    X, y = problem("binary")
    weight = np.random.default_rng(22).integers(0, 4, len(y))
    options = {"batch_size": "full", "precondition": precondition, "max_iter": 10}
    weighted = estimator("binary", name, **options).fit(X, y, sample_weight=weight)
    X, y = np.repeat(X, weight, axis=0), np.repeat(y, weight)
    # Rules that divide by small gradients magnify rounding.
    assert_same(weighted, estimator("binary", name, **options).fit(X, y), 1e-7, 1e-9)


def test_weights_are_relative():
    X, y = problem("binary")
    weight = np.random.default_rng(22).random(len(y))
    one, other = (
        estimator("binary", "adam", alpha=1e-4).fit(X, y, sample_weight=scale * weight)
        for scale in (1, 1024)
    )
    assert_same(one, other, 1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, "full"])
@pytest.mark.parametrize("wide", [False, True], ids=["32 bit", "64 bit"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("penalty", [(0.0, 0.0), (0.01, 0.0), (0.01, 0.5)])
@pytest.mark.parametrize("kind", KINDS)
def test_dense_is_sparse(kind, penalty, dtype, wide, batch_size):
    X, y = problem(kind)
    X = X.astype(dtype)
    sparse = sp.csr_array(X)
    if wide:
        sparse.indices = sparse.indices.astype(np.int64)
        sparse.indptr = sparse.indptr.astype(np.int64)
    alpha, l1_ratio = penalty
    model, other = (
        estimator(
            kind,
            "rmsprop",
            batch_size=batch_size,
            learning_rate=0.01,
            precondition=None,
            alpha=alpha,
            l1_ratio=l1_ratio,
            max_iter=5,
        ).fit(data, y)
        for data in (X, sparse)
    )
    assert other.coef_.dtype == dtype
    precision = 1e-5 if dtype == np.float32 else 1e-9
    assert_same(model, other, precision, precision)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("options", [{}, {"precondition": None}, {"fit_intercept": False}], ids=str)
def test_many_outputs_at_a_time_have_the_same_bits(options, index, dtype, monkeypatch):
    X, y = problem("many")
    sparse = sp.csr_array(X.astype(dtype))
    sparse.indices, sparse.indptr = sparse.indices.astype(index), sparse.indptr.astype(index)
    models = []
    for many in (6, 9):
        monkeypatch.setattr("sk_gd.objectives.linear.MANY", many)
        for batch_size in (7, "full"):
            model = estimator("many", "momentum", batch_size=batch_size, **options)
            models.append(model.fit(sparse, y, sample_weight=np.arange(60) % 4))
    for one, other in zip(models[:2], models[2:], strict=True):
        np.testing.assert_array_equal(one.coef_, other.coef_)
        np.testing.assert_array_equal(one.intercept_, other.intercept_)
        assert one.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("kind", ["regressor", "multinomial"])
@pytest.mark.parametrize("name", optimizers.names())
def test_dense_is_sparse_in_turned_coordinates(name, kind):
    # Without an intercept nothing is centred, so both have the same coordinates.
    X, y = problem(kind)
    options = {"precondition": "whiten", "fit_intercept": False, "max_iter": 5}
    options["batch_size"] = batch_size_for(name, 8)
    model, other = (
        estimator(kind, name, learning_rate=0.01, **options).fit(data, y)
        for data in (X, sp.csr_array(X))
    )
    assert_same(model, other, 1e-8, 1e-9)


def test_turned_coordinates_of_sparse_rows_are_those_of_dense_ones():
    # Sparse rows are not centred; the intercept takes the means into account.
    X, y = problem("multinomial")
    options = {"precondition": "whiten", "batch_size": 8, "max_iter": 10, "learning_rate": 0.5}
    model, other = (
        estimator("multinomial", "sgd", **options).fit(data, y) for data in (X, sp.csr_array(X))
    )
    assert_same(model, other, 1e-11, 1e-13)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("kind", KINDS[:4])
def test_single_precision_is_close_to_double(kind, precondition, storage):
    X, y = problem(kind)
    X = X.astype(np.float32)  # the same numbers in both
    models = [
        estimator(
            kind, "adam", learning_rate=0.01, precondition=precondition, batch_size=8, max_iter=5
        ).fit(storage(X.astype(dtype)), y)
        for dtype in (np.float32, np.float64)
    ]
    assert models[0].coef_.dtype == np.float32
    assert models[1].coef_.dtype == np.float64
    assert_same(*models, 1e-5, 1e-6)


@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("kind", KINDS)
def test_many_models_in_one_epoch_are_as_many_epochs(kind, storage, precondition):
    X, y = problem(kind)
    outputs = {"multioutput": 2, "multinomial": 3, "multiclass_svm": 3, "many": 8}.get(kind, 1)
    loss = CLASSIFIERS.get(kind, ("squared_error",))[0]
    weight = np.random.default_rng(23).random(len(y))
    data = make_data(
        storage(X), y, loss, outputs=outputs, weight=weight, precondition=precondition, batch_size=7
    )
    l1_ratio = 0.0 if precondition == "whiten" else 0.5
    # Each optimizer has both of these with some of the losses.
    settings = {"learning_rate": 0.003, "alpha": 0.1}, {"learning_rate": 0.01, "alpha": 0.0}
    turn = KINDS.index(kind)

    def runs():
        return [
            make_run(data, name, **settings[(i + turn) % 2], l1_ratio=l1_ratio)
            for i, name in enumerate(optimizers.names())
        ]

    together, apart = runs(), runs()
    for _ in range(3):
        epoch(data, *together)
        for run in apart:
            epoch(data, run)
    assert len(together) > 8
    for run, alone in zip(together, apart, strict=True):
        np.testing.assert_allclose(weights(run), weights(alone), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(model_weights(run), model_weights(alone), rtol=1e-8, atol=1e-11)
        assert loss_sum(run) == pytest.approx(loss_sum(alone), rel=1e-11)


@pytest.mark.parametrize("name", ["sgd", "heavy_ball"])
@pytest.mark.parametrize("rates", [[0.01], [0.003, 0.01]])
@pytest.mark.parametrize("weighing", ["none", "random", "few"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_on_one_row_are_those_of_a_plain_loop(name, rates, weighing, dtype):
    # So many rows that the product of all terms whose logarithms are the loss overflows.
    X, y = problem("binary", n=3000)
    X = X.astype(dtype)
    generator = np.random.default_rng(27)
    weight = {
        "none": np.ones(len(y)),
        "random": generator.random(len(y)),
        "few": np.repeat([0.0, 1.0, 3.0], 1000),
    }[weighing]
    given = None if weighing == "none" else weight
    data = make_data(X, y, "log_loss", weight=given, batch_size=1)
    runs = [make_run(data, name, learning_rate=rate, alpha=0.05) for rate in rates]
    for _ in range(2):
        epoch(data, *runs)
    beta = optimizers.get(name).momentum if name == "heavy_ball" else 0.0
    rows = np.column_stack([X, np.ones(len(y))])
    penalised = np.append(np.ones(X.shape[1]), 0.0)
    for run, rate in zip(runs, rates, strict=True):
        w = before = np.zeros(rows.shape[1])
        for _ in range(2):
            total = 0.0
            for x, label, share in zip(rows, y, weight / weight.mean(), strict=True):
                p = x @ w
                total += share * (np.logaddexp(0, p) - label * p)
                g = share * (expit(p) - label) * x + 0.05 * penalised * w
                w, before = w - rate * g + beta * (w - before), w
        np.testing.assert_allclose(weights(run), w, rtol=1e-9)
        assert loss_sum(run) == pytest.approx(total, rel=1e-12)


def test_the_sums_of_one_row():
    data = make_data([[2.0, -1.0]], [3.0], "squared_error", batch_size=1)
    total, gradient = sums(data, [0.5, 0.25, 0.75])
    assert total == 0.5 * 1.5**2
    np.testing.assert_array_equal(gradient, [-3.0, 1.5, -1.5])


def test_a_model_that_diverges_leaves_its_neighbours_alone():
    X, y = problem("regressor")
    data = make_data(X, y, "squared_error", batch_size=1)
    wild, tame, alone = (make_run(data, "sgd", learning_rate=lr) for lr in (1e6, 0.01, 0.01))
    for _ in range(3):
        epoch(data, wild, tame)
        epoch(data, alone)
    assert has_diverged(wild) and not has_diverged(tame)
    np.testing.assert_allclose(weights(tame), weights(alone), rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["sgd", "adagrad"])
def test_stepping_over_touched_coordinates_is_stepping_over_all(
    name, kind, fit_intercept, batch_size
):
    X, y = problem(kind, d=30, zeros=0.9)
    X[::7] = 0  # rows, and in batches of one also gradients, that touch nothing
    model, other = (
        estimator(
            kind,
            name,
            alpha=0,
            learning_rate=0.05,
            precondition=None,
            batch_size=batch_size,
            fit_intercept=fit_intercept,
        ).fit(data, y)
        for data in (X, sp.csr_array(X))
    )
    assert_same(model, other, 1e-10, 1e-12)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("outputs", [1, 3])
def test_batches_larger_than_a_block(outputs, storage):
    generator = np.random.default_rng(24)
    d = 100
    n = 5 * BLOCK // d + 3
    X = generator.normal(size=(n, d))
    X[generator.random(X.shape) < 0.2] = 0
    Y = generator.normal(size=(n, outputs))
    weight = generator.random(n)
    share = weight / weight.mean()
    batch_size = n - 30  # one batch of several blocks, then a small one
    data = make_data(
        storage(X), Y, "squared_error", outputs=outputs, weight=weight, batch_size=batch_size
    )
    rate = 0.02
    run = make_run(data, "sgd", learning_rate=rate)
    epoch(data, run)
    Z, W, total = np.column_stack([X, np.ones(n)]), np.zeros((outputs, d + 1)), 0.0
    for batch in (slice(0, batch_size), slice(batch_size, n)):
        z, s = Z[batch], share[batch]
        residual = z @ W.T - Y[batch]
        total += 0.5 * (s[:, None] * residual**2).sum()
        W = W - rate * (residual * s[:, None]).T @ z / len(z)
    np.testing.assert_allclose(weights(run), W.ravel(), rtol=1e-11, atol=1e-15)
    assert loss_sum(run) == pytest.approx(total, rel=1e-12)


def test_a_row_wider_than_a_block():
    generator = np.random.default_rng(25)
    X, y = generator.normal(size=(4, BLOCK + 10)), generator.normal(size=4)
    data = make_data(X, y, "squared_error")
    run = make_run(data, Recorder())
    epoch(data, run)
    expected = np.append(X.T @ -y, -y.sum()) / 4
    np.testing.assert_allclose(recorded_gradient(run), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_the_reported_objective_is_the_objective(kind, alpha):
    # The third value of the curve is the objective of the model after two epochs.
    X, y = problem(kind)
    weight = np.random.default_rng(26).random(len(y))
    loss = CLASSIFIERS.get(kind, ("squared_error",))[0]
    for storage in (np.asarray, sp.csr_array):
        for precondition in (None, "standardize", "whiten"):
            two, three = (
                estimator(
                    kind,
                    "sgd",
                    alpha=alpha,
                    scale_penalty=False,
                    precondition=precondition,
                    batch_size="full",
                    max_iter=max_iter,
                ).fit(storage(X), y, sample_weight=weight)
                for max_iter in (2, 3)
            )
            expected = naive.objective(
                loss, X, y, two.coef_, two.intercept_, alpha=alpha, weight=weight
            )
            assert three.loss_curve_[2] == pytest.approx(expected, rel=1e-12)
            assert three.loss_curve_[:2] == two.loss_curve_
            assert three.loss_curve_[2] < three.loss_curve_[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reads_a_memory_map_in_place(tmp_path, dtype):
    X, y = problem("multinomial")
    X = X.astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert not mapped.flags.writeable
    assert_same(
        estimator("multinomial", "adam").fit(mapped, y),
        estimator("multinomial", "adam").fit(X, y),
        0,
    )


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
def test_changes_nothing_that_is_given(precondition, storage):
    X, y = problem("multinomial")
    X, weight = storage(X), np.random.default_rng(27).random(len(y))
    arrays = [y, weight] + ([X] if storage is np.asarray else [X.data, X.indices, X.indptr])
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    model = estimator("multinomial", "adam", precondition=precondition)
    model.fit(X, y, sample_weight=weight)
    model.partial_fit(X, y, sample_weight=weight)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("batch_size", [4, "full"])
def test_rows_are_read_wherever_they_lie(batch_size):
    X, y = problem("regressor")
    expected = estimator("regressor", "adam", batch_size=batch_size).fit(X, y)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    for same in (np.asfortranarray(X), wide, X[::-1][::-1]):
        assert_same(estimator("regressor", "adam", batch_size=batch_size).fit(same, y), expected, 0)
    unsorted = sp.csr_array(X)
    for begin, end in zip(unsorted.indptr, unsorted.indptr[1:], strict=False):
        unsorted.indices[begin:end] = unsorted.indices[begin:end][::-1].copy()
        unsorted.data[begin:end] = unsorted.data[begin:end][::-1].copy()
    unsorted.has_sorted_indices = False
    assert_same(
        estimator("regressor", "adam", batch_size=batch_size).fit(unsorted, y),
        estimator("regressor", "adam", batch_size=batch_size).fit(sp.csr_array(X), y),
        1e-12,
    )


@pytest.mark.parametrize("batch_size", [1, 7, 13, "full"])
def test_shuffled_epochs_see_every_row_once(batch_size):
    # At a negligible rate the weights stay zero, and the loss of an epoch is the mean of all rows.
    X, y = problem("regressor")
    model = estimator(
        "regressor", "sgd", learning_rate=1e-300, batch_size=batch_size, precondition=None, alpha=0
    ).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, 0.5 * np.mean(y**2), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [7, 127, 128, 129, 700])
def test_rows_of_any_length(d, dtype):
    # Long rows are multiplied in spans of columns.
    rng = np.random.default_rng(d)
    X, y, rate = rng.normal(size=(45, d)).astype(dtype), rng.normal(size=45), 1e-3
    settings = {"precondition": None, "alpha": 0, "average": False, "tol": None, "max_iter": 1}
    w = np.zeros(d)
    for begin in range(0, 45, 23):
        rows = X[begin : begin + 23].astype(float)
        w -= rate * rows.T @ (rows @ w - y[begin : begin + 23]) / len(rows)
    model = GDRegressor(
        "sgd", learning_rate=rate, batch_size=23, shuffle=False, fit_intercept=False, **settings
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, w, rtol=0, atol=abs(w).max() * 10 * np.finfo(dtype).eps)
