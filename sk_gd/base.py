"""What the two estimators share: validate, make the objective, train, publish."""

import contextlib
import copy
import warnings
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from . import losses, optimizers, schedules
from ._links import DocumentationLink
from .objectives.coordinates import MAX_WHITEN_FEATURES, Coordinates, root_trace
from .problem import Problem, Validation, auto_batch_size, normalise, spread
from .training import Config, EpochTasks, Run, one_blas_thread, train

# The parameters that take names, and where these are.
NAMED = {"optimizer": "optimizers", "loss": "losses", "schedule": "schedules"}
# What a fitted estimator keeps besides its public attributes.
PRIVATE = ("_run", "_flat")


class GDEstimator(DocumentationLink, CallbackSupportMixin, SparseCoefMixin, BaseEstimator):
    """Everything but targets and predictions.

    `_run` is all that training goes on from. It survives a pickle, and a call
    that fails leaves it as it was.
    """

    _parameter_constraints = {
        "optimizer": [str, optimizers.Optimizer],
        "loss": [str, losses.Loss],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "schedule": [str, schedules.Schedule, callable],
        "batch_size": [StrOptions({"auto", "full"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "average": [StrOptions({"auto"}), "boolean", Interval(Integral, 1, None, closed="left")],
        "precondition": [StrOptions({"standardize", "whiten"}), None],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _validate_params(self):
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            message = str(error)
            for name in ("optimizer", "loss"):
                value = getattr(self, name)
                if f"The {name!r} parameter" in message and isinstance(value, type):
                    message += f" Write {value.__name__}(): an instance, not the class."
            if "The 'learning_rate' parameter" in message and isinstance(self.learning_rate, str):
                message += " What changes the rate as training goes on is the 'schedule' parameter."
            raise InvalidParameterError(message) from None

    def set_params(self, **params):
        """Set the parameters of this estimator, and of the instances that it has been given.

        Parameters
        ----------
        **params : dict
            Values by name; ``optimizer__momentum`` is the `momentum` of the optimizer.

        Returns
        -------
        self : object
            The estimator.
        """
        for name in params:
            value, *owners = self, *name.split("__")[:-1]
            for depth, owner in enumerate(owners, 1):
                path = "__".join(owners[:depth])
                value = params.get(path, getattr(value, owner, None))
                if owners[0] in NAMED and isinstance(value, str):
                    raise ValueError(
                        f"{name!r} is the parameter of an instance, and {path}={value!r} is a "
                        f"name. Give {path} as an instance, such as "
                        f"{NAMED[owners[0]]}.get({value!r})."
                    )
        return super().set_params(**params)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")

    def _fit(self, X, y, sample_weight, validation):
        """Train until the stopping rule, or `max_iter`, says enough."""
        resumed = self.warm_start and hasattr(self, "_run")
        return self._train(X, y, sample_weight, None, validation, resumed, running=False)

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch."""
        # scikit-learn leaves out the validation of a fitted estimator's parameters.
        self._validate_params()
        if self.early_stopping:
            raise ValueError(
                "partial_fit sees a part of the data only and cannot hold out any of it: "
                "early_stopping must be False. Got True instead."
            )
        return self._train(X, y, sample_weight, classes, None, hasattr(self, "_run"), running=True)

    def _train(self, X, y, sample_weight, classes, validation, resumed, *, running):
        epochs = 1 if running else self.max_iter
        with one_blas_thread, self._all_or_nothing():
            tasks = EpochTasks(self, X, y, sample_weight, epochs)
            optimizer, loss, schedule = self._resolve()
            X, y = self._validate(X, y, reset=not (resumed and running))
            problem = self._problem(
                X, y, sample_weight, loss, None, classes, validation, resumed, running
            )
            run = self._run.copy() if resumed else Run(self._seed())
            if running:
                run.question = None
            else:
                run.ask(problem.question(self.alpha, self.l1_ratio) if self.warm_start else None)
            self._observe(run, problem, running)
            data = self._configure(run, problem, optimizer, schedule, running)

            def end_epoch(active):
                self._report(run)
                return tasks.end_epoch(lambda: self._attributes(run, X.dtype))

            tasks.begin()
            going = train(
                [run],
                data,
                epochs=[epochs],
                validation=problem.held_out,
                begin_epoch=tasks.begin_epoch,
                end_epoch=end_epoch,
            )
            if run.error is not None:
                raise run.error
            self._publish(run, X.dtype)
            tasks.end()
        complaint = None if running else self._complaint(run, bool(going))
        if complaint is not None:
            warnings.warn(complaint, ConvergenceWarning, stacklevel=5)
        return self

    def _problem(
        self,
        X,
        y,
        sample_weight,
        loss,
        rows=None,
        classes=None,
        validation=None,
        resumed=False,
        running=False,
    ):
        """What there is to learn from valid data.

        With `rows` the targets and weights are those of these rows of X, without
        repetitions, and the other rows might not be there.
        """
        self._check_whitening(X)
        y = self._encode(X, y, classes, resumed, running)
        self._check_domain(loss, y)
        weight = self._weigh(sample_weight, y)
        subset, held_out = self._hold_out(X, y, sample_weight, weight, loss, rows, validation)
        if weight is not None:
            weight = normalise(weight, subset)
        if rows is not None:
            if weight is not None:
                weight = spread(weight, rows, X.shape[:1])
            y = spread(y, rows, (X.shape[0], y.shape[1]))
            subset = rows if subset is None else rows[subset]
        return Problem(X, y, weight, loss, rows, subset, held_out)

    def _observe(self, run, problem, running=False):
        """Let the run have the statistics of the data that its coordinates need."""
        if self.precondition is None:
            run.observe_targets(problem, running=running)
        else:
            run.observe(problem, full=self.precondition == "whiten", running=running)

    def _configure(self, run, problem, optimizer, schedule, running=False):
        """Have the run ready for training with these parameters; on which data."""
        coordinates = self._coordinates(run, problem)
        batch_size = self._rows_a_step(optimizer, problem)
        data = problem.data(coordinates, batch_size, self.shuffle, often=not running)
        config = Config(
            learning_rate=self._rate(optimizer, data, coordinates, run, running),
            schedule=schedule,
            # A fit that goes on has max_iter epochs ahead of it, like the first.
            horizon=self.max_iter if running else run.epochs - run.first + self.max_iter,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            average=self._average(optimizer),
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            validated=problem.held_out is not None,
            dtype=problem.X.dtype.name,
        )
        run.configure(config, coordinates, optimizer)
        return data

    @contextlib.contextmanager
    def _all_or_nothing(self):
        """Take back every fitted attribute if the block fails."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            # The rest belongs to the callbacks, whose teardown is still to come.
            for name in [name for name in self.__dict__ if name.endswith("_") or name in PRIVATE]:
                del self.__dict__[name]
                if name in before:
                    self.__dict__[name] = before[name]
            raise

    def _resolve(self):
        """Optimizer, loss and schedule as instances, checked before anything is changed."""
        optimizer = copy.deepcopy(optimizers.get(self.optimizer))
        optimizer.check()
        schedule = schedules.get(self.schedule)
        schedule.check()
        if self.precondition == "whiten" and self.alpha * self.l1_ratio > 0:
            raise ValueError(
                "precondition='whiten' turns the coordinates, in which the L1 penalty has no "
                f"proximal step: l1_ratio must be 0. Got l1_ratio={self.l1_ratio} instead; set it "
                "to 0 or use precondition='standardize'."
            )
        if optimizer.smooth_only and self.alpha * self.l1_ratio > 0:
            raise ValueError(
                f"{type(optimizer).__name__} needs a smooth objective, and the L1 penalty has a "
                f"corner at zero: l1_ratio must be 0. Got l1_ratio={self.l1_ratio} instead; set it "
                "to 0 or use another optimizer."
            )
        loss = losses.get(self.loss, self._kind)
        loss.check()
        return optimizer, loss, schedule

    @property
    def _ridge(self):
        """Strength of the ridge."""
        return self.alpha * (1 - self.l1_ratio)

    def _seed(self):
        if isinstance(self.random_state, Integral):
            return self.random_state
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _validate(self, X, y, *, reset):
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            **self._target_checks,
        )
        if sp.issparse(X) and not X.has_canonical_format:
            # The square of a sum is not the sum of the squares.
            X = X.copy()
            X.sum_duplicates()
        return X, y

    def _check_whitening(self, X):
        """Raise a ValueError if the matrix of the coordinates would be too large."""
        if self.precondition == "whiten" and X.shape[1] > MAX_WHITEN_FEATURES:
            raise ValueError(
                "precondition='whiten' keeps a matrix of n_features × n_features: at most "
                f"{MAX_WHITEN_FEATURES} features are allowed. Got {X.shape[1]} instead; use "
                "precondition='standardize'."
            )

    def _check_domain(self, loss, y):
        """Raise a ValueError unless the loss is defined for all targets."""
        refused = y[~loss.allows(y)]
        if len(refused):
            raise ValueError(
                f"With loss={self.loss!r} y must have {loss.domain} only. Got {refused[0]} instead."
            )

    def _check_resumed(self, X, n_outputs):
        """Raise a ValueError unless the model so far has this shape."""
        so_far = self._run.coordinates
        for what, before, now in (
            ("X must have the {} features", so_far.n_features, X.shape[1]),
            ("y must have the {} outputs", so_far.n_outputs, n_outputs),
            ("fit_intercept must be the {}", so_far.intercept, self.fit_intercept),
        ):
            if before != now:
                raise ValueError(
                    f"{what.format(before)} of the last call, from which this one goes on. "
                    f"Got {now} instead; to begin anew call fit with warm_start=False."
                )

    def _weigh(self, sample_weight, y, among=None):
        """The weights of the rows, or None if all count the same.

        Classes are balanced as `among` other rows, given as (sample_weight, y).
        """
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)

    def _hold_out(self, X, y, sample_weight, weight, loss, rows, validation):
        """Which of the rows train, None for all, and the validation data, None for none."""
        X_val, y_val, weight_val = validation or (None, None, None)
        if (X_val is None) != (y_val is None):
            missing = "y_val" if y_val is None else "X_val"
            raise ValueError(f"X_val and y_val go together. Got no {missing}.")
        if X_val is not None:
            try:
                X_val, y_val = self._validate(X_val, y_val, reset=False)
                y_val = self._encode_validation(y_val, y)
                self._check_domain(loss, y_val)
                weight_val = self._weigh(weight_val, y_val, among=(sample_weight, y))
            except ValueError as error:
                raise ValueError(
                    f"In the validation data (X_val, y_val, sample_weight_val): {error}"
                ) from error
            return None, self._validation(X_val, y_val, weight_val, loss)
        if weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val. Got neither.")
        if not self.early_stopping:
            return None, None
        try:
            subset, rest = train_test_split(
                np.arange(len(y)),
                test_size=self.validation_fraction,
                random_state=self.random_state,
                stratify=y if self._kind == "classifier" else None,
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping cannot hold out validation_fraction={self.validation_fraction} of "
                f"{len(y)} rows. Give X_val and y_val, or change one of the two. {error}"
            ) from error
        weight_val = None if weight is None else weight[rest]
        if weight_val is not None and not np.any(weight_val):
            raise ValueError(
                "sample_weight must be non-zero somewhere in the rows that early_stopping holds "
                "out. Got zeros only; increase validation_fraction or give X_val and y_val."
            )
        X_val = X[rest if rows is None else rows[rest]]
        return np.sort(subset), self._validation(X_val, y[rest], weight_val, loss)

    def _validation(self, X, y, weight, loss):
        return Validation(X, y, weight, loss, lambda p: self._score(y, p, weight))

    def _publish(self, run, dtype):
        """Make `run` what the estimator is fitted to."""
        for name in ("validation_loss_curve_", "validation_scores_"):
            self.__dict__.pop(name, None)
        self._run = run
        for name, value in self._attributes(run, dtype).items():
            setattr(self, name, value)

    def _coordinates(self, run, problem):
        X, loss = problem.X, problem.loss
        n_outputs = self._n_outputs(problem.y)
        # Indices of classes have no moments that mean anything.
        targets = run.targets if self._kind == "regressor" else None
        curvature = loss.curvature(n_outputs, targets)
        coordinates = Coordinates(X.shape[1], n_outputs, self.fit_intercept, curvature)
        if self.precondition is not None:
            # Sparse features are not shifted: that would fill them in.
            centre = self.fit_intercept and not sp.issparse(X)
            coordinates.standardize(
                run.features, loss.units(targets), curvature, self._ridge, centre=centre
            )
            if self.precondition == "whiten":
                coordinates.whiten(run.features, coordinates.curvature, self._ridge, centre=centre)
        return coordinates

    def _rows_a_step(self, optimizer, problem):
        """The batch size as a number."""
        n = problem.n
        if self.batch_size == "auto":
            return auto_batch_size(problem) if optimizer.full_batch == "optional" else n
        if self.batch_size == "full":
            return n
        if optimizer.full_batch == "required" and self.batch_size < n:
            raise ValueError(
                f"{type(optimizer).__name__} compares gradients of successive steps, which must be "
                f"of the same data: batch_size must be 'auto' or 'full'. Got {self.batch_size} for "
                f"{n} rows instead; change it, or use another optimizer."
            )
        return self.batch_size

    def _average(self, optimizer):
        """The epoch at which averaging begins, 0 for none."""
        return int(optimizer.default_average if self.average == "auto" else self.average)

    def _rate(self, optimizer, data, coordinates, run, running):
        """The learning rate as a number; in `running` data it never grows."""
        if self.learning_rate != "auto":
            return float(self.learning_rate)
        if optimizer.default_rate == "own":
            return 1.0
        if optimizer.default_rate != "smoothness":
            raw = self.precondition is None
            square = data.mean_square() if raw else coordinates.mean_square(run.features)
            rate = optimizer.default_rate / root_trace(
                square, coordinates, coordinates.curvature, self._ridge
            )
        else:
            # A part of the data is a sample, however it is cut into batches.
            sample = running and optimizer.full_batch != "required"
            rate = 1 / data.smoothness(self._ridge, optimizer.noise_gain, sample)
        if not 0 < rate < np.inf:
            raise ValueError(
                "learning_rate='auto' needs rows of X whose squared length is a number. Got rows "
                "too large for that; divide X by a constant, or choose a learning_rate."
            )
        if running and run.config is not None:
            rate = min(rate, run.config.learning_rate)
        return float(rate)

    def _attributes(self, run, dtype):
        """The fitted attributes of a run."""
        coef, intercept = self._shape(*run.model())
        fitted = {
            "coef_": np.asarray(coef, dtype=dtype),
            "intercept_": intercept.astype(dtype),
            "n_iter_": run.epochs,
            "t_": run.steps,
            "loss_curve_": list(run.loss_curve),
            "evaluation_curve_": list(run.evaluation_curve),
            "learning_rate_": run.config.learning_rate,
            "optimizer_": run.lane.rule.optimizer,
        }
        if run.config.validated:
            fitted["validation_loss_curve_"] = list(run.validation_loss_curve)
            fitted["validation_scores_"] = list(run.validation_scores)
        return fitted

    def _report(self, run):
        if self.verbose:
            line = f"epoch {run.epochs}: objective {run.loss_curve[-1]:.6g}"
            if run.config.validated:
                line += (
                    f", validation loss {run.validation_loss_curve[-1]:.6g}"
                    f", validation score {run.validation_scores[-1]:.4g}"
                )
            print(line)

    def _complaint(self, run, unfinished):
        """What to warn of: training that ended before it had settled, or above where it began."""
        rate = run.config.learning_rate
        curve = run.loss_curve[run.first :]
        if curve[-1] > curve[0] and run.stale >= self.n_iter_no_change:
            return (
                f"The objective is {curve[-1]:.6g} after {len(curve)} epochs and was "
                f"{curve[0]:.6g} after the first: decrease the learning_rate (it was "
                f"{rate:.3g}) or use learning_rate='auto'."
            )
        if unfinished and self.tol is not None:
            return (
                f"max_iter={self.max_iter} epochs were over before the objective settled to within "
                f"tol={self.tol} for {self.n_iter_no_change} epochs. Increase max_iter, change the "
                f"learning_rate (it was {rate:.3g}), loosen tol, or set tol=None to "
                "run max_iter epochs without this warning."
            )
        return None
