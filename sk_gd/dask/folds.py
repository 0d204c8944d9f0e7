"""What a worker does for a search: splits a partition into folds, and scores models on its rows."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import get_scorer, log_loss

from .. import losses
from ..estimators.validation import ValidData
from ..search.rows import RowView, reading_rows
from ..targets import RealTargets
from .partition import Partition
from .rounds import Fits

# The scores of the estimators.
DEFAULT = {"regressor": "r2", "classifier": "accuracy"}
# Scores that are means over rows: those of parts of the rows make that of all.
MEANS = {
    "regressor": (
        "neg_mean_squared_error",
        "neg_mean_absolute_error",
        "neg_mean_poisson_deviance",
        "neg_mean_gamma_deviance",
    ),
    "classifier": ("accuracy", "neg_log_loss"),
}


class Folding(NamedTuple):
    """How rows are divided into folds.

    Attributes
    ----------
    numbers : tuple of int
        The numbers of the folds, sorted.
    seed : int
        Seeds the draw, unless the rows bring their numbers.
    stratified : bool
        Whether the folds have equal shares of every class.
    """

    numbers: tuple
    seed: int
    stratified: bool

    def tested_by(self, partition):
        """For every row of a partition the position of the fold that tests it; -1 for none."""
        if partition.tested_by is not None:
            found = np.searchsorted(self.numbers, partition.tested_by)
            return np.where(partition.tested_by < 0, -1, found)
        y, k = partition.given.y, len(self.numbers)
        generator = np.random.default_rng([self.seed, partition.index])
        order = generator.permutation(len(y))
        if self.stratified:
            order = order[np.argsort(y[order], kind="stable")]
        found = np.empty(len(y), dtype=np.intp)
        # Small partitions do not all begin with the first fold.
        found[order] = (np.arange(len(y)) + generator.integers(k)) % k
        return found


def numbers_of_folds(partition):
    """The numbers of the folds that a partition brings."""
    return [] if partition.tested_by is None else np.unique(partition.tested_by).tolist()


def training_parts(partition, folding, dtype):
    """The partition as each of the folds sees it: with the rows that train. X is not copied."""
    if partition.given is None:
        return Fits([partition] * len(folding.numbers))
    X, y, weight = partition.given
    X = X.astype(dtype, copy=False)
    tested_by = folding.tested_by(partition)
    fits = Fits()
    for fold in range(len(folding.numbers)):
        rows = np.flatnonzero(tested_by != fold)
        if len(rows) == 0:
            fits.append(Partition(partition.index))
            continue
        given = ValidData(X, y[rows], None if weight is None else weight[rows])
        every = len(rows) == len(y)
        fits.append(Partition(partition.index, given, partition.seen, rows=None if every else rows))
    return fits


def score_rows(partition, folding, models, scores, train):
    """What the scores of the models of each fold need of the rows of a partition.

    Parameters
    ----------
    partition : Partition
        The rows.
    folding : Folding
        Which of them test.
    models : list of list of estimator
        For each fold the fitted models.
    scores : list of str
        The names of the scores.
    train : bool
        Whether the rows that train are scored, and not those that test.

    Returns
    -------
    list or None
        By fold, model and score; None where no row has weight.
    """
    if partition.given is None:
        return None
    tested_by = folding.tested_by(partition)
    return [
        _score_models(partition.given, np.flatnonzero((tested_by == fold) != train), fitted, scores)
        for fold, fitted in enumerate(models)
    ]


def _score_models(given, rows, models, scores):
    if len(rows) == 0:
        return None
    view = RowView(given.X, rows, [vars(model) for model in models])
    readers = [reading_rows(model) for model in models]
    weight = np.ones(len(rows)) if given.sample_weight is None else given.sample_weight[rows]
    if not weight.any():
        return None
    return [
        [_sums(name, model, view, given.y[rows], weight) for name in scores] for model in readers
    ]


def _sums(name, model, view, y, weight):
    """What the score of a model needs of some rows, or the error of computing it."""
    try:
        if name == "r2":
            y, p = (each.reshape(len(y), -1) for each in (y, view.predictions(model.coef_)))
            return RealTargets().scored(losses.get(model.loss, "regressor"), y, p, weight)
        return _mean(name, model, view, y, weight) * weight.sum(), weight.sum()
    except Exception as error:
        return error


def _mean(name, model, view, y, weight):
    if name == "accuracy":  # scikit-learn's checks take longer than the predictions
        return np.average(model.predict(view) == y, weights=weight)
    if name == "neg_log_loss":  # a partition need not have all classes
        probabilities = model.predict_proba(view)
        return -log_loss(y, probabilities, sample_weight=weight, labels=model.classes_)
    return get_scorer(name)(model, view, y, sample_weight=weight)


def score_of(name, sums):
    """The score of all rows, from what `score_rows` gave for parts of them, or an error."""
    for each in sums:
        if isinstance(each, Exception):
            return each
    if not sums:
        return ValueError("no row of the fold has weight")
    if name == "r2":
        return RealTargets().score_of(sums)
    total, count = (sum(each) for each in zip(*sums, strict=True))
    return total / count
