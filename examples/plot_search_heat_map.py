"""
Learning rate × epochs, in one pass
===================================

The result of a search over the learning rate and the number of epochs is a map. `GDGridSearchCV`
computes it in one pass over the data of each fold. All rates are trained side by side, and all
numbers of epochs are one fit, which is scored several times. The scores are those of
``GridSearchCV``.
"""

# %%
# The model is ridge regression on ten features, their squares and their products. With ``tol=None``
# each candidate runs all of its epochs. The largest rates diverge. The score of such a candidate is
# NaN, with a warning, which is expected here. So is the warning of fits that end a little above
# where they began.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import PolynomialFeatures

from sk_gd import GDGridSearchCV, GDRegressor
from sk_gd.inspection import SearchDisplay

X, y = load_diabetes(return_X_y=True)
X = PolynomialFeatures(2, include_bias=False).fit_transform(X)

# With an int as random_state, the order of the rows is the same in both searches.
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
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        # Before a candidate diverges, its predictions become too large to be squared.
        warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)
        searches[kind.__name__] = kind(model, grid).fit(X, y)
    seconds[kind.__name__] = time.perf_counter() - begin

# %%
# The map shows more than the best score. There is a wide plateau, whose cells differ very
# little. Its left edge is a diagonal: a third of the rate needs about three times the epochs. At
# larger rates more epochs do not help, because mini-batches with a large rate end in noise. Hatched
# cells have no score: they diverged, so that training ended clearly above where it began. Next to
# them is the darkest cell. Its score is below zero, which is worse than no model. In the cells at
# the lower left, with small rates and few epochs, training has hardly begun.

figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
SearchDisplay.from_search(searches["GDGridSearchCV"], ax=ax)
ax.set_title("R² on the test folds", loc="left")
plt.show()

# %%
# `GDGridSearchCV` gives the same scores in less time. They differ only by rounding, because the two
# searches add numbers in different orders.

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
