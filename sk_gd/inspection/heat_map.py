"""The scores of a grid of two parameters, as coloured cells."""

import numpy as np

from .colours import image_options
from .style import (
    FAILED,
    HIGHLIGHT,
    LETTER_WIDTH,
    MIN_FONT_SIZE,
    SHARE_BESIDE_BAR,
    set_named_ticks,
    size_in_points,
)

# With more scores than this, none is written into its cell.
MAX_TEXTS = 120
# Font size of the scores, in points, that must fit if a further digit is shown.
FONT_SIZE = 6


def draw_cells(ax, display, im_kwargs):
    """Colour the cells by their scores; return the image."""
    finite = np.isfinite(display.scores)
    options = image_options(display, im_kwargs)
    options = {"aspect": "auto", "origin": "lower", **options}
    image = ax.imshow(np.ma.masked_where(~finite, display.scores), **options)
    for axis, values in (("x", display.x_values), ("y", display.y_values)):
        set_named_ticks(ax, axis, values)
    return image


def mark_cells(ax, display):
    """Hatch failed cells and frame the best one; return the entries of the legend."""
    from matplotlib.patches import Patch

    handles = []
    failed = display.tried & ~np.isfinite(display.scores)
    hatched = {"hatch": "////", "ec": "0.45", "fc": ax.get_facecolor(), "lw": 0}
    for row, column in np.argwhere(failed):
        ax.add_patch(_cell(row, column, **hatched))
    if failed.any():
        handles.append(Patch(**hatched, label=FAILED))
    if display.best is not None:
        frame = {"ec": HIGHLIGHT, "fill": False, "lw": 3}
        ax.add_patch(_cell(*display.best, zorder=3, **frame))
        handles.append(Patch(**frame, label="best"))
    return handles


def write_scores(ax, display, image):
    """Write each score into its cell, light on dark; none if they are too small to read."""
    finite = np.isfinite(display.scores)
    if not 0 < finite.sum() <= MAX_TEXTS:
        return []
    width, height = size_in_points(ax, ax)
    width = SHARE_BESIDE_BAR * width / len(display.x_values)
    height = height / len(display.y_values)
    numbers = _format_scores(display.scores[finite], width / (LETTER_WIDTH * FONT_SIZE))
    options = {"ha": "center", "va": "center", "fontsize": "small"}
    texts = []
    for (row, column), number in zip(np.argwhere(finite), numbers, strict=True):
        value = display.scores[row, column]
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        colour = "white" if dark else "black"
        texts.append(ax.text(column, row, number, color=colour, **options))
    sizes = [
        min(text.get_size(), width / (LETTER_WIDTH * len(number)), height)
        for text, number in zip(texts, numbers, strict=True)
    ]
    for text, size in zip(texts, sizes, strict=True):
        text.set_size(size)
        if min(sizes) < MIN_FONT_SIZE:
            text.remove()
    return texts if min(sizes) >= MIN_FONT_SIZE else []


def _format_scores(values, letters):
    """Format the scores with few digits: more only if they separate scores and fit the cell."""
    chosen = []
    for digits in range(3, 8):
        texts = [_format(value, digits) for value in values]
        if chosen and max(map(len, texts)) > letters:
            break
        if len(set(texts)) > len(set(chosen)):
            chosen = texts
    return chosen


def _format(value, digits):
    """Format a score with about so many digits; a large one as a power of ten."""
    if abs(value) >= 1e5:
        return f"{value:.{digits - 3}e}"
    whole = len(str(int(abs(value))))
    return f"{value:.{max(0, digits + 1 - whole)}f}"


def _cell(row, column, **options):
    """Return a rectangle that covers one cell."""
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, **options)
