"""Errors of this package."""

__all__ = ["DivergenceError"]


class DivergenceError(ValueError):
    """Training has diverged: a weight or the loss is no longer a finite number.

    The model is left as it was. In a grid search with ``error_score=np.nan``
    the candidate is scored as failed.

    Attributes
    ----------
    epoch : int
        The epoch, from one, in which it happened.
    learning_rate : float
        The learning rate used.
    safe_learning_rate : float
        The largest learning rate with which plain gradient descent is stable
        on this data, in these coordinates, with this batch size: 2 / L.
    """

    def __init__(self, message, *, epoch=None, learning_rate=None, safe_learning_rate=None):
        super().__init__(message)
        self.epoch = epoch
        self.learning_rate = learning_rate
        self.safe_learning_rate = safe_learning_rate
