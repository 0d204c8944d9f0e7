"""
On a cluster: the model of one machine
======================================

:class:`sk_gd.dask.GDClassifier` trains on the partitions of a Dask cluster. The rows stay on the
workers; they answer with sums of losses and gradients. So the model is that of one machine, and it
does not matter how the rows lie in the partitions. See :doc:`/guide/dask`.
"""

# %%
# Two workers in this process stand for a cluster. The rows are in eight partitions: once
# mixed, and once sorted by class, so that most partitions have only one.

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster

import sk_gd
import sk_gd.dask

ROWS, FEATURES = 40_000, 20
rng = np.random.default_rng(0)
X = rng.standard_normal((ROWS, FEATURES)) * np.geomspace(0.01, 100, FEATURES)
y = (X / X.std(axis=0) @ rng.standard_normal(FEATURES) + rng.logistic(size=ROWS) > 0).astype(int)
OPTIONS = {"max_iter": 12, "tol": None, "random_state": 0}


def on_cluster(order):
    """Train on the rows in this order."""
    return sk_gd.dask.GDClassifier(**OPTIONS).fit(
        da.from_array(X[order], chunks=(5000, FEATURES)), da.from_array(y[order], chunks=5000)
    )


here = sk_gd.GDClassifier(**OPTIONS).fit(X, y)
with (
    LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster,
    Client(cluster),
):
    there = {
        "mixed": on_cluster(np.arange(ROWS)),
        "sorted by class": on_cluster(np.argsort(y, kind="stable")),
    }

# %%
# The coefficients agree up to rounding, and so do the loss curves.

for name, model in there.items():
    difference = np.max(np.abs(model.coef_ - here.coef_)) / np.max(np.abs(here.coef_))
    print(f"{name:16} largest difference of a coefficient, relative: {difference:.0e}")

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
epochs = np.arange(1, 1 + len(here.loss_curve_))
ax.plot(epochs, here.loss_curve_, "k-", linewidth=4, alpha=0.3, label="one machine")
for (name, model), style in zip(there.items(), ("C0o", "C1x"), strict=True):
    ax.plot(epochs, model.loss_curve_, style, label=f"cluster, {name}")
ax.set(xlabel="epoch", ylabel="objective")
ax.legend()
plt.show()
