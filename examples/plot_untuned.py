"""
Untuned, on raw data
====================

The data are thirty features of tumours; some are in the thousands, others below a hundredth.
Nothing is scaled or tuned. How much of the way to the minimum is left after each number of epochs?
"""

# %%
# All models minimise the mean log loss with a ridge penalty. ``SGDClassifier`` penalises the
# coefficients of the features that it is given, raw or behind a ``StandardScaler``.
# ``GDClassifier`` penalises each coefficient times the size of its feature, with a strength that it
# computes from the data (:doc:`/guide/defaults`). So the minima are different, and each model is
# compared with the minimum of its own objective.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import scale

from sk_gd import GDClassifier

X, y = load_breast_cancer(return_X_y=True)
EPOCHS = [1, 2, 3, 5, 8, 13, 20, 30, 50, 100]
SIZES = X.std(axis=0) / np.sqrt(np.mean(X != 0, axis=0))  # what scale_penalty=True uses


def objective(model, X, alpha, sizes):
    """The objective, from its definition."""
    scores = model.decision_function(X)
    penalty = alpha / 2 * np.sum((model.coef_ * sizes) ** 2)
    return np.mean(np.logaddexp(0, scores) - y * scores) + penalty


def way_left(model, X, sizes=1.0):
    """The share of the way from zero weights to the minimum that is left, by number of epochs."""
    model.set_params(tol=None, random_state=0)
    models = [clone(model).set_params(max_iter=n).fit(X, y) for n in EPOCHS]
    alpha = getattr(models[0], "alpha_", model.alpha)
    exact = LogisticRegression(C=1 / (alpha * len(y)), solver="newton-cholesky", tol=1e-10)
    minimum, start = objective(exact.fit(X / sizes, y), X / sizes, alpha, 1.0), np.log(2)
    found = np.array([objective(each, X, alpha, sizes) for each in models])
    # Anything below a hundred-thousandth of the way is drawn there.
    return np.maximum((found - minimum) / (start - minimum), 1e-5)


# %%
# Each point is a separate fit with this number of epochs. The default optimizer is L-BFGS here. Its
# epochs are iterations, which read all rows once, as the epochs of the others do.

curves = {
    "SGDClassifier": way_left(SGDClassifier("log_loss"), X),
    "SGDClassifier, StandardScaler": way_left(SGDClassifier("log_loss"), scale(X)),
    'GDClassifier("adam", schedule="cosine")': way_left(
        GDClassifier("adam", schedule="cosine"), X, SIZES
    ),
    "GDClassifier()": way_left(GDClassifier(), X, SIZES),
}
figure, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for (name, left), style in zip(curves.items(), (":o", "--s", "-.d", "-^"), strict=True):
    ax.loglog(EPOCHS, left, style, label=name)
ax.axhline(1, color="0.5", linewidth=1)
ax.set(xlabel="epochs", ylabel="share of the way left", title="Breast cancer, untuned")
ax.set_ylim(top=1e10)
ax.legend(loc="upper right", ncols=2)
plt.show()

# %%
# After twenty epochs:

for name, left in curves.items():
    print(f"{name:40} {100 * left[EPOCHS.index(20)]:.2g} %")
