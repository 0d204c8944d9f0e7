"""Checks of parameters: names given as strings, ranges of numbers, equality of two values."""

import difflib
import functools
import inspect
import re
from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.base import BaseEstimator


class _Signature:
    """The parameters of a class, for help and editors, which would show those of `__new__`."""

    def __get__(self, instance, owner):
        if instance is not None:
            raise AttributeError("__signature__")  # an optimizer is a function, too
        if owner.__init__ is object.__init__:
            return inspect.Signature()
        init = inspect.signature(owner.__init__)
        return init.replace(parameters=[*init.parameters.values()][1:])


class Parameters(BaseEstimator):
    """A scikit-learn object whose class is inspected once: that takes longer than a small step."""

    # What to write in place of parameters of other packages.
    _words = {}

    __signature__ = _Signature()

    def __new__(cls, *args, **parameters):
        check_names(cls, parameters, cls._words)
        # Python ignores values for a class without `__init__`, since `__new__` takes them.
        if args and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__} has no parameters. Got {args[0]!r}.")
        return super().__new__(cls)

    @classmethod
    @functools.cache
    def _get_param_names(cls):
        return super()._get_param_names()


def check_names(cls, given, words):
    """Raise a TypeError for a name in `given` that is no parameter of `cls`.

    `words` says what to write in place of names that belong elsewhere.
    """
    known = cls._get_param_names() if given else ()
    for name in given:
        if name in known:
            continue
        if name in words:
            raise TypeError(f"{cls.__name__} has no parameter {name!r}: {words[name]}.")
        if not _takes_any_name(cls):
            near = closest(name, known)
            hint = f" Did you mean {near!r}?" if near else ""
            names = f"It has {', '.join(map(repr, known))}." if known else "It has none."
            raise TypeError(f"{cls.__name__} has no parameter {name!r}.{hint} {names}")


def _takes_any_name(cls):
    """Whether the ``__init__`` of a class takes names that it does not list."""
    if cls.__init__ is object.__init__:
        return False
    parameters = inspect.signature(cls.__init__).parameters.values()
    return any(each.kind is each.VAR_KEYWORD for each in parameters)


def lookup(value, table, base, kind, words=None):
    """Return `value` if it is an instance of `base`, else one of the class it names in `table`.

    `words` says what to write in place of names that belong elsewhere.
    """
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        if value in table:
            return table[value]()
        if words and value in words:
            raise ValueError(f"Unknown {kind} {value!r}: {words[value]}.")
        near = closest(value, table)
        hint = f" Did you mean {near!r}?" if near else ""
        raise ValueError(
            f"Unknown {kind} {value!r}.{hint} The {kind!r} parameter must be an instance of "
            f"{base.__name__}, or one of {', '.join(map(repr, table))}."
        )
    if isinstance(value, type) and issubclass(value, base):
        raise TypeError(
            f"The {kind!r} parameter must be an instance, not a class. "
            f"Got the class {value.__name__}: write {value.__name__}()."
        )
    raise TypeError(
        f"The {kind!r} parameter must be a name or an instance of {base.__name__}. "
        f"Got {value!r} instead."
    )


def closest(word, names):
    """The name that a mistyped word is probably meant to be; None if there is none."""
    # Without underscores and capitals, the name of a class is close, too.
    plain = {name.replace("_", ""): name for name in names}
    word = re.sub(r"[\W_]", "", word.lower())
    # A name is often cut short.
    longer = [name for name in plain if len(word) > 2 and name.startswith(word)]
    near = sorted(longer, key=len) + difflib.get_close_matches(word, plain, n=5)
    # Letters in another order are the most frequent mistake.
    near.sort(key=lambda name: sorted(name) != sorted(word))
    return plain[near[0]] if near else None


def check_range(owner, name, low, high, *, closed="left"):
    """Raise a ValueError unless ``owner.name`` is a number between `low` and `high`.

    `closed` says which of the two ends are allowed: "left", "right", "both" or "neither".
    """
    value = getattr(owner, name)
    left, right = closed in ("left", "both"), closed in ("right", "both")
    if not (
        isinstance(value, Real)
        and not isinstance(value, bool)
        and (low <= value if left else low < value)
        and (value <= high if right else value < high)
    ):
        bounds = f"{'[' if left else '('}{low}, {high}{']' if right else ')'}"
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be a number in {bounds}. "
            f"Got {value!r} instead."
        )


def check_integer(owner, name, low):
    """Raise a ValueError unless ``owner.name`` is an integer of at least `low`."""
    value = getattr(owner, name)
    if not (isinstance(value, Integral) and not isinstance(value, bool) and value >= low):
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be an integer of at least "
            f"{low}. Got {value!r} instead."
        )


def check_boolean(owner, name):
    """Raise a ValueError unless ``owner.name`` is True or False."""
    value = getattr(owner, name)
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be True or False. "
            f"Got {value!r} instead."
        )


def comes_first(cls, name, other):
    """Whether `cls` takes `name` from a more derived class than it takes `other`."""

    def position(attribute):
        return [attribute in vars(base) for base in cls.__mro__].index(True)

    return position(name) < position(other)


def fingerprint(value):
    """Return a value that is equal for parameters that mean the same."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return type(value), value
    if isinstance(value, dict):
        return tuple((key, fingerprint(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), tuple(fingerprint(each) for each in value)
    if isinstance(value, BaseEstimator) and (
        type(value).__sklearn_clone__ is BaseEstimator.__sklearn_clone__
    ):
        output = fingerprint(getattr(value, "_sklearn_output_config", None))
        return type(value), fingerprint(value.get_params(deep=False)), requests(value), output
    try:
        return joblib.hash(value)
    except Exception:  # whatever the error: what cannot be pickled is equal only to itself
        return _SameObject(value)


def requests(estimator):
    """Return a value that is equal for estimators that request the same metadata."""
    return fingerprint(getattr(estimator, "_metadata_request", None))


class _SameObject:
    """Equal only for the same object, which is kept so that its address is not used again."""

    def __init__(self, value):
        self._value = value

    def __eq__(self, other):
        return isinstance(other, _SameObject) and self._value is other._value

    def __hash__(self):
        return id(self._value)

    def __repr__(self):
        return f"{type(self._value).__name__} at {id(self._value)}"
