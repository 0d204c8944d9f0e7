"""What a schedule is."""

import contextlib
import inspect

import numpy as np
from sklearn.base import BaseEstimator


class Schedule(BaseEstimator):
    """Base of all schedules, and of your own: write `multiplier`.

    A schedule is a pure function of the training time: it does not depend on
    the batch size, and it never changes while a model is trained. One that
    reacts to the loss says what it is after the losses so far (`after`).

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

    def check(self):
        """Raise a ValueError if a parameter is out of its range."""

    def multiplier(self, epochs, horizon):
        """The formula.

        Parameters
        ----------
        epochs : ndarray of float
            Training times in epochs, from zero on; they may be beyond the horizon.
        horizon : float
            Epochs that training is to take (``max_iter``).

        Returns
        -------
        ndarray of float, of the shape of `epochs`
            What the learning rate is multiplied by at each of the times.
        """
        raise TypeError(
            f"{type(self).__name__} has no multiplier: a schedule of your own defines "
            "multiplier(epochs, horizon), what the learning rate is multiplied by."
        )

    def after(self, losses):
        """The schedule from here on, epochs with these losses being over.

        Some losses first and then the others, or all at once, is the same.

        Parameters
        ----------
        losses : list of float
            The objective, or the validation loss if there is validation data,
            of each of the epochs; NaN where it is not known.

        Returns
        -------
        Schedule
            Another one, or, by default, the schedule itself.
        """
        return self

    def __call__(self, epochs, horizon):
        """The multipliers at the times `epochs`, which must be finite and not negative."""
        epochs = np.asarray(epochs, dtype=float)
        values = np.asarray(self.multiplier(epochs, horizon))
        if values.shape != epochs.shape:
            raise ValueError(
                f"The schedule {self!r} must return an array with one multiplier for each time it "
                f"is given, of shape {epochs.shape}. Got shape {values.shape} instead; compute "
                "with numpy, on all times at once."
            )
        if values.dtype.kind not in "buif":
            raise ValueError(
                f"The schedule {self!r} must return real numbers. Got dtype {values.dtype} instead."
            )
        if values.size and not 0 <= values.min() <= values.max() < np.inf:
            wrong = ~(np.isfinite(values) & (values >= 0))
            raise ValueError(
                f"The schedule {self!r} must return finite multipliers that are not negative. Got "
                f"{values[wrong][0]} at epoch {epochs[wrong][0]:.6g} of {horizon} instead."
            )
        return values.astype(float, copy=False)


class FunctionSchedule(Schedule):
    """A plain Python function of the times and the horizon."""

    def __init__(self, function):
        self.function = function

    def __repr__(self, N_CHAR_MAX=700):
        return repr(self.function)

    def check(self):
        with contextlib.suppress(ValueError):  # some that are written in C have no signature
            signature = inspect.signature(self.function)
            try:
                signature.bind(None, None)
            except TypeError:
                raise TypeError(
                    "A function as the 'schedule' parameter must take two arguments, the times in "
                    f"epochs (an array) and the horizon. Got {self!r} with {signature} instead."
                ) from None

    def multiplier(self, epochs, horizon):
        return self.function(epochs, horizon)


def half_cosine(begin, end, part):
    """From `begin` to `end` along half a cosine; `part` of the way, from 0 to 1."""
    return end + (begin - end) * (1 + np.cos(np.pi * part)) / 2
