"""L-BFGS on a cluster begins on a sample of the rows, which is that of one machine."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.clusters import assert_same_model, cut, ends_of
from helpers.runs import small_samples
from sk_gd import GDClassifier, GDRegressor

pytest.importorskip("dask.array")
pytest.importorskip("distributed")

import sk_gd.dask
from sk_gd.dask import problem
from sk_gd.dask.cluster import Partitions

pytestmark = pytest.mark.usefixtures("client")

N, D = 8192, 5
ENDS = [0, 1000, 1000, 1010, 5000, N]
FIT = {"optimizer": "lbfgs", "precondition": "whiten", "alpha": 1e-3, "tol": None, "max_iter": 3}
_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((N, D)) * [1, 10, 0.1, 1, 1] + 1
MARGIN = (X - 1) @ [1, -0.1, 10, 0.5, 0]
Y = (MARGIN + _RNG.logistic(size=N) > 0).astype(int)


@pytest.fixture
def asked(monkeypatch):
    """The functions that are asked of the partitions; samples are taken of few rows, too."""
    small_samples(monkeypatch)
    names, ask = [], Partitions.ask

    def counting(self, function, *arguments, **more):
        names.append(function.__name__)
        return ask(self, function, *arguments, **more)

    monkeypatch.setattr(Partitions, "ask", counting)
    return names


def there(*data, ends=ENDS, **parameters):
    """The model that a cluster trains."""
    model = sk_gd.dask.GDClassifier(**FIT | parameters)
    return model.fit(*(cut(each, ends) for each in data))


def test_the_sample_is_that_of_one_machine(asked):
    """The first steps are the same. From another sample they would be others."""
    order = np.argsort(Y, kind="stable")
    weight = np.random.default_rng(1).integers(0, 3, N)
    for data in ((X, Y, weight), (sp.csr_array(X[order]), Y[order])):
        asked.clear()
        assert_same_model(there(*data), GDClassifier(**FIT).fit(*data))
        assert asked.count("rows_of") == 1


@pytest.mark.parametrize("weight", [None, "some"])
def test_the_sample_of_the_evidence(weight, asked):
    """The automatic strength is read from the same rows, in one round."""
    rng = np.random.default_rng(2)
    wide = sp.random_array((N, 300), density=0.05, format="csr", random_state=rng)
    y = (wide.sum(axis=1) + rng.normal(size=N) > 7).astype(int)
    data = (wide, y) if weight is None else (wide, y, rng.integers(0, 3, N))
    quick = {"alpha": "auto", "optimizer": "adgd", "precondition": "standardize", "max_iter": 1}
    model = there(*data, **quick)
    assert model.alpha_ == pytest.approx(GDClassifier(**FIT | quick).fit(*data).alpha_, rel=1e-9)
    assert asked.count("drawn_from") == 1


def test_fewer_rounds_lead_to_the_same_minimum(asked, monkeypatch):
    order = np.argsort(Y, kind="stable")
    data = X[order], Y[order]
    best, begun = there(*data, max_iter=30), there(*data)
    small_samples(monkeypatch, entries=10**9)
    asked.clear()
    without = there(*data)
    assert "rows_of" not in asked
    gap, gap_without = (m.loss_curve_[-1] - best.loss_curve_[-1] for m in (begun, without))
    assert gap < 0.01 * gap_without
    np.testing.assert_allclose(there(*data, max_iter=30).coef_, best.coef_, rtol=1e-6)


def test_the_sample_of_several_outputs(asked):
    y = np.column_stack([np.exp(MARGIN / 4), np.exp(-MARGIN / 4)])
    model = sk_gd.dask.GDRegressor(loss="poisson", **FIT).fit(cut(X, ENDS), cut(y, ENDS))
    assert asked.count("rows_of") == 1
    assert_same_model(model, GDRegressor(loss="poisson", **FIT).fit(X, y))


def test_the_sample_fits_into_the_client(asked, monkeypatch):
    """It has fewer rows where a sixteenth of all would be too many."""
    sizes, gathered = [], problem.ClusterProblem.sampled

    def measuring(self, rows):
        sizes.append(len(rows))
        return gathered(self, rows)

    monkeypatch.setattr(problem.ClusterProblem, "sampled", measuring)
    there(X, Y)
    monkeypatch.setattr(problem.ClusterData, "_most_sampled", N * D // 40)
    model = there(X, Y, max_iter=12)
    assert sizes == [N // 16, N // 40 // 64 * 64 + 64]
    here = GDClassifier(**FIT | {"max_iter": 12}).fit(X, Y)
    np.testing.assert_allclose(model.coef_, here.coef_, rtol=1e-6, atol=1e-7)


def test_there_is_no_sample_of_rows_without_weight(asked):
    data = X, Y, (np.arange(N) % 1024 >= 64).astype(float)
    assert_same_model(there(*data, ends=ends_of(3, N)), GDClassifier(**FIT).fit(*data))


def test_all_candidates_of_a_search_share_the_sample(monkeypatch):
    small_samples(monkeypatch)
    gathered, gather = [], problem.ClusterProblem._gathered

    def counting(self, *rows):
        gathered.append(rows)
        return gather(self, *rows)

    monkeypatch.setattr(problem.ClusterProblem, "_gathered", counting)

    def search(max_iter):
        return sk_gd.dask.GDGridSearchCV(
            sk_gd.dask.GDClassifier(**FIT | {"max_iter": max_iter}),
            {"alpha": [1e-4, 1e-3, 1e-2]},
            cv=2,
            refit=False,
            scoring="neg_log_loss",
        ).fit(cut(X, ENDS), cut(Y, ENDS))

    few = search(3)
    assert len(gathered) == few.n_splits_ == 2
    many = search(20)
    assert few.n_rounds_ + 10 < many.n_rounds_
    scores = [each.cv_results_["mean_test_score"] for each in (few, many)]
    np.testing.assert_allclose(*scores, rtol=1e-4)
