"""Every rule finds the minimiser of the objective, in all coordinates."""

import functools

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.svm import SVC

from helpers import naive
from helpers.data import PRECONDITIONS
from helpers.optimizers import DRAWN, MINI_BATCH, SMOOTH_ONLY, has_own_rate, with_batch_sizes
from sk_gd import GDClassifier, GDRegressor, optimizers
from sk_gd.optimizers import AdamW, Lion, Optimizer, Rprop, ScheduleFreeSGD

N, D, ALPHA = 60, 5, 0.05
# The penalty of scikit-learn's models.
RAW = {"scale_penalty": False}
# Train to the last digit on the full batch.
TO_THE_END = RAW | {"batch_size": "full", "schedule": "cosine", "tol": None, "average": False}


@functools.cache
def data():
    """Correlated features, three scores, and weights of the rows."""
    generator = np.random.default_rng(31)
    mix = np.eye(D) + 0.3 * generator.normal(size=(D, D))
    X = generator.normal(size=(N, D)) @ mix + [0.5, -1, 0, 1, 0]
    truth = np.array([[1, -1, 0.5, 0, 0], [0, 1, 1, 0, -1], [0.5, 0, 0, 0.3, 1]]).T
    return X, X @ truth + generator.normal(size=(N, 3)), generator.random(N) + 0.1


def labels(classes):
    return data()[1][:, :classes].argmax(axis=1)


def logistic(alpha=ALPHA, **options):
    options = {"solver": "newton-cholesky"} | options
    return LogisticRegression(C=1 / (alpha * N), tol=1e-10, max_iter=100_000, **options)


def problems():
    """By name: estimator, alpha, l1_ratio, other options, targets, weights, and the reference."""
    _, Y, weight = data()
    y, two, three = Y[:, 0], labels(2), labels(3)
    rare = (y > 1).astype(int)
    mean_one = weight / weight.mean()
    raw, balanced = {"fit_intercept": False}, {"class_weight": "balanced"}
    tight = {"tol": 1e-13, "max_iter": 100_000}
    sparse = logistic(0.02, solver="saga", l1_ratio=1.0, random_state=0)
    ridge, weighted = Ridge(ALPHA * N), Ridge(ALPHA * weight.sum())
    through_zero = Ridge(ALPHA * N, fit_intercept=False)
    regress, classify = GDRegressor, GDClassifier
    return {
        "ridge": (regress, ALPHA, 0.0, {}, y, None, ridge),
        "weighted ridge": (regress, ALPHA, 0.0, {}, y, weight, weighted),
        "ridge of three outputs": (regress, ALPHA, 0.0, {}, Y, None, ridge),
        "ridge without intercept": (regress, ALPHA, 0.0, raw, y, None, through_zero),
        "lasso": (regress, 0.2, 1.0, {}, y, None, Lasso(0.2, **tight)),
        "elastic net": (regress, 0.4, 0.5, {}, y, weight, ElasticNet(0.4, l1_ratio=0.5, **tight)),
        "logistic": (classify, ALPHA, 0.0, {}, two, None, logistic()),
        "weighted logistic": (classify, ALPHA, 0.0, {}, two, mean_one, logistic()),
        "balanced logistic": (classify, ALPHA, 0.0, balanced, rare, None, logistic(**balanced)),
        "multinomial": (classify, ALPHA, 0.0, {}, three, None, logistic()),
        "balanced multinomial": (classify, ALPHA, 0, balanced, three, None, logistic(**balanced)),
        "sparse logistic": (classify, 0.02, 1.0, {}, two, None, sparse),
        "sparse multinomial": (classify, 0.02, 1.0, {}, three, None, sparse),
    }


# What makes the objective another one, but not another kind of function for a rule.
VARIED = ("weighted", "balanced", "three outputs", "without intercept")
SPARSE = ("lasso", "elastic net", "sparse logistic", "sparse multinomial")


@functools.cache
def problem(name):
    *ours, y, weight, reference = problems()[name]
    return *ours, y, weight, clone(reference).fit(data()[0], y, sample_weight=weight)


# r=8: with equal weights the average of all steps would forget the start too slowly.
SPECIAL = {
    "adamw": AdamW(weight_decay=0.0),
    "rprop": Rprop(step_min=1e-12),
    "schedule_free_sgd": ScheduleFreeSGD(r=8.0),
}
# Factors for the number of epochs. COCOB and DoG adapt slowly. Adam and its variants take short
# steps in raw coordinates. The rates of AMSGrad and FTRL never rise again, and RAdam has a
# warm-up. The step length of Lion depends on the schedule alone, which must stay near zero for
# as long as its momentum remembers.
PATIENCE = {"cocob": 2, "dog": 2, "adam": 2, "adamw": 2, "adamax": 2, "nadam": 2}
PATIENCE |= {"amsgrad": 4, "radam": 4, "ftrl": 4, "lion": 4}
# The gradient of the hinge loss jumps. A secant over a jump does not measure the curvature, and
# at a jump the negative gradient may not be a direction of descent.
NEED_SMOOTHNESS = ("adgd", "barzilai_borwein", "lbfgs", "armijo")


def rule(name):
    """The optimizer with settings that minimise the objective to the last digit."""
    return SPECIAL[name] if name in SPECIAL else optimizers.get(name)


def forbidden(name, lasso=False, hinge=False):
    """Marks for the minimisers that a rule cannot reach, with the reason."""
    reasons = []
    if lasso and not rule(name).rule(1).has_metric():
        reasons.append("the subgradient of the lasso sets nothing to zero")
    if lasso and name == "amos":
        reasons.append("its own decay draws for as long as the gradient does not vanish")
    if hinge and name == "rprop":
        reasons.append("the sign of a slope with kinks says nothing about how far to go")
    return [pytest.mark.xfail(reason=reason) for reason in reasons]


# Random searches only come near a minimum.
ALL = [name for name in optimizers.names() if name not in DRAWN]


def is_varied(argument):
    """Whether this is the name of an objective that only differs from another by its rows."""
    return any(word in str(argument) for word in VARIED)


def places(*arguments, names=ALL, hinge=False):
    """Parameters: a rule, coordinates, and each of `arguments`.

    Every rule in the default coordinates, one rule in all; the other pairs are slow, and without
    the objectives that mean nothing to a rule.
    """
    return [
        pytest.param(
            name,
            precondition,
            argument,
            marks=forbidden(name, lasso=argument in SPARSE, hinge=hinge)
            + [pytest.mark.slow] * (precondition != "standardize" and name != "sgd"),
        )
        for name in names
        for precondition in PRECONDITIONS
        for argument in arguments
        if not (argument in SPARSE and (precondition == "whiten" or name in SMOOTH_ONLY))
        if precondition == "standardize" or name == "sgd" or not is_varied(argument)
    ]


# The model is an average with equal weights, in which the early steps, before some coefficients
# were zero, fade only like one over the number of steps.
FADING = {"schedule_free_adamw": 3e-3}


@pytest.mark.parametrize(("name", "precondition", "task"), places(*problems()))
def test_minimiser(name, precondition, task):
    make, alpha, l1_ratio, options, y, weight, exact = problem(task)
    optimizer = rule(name)
    rate = "auto"
    epochs = 1500 if precondition and task not in SPARSE else 3000
    if task in SPARSE and isinstance(optimizer.default_rate, float) and name not in FADING:
        # At a lasso the gradients do not vanish, so adaptive steps stay short and need a larger
        # rate; the schedule ends at zero anyway.
        rate = 10 * optimizer.default_rate
    model = make(
        optimizer,
        alpha=alpha,
        l1_ratio=l1_ratio,
        learning_rate=rate,
        precondition=precondition,
        max_iter=epochs * PATIENCE.get(name, 1),
        **TO_THE_END,
        **options,
    ).fit(data()[0], y, sample_weight=weight)
    tolerance = FADING.get(name, 5e-5) if task in SPARSE else 1e-6
    assert np.shape(model.coef_) == np.shape(exact.coef_)
    assert np.shape(model.intercept_) == np.shape(exact.intercept_)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=tolerance)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=tolerance)
    assert -1e-12 < gap(model, task) < tolerance / 50
    if task in SPARSE:
        np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)


def resting(times, horizon):
    """Half a cosine whose every third epoch has the rate zero."""
    return np.where(times % 3 == 1, 0.0, 0.5 + 0.5 * np.cos(np.pi * times / horizon))


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adagrad", "ftrl", "dowg", "prodigy", "cocob"])
def test_steps_of_rate_zero_do_not_change_the_minimiser(name):
    make, alpha, l1_ratio, options, y, _, exact = problem("lasso")
    settings = TO_THE_END | options | {"schedule": resting, "max_iter": 3000}
    model = make(name, alpha=alpha, l1_ratio=l1_ratio, **settings).fit(data()[0], y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)


@pytest.mark.parametrize("task", SPARSE)
def test_some_coefficients_are_zero_at_the_minimum_and_some_are_not(task):
    exact = problem(task)[-1].coef_
    assert 0 < np.count_nonzero(exact) < exact.size


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
@pytest.mark.parametrize("name", ALL)
def test_minimiser_on_sparse_rows(name, precondition):
    _, alpha, _, _, y, _, exact = problem("logistic")
    model = GDClassifier(
        rule(name),
        alpha=alpha,
        precondition=precondition,
        max_iter=2000 * PATIENCE.get(name, 1),
        **TO_THE_END,
    ).fit(sp.csr_array(data()[0]), y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=1e-6)


def gap(model, task):
    """How far the objective of `model` is above the minimum."""
    make, alpha, l1_ratio, options, y, weight, exact = problem(task)
    if "class_weight" in options:
        weight = 1 / np.bincount(y)[y]
    loss = "squared_error" if make is GDRegressor else "log_loss"
    return np.subtract(
        *(
            naive.objective(
                loss,
                data()[0],
                y,
                m.coef_,
                m.intercept_,
                alpha=alpha,
                l1_ratio=l1_ratio,
                weight=weight,
            )
            for m in (model, exact)
        )
    )


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(
            name,
            task,
            marks=forbidden(name, lasso=(name, task) == ("amos", "sparse multinomial")),
        )
        for name in MINI_BATCH
        if name in ALL
        for task in ("ridge", "lasso", "logistic", "sparse multinomial")
    ],
)
def test_shuffled_mini_batches_come_close_to_the_minimiser(name, task):
    make, alpha, l1_ratio, options, y, weight, _ = problem(task)
    model = make(
        rule(name),
        alpha=alpha,
        l1_ratio=l1_ratio,
        batch_size=8,
        schedule="cosine",
        max_iter=300,
        tol=None,
        average=False,
        random_state=0,
        **RAW,
        **options,
    ).fit(data()[0], y, sample_weight=weight)
    assert 0 <= gap(model, task) + 1e-12 < 1e-3


@pytest.mark.parametrize("task", ["ridge", "logistic"])
@pytest.mark.parametrize("precondition", PRECONDITIONS)
def test_averages_of_stochastic_steps_settle(precondition, task):
    # At a constant rate the iterates keep moving in a ball around the minimiser.
    make, alpha, _, _, y, _, _ = problem(task)
    averaged, last = (
        gap(
            make(
                "sgd",
                alpha=alpha,
                precondition=precondition,
                batch_size=1,
                max_iter=400,
                tol=None,
                average=average,
                random_state=0,
                **RAW,
            ).fit(data()[0], y),
            task,
        )
        for average in (True, False)
    )
    assert averaged < 2e-3
    assert averaged < 0.2 * last


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("task", SPARSE)
@pytest.mark.parametrize("name", ["auto", "schedule_free_adamw", "schedule_free_sgd"])
def test_averages_are_zero_where_the_minimiser_is(name, task, batch_size):
    """Not where the last iterate happens to be: noise moves it to zero, too."""
    make, alpha, l1_ratio, options, y, weight, exact = problem(task)
    model = make(
        optimizers.get(name),
        alpha=alpha,
        l1_ratio=l1_ratio,
        batch_size=batch_size,
        max_iter=400,
        tol=None,
        **RAW,
        **options,
    )
    for seed in range(3):
        model.set_params(random_state=seed).fit(data()[0], y, sample_weight=weight)
        assert gap(model, task) < 2e-3
        assert model.coef_[exact.coef_ != 0].all()
        # One coefficient of the multinomial model is hardly held at zero.
        assert np.count_nonzero(model.coef_[exact.coef_ == 0]) <= (task == "sparse multinomial")


def hinge_dual(X, y, classes, alpha):
    """A lower bound of the Weston-Watkins objective without intercept: its dual, maximised.

    By duality every a with 0 <= a <= 1 / n gives a lower bound, so the result is valid even
    if the maximiser stops early.
    """
    n = len(X)
    corner = np.eye(classes)
    apart = corner[y][:, None, :] - corner[None, :, :]
    wrong = 1 - corner[y]

    def negative(a):
        a = a.reshape(n, classes) * wrong
        W = np.einsum("ik,ikc,ij->cj", a, apart, X) / alpha
        rise = (1 - np.einsum("ikc,cj,ij->ik", apart, W, X)) * wrong
        return 0.5 * alpha * (W**2).sum() - a.sum(), -rise.ravel()

    found = scipy.optimize.minimize(
        negative,
        np.full(n * classes, 0.5 / n),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 1 / n)] * (n * classes),
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-14, "gtol": 1e-9},
    )
    return -found.fun


@functools.cache
def lowest_hinge(classes):
    X, y = data()[0], labels(classes)
    if classes == 3:
        return hinge_dual(X, y, 3, ALPHA)
    exact = SVC(kernel="linear", C=1 / (ALPHA * N), tol=1e-9).fit(X, y)
    return naive.objective("hinge", X, y, exact.coef_, exact.intercept_, alpha=ALPHA)


SMOOTH_OR_NOT = [name for name in ALL if name not in NEED_SMOOTHNESS]


@pytest.mark.parametrize(
    ("name", "precondition", "classes"), places(2, 3, names=SMOOTH_OR_NOT, hinge=True)
)
def test_support_vector_machines(name, precondition, classes):
    X, y = data()[0], labels(classes)
    model = GDClassifier(
        rule(name),
        loss="hinge",
        alpha=ALPHA,
        fit_intercept=classes == 2,
        precondition=precondition,
        max_iter=2000 * PATIENCE.get(name, 1),
        **TO_THE_END,
    ).fit(X, y)
    found = naive.objective("hinge", X, y, model.coef_, model.intercept_, alpha=ALPHA)
    assert -1e-6 < found - lowest_hinge(classes) < 1e-4


@functools.cache
def lowest_sparse_hinge(alpha):
    """The minimum of the Weston-Watkins lasso, which is a linear program."""
    X, y = data()[0], labels(3)
    k = 3
    # Variables: W+ and W- (classes × features), intercepts, and a slack per row and wrong class.
    pairs = [(i, c) for i in range(N) for c in range(k) if c != y[i]]
    left = np.zeros((len(pairs), 2 * k * D + k + len(pairs)))
    for row, (i, c) in enumerate(pairs):
        for sign, side in ((1, 0), (-1, k * D)):
            left[row, side + c * D : side + (c + 1) * D] += sign * X[i]
            left[row, side + y[i] * D : side + (y[i] + 1) * D] -= sign * X[i]
        left[row, 2 * k * D + c] += 1
        left[row, 2 * k * D + y[i]] -= 1
        left[row, 2 * k * D + k + row] = -1
    cost = np.concatenate([np.full(2 * k * D, alpha), np.zeros(k), np.full(len(pairs), 1 / N)])
    bounds = [(0, None)] * (2 * k * D) + [(None, None)] * k + [(0, None)] * len(pairs)
    return scipy.optimize.linprog(cost, left, np.full(len(pairs), -1.0), bounds=bounds).fun


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=forbidden(name, hinge=True)) for name in SMOOTH_OR_NOT]
)
def test_sparse_support_vector_machines(name):
    X, y = data()[0], labels(3)
    model = GDClassifier(
        rule(name),
        loss="hinge",
        alpha=0.02,
        l1_ratio=1.0,
        max_iter=3000,
        **TO_THE_END,
    ).fit(X, y)
    found = naive.objective("hinge", X, y, model.coef_, model.intercept_, alpha=0.02, l1_ratio=1.0)
    assert -1e-9 < found - lowest_sparse_hinge(0.02) < 1e-3


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
@pytest.mark.parametrize(
    ("name", "batch_size"), [pair for pair in with_batch_sizes(8, "full") if pair[0] in ALL]
)
def test_the_ridge_of_a_feature_that_hardly_varies_upsets_no_rule(name, precondition, batch_size):
    # For a feature with deviation 1e-5, a ridge of 0.05 has a curvature of 5e8.
    X, y = data()[0].copy(), data()[1][:, 0]
    X[:, 2] = 3 + 1e-5 * X[:, 2]
    # Another test has the automatic rate on mini-batches.
    rate = "auto" if batch_size == "full" or has_own_rate(name) else 0.02
    model = GDRegressor(
        rule(name),
        alpha=ALPHA,
        precondition=precondition,
        learning_rate=rate,
        batch_size=batch_size,
        schedule="cosine",
        max_iter=300 * PATIENCE.get(name, 1),
        tol=None,
        average=False,
        random_state=0,
        **RAW,
    ).fit(X, y)
    exact = Ridge(ALPHA * N).fit(X, y)
    found, lowest = (
        naive.objective("squared_error", X, y, m.coef_, m.intercept_, alpha=ALPHA)
        for m in (model, exact)
    )
    assert found - lowest < 1e-3
    # The first step of an adaptive rule has full size in every coordinate and may be too long.
    assert max(model.loss_curve_[2:]) < model.loss_curve_[0]


@pytest.mark.parametrize("precondition", PRECONDITIONS)
@pytest.mark.parametrize(
    ("name", "batch_size"), [pair for pair in with_batch_sizes(1, 8, "full") if pair[0] in ALL]
)
def test_the_automatic_rate_is_stable(name, precondition, batch_size, request):
    # Untuned and at a constant rate, no model is worse than one that predicts zero.
    if (name, batch_size, precondition) == ("dadapt_adam", 1, None):
        request.applymarker(pytest.mark.xfail(reason="a distance to go is no stable rate"))
    X, y = data()[0], data()[1][:, 0]
    curve = (
        GDRegressor(
            rule(name),
            alpha=1e-4,
            precondition=precondition,
            batch_size=batch_size,
            max_iter=200,
            tol=None,
            average=False,
            random_state=0,
            **RAW,
        )
        .fit(X, y)
        .loss_curve_
    )
    assert max(curve[1:]) < 0.5 * np.mean(y**2)


class SignDescent(Optimizer):
    """A user's rule with steps along the sign of the gradient; it has no metric for a lasso."""

    default_rate = 0.02

    def step(self, w, g, lr, state):
        w -= lr * np.sign(g)


@pytest.mark.parametrize("optimizer", [SignDescent(), Lion()], ids=repr)
def test_a_sign_rule_comes_near_the_lasso(optimizer):
    make, alpha, l1_ratio, _, y, _, exact = problem("lasso")
    model = make(
        optimizer,
        alpha=alpha,
        l1_ratio=l1_ratio,
        max_iter=3000,
        **TO_THE_END,
    ).fit(data()[0], y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-3)
    assert gap(model, "lasso") < 1e-4
