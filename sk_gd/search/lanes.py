"""Many fits of the same data as one: candidates that differ in what lanes may differ in."""

import contextlib
import copy
import time
from dataclasses import dataclass

import numpy as np

from ..base import PRIVATE, GDEstimator
from ..estimators import GDClassifier, GDRegressor
from ..parameters import fingerprint
from ..schedules import Schedule
from ..training import Run, one_blas_thread, train

# What two candidates of one pass may differ in. Everything else decides what is read, in
# which order, or what an epoch is.
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


@dataclass
class Outcome:
    """What fitting a candidate came to: fitted attributes, perhaps a warning, or an error."""

    attributes: dict | None = None
    convergence_message: str | None = None
    error: Exception | None = None
    seconds: float = 0.0


def reason_not_shared(model):
    """Why the fits of `model` cannot be shared; None if they can."""
    if not isinstance(model, GDEstimator):
        return f"{type(model).__name__} is neither a GDRegressor nor a GDClassifier"
    if type(model).fit not in (GDRegressor.fit, GDClassifier.fit):
        return f"{type(model).__name__} has a fit of its own"
    if has_callbacks(model):
        return f"{type(model).__name__} has callbacks, which are told of every fit"
    if model.verbose:
        return f"verbose={model.verbose!r} of {type(model).__name__} reports every fit"
    return None


def has_callbacks(estimator):
    """Whether anybody wants to be told of its fits."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def without(parameters, names):
    """The parameters but for some."""
    return {name: value for name, value in parameters.items() if name not in names}


class Pass:
    """One pass over the data for GD estimators that differ in what lanes may differ in.

    Parameters
    ----------
    models : list of GDEstimator
        With their parameters; what they learn about the data is set.
    X, y : ndarray or CSR matrix, ndarray
        Valid data.
    rows : ndarray of intp or None
        The rows to learn from; None for all.
    sample_weight : array-like or None
        Their weights.
    learned : dict
        What the validation of X has told.
    resumable : bool
        Whether anybody may train the models on.
    """

    def __init__(self, models, X, y, rows, sample_weight, learned, resumable):
        self.models = models
        self.resumable = resumable
        self.outcomes = {}
        first = models[0]
        self.dtype = X.dtype
        parts = [model._resolve() for model in models]
        first.__dict__.update(learned)
        y = y if rows is None else y[rows]
        self.problem = first._problem(X, y, sample_weight, parts[0][1], rows)
        del y  # it is no longer needed, and may be large
        learned = learned_by(first)
        observed = Run(first._seed())
        first._observe(observed, self.problem)
        # For every run the models that it serves, and for every kind of data the runs.
        self.served = {}
        self.lanes = {}
        for twins in self._twins(parts):
            # One that cannot be trained leaves it to a fit of its own to say so.
            with contextlib.suppress(Exception):
                self._start_runs(twins, observed, learned)

    def _start_runs(self, twins, observed, learned):
        """A run for models that differ in `max_iter` only, or several."""
        run = data = None
        for model, optimizer, schedule in twins:
            model.__dict__.update(learned)
            if run is None or not foresees(run.config, model.max_iter, data.n_batches):
                run = observed.copy()
                data = model._configure(run, self.problem, optimizer, schedule)
                self.lanes.setdefault(id(data), (data, []))[1].append(run)
            self.served.setdefault(id(run), []).append(model)

    def _twins(self, parts):
        """Lists of models, with optimizer and schedule, that differ in `max_iter` only."""
        found = {}
        for model, (optimizer, _, schedule) in zip(self.models, parts, strict=True):
            key = fingerprint(without(model.get_params(deep=False), {"max_iter"}))
            found.setdefault(key, []).append((model, optimizer, schedule))
        # The longest first: the others are a part of it.
        return [sorted(twins, key=lambda twin: -twin[0].max_iter) for twins in found.values()]

    def train(self, begin_epoch):
        """An `Outcome` for every model, in their order; None for one that is to fit by itself."""
        began = time.perf_counter()
        with one_blas_thread:
            for data, runs in self.lanes.values():
                self._train(data, runs, begin_epoch)
        seconds = (time.perf_counter() - began) / len(self.models)
        for outcome in self.outcomes.values():
            outcome.seconds = seconds
        return [self.outcomes.get(id(model)) for model in self.models]

    def _train(self, data, runs, begin_epoch):
        generator = runs[0].generator

        def end_epoch(active):
            for run in active:
                for model in self.served[id(run)]:
                    more = model.max_iter - run.epochs
                    if more == 0 or (more > 0 and run.settled):
                        self._finish(model, run, not run.settled, generator)

        epochs = [self.served[id(run)][0].max_iter for run in runs]
        train(
            runs,
            data,
            epochs=epochs,
            validation=self.problem.held_out,
            begin_epoch=begin_epoch,
            end_epoch=end_epoch,
        )
        for run in runs:
            for model in self.served[id(run)]:
                if id(model) not in self.outcomes:
                    self._finish(model, run, False, generator)

    def _finish(self, model, run, unfinished, generator):
        outcome = Outcome(error=run.error)
        if run.error is None:
            outcome.attributes = learned_by(model) | model._attributes(run, self.dtype)
            outcome.convergence_message = model._complaint(run, unfinished)
            if self.resumable:
                going_on = outcome.attributes["_run"] = run.copy()
                going_on.generator = copy.deepcopy(generator)
        self.outcomes[id(model)] = outcome


def learned_by(model):
    """What a model that is not fitted knows about the data."""
    return {
        name: value
        for name, value in vars(model).items()
        if name in PRIVATE or (name.endswith("_") and not name.startswith("_"))
    }


def foresees(config, epochs, n_batches):
    """Whether a run so configured has been what one of fewer epochs is, after as many."""
    schedule, horizon = config.schedule, config.horizon
    if horizon == epochs:
        return True
    time = np.arange(epochs * n_batches) / n_batches
    # One that reacts may make of the horizon what it likes, later.
    return type(schedule).after is Schedule.after and np.array_equal(
        schedule(time, horizon), schedule(time, epochs)
    )
