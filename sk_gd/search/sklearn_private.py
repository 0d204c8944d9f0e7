"""All private names of scikit-learn that the searches use: the file to edit if one changes.

* `BaseSearchCV.fit` makes one `Parallel` with the `pre_dispatch` of the search, calls
  `_run_search` with a function that evaluates candidates on the splits of a splitter (by default
  `_checked_cv_orig`), and makes a call of `_fit_and_score` for each candidate and split. The
  searches change only how these calls are done.
* `_fit_and_score` sets the parameters of an estimator, fits it and calls a scorer
  (`_MultimetricScorer` for several, `_Scorer` for a metric, `_PassthroughScorer` for
  the estimator's own `score`).
* `_fit_and_score` takes the rows `train` and `test`, the same objects as it was given,
  from X by ``X[rows, ...]``: `rows.Fold` depends on it.
* `_safe_indexing` and `_check_method_params` take rows from data of any kind.
* `BaseSearchCV` checks scorers (`_get_scorers`), makes ``cv_results_`` of what
  `_fit_and_score` returns (`_format_results`), and chooses the best (`_select_best_index`).
"""

import functools
import inspect

import numpy as np
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics._scorer import _MultimetricScorer, _PassthroughScorer, _Scorer
from sklearn.model_selection._validation import (
    _fit_and_score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils._indexing import _safe_indexing
from sklearn.utils.validation import _check_method_params

from ..training.callbacks import has_callbacks
from .splits import Packed, PackedSplits


class PackedSplitsMixin:
    """A search that keeps its splits packed."""

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        evaluate = functools.partial(evaluate_candidates, cv=PackedSplits(self._checked_cv_orig))
        super()._run_search(evaluate, callback_ctx=callback_ctx)


class ScoredElsewhereMixin:
    """A search whose fits are done, and scored, by other means than scikit-learn's."""

    def _finish(self, candidates, fits):
        """Set the results of a search, except for what the last fit gives.

        Parameters
        ----------
        candidates : list of dict
            Parameters.
        fits : list of dict
            What `_fit_and_score` would return, for each candidate and split.
        """
        scorers, metric = self._get_scorers()
        _warn_or_raise_about_fit_failures(fits, self.error_score)
        self.cv_results_ = self._format_results(candidates, self.n_splits_, fits)
        self.multimetric_ = isinstance(scorers, _MultimetricScorer)
        self.scorer_ = scorers._scorers if self.multimetric_ else scorers
        if self.refit or not self.multimetric_:
            best = self._select_best_index(self.refit, metric, self.cv_results_)
            self.best_index_ = best
            self.best_params_ = candidates[best]
            if not callable(self.refit):
                self.best_score_ = self.cv_results_[f"mean_test_{metric}"][best]


def is_fit_of(search, function, options):
    """Tell whether a call, by joblib, of `function` is a fit that `search` asks for."""
    return inspect.unwrap(function) is _fit_and_score and options.get("caller") is search


def with_indices(options):
    """Return the options of a fit with indices in place of packed rows."""
    rows = {name: each for name, each in options.items() if isinstance(each, Packed)}
    return options | {name: np.asarray(each) for name, each in rows.items()}


class FitCall:
    """A fit that a search asks for: a candidate on a split, to be fitted and scored.

    Parameters
    ----------
    arguments : tuple
        Estimator, X and y.
    options : dict
        All other arguments of `_fit_and_score`.

    Attributes
    ----------
    estimator : estimator
        A clone for this fit only, before the parameters of the candidate are set.
    X, y : array-like
        All rows of the search.
    parameters : dict
        Parameters of the candidate.
    candidate, split : int
        Position of the candidate, and of the split, among all.
    train, test : ndarray
        The rows of the split.
    """

    def __init__(self, arguments, options):
        self.estimator, self.X, self.y = arguments
        self.parameters = options["parameters"]
        self.candidate = options["candidate_progress"][0]
        self.split = options["split_progress"][0]
        self._options = options

    @property
    def train(self):
        return np.asarray(self._options["train"])

    @property
    def test(self):
        return np.asarray(self._options["test"])

    @property
    def is_verbose(self):
        """Whether the search is to print what it does."""
        return self._options["verbose"] > 0

    @property
    def has_callbacks(self):
        """Whether the search has callbacks, which are given the rows that train."""
        return has_callbacks(self._options["caller"])

    @property
    def scores_train(self):
        """Whether the rows that train are scored, too."""
        return self._options["return_train_score"]

    def fit_parameters(self, rows):
        """Return what `fit` is given besides X and y, for these rows."""
        return _check_method_params(self.X, params=self._options["fit_params"] or {}, indices=rows)

    def only_predicts(self, score_is_known):
        """Tell whether the scorers do nothing with X but have the estimator predict.

        `score_is_known` says so of the estimator's own `score`.
        """
        scorer = self._options["scorer"]
        scorers = scorer._scorers.values() if isinstance(scorer, _MultimetricScorer) else [scorer]
        return all(
            isinstance(each, _Scorer) or (isinstance(each, _PassthroughScorer) and score_is_known)
            for each in scorers
        )

    def only_scores(self):
        """Tell whether the score is the estimator's own, of the test rows, without weights.

        scikit-learn is to report every fit itself if the search is that verbose.
        """
        options = self._options
        return (
            isinstance(options["scorer"], _PassthroughScorer)
            and not options["score_params"]
            and not options["return_train_score"]
            and options["verbose"] < 2
        )

    def result(self, score, n_rows, fit_time, score_time):
        """Return what `_fit_and_score` returns of a fit with this score of so many rows."""
        return {
            "fit_error": None,
            "test_scores": score,
            "n_test_samples": n_rows,
            "fit_time": fit_time,
            "score_time": score_time,
        }

    def score(self, adopt, X, train, test):
        """Have scikit-learn score a model that has been trained elsewhere.

        Parameters
        ----------
        adopt : callable
            Called where the estimator would be fitted; returns the fitted one, or
            raises the error of its training.
        X : object
            Stands for X; is indexed by `train` and by `test`.
        train, test : ndarray
            The rows of the split.

        Returns
        -------
        dict
            What `_fit_and_score` returns, and the search expects.
        """
        scorer = self._options["scorer"]
        several = isinstance(scorer, _MultimetricScorer)
        scorer = (_ScorersOfAdopted if several else _ScorerOfAdopted)(scorer)
        options = self._options | {"train": train, "test": test, "scorer": scorer}
        return _fit_and_score(_Adopting(self.estimator, adopt), X, self.y, **options)


class _Adopting(CallbackSupportMixin):
    """Stands for an estimator in `_fit_and_score`; its `fit` adopts a model trained elsewhere.

    The mixin takes the callbacks that a search hands on to its estimator. They are
    told nothing: there is no fit of its own.
    """

    def __init__(self, estimator, adopt):
        self._estimator = estimator
        self._adopt = adopt

    def set_params(self, **parameters):
        self._estimator.set_params(**parameters)
        return self

    def fit(self, X, y=None, **parameters):
        self.adopted = self._adopt()
        return self

    def __sklearn_tags__(self):
        return self._estimator.__sklearn_tags__()


class _ScorerOfAdopted:
    """A scorer that is given the model itself, not its stand-in."""

    def __init__(self, scorer):
        self._scorer = scorer

    def __call__(self, adopting, *arguments, **parameters):
        return self._scorer(adopting.adopted, *arguments, **parameters)

    def __repr__(self):
        return repr(self._scorer)


class _ScorersOfAdopted(_ScorerOfAdopted, _MultimetricScorer):
    """Several scorers that are given the model itself; known to scikit-learn as several."""

    def __init__(self, scorer):
        super().__init__(scorer)
        self._scorers = scorer._scorers


def take_rows(X, rows):
    """Return these rows of an array, a sparse matrix, a dataframe or a list."""
    return _safe_indexing(X, rows)
