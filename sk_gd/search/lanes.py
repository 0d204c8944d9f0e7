"""One pass over the data for many candidates: each is a lane, with weights and rule of its own."""

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
from .sklearn_private import has_callbacks

# Parameters in which the candidates of one pass may differ. Every other one decides which
# rows are read, in which order, or how long an epoch is.
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


def without(parameters, names):
    """Return the parameters except those with these names."""
    return {name: value for name, value in parameters.items() if name not in names}


def check(model):
    """Raise an error if a parameter of the model is not valid."""
    model._validate_params()
    model._resolve()


def validate(model, X, y):
    """Return X and y as the model reads them, and the attributes that it has from them."""
    X, y = model._validate(X, y, reset=True)
    return X, y, learned_by(model)


def learned_by(model):
    """Return the attributes that a model has from the data before it is fitted."""
    return {
        name: value
        for name, value in vars(model).items()
        if name in PRIVATE or (name.endswith("_") and not name.startswith("_"))
    }


def publish(model, attributes):
    """Set these attributes of a model."""
    vars(model).update(attributes)


@dataclass
class TrainingSet:
    """What the models of a pass learn from.

    Attributes
    ----------
    X : ndarray or CSR matrix
        Valid rows.
    y : ndarray
        A valid target for each row of X.
    rows : ndarray of intp or None
        The rows that train; None for all.
    sample_weight : array-like or None
        Weights of the rows that train.
    learned : dict
        The attributes that a model has from the validation of X.
    """

    X: object
    y: np.ndarray
    rows: np.ndarray | None
    sample_weight: object
    learned: dict


@dataclass
class Outcome:
    """What the training of a candidate came to.

    Attributes
    ----------
    attributes : dict or None
        The fitted attributes, unless there was an error.
    convergence_message : str or None
        What to warn of.
    error : Exception or None
        What to raise.
    seconds : float
        The candidate's share in the time of the pass.
    """

    attributes: dict | None = None
    convergence_message: str | None = None
    error: Exception | None = None
    seconds: float = 0.0


class Pass:
    """One pass over the data for GD estimators that differ in parameters of a lane only.

    Candidates that differ in `max_iter` only are one run, if the schedule allows it: the
    shorter ones are the longer one on its way.

    Parameters
    ----------
    models : list of GDEstimator
        With the parameters of their candidates. They learn from the data what a fit
        knows before it trains.
    data : TrainingSet
        What they learn from.
    resumable : bool
        Whether anybody may train the models further.
    """

    def __init__(self, models, data, resumable):
        self.models = models
        self.resumable = resumable
        self.outcomes = {}
        self.dtype = data.X.dtype
        parts = [model._resolve() for model in models]
        first = models[0]
        publish(first, data.learned)
        y = data.y if data.rows is None else data.y[data.rows]
        self.problem = first._problem(data.X, y, data.sample_weight, parts[0][1], data.rows)
        del y  # may be large
        learned = learned_by(first)
        observed = Run(first._seed())
        first._observe(observed, self.problem)
        # The models that each run serves, and the runs that read the same data.
        self.served = {}
        self.lanes = {}
        for twins in self._twins(parts):
            # A candidate that cannot be trained is fitted alone, which raises its error.
            with contextlib.suppress(Exception):
                self._start_runs(twins, observed, learned)

    def _start_runs(self, twins, observed, learned):
        """Make a run for models that differ in `max_iter` only, or several if they need them."""
        run = data = None
        for model, optimizer, schedule in twins:
            publish(model, learned)
            if run is None or not foresees(run.config, model.max_iter, data.n_batches):
                run = observed.copy()
                data = model._configure(run, self.problem, optimizer, schedule)
                self.lanes.setdefault(id(data), (data, []))[1].append(run)
            self.served.setdefault(id(run), []).append(model)

    def _twins(self, parts):
        """Return lists of (model, optimizer, schedule) that differ in `max_iter` only."""
        found = {}
        for model, (optimizer, _, schedule) in zip(self.models, parts, strict=True):
            key = fingerprint(without(model.get_params(deep=False), {"max_iter"}))
            found.setdefault(key, []).append((model, optimizer, schedule))
        # The longest first: the others are a part of it.
        return [sorted(twins, key=lambda twin: -twin[0].max_iter) for twins in found.values()]

    def train(self, begin_epoch):
        """Train all models.

        Parameters
        ----------
        begin_epoch : callable
            Called before each epoch; may raise an error to end the pass.

        Returns
        -------
        list of Outcome or None
            One for each model; None for a model that has to be fitted alone.
        """
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


def foresees(config, epochs, n_batches):
    """Tell whether a longer run, on its way, is what a run of `epochs` epochs would be."""
    schedule, horizon = config.schedule, config.horizon
    if horizon == epochs:
        return True
    time = np.arange(epochs * n_batches) / n_batches
    # A schedule that reacts to the loss may use the horizon in any way, later.
    return type(schedule).after is Schedule.after and np.array_equal(
        schedule(time, horizon), schedule(time, epochs)
    )
