"""
Out of core: data that do not fit into memory
=============================================

``partial_fit`` reads the data one chunk at a time, and updates the means and variances of the
features. One pass comes about as close to the minimum as one epoch of ``fit``, and needs only the
memory of a chunk. But it cannot correct a bad order of the rows: mix them as well as you can.
"""

# %%
# A hundred files stand for data that are larger than the memory. The features have very different
# scales, and are not scaled beforehand.

import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from sk_gd import GDClassifier

ROWS, FEATURES, FILES = 100_000, 30, 100
rng = np.random.default_rng(0)
X = rng.standard_normal((ROWS, FEATURES))
y = (X @ rng.standard_normal(FEATURES) + 2 * rng.logistic(size=ROWS) > 0).astype(int)
X = (1 + X) * np.geomspace(0.01, 1000, FEATURES)

folder = tempfile.TemporaryDirectory()


def write(name, order):
    """Write files of a thousand rows each, in this order, and one file with all rows."""
    for k, rows in enumerate(np.split(order, FILES)):
        np.savez(Path(folder.name) / f"{name}_{k:02}.npz", X=X[rows], y=y[rows])
    np.save(Path(folder.name) / f"{name}.npy", X[order])


def chunks(name):
    """Yield the data of the files, one after the other."""
    for path in sorted(Path(folder.name).glob(f"{name}_*.npz")):
        with np.load(path) as data:
            yield data["X"], data["y"]


write("mixed", np.arange(ROWS))
write("by_class", np.argsort(y, kind="stable"))

# %%
# There are three ways to read every row once. ``fit`` does not copy its data. If one large file is
# mapped into memory, only a small part of it is in memory at any time, and its rows are shuffled in
# longer runs. All three train on mini-batches: ``partial_fit`` does so by default, and ``fit``
# because a batch size is set.

OPTIONS: dict[str, Any] = {"alpha": 0, "random_state": 0}


def loaded():
    """Fit with all rows in memory."""
    data = np.load(Path(folder.name) / "mixed.npy")
    return GDClassifier(batch_size=256, max_iter=1, tol=None, **OPTIONS).fit(data, y)


def mapped():
    """Fit with the file mapped into memory."""
    data = np.load(Path(folder.name) / "mixed.npy", mmap_mode="r")
    return GDClassifier(batch_size=256, max_iter=1, tol=None, **OPTIONS).fit(data, y)


def chunked():
    """Call partial_fit with one file after the other."""
    model = GDClassifier(**OPTIONS)
    for data, labels in chunks("mixed"):
        model.partial_fit(data, labels, classes=[0, 1])
    return model


def objective(model):
    """The mean loss on all rows."""
    scores = model.decision_function(X)
    return np.mean(np.logaddexp(0, scores) - y * scores)


minimum = objective(GDClassifier("lbfgs", tol=1e-9, **OPTIONS).fit(X, y))
gaps = {}
for train in (loaded, mapped, chunked):
    tracemalloc.start()
    model = train()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    gaps[train] = objective(model) - minimum
    print(f"{train.__name__:8} {peak:5.1f} MB at most, gap to the minimum {gaps[train]:.1e}")

# %%
# Now the same rows are sorted by class. File after file has only one class, and training forgets
# what it has learned from the files before.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, style in (("mixed", "C0-"), ("by_class", "C1--")):
    model, found = GDClassifier(**OPTIONS), []
    for data, labels in chunks(name):
        found.append(objective(model.partial_fit(data, labels, classes=[0, 1])) - minimum)
    ax.loglog(ROWS // FILES * np.arange(1, FILES + 1), found, style, label=f"partial_fit, {name}")
ax.axhline(gaps[loaded], color="k", linestyle=":", label="fit, one epoch")
ax.set(xlabel="rows seen", ylabel="objective − minimum")
ax.legend()
plt.show()

folder.cleanup()
