"""
An optimizer of your own, and a loss
====================================

An optimizer is a class with two methods in numpy: ``init`` makes the state, and ``step`` changes
the weights. Your optimizer works wherever a built-in one does: in fits, in searches over its
parameters, and in scipy's ``minimize``. A loss is a class with two methods, too.
"""

# %%
# This optimizer steps in the direction of a running mean of the gradients. The length of the mean
# does not matter: the length of every step is the learning rate.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits

from sk_gd import GDClassifier, GDGridSearchCV, GDRegressor, check_gradient, optimizers
from sk_gd.inspection import LossCurveDisplay, SearchDisplay
from sk_gd.losses import Loss
from sk_gd.optimizers import Optimizer


class NormalizedMomentum(Optimizer):
    """Steps of constant length along a running mean of the gradients."""

    default_rate = 0.1  # what learning_rate="auto" is made from

    def __init__(self, momentum=0.9):
        self.momentum = momentum

    def init(self, w):
        return {"mean": np.zeros_like(w)}

    def step(self, w, g, lr, state):
        state["mean"] *= self.momentum
        state["mean"] += (1 - self.momentum) * g
        w -= lr * state["mean"] / (np.linalg.norm(state["mean"]) + 1e-12)


# %%
# A race on the digits, with the rates that "auto" chooses. (A loss curve is noisy where the rate is
# large; here the schedule ends at zero.)

X, y = load_digits(return_X_y=True)
OPTIONS = {"alpha": 1e-4, "schedule": "cosine", "tol": None, "random_state": 0}
RACE = {
    "SGD": optimizers.SGD(),
    "Momentum": optimizers.Momentum(),
    "Adam": optimizers.Adam(),
    "NormalizedMomentum": NormalizedMomentum(),
}
fitted = {
    name: GDClassifier(optimizer, max_iter=30, **OPTIONS).fit(X, y)
    for name, optimizer in RACE.items()
}
LossCurveDisplay.from_estimator(fitted, log=True)
plt.show()

# %%
# A search tunes it like any other optimizer: the parameters of the optimizer are parameters of the
# model. The candidates are trained side by side.

model = GDClassifier(NormalizedMomentum(), max_iter=10, **OPTIONS)
grid = {
    "learning_rate": [0.01, 0.03, 0.1, 0.3, 1.0],
    "optimizer__momentum": [0.0, 0.5, 0.8, 0.9, 0.95, 0.99],
}
search = GDGridSearchCV(model, grid, scoring="neg_log_loss").fit(X, y)
SearchDisplay.from_search(search, x="momentum")
plt.show()
print(f"Best: {search.best_params_}, log loss {-search.best_score_:.3f}")

# %%
# This loss limits the influence of outliers: its slope goes to zero for large residuals.
# `check_gradient` checks that value and gradient belong together.


class Cauchy(Loss):
    """The negative log-likelihood of Cauchy noise."""

    kinds = ("regressor",)

    def value(self, y, p):
        return np.log1p((p - y) ** 2)

    def gradient(self, y, p):
        return 2 * (p - y) / (1 + (p - y) ** 2)


rng = np.random.default_rng(0)
X = rng.normal(size=(500, 20))
truth = np.arange(20.0)
y = X @ truth + rng.standard_cauchy(500)
print(check_gradient(Cauchy(), X, y, random_state=0))

for loss in ("squared_error", "huber", Cauchy()):
    options = OPTIONS | {"alpha": 0, "fit_intercept": False, "max_iter": 500}
    model = GDRegressor("adam", loss=loss, **options)
    error = np.abs(model.fit(X, y).coef_ - truth).max()
    print(f"{loss!s:14} largest error of a coefficient {error:.3f}")


# %%
# The same without an estimator; a function and its gradient are enough:


def cauchy(w):
    """Value and gradient."""
    residuals = X @ w - y
    slopes = 2 * residuals / (1 + residuals**2)
    return np.log1p(residuals**2).mean(), X.T @ slopes / len(y)


for method in (NormalizedMomentum(), optimizers.Adam()):
    options = {"learning_rate": 0.3, "schedule": "cosine", "max_iter": 2000}
    found = minimize(cauchy, np.zeros(20), jac=True, method=method, options=options)
    error = np.abs(found.x - truth).max()
    print(f"{type(method).__name__:18} largest error {error:.3f} in {found.nit} steps")
