"""What every "auto" means: optimizer, learning rate, batch size, averaging."""

import numpy as np

from .objectives.smoothness import root_trace

# The optimizer: its name, and its parameters. Of all optimizers that work on mini-batches it left
# the smallest gap to the optimum on the worst of many data sets after 100 epochs.
OPTIMIZER = ("schedule_free_adamw", {"beta_1": 0.975, "beta_2": 0.988})

# Up to so many rows are one batch: weights and repeated rows then give the same model.
TINY = 100
# Beyond: a hundredth of the rows, within these bounds.
FEWEST, MOST = 32, 256


def batch_size(given, optimizer, problem):
    """Rows a step, for the `batch_size` that was given."""
    n = problem.n
    if given == "auto":
        if optimizer.full_batch != "optional" or n <= TINY:
            return n
        rows = min(max(n // 100, FEWEST), MOST)
        return max(rows, _sparse_rows(problem)) if problem.is_sparse else rows
    if given == "full":
        return n
    if optimizer.full_batch == "required" and given < n:
        raise ValueError(
            f"{type(optimizer).__name__} compares gradients of successive steps, which must be "
            f"of the same data: batch_size must be 'auto' or 'full'. Got {given} for "
            f"{n} rows instead; change it, or use another optimizer."
        )
    return given


def _sparse_rows(problem):
    """Rows whose entries are as much work as a step on all weights."""
    X, n_given, entries = problem.X, problem.X.shape[0], problem.X.nnz
    if problem.rows is not None:
        n_given, entries = len(problem.rows), int(np.diff(X.indptr)[problem.rows].sum())
    return min(4 * X.shape[1] * n_given // max(entries, 1), problem.n // 50)


def average(given, optimizer):
    """The epoch, from one, at which averaging begins; 0 for never."""
    return int(optimizer.default_average if given == "auto" else given)


def learning_rate(given, optimizer, data, coordinates, statistics, penalty, *, sample=False):
    """The learning rate as a number.

    Parameters
    ----------
    given : "auto" or float
        The parameter.
    optimizer : Optimizer
        Says by `default_rate` what "auto" means.
    data : Data
        What the run is trained on.
    coordinates : Coordinates
        The optimizer's coordinates, for the rows as they were given.
    statistics : Statistics
        The moments of the features; raw coordinates do not need them.
    penalty : Penalty
        Its smooth part adds to the curvature.
    sample : bool
        Whether the data are a sample of many more, as in ``partial_fit``.

    Returns
    -------
    float
        The rate.
    """
    if given != "auto":
        return float(given)
    if optimizer.default_rate == "own":
        return 1.0
    if optimizer.default_rate != "smoothness":
        raw = coordinates.scale is None
        square = data.mean_square() if raw else coordinates.mean_square(statistics.features)
        rate = optimizer.default_rate / root_trace(square, coordinates, penalty)
    else:
        # The full batch of a sample is no less noisy than the same rows in batches.
        sample = sample and optimizer.full_batch != "required"
        rate = 1 / data.smoothness(penalty, optimizer.noise_gain, sample=sample)
    if not 0 < rate < np.inf:
        raise ValueError(
            "learning_rate='auto' needs rows of X whose squared length is finite. Got rows "
            "too large for that; divide X by a constant, or choose a learning_rate."
        )
    return float(rate)


def learning_rate_of_function(given, optimizer):
    """The learning rate as a number, for a function of which nothing is known."""
    if given != "auto":
        return float(given)
    if optimizer.default_rate == "own":
        return 1.0
    if optimizer.default_rate == "smoothness":
        raise ValueError(
            f"The learning_rate of {type(optimizer).__name__} depends on the curvature, of which "
            "nothing is known: 'auto' has no answer. Give a number, "
            'options={"learning_rate": 0.01} (for plain descent 1 / L is safe, L being the largest '
            "curvature), or take an optimizer that needs none, such as AdGD()."
        )
    return float(optimizer.default_rate)
