"""Optuna prunes trials after a few epochs, and its search works."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import StratifiedKFold, train_test_split

from sk_gd import GDClassifier, GDRegressor, optimizers

optuna = pytest.importorskip("optuna")
optuna_integration = pytest.importorskip("optuna_integration")

EPOCHS = 8
DATA, Y = load_breast_cancer(return_X_y=True)
NAMES = np.array(["malignant", "benign"])[Y]
SPLIT = train_test_split(DATA, NAMES, random_state=0)

pytestmark = [
    # OptunaSearchCV is marked as experimental.
    pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental"),
    # It uses a module of Optuna that is deprecated.
    pytest.mark.filterwarnings("ignore:.optuna.terminator. module has been deprecated"),
]


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def new_study(**options):
    sampler = optuna.samplers.RandomSampler(seed=0)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1)
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner, **options)


def states(trials):
    return [trial.state for trial in trials]


@pytest.mark.parametrize("precondition", ["standardize", "whiten"])
def test_pruning_through_partial_fit(precondition):
    """A trial that is not pruned equals a fit of the same number of epochs."""
    X_train, X_test, y_train, y_test = SPLIT
    epochs = {}

    def model_of(params):
        return GDClassifier(
            optimizers.Adam(beta_1=params["beta_1"]),
            learning_rate=params["learning_rate"],
            precondition=precondition,
            max_iter=EPOCHS,
            tol=None,
            random_state=0,
        )

    def objective(trial):
        trial.suggest_float("beta_1", 0.5, 0.99)
        trial.suggest_float("learning_rate", 1e-7, 1.0, log=True)
        model = model_of(trial.params)
        for epoch in range(EPOCHS):
            model.partial_fit(X_train, y_train, classes=np.unique(NAMES))
            epochs[trial.number] = model.n_iter_
            trial.report(model.score(X_test, y_test), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return model.score(X_test, y_test)

    study = new_study()
    study.optimize(objective, n_trials=20)
    pruned = [t for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert len(pruned) >= 5 and len(complete) >= 3
    assert all(epochs[trial.number] == trial.last_step + 1 for trial in study.trials)
    assert any(epochs[trial.number] < EPOCHS for trial in pruned)
    best = model_of(study.best_params).fit(X_train, y_train)
    assert best.score(X_test, y_test) == pytest.approx(study.best_value, abs=0.01)
    assert study.best_value > 0.9


@pytest.mark.parametrize("enable_pruning", [False, True])
def test_search(enable_pruning):
    """With pruning the search calls partial_fit `max_iter` times per fold, else fit."""
    cv = StratifiedKFold(3)
    model = GDClassifier(optimizers.Adam(), max_iter=EPOCHS, tol=None, random_state=0)
    search = optuna_integration.OptunaSearchCV(
        model,
        {
            "learning_rate": optuna.distributions.FloatDistribution(1e-7, 1.0, log=True),
            "optimizer__beta_1": optuna.distributions.FloatDistribution(0.5, 0.99),
        },
        study=new_study(),
        n_trials=12,
        cv=cv,
        enable_pruning=enable_pruning,
        max_iter=EPOCHS,
        error_score="raise",
        random_state=0,
    ).fit(DATA, NAMES)
    assert (optuna.trial.TrialState.PRUNED in states(search.trials_)) == enable_pruning
    assert search.best_score_ > 0.9
    assert search.best_estimator_.optimizer.beta_1 == search.best_params_["optimizer__beta_1"]

    expected = []
    for train, test in cv.split(DATA, NAMES):
        twin = model.__class__(**model.get_params(deep=False)).set_params(**search.best_params_)
        if enable_pruning:
            for _ in range(EPOCHS):
                twin.partial_fit(DATA[train], NAMES[train], classes=np.unique(NAMES))
        else:
            twin.fit(DATA[train], NAMES[train])
        expected.append(twin.score(DATA[test], NAMES[test]))
    assert search.best_score_ == pytest.approx(np.mean(expected), rel=1e-12)


def test_search_of_a_regressor():
    X, y = load_diabetes(return_X_y=True)
    rates = optuna.distributions.FloatDistribution(1e-6, 0.1, log=True)
    search = optuna_integration.OptunaSearchCV(
        GDRegressor("sgd", tol=None, random_state=0),
        {"learning_rate": rates},
        study=new_study(),
        n_trials=10,
        cv=3,
        enable_pruning=True,
        max_iter=EPOCHS,
        error_score="raise",
    ).fit(X, y)
    assert optuna.trial.TrialState.PRUNED in states(search.trials_)
    assert search.best_score_ > 0.4
