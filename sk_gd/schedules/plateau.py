"""Reaction to the loss."""

import math

import numpy as np

from ..parameters import check_range
from .base import Schedule


class Plateau(Schedule):
    r"""Reduces the learning rate whenever the loss has stopped falling.

    An epoch is good if its loss is below :math:`\ell - t |\ell|`, with
    :math:`\ell` the loss of the last good one. After more than `patience` bad
    epochs in a row the multiplier becomes :math:`\max(\gamma s, f)`. The loss
    is the training objective, or the validation loss if there is validation
    data. torch's threshold is that for positive losses; of negative ones it
    would take a stalled one for good.

    For training of unknown length, or with a rate that is large at first. Full-batch
    training at a safe rate never needs it.

    Parameters
    ----------
    factor : float in (0, 1), default=0.1
        What the rate is multiplied by (:math:`\gamma`).
    patience : int >= 0, default=2
        Bad epochs in a row that are let pass. The estimator stops at
        `n_iter_no_change` of them: patience should be less.
    threshold : float in [0, 1), default=1e-4
        Relative improvement that makes an epoch good (:math:`t`).
    cooldown : int >= 0, default=0
        Epochs after a reduction that are not counted as bad.
    final : float in [0, 1], default=0.0
        Smallest multiplier (:math:`f`).

    References
    ----------
    He, K., Zhang, X., Ren, S. & Sun, J. (2016). Deep residual learning for
    image recognition. CVPR. arXiv:1512.03385

    Examples
    --------
    >>> from sk_gd.schedules import Plateau
    >>> losses = [3.0, 2.0, 2.0, 2.0, 1.0]
    >>> Plateau(factor=0.5, patience=1)([0, 1, 2, 3, 4, 5], 10, losses)
    array([1. , 1. , 1. , 1. , 0.5, 0.5])
    """

    def __init__(self, factor=0.1, patience=2, threshold=1e-4, cooldown=0, final=0.0):
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.final = final

    def check(self):
        check_range(self, "factor", 0, 1, closed="neither")
        check_range(self, "patience", 0, math.inf)
        check_range(self, "threshold", 0, 1)
        check_range(self, "cooldown", 0, math.inf)
        check_range(self, "final", 0, 1, closed="both")

    def multiplier(self, epochs, horizon):
        return np.ones_like(epochs)

    def after(self, losses):
        s, bad, cooling, mark = 1.0, 0, 0, math.inf
        multipliers = [s]
        for loss in losses:
            if loss < mark:
                mark, bad = loss - self.threshold * abs(loss), 0
            elif cooling > 0 or math.isnan(loss):
                bad = 0
            else:
                bad += 1
            cooling = max(cooling - 1, 0)
            if bad > self.patience:
                s, bad, cooling = max(self.factor * s, self.final), 0, self.cooldown
            multipliers.append(s)
        return _Known(multipliers)


class _Known(Schedule):
    """A multiplier for each epoch; the last one for all that come after."""

    def __init__(self, multipliers):
        self.multipliers = multipliers

    def multiplier(self, epochs, horizon):
        last = len(self.multipliers) - 1
        return np.asarray(self.multipliers)[np.minimum(epochs, last).astype(np.intp)]
