"""Which fits of a search share a pass, and the threads that run the passes."""

import functools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import joblib
from sklearn import config_context, get_config

from ..estimators.base import check_parameters
from ..estimators.settings import settings_of
from ..estimators.validation import Validator
from .lanes import Candidate, Pass, TrainingSet
from .moments import shared_moments
from .pipelines import fit_transformers, remembering
from .rows import Fold
from .sklearn_private import take_rows
from .splits import are_different, positions
from .tasks import Task


class AnotherWorkerFailed(BaseException):
    """Another worker failed, or the user has interrupted the search: stop."""


class SharedFits:
    """All fits that a search asks for in one call.

    Parameters
    ----------
    calls : list of FitCall
        The fits.
    """

    def __init__(self, calls):
        self._tasks = [Task(call) for call in calls]
        self._stop = threading.Event()
        # X and y, all rows, as the estimators of each class read them.
        self._valid = {}
        # For each class, the moments that the splits share; None if they do not.
        self._moments = {}
        # The candidates that share a pass, by their numbers.
        self._candidates = {}

    def run(self, n_jobs, nested_backend):
        """Train and score all fits that can share a pass.

        Parameters
        ----------
        n_jobs : int
            Number of threads.
        nested_backend : callable
            Makes the joblib backend, and its number of jobs, for what runs in a thread.

        Returns
        -------
        list
            What scikit-learn expects of each fit; None for a fit that cannot be shared.
        """
        units = even_in_number(self._units(), self._candidates)
        if n_jobs == 1 or len(units) <= 1:
            for unit in units:
                self._work(unit)
        else:
            self._work_in_threads(units, n_jobs, nested_backend)
        self._report()
        return [task.result for task in self._tasks]

    def _report(self):
        """Print which fits are not shared, and why, if the search is verbose."""
        if self._tasks and self._tasks[0].call.is_verbose:
            reasons = Counter(task.reason for task in self._tasks if task.result is None)
            for reason, count in reasons.items():
                print(f"{count} of {len(self._tasks)} fits are done one by one: {reason}")

    def _units(self):
        """Return the units of work: lists of tasks with the same split and the same key."""
        units, keys = {}, {}
        for task in self._tasks:
            candidate = task.call.candidate
            if candidate not in keys:
                keys[candidate] = self._key(task)
            key, task.reason = keys[candidate]
            if task.reason is None:
                if task.is_pipeline:
                    task.set_parameters()
                units.setdefault((task.call.split, key), []).append(task)
        return list(units.values())

    def _key(self, task):
        """Return a key that is the same for candidates of one unit, or None and a reason."""
        try:
            task.set_parameters()
            reason = task.reason_not_shared()
            if reason is not None:
                return None, reason
            check_parameters(task.model)
            self._candidates[task.call.candidate] = Candidate(settings_of(task.model))
            if task.is_pipeline:
                return task.transformers_key(), None
            self._validate(task)
        except Exception as error:
            # The candidate is fitted alone, and scikit-learn reports the error of that fit.
            return None, f"{type(error).__name__}: {error}"
        return task.model_key(), None

    def _validate(self, task):
        """Validate X and y, all rows, once for each class of estimators."""
        kind = type(task.model)
        if kind not in self._valid:
            validator = Validator(task.model)
            given = validator.validate(task.call.X, task.call.y)
            self._valid[kind] = given, validator.attributes
            calls = {each.call.split: each.call for each in self._tasks}
            self._moments[kind] = shared_moments(given.X, given.y, calls)

    def _work_in_threads(self, units, n_jobs, nested_backend):
        config = get_config()

        def work(unit):
            backend, jobs = nested_backend()
            # Both configurations are those of one thread only.
            with config_context(**config), joblib.parallel_config(backend, n_jobs=jobs):
                self._work(unit)

        with ThreadPoolExecutor(n_jobs) as pool:
            futures = [pool.submit(work, unit) for unit in units]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _work(self, unit):
        """Train the tasks of a unit, and have them scored."""
        self._check_stop()
        try:
            fold = self._fold(unit[0])
            steps, data = self._training_set(unit[0], fold)
        except Exception as error:
            _give_up(unit, error)
            return
        groups = {}
        for task in unit:
            # Pipelines of one unit may differ in any parameter of their last steps.
            key = task.model_key() if task.is_pipeline else None
            groups.setdefault(key, []).append(task)
        for group in groups.values():
            self._train(group, fold, steps, data)

    def _fold(self, task):
        call = task.call
        return Fold(
            call.X,
            call.train,
            call.test,
            needs_train=call.scores_train or call.has_callbacks,
            is_read_only=task.only_predicts(),
            valid=self._valid[type(task.model)][0] if task.predicts_rows() else None,
        )

    def _train(self, group, fold, steps, data):
        """Train models in one pass, and have each of them scored."""
        try:
            candidates = [self._candidates[task.call.candidate] for task in group]
            shared = Pass(candidates, data, not fold.is_read_only)
            outcomes, errors = shared.train(self._check_stop), shared.errors
            targets, loss = shared.problem.targets, shared.problem.loss
            # Its arrays are freed before the models are scored.
            del shared
        except Exception as error:
            _give_up(group, error)
            return
        fold.expected += [each.attributes for each in outcomes if each and each.attributes]
        for i, (task, outcome) in enumerate(zip(group, outcomes, strict=True)):
            self._check_stop()
            if outcome is None:
                _give_up([task], errors[i])
            else:
                task.deliver(fold, outcome, steps, targets, loss)

    def _check_stop(self):
        if self._stop.is_set():
            raise AnotherWorkerFailed

    def _training_set(self, task, fold):
        """Return the fitted transformers of a unit, if any, and what its models learn from."""
        parameters = task.call.fit_parameters(fold.train)
        if task.is_pipeline:
            return self._transformed(task, fold, parameters)
        valid, seen = self._valid[type(task.model)]
        rows = positions(fold.train)
        X, y = valid.X, valid.y
        if not are_different(rows):
            X, y, rows = X[rows], y[rows], None  # a row that occurs twice counts twice
        moments = self._moments_of(task)
        return None, TrainingSet(X, y, rows, weight_only(parameters), seen, moments)

    def _moments_of(self, task):
        """Return what gives the moments of the rows that train, given the targets; or None."""
        kind, split = type(task.model), task.call.split
        shared = self._moments[kind]

        def of(targets):
            if shared is None or not shared.suit(targets):
                return None
            return functools.partial(shared.without, split, targets)

        return of

    def _transformed(self, task, fold, parameters):
        X, y = fold.take(fold.train), take_rows(task.call.y, fold.train)
        steps, last = fit_transformers(task.estimator, X, y, parameters)
        validator = Validator(last.model)
        given = validator.validate(last.X, last.y)
        X, weight = given.X, weight_only(last.parameters)
        if fold.is_read_only:
            steps = remembering(steps)
            if fold.needs_train:
                # The rows are scored, too, and the steps may work in place.
                X = X.copy()
        return steps, TrainingSet(X, given.y, None, weight, validator.attributes)


def _give_up(tasks, error):
    """Leave tasks to be fitted alone, which will raise this error again."""
    for task in tasks:
        task.reason = f"{type(error).__name__}: {error}"


def even_in_number(units, candidates):
    """Make the number of units even: five folds would take two workers three rounds.

    The last unit is halved, whatever the number of workers, because the candidates
    that are trained together decide the last bits of the results. Candidates that
    are one run stay together, and so do those that share transformers.
    """
    if len(units) % 2 == 0 or units[-1][0].is_pipeline:
        return units
    runs = {}
    for task in units[-1]:
        runs.setdefault(candidates[task.call.candidate].run_key(), []).append(task)
    runs = list(runs.values())
    middle = len(runs) // 2
    halves = runs[:middle], runs[middle:]
    return units[:-1] + [[task for run in half for task in run] for half in halves if half]


def weight_only(parameters):
    """Return the sample_weight of a fit, which must be given nothing else."""
    others = sorted(set(parameters) - {"sample_weight"})
    if others:
        raise ValueError(f"fits cannot be shared that are given {', '.join(others)}")
    return parameters.get("sample_weight")
