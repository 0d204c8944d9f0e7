"""How much of the targets a linear model explains: the signal-to-noise ratio, from the evidence.

The automatic strength of the penalty is computed from it.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dormqr, dsytrd

from ..losses.checks import curvature_of
from .lanczos import by_lanczos
from .laplace import Logistic, Sample
from .second_moments import MAX_EXACT_ROWS, Covariances, has_few_rows, places
from .tridiagonal import resolvents

# Up to so many features all eigenvalues are computed.
MAX_EXACT = 256
# Otherwise the Lanczos method starts from at most so many columns of targets, and from fewer if the
# vectors of one step would have more numbers than that. Mixtures of many classes give about the
# same ratio as all of them.
COLUMNS, VECTORS = 11, 1 << 20
# Every step finds more of the signal, and the ratio has settled when it grows by no more than this
# factor.
SETTLED = 1.1
# The Lanczos steps read at most so many rows, drawn at random, and so many numbers (256 MB). To
# read all rows would take a fourth to a half as long as the training.
SAMPLED_ROWS, SAMPLED_NUMBERS = 2000, 1 << 25
# If the rows vary in many directions, two of them have little in common, and say little about each
# other. So the number of rows is at least this multiple of the root of the number of directions.
ROWS_OF_ROOT = 20
# The block size of LAPACK's routines, in columns.
WORK = 32
EPSILON = float(np.finfo(float).eps)
# The ratios that are compared.
RATIOS = 10.0 ** np.linspace(-2, 3, 51)
# The penalty is on raw coefficients if this makes the log evidence so much larger, per row. On
# texts as tf-idf it is larger by 0.05 to 0.3, on tables and on counts of words by less than 0.015.
CLEARLY = 0.025
# The same for the logistic model of two classes, which is asked if the linear one says no.
CLEARLY_LOGISTIC = 0.015


class Signal(NamedTuple):
    """What the targets say about the penalty.

    Attributes
    ----------
    ratio : float
        The signal-to-noise ratio.
    n : int
        The number of rows that it was computed from.
    in_sizes : bool
        Whether each coefficient is multiplied by the size of its feature before it is penalised.
    """

    ratio: float = 1.0
    n: int = 0
    in_sizes: bool = True


def signal_to_noise(problem, features, size):
    r"""The signal-to-noise ratio under which the targets are the most probable.

    The model is linear, :math:`y = Z w + \epsilon`, with the features Z centred and divided by
    their sizes, and normal coefficients. If T is the sum of the variances of these, the
    coefficients have the variance :math:`\rho / T` and the noise has the variance 1, in any
    unit. Then :math:`\rho` is the ratio of the variances of signal and noise. With
    the eigenvalues :math:`\lambda_j` of :math:`Z^\top Z`, the share :math:`c_j` of the variation
    of y that is along the j-th eigenvector, and :math:`d_j = \lambda_j \rho / T`, the logarithm
    of the evidence is, up to a constant,

    .. math:: -\tfrac{n-1}{2} \log\Bigl(1 - \sum_j \frac{c_j d_j}{1 + d_j}\Bigr)
        - \tfrac12 \sum_j \log(1 + d_j)

    Its maximum between 0.01 and 1000 is found on a grid. Classes count as one 0/1 column each.

    Parameters
    ----------
    problem : Problem
        Rows, targets and weights. A row of weight two counts as two rows.
    features : Moments
        The moments of the features.
    size : ndarray of shape (n_features,) or float
        The sizes.

    Returns
    -------
    float
        The ratio; 1 if there are too few rows to tell.

    References
    ----------
    MacKay, D. (1992). Bayesian interpolation. Neural Computation 4(3).
    doi:10.1162/neco.1992.4.3.415

    Golub, G. & Meurant, G. (2010). Matrices, Moments and Quadrature with Applications.
    Princeton University Press. (the Lanczos method where the matrix is large)
    """
    data = _second_moments(problem, features, size)
    return 1.0 if data is None else _settled(_refinements(problem, features, data))


def signal_in_text(problem, features, *, scaled):
    """The same for features that are mostly zero, and whether the penalty uses their sizes.

    It does if `scaled`, unless raw features make the targets clearly likelier. If the linear model
    does not say so, and there are two classes, a logistic model is asked.
    """
    if not (scaled or problem.has_two_classes):
        return signal_to_noise(problem, features, 1.0), False
    data, raw = _second_moments(problem, features, features.size), inverse_sizes(features, 1.0)
    # Otherwise products of products would not be finite.
    if data is None or not 1e-70 < total_variance(features, raw) < 1e70:
        return signal_to_noise(problem, features, features.size if scaled else 1.0), scaled
    both = [data, data.multiplied_by(raw)]
    models = [_refinements(problem, features, each) for each in both]
    (evidence, ratio), (of_raw, ratio_of_raw) = map(next, models)
    if of_raw - evidence > CLEARLY * data.total:
        return _settled(models[1], ratio_of_raw), False
    sample = Sample(data) if problem.has_two_classes else None
    if sample is not None and sample.has_both_classes():
        found = _of_two_classes(problem, features, sample, both, ratio, scaled)
        if found is not None:
            return found
    return _settled(models[0], ratio) if scaled else _settled(models[1], ratio_of_raw), scaled


def _second_moments(problem, features, size):
    """What the evidence is computed from; None if the data say too little."""
    inverse = inverse_sizes(features, size)
    # With smaller variances the ratios are not finite.
    least = problem.n_counted * 1e-290
    if not (problem.n_counted > 2 and total_variance(features, inverse) > least):
        return None
    if problem.uses_joint_moments:
        data = Covariances(problem, inverse)
    else:
        data = problem.rows_of_evidence(features, inverse)
    return None if data.scale is None else data


def _settled(refinements, before=0.0):
    """The first ratio that is hardly larger than the one before it."""
    ratio = before
    for _, ratio in refinements:
        if ratio <= SETTLED * before:
            break
        before = ratio
    return ratio


def _of_two_classes(problem, features, sample, both, ratio, scaled):
    """The signal-to-noise ratio of a logistic model, and whether the penalty uses the sizes.

    `both` are the rows with the sizes and the raw ones. `ratio` is about that of the linear model,
    with the sizes. None if it should not be larger.
    """
    # The variance of the noise of a margin is one over the typical curvature.
    curvature = np.mean(curvature_of(problem.loss, "typical_curvature", 1, None))
    found, first = [], 2.0 ** round(np.log2(ratio / curvature))
    margin = first
    for rows in both:
        model = Logistic(sample, rows, total_variance(features, rows.inverse))
        margin, evidence = model.best(margin)
        found.append((evidence, margin))
    (evidence, margin), (of_raw, margin_of_raw) = found
    if margin_of_raw == first:
        return None
    scaled = scaled and bool(of_raw - evidence <= CLEARLY_LOGISTIC)
    return float((margin if scaled else margin_of_raw) * curvature), scaled


def inverse_sizes(features, size):
    """What features are multiplied by: one over their sizes, and zero for constants."""
    return np.where(features.is_constant(), 0.0, 1.0 / size)


def total_variance(features, inverse):
    """The sum of the variances of features that are multiplied by `inverse`."""
    return float(features.variance @ (inverse * inverse))


def _maximiser(evidence):
    """The ratio at the top of the parabola through the largest value and its neighbours."""
    j = int(evidence.argmax())
    if j in (0, len(RATIOS) - 1):
        return float(RATIOS[j])
    before, top, after = evidence[j - 1 : j + 2]
    move = 0.5 * (before - after) / (before - 2 * top + after)
    return float(RATIOS[j] * (RATIOS[1] / RATIOS[0]) ** move)


def _refinements(problem, features, data):
    """Yield the largest log evidence, and the ratio that has it, ever more exactly."""
    # The second moments are means over the rows; the rows add up.
    spread = RATIOS * (data.total / total_variance(features, data.inverse))
    for explained, determinant in _explained(problem, data, spread):
        unexplained = np.maximum(1 - explained, 1e-9)
        evidence = -0.5 * (data.total - 1) * np.log(unexplained) - 0.5 * determinant
        yield evidence.max(), _maximiser(evidence)


def _explained(problem, data, spread):
    """Yield what is explained of the targets, and the log determinant, ever more exactly.

    Both are arrays with an entry for each of the `spread`, the variances of the coefficients.
    """
    # In the choice of the method, too, weights count as repeated rows.
    if problem.has_few_features:
        rest, determinant = _resolved(data.second, data.products, spread)
        yield spread * rest, determinant
    elif has_few_rows(problem):
        targets = data.targets()
        rest, determinant = _resolved(data.gram, targets, spread)
        yield np.sum(targets**2) - rest, determinant
    else:
        s = spread[:, None]
        for (values, shares), (all_values, counts) in by_lanczos(data, _mix(data)):
            explained = np.sum(shares * s / (1 + s * values), axis=1)
            yield explained, np.sum(counts * np.log1p(s * all_values), axis=1)


def _resolved(matrix, vectors, spread):
    r"""For each s of `spread` :math:`\sum_v v^\top (I + s M)^{-1} v` and :math:`\log|I + s M|`.

    The matrix M is positive semi-definite. It is made tridiagonal once, at a fifth of the cost of
    its eigenvectors.
    """
    n = len(matrix)
    reflected, diagonal, beside, scales, _ = dsytrd(matrix, lower=True, lwork=WORK * n)
    # For a direction without variance, rounding must not make a pivot negative.
    diagonal += 8 * n * EPSILON * matrix.diagonal().max()
    if n > 1:
        vectors = vectors.copy()
        size = WORK * vectors.shape[1]
        vectors[1:] = dormqr("L", "T", reflected[1:, :-1], scales, vectors[1:], size)[0]
    products, pivots = resolvents(diagonal, beside, vectors, spread)
    return products, np.log(pivots).sum(axis=0)


def n_directions(features, inverse):
    """The effective number of directions of the rows: m if there are m equal variances."""
    variance = features.variance * inverse**2
    variance /= variance.max()  # else squares may overflow
    return float(variance.sum() ** 2 / np.sum(variance**2))


def sampled_places(problem, n_directions):
    """The places, from 0 to 1, of the rows in a random sample; None if all rows are read."""
    rows = max(SAMPLED_ROWS, int(ROWS_OF_ROOT * np.sqrt(n_directions)))
    # A row of weight two is there twice.
    n_rows = max(problem.n, problem.n_counted)
    if n_rows <= rows:
        return None
    most = SAMPLED_NUMBERS * problem.n // max(problem.n_entries, 1)
    return places(min(max(most, MAX_EXACT_ROWS), rows), n_rows)


def _mix(data):
    """The matrix that mixes the columns of the targets, so that there are not too many."""
    n_columns = min(COLUMNS, max(1, VECTORS // len(data.inverse) - 1))
    mix = np.eye(len(data.scale))
    if len(mix) > n_columns:
        mix = np.random.default_rng(0).choice([-1.0, 1.0], (len(mix), n_columns))
        # Otherwise more than all of the variation could be explained.
        mix /= np.sqrt(data.variation(mix))
    return mix
