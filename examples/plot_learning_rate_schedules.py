"""
Learning-rate schedules
=======================

The factor by which each schedule multiplies the learning rate, and its effect on training. The
optimizer is Adam on mini-batches, with a rate that is too large to stay constant.
"""

# %%
# A schedule is a function of two arguments: the training time in epochs, and the horizon.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from sk_gd import GDRegressor, schedules

EPOCHS = 60
times = np.linspace(0, EPOCHS, 601)[:-1]
CHOICES = {
    "constant": schedules.Constant(),
    "step": schedules.Step(step_size=20, gamma=0.3),
    "exponential": schedules.Exponential(),
    "inverse_time": schedules.InverseTime(decay=0.2),
    "polynomial": schedules.Polynomial(),
    "cosine": schedules.Cosine(),
    "cosine_restarts": schedules.CosineRestarts(),
    "one_cycle": schedules.OneCycle(),
    "warmup, then cosine": schedules.Warmup(5, then="cosine"),
}

figure, axes = plt.subplots(3, 3, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
for ax, (name, schedule) in zip(axes.flat, CHOICES.items(), strict=True):
    ax.plot(times, schedule(times, EPOCHS))
    ax.set_title(name, fontsize="medium")
figure.supxlabel("epoch")
figure.supylabel("multiplier")
plt.show()

# %%
# The minimum is known, so the gap to it can be drawn. With ``tol=None`` every schedule runs to its
# end.

X, y = load_diabetes(return_X_y=True)
centred, target = X - X.mean(axis=0), y - y.mean()
ALPHA = 1e-4
ridge = ALPHA * len(y)
coef = np.linalg.solve(centred.T @ centred + ridge * np.eye(X.shape[1]), centred.T @ target)


def objective(coef):
    """The objective of the estimator, with the best intercept."""
    return np.mean((target - centred @ coef) ** 2) / 2 + ALPHA / 2 * coef @ coef


minimum = objective(coef)
gaps = {}
for name, schedule in CHOICES.items():
    model = GDRegressor(
        "adam",
        alpha=ALPHA,
        scale_penalty=False,
        schedule=schedule,
        learning_rate=0.1,
        batch_size=32,
        max_iter=EPOCHS,
        tol=None,
        random_state=0,
    )
    gaps[name] = (objective(model.fit(X, y).coef_) - minimum) / (objective(0 * coef) - minimum)

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(list(gaps.values()), list(gaps), "o", markersize=9)
ax.grid(axis="y", linestyle=":")
ax.set(xscale="log", xlabel=f"share of the way to the minimum that is left after {EPOCHS} epochs")
ax.set_ylabel("schedule")
ax.invert_yaxis()
plt.show()

# %%
# In numbers:

for name, gap in sorted(gaps.items(), key=lambda item: item[1]):
    print(f"{name:20} {gap:.1e}")
