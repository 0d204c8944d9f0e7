"""The colours of scores. A few very bad scores do not make the others look the same."""

import numpy as np

# The lighter half of the colours is for scores whose distance from the best score is at most
# this many times the median distance, or the standard deviation of the best score if that is
# more: where most candidates are equally good, their distances are nothing to compare with.
NEAR = 4
# Scores more than this many times farther than those have a colour that the map does not have.
FAR = 250
FAR_COLOUR = "#F0B9A0"


def image_options(display, given):
    """Return keyword arguments of a drawing with colours: `given`, with a map and its range."""
    import matplotlib

    finite = np.isfinite(display.scores)
    scores = display.scores[finite]
    errors = None if display.errors is None else display.errors[finite]
    options = {"cmap": "cividis", **(given or {})}
    if not isinstance(options["cmap"], matplotlib.colors.Colormap):
        named = matplotlib.colormaps.get_cmap(options["cmap"])
        options["cmap"] = named.with_extremes(under=FAR_COLOUR)
    if scores.size and not {"vmin", "norm"} & set(options):
        options["norm"] = _norm(scores, errors, options.pop("vmax", None))
    return options


def lowest_shown(scores, errors=None):
    """Return the lowest score that is near enough to the others, and what counts as near.

    `errors` are the standard deviations of the scores, if they are known.
    """
    best = scores.max()
    error = 0.0 if errors is None else np.nan_to_num(errors[scores.argmax()])
    with np.errstate(over="ignore"):
        distances = best - scores
        positive = distances[distances > 0]
        near = max(NEAR * np.median(positive) if positive.size else 0.0, error)
        return scores[distances <= FAR * near].min(), near


def _norm(scores, errors, high):
    """Map scores up to `high` to colours."""
    from matplotlib.colors import Normalize, TwoSlopeNorm

    best = scores.max()
    high = best if high is None else high
    low, near = lowest_shown(scores, errors)
    if low < best - near < high:
        return TwoSlopeNorm(best - near, low, high)
    return Normalize(low, high)


def add_colorbar(ax, coloured, label, any_below):
    """Add the colour bar, with an arrow if there are scores below its range."""
    from matplotlib.colors import TwoSlopeNorm

    extend = "min" if any_below else "neither"
    bar = ax.figure.colorbar(coloured, ax=ax, label=label, extend=extend)
    if isinstance(coloured.norm, TwoSlopeNorm):
        bar.set_ticks(_ticks_of_halves(coloured.norm))


def _ticks_of_halves(norm):
    """Return ticks for both halves of the colours, however long their ranges of scores are."""
    from matplotlib.ticker import MaxNLocator

    ends = norm.vmin, norm.vcenter, norm.vmax
    return [
        tick
        for low, high in zip(ends, ends[1:], strict=False)
        for tick in MaxNLocator(4).tick_values(low, high)
        if low <= tick < high or tick == norm.vmax
    ]
