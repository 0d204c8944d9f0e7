"""The optimizers, by name."""

from .. import auto, hints, losses
from .._sources import show_sources
from ..parameters import lookup
from .adam import Adam, AdamW, AMSGrad, NAdam, RAdam
from .adam_variants import AdaBelief, Adamax, Adan, Yogi
from .adaptive import FTRL, Adadelta, Adagrad, RMSprop
from .amos import Amos
from .averaging import ScheduleFreeAdamW, ScheduleFreeSGD
from .base import Optimizer
from .curvature import AdGD, BarzilaiBorwein
from .derivative_free import RandomLocalSearch, RandomSearch
from .descent import SGD, HeavyBall, Momentum, Nesterov
from .lbfgs import LBFGS
from .line_search import Armijo, Polyak
from .parameter_free import COCOB, DoG, DoWG
from .prodigy import DAdaptAdam, Prodigy
from .sign import Lion, Rprop
from .variance_reduced import SVRG
from .wrappers import ClipNorm, ClipValue

__all__ = [
    "AMSGrad",
    "AdGD",
    "AdaBelief",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Amos",
    "Armijo",
    "BarzilaiBorwein",
    "COCOB",
    "ClipNorm",
    "ClipValue",
    "DAdaptAdam",
    "DoG",
    "DoWG",
    "FTRL",
    "HeavyBall",
    "LBFGS",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "Polyak",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "RandomLocalSearch",
    "RandomSearch",
    "Rprop",
    "SGD",
    "SVRG",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Yogi",
    "get",
    "names",
]

TABLE = {
    "sgd": SGD,
    "momentum": Momentum,
    "heavy_ball": HeavyBall,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "adam": Adam,
    "amsgrad": AMSGrad,
    "adamax": Adamax,
    "nadam": NAdam,
    "radam": RAdam,
    "adamw": AdamW,
    "adabelief": AdaBelief,
    "yogi": Yogi,
    "adan": Adan,
    "amos": Amos,
    "ftrl": FTRL,
    "lion": Lion,
    "rprop": Rprop,
    "dog": DoG,
    "dowg": DoWG,
    "prodigy": Prodigy,
    "dadapt_adam": DAdaptAdam,
    "cocob": COCOB,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "armijo": Armijo,
    "polyak": Polyak,
    "adgd": AdGD,
    "barzilai_borwein": BarzilaiBorwein,
    "svrg": SVRG,
    "lbfgs": LBFGS,
    "random_search": RandomSearch,
    "random_local_search": RandomLocalSearch,
}


# The first parameter of an estimator is the optimizer, and SGDClassifier's is the loss.
ELSEWHERE = hints.OPTIMIZERS | {
    name: f"it is a loss, and the optimizer comes first: write loss={name!r}"
    for name in losses.TABLE
}


def names() -> list[str]:
    """List the names that the parameter `optimizer` accepts, in the order of the catalogue.

    Returns
    -------
    list of str
        The names.
    """
    return list(TABLE)


def get(optimizer: str | Optimizer) -> Optimizer:
    """Turn a name into an optimizer; an instance is returned as it is.

    Parameters
    ----------
    optimizer : str or Optimizer
        A name or an instance. "auto" is what the estimators use on mini-batches if they
        choose: `ScheduleFreeAdamW` with other settings than its defaults.

    Returns
    -------
    Optimizer
        The instance.

    Raises
    ------
    ValueError
        If there is no such name. The message suggests the closest one.
    TypeError
        If it is neither a name nor an instance.
    """
    if isinstance(optimizer, str) and optimizer == "auto":
        name, parameters = auto.MINI_BATCH
        return TABLE[name](**parameters)
    return lookup(optimizer, TABLE, Optimizer, "optimizer", ELSEWHERE)


# Optimizers around another one are given its name.
Optimizer._get = staticmethod(get)


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)


show_sources(__name__)
