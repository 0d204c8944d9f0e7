"""
Random search against the gradient
==================================

Without a gradient one can still draw weights at random, or take random steps and keep those that
lower the objective. With one or two weights this is good enough. But every feature adds a direction
in which a step can be wrong. Only the gradient has information about all directions at once.
"""

# %%
# The example is least squares with an increasing number of features. Random search draws weights
# that are as long as the true coefficients, which nobody would know in practice.
# ``evaluation_curve_`` says how often the objective was evaluated in each epoch; an epoch is one
# step here. How many evaluations are needed until a tenth of the way to the minimum is left?

import matplotlib.pyplot as plt
import numpy as np

from sk_gd import GDRegressor
from sk_gd.optimizers import SGD, RandomLocalSearch, RandomSearch

FEATURES, SEEDS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32], range(5)
OPTIMIZERS = {
    "random_search": RandomSearch(n_candidates=40),
    "random_local_search": RandomLocalSearch(n_candidates=40),
    "sgd": SGD(),
}
EPOCHS = {"random_search": 500, "random_local_search": 200, "sgd": 50}


def train(optimizer, n_features, seed):
    """Number of evaluations, and share of the way to the minimum that is left, at every epoch."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((200, n_features))
    y = X @ rng.standard_normal(n_features) / np.sqrt(n_features)
    y += 0.1 * rng.standard_normal(len(X))
    model = GDRegressor(
        OPTIMIZERS[optimizer],
        alpha=0,
        learning_rate=1.0 if optimizer == "random_search" else "auto",
        batch_size="full",
        max_iter=EPOCHS[optimizer],
        tol=None,
        random_state=seed,
    ).fit(X, y)
    columns = np.column_stack([X, np.ones(len(X))])
    minimum = np.mean((y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]) ** 2) / 2
    left = (np.array(model.loss_curve_) - minimum) / (np.var(y) / 2 - minimum)
    # The loss of an epoch is computed before its step.
    return np.cumsum([1, *model.evaluation_curve_[:-1]]), left


def needed(optimizer, n_features):
    """Evaluations until a tenth of the way is left: the median of several data sets."""
    counts = []
    for seed in SEEDS:
        evaluations, left = train(optimizer, n_features, seed)
        counts.append(evaluations[np.argmax(left <= 0.1)] if np.any(left <= 0.1) else np.inf)
    return np.median(counts)


counts = {name: [] for name in EPOCHS}
for name, found in counts.items():
    while len(found) < len(FEATURES) and np.inf not in found:
        found.append(needed(name, FEATURES[len(found)]))

STYLES = {"random_search": ("C1:", "^"), "random_local_search": ("C0--", "s"), "sgd": ("k-", "o")}
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, (line, marker) in STYLES.items():
    axes[0].loglog(FEATURES[: len(counts[name])], counts[name], line, marker=marker, label=name)
    axes[1].loglog(*train(name, 16, seed=0), line, linewidth=2)
axes[0].set(xlabel="features", ylabel="evaluations until a tenth of the way is left")
axes[0].set_xticks([1, 2, 4, 8, 16, 32], [1, 2, 4, 8, 16, 32])
axes[0].legend()
axes[1].set(title="16 features", xlabel="evaluations", ylabel="share of the way that is left")
axes[1].set_ylim(1e-5, 2)
plt.show()

# %%
# In numbers: a gradient comes with a value, and costs about as much as one more value. Where the
# line of random search ends, its budget of evaluations is used up.

for name, found in counts.items():
    reached = [f"{count:.0f}" for count in found if count < np.inf]
    print(f"{name:20} {' '.join(reached)} evaluations, with {FEATURES[: len(reached)]} features")
more, _ = np.polyfit(FEATURES, counts["random_local_search"], 1)
print(f"Local search needs about {more:.0f} more evaluations for every further feature")
print(f"The budget of random search: {max(train('random_search', 1, seed=0)[0])} evaluations")
