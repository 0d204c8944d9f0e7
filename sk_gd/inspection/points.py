"""The scores of candidates as points: over one parameter, or where two have their values."""

import numpy as np

from .candidates import in_order, numeric
from .colours import image_options, lowest_shown
from .style import COLOURS, FAILED, HIGHLIGHT, line_kwargs, set_named_ticks

# A scale is logarithmic only if the largest value is at least this many times the smallest.
MIN_RATIO = 10
# Share of the axes that stays empty on each side.
MARGIN = 0.08
FAILED_STYLE = {"marker": "x", "color": "0.45", "s": 40}
RING = {"s": 150, "facecolors": "none", "edgecolors": HIGHLIGHT, "linewidths": 2.5, "zorder": 4}


def draw_curve(ax, display, kwargs):
    """Draw the scores over the values of one parameter; return errorbar and legend entries."""
    xs = set_scale(ax, "x", display.x_values)
    finite = np.isfinite(display.scores)
    line = "-" if numeric(display.x_values) else "none"
    options = {"color": COLOURS[0], "marker": "o", "linestyle": line, "capsize": 3}
    errors = None if display.errors is None else display.errors[finite]
    options |= line_kwargs(kwargs)
    bars = ax.errorbar(xs[finite], display.scores[finite], errors, **options)
    handles = []
    if finite.any():
        low = _set_heights(ax, display.scores[finite], errors)
        below = finite & (display.scores < low)
        handles += _mark_bottom(ax, xs[below], "v", options["color"], f"below {low:.3g}")
    handles += _mark_bottom(ax, xs[~finite], FAILED_STYLE["marker"], FAILED_STYLE["color"], FAILED)
    if display.best is not None:
        at = xs[display.best], display.scores[display.best]
        handles.append(ax.scatter(*at, **RING, label="best"))
    return bars, handles


def _mark_bottom(ax, xs, marker, color, label):
    """Mark values whose score is not on the vertical axis; return the entries of the legend."""
    if not xs.size:
        return []
    style = {"linestyle": "none", "marker": marker, "color": color, "label": label}
    at = {"transform": ax.get_xaxis_transform(), "clip_on": False, "zorder": 3}
    return ax.plot(xs, np.full(xs.size, 0.02), **style, **at)


def _set_heights(ax, scores, errors):
    """Set the range of the vertical axis, without far lower scores; return the lowest shown."""
    low, _ = lowest_shown(scores, errors)
    shown = scores >= low
    ends = np.zeros(shown.sum()) if errors is None else np.nan_to_num(errors[shown])
    # An error bar of a bad score must not flatten the rest.
    span = scores.max() - low or ends.max() or abs(low) or 1.0
    bottom = max((scores[shown] - ends).min(), low - span)
    top = min((scores[shown] + ends).max(), scores.max() + span)
    pad = MARGIN * ((top - bottom) or span)
    ax.set_ylim(bottom - pad, top + pad)
    return low


def draw_scatter(ax, display, kwargs):
    """Draw candidates at their values, coloured by score; return the points and legend entries."""
    xs, ys = set_scale(ax, "x", display.x_values), set_scale(ax, "y", display.y_values)
    finite = np.isfinite(display.scores)
    options = {"s": 60, "edgecolors": "0.3", "linewidths": 0.5}
    options |= image_options(display, kwargs)
    # The better ones lie above.
    order = np.flatnonzero(finite)[np.argsort(display.scores[finite], kind="stable")]
    points = ax.scatter(xs[order], ys[order], c=display.scores[order], **options)
    handles = []
    if not finite.all():
        handles.append(ax.scatter(xs[~finite], ys[~finite], **FAILED_STYLE, label=FAILED))
    if display.best is not None:
        handles.append(ax.scatter(xs[display.best], ys[display.best], **RING, label="best"))
    return points, handles


def set_scale(ax, axis, values):
    """Set the scale of an axis; return the positions of the values on it.

    Numbers are where they belong, on a logarithmic scale if they are spread more evenly
    there. Other values are names, side by side.
    """
    if not numeric(values):
        names, positions = in_order(values)
        set_named_ticks(ax, axis, names)
        getattr(ax, f"set_{axis}lim")(-0.5, len(names) - 0.5)
        return np.array(positions, dtype=float)
    numbers = np.array(values, dtype=float)
    positive = np.unique(numbers[numbers > 0])
    if numbers.min() >= 0 and _is_geometric(positive):
        if numbers.min() > 0:
            getattr(ax, f"set_{axis}scale")("log")
        else:
            getattr(ax, f"set_{axis}scale")("symlog", linthresh=positive[0])
    elif all(isinstance(value, int) for value in values):
        getattr(ax, f"{axis}axis").get_major_locator().set_params(integer=True, min_n_ticks=1)
    return numbers


def _is_geometric(values):
    """Whether the middle of sorted, positive values is nearer the middle of a log scale."""
    if len(values) < 2 or values[-1] < MIN_RATIO * values[0]:
        return False
    middles = []
    for spread in (values, np.log(values)):
        middles.append(abs((np.median(spread) - spread[0]) / (spread[-1] - spread[0]) - 0.5))
    return len(values) == 2 or middles[1] < middles[0]
