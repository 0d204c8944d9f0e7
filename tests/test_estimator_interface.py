"""The interface of scikit-learn: shapes, types, probabilities, parameters, routing."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_iris, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, losses, optimizers

X, Y = make_regression(90, 5, n_targets=3, n_informative=3, noise=3.0, bias=4.0, random_state=0)
IRIS, SPECIES = load_iris(return_X_y=True, as_frame=True)
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)[SPECIES]
TWO = SPECIES < 2
QUICK = {"max_iter": 20, "tol": None, "random_state": 0}


class TestShapes:
    @pytest.mark.parametrize("y", [Y[:, 0], Y[:, :1], Y], ids=["1-D", "one column", "three"])
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_regressor_as_linear_regression(self, y, container, fit_intercept):
        model = GDRegressor(fit_intercept=fit_intercept, **QUICK).fit(container(X), y)
        other = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
        assert model.coef_.shape == other.coef_.shape
        assert model.predict(container(X)).shape == other.predict(X).shape
        if fit_intercept:
            assert np.shape(model.intercept_) == np.shape(other.intercept_)
        assert np.all(model.intercept_ == 0) or fit_intercept

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("loss", losses.names("classifier"))
    def test_classifier_as_logistic_regression(self, loss, n_classes):
        rows = SPECIES < n_classes
        model = GDClassifier(loss=loss, **QUICK).fit(IRIS[rows], NAMES[rows])
        other = LogisticRegression(max_iter=10_000, tol=0.1).fit(IRIS[rows], NAMES[rows])
        assert model.coef_.shape == other.coef_.shape
        assert model.intercept_.shape == other.intercept_.shape
        np.testing.assert_array_equal(model.classes_, other.classes_)
        scores = model.decision_function(IRIS[rows])
        assert scores.shape == other.decision_function(IRIS[rows]).shape
        assert model.predict(IRIS[rows]).dtype == other.predict(IRIS[rows]).dtype
        assert model.score(IRIS[rows], NAMES[rows]) > 0.8

    def test_centred_intercepts(self):
        model = GDClassifier(**QUICK).fit(IRIS, NAMES)
        assert model.intercept_.sum() == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize(
        "given, kept", [("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("u1", "f8")]
    )
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
    def test_type_of_the_coefficients(self, given, kept, container):
        data = container(np.rint(np.abs(X * 10)).astype(given))
        for model in (
            GDRegressor(**QUICK).fit(data, Y),
            GDClassifier(**QUICK).fit(data, Y[:, 0] > 0),
        ):
            assert model.coef_.dtype == model.intercept_.dtype == np.dtype(kept)
        assert GDRegressor(**QUICK).fit(data, Y).predict(data).dtype == np.dtype(kept)

    def test_kind(self):
        assert is_regressor(GDRegressor()) and not is_classifier(GDRegressor())
        assert is_classifier(GDClassifier()) and not is_regressor(GDClassifier())


class TestProbabilities:
    METHODS = ["predict_proba", "predict_log_proba"]

    @pytest.mark.parametrize("method", METHODS)
    def test_only_of_a_loss_that_has_them(self, method):
        for name in losses.names("classifier"):
            has = name == "log_loss" or hasattr(losses.get(name), "probabilities")
            assert hasattr(GDClassifier(loss=name), method) == has
        assert not hasattr(GDClassifier(loss="hinge"), method)
        assert not hasattr(GDClassifier(loss="no such loss"), method)
        assert not hasattr(GDRegressor(), method)

    def test_error_names_the_way_out(self):
        model = GDClassifier(loss="hinge", **QUICK).fit(IRIS, NAMES)
        with pytest.raises(AttributeError) as raised:
            model.predict_proba(IRIS)
        assert "loss='hinge'" in str(raised.value.__cause__ or raised.value)
        assert "CalibratedClassifierCV" in str(raised.value.__cause__ or raised.value)

    @pytest.mark.parametrize("rows", [TWO, SPECIES >= 0], ids=["two", "three"])
    def test_sum_to_one_and_agree(self, rows):
        model = GDClassifier(**QUICK).fit(IRIS[rows], NAMES[rows])
        p = model.predict_proba(IRIS)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-13)
        np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(IRIS))
        np.testing.assert_allclose(np.exp(model.predict_log_proba(IRIS)), p, rtol=1e-12)

    @pytest.mark.parametrize("rows", [TWO, SPECIES >= 0], ids=["two", "three"])
    def test_logarithms_are_finite_far_away(self, rows):
        model = GDClassifier(**QUICK).fit(IRIS[rows].to_numpy(), NAMES[rows])
        far = 1e5 * IRIS.to_numpy()
        assert np.any(model.predict_proba(far) == 0)
        assert np.all(np.isfinite(model.predict_log_proba(far)))


@pytest.mark.parametrize("y", [Y[:, 0], Y[:, :1], Y], ids=["1-D", "one column", "three"])
def test_sparsify_and_densify_a_regressor(y):
    settings = {"alpha": 20.0, "l1_ratio": 1.0, "max_iter": 100, "tol": None, "random_state": 0}
    model = GDRegressor("adam", **settings).fit(X, y)
    coef, p = model.coef_, model.predict(X)
    assert np.any(coef == 0)
    assert model.sparsify() is model and sp.issparse(model.coef_)
    np.testing.assert_allclose(model.predict(X), p, rtol=1e-12)
    np.testing.assert_allclose(model.predict(sp.csr_array(X)), p, rtol=1e-12)
    assert model.densify() is model
    np.testing.assert_array_equal(model.coef_, coef)


@pytest.mark.parametrize("rows", [TWO, SPECIES >= 0], ids=["two", "three"])
def test_sparsify_and_densify_a_classifier(rows):
    settings = {"alpha": 0.1, "l1_ratio": 1.0, "max_iter": 50, "tol": None, "random_state": 0}
    model = GDClassifier("adam", **settings).fit(IRIS[rows], NAMES[rows])
    coef, p = model.coef_, model.predict_proba(IRIS[rows])
    model.sparsify()
    np.testing.assert_allclose(model.predict_proba(IRIS[rows]), p, rtol=1e-12)
    np.testing.assert_array_equal(model.densify().coef_, coef)
    # A sparse model goes on training.
    model.sparsify().partial_fit(IRIS[rows], NAMES[rows])
    assert isinstance(model.coef_, np.ndarray)


class TestClassWeight:
    @pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 0.5}, {1: 3.0}])
    @pytest.mark.parametrize(
        "sample_weight", [None, np.linspace(0.5, 2, 120)], ids=["none", "some"]
    )
    def test_is_a_weight_of_the_rows(self, class_weight, sample_weight):
        # Unbalanced classes: iris without most of one species.
        data, y = IRIS.to_numpy()[:120], SPECIES.to_numpy()[:120]
        model = GDClassifier("sgd", class_weight=class_weight, **QUICK)
        model.fit(data, y, sample_weight=sample_weight)
        if class_weight == "balanced":
            own = np.ones(120) if sample_weight is None else sample_weight
            totals = np.bincount(y, weights=own)
            weight = own.sum() / (3 * totals[y]) * own
        else:
            weight = compute_sample_weight(class_weight, y)
            weight = weight if sample_weight is None else weight * sample_weight
        twin = GDClassifier("sgd", **QUICK).fit(data, y, sample_weight=weight)
        np.testing.assert_allclose(model.coef_, twin.coef_, rtol=1e-11)
        plain = GDClassifier("sgd", **QUICK).fit(data, y, sample_weight=sample_weight)
        assert not np.allclose(model.coef_, plain.coef_, rtol=1e-3)


@pytest.mark.parametrize(
    "odd",
    [
        X.tolist(),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        X.astype(">f8"),
        X.astype(object),
        pd.DataFrame(X, columns=list("abcde")),
    ],
    ids=["list", "fortran", "strided", "big-endian", "object", "frame"],
)
def test_layout_of_the_data_changes_nothing(odd):
    expected = GDRegressor(batch_size=16, **QUICK).fit(X, Y)
    model = GDRegressor(batch_size=16, **QUICK).fit(odd, Y.tolist())
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_boolean_targets():
    y = Y[:, 0] > 0
    model = GDClassifier(**QUICK).fit(X, y)
    assert model.classes_.tolist() == [False, True] and model.predict(X).dtype == bool
    one, other = GDRegressor(**QUICK).fit(X, y), GDRegressor(**QUICK).fit(X, y.astype(float))
    np.testing.assert_array_equal(one.coef_, other.coef_)


DEGENERATE = {
    "constant feature": (np.c_[X, np.full(90, 7.0)], Y[:, 0]),
    "all features constant": (np.ones((90, 2)), Y[:, 0]),
    "all features zero": (np.zeros((90, 2)), Y[:, 0]),
    "very many zero features": (np.zeros((20, 300)), Y[:20, 0]),
    "repeated features": (np.c_[X, X], Y[:, 0]),
    "fewer rows than features": (X[:3], Y[:3, 0]),
    "one feature": (X[:, :1], Y[:, 0]),
    "one row": (X[:1], Y[:1, 0]),
    "constant target": (X, np.full(90, 3.0)),
    "far from zero": (X + 1e4, Y[:, 0]),
    "tiny": (1e-100 * X, 1e-100 * Y[:, 0]),
    "huge": (1e100 * X, 1e100 * Y[:, 0]),
}


@pytest.mark.parametrize(
    "settings",
    [{}, {"fit_intercept": False}, {"precondition": "whiten"}],
    ids=["plain", "no intercept", "whiten"],
)
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("optimizer", ["sgd", "schedule_free_adamw"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("data, y", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_data(data, y, container, optimizer, alpha, settings):
    """No warning, no error, and a model at least as good as a constant."""
    model = GDRegressor(optimizer, alpha=alpha, **settings, **QUICK).fit(container(data), y)
    residual = y - model.predict(container(data))
    start = y - y.mean() if model.fit_intercept else y
    assert np.mean((residual / np.abs(y).max()) ** 2) <= (
        np.mean((start / np.abs(y).max()) ** 2) * (1 + 1e-6) + 1e-12
    )


@pytest.mark.parametrize("offset", [1e5, 1e8])
@pytest.mark.parametrize("batch_size", [16, "full"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_feature_far_from_zero_is_learned_as_any_other(optimizer, batch_size, offset):
    """Up to rounding: an offset of 1e8 leaves eight of sixteen digits."""
    options = {"batch_size": batch_size, "alpha": 0, "tol": None, "random_state": 0}
    model = GDRegressor(optimizer, loss=losses.Huber(epsilon=100.0), max_iter=200, **options)
    far = X + offset * np.eye(X.shape[1])[0]
    expected = model.fit(far - offset * np.eye(X.shape[1])[0], Y[:, 0]).coef_
    np.testing.assert_allclose(model.fit(far, Y[:, 0]).coef_, expected, rtol=0, atol=1e-12 * offset)


class TestParameters:
    def test_clone_and_repr(self):
        model = GDClassifier(optimizers.Nesterov(0.95), alpha=0.1)
        twin = clone(model)
        assert twin.optimizer is not model.optimizer
        assert (
            repr(twin)
            == repr(model)
            == ("GDClassifier(alpha=0.1, optimizer=Nesterov(momentum=0.95))")
        )
        assert model.get_params()["optimizer__momentum"] == 0.95
        model.set_params(optimizer__momentum=0.5)
        assert (model.optimizer.momentum, twin.optimizer.momentum) == (0.5, 0.95)

    @pytest.mark.parametrize("make", [GDRegressor, GDClassifier])
    def test_signature_is_get_params(self, make):
        assert {*make().get_params(deep=False)} == {*make._parameter_constraints}

    def test_training_leaves_the_given_optimizer_alone(self):
        given = optimizers.Adam(beta_1=0.8)
        model = GDRegressor(given, **QUICK).fit(X, Y)
        assert model.optimizer is given and model.optimizer_ is not given
        assert vars(given) == vars(optimizers.Adam(beta_1=0.8))
        assert model.optimizer_.get_params() == given.get_params()

    @pytest.mark.parametrize("make, y", [(GDRegressor, Y), (GDClassifier, Y[:, 0] > 0)])
    def test_html(self, make, y):
        html = make(**QUICK).fit(X, y)._repr_html_()
        for name in (make.__name__, *make().get_params(), "coef_", "loss_curve_"):
            assert name in html


class Rounded(GDClassifier):
    """Its constructor changes a parameter, which scikit-learn forbids."""

    def __init__(self, alpha=0.126):
        super().__init__(alpha=round(alpha, 2))


class Optional(GDClassifier):
    """Its constructor has other parameters."""

    def __init__(self, optimizer="adam", *, max_iter=3):
        super().__init__(optimizer, max_iter=max_iter)


class TestClones:
    """A clone is made without scikit-learn where all parameters are numbers and names."""

    @pytest.mark.parametrize(
        "model",
        [
            GDClassifier(alpha=0.1, class_weight="balanced"),
            GDRegressor(optimizers.Adam(beta_1=0.8), random_state=0),
            GDClassifier(class_weight={0: 2.0}),
            GDRegressor(random_state=np.random.RandomState(0)),
            Optional(max_iter=7),
        ],
        ids=["plain", "instance", "dict", "generator", "subclass"],
    )
    def test_parameters_are_copied_and_what_was_fitted_is_not(self, model):
        vars(model)["coef_"] = np.ones(3)
        twin = clone(model)
        assert type(twin) is type(model)
        assert not hasattr(twin, "coef_")
        for name, value in model.get_params(deep=False).items():
            assert repr(getattr(twin, name)).split(" at ")[0] == repr(value).split(" at ")[0]
            is_plain = isinstance(value, (str, int, float, type(None)))
            assert (getattr(twin, name) is value) == is_plain

    def test_scikit_learn_is_not_asked_for_plain_parameters(self, monkeypatch):
        monkeypatch.setattr(GDClassifier, "get_params", None)
        assert clone(GDClassifier(alpha=0.1)).alpha == 0.1

    def test_requests_and_outputs_are_kept(self):
        with sklearn.config_context(enable_metadata_routing=True):
            model = GDClassifier().set_fit_request(sample_weight=True)
            request = clone(model).get_metadata_routing().fit.requests
        assert request["sample_weight"] is True

    def test_a_constructor_that_changes_parameters_is_an_error(self):
        with pytest.raises(RuntimeError, match="constructor either does not set or modifies"):
            clone(Rounded())


class TestRouting:
    @pytest.fixture(autouse=True)
    def routing(self):
        with sklearn.config_context(enable_metadata_routing=True):
            yield

    def test_validation_data_through_a_pipeline(self):
        """The pipeline scales X_val as it scales X."""
        data, y = IRIS.to_numpy(), NAMES
        model = GDClassifier(precondition=None, **QUICK)
        pipeline = make_pipeline(
            StandardScaler(),
            model.set_fit_request(X_val=True, y_val=True),
            transform_input=["X_val"],
        )
        pipeline.fit(data[::2], y[::2], X_val=data[1::2], y_val=y[1::2])
        scaler = StandardScaler().fit(data[::2])
        twin = GDClassifier(precondition=None, **QUICK).fit(
            scaler.transform(data[::2]),
            y[::2],
            X_val=scaler.transform(data[1::2]),
            y_val=y[1::2],
        )
        assert pipeline[-1].validation_loss_curve_ == twin.validation_loss_curve_
        np.testing.assert_array_equal(pipeline[-1].coef_, twin.coef_)

    def test_weights_in_a_grid_search(self):
        weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(X))
        model = GDRegressor("sgd", **QUICK)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"learning_rate": [0.1]}, cv=3)
        search.fit(X, Y[:, 0], sample_weight=weight)
        twin = GDRegressor("sgd", learning_rate=0.1, **QUICK).fit(X, Y[:, 0], sample_weight=weight)
        np.testing.assert_array_equal(search.best_estimator_.coef_, twin.coef_)


class TestBatchSize:
    """``batch_size_`` is the number of rows that every step read."""

    @pytest.mark.parametrize("batch_size", [7, 30, "full"])
    def test_given(self, batch_size):
        model = GDRegressor("adam", batch_size=batch_size, **QUICK).fit(X, Y[:, 0])
        assert model.batch_size_ == (90 if batch_size == "full" else batch_size)
        assert model.t_ == model.n_iter_ * -(-90 // model.batch_size_)

    @pytest.mark.parametrize("optimizer", ["auto", "adam", "lbfgs"])
    def test_automatic(self, optimizer):
        """Many rows with weights of which some are held out."""
        rng = np.random.default_rng(0)
        inputs, targets = rng.normal(size=(5000, 3)), rng.normal(size=5000)
        model = GDRegressor(optimizer, early_stopping=True, max_iter=2, tol=None)
        model.fit(inputs, targets)
        assert isinstance(model.batch_size_, int)
        if optimizer == "adam":
            assert model.batch_size_ == 45
            assert model.t_ == model.n_iter_ * -(-4500 // model.batch_size_)
        else:
            assert model.batch_size_ == 4500

    @pytest.mark.parametrize("n, rows", [(100, 100), (101, 32), (3300, 33), (30_000, 256)])
    def test_a_hundredth_of_the_rows(self, n, rows):
        """Within the bounds of the guide, which also says that up to 100 rows are one batch."""
        X = np.linspace(-1, 1, n)[:, None]
        assert GDRegressor("adam", max_iter=1, tol=None).fit(X, X[:, 0]).batch_size_ == rows

    def test_larger_than_the_data(self):
        assert GDRegressor("adam", batch_size=1000, **QUICK).fit(X, Y).batch_size_ == 90

    def test_of_parts_and_searches(self):
        model = GDRegressor("adam", batch_size=16)
        assert model.partial_fit(X, Y).partial_fit(X[:10], Y[:10]).batch_size_ == 10
        grid = {"batch_size": [16, 32]}
        search = GDGridSearchCV(GDRegressor("adam", **QUICK), grid, cv=2).fit(X, Y)
        assert search.best_estimator_.batch_size_ == search.best_params_["batch_size"]
