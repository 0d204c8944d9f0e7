"""
Rare classes: weights or a threshold
====================================

If one class is rare, a classifier can be right most of the time and hardly ever predict this class.
Class weights solve the problem, and so does another threshold. Both rank the rows in nearly the
same order, and cut the ranking at another place. But class weights make the probabilities wrong,
and a threshold does not.
"""

# %%
# One row in twenty belongs to the rare class. The data satisfy the assumptions of the model. These
# are the three models and their predictions:

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    PrecisionRecallDisplay,
    balanced_accuracy_score,
    brier_score_loss,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.utils.class_weight import compute_sample_weight

from sk_gd import GDClassifier

rng = np.random.default_rng(0)
y = (rng.random(20_000) < 0.05).astype(int)
X = rng.standard_normal((len(y), 10)) + 0.6 * y[:, np.newaxis]
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

OPTIONS = {"schedule": "cosine", "max_iter": 30, "tol": None, "random_state": 0}
plain = GDClassifier("adam", **OPTIONS).fit(X_train, y_train)
weighted = GDClassifier("adam", class_weight="balanced", **OPTIONS).fit(X_train, y_train)
tuned = TunedThresholdClassifierCV(plain, scoring="balanced_accuracy").fit(X_train, y_train)

MODELS = {"plain": plain, "weighted": weighted, "threshold tuned": tuned}
for name, model in MODELS.items():
    predicted, probability = model.predict(X_test), model.predict_proba(X_test)[:, 1]
    print(
        f"{name:16} recall {recall_score(y_test, predicted):.2f}, "
        f"precision {precision_score(y_test, predicted):.2f}, "
        f"balanced accuracy {balanced_accuracy_score(y_test, predicted):.3f}, "
        f"mean probability {probability.mean():.3f}"
    )
print(f"{'':16} share of the rare class {y_test.mean():.3f}, threshold {tuned.best_threshold_:.3f}")

# %%
# A class weight is a weight on every row of the class. With "balanced", both classes have the same
# total weight. Costs that differ from row to row can be given as ``sample_weight`` in the same way.

by_row = GDClassifier("adam", **OPTIONS)
by_row.fit(X_train, y_train, sample_weight=compute_sample_weight("balanced", y_train))
print(f"Coefficients differ by {np.abs(by_row.coef_ - weighted.coef_).max():.0e}")

# %%
# The precision-recall curves are nearly the same; the models are at different points of the curve.
# But if the weighted model predicts a probability of one half, the true frequency is far lower. The
# weights have multiplied the odds by their ratio. Divide the odds by it, and the probabilities are
# right again.

weights = len(y_train) / (2 * np.bincount(y_train))  # what "balanced" means
scores = weighted.decision_function(X_test)
probabilities = {
    "plain": plain.predict_proba(X_test)[:, 1],
    "weighted": weighted.predict_proba(X_test)[:, 1],
    "weighted, odds divided": expit(scores - np.log(weights[1] / weights[0])),
}

STYLES = [
    {"color": "C0", "linestyle": "-", "marker": "o"},
    {"color": "C1", "linestyle": "--", "marker": "s"},
    {"color": "k", "linestyle": "-.", "marker": "^"},
]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for (name, model), style in zip(MODELS.items(), STYLES, strict=True):
    if model is not tuned:  # its curve is that of the plain model
        line = {**style, "marker": ""}
        PrecisionRecallDisplay.from_estimator(
            model, X_test, y_test, ax=left, name=name, curve_kwargs=line
        )
    predicted = model.predict(X_test)
    place = recall_score(y_test, predicted), precision_score(y_test, predicted)
    left.plot(*place, markersize=9, label=f"{name}: what it predicts", **{**style, "linestyle": ""})
left.legend()
for (name, probability), style in zip(probabilities.items(), STYLES, strict=True):
    CalibrationDisplay.from_predictions(
        y_test, probability, n_bins=10, ax=right, name=name, **style
    )
right.legend(loc="upper left")
plt.show()

for name, probability in probabilities.items():
    print(f"{name:24} Brier loss {brier_score_loss(y_test, probability):.4f}")
