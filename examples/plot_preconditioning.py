"""
Raw, standardised and whitened coordinates
==========================================

The data, the objective and the optimizer (plain descent with a safe rate) are the same in all three
plots. Only the coordinates in which the optimizer works are different.
"""

# %%
# Two features that are correlated and measured in different units: the objective is a ravine.

import matplotlib.pyplot as plt
import numpy as np

from sk_gd import GDRegressor

rng = np.random.default_rng(0)
hidden = rng.standard_normal((200, 2))
X = hidden @ np.array([[1.0, 0.6], [0.0, 0.8]]) * [1.0, 3.0]
y = X @ [1.0, 1.0] + 0.5 * rng.standard_normal(200)
CHOICES = {"None": None, '"standardize"': "standardize", '"whiten"': "whiten"}


def path(precondition, epochs=30):
    """The coefficients, in the units of the data, after each step of the full batch."""
    model = GDRegressor(
        "sgd", alpha=0, precondition=precondition, batch_size="full", tol=None, warm_start=True
    )
    points = [np.zeros(2)]
    for _ in range(epochs):
        points.append(model.set_params(max_iter=1).fit(X, y).coef_)
    return np.array(points)


centred, target = X - X.mean(axis=0), y - y.mean()
minimiser = np.linalg.lstsq(centred, target, rcond=None)[0]
first, second = np.meshgrid(np.linspace(-0.7, 2.0, 100), np.linspace(-0.2, 1.4, 100))
grid = np.stack([first, second], axis=-1) - minimiser
hessian = centred.T @ centred / len(y)
heights = np.einsum("...i,ij,...j", grid, hessian, grid) / 2

figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), sharex=True, sharey=True, layout="constrained")
for ax, (name, precondition) in zip(axes, CHOICES.items(), strict=True):
    points = path(precondition)
    ax.contour(first, second, heights, levels=np.geomspace(0.01, 10, 9), colors="0.7")
    ax.plot(*points.T, "o-", markersize=3)
    ax.plot(*minimiser, "k+", markersize=12)
    ax.set(title=f"precondition={name}", xlabel="first coefficient")
axes[0].set_ylabel("second coefficient")
plt.show()

# %%
# The number of steps depends on the condition number, which depends on the coordinates. In raw
# coordinates it is that of the covariance matrix of the features, and in standardised coordinates
# that of their correlation matrix. In whitened coordinates it is one, and the first step is
# Newton's step. This is the distance of the coefficients from the minimiser:

for name, precondition in CHOICES.items():
    away = np.linalg.norm(path(precondition)[[1, 10, 30]] - minimiser, axis=1)
    print(f"{name:13} {away[0]:.1e} after 1 step, {away[1]:.1e} after 10, {away[2]:.1e} after 30")
