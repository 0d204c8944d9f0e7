"""The raw predictions that a link function turns into given means."""

import numpy as np
from scipy.optimize import bisect

# Raw predictions of a larger size are not tried.
LARGEST = 2.0**64


def predictions_of(response, means, deviations):
    """Raw predictions, and their changes, that `response` turns into means and a deviation more.

    Where no prediction has the mean, the prediction is zero. The change is that to a deviation
    less if there is none to a deviation more, and one if there is neither.

    Parameters
    ----------
    response : callable
        The inverse of the link function. It rises or falls everywhere.
    means, deviations : ndarray of shape (n_outputs,)
        Of the targets.

    Returns
    -------
    tuple of ndarray, each of shape (n_outputs,)
        The predictions and the changes, which are positive.
    """
    found = [_prediction_of(response, mean) or 0.0 for mean in means]
    changes = []
    for p, mean, deviation in zip(found, means, deviations, strict=True):
        ends = (_prediction_of(response, each) for each in (mean + deviation, mean - deviation))
        changes.append(next((abs(end - p) for end in ends if end is not None and end != p), 1.0))
    return np.array(found), np.array(changes)


def _prediction_of(response, mean):
    """The raw prediction that `response` turns into `mean`; None if there is none."""

    def above(p):
        with np.errstate(all="ignore"):
            return float(np.asarray(response(np.array([p])))[0]) - mean

    width = 1.0
    while width <= LARGEST:
        low, high = above(-width), above(width)
        if np.sign(low) * np.sign(high) < 0:
            return bisect(above, -width, width)
        width *= 2
    return None
