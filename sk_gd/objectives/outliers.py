"""Where targets are so far from the others that a robust loss counts them as outliers."""

import numpy as np

# A target is an outlier if it is so many standard deviations from the median. Of normal targets one
# in sixteen thousand is.
OUTLYING = 4.0
# The standard deviation is estimated from these quantiles of the distances to the median, divided
# by those of the standard normal distribution. The larger one of the first two estimates counts,
# since most targets may be nearly equal. The others count if these are zero, as for targets that
# are zero in most rows.
LEVELS = np.array([0.5, 0.75, 0.9, 0.95])
OF_NORMAL = np.array([0.6744897501960817, 1.150349380376008, 1.6448536269514722, 1.959963984540054])
# The most targets that a partition sends for all of its rows.
SENT = 1024
# With fewer rows a part of a stream is judged by the parts before it.
ENOUGH = 30


def bounds_of(y, weight=None, before=None):
    """The lowest and the highest target of every output that is no outlier.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_outputs)
        Targets.
    weight : ndarray of shape (n_samples,), optional
        Their weights. A weight of two is the same as two rows.
    before : Moments, optional
        The moments of earlier targets within their bounds.

    Returns
    -------
    tuple of ndarray of shape (n_outputs,)
        The bounds; infinite if too many targets are equal to tell.
    """
    if weight is not None and not np.any(weight):
        weight = None
    found = [_bounds_of_column(column, weight) for column in y.T]
    lowest, highest = np.array(found).reshape(-1, 2).T
    if before is None:
        return lowest, highest
    apart = OUTLYING * before.deviation
    known = before.mean - apart, before.mean + apart
    with np.errstate(over="ignore"):
        rows = len(y) if weight is None else np.sum(weight)
    if rows < ENOUGH:
        return known
    return np.minimum(lowest, known[0]), np.maximum(highest, known[1])


def _bounds_of_column(y, weight):
    median = quantiles(y, weight, [0.5])[0]
    with np.errstate(over="ignore"):
        deviations = quantiles(np.abs(y - median), weight, LEVELS) / OF_NORMAL
        positive = deviations > 0
        if not np.any(positive):
            return -np.inf, np.inf
        apart = OUTLYING * (np.max(deviations[:2]) if positive[1] else deviations[positive][0])
        return median - apart, median + apart


def quantiles(y, weight, levels):
    """The least numbers such that at least these shares of the weights are not above them."""
    if weight is None:
        places = np.maximum(np.ceil(np.multiply(levels, len(y))).astype(np.intp) - 1, 0)
        return np.partition(y, places)[places]
    order = np.argsort(y, kind="stable")
    order = order[weight[order] > 0]
    with np.errstate(over="ignore"):
        below = np.cumsum(weight[order])
    if not np.isfinite(below[-1]):
        below = np.cumsum(weight[order] / len(order))
    # The rounding of the sum must not make it a larger number.
    places = np.searchsorted(below, np.multiply(levels, below[-1]) * (1 - 1e-12))
    return y[order][places]


def sample_of(y, weight=None):
    """A few targets, and their weights, with about the same quantiles as all of them have.

    The same number of each output; all of them if they are few.
    """
    if weight is None:
        weight = np.ones(len(y))
    if len(y) <= SENT or not np.any(weight):
        return y, weight
    levels = (np.arange(SENT) + 0.5) / SENT
    few = [quantiles(column, weight, levels) for column in y.T]
    return np.column_stack(few), np.full(SENT, np.sum(weight) / SENT)
