"""Where new runs begin: at zero, or nearer to their minimum after a few steps that cost less.

These steps are on a sample of the rows, or on one sparse row at a time (dual coordinate ascent).
"""

import numpy as np

from ..objectives.dual import Duals
from ..objectives.moments import FAR_FROM_ZERO
from .lanes import connect
from .loop import run_epoch

# A run is at its minimum if a bound, and not only an estimate, says that less than this share of
# `tol` is left to gain.
SURELY_LEFT = 0.1
# The most passes of dual coordinate ascent. They end when one gains less than this share of what
# all have gained: L-BFGS is faster from there, unless so few more passes are enough.
MOST_PASSES, LEAST_GAIN, FEW_PASSES = 16, 1e-4, 5
# What is left to gain is taken to be this multiple of what the passes would gain if they went on.
LEFT_OF_GAIN = 3
# The ascent is not used if rows have fewer entries, since to solve for the step on a row costs
# about as much as so many. Nor if more numbers must be kept (256 MB): all entries, divided by the
# sizes of their features, and two numbers for each class of each row.
LONG_ROWS, MOST_KEPT = 8, 1 << 25
# With one output a step of L-BFGS is cheaper. The ascent is used if rows have so many entries, and
# if there are so many features for each row, since a step also passes over the features.
LONGER_ROWS, FEATURES_OF_A_ROW = 24, 1.5
# Nor is it used if a row could move its own score by less or by more. If the ridge is so strong,
# L-BFGS takes few steps. If it is so weak, the steps on single rows undo each other.
SHORTEST_REACH, LONGEST_REACH = 0.03, 4e3


def begin_nearer(runs, data):
    """Begin new runs nearer to their minimum, if their rules profit.

    Returns for each such run the run, and the objective, summed over all rows, about, that it
    began with.
    """
    n_steps = min(run.lane.rule.optimizer.sample_steps for run in runs)
    if n_steps == 0 or data.n_batches > 1 or any(run.n_steps or run.lane.continues for run in runs):
        return []
    sample = data.sample()
    if sample is not None:
        return _begin_on_sample(runs, data, sample, n_steps)
    if suits_ascent(data):
        return [(run, loss) for run in runs if (loss := _begin_by_ascent(run, data)) is not None]
    return []


def _begin_on_sample(runs, data, sample, n_steps):
    """Take runs through a few steps on a sample of the rows; see `begin_nearer`."""
    lanes = [run.lane for run in runs]
    objective = connect(lanes, sample)
    rates = [np.array([run.config.learning_rate]) for run in runs]
    losses = None
    for _ in range(n_steps):
        run_epoch(objective, lanes, rates, sample.order(None), sample.n, sample.batch_size)
        losses = losses or [lane.loss * data.n / sample.n for lane in lanes]
    begun = []
    for run, loss in zip(runs, losses, strict=True):
        lane = run.lane
        if lane.alive and lane.is_within(run.limit):
            begun.append((run, loss))
            lane.rule.leave_sample()
            lane.continues = False
        else:
            run.begin(lane.rule.optimizer)
    return begun


def _begin_by_ascent(run, data):
    """Take a run through a few passes of dual coordinate ascent.

    Returns the objective, summed over the rows, before these passes; None if there were none.
    """
    config = run.config
    close = SURELY_LEFT * (config.tol or 0.0)
    # Held-out data may be the best predicted on the way to the minimum.
    if config.validated or not config.penalty.ridge > 0:
        return None
    found = ascend(data, config.penalty.ridge, close)
    if found is None:
        return None
    weights, bound = found
    run.lane.w[:] = weights
    run.lane.rule.start(weights)
    # If the objective is no higher, no more than the share `close` of it is above the bound.
    run.lane.rule.stop_below(bound / (1 - close) if close < 1 else np.inf)
    # The weights were zero, where all classes have the same probability.
    return data.n * np.log(max(2, data.coordinates.n_outputs))


def suits_ascent(data):
    """Whether to begin with dual coordinate ascent.

    To multiply sparse rows one by one takes no longer than together, if each entry is multiplied
    with the weights of many classes, or if there are many more features than entries of a row. With
    features far from zero all rows would be alike.
    """
    problem, coordinates = data.problem, data.coordinates
    shift, one = coordinates.shift, coordinates.n_outputs == 1
    return (
        problem.is_sparse
        and problem.loss.softmax
        and not problem.whole_batches_only
        and (LONGER_ROWS if one else LONG_ROWS) * data.n <= problem.n_entries
        and not (one and problem.n_features < FEATURES_OF_A_ROW * data.n)
        and problem.n_entries + 2 * data.n * coordinates.n_outputs <= MOST_KEPT
        and coordinates.rotation is None
        and not (
            shift is not None and np.any(np.abs(shift) > FAR_FROM_ZERO * coordinates.feature_size)
        )
    )


def ascend(data, ridge, close):
    """Take a few passes of dual coordinate ascent.

    Parameters
    ----------
    data : Data
        Sparse rows, see `suits_ascent`.
    ridge : float
        The strength of the ridge.
    close : float
        The share of the objective that may be left to gain.

    Returns
    -------
    tuple of (ndarray, float), or None
        The flat weights that they find, and a lower bound of the minimum, about. None if they fail,
        or if the ridge is too weak or too strong for them.
    """
    problem, coordinates = data.problem, data.coordinates
    inverse = np.ones(problem.n_features) / coordinates.feature_size
    if coordinates.scale is not None:
        inverse[coordinates.scale == 0] = 0.0
    n_outputs, label = coordinates.n_outputs, problem.y[:, 0]
    duals = Duals(
        problem.X, label, problem.weight, inverse, n_outputs, ridge, coordinates.intercept
    )
    rows = np.arange(data.n) if problem.subset is None else problem.subset
    if not SHORTEST_REACH <= duals.reach_of(rows) <= LONGEST_REACH:
        return None
    generator = np.random.default_rng(0)
    gained, gains = 0.0, [0.0, 0.0]
    for _ in range(MOST_PASSES):
        more = duals.ascend(generator.permutation(rows))
        gained += more
        # The dual objective rises from zero, and stays below that of equal probabilities.
        if not gained <= np.log(max(2, n_outputs)):
            return None
        gains.append(more)
        # Every second pass leaves rows out.
        ratio = np.sqrt(more / gains[-3]) if gains[-3] > 0 else 1.0
        left = LEFT_OF_GAIN * more * ratio / (1 - ratio) if ratio < 1 else np.inf
        few_more = left * ratio**FEW_PASSES <= close * gained
        if left <= close * gained or (more <= LEAST_GAIN * gained and not few_more):
            break
    return coordinates.from_model(*duals.model()), duals.lower_bound()
