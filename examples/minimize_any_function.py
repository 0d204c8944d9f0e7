"""Every optimizer is a method of scipy.optimize.minimize: on any function, nothing else changes.

Rosenbrock's valley, one of the four minima of Himmelblau's function without a
gradient, a parabola in one unknown, and robust regression on many, in which an
optimizer of one's own takes part.
"""

import numpy as np
from scipy.optimize import minimize, rosen, rosen_der

from sk_gd import optimizers
from sk_gd.optimizers import Optimizer


def report(label, found):
    """Print what was found, and at what cost."""
    print(
        f"  {label:<24} f = {found.fun:<9.2g} at {np.array2string(found.x[:2], precision=4):<17}"
        f" {found.nit} steps, {found.nfev} values, {found.njev} gradients"
    )


print("Rosenbrock's valley from (-1.2, 1): the minimum is 0 at (1, 1)")
for method, options in (
    (optimizers.BarzilaiBorwein(), {}),
    (optimizers.AdGD(), {}),
    (optimizers.Prodigy(), {}),
    (optimizers.Adam(), {"learning_rate": 0.3}),
    (optimizers.Momentum(), {"learning_rate": 0.003}),
):
    found = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=method, options=options)
    report(type(method).__name__, found)


def himmelblau(x):
    """Four minima, all of them 0."""
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


print("Himmelblau's function, without its gradient, from four places")
for x0 in ([1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]):
    found = minimize(himmelblau, x0, method=optimizers.Nesterov(), options={"learning_rate": 0.002})
    report(f"from {x0}", found)

print("x² - 6x + 5: the minimum is -4 at 3")
path = []
found = minimize(
    lambda x: x[0] ** 2 - 6 * x[0] + 5,
    0.0,
    jac=lambda x: 2 * x - 6,
    method=optimizers.SGD(),
    callback=lambda xk: path.append(float(xk[0])),
    options={"learning_rate": 0.25, "max_iter": 6, "tol": None},
)
print("  the way there:", *path)


class Signum(Optimizer):
    """The sign of a running mean of the gradients."""

    def init(self, w):
        return {"mean": np.zeros_like(w)}

    def step(self, w, g, lr, state):
        state["mean"] *= 0.9
        state["mean"] += 0.1 * g
        w -= lr * np.sign(state["mean"])


generator = np.random.default_rng(0)
X = generator.normal(size=(500, 20))
truth = np.arange(20.0)
y = X @ truth + generator.standard_cauchy(500)


def cauchy(w):
    """Value and gradient of the negative logarithmic likelihood of Cauchy's noise."""
    residuals = X @ w - y
    slopes = 2 * residuals / (1 + residuals**2)
    return np.log1p(residuals**2).mean(), X.T @ slopes / len(y)


print("A regression with Cauchy's noise, in 20 unknowns: the largest error of a coefficient")
for method, options in (
    (optimizers.Adam(), {"learning_rate": 0.3}),
    (Signum(), {"learning_rate": 0.3, "schedule": "cosine", "max_iter": 2000}),
):
    found = minimize(cauchy, np.zeros(20), jac=True, method=method, options=options)
    print(f"  {type(method).__name__:<24} {np.abs(found.x - truth).max():.3f} in {found.nit} steps")
