"""The optimizers, by name."""

from ..parameters import lookup
from .adam import Adam, AdamW, AMSGrad, NAdam, RAdam
from .adam_variants import AdaBelief, Adamax, Adan, Amos, Yogi
from .adaptive import FTRL, Adadelta, Adagrad, RMSprop
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


def names():
    """The names that ``optimizer=`` understands, in the order of the catalogue.

    Returns
    -------
    list of str
        The names.
    """
    return list(TABLE)


def get(optimizer):
    """An instance of the optimizer called `optimizer`, or `optimizer` itself if it is one.

    Parameters
    ----------
    optimizer : str or Optimizer
        Name or instance; "auto" is the default of the estimators, which is
        `ScheduleFreeAdamW` with settings of its own.

    Returns
    -------
    Optimizer
        The instance.

    Raises
    ------
    ValueError
        If there is no such name; the message has the nearest one.
    TypeError
        If it is neither a name nor an instance.
    """
    if isinstance(optimizer, str) and optimizer == "auto":
        return ScheduleFreeAdamW(beta_1=0.975, beta_2=0.988)
    return lookup(optimizer, TABLE, Optimizer, "optimizer")
