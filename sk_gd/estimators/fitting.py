"""The steps of a fit: settings, data, targets, problem, statistics, coordinates, run, attributes.

Each step is a function of what came before, and nothing is set on the estimator before the
end. `fit`, `partial_fit`, the search and `check_gradient` call the same steps with other values.
"""

import contextlib

import numpy as np

from .. import auto
from ..losses.checks import units_of
from ..objectives.coordinates import coordinates_for
from ..objectives.moments import observe
from ..penalties import ElasticNet
from ..targets import all_classes
from ..threads import one_blas_thread
from ..training.callbacks import EpochTasks
from ..training.divergence import Change, ended_above
from ..training.epochs import train
from ..training.run import HEADROOM, Config, Run
from .posing import pose, targets_of
from .publishing import convergence_message, epoch_line, fitted_attributes, published
from .settings import check_partial_fit, draw_seed, settings_of, with_optimizer
from .validation import Validator, validate_held_out

# The default optimizer reaches the minimum of the squared error in a few passes. With so few
# multiplications they cost less than to find a few rows with the same Gram matrix, unless each is a
# round on a cluster.
FEW_PRODUCTS = 1 << 15

# Strengths of the penalty up to so many times "auto" share their coordinates. Beyond, the penalty
# is most of the curvature, and training in these coordinates would stop far from the minimum.
STRONGEST = 1000.0


def fit(estimator, X, y, sample_weight, validation):
    """Train until the stopping rule, or `max_iter`, says enough, and publish the result.

    `validation` is (X_val, y_val, sample_weight_val). Returns the text of a convergence
    warning, or None.
    """
    settings = settings_of(estimator)
    before = getattr(estimator, "_run", None) if settings.warm_start else None
    with one_blas_thread:
        classes = before and getattr(estimator, "classes_", None)
        problem, seen = estimator._pose(settings, classes, X, y, sample_weight, validation)
        with contextlib.closing(problem):
            settings = with_optimizer(settings, problem)
            _check_same_shape(before, settings, problem.n_features, problem.targets.n_outputs)
            run = _run(settings, before, observe(problem, settings.moments))
            identity = problem.fingerprint(settings.penalty_given) if settings.warm_start else None
            data = set_up(run, settings, problem, anew=run.begin_fit(identity))
            tasks = EpochTasks(estimator, X, y, sample_weight, settings.max_iter)
            try:
                unfinished, change = _train(estimator, run, data, problem, tasks, seen)
            except KeyboardInterrupt:
                _publish_so_far(estimator, run, data, problem, seen)
                raise
    return convergence_message(run, settings, change, unfinished)


def pose_rows(estimator, settings, classes, X, y, sample_weight, validation):
    """The problem that rows in memory pose, and what scikit-learn notes about them.

    `classes` are those of an earlier fit that this one continues.
    """
    validator = Validator(estimator)
    given = validator.validate(X, y, sample_weight)
    given_val = validate_held_out(validator, *validation)
    targets = targets_of(settings, given.y, classes)
    return pose(settings, targets, given, given_val), validator.attributes


def partial_fit(estimator, X, y, sample_weight, classes=None):
    """Train for one epoch over a part of the data, and publish the result.

    `classes` are all labels there will be; None for those of the first call.
    """
    settings = settings_of(estimator)
    check_partial_fit(settings)
    before = getattr(estimator, "_run", None)
    with one_blas_thread:
        validator = Validator(estimator)
        given = validator.validate(X, y, sample_weight, reset=before is None)
        if settings.kind == "classifier":
            classes = all_classes(classes, before and estimator.classes_)
        so_far = None if before is None else before.statistics
        targets = targets_of(settings, given.y, classes, so_far)
        _check_same_shape(before, settings, given.X.shape[1], targets.n_outputs)
        problem = pose(settings, targets, given)
        if problem.weight is not None:
            # The weights of other calls may be in another unit: their sum tells nothing.
            problem.total = float(np.count_nonzero(problem.weight))
        settings = with_optimizer(settings, problem, streaming=True)
        run = _run(settings, before, observe(problem, settings.moments, so_far))
        run.fingerprint = None
        if settings.needs_ratio:
            run.signal = _larger_part(run.signal, settings, problem)
            settings = settings.with_scale_of(run.signal)
        size = settings.feature_size(run.statistics)
        automatic = automatic_alpha(
            settings, problem, run.statistics, size, run.signal.ratio, streaming=True
        )
        penalty = penalty_of(settings, automatic)
        coordinates = _coordinates(settings, problem, run.statistics, penalty, size)
        rows = auto.batch_size(settings.batch_size, settings.optimizer, problem)
        data = problem.data(coordinates, rows, settings.shuffle)
        rate = _learning_rate(settings, data, coordinates, run.statistics, penalty, sample=True)
        if run.config is not None and settings.learning_rate == "auto":
            # Parts of the data give different rates. The rate never grows.
            rate = min(rate, run.config.learning_rate)
        loss_unit = _loss_unit(problem, coordinates, run.statistics)
        config = _config(settings, problem, penalty, rate, settings.max_iter, loss_unit)
        # After a fit by another optimizer the stream has a model that knows all rows so far.
        run.configure(config, coordinates, settings.optimizer, earlier=_rows_seen(so_far) / rows)
        tasks = EpochTasks(estimator, X, y, sample_weight, 1)
        _train(estimator, run, data, problem, tasks, validator.attributes)


def set_up(run, settings, problem, *, anew=False):
    """Prepare a run for a fit with these settings; returns the data to train on."""
    # Without sizes the largest features alone decide the automatic strength. Coordinates that are
    # made for it suit the others only if the targets have chosen raw features.
    shares_coordinates = settings.shares_coordinates and settings.scale_penalty
    if settings.needs_ratio:
        run.signal = settings.signal(problem, run.statistics.features)
        settings = settings.with_scale_of(run.signal)
    size = settings.feature_size(run.statistics)
    automatic = automatic_alpha(settings, problem, run.statistics, size, run.signal.ratio)
    penalty = penalty_of(settings, automatic)
    shaping = penalty
    if shares_coordinates:
        shaping = ElasticNet(shared_strength(settings, problem, automatic), settings.l1_ratio)
    coordinates = _coordinates(settings, problem, run.statistics, shaping, size)
    data = problem.data(
        coordinates,
        auto.batch_size(settings.batch_size, settings.optimizer, problem),
        settings.shuffle,
        condensed=not settings.shares_coordinates
        or problem.n_entries * problem.targets.n_outputs > FEW_PRODUCTS
        or problem.whole_batches_only,
    )
    rate = _learning_rate(settings, data, coordinates, run.statistics, penalty)
    # A fit that continues has max_iter epochs ahead of it, as the first one had.
    horizon = run.history.n_recent + settings.max_iter
    loss_unit = _loss_unit(problem, coordinates, run.statistics)
    config = _config(settings, problem, penalty, rate, horizon, loss_unit)
    run.configure(config, coordinates, settings.optimizer, anew=anew)
    return data


def shared_strength(settings, problem, automatic):
    """The strength of the penalty that the coordinates are for, if many strengths share them.

    `automatic` is the one that "auto" names.
    """
    strength = auto.alpha("auto", automatic)
    if not isinstance(settings.alpha, str):
        # Weights that add up to less than one, such as inverse variances of large numbers, make it
        # so strong that it alone would decide the coordinates. They count as one row.
        strength *= min(problem.n_counted, 1.0)
    given = auto.alpha(settings.alpha, automatic)
    return given if given > STRONGEST * strength else strength


def automatic_alpha(settings, problem, statistics, size, ratio, *, streaming=False):
    """What "auto" is as the strength of the penalty; None if nobody needs to know.

    `size` are the sizes of the features, and `ratio` is the signal-to-noise ratio.
    """
    if not settings.needs_ratio:
        return None
    return auto.automatic_alpha(problem, statistics, size, ratio, streaming=streaming)


def penalty_of(settings, automatic):
    """The penalty with a number for its strength, where "auto" is the number `automatic`."""
    return ElasticNet(auto.alpha(settings.alpha, automatic), settings.l1_ratio)


def _larger_part(known, settings, problem):
    """The signal of the larger part of the data: the one known so far, or this one."""
    if problem.n <= known.n:
        return known
    return settings.signal(problem, observe(problem, "ratio").features)


def _rows_seen(statistics):
    """How many rows the statistics are of; 0 if there are none."""
    if statistics is None or statistics.features is None:
        return 0
    return statistics.features.total


def _coordinates(settings, problem, statistics, penalty, size):
    """The coordinates; the same object for candidates of a search that have the same."""
    # A pass over all rows subtracts the means of sparse features once. For every mini-batch this
    # would cost more than the rows themselves.
    full = settings.optimizer.full_batch == "required"
    centre = settings.fit_intercept and (full or not problem.is_sparse)
    key = settings.precondition, centre, settings.scale_penalty, penalty.ridge
    if key not in problem.coordinates:
        problem.coordinates[key] = made = coordinates_for(
            problem,
            statistics,
            settings.precondition,
            fit_intercept=settings.fit_intercept,
            ridge=penalty.ridge,
            feature_size=size,
            centre=centre,
        )
        made.omit_constants(statistics.features)
        _check_range_of_targets(made, problem.dtype)
    return problem.coordinates[key]


def _check_range_of_targets(coordinates, dtype):
    """Raise a ValueError if predictions of the size of y are too large for the type of X."""
    if coordinates.in_units:
        reach = np.max(np.abs(coordinates.origin) + coordinates.unit)
        most = float(np.finfo(dtype).max) / HEADROOM
        if reach > most:
            raise ValueError(
                f"y must have numbers below {most:.3g}, since X, and so the model, is of {dtype}. "
                f"Got numbers around {reach:.3g} instead; divide y by a constant"
                + (", or convert X to float64." if dtype == np.float32 else ".")
            )


def _learning_rate(settings, data, coordinates, statistics, penalty, *, sample=False):
    return auto.learning_rate(
        settings.learning_rate,
        settings.optimizer,
        data,
        coordinates,
        statistics,
        penalty,
        sample=sample,
    )


def _loss_unit(problem, coordinates, statistics):
    """The loss of a model that has learnt nothing, about, for the stopping rule."""
    known = coordinates
    if not coordinates.in_units:
        known = units_of(problem.loss, problem.targets.n_outputs, statistics.targets)
    return 1.0 if known is None else float(np.mean(known.loss_scale))


def _config(settings, problem, penalty, learning_rate, horizon, loss_unit):
    return Config(
        learning_rate=learning_rate,
        schedule=settings.schedule,
        horizon=horizon,
        penalty=penalty,
        average=auto.average(settings.average, settings.optimizer),
        tol=settings.tol,
        n_iter_no_change=settings.n_iter_no_change,
        validated=problem.held_out is not None,
        dtype=problem.dtype.type.__name__,
        loss_unit=loss_unit,
    )


def _run(settings, before, statistics):
    """A new run, or one that continues from `before`, with these statistics."""
    if before is None:
        return Run(draw_seed(settings.random_state), statistics)
    run = before.copy()
    run.statistics = statistics
    return run


def _check_same_shape(before, settings, n_features, n_outputs):
    """Raise a ValueError unless the run `before`, if there is one, has a model of this shape."""
    if before is None:
        return
    model = before.coordinates
    for what, known, now in (
        ("X must have the {} features", model.n_features, n_features),
        ("y must have the {} outputs", model.n_outputs, n_outputs),
        ("fit_intercept must be the {}", model.intercept, settings.fit_intercept),
    ):
        if known != now:
            raise ValueError(
                f"{what.format(known)} of the last call, from which this one continues. "
                f"Got {now} instead; to begin anew call fit with warm_start=False."
            )


def _train(estimator, run, data, problem, tasks, seen):
    """Train one run and publish it.

    Returns whether it was stopped by the number of epochs only, and the `Change` it made.
    """

    def attributes():
        return fitted_attributes(run, problem, data, seen)

    def so_far():
        """The attributes of a model that can be trained further."""
        return attributes() | {"_run": run.copy()}

    def end_epoch(active):
        if estimator.verbose:
            print(epoch_line(run))
        return tasks.end_epoch(so_far)

    tasks.begin()
    is_silent = tasks.is_silent and not estimator.verbose
    unfinished = train(
        [run],
        data,
        epochs=[tasks.n_epochs],
        held_out=problem.held_out,
        begin_epoch=None if is_silent else tasks.begin_epoch,
        end_epoch=None if is_silent else end_epoch,
    )
    if run.error is not None:
        raise run.error
    change = Change(run, data, automatic=estimator.learning_rate == "auto")
    if change.is_divergence:
        raise ended_above(change, run, data)
    run.release()
    with published(estimator, attributes() | {"_run": run}):
        tasks.end()
    return bool(unfinished), change


def _publish_so_far(estimator, run, data, problem, seen):
    """After Ctrl-C, publish the model of a fit in which at least one epoch has ended."""
    begun = run.history.n_epochs > run.first_epoch
    if begun and run.error is None and run.can_hold(np.asarray(run.lane.w)):
        run.release()
        with published(estimator, fitted_attributes(run, problem, data, seen) | {"_run": run}):
            pass
