"""What a search tried: its scores, the values of its parameters, and the best of each place."""

import re

import numpy as np

from .style import is_number

# Names of the columns that are scores.
SCORE = r"(mean|split\d+)_(test|train)_"
# What a parameter is in a candidate that does not set it.
NOT_SET = "not set"
# These parameters are drawn before others.
FIRST = ("learning_rate", "max_iter")


def read_scores(results, score):
    """Return the column of scores, and their standard deviations over the splits or None.

    Raises a ValueError that lists the columns there are.
    """
    known = [name for name in results if re.match(SCORE, name)]
    if score not in known:
        means = [name for name in known if name.startswith("mean")]
        raise ValueError(
            "score must be a column of cv_results_ in which higher is better: one of "
            f"{means}, or one of a single split, as 'split0_test_score'. Got {score!r} instead."
        )
    deviations = results.get(score.replace("mean_", "std_", 1)) if "mean_" in score else None
    scores = np.asarray(results[score], dtype=float)
    return scores, None if deviations is None else np.asarray(deviations, dtype=float)


def searched(results):
    """Return the values of every parameter in every candidate, by the parameter's name."""
    columns = {}
    for key in results:
        if key.startswith("param_"):
            column, missing = np.ma.getdata(results[key]), np.ma.getmaskarray(results[key])
            columns[key.removeprefix("param_")] = [
                NOT_SET if gone else getattr(value, "item", lambda value=value: value)()
                for value, gone in zip(column, missing, strict=True)
            ]
    return columns


def choose_axes(columns, x, y):
    """Return the full names of the parameters on both axes; that of y is None for a curve."""
    if not columns:
        raise ValueError("search must have searched over a parameter. Its cv_results_ has none.")
    names = {axis: _full_name(columns, name, axis) for axis, name in (("x", x), ("y", y))}
    rest = [name for name in _by_interest(columns) if name not in names.values()]
    if x == "auto" and y == "auto" and len(rest) > 1:
        names["y"], names["x"] = rest[:2]
        if numeric(columns[names["y"]]) and not numeric(columns[names["x"]]):
            # Names are easier to read beside the vertical axis.
            names["x"], names["y"] = names["y"], names["x"]
        return names["x"], names["y"]
    for axis, name in (("x", x), ("y", y)):
        if name == "auto" and rest:
            names[axis] = rest.pop(0)
    if names["x"] is None or names["x"] == names["y"]:
        raise ValueError(
            f"x and y must be two different parameters of the search, {list(columns)}, and y may "
            f"be None, for a curve over x. Got x={x!r} and y={y!r}."
        )
    return names["x"], names["y"]


def _by_interest(columns):
    """Return the names of the parameters that vary, or of all if none does; the rates first."""
    varied = varying(columns) or list(columns)
    return sorted(varied, key=lambda name: [last_part(name) != first for first in FIRST])


def varying(columns):
    """Return the names of the parameters that have more than one value."""
    return [name for name, values in columns.items() if len(set(map(_key, values))) > 1]


def _full_name(columns, parameter, axis):
    """Return the name of the parameter with those of its steps; None if it is chosen later."""
    if parameter == "auto" or (parameter is None and axis == "y"):
        return None
    known = list(columns)
    found = [key for key in known if key == parameter or key.endswith(f"__{parameter}")]
    if parameter in found:
        found = [parameter]
    if len(found) != 1:
        problem = "is the last part of several names" if found else "was not searched over"
        raise ValueError(
            f"{axis} must be one of the parameters of the search, {known}, or the last part of "
            f"such a name. Got {parameter!r}, which {problem}."
        )
    return found[0]


def last_part(name):
    """Return the name of a parameter without those of the steps of a pipeline."""
    return name.rpartition("__")[2]


def shortest(name, names):
    """Return the last part of the name, or all of it if several names end so."""
    same = [other for other in names if last_part(other) == last_part(name)]
    return last_part(name) if len(same) == 1 else name


def numeric(values):
    """Whether all values are finite numbers."""
    return all(is_number(value) and np.isfinite(value) for value in values)


def in_order(values):
    """Return the different values in order, and the place of each value among them.

    Numbers come first if not all values can be compared.
    """
    different = list({_key(value): value for value in values}.values())
    try:
        ordered = sorted(different)
    except (TypeError, ValueError):
        numbers = [value for value in different if isinstance(value, int | float)]
        ordered = sorted(numbers) + [v for v in different if not isinstance(v, int | float)]
    place = {_key(value): i for i, value in enumerate(ordered)}
    return ordered, [place[_key(value)] for value in values]


def _key(value):
    """Return what stands for the value in a dict: lists and arrays cannot."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def best_of_last_round(places, rounds, scores):
    """Return the index of the best candidate of each place, of the last round it took part in."""
    found = {}
    for i, place in enumerate(places):
        rank = rounds[i], -np.inf if np.isnan(scores[i]) else scores[i]
        if place not in found or rank > found[place][0]:
            found[place] = rank, i
    return {place: i for place, (_, i) in sorted(found.items())}


def is_table(places, x_values, y_values):
    """Whether the pairs of places are those of a grid, and not of values drawn at random.

    The values of a grid occur in many pairs. A number that was drawn occurs in one.
    """
    if not numeric(x_values) and not numeric(y_values):
        return True
    fewest, most = sorted((len(x_values), len(y_values)))
    return fewest == 1 or most <= 0.75 * len(places)
