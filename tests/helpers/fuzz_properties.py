"""What must hold for random fits. Each property takes a case, and raises an AssertionError.

The keys of `PROPERTIES` are the names of the functions. `python benchmarks/fuzz.py` checks them on
many more cases than the tests do.
"""

import pickle
import re
import traceback
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, UndefinedMetricWarning
from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor, Ridge
from threadpoolctl import threadpool_limits

from helpers import naive
from helpers.fuzz_cases import CONTAINERS, DENSE, ENDLESS, calm, default, learnable, wild
from sk_gd import optimizers
from sk_gd.exceptions import DivergenceError

# Fits, errors and warnings since the module was imported.
tally = Counter()

# An error of ours names one of these.
PARAMETERS = "optimizer loss alpha l1_ratio scale_penalty fit_intercept learning_rate schedule"
PARAMETERS += " batch_size max_iter tol n_iter_no_change early_stopping validation_fraction average"
PARAMETERS += " scoring precondition shuffle warm_start random_state class_weight classes"
DATA = "X y X_val y_val sample_weight sample_weight_val weights"
NAMES = re.compile(rf"\b({'|'.join((PARAMETERS + ' ' + DATA).split())})\b")
# Where an error of ours is raised: here, or in scikit-learn's validation of data.
PLACES = re.compile(r"(^|/)(sk_gd|sklearn/utils)/")
ALLOWED = (ConvergenceWarning, DataConversionWarning)


def attempt(call, *arguments, **more):
    """Whether a call succeeds, and its warnings; it may also fail with an error in our words."""
    tally["fits"] += 1
    refused = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call(*arguments, **more)
        except (ValueError, TypeError) as error:
            check_error(error)
            refused = True
            tally["errors"] += 1
    # A score of one's choice may be undefined, which scikit-learn says.
    chosen = () if call.__self__.scoring is None else (UndefinedMetricWarning,)
    others = [w for w in caught if not issubclass(w.category, ALLOWED + chosen)]
    assert not others, warnings.formatwarning(
        others[0].message, others[0].category, others[0].filename, others[0].lineno
    )
    tally["warnings"] += bool(caught)
    return not refused, caught


def check_error(error):
    """An error is raised by a check, and names what is wrong."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    told = f"{type(error).__name__} from {last.filename}:{last.lineno}: {error}"
    assert type(error).__module__.split(".")[0] in ("builtins", "sk_gd", "sklearn"), told
    assert PLACES.search(last.filename), told
    assert NAMES.search(str(error)) or "sklearn/utils/validation" in last.filename, told


def fitted(case, *data, **more):
    """A model, or None if the fit was refused."""
    model = case.model(**more)
    return model if attempt(model.fit, *(data or case.data()))[0] else None


def raw(model, X):
    """Predictions before the link function or the choice of a class, (n, outputs)."""
    return np.asarray(X @ np.atleast_2d(model.coef_).T) + np.atleast_1d(model.intercept_)


def assert_close(one, other, X, tolerance):
    """The same predictions on X, to a share of their size."""
    p, q = raw(one, X), raw(other, X)
    np.testing.assert_allclose(p, q, rtol=0, atol=tolerance * max(1.0, np.abs(q).max()))


# Sound: a finite model, or an error in our words.


def check_model(model, X):
    """A fitted model has finite numbers, and its predictions are finite."""
    values = [model.coef_, model.intercept_, model.loss_curve_, model.alpha_, model.learning_rate_]
    for value in values:
        assert np.all(np.isfinite(value)), f"not finite: {vars(model)}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = model.predict(X)
        if hasattr(model, "classes_"):
            assert np.isin(predicted, model.classes_).all()
            predicted = model.decision_function(X)
        assert np.all(np.isfinite(predicted)), f"predictions are not finite: {predicted}"
        if hasattr(model, "predict_proba"):
            p = model.predict_proba(X)
            assert np.all((p >= 0) & (p <= 1)), f"probabilities: {p}"
            np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-6)


def in_parts(model, case):
    """Calls of `partial_fit` on a few rows, on all, and on a few again."""
    table, (_, y, weight) = case.table, case.data()
    first = {"classes": np.unique(y)} if case.kind == "classifier" else {}
    for rows in (slice(0, max(1, table.n // 3)), slice(None), slice(0, 1)):
        before = dict(vars(model))
        given = None if weight is None else weight[rows]
        done, _ = attempt(model.partial_fit, table.X(rows), y[rows], sample_weight=given, **first)
        if not done:
            assert vars(model).keys() == before.keys(), "a call that failed changed the model"
            assert all(vars(model)[name] is before[name] for name in before)
            return hasattr(model, "coef_")
        first = {}
    return True


def with_validation(model, case):
    """A fit with the last rows as validation data."""
    table, (_, y, weight) = case.table, case.data()
    cut = table.n - max(1, table.n // 3)
    rows, rest = slice(0, cut), slice(cut, None)
    given = None if weight is None else weight[rows]
    data = table.X(rows), y[rows], given
    return attempt(model.fit, *data, X_val=table.X(rest), y_val=y[rest])[0]


def sound(case):
    """A fit gives finite numbers, or an error that names what to change, and no other warnings."""
    try:
        model = case.model()
    except (ValueError, TypeError) as error:
        return check_error(error)
    if case.way == "partial_fit":
        done = in_parts(model, case)
    elif case.way == "validation":
        done = with_validation(model, case)
    else:
        done, _ = attempt(model.set_params(warm_start=case.way == "warm_start").fit, *case.data())
        if done and case.way == "warm_start":
            attempt(model.fit, *case.data()[:2])
    if done:
        check_model(model, case.table.X())
    else:
        assert not hasattr(model, "coef_"), "a fit that failed left attributes behind"
    return None


# The objective.


def objective(case, model, X, y, weight, coef, intercept):
    """The objective by its definition; classes are given by their indices."""
    if case.kind == "classifier":
        y = np.searchsorted(model.classes_, y)
    size = naive.sizes(X, weight) if case.parameters.get("scale_penalty", True) else 1.0
    return naive.objective(
        case.loss,
        X,
        y,
        coef,
        intercept,
        alpha=model.alpha_,
        l1_ratio=case.parameters.get("l1_ratio", 0.0),
        weight=weight,
        size=size,
    )


def start(case, model, y, weight):
    """The intercepts of the model that training begins with: means of numbers, zero for classes."""
    outputs = len(np.atleast_1d(model.intercept_))
    if (
        case.kind == "classifier"
        or not case.parameters.get("fit_intercept", True)
        or case.parameters.get("precondition", "standardize") is None
    ):
        return np.zeros(outputs)
    mean = np.average(y, axis=0, weights=weight)
    return np.log(mean) if case.loss in ("poisson", "gamma") else mean


def descends(case):
    """The objective ends below where it began, or there is a warning or an error.

    Rules with noise, or with steps of a fixed length, may end above a beginning that is nearly the
    minimum. A rise of more than 0.005 of the loss of a constant model is warned of; in this data
    that loss is at most twice the objective of the beginning.
    """
    X, y, weight = case.data()
    model = case.model()
    done, caught = attempt(model.fit, X, y, weight)
    if not done or caught:
        return
    zero = np.zeros_like(np.atleast_2d(model.coef_), dtype=float)
    before = objective(case, model, X, y, weight, zero, start(case, model, y, weight))
    after = objective(case, model, X, y, weight, model.coef_, model.intercept_)
    assert after <= 1.01 * before, f"the objective is {after}, and was {before}"


# One model, two ways.


def same_in_any_container(case):
    """Dense X gives the same bits however it is stored, and CSR the same as CSC and COO.

    All are read as C-contiguous rows, or as CSR, so there is no other rounding.
    """
    dense = case.table.container in DENSE
    plain = replace(case.table, container="dense" if dense else "csr")
    one, other = fitted(case), fitted(replace(case, table=plain))
    assert (one is None) == (other is None)
    if one is not None:
        np.testing.assert_array_equal(one.coef_, other.coef_)
        np.testing.assert_array_equal(one.intercept_, other.intercept_)


def dense_is_sparse(case):
    """Dense and sparse X give the same model, where both have the same coordinates.

    Rounding differs, since zeros are skipped; a few epochs increase it by a factor of 1e6 at most.
    """
    X, y, weight = case.data()
    one = fitted(case)
    other = fitted(replace(case, table=replace(case.table, container="csr")))
    assert (one is None) == (other is None)
    if one is not None:
        assert_close(one, other, X, 1e-8)


def types_agree(case):
    """float32 X gives nearly the model of the same numbers in float64.

    Sums over rows of float32 are rounded to 6e-8; a few epochs increase that by some 1e3.
    """
    X, y, weight = replace(case, table=replace(case.table, dtype="float32")).data()
    one, other = (fitted(case, each, y, weight) for each in (X, X.astype(float)))
    assert (one is None) == (other is None)
    if one is not None:
        assert_close(one, other, X.astype(float), 1e-3)


def weights_are_repeated_rows(case):
    """Integer weights on a full batch are rows that are there as often, but for rounding."""
    X, y, weight = case.data()
    again = np.repeat(np.arange(len(X)), weight)
    one, other = fitted(case), fitted(case, X[again], y[again])
    assert (one is None) == (other is None)
    if one is not None:
        assert_close(one, other, X, 1e-8)


def columns_can_be_permuted(case):
    """The order of the features does not matter, but for rounding."""
    X, y, weight = case.data()
    order = np.random.default_rng(case.table.seed).permutation(X.shape[1])
    one, other = fitted(case), fitted(case, X[:, order], y, weight)
    assert (one is None) == (other is None)
    if one is not None:
        other.coef_ = other.coef_[..., np.argsort(order)]
        assert_close(one, other, X, 1e-8)


def columns_can_be_scaled(case):
    """Standardised features have no units. Powers of two change no digit before the last sums."""
    X, y, weight = case.data()
    generator = np.random.default_rng(case.table.seed)
    units = 2.0 ** generator.integers(-60, 60, X.shape[1])
    rows = slice(None) if weight is None else weight > 0
    units[np.ptp(X[rows], axis=0) == 0] = 1.0  # the size of a constant is one by definition
    one, other = fitted(case), fitted(case, X * units, y, weight)
    assert (one is None) == (other is None)
    if one is not None:
        other.coef_ = other.coef_ * units
        assert_close(one, other, X, 1e-8)


def halves_are_the_whole(case):
    """Training that is continued after a pickle ends at the same bits as one fit."""
    data = case.data()
    epochs = case.parameters["max_iter"]
    model = case.model(warm_start=True)
    if not attempt(model.fit, *data)[0]:
        return
    model = pickle.loads(pickle.dumps(model))
    whole = fitted(case, *data, max_iter=2 * epochs)
    done, _ = attempt(model.fit, *data)
    if done != (whole is not None):
        # Each is judged by its own beginning: only one of them may have ended above it.
        with pytest.raises(DivergenceError):
            (case.model(max_iter=2 * epochs) if done else model).fit(*data)
    elif done:
        np.testing.assert_array_equal(model.coef_, whole.coef_)
        np.testing.assert_array_equal(model.intercept_, whole.intercept_)
        assert model.loss_curve_ == whole.loss_curve_
        assert model.evaluation_curve_ == whole.evaluation_curve_


# The optimum.

EXACT = {"tol": 1e-12, "max_iter": 10_000}


def reference(case, model, n_rows):
    """scikit-learn's model with the same objective, on features divided by their sizes."""
    alpha = model.alpha_
    if case.loss == "squared_error":
        return Ridge(alpha * n_rows, solver="svd")
    if case.loss == "log_loss":
        return LogisticRegression(
            C=np.divide(1.0, alpha * n_rows), solver="newton-cholesky", **EXACT
        )
    make = {"poisson": PoissonRegressor, "gamma": GammaRegressor}[case.loss]
    return make(alpha=alpha, solver="newton-cholesky", **EXACT)


@threadpool_limits.wrap(limits=1, user_api="blas")  # tests run side by side
def reaches_the_optimum(case):
    """The default optimizer ends at the minimum that an exact solver finds.

    The excess over the minimum is a share of what there was to gain. It is that of the default
    `tol`, which counts the improvement of five epochs.
    """
    X, y, weight = case.data()
    model = fitted(case)
    if model is None:
        return
    dense = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float)
    size = naive.sizes(dense, weight) if case.parameters.get("scale_penalty", True) else 1.0
    total = len(y) if weight is None else weight.sum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an inexact reference makes the test weaker, not wrong
        exact = reference(case, model, total).fit(dense / size, y, sample_weight=weight)
    zero = np.zeros_like(np.atleast_2d(model.coef_), dtype=float)
    begin, least, reached = (
        objective(case, model, dense, y, weight, coef, intercept)
        for coef, intercept in (
            (zero, start(case, model, y, weight)),
            (exact.coef_ / size, exact.intercept_),
            (model.coef_, model.intercept_),
        )
    )
    rounding = 1e-6 * abs(begin) if case.table.dtype == "float32" else 1e-12 * abs(begin)
    assert reached - least <= 1e-3 * (begin - least) + rounding, (
        f"the objective is {reached}, its minimum {least}, and {begin} at the start"
    )


EVERY_RULE = {
    "optimizer": st.sampled_from(("auto", *optimizers.names())),
    "batch_size": st.sampled_from(("auto", "full", 1, 7)),
}
# The factor of a covariance depends on the order of the features.
NOT_ROTATED = {"precondition": st.sampled_from(("standardize", None))}
# Sparse X is not centred in other coordinates, for rules that also take mini-batches.
RAW = {"precondition": None}
STANDARD = {"precondition": "standardize", "scale_penalty": True}
ANY_CONTAINER = {
    "container": st.sampled_from(list(CONTAINERS)),
    "dtype": st.sampled_from(("float64", "float32")),
}

# The properties by name, and the cases for which they hold.
PROPERTIES = {
    sound: wild(),
    descends: learnable(),
    same_in_any_container: calm(**ANY_CONTAINER, **EVERY_RULE),
    dense_is_sparse: calm(**RAW),
    types_agree: calm(),
    weights_are_repeated_rows: calm(weights="integers"),
    columns_can_be_permuted: calm(**NOT_ROTATED),
    columns_can_be_scaled: calm(**STANDARD),
    halves_are_the_whole: calm(schedule=st.sampled_from(ENDLESS), **EVERY_RULE),
    reaches_the_optimum: default(),
}
PROPERTIES = {check.__name__: (check, cases) for check, cases in PROPERTIES.items()}
