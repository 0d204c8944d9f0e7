"""Reaction to the loss."""

import math

import numpy as np

from ..parameters import check_integer, check_range
from .base import Schedule


class Plateau(Schedule):
    r"""Reduces the learning rate whenever the loss has stopped falling.

    An epoch is good if its loss is below :math:`\ell - t |\ell|`, with
    :math:`\ell` the loss of the last good one. After more than `patience` bad
    epochs in a row the multiplier becomes :math:`\max(\gamma s, f)`. The loss
    is the training objective, or the validation loss if there is validation
    data. torch's threshold is that for positive losses; of negative ones it
    would take a stalled one for good.

    Full-batch training at a safe rate never needs it.

    Good for training of unknown length, or with a rate that is large at first.

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
    >>> plateau = Plateau(factor=0.5, patience=1).after([3.0, 2.0, 2.0])
    >>> plateau([3, 3.5], 10)
    array([1., 1.])
    >>> plateau.after([2.0])([4, 4.5], 10)
    array([0.5, 0.5])
    """

    def __init__(self, factor=0.1, patience=2, threshold=1e-4, cooldown=0, final=0.0):
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.final = final

    def check(self):
        check_range(self, "factor", 0, 1, closed="neither")
        check_integer(self, "patience", 0)
        check_range(self, "threshold", 0, 1)
        check_integer(self, "cooldown", 0)
        check_range(self, "final", 0, 1, closed="both")

    def multiplier(self, epochs, horizon):
        return np.ones_like(epochs)

    def after(self, losses):
        return _Reacting(self, 1.0, math.inf, 0, 0).after(losses)


class _Reacting(Schedule):
    """A plateau on its way: the multiplier now, and what is to be remembered."""

    def __init__(self, plateau, s, mark, bad, cooling):
        self.plateau = plateau
        self.s = s
        self.mark = mark
        self.bad = bad
        self.cooling = cooling

    def multiplier(self, epochs, horizon):
        return np.full_like(epochs, self.s)

    def after(self, losses):
        plateau = self.plateau
        s, mark, bad, cooling = self.s, self.mark, self.bad, self.cooling
        for loss in losses:
            if loss < mark:
                mark, bad = loss - plateau.threshold * abs(loss), 0
            elif cooling <= 0 and not math.isnan(loss):
                bad += 1
            if cooling > 0:
                cooling -= 1
            if bad > plateau.patience:
                s = max(plateau.factor * s, plateau.final)
                bad, cooling = 0, plateau.cooldown
        return _Reacting(plateau, s, mark, bad, cooling)
