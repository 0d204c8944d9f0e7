"""Rows of X that are not copied: X as a search sees it in a split, and predictions for its rows."""

import numpy as np

from ..estimators import GDClassifier, GDRegressor
from ..estimators.regressor import predictions
from ..indices import CHUNK, chunks, n_entries, without_copy
from .sklearn_private import take_rows
from .splits import positions

# One product gives so many predictions of every row, or more if all are within a chunk.
PREDICTIONS = 4


class RowView:
    """Some rows of X, not copied, for the models of `reading_rows`.

    Parameters
    ----------
    X : ndarray or CSR matrix
        All rows.
    rows : ndarray of intp
        The rows that are viewed.
    expected : list of dict
        Attributes of the fitted models that are going to predict, in their order:
        one product serves several of them.
    y : ndarray
        The targets, or labels, of the rows.
    """

    def __init__(self, X, rows, expected, y=None):
        self.X = X
        self.shape = (len(rows), *X.shape[1:])
        self._expected = expected
        self._y = None if y is None else y[rows]
        self._scorer = None
        width = n_entries(X) // X.shape[0]
        self._chunks = [(chunk, without_copy(rows[chunk])) for chunk in chunks(len(rows), width)]
        self._known = []

    def predictions(self, coef):
        """Return the raw predictions of the model with these coefficients, the same object."""
        known = [p for each, p in self._known if each is coef]
        if known:
            return known[0]
        begin = next(i for i, each in enumerate(self._expected) if each["coef_"] is coef)
        # A product of another shape rounds differently, which single precision would show.
        several = 1
        if coef.dtype == np.float64:
            numbers = max(PREDICTIONS * self.shape[0], CHUNK)
            several = numbers // (self.shape[0] * np.size(self._expected[begin]["intercept_"]))
        self._predict(self._expected[begin : begin + max(1, several)])
        return self._known[0][1]

    def score(self, fitted, targets, loss):
        """Return what `score` of the model with these attributes returns for all rows.

        `targets` and `loss` are those of its training.
        """
        if self._scorer is None or self._scorer[0] is not targets:
            self._scorer = targets, targets.scorer(loss, targets.encode_unseen(self._y), None)
        p = self.predictions(fitted["coef_"])
        return self._scorer[1](p.reshape(len(p), -1))

    def _predict(self, fitted):
        coef = np.vstack([each["coef_"] for each in fitted])
        intercept = np.hstack([each["intercept_"] for each in fitted])
        # The predictions of each model are side by side in memory.
        p = np.empty((len(coef), self.shape[0]), dtype=coef.dtype)
        for chunk, rows in self._chunks:
            p[:, chunk] = (self.X[rows] @ coef.T).T
        p += intercept[:, None]
        self._known = [
            (each["coef_"], part.T.reshape(-1, *np.shape(each["intercept_"])))
            for each, part in zip(fitted, p.reshape(len(fitted), -1, self.shape[0]), strict=True)
        ]


class _RowClassifier(GDClassifier):
    def decision_function(self, X):
        scores = X.predictions(self.coef_)
        return scores.ravel() if scores.shape[1] == 1 else scores


class _RowRegressor(GDRegressor):
    def predict(self, X):
        return predictions(self, X.predictions(self.coef_))


# Scorers name the class of a model in their messages.
_RowClassifier.__name__ = GDClassifier.__name__
_RowRegressor.__name__ = GDRegressor.__name__

READING_ROWS = {GDClassifier: _RowClassifier, GDRegressor: _RowRegressor}


def reading_rows(model):
    """Return a fitted model with the same attributes that predicts for a `RowView`."""
    other = READING_ROWS[type(model)]()
    vars(other).update(vars(model))
    return other


class Fold:
    """X as scikit-learn sees it in one split: rows are copied only if somebody reads them.

    Parameters
    ----------
    X : array-like, sparse matrix or dataframe
        All rows.
    train, test : ndarray
        The rows of the split.
    needs_train : bool
        Whether anybody but the estimator reads the rows that train.
    is_read_only : bool
        Whether nobody changes the rows, so that all candidates can be given the same object.
    valid : ValidData or None
        X and y as the estimators read them, if nobody else reads any rows.
    """

    def __init__(self, X, train, test, needs_train, is_read_only, valid):
        self.X = X
        self.train = train
        self.test = test
        self.needs_train = needs_train
        self.is_read_only = is_read_only
        # Without test rows, or with rows that are not integers, scikit-learn is to raise its own
        # error.
        integers = train.dtype.kind in "biu" and test.dtype.kind in "biu"
        self.valid = valid if integers and len(positions(test)) else None
        self.shape = X.shape if hasattr(X, "shape") else (len(X),)
        # Stands for the rows that train if nobody reads them.
        self.unseen = train[:0]
        self.expected = []
        self._taken = {}

    def __getitem__(self, key):
        rows = key[0] if isinstance(key, tuple) else key
        return self if rows is self.unseen else self.take(rows)

    def take(self, rows):
        """Return these rows of X, which are `train` or `test`."""
        name = "train" if rows is self.train else "test"
        if name in self._taken:
            return self._taken[name]
        taken = (
            take_rows(self.X, rows)
            if self.valid is None
            else RowView(self.valid.X, positions(rows), self.expected, self.valid.y)
        )
        if self.is_read_only:
            self._taken[name] = taken
        return taken
