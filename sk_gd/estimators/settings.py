"""The parameters of an estimator, checked, with instances in place of names."""

import copy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from .. import auto, losses, optimizers, schedules
from ..losses import Loss
from ..objectives.coordinates import MAX_WHITEN_FEATURES
from ..optimizers import Optimizer
from ..schedules import Schedule
from .chosen_score import check_scoring_name

# What may be needed of the features, from the least to the most.
MOMENTS = (None, "variances", "ratio", "covariances")


class Settings(NamedTuple):
    """What a fit needs to know of an estimator; the names are those of its parameters.

    Attributes
    ----------
    kind : {"regressor", "classifier"}
        The kind of estimator.
    optimizer : Optimizer or "auto"
        The optimizer; "auto" until the problem is known.
    given_loss : str or Loss
        The loss as it was given, for messages.
    estimator : GDRegressor, GDClassifier or None
        The estimator itself, if it has a `scoring`: a scorer is given fitted copies of it.
    shares_coordinates : bool
        Whether the coordinates are the same for all usual strengths of a scaled penalty. They
        are if they were not chosen by the user, so that a search over strengths is one pass.
    """

    kind: str
    optimizer: Optimizer | str
    loss: Loss
    given_loss: object
    alpha: object
    l1_ratio: float
    scale_penalty: bool
    schedule: Schedule
    fit_intercept: bool
    learning_rate: object
    batch_size: object
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
    scoring: object
    average: object
    precondition: str | None
    shuffle: bool
    warm_start: bool
    random_state: object
    verbose: object
    class_weight: object = None
    estimator: object = None
    shares_coordinates: bool = False

    @property
    def has_corner(self):
        """Whether the penalty has an L1 norm, which has a corner at zero."""
        return bool(self.l1_ratio > 0 and self.alpha != 0)

    @property
    def moments(self):
        """Which moments of the features are needed."""
        if self.precondition == "whiten":
            return "covariances"
        if self.needs_ratio:
            return "ratio"
        return "variances" if self.precondition or self.scale_penalty else None

    @property
    def needs_ratio(self):
        """Whether the signal-to-noise ratio is needed."""
        return isinstance(self.alpha, str) or self.shares_coordinates

    def signal(self, problem, features):
        """What the targets say about the penalty; `features` are the moments of the features.

        With a number for the strength the penalty uses the sizes of the features. If it is "auto",
        the penalty may be on raw coefficients.
        """
        automatic = isinstance(self.alpha, str)
        return problem.signal(features, scaled=self.scale_penalty, automatic=automatic)

    def with_scale_of(self, signal):
        """These settings, without the sizes of the features in the penalty if `signal` says so."""
        return self._replace(scale_penalty=self.scale_penalty and signal.in_sizes)

    def feature_size(self, statistics):
        """What coefficients are multiplied by before they are penalised."""
        return statistics.features.size if self.scale_penalty else 1.0

    @property
    def penalty_given(self):
        """What decides the penalty, on the same data."""
        return self.alpha, self.l1_ratio, self.scale_penalty


# The parameters that are copied from the estimator.
COPIED = tuple(
    name
    for name in Settings._fields
    if name not in ("kind", "optimizer", "loss", "given_loss", "schedule", "estimator")
)

# What the numbers among them become. Those of numpy compute in other precisions, small integers
# overflow, and True as a number is refused by what loads a model.
PLAIN = {
    "alpha": float,
    "l1_ratio": float,
    "scale_penalty": bool,
    "fit_intercept": bool,
    "learning_rate": float,
    "batch_size": int,
    "max_iter": int,
    "tol": float,
    "n_iter_no_change": int,
    "early_stopping": bool,
    "validation_fraction": float,
    "shuffle": bool,
    "warm_start": bool,
}


def settings_of(estimator):
    """The settings of an estimator. Its parameters must have passed `check_parameters`.

    Raises
    ------
    ValueError
        If a name is unknown, or if parameters do not go together.
    """
    given = vars(estimator)
    optimizer = estimator.optimizer
    if not _is_auto(optimizer):
        optimizer = optimizers.get(optimizer)
        if optimizer is estimator.optimizer:
            # The user may change it later; the run must not.
            optimizer = copy.deepcopy(optimizer)
        optimizer.check()
    schedule = schedules.get(estimator.schedule)
    schedule.check()
    if isinstance(estimator.alpha, str):
        auto.check_alpha(estimator.alpha)
    loss = losses.get(estimator.loss, estimator._kind)
    loss.check()
    check_scoring_name(estimator.scoring)
    settings = Settings(
        kind=estimator._kind,
        optimizer=optimizer,
        loss=loss,
        given_loss=estimator.loss,
        schedule=schedule,
        estimator=None if estimator.scoring is None else estimator,
        **{name: _plain(name, given[name]) for name in COPIED if name in given},
    )
    if settings.has_corner:
        _check_smooth(settings)
    return settings


def _plain(name, value):
    """The value of a parameter, as a number of Python if it is one."""
    kind = PLAIN.get(name)
    return value if kind is None or value is None or isinstance(value, str) else kind(value)


def _is_auto(optimizer):
    return isinstance(optimizer, str) and optimizer == "auto"


def with_optimizer(settings, problem, *, streaming=False):
    """The settings with an instance in place of ``optimizer="auto"``.

    `streaming`: the problem is a part of the data.
    """
    if not _is_auto(settings.optimizer):
        return settings
    (name, parameters), precondition = auto.optimizer(settings, problem, streaming=streaming)
    return settings._replace(
        optimizer=optimizers.TABLE[name](**parameters),
        precondition=precondition,
        shares_coordinates=precondition != settings.precondition,
    )


def _check_smooth(settings):
    """Raise a ValueError if an L1 penalty meets coordinates or an optimizer without prox."""
    if settings.precondition == "whiten":
        raise ValueError(
            "precondition='whiten' rotates the coordinates, where the L1 penalty has no "
            f"proximal step: l1_ratio must be 0. Got l1_ratio={settings.l1_ratio} instead; set it "
            "to 0 or use precondition='standardize'."
        )
    if not _is_auto(settings.optimizer) and settings.optimizer.smooth_only:
        raise ValueError(
            f"{type(settings.optimizer).__name__} needs a smooth objective, and the L1 penalty has "
            f"a corner at zero: l1_ratio must be 0. Got l1_ratio={settings.l1_ratio} instead; set "
            "it to 0 or use another optimizer."
        )


def check_whitening(settings, n_features):
    """Raise a ValueError if the matrix of whitened coordinates would be too large."""
    if settings.precondition == "whiten" and n_features > MAX_WHITEN_FEATURES:
        raise ValueError(
            "precondition='whiten' keeps a matrix of n_features by n_features: at most "
            f"{MAX_WHITEN_FEATURES} features are allowed. Got {n_features} instead; use "
            "precondition='standardize'."
        )


def check_partial_fit(settings):
    """Raise a ValueError if the settings need more than a part of the data."""
    if settings.early_stopping:
        raise ValueError(
            "partial_fit sees a part of the data only and cannot hold out any of it: "
            "early_stopping must be False. Got True instead."
        )
    if settings.scoring is not None:
        raise ValueError(
            "partial_fit has no validation data, which scoring judges: scoring must be None. "
            f"Got {settings.scoring!r} instead."
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
        return int(random_state)
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)
