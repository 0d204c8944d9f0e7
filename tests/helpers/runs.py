"""All private names of sk_gd that tests use: training runs, coordinates, searches, links.

If a private name changes, change it here (and in `uncompiled`, which loads sources by name).
"""

import copy
import functools
import threading

import numpy as np
import scipy.sparse as sp

from sk_gd import GDClassifier, GDRegressor, _links, losses, optimizers, schedules
from sk_gd import threads as threads_module
from sk_gd.gradients import Recorder
from sk_gd.indices import without_copy
from sk_gd.objectives import data as data_module
from sk_gd.objectives import hessian as hessian_module
from sk_gd.objectives import parts as parts_module
from sk_gd.objectives import problem as problem_module
from sk_gd.objectives.coordinates import Coordinates, coordinates_for
from sk_gd.objectives.functions import Function
from sk_gd.objectives.gram import condense as condense_moments
from sk_gd.objectives.gram import joint_moments
from sk_gd.objectives.hessian import (
    LossHessian,
    hessian_of_constant,
    inverse_hessian,
    updated_by_bfgs,
)
from sk_gd.objectives.linear import BLOCK
from sk_gd.objectives.moments import Moments, observe
from sk_gd.objectives.order import Order
from sk_gd.objectives.problem import Problem
from sk_gd.objectives.remote import sums_of_rows
from sk_gd.objectives.smoothness import extent_of, smoothness
from sk_gd.penalties import ElasticNet
from sk_gd.search import backend, lanes, sklearn_private, strengths
from sk_gd.search import moments as search_moments
from sk_gd.search.rows import RowView
from sk_gd.search.splits import Packed, are_different, packed
from sk_gd.targets import ClassTargets, RealTargets
from sk_gd.threads import one_blas_thread
from sk_gd.training import starts as starts_module
from sk_gd.training.lanes import connect
from sk_gd.training.loop import run_epoch
from sk_gd.training.run import Config, Run

__all__ = [
    "BLOCK",
    "STORED_TYPES",
    "Coordinates",
    "Function",
    "LossHessian",
    "Moments",
    "Packed",
    "Recorder",
    "are_different",
    "begin_average",
    "condense",
    "count_fits",
    "count_lanes",
    "count_moments",
    "count_objectives",
    "count_received",
    "count_rows",
    "count_scored_by_sklearn",
    "count_set_ups",
    "count_shared",
    "do_not_copy_rows",
    "do_not_guess",
    "do_not_use_hessians",
    "epoch",
    "finish_epoch",
    "follow",
    "forget_site",
    "has_average",
    "has_diverged",
    "hessian_of_constant",
    "inverse_hessian",
    "is_whitened",
    "keep_no_rows",
    "largest_curvature",
    "updated_by_bfgs",
    "link_to_site",
    "look_for_site_in",
    "loss_scale",
    "loss_sum",
    "make_data",
    "make_run",
    "model_weights",
    "models",
    "move",
    "multipliers",
    "never_condense",
    "one_blas_thread",
    "packed",
    "predictions_of_rows",
    "recorded_gradient",
    "rule_of",
    "run_of",
    "set_schedule",
    "small_parts",
    "small_samples",
    "steps_in_average",
    "sums",
    "use_threads",
    "weights",
    "without_ascent",
    "without_copy",
]

# The private classes in the file of a fitted model.
STORED_TYPES = ["sk_gd.penalties.elastic_net.ElasticNet", "sk_gd.training.run.Run"]


# Data and runs.


def make_data(
    X,
    y,
    loss,
    *,
    outputs=1,
    weight=None,
    intercept=True,
    precondition=None,
    ridge=0.0,
    batch_size=None,
    scale_penalty=False,
):
    """Data and coordinates as an estimator makes them."""
    X = X if sp.issparse(X) else np.ascontiguousarray(X)
    y = np.ascontiguousarray(np.reshape(y, (X.shape[0], -1)), dtype=float)
    weight = None if weight is None else np.asarray(weight) / np.mean(weight)
    loss = losses.get(loss)
    if "regressor" in loss.kinds:
        targets = RealTargets(outputs)
    else:
        targets = ClassTargets(np.arange(max(outputs, 2)))
    problem = Problem(X, y, weight, loss, targets)
    needed = "covariances" if precondition == "whiten" else "variances"
    statistics = observe(problem, needed)
    coordinates = coordinates_for(
        problem,
        statistics,
        precondition,
        fit_intercept=intercept,
        ridge=ridge,
        feature_size=statistics.features.size if scale_penalty else 1.0,
        centre=intercept and not problem.is_sparse,
    )
    return problem.data(coordinates, batch_size or X.shape[0], False)


def make_run(data, optimizer, *, learning_rate=1.0, alpha=0.0, l1_ratio=0.0, start=None):
    """A run of `optimizer` on the data that begins at `start`."""
    run = Run(0, None)
    config = Config(
        learning_rate=learning_rate,
        schedule=schedules.get("constant"),
        horizon=1,
        penalty=ElasticNet(alpha, l1_ratio),
        average=0,
        tol=None,
        n_iter_no_change=5,
        validated=False,
        dtype="float64",
    )
    run.configure(config, data.coordinates, optimizers.get(optimizer))
    if start is not None:
        np.asarray(run.lane.w)[:] = start
        run.lane.rule.start(np.asarray(start, dtype=float))
    return run


def epoch(data, *runs):
    """One epoch of all runs side by side, without shuffling."""
    steps = -(-data.n // data.batch_size)
    rates = [run.begin_epoch(steps) for run in runs]
    order = data.order(None)
    lanes = [run.lane for run in runs]
    objective = connect(lanes, data)
    run_epoch(objective, lanes, rates, order, data.n, data.batch_size)


def finish_epoch(data, *runs):
    """End the epoch for each run: update its history, schedule and stopping rule."""
    for run in runs:
        run.finish_epoch(data, None)


def set_schedule(run, schedule):
    """Give the run another schedule."""
    run.rates = run.rates.with_schedule(schedule)


def begin_average(run):
    """Start the average of the iterates."""
    run.lane.begin_average()


def move(run, data):
    """Change the run to the coordinates of other data."""
    run.configure(run.config, data.coordinates, run.lane.rule.optimizer)


# What a run holds; `run_of(model)` is that of a fitted model.


def run_of(model):
    """The run behind a fitted estimator."""
    return model._run


def weights(run):
    """The weights of the run, in the coordinates of its optimizer."""
    return np.array(run.lane.w)


def model_weights(run):
    """The weights that the optimizer predicts with; some optimizers keep others beside these."""
    return run.lane.rule.model(weights(run))


def models(run):
    """(coef, intercept) of the run's weights, of the optimizer's model, and of the run's model."""
    at = run.coordinates.to_model
    return [at(weights(run)), at(model_weights(run)), run.model()]


def rule_of(run):
    """The optimizer's rule with its state."""
    return run.lane.rule


def recorded_gradient(run):
    """The last gradient that a `Recorder` was given."""
    return run.lane.rule.state["gradient"]


def sums(data, point):
    """Sum of the losses of all rows at the point, and its gradient, as a worker answers them."""
    objective = data.objective([make_run(data, "sgd").lane.penalty])
    found = sums_of_rows(objective, None, data.n, data.n, np.array([point]), True)[0]
    return found[0], found[-len(point) :]


def loss_sum(run):
    """The sum of the losses of the last epoch, without the penalty."""
    return run.lane.loss


def has_diverged(run):
    """Whether the run was stopped because its numbers are no longer finite."""
    return not run.lane.alive


def has_average(run):
    """Whether the run averages its iterates."""
    return run.lane.average is not None


def steps_in_average(run):
    """How many iterates are in the average."""
    return run.lane.averaged


def multipliers(run, steps):
    """What the schedule multiplies the learning rate with, in each step of the next epoch."""
    return run.begin_epoch(steps) / run.config.learning_rate


# Coordinates and curvature.


def loss_scale(coordinates):
    """The factor by which the loss of each output is divided."""
    return coordinates.loss_scale


def is_whitened(run):
    """Whether the run works in whitened coordinates."""
    return run.coordinates.rotation is not None


def largest_curvature(data, curvature, batch_size):
    """The bound L on the curvature of a batch; the automatic learning rate is 1 / L."""
    at = copy.copy(data.coordinates)
    at.curvature = curvature
    extent = extent_of(data.problem.X, data.problem.weight, at, data.n)
    return smoothness(extent, at, ElasticNet(0.0), batch_size)


# Full batches with the squared error, which a few rows can replace.


def condense(X, y, weight=None, rows=None):
    """Few rows in place of many, and the means of X and of y."""
    return condense_moments(joint_moments(X, y, weight, rows), X.shape[1])


def count_rows(monkeypatch):
    """A list that gets the number of rows of every data set that is trained on from now on."""
    seen = []
    original = data_module.linear_objective

    def spy(data, *rest):
        seen.append(data.X.shape[0])
        return original(data, *rest)

    monkeypatch.setattr(data_module, "linear_objective", spy)
    return seen


def shuffle_in_two_levels(monkeypatch, run, group):
    """Shuffle rows in two levels from now on, however small X is; runs and groups in entries."""
    monkeypatch.setattr(data_module, "LARGE", 0)
    monkeypatch.setattr(data_module, "RUN", run)
    monkeypatch.setattr(data_module, "GROUP", group)


def runs_and_groups(X, subset=None, batch_size=1):
    """The rows of a run and of a group; 1 and 0 if the rows are shuffled as a whole."""
    return data_module.runs_and_groups(X, subset, batch_size)


def shuffled(subset, n, run, group, epochs=1):
    """The orders of some epochs."""
    order, bits = Order(subset, n, run, group), np.random.default_rng(0).bit_generator
    return [order.shuffle(bits).copy() for _ in range(epochs)]


def record_orders(monkeypatch):
    """A list that gets the order of the rows in every epoch from now on."""
    seen = []
    original = data_module.Data.order

    def spy(self, generator):
        order = original(self, generator)
        seen.append(None if order is None else order.copy())
        return order

    monkeypatch.setattr(data_module.Data, "order", spy)
    return seen


def never_condense(monkeypatch):
    """Train on all rows from now on, even where a few rows could replace them."""
    monkeypatch.setattr(problem_module, "worth_condensing", lambda *_, **__: False)


# Searches.


def count_fits(monkeypatch):
    """A list that gets every model that is fitted alone, not as part of a search, from now on."""
    fitted = []
    for kind in (GDClassifier, GDRegressor):
        fit = kind._fit

        def counting(self, *arguments, fit=fit):
            fitted.append(self)
            return fit(self, *arguments)

        monkeypatch.setattr(kind, "_fit", counting)
    return fitted


def count_lanes(monkeypatch):
    """A list that gets the number of models in every pass of a search from now on."""
    seen = []
    original = lanes.train

    def train(runs, *arguments, **options):
        seen.append(len(runs))
        return original(runs, *arguments, **options)

    monkeypatch.setattr(lanes, "train", train)
    return seen


def count_objectives(monkeypatch):
    """A list that gets an entry for every objective of data from now on."""
    return _count(monkeypatch, data_module, "linear_objective")


def count_moments(monkeypatch):
    """Two lists that get an entry for the joint moments of a problem, and of a split, from now."""
    return [_count(monkeypatch, each, "joint_moments") for each in (problem_module, search_moments)]


def count_scored_by_sklearn(monkeypatch):
    """A list that gets an entry for every fit of a search that scikit-learn scores from now on."""
    return _count(monkeypatch, sklearn_private.FitCall, "score")


def count_set_ups(monkeypatch):
    """A list that gets an entry for every run of a search that is set up by itself from now on."""
    return _count(monkeypatch, lanes, "set_up")


def _count(monkeypatch, owner, name):
    seen, original = [], getattr(owner, name)

    @functools.wraps(original)
    def counted(*arguments, **options):
        seen.append(name)
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)
    return seen


def follow(rule, w, added, guess=None, inverse=None):
    """Let a rule continue from the minimum `w` on a function with this more of a Hessian."""
    rule.follow(w, added, 1.0, guess, inverse)


def do_not_guess(monkeypatch):
    """Have slow runs on a path of strengths be followed as quick ones are."""
    monkeypatch.setattr(strengths, "FEW_EPOCHS", np.inf)


def do_not_use_hessians(monkeypatch):
    """Have L-BFGS find out about the curvature by itself on a path of strengths."""
    monkeypatch.setattr(strengths, "MOST_WEIGHTS", 0)
    do_not_precondition(monkeypatch)


def do_not_precondition(monkeypatch):
    """Have L-BFGS begin a path of strengths without the Hessian where all predictions are equal."""
    monkeypatch.setattr(strengths, "CHEAP_COLUMNS", 0)
    monkeypatch.setattr(strengths, "INVERSE_IN_A_PASS", 0)


def keep_no_rows(monkeypatch):
    """Have the rows be brought into the coordinates again for every Hessian."""
    monkeypatch.setattr(hessian_module, "KEPT", 0)


def do_not_copy_rows(monkeypatch):
    """Have the splits of a search read their rows in place."""
    monkeypatch.setattr(lanes, "COPIED", 0)


def count_received(monkeypatch):
    """A list that gets, for every search from now on, how many fits reach its backend."""
    received = []

    class Noting(backend.SharedFits):
        def __init__(self, calls):
            received.append(len(calls))
            super().__init__(calls)

    monkeypatch.setattr(backend, "SharedFits", Noting)
    return received


def count_shared(monkeypatch):
    """A list that gets, for every search from now on, how many of its fits are shared."""
    shared = []

    class Counting(backend.SharedFits):
        def run(self, *arguments):
            found = super().run(*arguments)
            shared.append(sum(result is not None for result in found))
            return found

    monkeypatch.setattr(backend, "SharedFits", Counting)
    return shared


def predictions_of_rows(X, rows, fitted):
    """Predictions for some rows, computed as a search does, by a model with these attributes."""
    return RowView(X, rows, [fitted]).predictions(fitted["coef_"])


# Links from a notebook.


def link_to_site(monkeypatch, address):
    """Let the models link to pages below `address`."""
    monkeypatch.setattr(_links, "documentation", lambda: address)


def forget_site():
    """Look for the documentation again when a link is next asked for."""
    _links.documentation.cache_clear()


def look_for_site_in(monkeypatch, folder):
    """Expect the built documentation in `folder`."""
    monkeypatch.setattr(_links, "BUILT", folder)
    forget_site()


# Threads.


def small_parts(monkeypatch, entries):
    """Sum long batches, and read long tables, in parts of `entries` entries of X."""
    monkeypatch.setattr(threads_module, "PART", entries)
    monkeypatch.setattr(threads_module, "MOST_PARTS", 1000)
    monkeypatch.setattr(parts_module, "ENTRIES_OF_GRADIENTS", 1)


def use_threads(monkeypatch, number):
    """Share the passes of a fit among that many threads from now on, whatever else would decide.

    Returns a list that gets the name of every thread that has taken part. All begin at once.
    """
    called = []
    share = type(one_blas_thread).share

    def spy(self, work):
        together = threading.Barrier(self.n_threads())

        def begin():
            together.wait(timeout=60)
            called.append(threading.current_thread().name)
            work()

        share(self, begin)

    monkeypatch.setattr(one_blas_thread, "_allowed", lambda: number)
    monkeypatch.setattr(type(one_blas_thread), "share", spy)
    return called


def without_ascent(monkeypatch):
    """No run begins with dual coordinate ascent."""
    monkeypatch.setattr(starts_module, "suits_ascent", lambda data: False)


def small_samples(monkeypatch, entries=5_000):
    """Begin on a sample of the rows, where a rule gains by it, if X has so many entries."""
    monkeypatch.setattr(data_module, "SAMPLED_ENTRIES", entries)
