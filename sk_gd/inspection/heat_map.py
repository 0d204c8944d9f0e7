"""Display of the scores of a search over two parameters."""

import re

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .style import (
    HIGHLIGHT,
    LETTER_WIDTH,
    MIN_FONT_SIZE,
    as_dict,
    distinct_texts,
    new_axes,
    short_name,
    size_in_points,
    wrap,
)

# With more scores than this, none is written into its cell.
MAX_TEXTS = 120
# The lighter half of the colours is for scores whose distance from the best score is at most
# this many times the median distance.
NEAR = 4
# Scores more than this many times farther than those have a colour that the map does not have.
FAR = 250
FAR_COLOUR = "#F0B9A0"
# Share of the width of the axes that the colour bar leaves.
SHARE_BESIDE_BAR = 0.8
# Letters in each line of a tick label.
LABEL_WIDTH = 24
# Font size of the scores, in points, that must fit if a further digit is shown.
FONT_SIZE = 6
# Names of the columns that are scores.
SCORE = r"(mean|split\d+)_(test|train)_"


class SearchDisplay:
    """A heat map of the scores of a search: learning rate × iterations, or any two parameters.

    Create one with `from_search`. Each cell shows the best score over all other
    parameters. In a search by halving, it shows the best score of the last round in
    which the cell took part, because earlier rounds had fewer resources. The cell of
    the candidate that the search chose is framed. Cells in which every candidate
    failed, for example by diverging, are hatched. Cells that were never tried are
    empty.

    Scores that are far worse than most have the darker half of the colours. Scores
    that are still much farther away all have the same colour, which is not on the
    scale.

    Parameters
    ----------
    x_values, y_values : list
        The values of the two parameters, in order.
    scores : ndarray of shape (len(y_values), len(x_values))
        The scores, NaN where there is none.
    tried : ndarray of bool, of the shape of `scores`
        Whether a cell had a candidate.
    best : tuple of (int, int) or None
        Row and column of the best cell, which is framed.
    x, y : str
        Labels of the axes.
    label : str, default="mean_test_score"
        Label of the colours.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    image_ : matplotlib AxesImage
        The cells.
    text_ : list of matplotlib Text
        The scores in the cells.

    See Also
    --------
    sk_gd.GDGridSearchCV : Trains such a grid in one pass over the data.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDGridSearchCV, GDRegressor
    >>> from sk_gd.inspection import SearchDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"learning_rate": [0.001, 0.01, 0.1], "max_iter": [5, 20]}
    >>> search = GDGridSearchCV(GDRegressor("adam", tol=None, random_state=0), grid).fit(X, y)
    >>> display = SearchDisplay.from_search(search)
    >>> display.scores.shape
    (3, 2)
    """

    def __init__(self, x_values, y_values, scores, tried, best, x, y, label="mean_test_score"):
        self.x_values = x_values
        self.y_values = y_values
        self.scores = scores
        self.tried = tried
        self.best = best
        self.x = x
        self.y = y
        self.label = label

    @classmethod
    def from_search(
        cls,
        search,
        *,
        x="max_iter",
        y="learning_rate",
        score="mean_test_score",
        ax=None,
        im_kwargs=None,
        colorbar=True,
    ):
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : object
            A fitted search that has ``cv_results_``: `GDGridSearchCV`, or one of
            scikit-learn's, such as ``GridSearchCV`` or ``HalvingGridSearchCV``.
        x, y : str, default="max_iter" and "learning_rate"
            The parameters on the axes. For a parameter in a pipeline, the last part
            of its name is enough.
        score : str, default="mean_test_score"
            The column of ``cv_results_`` to draw: test or training scores, their
            means or those of one split. For mean test scores, the candidate of
            ``best_index_`` is framed; otherwise, the candidate with the highest score.
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        im_kwargs : dict, default=None
            Keyword arguments passed to ``ax.imshow``.
        colorbar : bool, default=True
            Whether to add a colour bar.

        Returns
        -------
        SearchDisplay
            The display.
        """
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        values = _scores(results, score)
        columns = _parameter_values(results, x, "x")
        rows = _parameter_values(results, y, "y")
        x_values, y_values = _in_order(columns), _in_order(rows)
        cells = [
            (y_values.index(row), x_values.index(column))
            for row, column in zip(rows, columns, strict=True)
        ]
        # Only a search by halving has several rounds.
        rounds = np.asarray(results.get("iter", np.zeros(len(cells))))
        shape = len(y_values), len(x_values)
        tried = np.zeros(shape, dtype=bool)
        tried[tuple(zip(*cells, strict=True))] = True
        scores = _best_of_last_round(cells, rounds, values, shape)
        best = None
        candidates = np.isfinite(values) & (rounds == rounds.max())
        if candidates.any():
            chosen = getattr(search, "best_index_", None)
            if chosen is None or not score.startswith("mean_test_"):
                chosen = np.argmax(np.where(candidates, values, -np.inf))
            best = cells[int(chosen)]
        display = cls(x_values, y_values, scores, tried, best, x, y, score)
        return display.plot(ax, im_kwargs=im_kwargs, colorbar=colorbar)

    def plot(self, ax=None, *, im_kwargs=None, colorbar=True):
        """Draw the cells.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        im_kwargs : dict, default=None
            Keyword arguments passed to ``ax.imshow``.
        colorbar : bool, default=True
            Whether to add a colour bar.

        Returns
        -------
        SearchDisplay
            The display itself.
        """
        ax = new_axes(self, ax)
        finite = np.isfinite(self.scores)
        self.image_ = self._draw_cells(ax, finite, im_kwargs)
        lowest = self.image_.norm.vmin
        any_below = bool(finite.any() and np.any(finite & (self.scores < lowest)))
        if colorbar and finite.any():
            self._add_colorbar(ax, any_below)
        handles = self._mark_cells(ax, finite, lowest if any_below else None)
        self.text_ = self._write_scores(ax, finite) if 0 < finite.sum() <= MAX_TEXTS else []
        for axis, values in (("x", self.x_values), ("y", self.y_values)):
            _set_ticks(ax, axis, values)
        ax.set(xlabel=self.x, ylabel=self.y)
        if handles:
            above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3, "frameon": False}
            ax.legend(handles=handles, **above)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_cells(self, ax, finite, im_kwargs):
        """Colour the cells by their scores; return the image."""
        import matplotlib

        options = {"cmap": "cividis", "aspect": "auto", "origin": "lower", **(im_kwargs or {})}
        if not isinstance(options["cmap"], matplotlib.colors.Colormap):
            named = matplotlib.colormaps.get_cmap(options["cmap"])
            options["cmap"] = named.with_extremes(under=FAR_COLOUR)
        if finite.any() and not {"vmin", "norm"} & set(options):
            options["norm"] = _norm(self.scores[finite], options.pop("vmax", None))
        return ax.imshow(np.ma.masked_where(~finite, self.scores), **options)

    def _add_colorbar(self, ax, any_below):
        """Add the colour bar, with an arrow if there are scores below its range."""
        from matplotlib.colors import TwoSlopeNorm

        extend = "min" if any_below else "neither"
        bar = ax.figure.colorbar(self.image_, ax=ax, label=self.label, extend=extend)
        if isinstance(self.image_.norm, TwoSlopeNorm):
            bar.set_ticks(_ticks_of_halves(self.image_.norm))

    def _mark_cells(self, ax, finite, lowest):
        """Hatch failed cells and frame the best one; return the entries of the legend.

        Scores below `lowest` have a colour of their own; None if there are none.
        """
        from matplotlib.patches import Patch

        handles = []
        if lowest is not None:
            fill = self.image_.cmap.get_under()
            handles.append(Patch(fc=fill, lw=0, label=f"below {lowest:.3g}"))
        failed = self.tried & ~finite
        hatched = {"hatch": "////", "ec": "0.45", "fc": ax.get_facecolor(), "lw": 0}
        for row, column in np.argwhere(failed):
            ax.add_patch(_cell(row, column, **hatched))
        if failed.any():
            handles.append(Patch(**hatched, label="failed"))
        if self.best is not None:
            frame = {"ec": HIGHLIGHT, "fill": False, "lw": 3}
            ax.add_patch(_cell(*self.best, zorder=3, **frame))
            handles.append(Patch(**frame, label="best"))
        return handles

    def _write_scores(self, ax, finite):
        """Write each score into its cell, light on dark; none if they are too small to read."""
        width, height = size_in_points(ax, ax)
        width = SHARE_BESIDE_BAR * width / len(self.x_values)
        numbers = _format_scores(self.scores[finite], width / (LETTER_WIDTH * FONT_SIZE))
        options = {"ha": "center", "va": "center", "fontsize": "small"}
        texts = []
        for (row, column), number in zip(np.argwhere(finite), numbers, strict=True):
            value = self.scores[row, column]
            red, green, blue, _ = self.image_.cmap(self.image_.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            colour = "white" if dark else "black"
            texts.append(ax.text(column, row, number, color=colour, **options))
        sizes = [
            min(text.get_size(), width / (LETTER_WIDTH * len(number)), height / len(self.y_values))
            for text, number in zip(texts, numbers, strict=True)
        ]
        for text, size in zip(texts, sizes, strict=True):
            text.set_size(size)
            if min(sizes) < MIN_FONT_SIZE:
                text.remove()
        return texts if min(sizes) >= MIN_FONT_SIZE else []


def _scores(results, score):
    """Return the column of scores, or raise a ValueError that lists the columns there are."""
    known = [name for name in results if re.match(SCORE, name)]
    if score not in known:
        means = [name for name in known if name.startswith("mean")]
        raise ValueError(
            "score must be a column of cv_results_ in which higher is better: one of "
            f"{means}, or one of a single split, such as 'split0_test_…'. Got {score!r} instead."
        )
    return np.asarray(results[score], dtype=float)


def _best_of_last_round(cells, rounds, values, shape):
    """Return the best score of each cell in the last round that the cell took part in."""
    last = {}
    for cell, number in zip(cells, rounds, strict=True):
        last[cell] = max(number, last.get(cell, number))
    scores = np.full(shape, np.nan)
    for cell, number, value in zip(cells, rounds, values, strict=True):
        if number == last[cell]:
            scores[cell] = np.fmax(scores[cell], value)
    return scores


def _norm(scores, high):
    """Map scores up to `high` to colours, such that a few very bad ones leave the rest distinct."""
    from matplotlib.colors import Normalize, TwoSlopeNorm

    best = scores.max()
    high = best if high is None else high
    with np.errstate(over="ignore"):
        distances = best - scores
        positive = distances[distances > 0]
        near = NEAR * np.median(positive) if positive.size else 0.0
        low = scores[distances <= FAR * near].min()
    if low < best - near < high:
        return TwoSlopeNorm(best - near, low, high)
    return Normalize(low, high)


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


def _set_ticks(ax, axis, values):
    """Label the rows or columns of cells: all of them, or as many as there is room for."""
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


def _cell(row, column, **options):
    """Return a rectangle that covers one cell."""
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, **options)


def _parameter_values(results, parameter, name):
    """Return the value of the parameter in every candidate; `name` is what errors call it."""
    known = [key.removeprefix("param_") for key in results if key.startswith("param_")]
    found = [key for key in known if key == parameter or key.endswith(f"__{parameter}")]
    if parameter in found:
        found = [parameter]
    if len(found) != 1:
        problem = "is the last part of several names" if found else "was not searched over"
        raise ValueError(
            f"{name} must be one of the parameters of the search, {known}, or the last part of "
            f"such a name. Got {parameter!r}, which {problem}."
        )
    column = np.ma.getdata(results[f"param_{found[0]}"])
    missing = np.ma.getmaskarray(results[f"param_{found[0]}"])
    return [
        "not set" if gone else getattr(value, "item", lambda value=value: value)()
        for value, gone in zip(column, missing, strict=True)
    ]


def _in_order(values):
    """Return the different values, sorted; numbers come first if not all can be compared."""
    different = []
    for value in values:
        if value not in different:
            different.append(value)
    try:
        return sorted(different)
    except TypeError:
        numbers = [value for value in different if isinstance(value, int | float)]
        return sorted(numbers) + [value for value in different if value not in numbers]
