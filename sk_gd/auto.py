"""What every "auto" means: optimizer, penalty, learning rate, batch size, averaging."""

import re

import numpy as np

from .losses.checks import curvature_of
from .objectives.evidence import MAX_EXACT, inverse_sizes, total_variance
from .objectives.smoothness import root_trace
from .schedules import Constant

# Optimizers: their names, and their parameters. Of all optimizers that work on mini-batches this
# one left the smallest gap to the optimum on the worst of many data sets after 100 epochs.
MINI_BATCH = ("schedule_free_adamw", {"beta_1": 0.975, "beta_2": 0.988})
FULL_BATCH = "lbfgs"
PROXIMAL = ("barzilai_borwein", {})

# Pairs of L-BFGS: up to 80 save iterations, as long as they have no more numbers than that. With
# more weights they cost as much as a pass over the data: there is one pair for every 6 entries that
# a feature has, which are 5 to 10 pairs.
FEWEST_PAIRS, SOME_PAIRS, MOST_PAIRS = 5, 10, 80
PAIR_NUMBERS, PAIR_ENTRIES = 100_000, 6

# Whitening pays with more rows than so many times the features. Trials on some ninety tables: a
# third fewer iterations with more rows, as many with fewer, where it costs time.
MANY_ROWS = 50

# Principal components of n rows cost about so many n³ for the eigenvectors of n × n products, and
# save about so many steps on the rows themselves.
EIGENVECTORS, STEPS_SAVED = 5, 64

# "auto", or a multiple of it.
MULTIPLE = re.compile(
    r"(?:(?P<factor>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)\s*\*\s*)?auto", re.IGNORECASE
)
# How strongly a prior that is wider than that of the usual pipeline is narrowed: see `alpha`.
SHRINK = 0.2

# Up to so many rows are one batch: weights and repeated rows then give the same model.
TINY = 100
# Beyond: a hundredth of the rows, within these bounds.
FEWEST, MOST = 32, 256


def optimizer(settings, problem, *, streaming=False):
    """What ``optimizer="auto"`` is: an optimizer, and the coordinates that it works in.

    On full batches, methods that learn the curvature from successive gradients are the soonest
    at the minimum: a few dozen passes. It is L-BFGS, and with an L1 penalty, which has a
    proximal step, Barzilai-Borwein. On two dozen tables their median gaps were 2e-5 to 1e-3 of
    the objective, and those of mini-batches, in the same time, 8e-3 to 8e-2. L-BFGS works in
    whitened coordinates if their matrix costs less than it saves, if there is no intercept, and for
    the squared error whenever the Gram matrix stands for the rows. Else the scale of a feature
    includes the ridge, which saves a tenth of the iterations on tables, and two thirds on texts.
    Long fits take the Hessian itself, unless the loss has corners: there it says nothing of the
    minimum.

    Fewer rows than features are trained along their principal components, of which there are no
    more than rows, if these cost less than they save. They halve the steps, and each is as short
    as if there were as many features as rows: on 52 rows of 6830 features and 14 classes, a fit
    took a twentieth of the time. Where the second derivative of the loss jumps, they are used
    up to 512 rows whatever they cost: in other coordinates no method was near the minimum after
    a hundred steps. There L-BFGS magnifies rounding; on up to 100 rows, where weights and
    repeated rows must give the same model, Barzilai-Borwein takes its place.

    It is the mini-batch default, which is good after few epochs, for classification losses with
    corners, for robust losses with an L1 penalty, in `partial_fit`, and if the user has set a
    learning rate, a batch size, a schedule or averaging, or other coordinates for more features
    than rows. However long a pass takes, full batches are not slower: in trials with up to 2.2e9
    multiplications a pass, they took less time and came nearer to the minimum.

    Parameters
    ----------
    settings : Settings
        The parameters.
    problem : Problem
        The data.
    streaming : bool
        Whether the data are a part of many more, as in ``partial_fit``.

    Returns
    -------
    optimizer : tuple of (str, dict)
        The name of the optimizer, and its parameters.
    precondition : {"standardize", "balance", "components", "whiten"} or None
        The coordinates; "balance" is a "standardize" that includes the curvature of the ridge,
        and so do "components", which are along the principal components of the rows.
    """
    # Weights count as repeated rows.
    n, d = problem.n_counted, problem.n_features
    n_outputs = problem.targets.n_outputs
    precondition = settings.precondition
    asked_for = (
        settings.learning_rate != "auto"
        or settings.batch_size not in ("auto", "full" if problem.whole_batches_only else "auto")
        or settings.average not in ("auto", False)
        or not isinstance(settings.schedule, Constant)
    )
    if (
        streaming
        or asked_for
        or (not problem.loss.suits_full_batch and not problem.whole_batches_only)
        # Where the slope of a loss is bounded, its change says nothing about how far to go.
        or (settings.has_corner and problem.loss.robust and not problem.whole_batches_only)
        # Raw and whitened coordinates of more features than rows magnify rounding in every step.
        or (precondition != "standardize" and n < d)
    ):
        return MINI_BATCH, precondition
    if settings.has_corner:
        return PROXIMAL, precondition
    few = n < d and problem.has_few_rows and settings.scale_penalty
    if few and problem.loss.curvature_jumps and n <= TINY:
        return PROXIMAL, "components"
    if few and (problem.loss.curvature_jumps or _components_pay(problem)):
        return (FULL_BATCH, {"maxcor": _pairs(n_outputs, problem.n, problem.n**2)}), "components"
    has_matrix = d <= min(n, MAX_EXACT)
    # Without an intercept the mean of the features is a direction of its own. If it is far from
    # zero, hardly anything else would show in the steps, and they would end in a narrow valley.
    pays = problem.loss.quadratic or n > MANY_ROWS * d or not settings.fit_intercept
    if precondition == "standardize":
        whitens = problem.can_condense or (has_matrix and pays)
        precondition = "whiten" if whitens else "balance"
    hessian = not (problem.loss.quadratic or problem.loss.has_corners)
    parameters = {"maxcor": _pairs(n_outputs, d, problem.n_entries), "hessian": hessian}
    return (FULL_BATCH, parameters), precondition


def _pairs(n_outputs, d, entries):
    """How many pairs L-BFGS keeps, with so many features and entries of X."""
    some = min(entries // (PAIR_ENTRIES * d), SOME_PAIRS)
    return min(max(PAIR_NUMBERS // (n_outputs * d), some, FEWEST_PAIRS), MOST_PAIRS)


def _components_pay(problem):
    """Whether to find the principal components costs less than the steps that they make short."""
    n, d, n_outputs = problem.n, problem.n_features, problem.targets.n_outputs
    # A step reads the rows, and the pairs of L-BFGS, each of which is two vectors.
    pairs = _pairs(n_outputs, d, problem.n_entries)
    step = n_outputs * (problem.n_entries + 2 * pairs * d)
    return n * n * (d + EIGENVECTORS * n) <= STEPS_SAVED * step


def check_alpha(given):
    """Raise a ValueError unless the string `given` is "auto" or a multiple of it."""
    found = MULTIPLE.fullmatch(given)
    if found is None or np.isinf(float(found["factor"] or 1)):
        raise ValueError(
            "The 'alpha' parameter must be a number that is not negative, 'auto', or a multiple "
            f"such as '10 * auto'. Got {given!r} instead."
        )


def alpha(given, automatic):
    """The strength of the penalty as a number; `automatic` is the one that "auto" names."""
    if not isinstance(given, str):
        return float(given)
    strength = float(MULTIPLE.fullmatch(given)["factor"] or 1) * automatic
    if not strength < np.inf:
        raise ValueError(
            f"alpha={given!r} needs numbers in X and y whose variances are no further apart than "
            "numbers can be. Got a strength that overflows: divide X by a constant, or give alpha "
            "as a number."
        )
    return strength


def automatic_alpha(problem, statistics, size, ratio, *, streaming=False):
    r"""The strength of the penalty that "auto" names.

    With the squared error, ridge regression of strength :math:`\alpha` has a normal prior on the
    margins (the predictions without the intercept) of the variance :math:`T \sigma^2 / (n \alpha)`,
    where :math:`\sigma^2` is the variance of the noise and T that of all features over their sizes.
    It should be the variance of the signal, so that :math:`\alpha = T / (n \rho)` with the
    signal-to-noise ratio :math:`\rho`. Another loss is a parabola with its typical curvature
    :math:`\kappa`:

    .. math:: \alpha = \kappa \, \frac{T}{n \rho}

    Where :math:`A = 4 K \rho` with K classes, or :math:`A = \rho` with numbers, is larger than T,
    the prior is wider than that of a penalty of 1/n, and :math:`\rho` is multiplied by
    :math:`(T / A)^{0.2}`: data with outliers look more certain than they are.

    Parameters
    ----------
    problem : Problem
        Rows, targets and loss.
    statistics : Statistics
        The moments of features and targets.
    size : ndarray of shape (n_features,) or float
        The sizes of the features.
    ratio : float
        The signal-to-noise ratio.
    streaming : bool
        Whether the rows of all calls count, and not their weights.

    Returns
    -------
    float
        The strength; infinite if it overflows.
    """
    features, n_outputs = statistics.features, problem.targets.n_outputs
    total = features.total if streaming else problem.n_counted
    variance = total_variance(features, inverse_sizes(features, size))
    loss, targets = problem.loss, statistics.targets
    curvature = np.asarray(curvature_of(loss, "typical_curvature", n_outputs, targets))
    n_classes = max(2, n_outputs) if problem.targets.kind == "classifier" else 0
    strongest = 4 * n_classes * ratio if n_classes else ratio
    if strongest > variance > 0:
        ratio = ratio * (variance / strongest) ** SHRINK
    return float(curvature.sum() / curvature.size) * variance / (float(total) * ratio)


def batch_size(given, optimizer, problem):
    """Rows a step, for the `batch_size` that was given."""
    n = problem.n
    if given == "auto" and (optimizer.full_batch != "optional" or n <= TINY):
        return n
    if problem.whole_batches_only:
        check_whole_batches(given, optimizer)
    if given == "auto":
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


def check_whole_batches(given, optimizer):
    """Raise a ValueError unless every step reads all rows with this `batch_size`."""
    if given == "full" or (given == "auto" and optimizer.full_batch != "optional"):
        return
    raise ValueError(
        "On a cluster every step reads all rows: batch_size must be 'full', or 'auto' with an "
        f"optimizer for full batches. Got {given!r} with {type(optimizer).__name__} instead. Use "
        "batch_size='full', or optimizer='auto' without a batch_size, learning_rate, schedule, "
        "average or precondition of your own, or train the estimator of sk_gd partition by "
        "partition with partial_fit."
    )


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
