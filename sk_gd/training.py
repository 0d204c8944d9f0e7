"""Everything that happens once an epoch: rates, history, stopping, callbacks."""

import contextlib
import copy
import math
import threading
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

from .exceptions import DivergenceError
from .loop import Lane, run_epoch
from .objectives.coordinates import Coordinates, Moments
from .parameters import fingerprint
from .penalties import ElasticNet
from .schedules import Schedule

# Steps whose learning rates are computed together.
AT_ONCE = 256
# Between the largest weight and the largest number, for sums of features, some of them far out.
ROOM = 1e6


@dataclass
class Config:
    """How one configuration is trained; the parameters of the estimator, resolved."""

    learning_rate: float
    schedule: Schedule
    horizon: int
    alpha: float
    l1_ratio: float
    average: int
    tol: float | None
    n_iter_no_change: int
    validated: bool
    dtype: str

    @property
    def ridge(self):
        """Strength of the ridge."""
        return self.alpha * (1 - self.l1_ratio)


class Run:
    """One configuration in training, and all it needs to go on after a pickle.

    What is stored are numbers, arrays and what a user gave, such as the
    optimizer, in plain containers: formats that are more careful than pickle
    (skops) keep it as well, and name no more types than the user knows.

    Attributes
    ----------
    seed : int
        Of all that is random.
    generator : numpy.random.Generator
        Of the order of the rows.
    features, targets : Moments or None
        Statistics of the data, for the coordinates.
    coordinates : Coordinates
        In which the lane's weights are to be understood.
    lane : Lane
        Weights, rule, average.
    schedule : Schedule
        After the losses so far.
    epochs : int
        Epochs run.
    loss_curve, validation_loss_curve, validation_scores : list of float
        One entry an epoch.
    evaluation_curve : list of int
        How often the objective was evaluated on a batch in each epoch.
    watched : list of float
        For each epoch what stopping and schedule look at: the validation loss,
        or the objective; NaN where it was the other one of the two.
    best : tuple or None
        Coefficients and intercepts of the best validation loss so far.
    limit : float
        A weight below it has a model whose numbers, and predictions, are not infinite.
    question : tuple or None
        Two strings: the same for fits of the same objective to the same data, and where
        the same data are watched; None if nobody asks.
    first : int
        The epoch since when it has been this one.
    anew : bool
        Whether the optimizer is to begin anew.
    before : int
        Steps of those that began before this one.
    error : DivergenceError or None
        What the run came to, if it diverged.
    """

    def __init__(self, seed):
        self.seed = seed
        self.generator = np.random.default_rng(seed)
        self.features = None
        self.targets = None
        self.config = None
        self.schedule = None
        self.coordinates = None
        self.lane = None
        self.epochs = 0
        self.loss_curve = []
        self.evaluation_curve = []
        self.validation_loss_curve = []
        self.validation_scores = []
        self.watched = []
        self.best = None
        self.lowest = np.inf
        self.mark = np.inf
        self.stale = 0
        self.limit = np.inf
        self.question = None
        self.first = 0
        self.before = 0
        self.anew = False
        self.error = None
        self._rates = []  # of the epochs to come, the last one first

    def __getstate__(self):
        state = dict(vars(self))
        for name in PARTS:
            state[name] = None if state[name] is None else vars(state[name])
        # These follow from the configuration and the losses.
        del state["schedule"], state["_rates"]
        if self.lane is not None:
            state["lane"] = {
                "optimizer": self.lane.rule.optimizer,
                "t": self.lane.rule.t,
                "memory": self.lane.rule.memory(),
                "w": np.asarray(self.lane.w),
                "average": None if self.lane.average is None else np.asarray(self.lane.average),
                "averaged": self.lane.averaged,
            }
        return state

    def __setstate__(self, state):
        vars(self).update(state, schedule=None, _rates=[])
        for name, kind in PARTS.items():
            if state[name] is not None:
                part = kind.__new__(kind)
                vars(part).update(state[name])
                setattr(self, name, part)
        if self.config is not None:
            self.schedule = self.config.schedule.after(self.watched[self.first :])
        if self.lane is not None:
            stored = state["lane"]
            rule = stored["optimizer"].rule(len(stored["w"]))
            rule.restore(stored["t"], stored["memory"])
            self.lane = Lane(rule, stored["w"])
            if stored["average"] is not None:
                # Of its own, to write to: a file that is mapped is not.
                self.lane.average = np.array(stored["average"])
            self.lane.averaged = stored["averaged"]

    def copy(self):
        """A run that goes on from here by itself."""
        other = Run.__new__(Run)
        vars(other).update(vars(self))
        other.generator = copy.deepcopy(self.generator)
        other.lane = copy.deepcopy(self.lane)
        # Moments replace their arrays; the curves only grow.
        other.features, other.targets = copy.copy(self.features), copy.copy(self.targets)
        for name in (
            "loss_curve",
            "evaluation_curve",
            "validation_loss_curve",
            "validation_scores",
            "watched",
            "_rates",
        ):
            setattr(other, name, list(getattr(self, name)))
        return other

    def observe(self, problem, *, full, running):
        """Take the statistics of the data, on top of those seen before if `running`."""
        if not running or self.features is None or self.features.full != full:
            self.features = Moments(full)
        # Of sparse X all rows are read: those that do not train must weigh nothing.
        weight = problem.weights if sp.issparse(problem.X) else problem.weight
        _take(self.features, "X", problem.X, weight, problem.subset)
        self.observe_targets(problem, running=running)

    def observe_targets(self, problem, *, running):
        """Take the statistics of the targets only: raw features need none."""
        if not running or self.targets is None:
            self.targets = Moments()
        _take(self.targets, "y", problem.y, problem.weight, problem.subset)

    def ask(self, question):
        """Begin a fit. To another question the weights so far are a start, and nothing else.

        To the same one all goes on, but that what has settled is to settle anew.
        """
        if question is None or question != self.question:
            self._forget()
            self.anew = None in (question, self.question) or question[0] != self.question[0]
            self.first = self.epochs if self.anew else self.first
        elif self.settled:
            self.mark, self.stale = np.inf, 0
        self.question = question

    def _forget(self):
        self.best, self.lowest = None, np.inf
        self.mark, self.stale = np.inf, 0
        self.watched = [np.nan] * self.epochs

    def configure(self, config, coordinates, optimizer):
        """Begin, or go on, as told; going on, the model stays the same function."""
        if self.config is None or config.validated != self.config.validated:
            # What was lowest so far was another quantity.
            self._forget()
        self.config = config
        self.schedule = config.schedule.after(self.watched[self.first :])
        self._rates = []
        if self.lane is None:
            start = np.zeros(coordinates.n_outputs * coordinates.n_columns)
            self.lane = _lane(optimizer, start, self.seed)
        else:
            if not coordinates.same_as(self.coordinates):
                self.lane.transform(
                    lambda weights: coordinates.from_model(*self.coordinates.to_model(weights))
                )
            if self.anew or fingerprint(optimizer) != fingerprint(self.lane.rule.optimizer):
                self.before += self.lane.rule.t
                self.lane = _lane(optimizer, self.lane.model(), self.seed)
        self.anew = False
        self.coordinates = coordinates
        # Below it all is well; beyond it has to be looked at.
        self.limit = np.finfo(config.dtype).max / ROOM / max(1.0, coordinates.gain())
        penalty = ElasticNet(config.alpha, config.l1_ratio)
        self.lane.penalty = penalty.kernel(
            *coordinates.weight_scales(), proximal=self.lane.rule.has_metric()
        )

    def rates(self, n_batches):
        """The learning rate of every batch of the next epoch."""
        config = self.config
        average = config.average
        now = self.epochs - self.first
        if average and self.lane.average is None and now + 1 >= average:
            self.lane.begin_average()  # epochs are counted from one
        if not self._rates:
            # Always the same epochs at once, so that a run that is resumed has the same bits;
            # but none after the last, of which the schedule may know nothing.
            at_once = max(1, AT_ONCE // n_batches)
            first = now - now % at_once
            last = max(now + 1, min(first + at_once, config.horizon))
            epochs = np.arange(first, last)[:, None]
            time = (epochs + np.arange(n_batches) / n_batches).ravel()
            rates = config.learning_rate * self.schedule(time, config.horizon)
            self._rates = list(rates.reshape(len(epochs), n_batches)[: now - last - 1 : -1])
        return self._rates.pop()

    def model(self):
        """Coefficients and intercepts to predict with."""
        return self.best or self.coordinates.to_model(self.lane.model())

    def finish_epoch(self, data, validation):
        """Book the epoch: history, divergence, best model. True if the run ends by itself."""
        self.epochs += 1
        config = self.config
        loss = self.lane.loss / data.n + self.lane.penalty_value
        if not math.isfinite(loss) or not (
            self.lane.is_within(self.limit)
            or self.coordinates.can_hold(np.asarray(self.lane.w), config.dtype, ROOM)
        ):
            self.error = self._divergence(loss, data)
            return True
        self.loss_curve.append(float(loss))
        self.evaluation_curve.append(self.lane.evaluations)
        watched = loss
        if validation is not None:
            coef, intercept = self.coordinates.to_model(self.lane.model())
            watched, score = validation(coef, intercept)
            self.validation_loss_curve.append(float(watched))
            self.validation_scores.append(float(score))
            if watched < self.lowest:
                self.lowest, self.best = watched, (coef, intercept)
        self.watched.append(float(watched))
        schedule = self.schedule.after(self.watched[-1:])
        if schedule is not self.schedule:
            self.schedule, self._rates = schedule, []
        if config.tol is None:
            return False
        # The mark moves only with a real improvement: many small ones add up to one.
        if watched <= self.mark - config.tol * self._loss_unit():
            self.mark, self.stale = watched, 0
        else:
            self.stale += 1
        return self.settled

    @property
    def steps(self):
        """Steps taken."""
        return self.before + self.lane.rule.t

    @property
    def settled(self):
        """Whether the losses say enough."""
        config = self.config
        return bool(config and config.tol is not None and self.stale >= config.n_iter_no_change)

    def _loss_unit(self):
        """What a loss of one is in the coordinates of the optimizer."""
        return float(np.mean(self.coordinates.loss_scale))

    def _divergence(self, loss, data):
        config = self.config
        before = self.loss_curve[-1] if self.loss_curve else "not known yet"
        safe = 2 / data.smoothness(config.ridge)
        beyond = ""
        if math.isfinite(loss):
            beyond = f", of weights too large for predictions in {config.dtype}"
        return DivergenceError(
            f"Training diverged in epoch {self.epochs} with learning_rate="
            f"{config.learning_rate:.6g}: the objective was {before} an epoch ago and is {loss} "
            f"now{beyond}. Plain gradient descent is stable on this data up to a learning_rate of "
            f"2 / L = {safe:.6g}; choose a smaller one, or learning_rate='auto'.",
            epoch=self.epochs,
            learning_rate=config.learning_rate,
            safe_learning_rate=safe,
        )


# The parts of a run that are nothing but their attributes.
PARTS = {"features": Moments, "targets": Moments, "config": Config, "coordinates": Coordinates}


def _lane(optimizer, w, seed):
    rule = optimizer.rule(len(w))
    rule.seed(seed)
    rule.start(w)
    return Lane(rule, w)


def _take(moments, name, values, weight, rows):
    """Update the moments, or raise a ValueError if there is none."""
    with np.errstate(over="ignore", invalid="ignore"):
        moments.update(values, weight, rows)
    if not np.all(np.isfinite(moments.variance)):
        raise ValueError(
            f"{name} must have a variance. Got numbers whose squares are too large to be numbers "
            f"themselves; divide {name} by a constant."
        )


def train(runs, data, *, epochs, validation=None, begin_epoch=None, end_epoch=None):
    """Train `runs` side by side, each until its epochs are over or it stops by itself.

    One that diverges has its `error`, and does not disturb the others.

    Parameters
    ----------
    runs : list of Run
        Changed in place. They share the data, its coordinates, and the order
        of the rows, which comes from the generator of the first.
    data : Data
        What to train on.
    epochs : list of int
        At most so many, for each of the runs.
    validation : Validation, optional
        Held-out data.
    begin_epoch, end_epoch : callable, optional
        Called around every epoch, the latter with the runs that took part and
        have not diverged; it returns True to stop them all.

    Returns
    -------
    list of Run
        Those that would have gone on.
    """
    generator = runs[0].generator
    last = {id(run): run.epochs + more for run, more in zip(runs, epochs, strict=True)}
    active, unfinished, objective = list(runs), [], None
    while active:
        if begin_epoch is not None:
            begin_epoch()
        if objective is None:
            objective = data.objective(active)
        run_epoch(
            objective,
            [run.lane for run in active],
            [run.rates(data.n_batches) for run in active],
            data.order(generator),
            data.n,
            data.batch_size,
        )
        going = [run for run in active if not run.finish_epoch(data, validation)]
        booked = [run for run in active if run.error is None]
        if booked and end_epoch is not None and end_epoch(booked):
            return []
        unfinished += [run for run in going if run.epochs == last[id(run)]]
        going = [run for run in going if run.epochs < last[id(run)]]
        if len(going) < len(active):
            active, objective = going, None
    return unfinished


class EpochTasks:
    """The callbacks of scikit-learn around a fit: one task, with one subtask an epoch.

    Without callbacks nothing is to be told, and nothing is.
    """

    def __init__(self, estimator, X, y, sample_weight, epochs):
        self._silent = not getattr(estimator, "_skl_callbacks", None)
        if self._silent:
            return
        self._estimator = estimator
        self._arguments = {
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._fit = estimator._init_callback_context(max_subtasks=epochs)
        self._epoch = None

    def begin(self):
        """The fit begins."""
        if self._silent:
            return
        self._fit.call_on_fit_task_begin(estimator=self._estimator, **self._arguments)

    def begin_epoch(self):
        """An epoch begins."""
        if self._silent:
            return
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._arguments)

    def end_epoch(self, attributes):
        """An epoch ends; `attributes` makes the fitted attributes. True if a callback says stop."""
        if self._silent:
            return False
        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._arguments
        )

    def end(self):
        """The fit ends; the estimator has its attributes."""
        if self._silent:
            return
        self._fit.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes={}, **self._arguments
        )


class _OneBlasThread(contextlib.ContextDecorator):
    """Hold BLAS to one thread while anything is in training.

    The products are small: more threads would only wait for each other, and
    change the rounding. Fits may run side by side in threads of one process,
    for which the setting is common: the first one in makes it, the last one
    out restores it.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._libraries = None
        self._before = []

    def __enter__(self):
        with self._lock:
            if self._libraries is None:
                blas = ThreadpoolController().select(user_api="blas")
                self._libraries = blas.lib_controllers
            if self._inside == 0:
                self._before = [library.get_num_threads() for library in self._libraries]
                self._set([1] * len(self._libraries))
            self._inside += 1

    def __exit__(self, *exception):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, numbers):
        for library, number in zip(self._libraries, numbers, strict=True):
            # Newer versions let only the thread that holds a limit change it;
            # ours has to outlive the thread that happened to come first.
            getattr(library, "_real_set_num_threads", library.set_num_threads)(number)


one_blas_thread = _OneBlasThread()
