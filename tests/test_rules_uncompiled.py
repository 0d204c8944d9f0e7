"""The sources of the formulas, run by Python itself, give the digits of the compiled ones."""

import importlib.util
import pathlib
import sys
import types
from importlib.machinery import SourceFileLoader

import cython
import numpy as np
import pytest
import scipy.sparse as sp
from internals import DRAWN, MINI_BATCH, quadratic

import sk_gd
from sk_gd import GDClassifier, GDRegressor, losses, optimizers

FOLDER = pathlib.Path(sk_gd.__file__).parent
ALIAS = "sk_gd_uncompiled"
# In the order in which they import each other.
SOURCES = (
    "parameters",
    "objectives.base",
    "objectives.functions",
    "losses.base",
    "losses.classification",
    "losses.regression",
    "penalties.base",
    "penalties.elastic_net",
    "optimizers.base",
    *(
        f"optimizers.{path.stem}"
        for path in sorted((FOLDER / "optimizers").glob("[a-z]*.py"))
        if path.stem != "base"
    ),
)
STEPS = 200


@pytest.fixture(scope="module")
def plain():
    """The sources by name, loaded as plain Python under a package of their own."""
    for name in ("", ".losses", ".objectives", ".optimizers", ".penalties"):
        package = types.ModuleType(ALIAS + name)
        package.__path__ = []
        sys.modules[ALIAS + name] = package
    modules = {}
    for name in SOURCES:
        path = str(FOLDER / (name.replace(".", "/") + ".py"))
        loader = SourceFileLoader(f"{ALIAS}.{name}", path)
        module = importlib.util.module_from_spec(
            importlib.util.spec_from_loader(loader.name, loader, origin=path)
        )
        sys.modules[loader.name] = module
        loader.exec_module(module)
        assert not getattr(module, "cython", cython).compiled
        modules[name] = module
    yield modules
    for name in [name for name in sys.modules if name.split(".")[0] == ALIAS]:
        del sys.modules[name]


def counterpart(plain, instance):
    """The uncompiled twin of an optimizer or a loss."""
    made = getattr(plain[type(instance).__module__.removeprefix("sk_gd.")], type(instance).__name__)
    return made(**instance.get_params())


@pytest.mark.parametrize("name", optimizers.names())
def test_steps(plain, name):
    optimizer = optimizers.get(name)
    curvature, centre = np.array([1.0, 10.0, 0.1, 3.0]), np.array([0.5, -1.0, 2.0, 0.0])

    function = quadratic(curvature, centre)
    twin = quadratic(curvature, centre, kind=plain["objectives.functions"].Function)
    w, w_plain = np.array([0.1, -0.7, 0.3, 0.0]), np.array([0.1, -0.7, 0.3, 0.0])
    rule, rule_plain = optimizer.rule(4), counterpart(plain, optimizer).rule(4)
    assert type(rule_plain).__module__.startswith(ALIAS)
    rule.start(w)
    rule_plain.start(w_plain)
    for t in range(STEPS):
        lr = 0.05 / (1 + 0.01 * t)
        rule(w, function, lr)
        rule_plain(w_plain, twin, lr)
        assert w.tolist() == w_plain.tolist()
    assert rule.model(w).tolist() == rule_plain.model(w_plain).tolist()
    for array, values in rule.arrays.items():
        assert values.tolist() == rule_plain.arrays[array].tolist()


@pytest.mark.parametrize("inner", ["SGD", "Nesterov"])
@pytest.mark.parametrize("wrapper", ["ClipNorm", "ClipValue"])
def test_wrapped_steps(plain, wrapper, inner):
    models = []
    for wrappers, descent in (
        (optimizers, optimizers),
        (plain["optimizers.wrappers"], plain["optimizers.descent"]),
    ):
        w = np.array([0.1, -0.7, 0.3, 0.0])
        rule = getattr(wrappers, wrapper)(getattr(descent, inner)(), 0.3).rule(4)
        rule.start(w)
        for _ in range(STEPS):
            rule(w, lambda w: np.array([1.0, 10.0, 0.1, 3.0]) * (w - 0.5), 0.05)
        models.append(rule.model(w).tolist())
    assert models[0] == models[1]


def rows_of(plain, X, y, kernel, outputs, penalty):
    """The objective of a raw linear model: of one row, or of all of them."""
    (n, d), width = X.shape, X.shape[1] + 1
    p, slopes = np.empty((outputs, 1)), np.empty((outputs, 1))

    class Rows(plain["objectives.base"].Objective):
        def go(self, t, point):
            self.t = t
            self.g = np.empty(outputs * width)
            self.f = self.gradient(point, self.g)

        def of(self, rows, w, g):
            g[:] = 0.0
            total, sizes = 0.0, np.zeros(outputs)
            for i in rows:
                row = X[i].tolist()
                for k in range(outputs):
                    margin = 0.0
                    for j in range(d):
                        if row[j] != 0:
                            margin += row[j] * w[k * width + j]
                    p[k, 0] = margin + w[k * width + d]
                kernel.bind(y[[i]].T, p, np.ones(1), slopes)
                total += kernel.evaluate(0, outputs, 1)
                for k in range(outputs):
                    slope = slopes[k, 0] * (1 / len(rows))
                    sizes[k] += abs(slope)
                    for j in range(d):
                        if row[j] != 0:
                            g[k * width + j] += slope * row[j]
                    g[k * width + d] += slope
            for k in range(outputs):
                # Of a sum that cancels the rounding is left, which is taken for zero.
                if len(rows) > 1 and abs(g[k * width + d]) <= 8 * 2.0**-52 * (sizes[k] + 1):
                    g[k * width + d] = 0.0
            penalty.add_gradient(w, g)
            return total / len(rows) + penalty.smooth_value(w)

        def value(self, w):
            return self.of([self.t % n], w, np.empty(len(w)))

        def gradient(self, w, out):
            return self.of([self.t % n], w, out)

        def full_gradient(self, w, out):
            return self.of(range(n), w, out)

        def prox(self, w, step):
            penalty.prox(w, np.full(len(w), step))

        def steps(self):
            return n

        def begins_epoch(self):
            return self.t % n == 0

    return Rows()


def plain_fit(plain, optimizer, loss, X, y, outputs, alpha, l1_ratio, lr):
    """Stochastic descent, row by row, with the uncompiled rule, penalty and loss."""
    d = X.shape[1]
    width = d + 1
    rule = counterpart(plain, optimizer).rule(outputs * width)
    kernel = counterpart(plain, loss).kernel(outputs)
    size = np.ones((outputs, width))
    size[:, d] = 0
    penalty = plain["penalties.elastic_net"].ElasticNet(alpha, l1_ratio)
    penalty = penalty.kernel(size.ravel(), np.ones(size.size), proximal=rule.has_metric())
    w, point = np.zeros(outputs * width), np.zeros(outputs * width)
    rule.seed(0)
    rule.start(w)
    objective = rows_of(plain, X, y, kernel, outputs, penalty)
    for t in range(STEPS):
        objective.go(t, point if rule.probe(w, point) else w)
        rule.t += 1
        rule.advance(w, objective, lr)
        if penalty.has_prox:
            rule.proximal_step(w, penalty, lr)
    model = rule.model(w).reshape(outputs, width)
    if penalty.has_prox:
        model[w.reshape(outputs, width) == 0] = 0
    return model[:, :d], model[:, d]


PROBLEMS = [
    ("regressor", loss, outputs) for loss in losses.names("regressor") for outputs in (1, 2)
] + [("classifier", loss, classes) for loss in losses.names("classifier") for classes in (2, 3)]


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.0, 0.0), (0.02, 0.5)])
@pytest.mark.parametrize(("kind", "loss", "size"), PROBLEMS)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in DRAWN)) for name in MINI_BATCH],
)
def test_stochastic_fits(plain, name, kind, loss, size, alpha, l1_ratio):
    generator = np.random.default_rng(3)
    X = np.round(generator.normal(size=(20, 3)), 2)
    X[generator.random(X.shape) < 0.3] = 0  # to leave coordinates untouched
    estimator = GDRegressor if kind == "regressor" else GDClassifier
    if kind == "regressor":
        y = np.abs(np.round(X[:, :1] + generator.normal(size=(20, size)), 2)) + 0.01
        outputs = size
    else:
        y = (np.arange(20.0) % size)[:, None]
        outputs = 1 if size == 2 else size
    # Raw exponentials want shorter steps.
    rate = 0.003 if loss in ("poisson", "gamma") else 0.03
    # The products of one sparse row are plain sums, which Python can repeat to the digit.
    model = estimator(
        name,
        loss=loss,
        alpha=alpha,
        l1_ratio=l1_ratio,
        learning_rate=rate,
        schedule="constant",
        batch_size=1,
        max_iter=STEPS // 20,
        tol=None,
        average=False,
        precondition=None,
        shuffle=False,
        random_state=0,
    ).fit(sp.csr_array(X), y if kind == "regressor" else y.ravel())
    coef, intercept = plain_fit(
        plain, optimizers.get(name), losses.get(loss), X, y, outputs, alpha, l1_ratio, rate
    )
    # Zero weights, the start, are a minimum of the perceptron's loss; who asks for values sees it.
    assert np.any(coef) or (loss == "perceptron" and name in ("armijo", "polyak", *DRAWN))
    assert np.reshape(model.coef_, coef.shape).tolist() == coef.tolist()
    if kind == "classifier" and outputs > 1:
        intercept = intercept - intercept.mean()
    assert np.ravel(model.intercept_).tolist() == intercept.tolist()


@pytest.mark.parametrize(("kind", "loss", "size"), PROBLEMS)
def test_losses(plain, kind, loss, size):
    generator = np.random.default_rng(5)
    outputs = 1 if kind == "classifier" and size == 2 else size
    p = generator.normal(scale=3, size=(outputs, 50))
    if kind == "classifier":
        y = generator.integers(size, size=(1, 50)).astype(float)
    else:
        y = generator.gamma(1.0, size=(outputs, 50))
    weight = generator.random(50)
    compiled = losses.get(loss)
    total = compiled.kernel(outputs).total(y, p, weight)
    assert total == counterpart(plain, compiled).kernel(outputs).total(y, p, weight)
