"""
Sparse text: a handful of words
===============================

Texts have thousands of words, of which few matter. With an L1 penalty, the weights of the others
should be exactly zero. But most optimizers make many of them non-zero again in every mini-batch.
FTRL does not, because it applies the threshold to the sum of all gradients.
"""

# %%
# The texts are the docstrings of scipy, which is installed with this package. The task is to
# predict from which subpackage a docstring comes. The names of the subpackages are removed from the
# texts, because they would give the answer. X stays sparse.

import importlib
import pickle

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from sk_gd import GDClassifier

PACKAGES = ["interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "special", "stats"]
texts = {}
for package in PACKAGES:
    module = importlib.import_module(f"scipy.{package}")
    for name in module.__all__:
        if callable(getattr(module, name)) and getattr(module, name).__doc__:
            texts.setdefault(getattr(module, name).__doc__, package)

words = TfidfVectorizer(min_df=3, token_pattern="[a-zA-Z]{3,}", stop_words=["scipy", *PACKAGES])
X, y = words.fit_transform(texts), np.array(list(texts.values()))
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
print(f"{X.shape[0]} texts, {X.shape[1]} words, {X.nnz / X.shape[0]:.0f} different ones in a text")

# %%
# How many weights does each model have, and how accurate is it, at several strengths of the
# penalty? Three optimizers read the texts ten times. The default optimizer, on full batches, goes
# on to the minimum. (``scale_penalty=False`` puts the penalty on the coefficients themselves, as
# that of ``SGDClassifier`` is.)

ALPHAS = [3e-3, 1e-3, 3e-4, 1e-4]
GD = {"l1_ratio": 1, "scale_penalty": False, "max_iter": 10, "tol": None, "random_state": 0}
MODELS = {
    "FTRL": lambda alpha: GDClassifier("ftrl", alpha=alpha, learning_rate=0.3, **GD),
    "Adagrad": lambda alpha: GDClassifier("adagrad", alpha=alpha, learning_rate=0.03, **GD),
    "SGDClassifier": lambda alpha: SGDClassifier(
        loss="log_loss", penalty="l1", alpha=alpha, max_iter=10, tol=None, random_state=0
    ),
    "minimum": lambda alpha: GDClassifier(
        alpha=alpha, l1_ratio=1, scale_penalty=False, max_iter=3000, tol=1e-6
    ),
}
weights, accuracies = {}, {}
for name, make in MODELS.items():
    models = [make(alpha).fit(X_train, y_train) for alpha in ALPHAS]
    weights[name] = [np.count_nonzero(model.coef_) for model in models]
    accuracies[name] = [model.score(X_test, y_test) for model in models]

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, style in zip(MODELS, ("C0o-", "C1s--", "k^:", "kD-."), strict=True):
    ax.semilogx(weights[name], accuracies[name], style, label=name, markerfacecolor="none")
all_weights = len(PACKAGES) * X.shape[1]
ax.set(xlabel=f"weights that are not zero, of {all_weights:,}", ylabel="accuracy on new texts")
ax.legend()
plt.show()

# %%
# FTRL has up to a few times as many weights as the minimum, and Adagrad more than ten times as
# many. In numbers:

for name in MODELS:
    print(f"{name:20}", *(f"{n:7}" for n in weights[name]), "weights")
    print(f"{'':20}", *(f"{accuracy:7.3f}" for accuracy in accuracies[name]))

# %%
# The remaining weights are easy to read, and small to store: ``sparsify`` keeps only the non-zero
# ones. These are the most important words of each subpackage:

model = MODELS["FTRL"](1e-3).fit(X_train, y_train)
vocabulary, size = words.get_feature_names_out(), X_train.mean(axis=0)
for package, coef in zip(model.classes_, model.coef_, strict=True):
    best = np.argsort(-coef * np.asarray(size).ravel())[:4]
    print(f"{package:12}", ", ".join(vocabulary[j] for j in best if coef[j] > 0))

dense = len(pickle.dumps(model.coef_))
print(
    f"The coefficients: {dense:,} bytes, {len(pickle.dumps(model.sparsify().coef_)):,} sparsified"
)
