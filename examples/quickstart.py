"""Raw data: at the defaults against SGD behind a scaler, and tuned with Pipeline and GridSearchCV.

The two data sets come with scikit-learn and are not scaled. The features of the first range from
1e-3 to 4e3; those of the second are years, kg/m² and mg/dl. The estimators at their defaults are
cross-validated against scikit-learn's SGD estimators at theirs, which get scaled data. Then a grid
search tunes the learning rate and the number of epochs.
"""

import time

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_gd import GDClassifier, GDRegressor

FOLDS, REPEATS = 5, 10
RATES, EPOCHS = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3], [3, 10, 30, 100]


def compare(X, y, splits, ours, theirs):
    """Cross-validate two estimators at their defaults, theirs behind a scaler."""
    models = {
        f"{type(ours).__name__}, raw data": ours,
        f"{type(theirs).__name__}, StandardScaler": make_pipeline(StandardScaler(), theirs),
    }
    print(f"  at the defaults, {FOLDS} folds, {REPEATS} times:")
    for name, model in models.items():
        found = cross_validate(model, X, y, cv=splits)
        milliseconds = 1000 * np.median(found["fit_time"])
        score = found["test_score"].mean()
        print(f"    {name:<29}  cross-validated {score:.3f}  {milliseconds:.1f} ms a fit")


def tune(X, y, model):
    """Search on a training set, and print the best candidate with its score on a test set."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    pipeline = make_pipeline(SimpleImputer(), model)
    step = pipeline.steps[-1][0]
    grid = {f"{step}__learning_rate": RATES, f"{step}__max_iter": EPOCHS}
    begin = time.perf_counter()
    search = GridSearchCV(pipeline, grid, cv=FOLDS).fit(X_train, y_train)
    seconds = time.perf_counter() - begin
    best = ", ".join(f"{key.split('__')[1]}={value}" for key, value in search.best_params_.items())
    print(
        f"  tuned on {len(X_train)} rows, {len(RATES)} learning rates × {len(EPOCHS)} numbers of "
        f"epochs, in {seconds:.1f} s:"
    )
    print(
        f"    {type(model).__name__ + ', raw data':<29}  cross-validated {search.best_score_:.3f}"
        f"  test {search.score(X_test, y_test):.3f} with {best}"
    )


X, y = load_breast_cancer(return_X_y=True)
print(f"Breast cancer, accuracy: {X.shape[0]} rows, {X.shape[1]} features")
splits = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
compare(X, y, splits, GDClassifier(random_state=0), SGDClassifier(random_state=0))
# With tol=None a fit runs all of its epochs, and gives no warning that it did not converge.
tune(X, y, GDClassifier(tol=None, random_state=0))

X, y = load_diabetes(return_X_y=True, scaled=False)
print(f"Diabetes, R²: {X.shape[0]} rows, {X.shape[1]} features")
splits = RepeatedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
compare(X, y, splits, GDRegressor(random_state=0), SGDRegressor(random_state=0))
tune(X, y, GDRegressor(tol=None, random_state=0))
