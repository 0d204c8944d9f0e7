"""The parameters of an estimator, checked, with instances in place of names."""

import copy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from .. import losses, optimizers, schedules
from ..losses import Loss
from ..objectives.coordinates import MAX_WHITEN_FEATURES
from ..optimizers import Optimizer
from ..penalties import ElasticNet
from ..schedules import Schedule


class Settings(NamedTuple):
    """What a fit needs to know of an estimator; the names are those of its parameters.

    Attributes
    ----------
    kind : {"regressor", "classifier"}
        The kind of estimator.
    penalty : ElasticNet
        Made from `alpha` and `l1_ratio`.
    given_loss : str or Loss
        The loss as it was given, for messages.
    """

    kind: str
    optimizer: Optimizer
    loss: Loss
    given_loss: object
    penalty: ElasticNet
    schedule: Schedule
    fit_intercept: bool
    learning_rate: object
    batch_size: object
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
    average: object
    precondition: str | None
    shuffle: bool
    warm_start: bool
    random_state: object
    verbose: object
    class_weight: object = None


# What is read off the estimator as it is.
AS_GIVEN = tuple(
    name
    for name in Settings._fields
    if name not in ("kind", "optimizer", "loss", "given_loss", "penalty", "schedule")
)


def settings_of(estimator):
    """The settings of an estimator. Its parameters must have passed `check_parameters`.

    Raises
    ------
    ValueError
        If a name is unknown, or if parameters do not go together.
    """
    given = vars(estimator)
    optimizer = copy.deepcopy(optimizers.get(estimator.optimizer))
    optimizer.check()
    schedule = schedules.get(estimator.schedule)
    schedule.check()
    penalty = ElasticNet(estimator.alpha, estimator.l1_ratio)
    _check_smooth(estimator, optimizer, penalty)
    loss = losses.get(estimator.loss, estimator._kind)
    loss.check()
    return Settings(
        kind=estimator._kind,
        optimizer=optimizer,
        loss=loss,
        given_loss=estimator.loss,
        penalty=penalty,
        schedule=schedule,
        **{name: given[name] for name in AS_GIVEN if name in given},
    )


def _check_smooth(estimator, optimizer, penalty):
    """Raise a ValueError if the L1 penalty meets coordinates or an optimizer without prox."""
    if penalty.smooth:
        return
    if estimator.precondition == "whiten":
        raise ValueError(
            "precondition='whiten' rotates the coordinates, where the L1 penalty has no "
            f"proximal step: l1_ratio must be 0. Got l1_ratio={estimator.l1_ratio} instead; set it "
            "to 0 or use precondition='standardize'."
        )
    if optimizer.smooth_only:
        raise ValueError(
            f"{type(optimizer).__name__} needs a smooth objective, and the L1 penalty has a "
            f"corner at zero: l1_ratio must be 0. Got l1_ratio={estimator.l1_ratio} instead; set "
            "it to 0 or use another optimizer."
        )


def check_whitening(settings, n_features):
    """Raise a ValueError if the matrix of whitened coordinates would be too large."""
    if settings.precondition == "whiten" and n_features > MAX_WHITEN_FEATURES:
        raise ValueError(
            "precondition='whiten' keeps a matrix of n_features × n_features: at most "
            f"{MAX_WHITEN_FEATURES} features are allowed. Got {n_features} instead; use "
            "precondition='standardize'."
        )


def check_parts(settings):
    """Raise a ValueError if the settings need more than a part of the data."""
    if settings.early_stopping:
        raise ValueError(
            "partial_fit sees a part of the data only and cannot hold out any of it: "
            "early_stopping must be False. Got True instead."
        )
    if settings.class_weight == "balanced":
        raise ValueError(
            "partial_fit sees a part of the data only and cannot balance the classes: "
            "class_weight must be a dict or None. Got 'balanced' instead; weigh the rows with "
            "sample_weight."
        )


def draw_seed(random_state):
    """The seed of a run: `random_state` itself if it is an int."""
    if isinstance(random_state, Integral):
        return random_state
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)
