"""What the two estimators share: parameters, their checks, and the calls of a fit."""

from __future__ import annotations

import functools
import inspect
import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted

from .. import losses, optimizers, schedules
from .._links import DocumentationLink
from ..hints import OF_ESTIMATORS
from ..parameters import check_names, closest
from . import fitting
from .loading import check_fitted
from .validation import validate_features

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

# The parameters that take names, and where these are.
NAMED = {"optimizer": "optimizers", "loss": "losses", "schedule": "schedules"}

# Values that a clone may share.
PLAIN = frozenset({str, int, float, bool, type(None)})

# Parameters that models of earlier versions may not have, with what these did.
ADDED = {"scoring": None}


class GDEstimator(DocumentationLink, CallbackSupportMixin, SparseCoefMixin, BaseEstimator):
    """Parameters and their checks, `fit` and `partial_fit`; a subclass adds the predictions.

    A fitted estimator has, besides its public attributes, `_run`: what training continues
    from. A call that fails changes nothing.
    """

    n_iter_: int
    t_: int
    loss_curve_: list[float]
    evaluation_curve_: list[int]
    validation_loss_curve_: list[float]
    validation_scores_: list[float]
    alpha_: float
    scale_penalty_: bool
    learning_rate_: float
    batch_size_: int
    optimizer_: optimizers.Optimizer
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    _parameter_constraints = {
        "optimizer": [str, optimizers.Optimizer],
        "loss": [str, losses.Loss],
        "alpha": [str, Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "scale_penalty": ["boolean"],
        "fit_intercept": ["boolean"],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "schedule": [str, schedules.Schedule, callable],
        "batch_size": [StrOptions({"auto", "full"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [str, callable, None],
        "average": [StrOptions({"auto"}), "boolean", Interval(Integral, 1, None, closed="left")],
        "precondition": [StrOptions({"standardize", "whiten"}), None],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __new__(cls, *args, **parameters):
        check_names(cls, parameters, OF_ESTIMATORS)
        return super().__new__(cls)

    def __setstate__(self, state):
        super().__setstate__(ADDED | state if isinstance(state, dict) else state)
        check_fitted(vars(self), self._kind)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @classmethod
    @functools.cache
    def _get_param_names(cls):
        # scikit-learn inspects the signature in every call, which takes a tenth of a small fit.
        return super()._get_param_names()

    def __sklearn_clone__(self):
        # scikit-learn copies and compares every parameter, for each fit of a search. Most are
        # numbers and names. Whatever else it knows of an estimator begins with an underscore.
        known = vars(self)
        given = {name: known.get(name, self) for name in self._get_param_names()}
        if all(type(value) in PLAIN for value in given.values()) and not any(
            name[0] == "_" and name != "_run" for name in known
        ):
            other = type(self)(**given)
            if all(vars(other).get(name, self) is value for name, value in given.items()):
                return other
        return super().__sklearn_clone__()

    def _validate_params(self):
        refused = {
            name: value
            for name, (default, allowed) in _parameters_of(type(self)).items()
            if (value := getattr(self, name)) is not default
            and not any(each.is_satisfied_by(value) for each in allowed)
        }
        if not refused:
            return
        try:
            validate_parameter_constraints(
                self._parameter_constraints, refused, type(self).__name__
            )
        except InvalidParameterError as error:
            message = str(error)
            for name in ("optimizer", "loss"):
                value = getattr(self, name)
                if f"The {name!r} parameter" in message and isinstance(value, type):
                    message += f" Write {value.__name__}(): an instance, not the class."
            if "The 'learning_rate' parameter" in message and isinstance(self.learning_rate, str):
                message += " The 'schedule' parameter changes the rate during training."
            if "The 'alpha' parameter" in message:
                message += " The strings are 'auto' and multiples of it, such as '10 * auto'."
            for name, value in refused.items():
                if f"The {name!r} parameter" in message and isinstance(value, str):
                    message += _meant(value, self._parameter_constraints[name])
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
        words = [name for name in params if name in OF_ESTIMATORS]
        check_names(type(self), words, OF_ESTIMATORS)
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

    def _raw(self, X):
        """Raw predictions, before the link function or the choice of a class."""
        check_is_fitted(self)
        X = validate_features(self, X, reset=False)
        # Products of finite numbers are numbers or overflow. But some kernels of BLAS compute with
        # what is beside a small array in memory, and numpy then warns of an invalid value.
        with np.errstate(invalid="ignore"):
            raw = X @ self.coef_.T
            # Two sparse matrices: scikit-learn's product of them needs equal types.
            return (raw.toarray() if sp.issparse(raw) else raw) + self.intercept_

    # How `fit` comes from data to the problem that they pose.
    _pose = fitting.pose_rows

    def _fit(self, X, y, sample_weight, validation):
        message = fitting.fit(self, X, y, sample_weight, validation)
        if message is not None:
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        # scikit-learn leaves out the validation of a fitted estimator's parameters.
        check_parameters(self)
        fitting.partial_fit(self, X, y, sample_weight, classes)
        return self


@functools.cache
def _parameters_of(cls):
    """The default of every parameter of a class that is checked, and the constraints for others."""
    constraints, signature = cls._parameter_constraints, inspect.signature(cls.__init__).parameters
    found = {
        name: (signature[name].default, [make_constraint(each) for each in constraints[name]])
        for name in cls._get_param_names()
        if constraints.get(name, "no_validation") != "no_validation"
    }
    defaults = {name: default for name, (default, _) in found.items()}
    given = {name: each for name, each in defaults.items() if each is not inspect.Parameter.empty}
    validate_parameter_constraints(constraints, given, cls.__name__)
    return found


def _meant(given, allowed):
    """What a mistyped name probably means, for a message: empty if nobody can tell."""
    if given.lower() == "none" and None in allowed:
        return " Write None without quotation marks."
    names = [name for each in allowed if isinstance(each, StrOptions) for name in each.options]
    near = closest(given, names)
    return f" Did you mean {near!r}?" if near else ""


def check_parameters(estimator):
    """Raise an InvalidParameterError if a parameter of an estimator is of the wrong kind."""
    estimator._validate_params()
