"""Checks of optimizers, which users may have written."""

import warnings
from numbers import Real

import numpy as np

# So many steps may fill the state before one changes the weights.
FILLING = 5


def check_choices(cls):
    """Raise a TypeError if a class sets an attribute, or a value, that is not known."""
    for name, instead in (
        ("parameter_free", 'default_rate = "own" if the rule finds the size of its steps'),
        ("default_full_batch", 'full_batch = "preferred" if the rule is better with it'),
    ):
        if hasattr(cls, name):
            raise TypeError(f"{cls.__name__}.{name} is not known: write {instead}, else nothing.")
    rate, batch = cls.default_rate, cls.full_batch
    number = isinstance(rate, Real) and not isinstance(rate, bool) and 0 < rate < float("inf")
    if not (number or _depends(rate) or rate in ("smoothness", "own")):
        raise TypeError(
            f"{cls.__name__}.default_rate must be a positive number, 'smoothness' (formerly None) "
            f"or 'own'. Got {rate!r} instead."
        )
    if not (_depends(batch) or batch in ("optional", "preferred", "required")):
        raise TypeError(
            f"{cls.__name__}.full_batch must be 'optional' (formerly False), 'preferred' or "
            f"'required' (formerly True). Got {batch!r} instead."
        )


def _depends(value):
    """Whether an attribute of a class is a property: its value depends on the instance."""
    return hasattr(value, "__get__")


def check_returned(optimizer, result, w):
    """Raise a TypeError if a step has returned anything but the weights it was given."""
    if result is not w:
        raise TypeError(
            f"{type(optimizer).__name__}.step must change w in place, as by w -= ..., "
            f"and return nothing. Got {type(result).__name__} instead."
        )


def check_first_step(optimizer, w, g, state):
    """Raise a ValueError if the first step has made NaN, or keeps what the next one overwrites.

    No learning rate is to blame for NaN.
    """
    for key, kept in state.items():
        for name, array in (("w", w), ("g", g)):
            if any(np.may_share_memory(array, each) for each in _arrays(kept)):
                raise ValueError(
                    f"{type(optimizer).__name__}.step keeps {name} itself in state[{key!r}]: later "
                    f"steps are given the same array with other numbers. Keep {name}.copy()."
                )
    if np.isnan(w).any() and np.isfinite(g).all():
        raise ValueError(
            f"The first {type(optimizer).__name__}.step has made NaN of finite "
            "weights and gradients. Look for a division by zero: an entry of the gradient "
            "may be exactly zero."
        )


def _arrays(value):
    """The arrays in a value of a state: the value itself, or those in a list."""
    values = value if isinstance(value, list | tuple) else [value]
    return [each for each in values if isinstance(each, np.ndarray)]


def is_idle(optimizer, steps, state):
    """Whether a step still has to change the weights after so many that did not, with a warning."""
    most = FILLING if state else 1
    if steps < most:
        return True
    calls = "its first call" if most == 1 else f"its first {most} calls"
    warnings.warn(
        f"{type(optimizer).__name__}.step has not changed w in {calls}, though the gradient is not "
        "zero: it must do so in place, as by w -= ...; w = w - ... makes another array.",
        stacklevel=2,
    )
    return False
