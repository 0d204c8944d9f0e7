"""The fits of a search: candidates on folds, trained in shared rounds and scored by the workers."""

import contextlib
import functools
import traceback
from dataclasses import dataclass, field

from ..estimators.settings import draw_seed
from ..parameters import fingerprint
from ..search.lanes import OF_A_LANE, Candidate, Outcome, Pass
from ..search.tasks import without
from .folds import Folding, score_of, score_rows, training_parts
from .posing import checked_for, describe_all, pose_all, shared_by_all
from .predicting import plain_of
from .rounds import FitParts, SharedRounds

# Runs beyond that number share threads.
MOST_THREADS = 256
# The attributes that a model needs to predict. The curves of its training would be longer to send.
PREDICTING = ("coef_", "intercept_", "classes_")


@dataclass
class Trial:
    """A candidate on a fold.

    Attributes
    ----------
    model : estimator
        With the parameters of the candidate.
    settings : Settings or Exception
        The same, checked, or what is wrong with it.
    fold : int
        The position of the fold.
    outcome : Outcome
        The result of its training.
    test_scores, train_scores : list
        The scores of the rows that test, and of those that train. An error stands for a score
        that cannot be computed.
    """

    model: object
    settings: object
    fold: int
    outcome: Outcome | None = None
    test_scores: list = field(default_factory=list)
    train_scores: list = field(default_factory=list)

    @property
    def is_trained(self):
        """Whether there is a model."""
        return self.outcome.error is None

    def key(self):
        """A key that is the same for trials that can be lanes of one pass."""
        parameters = without(self.model.get_params(deep=False), OF_A_LANE)
        return self.fold, fingerprint(without(parameters, {"client", "persist"}))

    def fitted(self):
        """The model, as a worker needs it to predict."""
        model, attributes = plain_of(self.model), self.outcome.attributes
        vars(model).update({name: attributes[name] for name in PREDICTING if name in attributes})
        return model

    def result(self, names, error_score, seconds, return_train_score):
        """What scikit-learn expects of a fit; `names` are those of the scores."""
        result = dict(zip(("fit_time", "score_time"), seconds, strict=True))
        result["fit_error"] = None
        if not self.is_trained:
            result["fit_error"] = "".join(traceback.format_exception_only(self.outcome.error))
        for kind in kinds(return_train_score):
            scores = getattr(self, kind) if self.is_trained else [error_score] * len(names)
            scores = [error_score if isinstance(each, Exception) else each for each in scores]
            several = dict(zip(names, scores, strict=True))
            result[kind] = scores[0] if names == ["score"] else several
        return result


def kinds(return_train_score):
    """The attributes of a trial that have its scores."""
    return ["test_scores", "train_scores"] if return_train_score else ["test_scores"]


class FoldRows:
    """What the candidates of a fold learn from: see `TrainingSet`.

    Parameters
    ----------
    rows : FitParts
        Validated partitions, with the rows that train.
    like : Description
        Type, format and features of X.
    """

    def __init__(self, rows, like):
        self.rows = rows
        self.like = like
        self.seen = like.seen
        self._problem = None

    def pose(self, settings):
        """The problem that the rows pose."""
        if self._problem is None:
            _, described = describe_all(self.rows, settings.kind, is_robust=settings.loss.robust)
            shared = shared_by_all(settings, None, self.like, described)
            self._problem = pose_all(self.rows, shared, self.like, described)
        return self._problem


def train_all(trials, rows, folding, like):
    """Train all trials in the same rounds; how many rounds there were.

    Parameters
    ----------
    trials : list of Trial
        They get their outcomes.
    rows : Partitions
        Validated partitions.
    folding : Folding
        How their rows are divided into folds.
    like : Description
        Type, format and features of X.
    """
    alike = {}
    for trial in trials:
        if isinstance(trial.settings, Exception):
            trial.outcome = Outcome(error=trial.settings)
        else:
            alike.setdefault(trial.key(), []).append(trial)
    if not alike:
        return 0
    rounds = SharedRounds()
    parts = rows.then(training_parts, folding, like.dtype)
    with contextlib.closing(parts), contextlib.closing(rounds):
        beginnings = []
        for (fold, _), together in alike.items():
            data = FoldRows(FitParts(rounds, parts, fold), like)
            # Threads would draw from a generator in any order.
            seed = draw_seed(together[0].settings.random_state)
            candidates = [trial.settings._replace(random_state=seed) for trial in together]
            beginnings.append(functools.partial(_begin, candidates, data))
        passes = rounds.run(beginnings)
        _train_runs(rounds, [each for each in passes if isinstance(each, Pass)])
    for together, each in zip(alike.values(), passes, strict=True):
        for i, trial in enumerate(together):
            trial.outcome = _outcome(each, i)
    return rounds.n_rounds


def _begin(candidates, data):
    """The pass of candidates, ready to train, or an error."""
    try:
        found = Pass([Candidate(each) for each in candidates], data, resumable=False)
        found.fetch_samples()
        return found
    except Exception as error:
        return error


def _train_runs(rounds, passes):
    """Train the runs of all passes, each in a thread of its own unless there are too many.

    A run that asks for more evaluations than others then does not hold them up.
    """
    count = sum(len(each.settings) for each in passes)
    together = max(1, -(-count // MOST_THREADS))
    rounds.run([training for each in passes for training in each.trainings(together)])


def _outcome(shared, i):
    """The result of the training of the i-th candidate of a pass."""
    if isinstance(shared, Exception):
        return Outcome(error=shared)
    return shared.outcomes[i] or Outcome(error=shared.errors[i])


def score_all(trials, rows, folding, scores, return_train_score):
    """Score all trained trials, in one round.

    Parameters
    ----------
    trials : list of Trial
        They get their scores.
    rows : Partitions
        Validated partitions.
    folding : Folding
        How their rows are divided into folds.
    scores : list of str
        The names of the scores.
    return_train_score : bool
        Whether the rows that train are scored, too.
    """
    by_fold = [[] for _ in folding.numbers]
    for trial in trials:
        if trial.is_trained:
            by_fold[trial.fold].append(trial)
    models = [[trial.fitted() for trial in together] for together in by_fold]
    for kind in kinds(return_train_score):
        answers = rows.ask(score_rows, folding, models, scores, kind == "train_scores")
        for fold, together in enumerate(by_fold):
            for i, trial in enumerate(together):
                of_parts = [answer[fold][i] for answer in answers if answer and answer[fold]]
                found = [
                    score_of(name, [sums[k] for sums in of_parts]) for k, name in enumerate(scores)
                ]
                setattr(trial, kind, found)


def score_collections(model, name, X, y):
    """The score of a fitted model, by its name, on collections."""
    rows = checked_for(model, X, y, None)
    every = Folding((0,), 0, stratified=False)  # a single fold tests all rows
    answers = rows.ask(score_rows, every, [[model.to_local()]], [name], False)
    score = score_of(name, [answer[0][0][0] for answer in answers if answer])
    if isinstance(score, Exception):
        raise score
    return score
