"""A small problem with outliers, and settings that train to its minimum."""

import numpy as np

N, D, ALPHA = 60, 5, 0.05
_RNG = np.random.default_rng(41)
X = _RNG.normal(size=(N, D)) @ (np.eye(D) + 0.3 * _RNG.normal(size=(D, D))) + [0.5, -1, 0, 1, 0]
# Linear in X but for noise: targets, their exponentials, or, by the largest, classes.
SCORES = X @ _RNG.normal(size=(D, 3)) + _RNG.normal(size=(N, 3))
# A target with an outlier in every fifteenth row.
Y = SCORES[:, 0] + np.where(np.arange(N) % 15 == 0, 20.0, 0.0)
WEIGHT = _RNG.random(N) + 0.1

SETTLED = {"scale_penalty": False, "batch_size": "full", "schedule": "cosine", "max_iter": 3000, "tol": None}
PRECONDITIONS = [None, "standardize", "whiten"]
