"""Learning rate × epochs × optimizer, at the price of one fit a fold.

All candidates of a fold are trained side by side, and the numbers of epochs are
one run, looked at several times. The map of the scores shows what a single best
number hides: how wide the valley is, and where fewer epochs would do.
"""

import time

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV

from sk_gd import GDClassifier, GDGridSearchCV

X, y = load_breast_cancer(return_X_y=True)

RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1]
EPOCHS = [1, 2, 5, 10, 20, 50, 100]
OPTIMIZERS = ["sgd", "momentum", "adam"]

# tol=None: a candidate runs the epochs that the grid says. An int as random_state
# makes the two searches below comparable: the rows come in the same order.
model = GDClassifier(batch_size=32, tol=None, random_state=0)
grid = {"optimizer": OPTIMIZERS, "learning_rate": RATES, "max_iter": EPOCHS}

searches, seconds = {}, {}
for kind in (GDGridSearchCV, GridSearchCV):
    begin = time.perf_counter()
    searches[kind] = kind(model, grid, scoring="neg_log_loss").fit(X, y)
    seconds[kind] = time.perf_counter() - begin

ours, theirs = searches.values()
print(f"{len(ours.cv_results_['params'])} candidates, {ours.n_splits_} folds")
print("Best:", ", ".join(f"{name}={value}" for name, value in ours.best_params_.items()))
for kind, each in searches.items():
    print(f"  {kind.__name__:<15} {seconds[kind]:6.2f} s, best score {each.best_score_:.6f}")
apart = np.abs(ours.cv_results_["mean_test_score"] - theirs.cv_results_["mean_test_score"]).max()
print(f"Largest difference of two scores: {apart:.0e}")

# A grid goes through the names in alphabetical order, the last one fastest.
shape = len(RATES), len(EPOCHS), len(OPTIMIZERS)
losses = -ours.cv_results_["mean_test_score"].reshape(shape)
SHADES = "@%#*+=-:. "
print("\nLog loss of the folds not trained on; the darker the nearer to the best")
for k, name in enumerate(OPTIMIZERS):
    print(f"\n{name:>12}   rate" + "".join(f"{rate:>9g}" for rate in RATES))
    for j, epochs in enumerate(EPOCHS):
        cells = []
        for i in range(len(RATES)):
            lost = np.log2(losses[i, j, k] / losses.min())
            cells.append(f"{losses[i, j, k]:7.3f} {SHADES[min(int(3 * lost), len(SHADES) - 1)]}")
        print(f"{epochs:>12} epochs" + "".join(cells))
