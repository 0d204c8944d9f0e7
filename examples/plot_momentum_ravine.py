"""
Momentum in a ravine
====================

If one direction is much steeper than another, the objective is a ravine. Plain descent zig-zags
between the walls and makes little progress along the floor. Momentum adds up the steps: steps
across the ravine cancel, and steps along it add. The narrower the ravine, the more steps this
saves.
"""

# %%
# The ravine is a quadratic function with two curvatures. Least squares on raw data is such a
# function: if one feature has five times the standard deviation of the other, its curvature is 25
# times as large. Every optimizer is a method of `scipy.optimize.minimize`, whose callback records
# each step.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from sk_gd import optimizers

CURVATURES = np.array([1.0, 25.0])


def ravine(x, curvatures=CURVATURES):
    """A quadratic function with its minimum at zero."""
    return np.sum(curvatures * x**2, axis=-1) / 2


def slope(x, curvatures=CURVATURES):
    """Its gradient."""
    return curvatures * x


def descend(optimizer, learning_rate, steps=40):
    """The points that the optimizer visits."""
    path = [np.array([-4.0, 0.8])]
    options = {"learning_rate": learning_rate, "max_iter": steps, "tol": None}
    minimize(ravine, path[0], jac=slope, method=optimizer, callback=path.append, options=options)
    return np.array(path)


# %%
# Plain descent is stable with a learning rate below 2 / L, where L is the largest curvature. Here
# the rate is close to this limit, and still the steps along the floor are short. Momentum, which is
# the same as Polyak's heavy ball, is faster with a smaller rate. Nesterov's method takes the
# gradient at the point to which the momentum leads, and so brakes in time. Adam makes the steps in
# both directions equally long, and has momentum, too.

limit = 2 / CURVATURES.max()
paths = {
    "SGD": descend(optimizers.SGD(), 0.95 * limit),
    "Momentum": descend(optimizers.Momentum(0.7), 0.6 * limit),
    "Nesterov": descend(optimizers.Nesterov(0.7), 0.6 * limit),
    "Adam": descend(optimizers.Adam(), 0.3),
}
heavy_ball = descend(optimizers.HeavyBall(0.7), 0.6 * limit)
print(f"Momentum and HeavyBall differ by {np.abs(heavy_ball - paths['Momentum']).max():.0e}")

first, second = np.meshgrid(np.linspace(-4.5, 1.5, 200), np.linspace(-1.2, 1.2, 200))
heights = ravine(np.stack([first, second], axis=-1))
figure, axes = plt.subplots(2, 2, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
for ax, (name, path) in zip(axes.flat, paths.items(), strict=True):
    ax.contour(first, second, heights, levels=np.linspace(0.3, 5, 10) ** 2, colors="0.8")
    ax.plot(*path.T, "o-", markersize=3)
    ax.plot(0, 0, "k+", markersize=12)
    title = f"{name}: {ravine(path[-1]):.0e} above the minimum after {len(path) - 1} steps"
    ax.set_title(title, fontsize="medium")
figure.supxlabel("along the ravine")
figure.supylabel("across")
plt.show()

# %%
# How many steps are needed to get down to a millionth of the starting height? Plain descent and the
# heavy ball have the best rate and momentum for the ravine, and Nesterov's method has the usual
# ones. At the start both directions have the same height.


def steps(optimizer, learning_rate, curvatures):
    """The number of steps to a millionth of the starting height."""
    start = 1 / np.sqrt(curvatures)

    def arrived(intermediate_result):
        if intermediate_result.fun < 1e-6 * ravine(start, curvatures):
            raise StopIteration

    return minimize(
        ravine,
        start,
        args=(curvatures,),
        jac=slope,
        method=optimizer,
        callback=arrived,
        options={"learning_rate": learning_rate, "max_iter": 100_000, "tol": None},
    ).nit


CONDITIONS = np.geomspace(3, 3000, 7)
needed = {"SGD": [], "HeavyBall": [], "Nesterov": []}
for condition in CONDITIONS:
    curvatures, root = np.array([1, condition]), np.sqrt(condition)
    keep = (root - 1) / (root + 1)
    for optimizer, rate in (
        (optimizers.SGD(), 2 / (1 + condition)),
        (optimizers.HeavyBall(keep**2), 4 / (1 + root) ** 2),
        (optimizers.Nesterov(keep), 1 / condition),
    ):
        needed[type(optimizer).__name__].append(steps(optimizer, rate, curvatures))

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, counts), style in zip(needed.items(), ("ko-", "C0s--", "C1^:"), strict=True):
    ax.loglog(CONDITIONS, counts, style, label=name)
ax.set(xlabel="largest over smallest curvature", ylabel="steps to a millionth of the height")
ax.legend()
plt.show()

# %%
# The number of steps of plain descent is proportional to the ratio of the curvatures, that of
# momentum to its root: the slopes of the lines are near 1 and ½.

for name, counts in needed.items():
    power = np.polyfit(np.log(CONDITIONS[-4:]), np.log(counts[-4:]), 1)[0]
    print(f"{name:10} {counts[-1]:6} steps in the narrowest ravine; slope {power:.2f}")
