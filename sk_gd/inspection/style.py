"""What the pictures have in common: axes, legends, and lines told apart without colours."""

import re
from numbers import Real

from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

# Okabe and Ito's colours, which the colour-blind can tell apart; of different lightness in a row.
# Their black is that of the text, which is white on dark pages.
COLOURS = ("#0072B2", "#E69F00", None, "#CC79A7", "#009E73", "#D55E00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = "os^DvPX*<>h"
# Width of a letter, as a share of the size of the font.
LETTER = 0.6
# Names that a legend has room for inside the axes; letters in a line of it.
INSIDE, NAME = 8, 40
# The smallest letters of a legend, in points.
SMALLEST = 4


def new_axes(display, ax):
    """The axes to draw on, new ones by default."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def line_kwargs(kwargs):
    """What was given for ``ax.plot``, short names written out: ``lw`` is ``linewidth``."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(kwargs, Line2D)


def line_style(i, n_points, kwargs=None, ink=None):
    """Colour, dashes and marker of the line `i`, of so many points; `kwargs` go first.

    `ink` is black where the ground is light on every page.
    """
    from matplotlib import rcParams

    every = max(1, n_points // 8)
    return {
        "color": COLOURS[i % len(COLOURS)] or ink or rcParams["text.color"],
        "linestyle": DASHES[i % len(DASHES)],
        "marker": MARKERS[i % len(MARKERS)],
        # Markers of lines that lie on each other take turns.
        "markevery": (i * every // 5 % every, every),
        "markersize": 5,
        **line_kwargs(kwargs),
    }


def points(ax, artist):
    """Width and height of what is drawn in the axes, or of these, in points."""
    box = artist.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    return 72 * box.width, 72 * box.height


def set_title(ax, text):
    """The title, in lines that are no wider than the axes; a long one in small letters."""
    text, (width, _) = str(text), points(ax, ax)
    for size in ("medium", "small"):
        title = ax.set_title(text, fontsize=size)
        title.set_text(wrapped(text, width / (LETTER * title.get_size())))
        if title.get_text() == text:
            return


def set_legend(ax, own):
    """Names of the lines: in the axes if they are few, else beside them.

    A figure of the display's `own` grows for them. In another the letters
    shrink until they are no higher than the axes, which make way.
    """
    if len(ax.get_legend_handles_labels()[0]) <= INSIDE:
        _legend(ax)
        return
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "labelspacing": 0.3, "frameon": False}
    legend = _legend(ax, fontsize="x-small", **beside)
    (width, height), (_, room) = points(ax, legend), points(ax, ax)
    if own:
        across, up = ax.figure.get_size_inches()
        ax.figure.set_size_inches(across + width / 72, up * max(1, height / room))
        return
    if height > room:
        size = legend.get_texts()[0].get_size() * room / height
        legend = _legend(ax, fontsize=max(SMALLEST, size), **beside)
    if ax.figure.get_layout_engine() is None:
        place = ax.get_position()
        share = legend.get_window_extent().width / ax.figure.bbox.width
        ax.set_position(
            [place.x0, place.y0, max(place.width / 3, place.width - share), place.height]
        )
        # Axes that were placed once still belong to a layout that the caller asks for later.
        ax.set_in_layout(True)


def _legend(ax, **options):
    legend = ax.legend(**options)
    for text in legend.get_texts():
        text.set_text(wrapped(text.get_text(), NAME))
    return legend


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
    if isinstance(thing, str):
        return thing
    # Matplotlib leaves names that begin with an underscore out of legends.
    name = getattr(thing, "__name__", "").lstrip("_")
    text = name or " ".join(repr(thing).split()).removesuffix("()")
    # Where something lies in memory says nothing to the reader.
    text = re.sub(r"<(?:function )?(?:\S*\.)?(\S+?)(?: object)? at 0x\w+>", r"\1", text)
    return re.sub(r" at 0x\w+", "", text)


def told_apart(numbers):
    """The numbers with as few digits, from three on, as let different ones look different."""
    for digits in range(3, 18):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(set(numbers)):
            break
    return texts


def wrapped(text, width):
    """The text in lines of at most so many letters, broken at spaces and brackets."""
    lines = [""]
    for part in re.findall(r"[^\s(]*(?:[\s(]+|$)", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def is_number(value):
    """Whether it is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def last_step(estimator):
    """The estimator, or the last step of a pipeline."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
