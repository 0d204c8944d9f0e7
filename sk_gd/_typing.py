"""The types of parameters and attributes, for type checkers and editors; nothing runs them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .losses import Loss
from .optimizers import Optimizer
from .schedules.base import ScheduleLike as ScheduleLike

# What scikit-learn takes for data: arrays, lists, frames, sparse matrices. There is no type for it.
MatrixLike: TypeAlias = Any
ArrayLike: TypeAlias = Any

Floats: TypeAlias = NDArray[np.floating]
OptimizerLike: TypeAlias = str | Optimizer
LossLike: TypeAlias = str | Loss
Alpha: TypeAlias = float | str
Rate: TypeAlias = float | Literal["auto"]
BatchSize: TypeAlias = int | Literal["auto", "full"]
Average: TypeAlias = bool | int | Literal["auto"]
Precondition: TypeAlias = Literal["standardize", "whiten"] | None
RandomState: TypeAlias = int | np.random.RandomState | None
Scoring: TypeAlias = str | Callable[..., float] | None
ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"] | None
OneOrMore: TypeAlias = Any  # an object, or a list or dict of such
Directions: TypeAlias = Literal["random", "pca"] | Sequence[tuple[Any, Any]]
