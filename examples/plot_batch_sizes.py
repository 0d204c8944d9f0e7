"""
Batch, mini-batch and stochastic descent
========================================

Small batches take many cheap steps in one pass over the data. They come close to the minimum long
before the full batch does. But with a constant learning rate they do not reach it: they end in a
ball of noise. Averaging or a schedule removes the noise.
"""

# %%
# The example is least squares with correlated features, whose minimum is known. `record_path` keeps
# the model after every epoch, so that its gap to the minimum can be drawn. (``loss_curve_`` is not
# that: it is the mean over the batches during the epoch.)

import time
import timeit

import matplotlib.pyplot as plt
import numpy as np

from sk_gd import GDRegressor
from sk_gd.inspection import LossCurveDisplay, record_path

ROWS, FEATURES, EPOCHS = 10_000, 20, 60
rng = np.random.default_rng(0)
X = 0.7 * rng.standard_normal((ROWS, 1)) + rng.standard_normal((ROWS, FEATURES))
y = X @ rng.standard_normal(FEATURES) + rng.standard_normal(ROWS)


def objective(coef, intercept):
    """Half the mean squared error; there is no penalty."""
    return np.mean((y - X @ coef - intercept) ** 2) / 2


*coef, intercept = np.linalg.lstsq(np.column_stack([X, np.ones(ROWS)]), y, rcond=None)[0]
minimum = objective(coef, intercept)


def train(**options):
    """The fitted model, milliseconds per epoch, and the gap before and after every epoch."""
    model = GDRegressor("sgd", alpha=0, max_iter=EPOCHS, tol=None, random_state=0, **options)
    gaps = [objective(*point) - minimum for point in record_path(model, X, y)]
    # Processor time, and the fastest of five fits: other programs do not count.
    times = timeit.repeat(lambda: model.fit(X, y), timer=time.process_time, repeat=5, number=1)
    return model, 1000 * min(times) / EPOCHS, np.array(gaps)


# %%
# Each batch size has the rate that ``learning_rate="auto"`` finds for it. The same fits are drawn
# twice: over the epochs on the left, and over the steps on the right.

SIZES = {"batch (all rows)": "full", "mini-batch (64 rows)": 64, "stochastic (1 row)": 1}
found = {name: train(batch_size=size) for name, size in SIZES.items()}

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for (name, (model, _, gaps)), style in zip(found.items(), ("k-", "C0--", "C1:"), strict=True):
    epochs = np.arange(EPOCHS + 1)
    axes[0].semilogy(epochs, gaps, style, marker=".", label=name)
    axes[1].loglog(epochs[1:] * model.t_ / EPOCHS, gaps[1:], style, marker=".")
axes[0].set(xlabel="epochs (passes over the data)", ylabel="objective − minimum")
axes[1].set(xlabel="steps")
axes[0].legend()
plt.show()

# %%
# A step of the full batch is better than any other, but an epoch has only one such step. Its epochs
# are the cheapest here because of the squared error: the full batch needs only a few sums, and
# reads the data only once (:ref:`large`). The other sizes read all rows in every epoch. The smaller
# the batch, the more steps an epoch has, and the longer it takes:

for name, (model, milliseconds, gaps) in found.items():
    print(
        f"{name:21} gap {gaps[1]:.0e} after one epoch, {np.median(gaps[-10:]):.0e} in the end; "
        f"{model.t_ // EPOCHS} steps and {milliseconds:.1g} ms an epoch"
    )

# %%
# A smaller learning rate makes the ball of noise smaller, but training is slower. An average of the
# iterates is near the middle of the ball. A schedule that ends at zero begins with long steps, and
# shrinks the ball around the minimum.

rate = found["mini-batch (64 rows)"][0].learning_rate_
REMEDIES = {
    "constant rate": {},
    "a tenth of the rate": {"learning_rate": rate / 10},
    "average=True": {"average": True},
    'schedule="cosine"': {"schedule": "cosine"},
}
remedied = {name: train(batch_size=64, **options)[2][1:] for name, options in REMEDIES.items()}

display = LossCurveDisplay(remedied, minimum=0.0).plot()
display.ax_.set(title="mini-batches of 64 rows", ylim=(None, 30))
display.ax_.legend(ncols=2)
plt.show()

for name, gaps in remedied.items():
    print(f"{name:20} gap {np.median(gaps[-5:]):.1e} in the end")
