"""The losses: what a prediction costs, by name or as an instance."""

from typing import Literal

from .._sources import show_sources
from ..hints import LOSSES
from ..parameters import lookup
from .base import Loss
from .classification import (
    Hinge,
    LogLoss,
    ModifiedHuber,
    Perceptron,
    SquaredHinge,
)
from .regression import (
    AbsoluteError,
    EpsilonInsensitive,
    Gamma,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)

__all__ = [
    "AbsoluteError",
    "EpsilonInsensitive",
    "Gamma",
    "Hinge",
    "Huber",
    "LogLoss",
    "Loss",
    "ModifiedHuber",
    "Perceptron",
    "Poisson",
    "Quantile",
    "SquaredError",
    "SquaredHinge",
    "get",
    "names",
]

TABLE = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "epsilon_insensitive": EpsilonInsensitive,
    "poisson": Poisson,
    "gamma": Gamma,
    "log_loss": LogLoss,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "modified_huber": ModifiedHuber,
    "perceptron": Perceptron,
}


def names(kind: Literal["regressor", "classifier"]) -> list[str]:
    """The names that ``loss=`` of the "regressor" or the "classifier" understands.

    Parameters
    ----------
    kind : {"regressor", "classifier"}
        The kind of estimator.

    Returns
    -------
    list of str
        The names.
    """
    if kind not in ("regressor", "classifier"):
        raise ValueError(f"kind must be 'regressor' or 'classifier'. Got {kind!r} instead.")
    return [name for name, loss in TABLE.items() if kind in loss.kinds]


def get(loss: str | Loss, kind: Literal["regressor", "classifier"] | None = None) -> Loss:
    """The loss with this name, or `loss` itself if it is an instance.

    Parameters
    ----------
    loss : str or Loss
        Name or instance.
    kind : {"regressor", "classifier"}, optional
        Accept only losses for this kind of estimator.

    Returns
    -------
    Loss
        The instance.
    """
    given, allowed = loss, list(TABLE) if kind is None else names(kind)
    # A loss for the other kind of estimator has an error message of its own.
    table = TABLE if isinstance(loss, str) and loss in TABLE else {n: TABLE[n] for n in allowed}
    meant = LOSSES.get(loss) if isinstance(loss, str) else None
    words = {loss: f"write {meant!r}"} if meant in allowed else {}
    loss = lookup(loss, table, Loss, "loss", words)
    if kind is not None and kind not in loss.kinds:
        raise ValueError(
            f"The 'loss' parameter must be a loss for a {kind}: one of "
            f"{', '.join(map(repr, allowed))}, or an instance whose kinds have {kind!r}. "
            f"Got {given!r}, whose kinds are {loss.kinds!r}, instead."
        )
    return loss


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)


show_sources(__name__)
