"""The formulas without compilation: rules and losses as plain Python, and a fit with both."""

import importlib.util
import pathlib
import sys
import types
from importlib.machinery import SourceFileLoader

import cython
import numpy as np

import sk_gd

FOLDER = pathlib.Path(sk_gd.__file__).parent
ALIAS = "sk_gd_uncompiled"
# In the order in which they import each other.
SOURCES = (
    "aligned",
    "hints",
    "indices",
    "parameters",
    "objectives.base",
    "objectives.functions",
    "losses.links",
    "losses.base",
    "losses.classification",
    "losses.regression",
    "penalties.base",
    "penalties.elastic_net",
    "optimizers.checks",
    "optimizers.base",
    "optimizers.vectors",
    "optimizers.line_search",
    *(
        f"optimizers.{path.stem}"
        for path in sorted((FOLDER / "optimizers").glob("[a-z]*.py"))
        if path.stem not in ("base", "checks", "line_search", "vectors")
    ),
)


def load():
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
    return modules


def unload():
    """Forget what `load` has imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == ALIAS]:
        del sys.modules[name]


def twin_of(plain, cls):
    """The uncompiled twin of a class."""
    twin = getattr(plain[cls.__module__.removeprefix("sk_gd.")], cls.__name__)
    assert twin is not cls and twin.__module__.startswith(ALIAS)
    return twin


def counterpart(plain, instance):
    """The uncompiled twin of an optimizer or a loss."""
    return twin_of(plain, type(instance))(**instance.get_params())


def rows_of(plain, X, y, kernel, outputs, penalty):
    """The objective of a linear model in raw coordinates, on one row or on all rows."""
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
                # A sum that cancels leaves rounding errors only, which count as zero.
                if len(rows) > 1 and abs(g[k * width + d]) <= 8 * 2.0**-52 * (sizes[k] + 1):
                    g[k * width + d] = 0.0
            penalty.add_gradient(w, g, 1.0, g)
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


def plain_fit(plain, optimizer, loss, X, y, outputs, alpha, l1_ratio, lr, steps):
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
    for t in range(steps):
        objective.go(t, point if rule.probe(w, point) else w)
        rule.t += 1
        rule.advance(w, objective, lr)
        if penalty.has_prox:
            rule.proximal_step(w, penalty, lr)
    model = rule.model(w).reshape(outputs, width)
    if penalty.has_prox:
        model[rule.at_zero(w, penalty).reshape(outputs, width)] = 0
    return model[:, :d], model[:, d]
