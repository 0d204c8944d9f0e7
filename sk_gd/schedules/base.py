"""The base class of all schedules, and the schedule that wraps a function."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING

import numpy as np

from ..parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

ScheduleLike: TypeAlias = "str | Schedule | Callable[[Any, Any], Any]"


class Schedule(Parameters):
    """Base class of all schedules. To write your own, define `multiplier`.

    A schedule is a pure function of the training time. It does not depend on
    the batch size, and it never changes while a model is trained. A schedule
    that reacts to the loss defines `after`, which returns the schedule to use
    after the losses so far.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd.schedules import Schedule
    >>> class Root(Schedule):
    ...     def multiplier(self, epochs, horizon):
    ...         return 1 / np.sqrt(1 + epochs)
    >>> Root()([0, 3], 10)
    array([1. , 0.5])
    """

    # `schedules.get`, which is defined where all names are known.
    _get = None

    def check(self):
        """Raise a ValueError if a parameter is out of range."""

    def multiplier(self, epochs, horizon):
        """Compute the multipliers of the learning rate: the formula of the schedule.

        Parameters
        ----------
        epochs : ndarray of float
            Training times in epochs, from zero on. They may lie beyond the horizon.
        horizon : float
            Number of epochs that training is to take (``max_iter``).

        Returns
        -------
        ndarray of float, of the shape of `epochs`
            The multiplier of the learning rate at each of the times.
        """
        raise TypeError(
            f"{type(self).__name__} has no multiplier. A schedule of your own must define "
            "multiplier(epochs, horizon), which returns what the learning rate is multiplied by."
        )

    def after(self, losses):
        """Return the schedule to use after epochs with these losses.

        The losses may come all at once or in several calls: the result is the same.

        Parameters
        ----------
        losses : list of float
            The loss of each epoch: the validation loss if there is validation
            data, else the training objective. NaN where it is not known.

        Returns
        -------
        Schedule
            The schedule from here on. By default it is the schedule itself.
        """
        return self

    def __call__(self, epochs, horizon):
        """Return the multipliers at the times `epochs`, checked to be finite and not negative."""
        epochs = np.asarray(epochs, dtype=float)
        try:
            values = np.asarray(self.multiplier(epochs, horizon))
        except (ValueError, TypeError) as error:
            message = str(error)
            if "truth value" in message:
                hint = (
                    "It compares them as one number, as in `if epochs > 5`; write "
                    "np.where(epochs > 5, 0.1, 1.0)."
                )
            elif "converted to Python scalar" in message:
                hint = "It takes them as one number, as math.cos does; write np.cos."
            else:
                raise
            raise ValueError(
                f"The schedule {self!r} must work on an array of times. {hint}"
            ) from error
        if values.shape != epochs.shape:
            raise ValueError(
                f"The schedule {self!r} must return an array with one multiplier for each time it "
                f"is given, of shape {epochs.shape}. Got shape {values.shape} instead. Use numpy "
                "functions, which work on all times at once."
            )
        if values.dtype.kind not in "buif":
            raise ValueError(
                f"The schedule {self!r} must return real numbers. Got dtype {values.dtype} instead."
            )
        if values.size and not 0 <= values.min() <= values.max() < np.inf:
            invalid = ~(np.isfinite(values) & (values >= 0))
            raise ValueError(
                f"The schedule {self!r} must return finite multipliers that are not negative. Got "
                f"{values[invalid][0]} at epoch {epochs[invalid][0]:.6g} of {horizon:.6g} instead."
            )
        return values.astype(float, copy=False)


class FunctionSchedule(Schedule):
    """A schedule made of a Python function of the times and the horizon."""

    def __init__(self, function):
        self.function = function

    def __repr__(self, N_CHAR_MAX=700):
        return repr(self.function)

    def check(self):
        with contextlib.suppress(ValueError):  # some functions written in C have no signature
            signature = inspect.signature(self.function)
            try:
                signature.bind(None, None)
            except TypeError:
                raise TypeError(
                    "A function given as the 'schedule' parameter must take two arguments: the "
                    "times in epochs (an array) and the horizon. "
                    f"Got {self!r} with the signature {signature} instead."
                ) from None

    def multiplier(self, epochs, horizon):
        return self.function(epochs, horizon)


def following(schedule, losses):
    """The schedule after epochs with these losses; a user may have written `schedule`."""
    found = schedule.after(losses)
    if not isinstance(found, Schedule):
        raise TypeError(
            f"{type(schedule).__name__}.after must return the schedule to use from here on: "
            f"another one, or the same, unchanged. Got {found!r} instead."
        )
    return found


def half_cosine(begin, end, part):
    """Go from `begin` to `end` along half a cosine; `part` is the share of the way done."""
    return end + (begin - end) * (1 + np.cos(np.pi * part)) / 2
