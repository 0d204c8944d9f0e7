"""Errors that this package raises."""

__all__ = ["DivergenceError"]


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)


class DivergenceError(ValueError):
    """Training has diverged: its numbers overflow, or it ends clearly above where it began.

    The model is left as it was. In a grid search with ``error_score=np.nan``
    the candidate is scored as failed.

    Attributes
    ----------
    epoch : int
        The epoch, counted from one, in which training diverged.
    learning_rate : float
        The learning rate that was used.
    safe_learning_rate : float
        The largest learning rate at which plain gradient descent is stable, for
        this data, these coordinates and this batch size: 2 / L.
    """

    def __init__(self, message, *, epoch=None, learning_rate=None, safe_learning_rate=None):
        super().__init__(message)
        self.epoch = epoch
        self.learning_rate = learning_rate
        self.safe_learning_rate = safe_learning_rate
