"""
Any function: optimizers in scipy's minimize
============================================

Every optimizer is a ``method`` of :func:`scipy.optimize.minimize`, for any function, with or
without its gradient. What it finds, and on which path, depends on the function, the starting point
and the learning rate.
"""

# %%
# One unknown is enough to see the effect of the learning rate η. The curvature of x² − 6x + 5 is 2,
# so a step of descent multiplies the distance to the minimum, which is at 3, by 1 − 2η. With η = ½
# one step is enough. With η > 1 the distance grows.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize, rosen, rosen_der

from sk_gd import optimizers


def descend(fun, x0, method, jac=None, **options):
    """The result of scipy's minimize, and the path to it."""
    path = [np.array(x0, dtype=float)]
    found = minimize(fun, x0, jac=jac, method=method, callback=path.append, options=options)
    name, place = type(method).__name__, np.array2string(found.x, precision=4)
    print(
        f"{name:16} f = {found.fun:<8.2g} at {place:18} {found.nit:5} steps, "
        f"{found.nfev} values, {found.njev} gradients"
    )
    return found, np.array(path)


x = np.linspace(-1.5, 7.5, 200)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), sharey=True, layout="constrained")
for ax, rate in zip(axes, (0.25, 0.9, 1.02), strict=True):
    _, path = descend(
        lambda x: x[0] ** 2 - 6 * x[0] + 5,
        [0.0],
        optimizers.SGD(),
        jac=lambda x: 2 * x - 6,
        learning_rate=rate,
        max_iter=6,
        tol=None,
    )
    print(" " * 17 + "the way there:", *(f"{place:.6g}" for place in path[1:, 0]))
    ax.plot(x, x**2 - 6 * x + 5, color="0.8")
    ax.plot(path, path**2 - 6 * path + 5, "o-", markersize=4)
    ax.set(title=f"learning_rate={rate}", xlabel="x")
axes[0].set_ylabel("x² − 6x + 5")
plt.show()

# %%
# Rosenbrock's function has a curved and narrow valley. It is easy to get into the valley, but not
# to move along it. Optimizers that find the size of their steps need no learning rate.

METHODS = [
    (optimizers.Momentum(), {"learning_rate": 0.003}),
    (optimizers.Adam(), {"learning_rate": 0.3}),
    (optimizers.AdGD(), {}),
    (optimizers.BarzilaiBorwein(), {}),
    (optimizers.Prodigy(), {}),
    (optimizers.LBFGS(), {}),
]
first, second = np.meshgrid(np.linspace(-1.7, 1.7, 300), np.linspace(-0.8, 2, 300))
heights = rosen(np.stack([first, second]))
figure, axes = plt.subplots(2, 3, figsize=(10, 5.5), sharex=True, sharey=True, layout="constrained")
for ax, (method, options) in zip(axes.flat, METHODS, strict=True):
    found, path = descend(rosen, [-1.2, 1.0], method, jac=rosen_der, **options)
    ax.contour(first, second, heights, levels=np.geomspace(0.1, 2000, 12), colors="0.8")
    ax.plot(*path.T, ".-", linewidth=1, markersize=3)
    ax.plot(1, 1, "k+", markersize=12)
    ax.set(title=f"{type(method).__name__}: {found.nit} steps", xlim=(-1.7, 1.7), ylim=(-0.8, 2))
figure.supxlabel("first unknown")
figure.supylabel("second unknown")
plt.show()

# %%
# Himmelblau's function has four minima, all with the value zero. The starting point decides which
# of them is found. You need not write down the gradient: without ``jac`` it is approximated by
# finite differences, which takes about three values in each step.


def himmelblau(x):
    """A function with four minima, all with the value 0."""
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


first, second = np.meshgrid(np.linspace(-5, 5, 300), np.linspace(-5, 5, 300))
figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
levels = np.linspace(0.5, 20, 12) ** 2
ax.contour(first, second, himmelblau([first, second]), levels=levels, colors="0.8")
for x0, style in {(1, 1): "C0o-", (-1, 1): "C1s--", (-1, -1): "k^:", (1, -1): "C4D-."}.items():
    _, path = descend(himmelblau, x0, optimizers.Nesterov(), learning_rate=0.002)
    ax.plot(*path.T, style, markersize=4, label=f"from {x0}")
ax.set(xlabel="first unknown", ylabel="second unknown")
ax.legend(loc="upper center", ncols=2)
plt.show()
