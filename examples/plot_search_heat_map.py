"""
Learning rate × epochs, in one pass
===================================

A search over the learning rate and the number of epochs is a map. `GDGridSearchCV` draws it in one
pass over the data of each fold: all rates are trained side by side, and the numbers of epochs are
one training, looked at several times. The scores are those of ``GridSearchCV``.
"""

# %%
# Ridge regression on ten features, their squares and their products. ``tol=None``: a candidate runs
# the epochs that the grid says. The largest rates diverge; such a candidate is scored NaN, with a
# warning, which is expected here.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import PolynomialFeatures

from sk_gd import GDGridSearchCV, GDRegressor
from sk_gd.inspection import SearchDisplay

X, y = load_diabetes(return_X_y=True)
X = PolynomialFeatures(2, include_bias=False).fit_transform(X)

# An int as random_state: the rows come in the same order in both searches.
model = GDRegressor("momentum", batch_size=8, tol=None, random_state=0)
grid = {
    "learning_rate": [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0],
    "max_iter": [1, 2, 5, 10, 20, 50, 100, 200],
}
searches, seconds = {}, {}
for kind in (GDGridSearchCV, GridSearchCV):
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        # On the way there scores are too large to be squared.
        warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)
        searches[kind.__name__] = kind(model, grid).fit(X, y)
    seconds[kind.__name__] = time.perf_counter() - begin

# %%
# The map shows what a single best number hides: how wide the plateau is, and that hardly anything
# tells its cells apart. Its edge on the left is a diagonal: a third of the rate wants about three
# times the epochs. Above it more epochs do not help: mini-batches at a large rate end in noise.
# Hatched cells have no score: they diverged. Those beside them have one below zero, which is worse
# than no model, and in the colour of the tip of the bar they are as good as diverged; those at the
# lower left, with small rates and few epochs, have hardly begun.

figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
SearchDisplay.from_search(searches["GDGridSearchCV"], ax=ax)
ax.set_title("R² on the test folds", loc="left")
plt.show()

# %%
# The same scores, sooner. The difference is that of rounding: the two add up in different orders.

for name, search in searches.items():
    best = ", ".join(f"{key}={value}" for key, value in search.best_params_.items())
    print(f"{name:15} {seconds[name]:5.2f} s, best score {search.best_score_:.6f} with {best}")

ours, theirs = (search.cv_results_["mean_test_score"] for search in searches.values())
apart = np.nanmax(np.abs(ours - theirs) / np.fmax(1, np.abs(theirs)))
print(f"Largest relative difference of two scores: {apart:.0e}")
diverged = [int(np.isnan(scores).sum()) for scores in (ours, theirs)]
print(
    f"Diverged: {diverged[0]} of {len(ours)} candidates in one search, {diverged[1]} in the other"
)
candidates = searches["GDGridSearchCV"].cv_results_["params"]
worse = [each["learning_rate"] for each, r2 in zip(candidates, ours, strict=True) if r2 < 0]
print(f"Worse than no model: {len(worse)} candidates, all of them at rates from {min(worse)} on")
print(f"After {candidates[0]['max_iter']} epoch at the smallest rate: R² {ours[0]:.3f}")
