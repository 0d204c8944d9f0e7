"""
Untuned, on raw data
====================

The data are thirty features of tumours; some are in the thousands, others below a hundredth.
Nothing is scaled or tuned. How much of the way to the minimum is left after each number of epochs?
"""

# %%
# All models minimise the mean log loss with the same penalty, which is their default. Behind a
# ``StandardScaler`` the penalty is on other coefficients, so the minimum is different. Each model
# is compared with the minimum of its own objective.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import scale

from sk_gd import GDClassifier

X, y = load_breast_cancer(return_X_y=True)
ALPHA, EPOCHS = GDClassifier().alpha, [1, 2, 3, 5, 8, 13, 20, 30, 50, 100]


def objective(model, X):
    """The objective, from its definition."""
    scores = model.decision_function(X)
    return np.mean(np.logaddexp(0, scores) - y * scores) + ALPHA / 2 * np.sum(model.coef_**2)


def way_left(model, X):
    """The share of the way from zero weights to the minimum that is left, by number of epochs."""
    exact = LogisticRegression(C=1 / (ALPHA * len(y)), solver="newton-cholesky", tol=1e-10)
    minimum, start = objective(exact.fit(X, y), X), np.log(2)
    model.set_params(alpha=ALPHA, tol=None, random_state=0)
    found = [objective(model.set_params(max_iter=epochs).fit(X, y), X) for epochs in EPOCHS]
    return [(value - minimum) / (start - minimum) for value in found]


# %%
# Each point is a separate fit with this number of epochs.

curves = {
    "SGDClassifier": way_left(SGDClassifier("log_loss"), X),
    "SGDClassifier, StandardScaler": way_left(SGDClassifier("log_loss"), scale(X)),
    'GDClassifier("adam", schedule="cosine")': way_left(GDClassifier("adam", schedule="cosine"), X),
    "GDClassifier()": way_left(GDClassifier(), X),
}
figure, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for (name, left), style in zip(curves.items(), (":o", "--s", "-.d", "-^"), strict=True):
    ax.loglog(EPOCHS, left, style, label=name)
ax.axhline(1, color="0.5", linewidth=1)
ax.set(xlabel="epochs", ylabel="share of the way left", title="Breast cancer, untuned")
ax.legend(loc="center right", bbox_to_anchor=(1, 0.58))
plt.show()

# %%
# After twenty epochs:

for name, left in curves.items():
    print(f"{name:40} {100 * left[EPOCHS.index(20)]:.2g} %")
