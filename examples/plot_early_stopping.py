"""
Early stopping inside a cross-validation
========================================

If some rows decide when training stops, they cannot also measure how good the model is. So early
stopping needs rows of its own. They come from the training rows of each fold, never from its test
rows. Alternatively, search the number of epochs without early stopping.
"""

# %%
# The data have few rows, many features and much noise, so that too many epochs learn the noise. The
# loss of one fit is drawn on three sets of rows. Each set would stop the training at another epoch:
# where the model happens to suit these rows best.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split

from sk_gd import GDClassifier, GDGridSearchCV
from sk_gd.inspection import LossCurveDisplay

ROWS, FEATURES, FOLDS = 100, 30, StratifiedKFold(10)
OPTIONS = {"alpha": 0, "learning_rate": 0.01, "batch_size": 16, "random_state": 0}


def draw(seed):
    """Rows to learn from, and many new rows to measure how good the model is."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=3 / np.sqrt(FEATURES), size=FEATURES)
    X = rng.normal(size=(ROWS + 3000, FEATURES))
    y = (X @ truth + rng.logistic(size=len(X)) > 0).astype(int)
    return X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:]


X, y, X_new, y_new = draw(0)
train, test = next(FOLDS.split(X, y))
X_fit, X_held, y_fit, y_held = train_test_split(X[train], y[train], test_size=0.2, random_state=0)
model = GDClassifier("adam", max_iter=60, tol=None, **OPTIONS)
watched = {
    "held out of the training fold": (X_held, y_held),
    "test fold": (X[test], y[test]),
    "new rows": (X_new, y_new),
}
curves = {
    name: model.fit(X_fit, y_fit, X_val=X_val, y_val=y_val).validation_loss_curve_
    for name, (X_val, y_val) in watched.items()
}
display = LossCurveDisplay({**curves, "rows trained on": model.loss_curve_}).plot()
for line in display.lines_[:-1]:
    lowest = np.argmin(line.get_ydata())
    display.ax_.plot(lowest + 1, line.get_ydata()[lowest], "*", color=line.get_color(), ms=15)
display.ax_.set(ylabel="log loss", title="A star is where the loss is lowest", ylim=(None, 1.1))
display.ax_.legend(ncols=2)
plt.show()

# %%
# What does this do to a cross-validation? On fifteen data sets, each fold is stopped in two ways:
# by its test rows, and by ``early_stopping=True``, which holds out a part of its training rows.
# Above zero, the result of the cross-validation is too optimistic.

WAYS = {
    "stopped by the test fold": lambda test: {"X_val": X[test], "y_val": y[test]},
    "early_stopping=True": lambda test: {},
}
stopping = GDClassifier(
    "adam",
    early_stopping=True,
    validation_fraction=0.2,
    n_iter_no_change=10,
    max_iter=1000,
    **OPTIONS,
)
DATA_SETS = range(15)
estimated, true = np.zeros((2, len(WAYS), len(DATA_SETS)))
kept = {name: [] for name in WAYS}
for seed in DATA_SETS:
    X, y, X_new, y_new = draw(seed)
    for way, (name, data) in enumerate(WAYS.items()):
        for train, test in FOLDS.split(X, y):
            stopping.fit(X[train], y[train], **data(test))
            kept[name].append(np.argmin(stopping.validation_loss_curve_) + 1)
            for where, rows, labels in ((estimated, X[test], y[test]), (true, X_new, y_new)):
                each = log_loss(labels, stopping.predict_proba(rows), labels=[0, 1])
                where[way, seed] += each / FOLDS.get_n_splits()

too_good = true - estimated
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
order = np.argsort(too_good[0])
for name, values, style in zip(WAYS, too_good, ("C1^", "C0o"), strict=True):
    ax.plot(values[order], style, label=name)
ax.axhline(0, color="k", linewidth=1)
ax.set(xlabel="data set", ylabel="loss on new rows − loss cross-validated", xticks=[])
ax.legend()
plt.show()

for name, values in zip(WAYS, too_good, strict=True):
    error = values.std() / np.sqrt(len(values))
    print(f"{name:25} looks better than it is by {values.mean():+.3f}, give or take {error:.3f}")
    low, middle, high = np.quantile(kept[name], [0.1, 0.5, 0.9])
    print(f"{'':25} epochs kept: {middle:.0f}; of most folds {low:.0f} to {high:.0f}")

# %%
# So in a search use ``early_stopping=True``. You can also give your own validation data, say of a
# later month, to the search, which passes them to every fit. (If they have exactly as many rows as
# X, scikit-learn splits them with the folds, as it does with X: then leave a row out.)

rates = {"learning_rate": [0.003, 0.01, 0.03]}
later = {"X_val": X_new[:50], "y_val": y_new[:50]}
for name, given in {"early_stopping=True": {}, "X_val": later}.items():
    best = GridSearchCV(stopping, rates, scoring="neg_log_loss").fit(X, y, **given).best_estimator_
    print(
        f"{name:20} learning_rate={best.learning_rate}, {best.n_iter_} epochs run, "
        f"that of epoch {np.argmin(best.validation_loss_curve_) + 1} kept"
    )

# %%
# If there are few rows, training misses those that are held out. Instead, search the number of
# epochs, with ``tol=None`` and `GDGridSearchCV`. All folds choose it together, and the final model
# is trained on all rows. Its ``best_score_`` is a little too good, because it made the choice.

grid = {"max_iter": [2, 4, 8, 16, 32, 64]}
losses = {"early_stopping=True": [], "max_iter searched": []}
for seed in DATA_SETS:
    X, y, X_new, y_new = draw(seed)
    search = GDGridSearchCV(model, grid, scoring="neg_log_loss").fit(X, y)
    for found, model_losses in zip((stopping.fit(X, y), search), losses.values(), strict=True):
        model_losses.append(log_loss(y_new, found.predict_proba(X_new)))
for name, values in losses.items():
    print(f"{name:25} log loss on new rows {np.mean(values):.3f}")
