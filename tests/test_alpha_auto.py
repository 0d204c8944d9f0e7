"""The strength `alpha="auto"`: the evidence of the data, by its definition."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.sparse as sp
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from helpers import naive
from helpers.assertions import naming
from sk_gd import GDClassifier, GDRegressor, check_gradient, losses
from sk_gd.objectives.second_moments import CentredRows
from sk_gd.objectives.tridiagonal import resolvents

CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])


class WideHuber(losses.Huber):
    """As wide as this, it is not robust: the units are those of the squared error."""

    robust = False


QUICK = {"max_iter": 2, "tol": None, "random_state": 0}
# Rows and features: more rows, fewer, many of both.
SHAPES = [(60, 5), (40, 60), (200, 20), (150, 300)]


def table(n, d, noise=1.0, seed=0):
    """Features of different units with many zeros, and three noisy targets."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, d)) * generator.gamma(1.0, size=d)
    X *= generator.random((n, d)) < 0.6
    signal = X @ generator.normal(size=(d, 3))
    return X, signal + noise * signal.std(axis=0) * generator.normal(size=(n, 3))


def classes(Y, k):
    return Y[:, :k].argmax(axis=1)


def log_evidence(Y, Z):
    """The logarithm of the normal density of targets, with the best variance of the noise.

    A function of `prior`: the coefficients have so many times that variance. The covariance of the
    rows is then 1 + prior * Z Z', whose eigenvectors and eigenvalues are found only once.
    """
    ways, lengths, _ = scipy.linalg.svd(Z, full_matrices=False)
    along = ways.T @ Y
    across = np.sum((Y - ways @ along) ** 2)

    def at(prior):
        covariance = 1 + prior * lengths**2
        noise = (np.sum(along**2 / covariance[:, None]) + across) / Y.size
        logdet = np.sum(np.log(covariance))
        return -0.5 * (Y.size * (np.log(2 * np.pi * noise) + 1) + Y.shape[1] * logdet)

    return at


@threadpool_limits.wrap(limits=1, user_api="blas")  # tests run side by side
def strength(X, Y, curvature, n_classes=0, scaled=True):
    """The documented strength: curvature × T / (rows × ratio of signal and noise)."""
    n = len(X)
    size = naive.sizes(X) if scaled else np.ones(X.shape[1])
    Z = X / size
    trace = np.sum(Z.var(axis=0))
    # Numbers have units of their own.
    Y = (Y - Y.mean(axis=0)) / (1.0 if n_classes else Y.std(axis=0))

    # Any intercept is as likely as any other: what is left are the n - 1 contrasts of the rows.
    contrasts = scipy.linalg.helmert(n)
    evidence = log_evidence(contrasts @ Y, contrasts @ Z)

    def negative(ratio):
        return -evidence(10**ratio / trace)

    # The best of some, and then the best near to it.
    some = np.linspace(-2, 3, 11)
    best = some[np.argmin([negative(ratio) for ratio in some])]
    bounds = max(best - 0.5, -2), min(best + 0.5, 3)
    ratio = 10 ** scipy.optimize.minimize_scalar(negative, bounds=bounds, method="bounded").x
    # Strong signals are trusted less.
    strongest = max(4 * n_classes, 1) * ratio
    if strongest > trace:
        ratio *= (trace / strongest) ** 0.2
    return curvature * trace / (n * ratio)


def targets_of(kind, Y):
    """Estimator, targets, columns that a linear model predicts, curvature, number of classes."""
    if kind == "numbers":
        return GDRegressor, Y[:, 0], Y[:, :1], 1.0, 0
    if kind == "outputs":
        units = np.array([1.0, 1e3, 1e-3])
        return GDRegressor, Y * units, Y, 1.0, 0
    k = {"two classes": 2, "three classes": 3}[kind]
    y = classes(Y, k)
    return GDClassifier, y, np.eye(k)[y], 1 / (4 * k), k


KINDS = ["numbers", "outputs", "two classes", "three classes"]


class TestDefinition:
    # The maximum is found on a grid of ten ratios a decade, and a parabola.
    GRID = 0.03

    @CONTAINERS
    @pytest.mark.parametrize("noise", [0.3, 2.0])
    @pytest.mark.parametrize("scale_penalty", [True, False])
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("n", "d"), SHAPES)
    def test_maximum_of_the_evidence(self, n, d, kind, scale_penalty, noise, container):
        X, Y = table(n, d, noise)
        make, y, columns, curvature, k = targets_of(kind, Y)
        expected = strength(X, columns, curvature, k, scale_penalty)
        model = make(scale_penalty=scale_penalty, **QUICK).fit(container(X), y)
        assert model.alpha_ == pytest.approx(expected, rel=self.GRID)
        assert type(model.alpha_) is float

    @pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
    def test_close_to_bayesian_ridge(self, noise):
        """BayesianRidge finds the same maximum step by step, but takes n for n - 1."""
        X, Y = table(1000, 30, noise)
        size = naive.sizes(X)
        exact = BayesianRidge(tol=1e-9, max_iter=10_000).fit(X / size, Y[:, 0])
        model = GDRegressor(**QUICK).fit(X, Y[:, 0])
        assert model.alpha_ == pytest.approx(exact.lambda_ / exact.alpha_ / 1000, rel=self.GRID)
        trained = GDRegressor(tol=1e-10, max_iter=1000).fit(X, Y[:, 0])
        np.testing.assert_allclose(trained.coef_ * size, exact.coef_, rtol=0, atol=2e-3)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("n", "d", "near"), [(700, 300, 0.1), (300, 500, 0.3)])
    def test_many_rows_and_features(self, n, d, near, kind):
        """Not all eigenvalues are computed: a random vector stands for their sum."""
        X, Y = table(n, d, 0.5)
        make, y, columns, curvature, k = targets_of(kind, Y)
        expected = strength(X, columns, curvature, k)
        for container in (np.asarray, sp.csr_array):
            model = make(**QUICK).fit(container(X), y)
            assert model.alpha_ == pytest.approx(expected, rel=near)
            if make is GDRegressor:
                # The squared error has a covariance matrix; the Huber loss, as wide, has not.
                other = make(loss=WideHuber(epsilon=1e9), **QUICK).fit(container(X), y)
                assert other.alpha_ == pytest.approx(model.alpha_, rel=1e-6)

    @pytest.mark.parametrize("kind", ["numbers", "two classes"])
    def test_signal_of_features_that_vary_together(self, kind):
        """A part of the signal is where the features vary little, as it is in texts."""
        rng, n, d = np.random.default_rng(0), 1500, 3000
        X = rng.standard_normal((n, d)) / np.arange(1, d + 1) @ rng.standard_normal((d, d))
        y = X / X.std(axis=0) @ rng.standard_normal(d)
        y += 0.5 * y.std() * rng.standard_normal(n)
        if kind == "numbers":
            expected = strength(X, y[:, None], 1.0, 0)
            model = GDRegressor(loss=WideHuber(epsilon=1e9), **QUICK).fit(X, y)
        else:
            y = (y > np.median(y)).astype(int)
            expected = strength(X, np.eye(2)[y], 1 / 8, 2)
            model = GDClassifier(**QUICK).fit(X, y)
        # Fewer steps than are needed would find too little of it, never too much.
        assert 0.97 * expected < model.alpha_ < 1.5 * expected

    @CONTAINERS
    @pytest.mark.parametrize("kind", ["numbers", "three classes"])
    def test_many_rows_are_sampled(self, kind, container, monkeypatch):
        """The ratio of 3,000 wide rows is that of 2,000 of them, with and without weights."""
        read = []

        def times(rows, *given):
            read.append(rows.problem.n)
            return plain(rows, *given)

        plain = CentredRows.times
        monkeypatch.setattr(CentredRows, "times", times)
        X, Y = table(3000, 260, 0.5)
        make, y, columns, curvature, k = targets_of(kind, Y)
        weight = np.random.default_rng(1).integers(0, 3, 3000)
        for some in (None, weight):
            part = np.arange(0, 3000, 3) if some is None else np.repeat(np.arange(3000), some)[::3]
            expected = strength(X[part], columns[part], curvature, k)
            n = 3000 if some is None else some.sum()
            huber = {"loss": WideHuber(epsilon=1e9)} if make is GDRegressor else {}
            model = make(**huber, **QUICK).fit(container(X), y, sample_weight=some)
            assert model.alpha_ * n == pytest.approx(expected * len(part), rel=0.2)  # other rows
        assert read and max(read) <= 2000

    @CONTAINERS
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("n", "d"), [*SHAPES, (400, 300), (300, 400), (1500, 300)])
    def test_weights_are_repeated_rows(self, n, d, kind, container):
        X, Y = table(n, d)
        make, y, *_ = targets_of(kind, Y)
        weight = np.random.default_rng(1).integers(0, 4, n)
        repeated = make(**QUICK).fit(
            container(np.repeat(X, weight, axis=0)), np.repeat(y, weight, 0)
        )
        model = make(**QUICK).fit(container(X), y, sample_weight=weight)
        assert model.alpha_ == pytest.approx(repeated.alpha_, rel=1e-6)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("n", "d"), [*SHAPES, (400, 300), (300, 400)])
    def test_sparse_as_dense(self, n, d, kind, dtype):
        X, Y = table(n, d)
        make, y, *_ = targets_of(kind, Y)
        X = X.astype(dtype)
        dense, sparse = (make(**QUICK).fit(x, y).alpha_ for x in (X, sp.csr_array(X)))
        assert sparse == pytest.approx(dense, rel=1e-6 if dtype is np.float64 else 1e-3)

    @CONTAINERS
    def test_a_feature_far_from_zero(self, container):
        X, Y = table(200, 20)
        expected = GDRegressor(**QUICK).fit(X + 10, Y).alpha_
        far = GDRegressor(**QUICK).fit(container(X + 10 + 1e5 * np.eye(20)[0]), Y).alpha_
        assert far == pytest.approx(expected, rel=1e-4)

    @CONTAINERS
    def test_constant_columns_do_not_count(self, container):
        X, Y = table(100, 10)
        more = np.column_stack([X, np.full(100, 3.0), np.zeros((100, 300))])
        for kind in KINDS:
            make, y, *_ = targets_of(kind, Y)
            alpha = make(**QUICK).fit(X, y).alpha_
            assert make(**QUICK).fit(container(more), y).alpha_ == pytest.approx(alpha, rel=1e-3)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_tridiagonal_systems(n):
    """Products with inverses, and determinants, are those of dense matrices."""
    rng = np.random.default_rng(0)
    factor = np.eye(n) + np.diag(rng.standard_normal(n - 1), 1)
    matrix, vectors = factor.T @ factor, rng.standard_normal((n, 3))
    spread = np.array([0.0, 1e-3, 1.0, 1e6])
    products, pivots = resolvents(np.diag(matrix), np.diag(matrix, 1), vectors, spread)
    for s, product, pivot in zip(spread, products, pivots.T, strict=True):
        whole = np.eye(n) + s * matrix
        assert product == pytest.approx(np.sum(vectors * np.linalg.solve(whole, vectors)), rel=1e-9)
        assert np.prod(pivot) == pytest.approx(np.linalg.det(whole), rel=1e-9)
    with pytest.raises(ValueError, match="entries"):
        resolvents(np.ones(n), np.ones(n), vectors, spread)


class TestUnits:
    """The unit of the target changes nothing."""

    @CONTAINERS
    @pytest.mark.parametrize("factor", [1e6, 1e-6])
    @pytest.mark.parametrize("loss", losses.names("regressor"))
    def test_of_the_target(self, loss, factor, container):
        X, Y = table(150, 6)
        positive = loss in ("poisson", "gamma")
        y = np.exp(Y[:, 0] / Y[:, 0].std()) if positive else Y[:, 0]
        scaled = {
            "huber": losses.Huber(1.35 * factor),
            "epsilon_insensitive": losses.EpsilonInsensitive(0.1 * factor),
        }
        settings = {"tol": None, "max_iter": 300, "random_state": 0}
        one = GDRegressor(loss=loss, **settings).fit(container(X), y)
        other = GDRegressor(loss=scaled.get(loss, loss), **settings).fit(container(X), factor * y)
        p, q = one.predict(X), other.predict(X) / factor
        # With a corner the minimiser is only nearly reached.
        rounding = 1e-3 if loss in ("absolute_error", "quantile", "epsilon_insensitive") else 1e-6
        np.testing.assert_allclose(q, p, rtol=0, atol=rounding * np.abs(p).max())
        assert np.std(p) > 0.1 * np.std(y)

    def test_of_one_of_several_targets(self):
        """Each output has a share of the evidence, whatever its unit."""
        X, Y = table(150, 6)
        settings = {"tol": None, "max_iter": 200}
        one = GDRegressor(**settings).fit(X, Y)
        other = GDRegressor(**settings).fit(X, Y * [1.0, 1e6, 1e-6])
        assert other.alpha_ == pytest.approx(one.alpha_, rel=1e-9)
        np.testing.assert_allclose(other.predict(X) / [1, 1e6, 1e-6], one.predict(X), rtol=1e-6)


class TestUse:
    @CONTAINERS
    @pytest.mark.parametrize("given", ["auto", "10 * auto"])
    @pytest.mark.parametrize(
        ("kind", "loss"),
        [(kind, loss) for kind in ("regressor", "classifier") for loss in losses.names(kind)],
    )
    def test_the_same_model_with_the_number(self, kind, loss, given, container):
        X, Y = table(150, 6)
        make = GDRegressor if kind == "regressor" else GDClassifier
        y = np.exp(Y[:, 0] / Y[:, 0].std()) if kind == "regressor" else classes(Y, 3)
        model = make(loss=loss, alpha=given, **QUICK).fit(container(X), y)
        assert 0 < model.alpha_ < np.inf
        twin = make(loss=loss, alpha=model.alpha_, **QUICK).fit(container(X), y)
        # "auto" takes the deviations of dense features from their covariances: other rounding.
        rounding = 1e-12 * np.abs(model.coef_).max()
        np.testing.assert_allclose(twin.coef_, model.coef_, rtol=0, atol=rounding)
        assert twin.alpha_ == model.alpha_
        assert check_gradient(model, X, y, random_state=0).error < 1e-5

    @pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
    @pytest.mark.parametrize("loss", losses.names("regressor"))
    def test_of_several_targets(self, loss, precondition):
        X, Y = table(150, 6)
        Y = np.exp(Y / Y.std(axis=0))
        model = GDRegressor(loss=loss, precondition=precondition, **QUICK).fit(X, Y)
        assert 0 < model.alpha_ < np.inf

    @pytest.mark.parametrize(
        ("given", "factor"),
        [
            ("10 * auto", 10),
            ("10*auto", 10),
            ("0.5 * auto", 0.5),
            (".5 * auto", 0.5),
            ("2. * auto", 2),
            ("1e-3 * auto", 1e-3),
            ("1.5E+2 * AUTO", 150),
            ("0 * auto", 0),
        ],
    )
    def test_multiples(self, given, factor):
        X, Y = table(150, 6)
        alpha = GDRegressor(**QUICK).fit(X, Y).alpha_
        assert GDRegressor(alpha=given, **QUICK).fit(X, Y).alpha_ == pytest.approx(factor * alpha)
        model = GDClassifier(alpha=given, **QUICK).fit(X, classes(Y, 3))
        alpha = GDClassifier(**QUICK).fit(X, classes(Y, 3)).alpha_
        assert model.alpha_ == pytest.approx(factor * alpha)

    @pytest.mark.parametrize(
        "given",
        ["", "automatic", "auto * 10", "10 auto", "10auto", "-1 * auto", "inf * auto"]
        + ["nan * auto", "1e400 * auto", "1 * 2 * auto", "1e-3", "none"],
    )
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_other_strings_are_refused(self, given, method):
        model = GDRegressor(alpha=given)
        words = naming("'alpha'", "number", "'auto'", "'10 * auto'", repr(given))
        with pytest.raises(ValueError, match=words):
            getattr(model, method)(*table(20, 3))
        assert not hasattr(model, "n_features_in_")

    @pytest.mark.parametrize("given", [-1.0, None, np.nan, ["auto"]])
    def test_other_values_are_refused(self, given):
        with pytest.raises(ValueError, match="alpha"):
            GDClassifier(alpha=given).fit(*table(20, 3))

    def test_a_number_is_published_as_it_is(self):
        X, Y = table(20, 3)
        assert GDRegressor(alpha=0.25, **QUICK).fit(X, Y).alpha_ == 0.25
        assert type(GDRegressor(alpha=0, **QUICK).fit(X, Y).alpha_) is float

    def test_the_minimisers_are_those_of_scikit_learn(self):
        X, Y = table(120, 6)
        size, y = naive.sizes(X), classes(Y, 3)
        model = GDRegressor(tol=1e-12, max_iter=1000).fit(X, Y)
        exact = Ridge(model.alpha_ * 120).fit(X / size, Y)
        np.testing.assert_allclose(model.predict(X), exact.predict(X / size), rtol=1e-6)
        model = GDClassifier(tol=1e-12, max_iter=1000).fit(X, y)
        exact = LogisticRegression(C=1 / (model.alpha_ * 120), tol=1e-10, max_iter=10_000)
        expected = exact.fit(X / size, y).predict_proba(X / size)
        np.testing.assert_allclose(model.predict_proba(X), expected, rtol=0, atol=1e-5)

    def test_of_a_warm_start_on_other_data(self):
        X, Y = table(120, 6)
        model = GDRegressor(warm_start=True, **QUICK).fit(X[:50], Y[:50])
        fresh = GDRegressor(**QUICK).fit(X, Y)
        assert model.fit(X, Y).alpha_ == pytest.approx(fresh.alpha_, rel=1e-12)

    def test_rows_that_are_held_out_do_not_count(self):
        X, Y = table(120, 6)
        given = {"X_val": X[80:], "y_val": Y[80:, 0]}
        model = GDRegressor(**QUICK).fit(X[:80], Y[:80, 0], **given)
        assert model.alpha_ == GDRegressor(**QUICK).fit(X[:80], Y[:80, 0]).alpha_
        # With a row of its own for each number of the evidence, a part has another strength.
        parts = GDRegressor(early_stopping=True, **QUICK).fit(X, Y[:, 0])
        assert parts.alpha_ != pytest.approx(GDRegressor(**QUICK).fit(X, Y[:, 0]).alpha_, rel=1e-9)
        weight = np.ones(120)
        same = GDRegressor(early_stopping=True, **QUICK).fit(X, Y[:, 0], sample_weight=weight)
        sparse = GDRegressor(early_stopping=True, **QUICK).fit(sp.csr_array(X), Y[:, 0])
        assert same.alpha_ == pytest.approx(parts.alpha_, rel=1e-9)
        assert sparse.alpha_ == pytest.approx(parts.alpha_, rel=1e-9)


class TestStreams:
    @CONTAINERS
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_rows_of_all_calls_count(self, kind, container):
        X, Y = table(150, 6)
        make, y, *_, k = targets_of(kind, Y)
        every = {"classes": np.unique(y)} if k else {}
        model = make(random_state=0).partial_fit(container(X), y, **every)
        assert model.alpha_ == pytest.approx(make(**QUICK).fit(X, y).alpha_, rel=1e-6)
        first = model.alpha_
        for calls in (2, 3, 4):
            model.partial_fit(container(X), y)
            assert model.alpha_ == pytest.approx(first / calls, rel=1e-9)

    @CONTAINERS
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("rows", [1, 2, 7])
    def test_of_a_few_rows_at_a_time(self, rows, kind, container):
        X, Y = table(140, 6)
        make, y, *_ = targets_of(kind, Y)
        every = {"classes": np.unique(y)} if make is GDClassifier else {}
        model, seen = make(random_state=0), []
        for begin in range(0, 140, rows):
            part = slice(begin, begin + rows)
            model.partial_fit(container(X[part]), y[part], **every)
            assert np.isfinite(model.coef_).all()
            seen.append(model.alpha_)
        assert np.all(np.isfinite(seen)) and np.all(np.array(seen) >= 0)
        whole = make(**QUICK).fit(X, y).alpha_
        # Single rows say nothing of the noise; seven say little.
        assert whole / 100 < seen[-1] < 100 * whole

    def test_a_part_with_more_rows_says_more(self):
        """The ratio of signal and noise is that of the largest part."""
        X, Y = table(300, 6)
        parts = slice(0, 50), slice(50, 250), slice(250, 300)
        model = GDRegressor(random_state=0)
        for part in parts:
            model.partial_fit(X[part], Y[part])
        ratios = [
            trace_of(X[part]) / (GDRegressor(**QUICK).fit(X[part], Y[part]).alpha_ * len(Y[part]))
            for part in parts
        ]
        found = trace_of(X) / (model.alpha_ * 300)
        assert found == pytest.approx(ratios[1], rel=1e-6)
        assert abs(ratios[0] / found - 1) > 0.01 and abs(ratios[2] / found - 1) > 0.01

    def test_of_weights_only_the_ratios_count(self):
        X, Y = table(150, 6)
        weights = np.outer([1, 8], np.arange(150) % 4)
        model, other = (GDRegressor(random_state=0).partial_fit(X, Y, each) for each in weights)
        assert model.alpha_ == other.alpha_
        np.testing.assert_array_equal(model.coef_, other.coef_)

    @CONTAINERS
    def test_a_first_part_that_is_constant(self, container):
        X, Y = table(150, 6)
        model = GDRegressor(random_state=0)
        model.partial_fit(container(np.ones((20, 6))), np.ones(20))
        assert np.isfinite(model.alpha_)
        for _ in range(40):
            model.partial_fit(container(X), Y[:, 0])
        assert 0 < model.alpha_ < np.inf
        assert model.score(X, Y[:, 0]) > 0.9 * Ridge().fit(X, Y[:, 0]).score(X, Y[:, 0])

    def test_from_a_number_to_auto(self):
        """A stream that had no use for the features' moments so far."""
        X, Y = table(150, 6)
        options = {"precondition": None, "scale_penalty": False, "learning_rate": 0.01}
        model = GDRegressor("sgd", alpha=0.1, **options).partial_fit(X, Y)
        model.set_params(alpha="auto", scale_penalty=True).partial_fit(X, Y)
        assert 0 < model.alpha_ < 0.1


def trace_of(X):
    return np.sum((X / naive.sizes(X)).var(axis=0))


X, Y = table(30, 4)
DEGENERATE = {
    "one row": (X[:1], Y[:1, 0]),
    "two rows": (X[:2], Y[:2, 0]),
    "three rows": (X[:3], Y[:3]),
    "constant target": (X, np.full(30, 3.0)),
    "one constant target": (X, np.column_stack([Y[:, 0], np.full(30, 3.0)])),
    "constant features": (np.ones((30, 4)), Y[:, 0]),
    "zeros": (np.zeros((30, 4)), Y[:, 0]),
    "no noise": (X, X @ [1.0, 2, 3, 4]),
    "copies": (np.repeat(X, 3, axis=1), Y[:, 0]),
    "tiny": (1e-100 * X, 1e-100 * Y[:, 0]),
    "huge": (1e100 * X, 1e100 * Y[:, 0]),
    "huge target": (X, 1e140 * Y[:, 0]),
    "as many features as rows": (table(30, 30)[0], Y[:, 0]),
    "rows of zeros": (np.where(np.arange(30)[:, None] < 28, 0, X), Y[:, 0]),
}


@CONTAINERS
@pytest.mark.parametrize("scale_penalty", [True, False])
@pytest.mark.parametrize(("data", "y"), DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_data(data, y, scale_penalty, container):
    """No warning, no error, and a number."""
    settings = {"scale_penalty": scale_penalty, **QUICK}
    model = GDRegressor(**settings).fit(container(data), y)
    assert 0 <= model.alpha_ < np.inf
    assert np.isfinite(model.predict(container(data))).all()
    labels = (np.arange(len(y)) % 2).astype(int)
    if len(y) > 1:
        model = GDClassifier(**settings).fit(container(data), labels)
        assert 0 <= model.alpha_ < np.inf


@pytest.mark.parametrize("d", [2, 3])
def test_many_more_classes_than_features(d, capfd):
    """LAPACK had too little room: it said so on the screen, and did nothing."""
    generator = np.random.default_rng(0)
    y = np.arange(600) % 120
    X = generator.normal(size=(120, d))[y] * 10.0 ** np.arange(d) + generator.normal(size=(600, d))
    expected = strength(X, np.eye(120)[y], 1 / 480, 120)
    alpha = GDClassifier(**QUICK).fit(X, y).alpha_
    np.testing.assert_allclose(alpha, expected, rtol=TestDefinition.GRID)
    assert capfd.readouterr() == ("", "")
