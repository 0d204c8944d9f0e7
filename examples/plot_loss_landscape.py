"""
The loss landscape, and paths through it
========================================

Three optimizers on their paths to the same minimum. The paths are drawn in the plane that contains
most of them. Two strongly correlated features make the objective a ravine.
"""

# %%
# The optimizers work in raw coordinates (``precondition=None``). In whitened coordinates there
# would be no ravine. `record_path` records the path of each optimizer.

import matplotlib.pyplot as plt
import numpy as np

from sk_gd import GDRegressor
from sk_gd.inspection import LossCurveDisplay, LossLandscapeDisplay, record_path

random = np.random.default_rng(0)
common = random.normal(size=(400, 1))
X = common + 0.15 * random.normal(size=(400, 2))
y = X @ [3.0, -1.0] + 0.3 * random.normal(size=400)

OPTIONS = {"precondition": None, "batch_size": "full", "max_iter": 60, "tol": None}
RACE = {
    "gradient descent": GDRegressor("sgd", **OPTIONS),
    "momentum": GDRegressor("momentum", **OPTIONS),
    "Adam": GDRegressor("adam", learning_rate=0.2, **OPTIONS),
}
best = GDRegressor("lbfgs", tol=1e-10).fit(X, y)
paths = {name: record_path(model, X, y) for name, model in RACE.items()}

display = LossLandscapeDisplay.from_estimator(best, X, y, directions="pca", paths=paths)
plt.show()

# %%
# The same three optimizers as a race. The minimum is the objective at the centre of the picture.

LossCurveDisplay.from_estimator(
    {name: model.fit(X, y) for name, model in RACE.items()}, minimum=display.centre
)
plt.show()

# %%
# On the line from zero weights (a = −1) through the best weights (a = 0), the objective is a
# parabola.

to_best = [(best.coef_, best.intercept_)]
LossLandscapeDisplay.from_estimator(best, X, y, directions=to_best, width=1.5)
plt.show()

# %%
# In numbers:

for name, (_, values) in display.paths.items():
    print(f"{name:17} gap {values[-1] - display.centre:.1e} after {len(values) - 1} epochs")
