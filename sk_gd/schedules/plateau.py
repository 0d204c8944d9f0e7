"""The schedule that reacts to the loss."""

import math

import numpy as np

from ..parameters import check_integer, check_range
from .base import Schedule


class Plateau(Schedule):
    r"""Reduces the learning rate whenever the loss has stopped falling.

    An epoch is good if its loss is below :math:`\ell - t |\ell|`, where
    :math:`\ell` is the loss of the last good epoch. After more than `patience`
    bad epochs in a row, the multiplier :math:`s` becomes :math:`\max(\gamma s, f)`.
    The loss is the validation loss if there is validation data, else the
    training objective. For positive losses this is torch's rule. For negative
    losses torch's rule would count a loss that does not change as an improvement.

    Full-batch training at a safe learning rate never needs this schedule.

    Good for training of unknown length, or with a learning rate that is large at
    first.

    Parameters
    ----------
    factor : float in (0, 1), default=0.1
        Factor of each reduction (:math:`\gamma`).
    patience : int >= 0, default=2
        Number of bad epochs in a row that are allowed. The estimator stops after
        `n_iter_no_change` epochs without improvement, so `patience` should be less.
    threshold : float in [0, 1), default=1e-4
        Relative improvement that makes an epoch good (:math:`t`).
    cooldown : int >= 0, default=0
        Number of epochs after a reduction that are not counted as bad.
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
        return _PlateauAfterLosses(self, 1.0, math.inf, 0, 0).after(losses)


class _PlateauAfterLosses(Schedule):
    """A plateau in training: its present multiplier and its counts of epochs.

    A loss below `target` makes an epoch good.
    """

    def __init__(self, plateau, s, target, n_bad, cooldown_left):
        self.plateau = plateau
        self.s = s
        self.target = target
        self.n_bad = n_bad
        self.cooldown_left = cooldown_left

    def multiplier(self, epochs, horizon):
        return np.full_like(epochs, self.s)

    def after(self, losses):
        plateau = self.plateau
        s, target = self.s, self.target
        n_bad, cooldown_left = self.n_bad, self.cooldown_left
        for loss in losses:
            if loss < target:
                target, n_bad = loss - plateau.threshold * abs(loss), 0
            elif cooldown_left <= 0 and not math.isnan(loss):
                n_bad += 1
            if cooldown_left > 0:
                cooldown_left -= 1
            if n_bad > plateau.patience:
                s = max(plateau.factor * s, plateau.final)
                n_bad, cooldown_left = 0, plateau.cooldown
        return _PlateauAfterLosses(plateau, s, target, n_bad, cooldown_left)
