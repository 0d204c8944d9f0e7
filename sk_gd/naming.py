"""Names given as strings: one lookup for optimizers, losses and schedules."""

import difflib


def lookup(value, table, base, kind):
    """An instance of `base`: `value` itself, or of the class that `table` has under that name."""
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        if value in table:
            return table[value]()
        near = difflib.get_close_matches(value, table, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
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
