"""Everything that happens once an epoch: order, rates, history, stopping, callbacks."""

import contextlib
import copy
import math
import threading
from dataclasses import dataclass

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.utils import gen_batches
from threadpoolctl import ThreadpoolController

from .exceptions import DivergenceError
from .loop import Lane, run_epoch, shuffle
from .objectives.coordinates import Moments, smoothness
from .objectives.linear import LinearObjective
from .objectives.penalties import ElasticNet
from .schedules import Schedule

# So few rows are one batch: weights and repeated rows are then the same.
TINY = 100
# Rows at a time where the loss of all of them is wanted.
CHUNK = 8192


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

    @property
    def ridge(self):
        """Strength of the ridge."""
        return self.alpha * (1 - self.l1_ratio)


class Data:
    """What all configurations in training read: rows, their order, and the loss.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Read in place.
    y : ndarray of shape (n_samples, n_targets)
        Targets, or class indices.
    weight : ndarray of shape (n_samples,) or None
        With mean one over the rows that train.
    loss : Loss
        The loss.
    coordinates : Coordinates
        The optimizer's coordinates.
    batch_size : int
        Rows a step.
    subset : ndarray of intp or None
        The rows that train; None for all.
    shuffle : bool
        Whether every epoch has an order of its own.
    """

    def __init__(self, X, y, weight, loss, coordinates, batch_size, subset, shuffle):
        self.X = X
        self.y = y
        self.weight = weight
        self.loss = loss
        self.coordinates = coordinates
        self.subset = subset
        self.n = X.shape[0] if subset is None else len(subset)
        self.batch_size = min(batch_size, self.n)
        # The order of the full batch changes nothing but the rounding.
        self.shuffle = shuffle and self.batch_size < self.n
        self._order = None

    def order(self, generator):
        """The rows in the order of the next epoch, or None for as they are."""
        if not self.shuffle:
            return self.subset
        if self._order is None:
            self._order = np.empty(self.n, dtype=np.intp)
        # Always from the same beginning: the generator alone is the state.
        shuffle(self._order, self.subset, generator.bit_generator)
        return self._order

    def objective(self, runs):
        """The objective, with a lane for each of `runs`; each of them may ask it alone."""
        whole = self._objective(runs)
        for run in runs:
            run.lane.watch(whole if len(runs) == 1 else self._objective([run]))
        return whole

    def _objective(self, runs):
        return LinearObjective(
            self.X,
            self.y,
            self.weight,
            self.loss.kernel(self.coordinates.n_outputs),
            self.coordinates,
            [run.lane.penalty for run in runs],
            self.batch_size,
            self.n,
        )


def mean_loss(loss, X, y, weight, coef, intercept):
    """Weighted mean of the loss of a model, a chunk of rows at a time."""
    kernel = loss.kernel(len(coef))
    total = count = 0.0
    for rows in gen_batches(X.shape[0], CHUNK):
        p = np.ascontiguousarray((X[rows] @ coef.T + intercept).T, dtype=float)
        w = np.ones(p.shape[1]) if weight is None else weight[rows]
        total += kernel.total(np.ascontiguousarray(y[rows].T), p, w)
        count += w.sum()
    return total / count


class Validation:
    """Held-out data: the loss and the score of a model on them."""

    def __init__(self, X, y, weight, loss, score):
        self.X = X
        self.y = y
        self.weight = weight
        self.loss = loss
        self.score = score

    def __call__(self, coef, intercept):
        """Mean loss, and score, of the model."""
        loss = mean_loss(self.loss, self.X, self.y, self.weight, coef, intercept)
        return loss, self.score(self.X @ coef.T + intercept)


class Run:
    """One configuration in training, and all it needs to go on after a pickle.

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

    def copy(self):
        """A run that goes on from here by itself."""
        other = copy.copy(self)
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
        ):
            setattr(other, name, list(getattr(self, name)))
        return other

    def observe(self, X, y, weight, *, full, running):
        """Take the statistics of the data, on top of those seen before if `running`."""
        if not running or self.features is None or self.features.full != full:
            self.features = Moments(full)
        self.features.update(X, weight)
        self.observe_targets(y, weight, running=running)

    def observe_targets(self, y, weight, *, running):
        """Take the statistics of the targets only: raw features need none."""
        if not running or self.targets is None:
            self.targets = Moments()
        self.targets.update(y, weight)

    def configure(self, config, coordinates, optimizer):
        """Begin, or go on, as told; going on, the model stays the same function."""
        if self.config is None or config.validated != self.config.validated:
            # What was lowest so far was another quantity.
            self.best, self.lowest = None, np.inf
            self.mark, self.stale = np.inf, 0
            self.watched = [np.nan] * self.epochs
        self.config = config
        self.schedule = config.schedule.after(self.watched)
        if self.lane is None:
            start = np.zeros(coordinates.n_outputs * coordinates.n_columns)
            self.lane = _lane(optimizer, start, self.seed)
        else:
            if not coordinates.same_as(self.coordinates):
                self.lane.transform(
                    lambda weights: coordinates.from_model(*self.coordinates.to_model(weights))
                )
            if not _same(optimizer, self.lane.rule.optimizer):
                self.lane = _lane(optimizer, self.lane.model(), self.seed)
        self.coordinates = coordinates
        l1, l2 = coordinates.strengths(config.alpha, config.l1_ratio)
        energy = np.repeat(coordinates.energy, coordinates.n_columns)
        self.lane.penalty = ElasticNet(l1, l2, energy, self.lane.rule.has_metric())

    def rates(self, n_batches):
        """The learning rate of every batch of the next epoch."""
        config = self.config
        average = config.average
        if average and self.lane.average is None and self.epochs + 1 >= average:
            self.lane.begin_average()  # epochs are counted from one
        time = self.epochs + np.arange(n_batches) / n_batches
        return config.learning_rate * self.schedule(time, config.horizon)

    def model(self):
        """Coefficients and intercepts to predict with."""
        return self.best or self.coordinates.to_model(self.lane.model())

    def finish_epoch(self, data, validation):
        """Book the epoch: history, divergence, best model. True if training should stop."""
        self.epochs += 1
        config = self.config
        loss = self.lane.loss / data.n + self.lane.penalty_value
        if not (math.isfinite(loss) and np.isfinite(self.lane.w).all()):
            self._diverged(loss, data)
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
        self.schedule = self.schedule.after(self.watched[-1:])
        if config.tol is None:
            return False
        # The mark moves only with a real improvement: many small ones add up to one.
        if watched <= self.mark - config.tol * self._loss_unit():
            self.mark, self.stale = watched, 0
        else:
            self.stale += 1
        return self.stale >= config.n_iter_no_change

    def _loss_unit(self):
        """What a loss of one is in the coordinates of the optimizer."""
        return float(np.mean(self.coordinates.energy))

    def _diverged(self, loss, data):
        config = self.config
        before = self.loss_curve[-1] if self.loss_curve else "not known yet"
        safe = 2 / smoothness(
            data.X,
            data.weight,
            self.coordinates,
            self.coordinates.curvature,
            config.ridge,
            data.batch_size,
        )
        raise DivergenceError(
            f"Training diverged in epoch {self.epochs} with learning_rate="
            f"{config.learning_rate:.6g}: the objective was {before} an epoch ago and is {loss} "
            f"now. Plain gradient descent is stable on this data up to a learning_rate of "
            f"2 / L = {safe:.6g}; choose a smaller one, or learning_rate='auto'.",
            epoch=self.epochs,
            learning_rate=config.learning_rate,
            safe_learning_rate=safe,
        )


def _lane(optimizer, w, seed):
    rule = optimizer.rule(len(w))
    rule.seed(seed)
    rule.start(w)
    return Lane(rule, w)


def _same(optimizer, other):
    return type(optimizer) is type(other) and joblib.hash(optimizer) == joblib.hash(other)


def train(runs, data, *, epochs, validation=None, begin_epoch=None, end_epoch=None):
    """Train `runs` side by side for `epochs` epochs, or until they stop by themselves.

    Parameters
    ----------
    runs : list of Run
        Changed in place. They share the data, its coordinates, and the order
        of the rows, which comes from the generator of the first.
    data : Data
        What to train on.
    epochs : int
        At most so many.
    validation : Validation, optional
        Held-out data.
    begin_epoch, end_epoch : callable, optional
        Called around every epoch, the latter with the runs that took part;
        it returns True to stop them all.

    Returns
    -------
    list of Run
        Those that would have gone on.
    """
    generator = runs[0].generator
    n_batches = -(-data.n // data.batch_size)
    active = list(runs)
    objective = data.objective(active)
    for _ in range(epochs):
        if begin_epoch is not None:
            begin_epoch()
        run_epoch(
            objective,
            [run.lane for run in active],
            [run.rates(n_batches) for run in active],
            data.order(generator),
            data.n,
            data.batch_size,
        )
        going = [run for run in active if not run.finish_epoch(data, validation)]
        if end_epoch is not None and end_epoch(active):
            return []
        if len(going) < len(active):
            active = going
            if not active:
                break
            objective = data.objective(active)
    return active


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


def auto_batch_size(X, n):
    """Rows a step for ``batch_size="auto"``, `n` rows of `X` being trained on."""
    if n <= TINY:
        return n
    rows = min(max(n // 100, 32), 256)
    if sp.issparse(X):
        # A step touches every weight: let the products be more work.
        rows = max(rows, min(4 * X.shape[1] * X.shape[0] // max(X.nnz, 1), n // 50))
    return rows


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
