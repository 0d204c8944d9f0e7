"""What the displays share: axes, legends, short names, and lines that differ without colours."""

import re
from numbers import Real

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

# The colours of Okabe and Ito, which colour-blind readers can tell apart. Neighbours differ in
# lightness. None stands for their black: the colour of the text, which is white on dark pages.
COLOURS = ("#0072B2", "#E69F00", None, "#CC79A7", "#009E73", "#D55E00", "#56B4E9")
# The colour of what a reader should find first.
HIGHLIGHT = "#D55E00"
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = "os^DvPX*<>h"
# Width of a letter, as a share of the font size.
LETTER_WIDTH = 0.6
# The smallest font size that can be read, in points.
MIN_FONT_SIZE = 4
# Share of the width of the axes that a colour bar leaves.
SHARE_BESIDE_BAR = 0.8
# Letters in each line of a tick label.
LABEL_WIDTH = 24
# What a candidate without a score is called. ``cv_results_`` does not say why it has none.
FAILED = "diverged or failed"
# A legend of more lines than this stands beside the axes.
MAX_NAMES_INSIDE = 8
# A legend that would cover more than this share of the axes has small letters.
MAX_SHARE_INSIDE = 0.4
# Letters in each line of a name in a legend.
NAME_WIDTH = 40


def new_axes(display, ax):
    """Return the axes to draw on; by default those of a new figure."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def line_kwargs(kwargs):
    """Return keyword arguments of ``ax.plot`` by their long names: ``lw`` is ``linewidth``."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(kwargs, Line2D)


def line_style(i, n_points, kwargs=None, text_color=None):
    """Return colour, dashes and markers of line number `i`, which has `n_points` points.

    `kwargs` override them. `text_color` is used for the line in the colour of the text.
    """
    from matplotlib import rcParams

    every = max(1, n_points // 8)
    return {
        "color": COLOURS[i % len(COLOURS)] or text_color or rcParams["text.color"],
        "linestyle": DASHES[i % len(DASHES)],
        "marker": MARKERS[i % len(MARKERS)],
        # The markers of different lines are at different points, in case the lines coincide.
        "markevery": (i * every // 5 % every, every),
        "markersize": 5,
        **line_kwargs(kwargs),
    }


def size_in_points(ax, artist):
    """Return width and height of an artist in the axes, or of the axes themselves, in points."""
    box = artist.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    return 72 * box.width, 72 * box.height


def set_title(ax, text):
    """Set the title, in lines no wider than the axes; a long title is in small letters."""
    text, (width, _) = str(text), size_in_points(ax, ax)
    for size in ("medium", "small"):
        title = ax.set_title(text, fontsize=size)
        title.set_text(wrap(text, width / (LETTER_WIDTH * title.get_size())))
        if title.get_text() == text:
            return


def name_lines(ax, lines, title, own):
    """Name the lines: several in a legend, a single one by the title."""
    if len(lines) > 1:
        set_legend(ax, own)
    else:
        set_title(ax, title)


def set_legend(ax, own):
    """Show the names of the lines: inside the axes if they are few, else beside the axes.

    If the figure is the display's `own`, it grows to make room. In any other figure the
    letters shrink until the legend is no higher than the axes, and the axes become narrower.
    """
    small = {"fontsize": "x-small", "labelspacing": 0.3}
    if len(ax.get_legend_handles_labels()[0]) <= MAX_NAMES_INSIDE:
        legend = _add_legend(ax)
        covered, all_of_it = (np.prod(size_in_points(ax, each)) for each in (legend, ax))
        if covered > MAX_SHARE_INSIDE * all_of_it:
            _add_legend(ax, **small)
        return
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False, **small}
    legend = _add_legend(ax, **beside)
    (width, height), (_, room) = size_in_points(ax, legend), size_in_points(ax, ax)
    if own:
        across, up = ax.figure.get_size_inches()
        ax.figure.set_size_inches(across + width / 72, up * max(1, height / room))
        return
    if height > room:
        size = legend.get_texts()[0].get_size() * room / height
        legend = _add_legend(ax, **beside | {"fontsize": max(MIN_FONT_SIZE, size)})
    if ax.figure.get_layout_engine() is None:
        box = ax.get_position()
        share = legend.get_window_extent().width / ax.figure.bbox.width
        ax.set_position([box.x0, box.y0, max(box.width / 3, box.width - share), box.height])
        # Without this, a layout that the caller asks for later would leave these axes out.
        ax.set_in_layout(True)


def _add_legend(ax, **options):
    """Add a legend in which long names are broken into lines."""
    legend = ax.legend(**options)
    for text in legend.get_texts():
        text.set_text(wrap(text.get_text(), NAME_WIDTH))
    return legend


def as_dict(given, name):
    """Return a dict of the objects by name; `name` names them unless `given` is a dict."""
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


def short_name(thing):
    """Return the name of an optimizer, a schedule or another value in a legend."""
    if isinstance(thing, str):
        return thing
    # Matplotlib leaves names that begin with an underscore out of legends.
    name = getattr(thing, "__name__", "").lstrip("_")
    text = name or " ".join(repr(thing).split()).removesuffix("()")
    # Addresses in memory are of no use to the reader.
    text = re.sub(r"<(?:function )?(?:\S*\.)?(\S+?)(?: object)? at 0x\w+>", r"\1", text)
    return re.sub(r" at 0x\w+", "", text)


def distinct_texts(numbers):
    """Format the numbers with as few digits, but at least three, as keep different ones apart."""
    for digits in range(3, 18):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(set(numbers)):
            break
    return texts


def set_named_ticks(ax, axis, values):
    """Label the places 0, 1, … of an axis: all of them, or as many as there is room for."""
    floats = distinct_texts([value for value in values if isinstance(value, float)])
    texts = [
        floats.pop(0) if isinstance(value, float) else wrap(short_name(value), LABEL_WIDTH)
        for value in values
    ]
    labels = list(as_dict(texts, str))
    lines = [text.split("\n") for text in labels]
    the_axis = ax.xaxis if axis == "x" else ax.yaxis
    the_axis.set_ticks(range(len(labels)), labels)
    size = the_axis.get_ticklabels()[0].get_size()
    height = 1.2 * size * max(map(len, lines))
    width = size * (1 + LETTER_WIDTH * max(len(line) for text in lines for line in text))
    room = np.array(size_in_points(ax, ax)) * [SHARE_BESIDE_BAR, 1] / len(labels)
    if axis == "y":
        every = height / room[1]
    elif width > room[0] and not all(isinstance(value, int | float) for value in values):
        # A number that is left out can be guessed from its neighbours; a name cannot.
        ax.tick_params(axis="x", labelrotation=90)
        every = height / room[0]
    else:
        every = width / room[0]
    every = max(1, int(np.ceil(every)))
    the_axis.set_ticks(range(0, len(labels), every), labels[::every])


def wrap(text, width):
    """Break the text into lines of at most `width` letters, at spaces and brackets."""
    lines = [""]
    for part in re.findall(r"[^\s(]*(?:[\s(]+|$)", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def is_number(value):
    """Whether `value` is a real number; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def last_step(estimator):
    """Return the last step of a pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
