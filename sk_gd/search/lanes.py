"""One pass over the data for many candidates: each is trained as a lane, side by side."""

import copy
import functools
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..estimators import GDClassifier, GDRegressor
from ..estimators.base import GDEstimator
from ..estimators.fitting import automatic_alpha, penalty_of, set_up, shared_strength
from ..estimators.posing import pose, targets_of
from ..estimators.publishing import convergence_message, fitted_attributes
from ..estimators.settings import MOMENTS, draw_seed, with_optimizer
from ..estimators.validation import ValidData, check_weight
from ..indices import n_entries
from ..objectives.gram import worth_condensing
from ..objectives.moments import observe
from ..parameters import fingerprint
from ..schedules import Schedule
from ..threads import one_blas_thread
from ..training.callbacks import has_callbacks
from ..training.divergence import Change, ended_above
from ..training.epochs import train
from ..training.run import Run
from .strengths import Path

# The parameters in which two candidates of one pass may differ. Every other parameter decides
# which rows are read, in which order, or what an epoch is.
OF_A_LANE = frozenset(
    [
        "optimizer",
        "learning_rate",
        "schedule",
        "alpha",
        "l1_ratio",
        "average",
        "max_iter",
        "tol",
        "n_iter_no_change",
    ]
)


# Rows of X with no more entries (8 MB of float64) are copied: every pass over the rows of a split
# is then as fast as over all of X.
COPIED = 1 << 20


def reason_not_shared(model):
    """Return why the fits of a model cannot be shared, or None if they can."""
    if not isinstance(model, GDEstimator):
        return f"{type(model).__name__} is neither a GDRegressor nor a GDClassifier"
    if type(model).fit not in (GDRegressor.fit, GDClassifier.fit):
        return f"{type(model).__name__} has a fit of its own"
    if has_callbacks(model):
        return f"{type(model).__name__} has callbacks, which are told of every fit"
    if model.verbose:
        return f"verbose={model.verbose!r} of {type(model).__name__} reports every fit"
    return None


class TrainingSet(NamedTuple):
    """What the candidates of a pass learn from.

    Attributes
    ----------
    X, y : ndarray or CSR matrix, ndarray
        Validated data.
    rows : ndarray of intp or None
        The rows that train; None for all.
    sample_weight : array-like or None
        Weights of the rows that train.
    seen : dict
        The fitted attributes that the validation of X gave.
    moments : callable or None
        Given the targets, returns their joint moments with the features, or None.
    """

    X: object
    y: np.ndarray
    rows: np.ndarray | None
    sample_weight: object
    seen: dict
    moments: object = None

    def pose(self, settings):
        """The problem that the data pose."""
        X, rows = self.X, self.rows
        y = self.y if rows is None else self.y[rows]
        targets = targets_of(settings, y)
        read_once = settings.loss.quadratic and worth_condensing(
            len(y), X.shape[1] + targets.n_outputs, sparse=sp.issparse(X)
        )
        if rows is not None and not read_once and n_entries(X) <= COPIED:
            X, rows = X[rows], None
        given = ValidData(X, y, check_weight(self.sample_weight, y))
        problem = pose(settings, targets, given, rows=rows)
        if self.moments is not None and problem.weight is None and problem.n == len(y):
            problem.known_moments = self.moments(problem.targets)
        return problem


@dataclass
class Outcome:
    """The result of the training of a candidate.

    Attributes
    ----------
    attributes : dict or None
        The fitted attributes, unless there was an error.
    convergence_message : str or None
        The text of a warning, if there is one.
    error : Exception or None
        The error to raise.
    seconds : float
        The candidate's share in the time of the pass.
    """

    attributes: dict | None = None
    convergence_message: str | None = None
    error: Exception | None = None
    seconds: float = 0.0


class Candidate:
    """A candidate, on any split.

    Parameters
    ----------
    settings : Settings
        Its parameters.
    """

    def __init__(self, settings):
        self.settings = settings
        # The estimators themselves differ in every parameter.
        values = settings._replace(estimator=None)
        self._values = dict(zip(values._fields, map(fingerprint, values), strict=True))
        self._keys = {}

    def key_without(self, name):
        """Return a key that is the same for candidates that differ in this parameter only."""
        if name not in self._keys:
            self._keys[name] = tuple((self._values | {name: None}).values())
        return self._keys[name]

    def run_key(self):
        """Return a key that is the same for those that may be one run, or runs of one path."""
        may_follow = self.settings.optimizer == "auto" and self.settings.tol is not None
        omitted = ("max_iter", "alpha") if may_follow else ("max_iter",)
        return tuple((self._values | dict.fromkeys(omitted)).values())


class Pass:
    """One pass over the data for candidates that differ only in what lanes may differ in.

    Candidates that differ in `max_iter` only are one run, if the schedule allows it: the
    run of a shorter one is the beginning of the run of a longer one.

    Parameters
    ----------
    candidates : list of Candidate
        The candidates.
    data : TrainingSet
        What they learn from.
    resumable : bool
        Whether anybody may continue to train the models.
    """

    @one_blas_thread
    def __init__(self, candidates, data, resumable):
        self.seen = data.seen
        self.resumable = resumable
        self.outcomes = [None] * len(candidates)
        first = candidates[0].settings
        # A copy: drawing from it changes it, and the other splits draw the same.
        first = first._replace(random_state=copy.deepcopy(first.random_state))
        self._candidates = candidates
        self.problem = data.pose(first)
        self.settings = self._with_optimizers(candidates)
        needed = max((each.moments for each in self.settings), key=MOMENTS.index)
        statistics = observe(self.problem, needed)
        seed = draw_seed(first.random_state)
        # For each run, by its id, the indices of the candidates that it serves.
        self._served = {}
        # For each `Data`, by its id, the data and the runs on them.
        self._groups = {}
        # Of runs that differ in the penalty only, by their key, the strength "auto"; and, by the
        # strength that their coordinates are for as well, the first of them and its data.
        self._automatic, self._first = {}, {}
        # Why candidates cannot be trained here, by their index: they are fitted by themselves,
        # which reports the error.
        self.errors = {}
        for twins in self._twins():
            try:
                self._assign(twins, seed, statistics)
            except Exception as error:
                self.errors |= dict.fromkeys(twins, error)

    def _with_optimizers(self, candidates):
        """The settings of all candidates, with an instance in place of ``optimizer="auto"``."""
        chosen, settings = {}, []
        for each in candidates:
            key = each.key_without("alpha"), each.settings.has_corner
            if key not in chosen:
                chosen[key] = with_optimizer(each.settings, self.problem)
            settings.append(chosen[key]._replace(alpha=each.settings.alpha))
        return settings

    def _twins(self):
        """Lists of candidates, by index, that differ in `max_iter` only; the longest first."""
        found = {}
        for i, each in enumerate(self._candidates):
            found.setdefault(each.key_without("max_iter"), []).append(i)
        return [sorted(twins, key=lambda i: -self.settings[i].max_iter) for twins in found.values()]

    def _assign(self, twins, seed, statistics):
        """Give each of the twins a run; one run serves as many as it can."""
        run = data = None
        for i in twins:
            settings = self.settings[i]
            if run is None or not schedule_starts_alike(
                run.config, settings.max_iter, data.n_batches
            ):
                run, data = self._set_up(i, seed, statistics)
                self._groups.setdefault(id(data), (data, []))[1].append(run)
            self._served.setdefault(id(run), []).append(i)

    def _set_up(self, i, seed, statistics):
        """A run for the i-th candidate, and the data to train it on."""
        settings, key = self.settings[i], self._candidates[i].key_without("alpha")
        # With "auto" the data may choose a penalty on raw coefficients, with a number they do not.
        key = key, isinstance(settings.alpha, str)
        # If the coordinates are the same for all strengths, so is everything else.
        alike = settings.shares_coordinates and settings.scale_penalty
        if alike and key in self._automatic:
            automatic = self._automatic[key]
            first = self._first.get((key, shared_strength(settings, self.problem, automatic)))
            if first is not None:
                run, data = first
                return run.with_penalty(penalty_of(settings, automatic)), data
        run = Run(seed, statistics)
        data = set_up(run, settings, self.problem)
        if alike and settings.optimizer.default_rate == "own":
            size = run.coordinates.feature_size
            automatic = automatic_alpha(settings, self.problem, statistics, size, run.signal.ratio)
            self._automatic[key] = automatic
            strength = shared_strength(settings, self.problem, automatic)
            self._first[key, strength] = run, data
        return run, data

    def fetch_samples(self):
        """Get the samples that runs in several threads would otherwise get one by one."""
        for data, runs in self._groups.values():
            if any(self._settings_of(run).optimizer.sample_steps for run in runs):
                data.sample()

    def _settings_of(self, run):
        """The settings of the first candidate of a run, for which it trains the longest."""
        return self.settings[self._served[id(run)][0]]

    @one_blas_thread
    def train(self, begin_epoch):
        """An `Outcome` for every candidate; None for one that must be fitted alone."""
        began = time.perf_counter()
        for data, runs in self._groups.values():
            paths, others = self._paths(runs)
            if others:
                self._train_together(data, others, begin_epoch)
            for path in paths:
                self._train_path(data, path, begin_epoch)
        seconds = (time.perf_counter() - began) / len(self.settings)
        for outcome in self.outcomes:
            if outcome is not None:
                outcome.seconds = seconds
        return self.outcomes

    def trainings(self, together, begin_epoch=None):
        """Functions that train all runs when each has been called, `together` runs in a call."""
        return [
            functools.partial(self._train, data, runs[begin : begin + together], begin_epoch)
            for data, runs in self._groups.values()
            for begin in range(0, len(runs), together)
        ]

    def _paths(self, runs):
        """Lists of runs that are trained in turn, and those that are trained side by side.

        Each list is a regularization path: runs that differ in the strength of a ridge penalty
        only, from the strongest. Runs that stop at their minimum may begin near that of the run
        before, and with its curvature. If the slope of the loss is bounded, the curvature says too
        little about that elsewhere. In raw coordinates, or in those of features that are not
        centred, the curvature may differ by many powers of ten: the pairs of L-BFGS do not say how
        near a minimum is.
        """
        paths, others = {}, []
        for run in runs:
            served, config, settings = self._served[id(run)], run.config, self._settings_of(run)
            if (
                settings.optimizer.can_follow
                and settings.precondition is not None
                and settings.fit_intercept
                and not self.problem.loss.robust
                and config.tol is not None
                and not config.validated
                and len(served) == 1
            ):
                key = self._candidates[served[0]].key_without("alpha")
                paths.setdefault(key, []).append(run)
            else:
                others.append(run)
        for path in paths.values():
            path.sort(key=lambda run: -run.config.penalty.alpha)
        return list(paths.values()), others

    def _train_path(self, data, runs, begin_epoch):
        """Train runs, in turn."""
        first = self._settings_of(runs[0])
        path = Path(data, first.optimizer, len(runs), first.max_iter)
        for run in runs:
            path.begin(run)
            self._train_together(data, [run], begin_epoch)
            path.end(run)

    def _begin(self, runs):
        for run in runs:
            if run.lane is None:
                run.begin(self._settings_of(run).optimizer)

    @one_blas_thread
    def _train(self, data, runs, begin_epoch):
        self._train_together(data, runs, begin_epoch)

    def _train_together(self, data, runs, begin_epoch):
        """Train runs side by side."""
        self._begin(runs)
        # The runs share it if it draws the orders of the rows.
        generator = runs[0].generator if data.shuffle else None

        def end_epoch(active):
            for run in active:
                for i in self._served[id(run)]:
                    more = self.settings[i].max_iter - run.history.n_epochs
                    if more == 0 or (more > 0 and run.is_settled):
                        self._finish(i, run, data, generator, unfinished=not run.is_settled)

        try:
            train(
                runs,
                data,
                epochs=[self._settings_of(run).max_iter for run in runs],
                held_out=self.problem.held_out,
                begin_epoch=begin_epoch,
                end_epoch=end_epoch,
            )
        except Exception as error:
            for run in runs:
                self.errors |= dict.fromkeys(self._served[id(run)], error)
            return
        for run in runs:
            for i in self._served[id(run)]:
                if self.outcomes[i] is None:
                    self._finish(i, run, data, generator, unfinished=False)

    def _finish(self, i, run, data, generator, *, unfinished):
        outcome = self.outcomes[i] = Outcome(error=run.error)
        if outcome.error is not None:
            return
        automatic = self.settings[i].learning_rate == "auto"
        change = Change(run, data, automatic=automatic)
        if change.is_divergence:
            outcome.error = ended_above(change, run, data)
            return
        outcome.attributes = fitted_attributes(run, self.problem, data, self.seen)
        outcome.convergence_message = convergence_message(run, self.settings[i], change, unfinished)
        if self.resumable:
            resumed = outcome.attributes["_run"] = run.copy()
            if generator is not None:
                resumed.generator = copy.deepcopy(generator)


def schedule_starts_alike(config, epochs, n_batches):
    """Whether the first `epochs` of a run have the learning rates of a run with that `max_iter`."""
    schedule, horizon = config.schedule, config.horizon
    time = np.arange(epochs * n_batches) / n_batches
    # A schedule that reacts to the loss may also use the horizon, later.
    return type(schedule).after is Schedule.after and np.array_equal(
        schedule(time, horizon), schedule(time, epochs)
    )
