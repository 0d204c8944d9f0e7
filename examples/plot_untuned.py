"""
Untuned, on raw data
====================

Thirty features of a tumour, the largest in the thousands and the smallest below a hundredth.
What is left of the way to the minimum after so many epochs, if nothing is scaled or tuned?
"""

# %%
# All minimise the mean log loss with the penalty that is their default, the same one. With a
# ``StandardScaler`` the penalty is on other coefficients, and so the minimum is another one:
# each is compared with its own.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import scale

from sk_gd import GDClassifier

X, y = load_breast_cancer(return_X_y=True)
ALPHA, EPOCHS = GDClassifier().alpha, [1, 2, 3, 5, 8, 13, 20, 30, 50, 100]


def objective(model, X):
    """What is minimised, from its definition."""
    scores = model.decision_function(X)
    return np.mean(np.logaddexp(0, scores) - y * scores) + ALPHA / 2 * np.sum(model.coef_**2)


def way_left(model, X):
    """The share of the way from no model to the minimum that is left, after so many epochs."""
    exact = LogisticRegression(C=1 / (ALPHA * len(y)), solver="newton-cholesky", tol=1e-10)
    minimum, start = objective(exact.fit(X, y), X), np.log(2)
    model.set_params(alpha=ALPHA, tol=None, random_state=0)
    found = [objective(model.set_params(max_iter=epochs).fit(X, y), X) for epochs in EPOCHS]
    return [(value - minimum) / (start - minimum) for value in found]


# %%
# Each point is a training of its own, of so many epochs.

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
