"""The losses and scores of the epochs of a run."""

# An epoch that gains so many times as much as the one before is faster: less is chance.
FASTER = 1.5


class History:
    """One entry an epoch in each list.

    Attributes
    ----------
    loss_curve : list of float
        The training objective.
    evaluation_curve : list of int
        How often the objective was evaluated on a batch.
    validation_loss_curve, validation_scores : list of float
        Loss and score on held-out data, where there are any.
    watched : list of float
        What the schedule looks at: the validation loss if there is one, else the
        objective. NaN for epochs of which it is not comparable with the present ones.
    begin : int
        The epoch at which training on the present objective and data began.
    """

    def __init__(self):
        self.loss_curve = []
        self.evaluation_curve = []
        self.validation_loss_curve = []
        self.validation_scores = []
        self.watched = []
        self.begin = 0

    @property
    def n_epochs(self):
        """Epochs run."""
        return len(self.loss_curve)

    @property
    def n_recent(self):
        """Epochs run on the present objective and data."""
        return len(self.loss_curve) - self.begin

    def record(self, loss, evaluations, watched, score=None):
        """Add an epoch; `score` is None without held-out data, else `watched` is the loss on them.

        Nothing is computed in between: after Ctrl-C an epoch is in all lists, or in none.
        """
        self.loss_curve.append(loss)
        self.evaluation_curve.append(evaluations)
        self.watched.append(watched)
        if score is not None:
            self.validation_loss_curve.append(watched)
            self.validation_scores.append(score)

    def recent(self, curve):
        """The part of a curve that belongs to the present objective and data."""
        return curve[self.begin :]

    def gathers_speed(self):
        """Whether the training objective falls faster and faster."""
        if self.n_recent < 4:
            return False
        first, second, third, last = self.loss_curve[-4:]
        faster = third - last > FASTER * (second - third)
        return last < third and faster and second - third > FASTER * (first - second)

    def forget_watched(self):
        """Earlier losses are no longer comparable with those to come."""
        self.watched = [float("nan")] * self.n_epochs

    def copy(self):
        """An independent copy."""
        other = History()
        for name, value in vars(self).items():
            setattr(other, name, list(value) if isinstance(value, list) else value)
        return other
