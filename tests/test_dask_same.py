"""A model that is trained on a cluster is the model of one machine."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from helpers.clusters import (
    TARGETS,
    WEIGHT,
    N,
    X,
    assert_same_model,
    both,
    cut,
    ends_of,
    fit_quietly,
)
from helpers.optimizers import DRAWN
from sk_gd import losses, optimizers

pytest.importorskip("dask.array")
pytest.importorskip("distributed")

pytestmark = pytest.mark.usefixtures("client")

FULL_BATCH = [name for name in optimizers.names() if optimizers.get(name).full_batch != "optional"]
ON_REQUEST = [name for name in optimizers.names() if name not in FULL_BATCH]


def targets_of(loss, kind):
    """The targets, by their names, that a loss is for."""
    if kind == "classifier":
        return ["two", "three"]
    return ["count"] if not losses.get(loss).allows(TARGETS["numbers"]).all() else ["numbers"]


LOSSES = [
    (kind, loss, target)
    for kind in ("regressor", "classifier")
    for loss in losses.names(kind)
    for target in targets_of(loss, kind)
]


def compare(kind, loss, target, optimizer, turn, **parameters):
    """Fit both models; `turn` decides format, weights and class weights."""
    if kind == "classifier":
        weights = (None, "balanced", {TARGETS[target][0]: 3.0})
        parameters["class_weight"] = weights[turn % 3]
    there, here = both(
        "GDRegressor" if kind == "regressor" else "GDClassifier",
        TARGETS[target],
        weight=WEIGHT if turn % 2 else None,
        sparse=turn % 4 > 1,
        loss=loss,
        # A round for every candidate.
        optimizer=optimizers.get(optimizer).set_params(n_candidates=3)
        if optimizer in DRAWN
        else optimizer,
        batch_size="full",
        **parameters,
    )
    assert_same_model(there, here)


@pytest.mark.parametrize("optimizer", FULL_BATCH)
@pytest.mark.parametrize("target", ["numbers", "two", "three"])
def test_full_batch_optimizers(optimizer, target):
    kind = "regressor" if target == "numbers" else "classifier"
    loss = "huber" if target == "numbers" else "log_loss"
    # In turn: each optimizer, and each kind of targets, has sparse rows with weights, too.
    turn = 3 * ((FULL_BATCH.index(optimizer) + len(target)) % 2)
    compare(kind, loss, target, optimizer, turn, max_iter=4)


@pytest.mark.parametrize("turn, optimizer", list(enumerate(ON_REQUEST[::4])))
def test_optimizers_with_all_rows_as_a_batch(turn, optimizer):
    compare("classifier", "log_loss", "two", optimizer, turn, max_iter=4)


@pytest.mark.parametrize("turn, case", list(enumerate(LOSSES)))
def test_losses(turn, case):
    compare(*case, "adgd", turn, max_iter=4)


@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
def test_outliers_of_all_partitions(loss):
    y = TARGETS["numbers"].copy()
    y[::37] += 1e6
    there, here = both("GDRegressor", y, weight=WEIGHT, loss=loss, optimizer="adgd", max_iter=4)
    assert_same_model(there, here)
    assert here.alpha_ > 1e-6


@pytest.mark.parametrize("optimizer", ["amos", "rprop"])
@pytest.mark.parametrize(
    "case", [("regressor", "gamma", "count"), ("classifier", "log_loss", "two")]
)
def test_a_gradient_of_zero(case, optimizer):
    """That of the intercept at the start. These optimizers divide by it, even if it is rounding."""
    for turn in (1, 2):
        compare(*case, optimizer, turn, max_iter=4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_redundant_features(n_classes):
    """Where features depend on each other, L-BFGS magnifies rounding, but ends at the minimum.

    The coordinates are made for the automatic strength of the penalty. Under a larger one the
    objective is steeper in directions in which the data do not vary, and a step that is right for
    the others multiplies what rounding there is. Other last digits of X do the same on one machine.
    """
    import sk_gd.dask

    x, y = make_classification(2000, 8, n_informative=5, n_classes=n_classes, random_state=0)
    parameters = {"alpha": 0.01, "max_iter": 60, "tol": None}
    here = fit_quietly(sk_gd.GDClassifier(**parameters), x, y)
    ends = ends_of(7, len(x))
    there = sk_gd.dask.GDClassifier(**parameters)
    fit_quietly(there, cut(x, ends), cut(y, ends))
    size = np.max(np.abs(here.coef_))
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-6 * size)
    np.testing.assert_allclose(there.loss_curve_[-1], here.loss_curve_[-1], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", optimizers.names())
@pytest.mark.parametrize("case", LOSSES)
def test_all_optimizers_and_losses(case, optimizer):
    for turn in range(4):
        compare(*case, optimizer, turn)


@pytest.mark.parametrize(
    "parameters",
    [
        {"precondition": "whiten", "optimizer": "nesterov", "batch_size": "full"},
        {
            "precondition": None,
            "optimizer": "nesterov",
            "batch_size": "full",
            "learning_rate": 0.01,
        },
        {"precondition": None, "optimizer": "sgd", "batch_size": "full"},
        {"precondition": None, "optimizer": "adam", "batch_size": "full"},
        {"l1_ratio": 0.5, "alpha": 0.01},
        {"l1_ratio": 1.0, "alpha": "2 * auto", "optimizer": "svrg", "batch_size": "full"},
        {"scale_penalty": False, "alpha": 0.1},
        {"fit_intercept": False},
        {"schedule": "cosine", "optimizer": "momentum", "batch_size": "full"},
        {"schedule": "plateau", "optimizer": "sgd", "batch_size": "full"},
        {"average": True, "optimizer": "heavy_ball", "batch_size": "full"},
        {"max_iter": 200, "tol": 1e-5},
    ],
    ids=str,
)
@pytest.mark.parametrize("turn", range(2))
def test_parameters(parameters, turn):
    kind, target = (("GDRegressor", "number"), ("GDClassifier", "two"))[turn]
    assert_same_model(*both(kind, TARGETS[target], weight=WEIGHT, sparse=turn, **parameters))


@pytest.mark.parametrize("sparse", [False, True])
def test_float32(sparse):
    there, here = both("GDClassifier", TARGETS["three"], sparse=sparse, dtype=np.float32)
    assert_same_model(there, here, rtol=1e-5, close=1e-6)
    assert there.coef_.dtype == np.float32


@pytest.mark.parametrize("count", [1, 2, 7, 64])
@pytest.mark.parametrize("rows", ["sorted", "mixed"])
def test_any_partitions(count, rows, monkeypatch):
    y = TARGETS["three"]
    order = np.argsort(y) if rows == "sorted" else np.arange(N)
    import sk_gd.dask

    given = {"random_state": 0, "max_iter": 5, "tol": None}
    ends = ends_of(count)
    there = sk_gd.dask.GDClassifier(**given)
    there.fit(cut(X[order], ends), cut(y[order], ends), cut(WEIGHT[order], ends))
    here = sk_gd.GDClassifier(**given).fit(X, y, WEIGHT)
    assert_same_model(there, here)


def test_empty_partitions_and_those_without_weight():
    weight = WEIGHT.copy()
    weight[60:90] = 0
    for target in ("number", "two"):
        kind = "GDRegressor" if target == "number" else "GDClassifier"
        ends = [0, 30, 30, 60, 90, 120, 120]
        assert_same_model(*both(kind, TARGETS[target], weight=weight, ends=ends))


@pytest.mark.parametrize("persist", [True, False])
def test_the_same_bits_wherever_partitions_are(client, persist):
    """Partitions on one worker, on the other, or on both: the same bits."""
    import sk_gd.dask

    ends, coefs = ends_of(7), []
    addresses = list(client.nthreads())
    for workers in ([addresses[0]], [addresses[1]], addresses):
        model = sk_gd.dask.GDClassifier(random_state=0, max_iter=5, tol=None, persist=persist)
        data = [
            client.compute(column, workers=workers)
            for column in (cut(X, ends), cut(TARGETS["three"], ends))
        ]
        import dask

        columns = [[dask.delayed(future) for future in column] for column in data]
        coefs.append(model.fit(*columns).coef_)
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])


def test_more_answers_than_the_client_holds_are_merged_to_the_same_bits(monkeypatch):
    from sk_gd.dask import cluster

    coefs = []
    for limit in (cluster.MANY_BYTES, 0):
        monkeypatch.setattr(cluster, "MANY_BYTES", limit)
        for persist in (True, False):
            parameters = {"precondition": "whiten", "optimizer": "adgd", "persist": persist}
            coefs.append(_there("GDClassifier", "two", ends_of(5), **parameters).coef_)
    for coef in coefs[1:]:
        np.testing.assert_array_equal(coef, coefs[0])


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
def test_partitions_can_move_after_they_were_used(client, precondition, monkeypatch):
    """Dask moves them when it balances its workers. If it cannot, it tries again forever."""
    import pickle

    from sk_gd.dask import cluster

    plain, moved = cluster.Partitions.merged, []

    def pickled(keys, dask_worker):
        return sum(len(pickle.dumps(dask_worker.data[k])) for k in keys if k in dask_worker.data)

    def merged_and_moved(parts, *given, **more):
        answer = plain(parts, *given, **more)
        # Where this is an error, the next line would not end.
        moved.append(client.run(pickled, [future.key for future in parts.held]))
        client.replicate(parts.held)
        return answer

    settings = {"precondition": precondition, "optimizer": "adgd", "persist": True}
    stayed = _there("GDClassifier", "three", ends_of(5), **settings)
    monkeypatch.setattr(cluster.Partitions, "merged", merged_and_moved)
    model = _there("GDClassifier", "three", ends_of(5), **settings)
    np.testing.assert_array_equal(model.coef_, stayed.coef_)
    assert moved


def _there(kind, target, ends, **parameters):
    import sk_gd.dask

    model = getattr(sk_gd.dask, kind)(
        **{"random_state": 0, "max_iter": 4, "tol": None} | parameters
    )
    return model.fit(cut(X, ends), cut(TARGETS[target], ends), cut(WEIGHT, ends))


@pytest.mark.parametrize("rows", [300, 900])
@pytest.mark.parametrize("sparse", [False, True])
def test_wide(rows, sparse):
    """The strength of the penalty where no matrix of the features is made."""
    import scipy.sparse as sp

    import sk_gd.dask

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 400)) * (rng.random((rows, 400)) < 0.2)
    y = (x[:, :5].sum(axis=1) + rng.normal(size=rows) > 0).astype(int)
    x = sp.csr_array(x) if sparse else x
    ends = ends_of(5, rows)
    given = {"random_state": 0, "max_iter": 3, "tol": None}
    for more in ({}, {"precondition": "standardize", "optimizer": "sgd", "batch_size": "full"}):
        there = sk_gd.dask.GDClassifier(**given, **more).fit(cut(x, ends), cut(y, ends))
        assert_same_model(there, sk_gd.GDClassifier(**given, **more).fit(x, y))


@pytest.mark.parametrize("rows", [300, 900])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("raw", [False, True])
def test_features_that_are_mostly_zero(rows, sparse, raw):
    """Both choose the same penalty, raw if the units of the features tell something."""
    import scipy.sparse as sp

    import sk_gd.dask

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 400)) * (rng.random((rows, 400)) < 0.05)
    if raw:
        x *= np.exp(2 * rng.normal(size=400))
    y = (x @ rng.normal(size=400) + 0.1 * rng.normal(size=rows) > 0).astype(int)
    x = sp.csr_array(x) if sparse else x
    ends = ends_of(5, rows)
    given = {"random_state": 0, "max_iter": 3, "tol": None, "precondition": "standardize"}
    there = sk_gd.dask.GDClassifier(**given).fit(cut(x, ends), cut(y, ends))
    here = sk_gd.GDClassifier(**given).fit(x, y)
    assert there.scale_penalty_ is here.scale_penalty_
    assert here.scale_penalty_ is not raw
    assert_same_model(there, here)


def test_partitions_stay_where_they_are(client):
    """No round moves them to another worker, however many rounds there are."""
    import time

    begin = time.time()
    _there("GDClassifier", "two", ends_of(8), optimizer="adgd", max_iter=12)
    moved = client.run(
        lambda dask_worker: [
            str(key)
            for transfer in dask_worker.transfer_incoming_log
            if transfer["start"] > begin
            for key in transfer["keys"]
        ]
    )
    assert not [key for keys in moved.values() for key in keys if "pose_part" in key]


def test_workers_keep_what_answers_for_a_partition(monkeypatch):
    """They make it once a fit, unless it is large; the bits are the same."""
    import distributed

    from sk_gd.dask import partition

    made, make = [], partition._objective

    def counting(part, coordinates, n_lanes):
        made.append(part)
        return make(part, coordinates, n_lanes)

    monkeypatch.setattr(partition, "_objective", counting)
    coefs = []
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0"
    ) as client:
        given = {"client": client, "optimizer": "adgd"}
        coefs.append(_there("GDClassifier", "three", ends_of(4), **given).coef_)
        assert len(made) == 4
        monkeypatch.setattr(partition, "KEPT_WEIGHTS", 0)
        model = _there("GDClassifier", "three", ends_of(4), **given)
        assert len(made) >= 4 + 4 * sum(model.evaluation_curve_)
        coefs.append(model.coef_)
    np.testing.assert_array_equal(*coefs)
