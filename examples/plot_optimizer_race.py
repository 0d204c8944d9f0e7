"""
The optimizer race
==================

Five optimizers on the same data, with the same rows in the same order. Each has the learning rate
that ``learning_rate="auto"`` chooses for it. The plots show the gap to the minimum, which a
second-order solver has found. A loss curve alone does not show how far away the minimum is.
"""

# %%
# The data have 5000 rows and 30 features, a third of which are informative. A step reads 32 rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from sk_gd import GDClassifier

X, y = make_classification(5000, 30, n_informative=10, random_state=0)
ALPHA, EPOCHS = 1e-3, [1, 2, 3, 5, 8, 13, 20, 30, 40]


def objective(coef, intercept):
    """The objective, from its definition; the penalty is on the raw coefficients."""
    scores = X @ coef.ravel() + intercept
    return np.mean(np.logaddexp(0, scores) - y * scores) + ALPHA / 2 * np.sum(coef**2)


def lowest():
    """The minimum, to all digits."""
    exact = LogisticRegression(C=1 / (ALPHA * len(y)), solver="newton-cholesky", tol=1e-10)
    exact.fit(X, y)
    return objective(exact.coef_, exact.intercept_)


minimum = lowest()

# %%
# Every point is a separate fit, because a schedule must know when training ends. The gap is that of
# the fitted model, not the mean over the batches of its last epoch, as in ``loss_curve_``.


def race(optimizer, **options):
    """The gap after each number of epochs, each from a fit of its own."""
    model = GDClassifier(optimizer, alpha=ALPHA, scale_penalty=False, batch_size=32, **options)
    model.set_params(tol=None, random_state=0)
    gaps = []
    for epochs in EPOCHS:
        model.set_params(max_iter=epochs).fit(X, y)
        gaps.append(objective(model.coef_, model.intercept_[0]) - minimum)
    return gaps


STYLES = {"sgd": "C0o-", "momentum": "C1s--", "adagrad": "k^-.", "rmsprop": "C4D:", "adam": "C5v-"}
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
final = {}
for ax, schedule in zip(axes, ("constant", "cosine"), strict=True):
    for optimizer, style in STYLES.items():
        gaps = race(optimizer, schedule=schedule)
        final[optimizer, schedule] = gaps[-1]
        ax.loglog(EPOCHS, gaps, style, markersize=4, label=optimizer)
    ax.set(title=f'schedule="{schedule}"', xlabel="epochs")
axes[0].set_ylabel("objective − minimum")
axes[1].legend()
plt.show()

# %%
# With a constant rate they end in a ball of noise. It is smaller for optimizers with a separate
# rate for every coordinate. Only Adagrad, whose steps become shorter by themselves, keeps
# improving. A schedule that ends at zero removes the noise:

for optimizer in STYLES:
    constant, cosine = final[optimizer, "constant"], final[optimizer, "cosine"]
    print(f"{optimizer:10} gap {constant:.1e} at a constant rate, {cosine:.1e} with the cosine")

# %%
# When does Adam win? In standardised coordinates, which are the default, one rate suits all
# features, and Adam gains little. Now the features have different units, the largest a hundred
# times the smallest, and the coordinates are raw (``precondition=None``). Plain descent and
# momentum have only one rate. It must be safe in the steepest direction, and is too small for all
# other directions. Adam, RMSprop and Adagrad divide the step of each weight by the size of its own
# gradients. So a feature in small units, whose gradients are small, has a step as long as the
# others.

X = X * np.random.default_rng(0).permutation(np.geomspace(0.1, 10, X.shape[1]))
minimum = lowest()
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
raw = {name: race(name, schedule="cosine", precondition=None) for name in STYLES}
for optimizer, style in STYLES.items():
    ax.loglog(EPOCHS, raw[optimizer], style, markersize=4, label=optimizer)
ax.set(xlabel="epochs", ylabel="objective − minimum", title='raw features, schedule="cosine"')
ax.legend()
plt.show()

for optimizer, gaps in raw.items():
    print(f"{optimizer:10} gap {gaps[-1]:.1e}, {gaps[-1] / raw['adam'][-1]:.0f} × that of Adam")
