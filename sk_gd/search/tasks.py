"""One fit of a search: whether and with which others it can be shared, and its result."""

import math
import time
import warnings

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from ..estimators import GDClassifier, GDRegressor
from ..parameters import fingerprint, requests
from ..training.callbacks import has_callbacks
from .lanes import OF_A_LANE, reason_not_shared
from .rows import READING_ROWS, reading_rows


class Task:
    """One fit: a candidate on a split.

    Parameters
    ----------
    call : FitCall
        What scikit-learn asks for.

    Attributes
    ----------
    result : dict or None
        What scikit-learn expects, once the fit has been shared.
    reason : str or None
        Why it has not been shared.
    """

    def __init__(self, call):
        self.call = call
        self.estimator = call.estimator
        self.result = None
        self.reason = None

    @property
    def model(self):
        """The GD estimator itself."""
        return self.estimator.steps[-1][1] if self.is_pipeline else self.estimator

    @property
    def is_pipeline(self):
        """Whether there are transformers before it."""
        return isinstance(self.estimator, Pipeline)

    @property
    def _told_when_to_stop(self):
        """Whether the candidate has a `max_iter` for the model: it is to stop there."""
        prefix = f"{self.estimator.steps[-1][0]}__" if self.is_pipeline else ""
        return f"{prefix}max_iter" in self.call.parameters

    def set_parameters(self):
        """Set the parameters of the candidate."""
        self.estimator.set_params(**clone(self.call.parameters, safe=False))

    def reason_not_shared(self):
        """Return why the fit cannot be shared, or None if it can."""
        if get_config()["array_api_dispatch"]:
            return "array_api_dispatch is on"
        if self.is_pipeline and has_callbacks(self.estimator):
            return "Pipeline has callbacks, which are told of every fit"
        if self.is_pipeline and self.estimator.verbose:
            return f"verbose={self.estimator.verbose!r} of Pipeline reports every fit"
        if self.is_pipeline and type(self.estimator).fit is not Pipeline.fit:
            return f"{type(self.estimator).__name__} has a fit of its own"
        if get_tags(self.estimator).input_tags.pairwise:
            return "X is a matrix of pairs of rows"
        return reason_not_shared(self.model)

    def model_key(self):
        """Return a key that is the same for models that can be lanes of one pass."""
        parameters = self.model.get_params(deep=False)
        return type(self.model), fingerprint(without(parameters, OF_A_LANE))

    def transformers_key(self):
        """Return a key that is the same for pipelines that differ in the last step only."""
        parameters = self.estimator.get_params(deep=False)
        parameters["steps"] = parameters["steps"][:-1]
        # The requests of the last step decide what its fit is given, which must be the same.
        return type(self.estimator), fingerprint(parameters), requests(self.model)

    def only_predicts(self):
        """Tell whether the scorers do nothing with X but have the estimator predict."""
        score_is_known = type(self.model).score in (GDClassifier.score, GDRegressor.score) and (
            not self.is_pipeline or type(self.estimator).score is Pipeline.score
        )
        return self.call.only_predicts(score_is_known) and not self.call.has_callbacks

    def predicts_rows(self):
        """Tell whether X is only handed back to the model itself, which predicts."""
        return type(self.estimator) in READING_ROWS and self.only_predicts()

    def deliver(self, fold, outcome, steps, targets, loss):
        """Score what the pass has made of this candidate, or have scikit-learn score it.

        Parameters
        ----------
        fold : Fold
            Stands for X.
        outcome : Outcome
            The result of its training.
        steps : list or None
            The fitted transformers before the model.
        targets : RealTargets or ClassTargets
            What y is, in the rows that train.
        loss : Loss
            The loss.
        """
        # In single precision scikit-learn's scores are rounded otherwise.
        is_double = fold.valid is not None and fold.valid.X.dtype == np.float64
        if is_double and outcome.error is None and self.call.only_scores():
            began = time.perf_counter()
            rows = fold.take(fold.test)
            score = rows.score(outcome.attributes, targets, loss)
            if math.isfinite(score):  # if not, scikit-learn warns or raises
                seconds = time.perf_counter() - began
                warn_of(outcome, self._told_when_to_stop, stacklevel=2)
                self.result = self.call.result(score, rows.shape[0], outcome.seconds, seconds)
                return
        train = fold.train if fold.needs_train else fold.unseen

        def adopt():
            return self._adopt(fold, outcome, steps)

        self.result = self.call.score(adopt, fold, train, fold.test)
        self.result["fit_time"] += outcome.seconds

    def _adopt(self, fold, outcome, steps):
        """Return the estimator as if it had been fitted alone, or raise its error."""
        if outcome.error is not None:
            raise outcome.error.with_traceback(None)
        warn_of(outcome, self._told_when_to_stop, stacklevel=5)
        if self.is_pipeline:
            self.estimator.set_params(steps=[*steps, self.estimator.steps[-1]])
        vars(self.model).update(outcome.attributes)
        return self.estimator if fold.valid is None else reading_rows(self.estimator)


def warn_of(outcome, told_when_to_stop, stacklevel):
    """Warn if the training of a candidate has not settled, unless it was told when to stop."""
    if outcome.convergence_message is not None and not told_when_to_stop:
        warnings.warn(outcome.convergence_message, ConvergenceWarning, stacklevel=stacklevel)


def without(parameters, names):
    """Return the parameters except those with these names."""
    return {name: value for name, value in parameters.items() if name not in names}
