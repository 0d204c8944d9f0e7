"""When a run stops by itself, and which of its models is the best."""

import math


class Stopping:
    """Stops a run whose loss no longer improves, or whose score does not.

    A score counts as a loss with the opposite sign.

    Attributes
    ----------
    mark : float
        The last loss that was an improvement of at least `tol`. Smaller improvements do not
        move it, so that many of them add up to one.
    stale : int
        Epochs since then, without those of a swing, or of growing improvements.
    at_minimum : bool
        Whether it is known that there is nothing left to improve.
    """

    def __init__(self):
        self.restart()

    def restart(self):
        """Begin to count anew."""
        self.mark, self.stale, self.at_minimum = math.inf, 0, False

    def update(self, loss, tol, swings, gathers_speed):
        """Take the loss of an epoch; `tol` is the least improvement that counts.

        If it `swings`, and is higher than at the mark, it will come back. If it `gathers_speed`,
        the improvements will count soon.
        """
        if loss <= self.mark - tol:
            self.mark, self.stale = loss, 0
        elif not (gathers_speed or (swings and loss > self.mark + tol)):
            self.stale += 1

    def copy(self):
        """An independent copy."""
        other = Stopping()
        vars(other).update(vars(self))
        return other


class Best:
    """The model with the lowest validation loss so far.

    Attributes
    ----------
    loss : float
        Its loss, or its score with the opposite sign.
    model : tuple or None
        Its coefficients and intercepts; None if there is none.
    """

    def __init__(self, loss=math.inf, model=None):
        self.loss = loss
        self.model = model

    def offer(self, loss, model):
        """The better one of this and another model."""
        return Best(loss, model) if loss < self.loss else self
