"""
The loss landscape, and paths through it
========================================

Three optimizers on their way to the same minimum, drawn over the plane that holds most of their
paths. Two strongly correlated features make a ravine of it.
"""

# %%
# The coordinates stay as they are (``precondition=None``), or there would be no ravine. What each
# optimizer did, `record_path` keeps.

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
# The same three as a race: the gap to the minimum, which is the objective in the middle.

LossCurveDisplay.from_estimator(
    {name: model.fit(X, y) for name, model in RACE.items()}, minimum=display.centre
)
plt.show()

# %%
# Along the line from no weights (a = −1) to the best ones and beyond, the objective is a
# parabola.

to_best = [(best.coef_, best.intercept_)]
LossLandscapeDisplay.from_estimator(best, X, y, directions=to_best, width=1.5)
plt.show()

# %%
# In numbers:

for name, (_, values) in display.paths.items():
    print(f"{name:17} gap {values[-1] - display.centre:.1e} after {len(values) - 1} epochs")
