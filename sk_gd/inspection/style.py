"""What the pictures have in common: axes, and lines that can be told apart without colours."""

from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

# Okabe and Ito's colours, which the colour-blind can tell apart; of different lightness in a row.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#CC79A7", "#009E73", "#D55E00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = "os^DvPX*<>h"


def new_axes(display, ax):
    """The axes to draw on, new ones by default."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def line_style(i, n_points, kwargs=None):
    """Colour, dashes and marker of the line `i`, of so many points; `kwargs` go first."""
    every = max(1, n_points // 8)
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": DASHES[i % len(DASHES)],
        "marker": MARKERS[i % len(MARKERS)],
        # Markers of lines that lie on each other take turns.
        "markevery": (i * every // 5 % every, every),
        "markersize": 5,
        **(kwargs or {}),
    }


def as_dict(given, name):
    """`given` itself if it is a dict, else one by what `name` calls each of them."""
    if isinstance(given, dict):
        return dict(given)
    named = {}
    for one in given if isinstance(given, list | tuple) else [given]:
        label = base = name(one)
        number = 1
        while label in named:
            number += 1
            label = f"{base} ({number})"
        named[label] = one
    return named


def written(thing):
    """What an optimizer or a schedule is called in a legend."""
    return thing if isinstance(thing, str) else " ".join(repr(thing).split()).removesuffix("()")


def last_step(estimator):
    """The estimator, or the last step of a pipeline."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
