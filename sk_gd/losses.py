"""The losses, by name."""

from .objectives.losses import Hinge, LogLoss, Loss, SquaredError
from .parameters import lookup

__all__ = ["Hinge", "LogLoss", "Loss", "SquaredError", "get", "names"]

TABLE = {
    "squared_error": SquaredError,
    "log_loss": LogLoss,
    "hinge": Hinge,
}


def names(kind):
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


def get(loss, kind=None):
    """An instance of the loss called `loss`, or `loss` itself if it is one.

    Parameters
    ----------
    loss : str or Loss
        Name or instance.
    kind : {"regressor", "classifier"}, optional
        Accept only the losses of this kind of estimator.

    Returns
    -------
    Loss
        The instance.
    """
    table = TABLE if kind is None else {name: TABLE[name] for name in names(kind)}
    loss = lookup(loss, table, Loss, "loss")
    if kind is not None and kind not in loss.kinds:
        raise ValueError(
            f"The 'loss' parameter must be a loss for a {kind}: one of "
            f"{', '.join(map(repr, table))}. Got {loss!r} instead."
        )
    return loss
