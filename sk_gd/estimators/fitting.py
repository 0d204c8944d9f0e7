"""The line of a fit: settings, data, targets, problem, statistics, coordinates, run, attributes.

Each step is a function of what came before, and nothing is set on the estimator before the
end. `fit`, `partial_fit`, the search and `check_gradient` call the same steps with other values.
"""

import contextlib
import copy
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, validate_data

from .. import auto
from ..objectives.coordinates import coordinates_for
from ..objectives.held_out import HeldOut
from ..objectives.moments import observe
from ..objectives.problem import Problem, normalise, spread
from ..targets import ClassTargets, RealTargets, all_classes
from ..training.blas_threads import one_blas_thread
from ..training.callbacks import EpochTasks
from ..training.epochs import train
from ..training.run import Config, Run
from .settings import check_parts, check_whitening, draw_seed, settings_of

# Fitted attributes that some fits have and others have not.
OPTIONAL = ("feature_names_in_", "validation_loss_curve_", "validation_scores_")


@dataclass(frozen=True)
class Given:
    """Validated data.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Data, of float32 or float64.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets or labels.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows; None if they are equal.
    """

    X: object
    y: np.ndarray
    sample_weight: np.ndarray | None = None


class Witness:
    """Validates data in place of an estimator, and keeps what scikit-learn notes about them.

    scikit-learn sets number and names of the features on the estimator that validates. This
    is a copy of it: the estimator itself stays as it is until the fit has succeeded.
    """

    def __init__(self, estimator):
        self._copy = copy.copy(estimator)

    def validate(self, X, y, sample_weight=None, *, reset=True):
        """X, y and weights as `Given`; without `reset` X must be like the one seen before."""
        checks = TARGETS[self._copy._kind].checks
        X, y = validate_data(
            self._copy,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            **checks,
        )
        if sp.issparse(X) and not X.has_canonical_format:
            # An entry that is there twice counts as the sum, in squares as well.
            X = X.copy()
            X.sum_duplicates()
        return Given(X, y, check_weight(sample_weight, y))

    @property
    def attributes(self):
        """Number and names of the features, as fitted attributes."""
        names = ("n_features_in_", "feature_names_in_")
        return {name: vars(self._copy)[name] for name in names if name in vars(self._copy)}


TARGETS = {"regressor": RealTargets, "classifier": ClassTargets}


def check_weight(sample_weight, y):
    """Weights as floats, none of them negative; None if there are none."""
    if sample_weight is None:
        return None
    return _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)


@contextlib.contextmanager
def _errors_of_validation_data():
    """Say in an error that it is about the validation data."""
    try:
        yield
    except ValueError as error:
        raise ValueError(
            f"In the validation data (X_val, y_val, sample_weight_val): {error}"
        ) from error


def validate_held_out(witness, X_val=None, y_val=None, sample_weight_val=None):
    """The validation data as `Given`; None if there are none."""
    if (X_val is None) != (y_val is None):
        missing = "y_val" if y_val is None else "X_val"
        raise ValueError(f"X_val and y_val go together. Got no {missing}.")
    if X_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val. Got neither.")
        return None
    with _errors_of_validation_data():
        return witness.validate(X_val, y_val, sample_weight_val, reset=False)


def targets_of(settings, y, classes=None):
    """What y is; `classes` are those known before."""
    if settings.kind == "regressor":
        return RealTargets.of(y)
    return ClassTargets.of(y, settings.class_weight, classes)


def pose(settings, targets, given, given_val=None, rows=None):
    """The problem that the data pose.

    Parameters
    ----------
    settings : Settings
        The parameters of the estimator.
    targets : RealTargets or ClassTargets
        What y is.
    given : Given
        The data to learn from.
    given_val : Given, optional
        Validation data.
    rows : ndarray of intp, optional
        The rows of ``given.X`` that ``given.y`` and the weights belong to, each once; the
        other rows are not read. None: all rows.

    Returns
    -------
    Problem
        With its own, completed, `targets`.
    """
    X = given.X
    check_whitening(settings, X.shape[1])
    y = targets.encode(given.y)
    _check_domain(settings, y)
    targets = targets.balanced(given.sample_weight, y)
    weight = targets.weigh(given.sample_weight, y)
    subset = held_out = None
    if given_val is not None:
        held_out = _encoded(settings, targets, given_val)
    elif settings.early_stopping:
        subset, rest = _split(settings, targets.stratify(y), len(y))
        X_rest = X[rest if rows is None else rows[rest]]
        weight_rest = None if weight is None else weight[rest]
        held_out = _held_out_by_chance(settings, targets, X_rest, y[rest], weight_rest)
    if weight is not None:
        weight = normalise(weight, subset)
    if rows is not None:
        weight = None if weight is None else spread(weight, rows, X.shape[:1])
        y = spread(y, rows, (X.shape[0], y.shape[1]))
        subset = rows if subset is None else rows[subset]
    return Problem(X, y, weight, settings.loss, targets, rows, subset, held_out)


def _check_domain(settings, y):
    """Raise a ValueError unless the loss is defined for all targets."""
    refused = y[~settings.loss.allows(y)]
    if len(refused):
        raise ValueError(
            f"With loss={settings.given_loss!r} y must have {settings.loss.domain} only. "
            f"Got {refused[0]} instead."
        )


def _encoded(settings, targets, given_val):
    """Validation data that were given, as `HeldOut`."""
    with _errors_of_validation_data():
        y = targets.encode(given_val.y, "y_val")
        _check_domain(settings, y)
        weight = targets.weigh(given_val.sample_weight, y)
    return HeldOut(given_val.X, y, weight, settings.loss, targets)


def _split(settings, stratify, n):
    """Which of n rows train, in ascending order, and which are held out."""
    try:
        subset, rest = train_test_split(
            np.arange(n),
            test_size=settings.validation_fraction,
            random_state=settings.random_state,
            stratify=stratify,
        )
    except ValueError as error:
        raise ValueError(
            "early_stopping cannot hold out validation_fraction="
            f"{settings.validation_fraction} of {n} rows. Give X_val and y_val, or change one of "
            f"the two. {error}"
        ) from error
    return np.sort(subset), rest


def _held_out_by_chance(settings, targets, X, y, weight):
    """The rows that early stopping holds out, as `HeldOut`."""
    if weight is not None and not np.any(weight):
        raise ValueError(
            "sample_weight must be non-zero somewhere in the rows that early_stopping holds "
            "out. Got zeros only; increase validation_fraction or give X_val and y_val."
        )
    return HeldOut(X, y, weight, settings.loss, targets)


def set_up(run, settings, problem, *, anew=False):
    """Prepare a run for a fit with these settings; returns the data to train on."""
    coordinates = _coordinates(settings, problem, run.statistics)
    data = problem.data(
        coordinates,
        auto.batch_size(settings.batch_size, settings.optimizer, problem),
        settings.shuffle,
        condensed=True,
    )
    rate = _learning_rate(settings, data, coordinates, run.statistics)
    # A fit that continues has max_iter epochs ahead of it, as the first one had.
    horizon = run.history.n_recent + settings.max_iter
    config = _config(settings, problem, rate, horizon)
    run.configure(config, coordinates, settings.optimizer, anew=anew)
    return data


def _coordinates(settings, problem, statistics):
    return coordinates_for(
        problem,
        statistics,
        settings.precondition,
        fit_intercept=settings.fit_intercept,
        ridge=settings.penalty.ridge,
    )


def _learning_rate(settings, data, coordinates, statistics, *, sample=False):
    return auto.learning_rate(
        settings.learning_rate,
        settings.optimizer,
        data,
        coordinates,
        statistics,
        settings.penalty,
        sample=sample,
    )


def _config(settings, problem, learning_rate, horizon):
    return Config(
        learning_rate=learning_rate,
        schedule=settings.schedule,
        horizon=horizon,
        penalty=settings.penalty,
        average=auto.average(settings.average, settings.optimizer),
        tol=settings.tol,
        n_iter_no_change=settings.n_iter_no_change,
        validated=problem.held_out is not None,
        dtype=problem.X.dtype.name,
    )


def fit(estimator, X, y, sample_weight, validation):
    """Train until the stopping rule, or `max_iter`, says enough, and publish the result.

    `validation` is (X_val, y_val, sample_weight_val). Returns the text of a convergence
    warning, or None.
    """
    settings = settings_of(estimator)
    before = getattr(estimator, "_run", None) if settings.warm_start else None
    with one_blas_thread:
        witness = Witness(estimator)
        given = witness.validate(X, y, sample_weight)
        given_val = validate_held_out(witness, *validation)
        targets = targets_of(settings, given.y, before and getattr(estimator, "classes_", None))
        problem = pose(settings, targets, given, given_val)
        run = _run(settings, problem, before, observe(problem, settings.precondition))
        anew = run.begin_fit(problem.fingerprint(settings.penalty) if settings.warm_start else None)
        data = set_up(run, settings, problem, anew=anew)
        tasks = EpochTasks(estimator, X, y, sample_weight, settings.max_iter)
        unfinished = _train(estimator, run, data, problem, tasks, witness.attributes)
    return convergence_message(run, settings, unfinished)


def partial_fit(estimator, X, y, sample_weight, classes=None):
    """Train for one epoch over a part of the data, and publish the result.

    `classes` are all labels there will be; None for those of the first call.
    """
    settings = settings_of(estimator)
    check_parts(settings)
    before = getattr(estimator, "_run", None)
    with one_blas_thread:
        witness = Witness(estimator)
        given = witness.validate(X, y, sample_weight, reset=before is None)
        if settings.kind == "classifier":
            classes = all_classes(classes, before and estimator.classes_)
        problem = pose(settings, targets_of(settings, given.y, classes), given)
        so_far = None if before is None else before.statistics
        run = _run(settings, problem, before, observe(problem, settings.precondition, so_far))
        run.fingerprint = None
        coordinates = _coordinates(settings, problem, run.statistics)
        rows = auto.batch_size(settings.batch_size, settings.optimizer, problem)
        data = problem.data(coordinates, rows, settings.shuffle)
        rate = _learning_rate(settings, data, coordinates, run.statistics, sample=True)
        if run.config is not None and settings.learning_rate == "auto":
            # Parts of the data give different rates. The rate never grows.
            rate = min(rate, run.config.learning_rate)
        config = _config(settings, problem, rate, settings.max_iter)
        run.configure(config, coordinates, settings.optimizer)
        tasks = EpochTasks(estimator, X, y, sample_weight, 1)
        _train(estimator, run, data, problem, tasks, witness.attributes)


def _run(settings, problem, before, statistics):
    """A new run, or one that continues from `before`, with these statistics."""
    if before is None:
        return Run(draw_seed(settings.random_state), statistics)
    _check_same_shape(before.coordinates, settings, problem)
    run = before.copy()
    run.statistics = statistics
    return run


def _check_same_shape(before, settings, problem):
    """Raise a ValueError unless the model so far, with these coordinates, has the same shape."""
    for what, known, now in (
        ("X must have the {} features", before.n_features, problem.X.shape[1]),
        ("y must have the {} outputs", before.n_outputs, problem.targets.n_outputs),
        ("fit_intercept must be the {}", before.intercept, settings.fit_intercept),
    ):
        if known != now:
            raise ValueError(
                f"{what.format(known)} of the last call, from which this one continues. "
                f"Got {now} instead; to begin anew call fit with warm_start=False."
            )


def _train(estimator, run, data, problem, tasks, seen):
    """Train one run and publish it; whether it was stopped by the number of epochs only."""

    def attributes():
        return fitted_attributes(run, problem, seen)

    def end_epoch(active):
        if estimator.verbose:
            print(epoch_line(run))
        return tasks.end_epoch(attributes)

    tasks.begin()
    unfinished = train(
        [run],
        data,
        epochs=[tasks.n_epochs],
        held_out=problem.held_out,
        begin_epoch=tasks.begin_epoch,
        end_epoch=end_epoch,
    )
    if run.error is not None:
        raise run.error
    with published(estimator, attributes() | {"_run": run}):
        tasks.end()
    return bool(unfinished)


def fitted_attributes(run, problem, seen):
    """The fitted attributes of a run; `seen` are those that the validation of X gave."""
    history, dtype = run.history, problem.X.dtype
    coef, intercept = problem.targets.published(problem.loss, *run.model())
    fitted = {
        **seen,
        **problem.targets.attributes(),
        "coef_": np.asarray(coef, dtype=dtype),
        "intercept_": intercept.astype(dtype),
        "n_iter_": history.n_epochs,
        "t_": run.n_steps,
        "loss_curve_": list(history.loss_curve),
        "evaluation_curve_": list(history.evaluation_curve),
        "learning_rate_": run.config.learning_rate,
        "optimizer_": run.lane.rule.optimizer,
    }
    if run.config.validated:
        fitted["validation_loss_curve_"] = list(history.validation_loss_curve)
        fitted["validation_scores_"] = list(history.validation_scores)
    return fitted


@contextlib.contextmanager
def published(estimator, attributes):
    """Give an estimator its fitted attributes; take them back if the block fails."""
    state, before = vars(estimator), dict(vars(estimator))
    for name in OPTIONAL:
        state.pop(name, None)
    state.update(attributes)
    try:
        yield
    except BaseException:
        for name in (*OPTIONAL, *attributes):
            state.pop(name, None)
            if name in before:
                state[name] = before[name]
        raise


def epoch_line(run):
    """What `verbose` prints after an epoch."""
    history = run.history
    line = f"epoch {history.n_epochs}: objective {history.loss_curve[-1]:.6g}"
    if run.config.validated:
        line += (
            f", validation loss {history.validation_loss_curve[-1]:.6g}"
            f", validation score {history.validation_scores[-1]:.4g}"
        )
    return line


def convergence_message(run, settings, unfinished):
    """The text of a warning if training ended too early, or above where it began; else None."""
    rate = run.config.learning_rate
    curve = run.history.recent(run.history.loss_curve)
    if curve[-1] > curve[0] and run.stopping.stale >= settings.n_iter_no_change:
        return (
            f"The objective is {curve[-1]:.6g} after {len(curve)} epochs and was "
            f"{curve[0]:.6g} after the first: decrease the learning_rate (it was "
            f"{rate:.3g}) or use learning_rate='auto'."
        )
    if unfinished and settings.tol is not None:
        return (
            f"max_iter={settings.max_iter} epochs were over before the objective settled to within "
            f"tol={settings.tol} for {settings.n_iter_no_change} epochs. Increase max_iter, change "
            f"the learning_rate (it was {rate:.3g}), loosen tol, or set tol=None to "
            "run max_iter epochs without this warning."
        )
    return None
