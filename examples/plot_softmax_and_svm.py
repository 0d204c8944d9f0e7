"""
Softmax and the support vector machine
======================================

Two losses for three classes. With softmax, the log loss, every row pulls at the boundary; the
farther it is on the correct side, the less it pulls. With the hinge loss of Weston and Watkins, a
row that is correct by a margin of one does not pull at all. The model depends only on the other
rows, the support vectors.
"""

# %%
# There are three classes in the plane. One of them has a group of rows that is far from the
# boundary.

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.inspection import DecisionBoundaryDisplay

from sk_gd import GDClassifier, check_gradient

centers, sizes = [[-1.5, 0], [1.5, 0], [0, 2.5], [5, -3]], [80, 80, 80, 60]
X, y = make_blobs(sizes, centers=centers, cluster_std=[0.8, 0.8, 0.8, 0.5], random_state=0)
y[y == 3] = 1

# Rows will be left out. The penalty must not depend on them, so it does not use the sizes of the
# features.
OPTIONS: dict[str, Any] = {"alpha": 0.01, "scale_penalty": False}
OPTIONS |= {"batch_size": "full", "schedule": "cosine", "max_iter": 3000, "tol": None}
MODELS = {
    "softmax": GDClassifier("nesterov", loss="log_loss", **OPTIONS),
    "SVM": GDClassifier("nesterov", loss="hinge", **OPTIONS),
}

# %%
# `check_gradient` checks the gradient of each loss. It compares it with finite differences at a
# random model.

for name, model in MODELS.items():
    print(f"{name:8}", check_gradient(model, X, y, random_state=0))

# %%
# The pull of a row is the slope of the loss with respect to the score of its class. For softmax it
# is one minus the probability of the class. For the hinge it is the number of other classes whose
# score is not lower by at least one. The larger a row is drawn, the more it pulls; crosses do not
# pull at all.


def margins(model):
    """The differences of the score of the correct class and those of the other classes."""
    scores = model.decision_function(X)
    right = y[:, np.newaxis] == model.classes_
    return scores[right][:, np.newaxis] - scores[~right].reshape(len(X), -1)


def pull(model):
    """The pull of each row on the score of its class."""
    if model.loss == "hinge":
        return np.sum(margins(model) < 1, axis=1)
    return 1 - model.predict_proba(X)[np.arange(len(X)), y]


COLOURS = ["#0072B2", "#E69F00", "#000000"]
figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, MODELS.items(), strict=True):
    model.fit(X, y)
    DecisionBoundaryDisplay.from_estimator(
        model,
        X,
        response_method="predict",
        multiclass_colors=COLOURS,
        alpha=0.25,
        grid_resolution=400,
        ax=ax,
    )
    size = pull(model)
    for label, (colour, marker) in enumerate(zip(COLOURS, "os^", strict=True)):
        pulls, rests = (y == label) & (size > 0), (y == label) & (size == 0)
        ax.scatter(*X[pulls].T, s=2 + 50 * size[pulls], c=colour, marker=marker)
        ax.scatter(*X[rests].T, s=15, c=colour, marker="x", linewidth=0.7)
    ax.set(title=f"{name}: {np.sum(size > 0)} of {len(X)} rows pull", xlabel="first feature")
axes[0].set_ylabel("second feature")
plt.show()

# %%
# The margin of a row is the difference of the score of its class and the next best score. As the
# margin grows, the pull of softmax fades slowly, and that of the hinge is zero from one on.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, model), style in zip(MODELS.items(), ("C0o", "C1x"), strict=True):
    ax.plot(margins(model).min(axis=1), pull(model), style, markersize=5, label=name)
ax.set(xlabel="margin of the row", ylabel="pull")
ax.legend()
plt.show()

# %%
# Now only the support vectors are kept, including those exactly on the margin. The SVM stays the
# same, and softmax becomes another model. (The objective is a mean over the rows. With fewer rows,
# alpha must be larger for the same balance of loss and penalty.)

kept = np.any(margins(MODELS["SVM"]) < 1.01, axis=1)
for name, model in MODELS.items():
    alpha = model.alpha * len(X) / np.sum(kept)
    other = clone(model).set_params(alpha=alpha).fit(X[kept], y[kept])
    change = np.linalg.norm(other.coef_ - model.coef_) / np.linalg.norm(model.coef_)
    print(f"{name:8} coefficients move by {change:.4%} if only {np.sum(kept)} rows are kept")
