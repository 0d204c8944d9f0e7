"""L-BFGS that takes the Hessian itself once a run has taken as many epochs as that costs."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning

from helpers.assertions import assert_same_bits, reloaded
from helpers.runs import LossHessian, inverse_hessian, make_data
from sk_gd import GDClassifier, GDRegressor, losses
from sk_gd.optimizers import LBFGS

N = 600
RNG = np.random.default_rng(0)
LEVELS = RNG.integers(0, 12, N)
X = np.column_stack([np.eye(12)[LEVELS][:, 1:], np.exp(2 * RNG.normal(size=(N, 3)))])
FLIPPED = RNG.random(N) < 0.01


def labels(n_classes):
    """Nearly separable: where most rows are certain, the Hessian is not the covariance matrix."""
    y = LEVELS % n_classes
    y[FLIPPED] = RNG.integers(0, n_classes, FLIPPED.sum())
    return y


LABELS = {2: labels(2), 4: labels(4)}
# A ridge so weak, and the precision to which everything below is trained.
WEAK = {"alpha": 1e-6, "scale_penalty": False, "precondition": "whiten"}


def fitted(n_classes, X=X, **parameters):
    parameters = {"max_iter": 3000, "tol": 1e-11, "random_state": 0, **WEAK, **parameters}
    return GDClassifier(**parameters).fit(X, LABELS[n_classes])


def curvatures(p):
    """The second derivatives of the log loss at predictions (rows × outputs), by its formula."""
    if p.shape[1] == 1:
        return (expit(p) * expit(-p))[:, :, None]
    q = softmax(p, axis=1)
    return q[:, :, None] * np.eye(p.shape[1]) - q[:, :, None] * q[:, None]


@pytest.mark.parametrize("precondition", [None, "standardize", "whiten"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_the_hessian_of_the_log_loss(n_outputs, container, precondition):
    weight = RNG.integers(0, 3, N)
    y = LABELS[max(n_outputs, 2)]
    data = make_data(
        container(X), y, "log_loss", outputs=n_outputs, weight=weight, precondition=precondition
    )
    coordinates = data.coordinates

    def predictions(w):
        coef, intercept = coordinates.to_model(w)
        return X @ coef.T + intercept

    w = 0.3 * RNG.normal(size=(X.shape[1] + 1) * n_outputs)
    z = np.stack([predictions(each) for each in np.eye(len(w))], axis=-1)
    second = curvatures(predictions(w)) * weight[:, None, None] / weight.sum()
    expected = np.einsum("ika,ikl,ilb->ab", z, second, z)
    found = LossHessian(data)(w)
    if n_outputs > 1:
        # The scores of all classes may grow together.
        apart = np.kron(np.eye(n_outputs) - 1 / n_outputs, np.eye(X.shape[1] + 1))
        together = np.eye(len(w)) - apart
        assert np.linalg.eigvalsh(found)[0] > 1e-9 * np.linalg.norm(found)
        np.testing.assert_allclose(apart @ found @ together, 0, atol=1e-9 * found.max())
        found, expected = (apart @ each @ apart for each in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * expected.max())


def test_the_classes_do_not_move_together():
    """Without a penalty, only rounding would move the sum of their coefficients."""
    model = fitted(4, optimizer=LBFGS(hessian=True), alpha=0.0, tol=1e-9)
    assert model.n_iter_ > 20
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-8 * np.abs(model.coef_).max())


@pytest.mark.parametrize("name", [*losses.names("regressor"), *losses.names("classifier")])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_second_derivatives(name, n_outputs):
    """They are the changes of the slopes, but at corners and jumps."""
    loss = losses.get(name)
    p = RNG.normal(size=(n_outputs, 40))
    classes = RNG.integers(0, max(n_outputs, 2), (1, 40)).astype(float)
    y = classes if "classifier" in loss.kinds else RNG.gamma(2.0, size=p.shape)
    found = list(loss.second_derivatives(y, p, np.ones((n_outputs, 1))))
    kernel, h = loss.kernel(n_outputs), 3e-5
    for k in range(n_outputs):
        step = h * (np.arange(n_outputs) == k)[:, None]
        change = np.array(kernel.slope(y, p + step)) - kernel.slope(y, p - step)
        np.testing.assert_allclose(found[k], change[k:] / (2 * h), rtol=1e-5, atol=1e-7)


class Counted:
    """A kernel that counts the predictions of which it gives slopes."""

    def __init__(self, kernel, sizes):
        self.kernel, self.sizes = kernel, sizes

    def slope(self, y, p):
        self.sizes.append(p.size)
        return self.kernel.slope(y, p)


@pytest.mark.parametrize("base", [losses.SquaredHinge, losses.ModifiedHuber])
def test_margins_of_many_classes(base):
    """Each is moved once: to move the score of each class in turn took as long as many epochs."""
    sizes = []

    class Loss(base):
        def kernel(self, n_outputs):
            return Counted(super().kernel(n_outputs), sizes)

    p, y = RNG.normal(size=(30, 40)), RNG.integers(0, 30, (1, 40)).astype(float)
    found = list(Loss().second_derivatives(y, p, np.ones((30, 1))))
    assert len(found) == 30
    assert sum(sizes) == 2 * p.size


def test_the_inverse_where_a_direction_has_no_curvature():
    matrix = np.eye(4) - 0.25
    inverse = inverse_hessian(matrix)
    g = np.array([1.0, -2.0, 1.5, -0.5])
    np.testing.assert_allclose(inverse @ g, g, rtol=1e-6)
    assert inverse_hessian(-np.eye(3)) is None


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("n_classes", LABELS)
def test_fewer_epochs_to_the_same_minimum(n_classes, container):
    slow = fitted(n_classes, container(X), optimizer=LBFGS(maxcor=10))
    fast = fitted(n_classes, container(X), optimizer=LBFGS(maxcor=10, hessian=True))
    assert fast.n_iter_ < 0.6 * slow.n_iter_
    assert fast.loss_curve_[-1] <= slow.loss_curve_[-1] * (1 + 1e-9)
    # After it the slope is that of the rounding.
    p = fast.predict_proba(X)
    residual = p - (np.arange(p.shape[1]) == np.asarray(LABELS[n_classes])[:, None])
    slope = residual.T @ X / N
    if n_classes == 2:
        slope = slope[1:]
    np.testing.assert_allclose(slope, -fast.alpha_ * fast.coef_, rtol=0, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_predictions_do_not_depend_on_the_units(seed):
    """Training ends so near the minimum that rounding on the way there does not show."""
    scale = 10.0 ** np.random.default_rng(seed).integers(-6, 7, X.shape[1])
    model = GDClassifier(alpha="0.01 * auto", max_iter=500)  # without the Hessian 1e-5 apart
    p = model.fit(X, LABELS[2]).predict_proba(X)
    other = model.fit(X * scale, LABELS[2]).predict_proba(X * scale)
    np.testing.assert_allclose(other, p, rtol=0, atol=1e-6)


def skewed_table(seed):
    """Features of which one is the sum of two others, three classes, and other units."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(2000, 15)) @ rng.normal(size=(15, 15)) / 4
    table = np.exp(1.5 * z)
    table[:, :5] = np.round(table[:, :5])
    table = np.column_stack([table, table[:, 0] + table[:, 1]])
    y = np.argmax(2 * z @ rng.normal(size=(15, 3)) + rng.gumbel(size=(2000, 3)), axis=1)
    return table, y, 10.0 ** rng.integers(-6, 7, table.shape[1])


@pytest.mark.parametrize("seed", [3, 12, 15, 22])
def test_nor_do_those_of_shorter_fits(seed):
    """Where L-BFGS stops, these are 1e-8 to 1e-6 apart."""
    table, y, scale = skewed_table(seed)
    model = GDClassifier().fit(table, y)
    assert model.n_iter_ < 24
    p = model.predict_proba(table)
    other = model.fit(table * scale, y).predict_proba(table * scale)
    np.testing.assert_allclose(other, p, rtol=0, atol=1e-10)


def test_the_last_steps_are_not_recorded():
    """A fit that ends before the Hessian pays takes it at its end, and then is at the minimum."""
    table, y, _ = skewed_table(3)
    slopes, curves = [], []
    for hessian in (False, True):
        model = GDClassifier(LBFGS(maxcor=80, hessian=hessian), tol=1e-3).fit(table, y)
        assert 13 < model.n_iter_ < 20
        curves.append(model.loss_curve_)
        assert model.t_ == model.n_iter_
        residual = model.predict_proba(table) - np.eye(3)[y]
        # What the features add to the slope of an intercept is no part of the penalty.
        size = table.std(axis=0) / np.sqrt(np.mean(table != 0, axis=0))
        slope = residual.T @ (table - table.mean(axis=0)) / len(y) / size
        slopes.append(np.abs(slope + model.alpha_ * model.coef_ * size).max())
    assert curves[0] == curves[1]
    assert slopes[1] < 1e-8 < 1e-5 < slopes[0]


@pytest.mark.parametrize("loss", ["squared_hinge", "modified_huber", "log_loss"])
def test_losses_with_jumps(loss):
    """Their second derivative is zero beyond the margin."""
    ends, epochs = [], []
    for hessian in (False, True):
        model = fitted(2, loss=loss, optimizer=LBFGS(hessian=hessian), tol=1e-8)
        ends.append(model.loss_curve_[-1])
        epochs.append(model.n_iter_)
    assert ends[1] <= ends[0] * (1 + 1e-5)
    assert epochs[1] < 0.6 * epochs[0]


def test_the_default():
    assert GDClassifier().fit(X, LABELS[2]).optimizer_.hessian
    assert GDRegressor(loss="huber").fit(X, X[:, 0]).optimizer_.hessian
    for loss in ("squared_error", "absolute_error", "quantile", "epsilon_insensitive"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GDRegressor(loss=loss).fit(X, X[:, 0] + RNG.normal(size=N))
        assert not model.optimizer_.hessian


@pytest.mark.parametrize(
    "parameters",
    [{"early_stopping": True}, {"loss": "hinge"}, {"loss": "perceptron"}],
    ids=["validation", "hinge", "perceptron"],
)
def test_no_effect(parameters):
    parameters = {"max_iter": 60, "tol": 0.0, "n_iter_no_change": 60, **parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [fitted(2, optimizer=LBFGS(hessian=each), **parameters) for each in (False, True)]
    assert models[0].n_iter_ > 30
    assert_same_bits(*models)


@pytest.mark.parametrize("n_classes", LABELS)
def test_resumes(n_classes):
    """Stops before, at and after the epochs at which the Hessian is taken change nothing."""
    optimizer = LBFGS(hessian=True)
    settings = {"optimizer": optimizer, "tol": None, "warm_start": True}
    whole = fitted(n_classes, max_iter=48, **settings)
    for size in (6, 12, 16):
        parts = fitted(n_classes, max_iter=size, **settings)
        while len(parts.loss_curve_) < 48:
            parts = reloaded(parts).fit(X, LABELS[n_classes])
        assert_same_bits(whole, parts)


@pytest.mark.parametrize("optimizer", [LBFGS(), LBFGS(hessian=True)], ids=["pairs", "hessian"])
def test_shorter_steps_by_a_schedule(optimizer):
    """They are those of the smaller learning rate, also where the Hessian is taken."""
    settings = {"optimizer": optimizer, "tol": None, "max_iter": 48}
    by_rate = fitted(2, learning_rate=0.5, **settings)
    by_schedule = fitted(2, schedule=lambda epochs, horizon: 0.5 + 0 * epochs, **settings)
    assert_same_bits(by_rate, by_schedule)


def test_a_wrong_value():
    with pytest.raises(ValueError, match="hessian"):
        fitted(2, optimizer=LBFGS(hessian="yes"))
