"""The scores of a search over two parameters."""

import re

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .style import LETTER, as_dict, new_axes, points, told_apart, wrapped, written

# Cells that get their score written in them, at most.
WRITTEN = 120
# Cells up to so many times as far from the best as the median one have half of the colours.
SPREAD = 4
# Those so many times as far as these have a colour of their own, which the map does not have.
FAR = 250
UNDER = "#F0B9A0"
# Share of the axes that is left beside the bar.
ROOM = 0.8
# Letters in a line of a tick's label.
LABEL = 24
# The sizes of scores in their cells, in points.
SMALL, SMALLEST = 6, 4
# The columns that are scores.
SCORE = r"(mean|split\d+)_(test|train)_"


class SearchDisplay:
    """A heat map of the scores of a search: learning rate × iterations, or any two parameters.

    Make one with `from_search`. A cell has the best score over all other
    parameters; of a search by halving, the best of the last round that the cell
    took part in, as earlier ones had fewer resources. The cell of the candidate
    that the search chose is framed, those in which every candidate failed, as
    one that diverges does, are hatched, and those that were never tried stay
    empty.

    Scores that are far worse than most have the darker half of the colours for
    themselves, and those beyond all measure a colour that no other has.

    Parameters
    ----------
    x_values, y_values : list
        The values of the parameters, in their order.
    scores : ndarray of shape (len(y_values), len(x_values))
        The scores, NaN where there is none.
    tried : ndarray of bool, of the shape of `scores`
        Whether there was a candidate.
    best : tuple of (int, int) or None
        Row and column of the best cell.
    x, y : str
        What the axes are called.
    label : str, default="mean_test_score"
        What the colours are called.

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
            The parameters; of those in a pipeline the last part of the name is
            enough.
        score : str, default="mean_test_score"
            The column of ``cv_results_`` to draw: the scores of tests or of
            training, their means or those of one split. What is framed is the
            candidate of ``best_index_`` if they are means of tests, and the
            highest score otherwise.
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        im_kwargs : dict, default=None
            For ``ax.imshow``.
        colorbar : bool, default=True
            Whether a bar beside the cells says what the colours mean.

        Returns
        -------
        SearchDisplay
            The display, drawn.
        """
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        known = [name for name in results if re.match(SCORE, name)]
        if score not in known:
            means = [name for name in known if name.startswith("mean")]
            raise ValueError(
                "score must be a column of scores, of which higher is better, in cv_results_: "
                f"one of {means}, or one of a split, as 'split0_test_…'. Got {score!r} instead."
            )
        values = np.asarray(results[score], dtype=float)
        columns, rows = (
            _values(results, parameter, name) for parameter, name in ((x, "x"), (y, "y"))
        )
        x_values, y_values = _sorted(columns), _sorted(rows)
        scores = np.full((len(y_values), len(x_values)), np.nan)
        tried = np.zeros(scores.shape, dtype=bool)
        cells = [
            (y_values.index(row), x_values.index(column))
            for row, column in zip(rows, columns, strict=True)
        ]
        # The rounds of a search by halving; one of any other.
        rounds = np.asarray(results.get("iter", np.zeros(len(cells))))
        last = {}
        for cell, number in zip(cells, rounds, strict=True):
            last[cell] = max(number, last.get(cell, number))
        for cell, number, value in zip(cells, rounds, values, strict=True):
            tried[cell] = True
            if number == last[cell]:
                scores[cell] = np.fmax(scores[cell], value)
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
            Where to draw; by default on a new figure.
        im_kwargs : dict, default=None
            For ``ax.imshow``.
        colorbar : bool, default=True
            Whether a bar beside the cells says what the colours mean.

        Returns
        -------
        SearchDisplay
            The display itself.
        """
        ax = new_axes(self, ax)
        import matplotlib
        from matplotlib.patches import Patch, Rectangle

        finite = np.isfinite(self.scores)
        options = {"cmap": "cividis", "aspect": "auto", "origin": "lower", **(im_kwargs or {})}
        if not isinstance(options["cmap"], matplotlib.colors.Colormap):
            named = matplotlib.colormaps.get_cmap(options["cmap"])
            options["cmap"] = named.with_extremes(under=UNDER)
        if finite.any() and not {"vmin", "norm"} & set(options):
            options["norm"] = _norm(self.scores[finite], options.pop("vmax", None))
        self.image_ = ax.imshow(np.ma.masked_where(~finite, self.scores), **options)
        least = self.image_.norm.vmin
        under = np.any(finite & (self.scores < least)) if finite.any() else False
        if colorbar and finite.any():
            extend = "min" if under else "neither"
            bar = ax.figure.colorbar(self.image_, ax=ax, label=self.label, extend=extend)
            if isinstance(self.image_.norm, matplotlib.colors.TwoSlopeNorm):
                bar.set_ticks(_halves(self.image_.norm))
        legend = []
        if under:
            fill = self.image_.cmap.get_under()
            legend.append(Patch(fc=fill, lw=0, label=f"below {least:.3g}"))
        hatched = {"hatch": "////", "ec": "0.45", "fc": ax.get_facecolor(), "lw": 0}
        for row, column in np.argwhere(self.tried & ~finite):
            ax.add_patch(_cell(Rectangle, row, column, **hatched))
        if np.any(self.tried & ~finite):
            legend.append(Patch(**hatched, label="failed"))
        if self.best is not None:
            frame = {"ec": "#D55E00", "fill": False, "lw": 3}
            ax.add_patch(_cell(Rectangle, *self.best, zorder=3, **frame))
            legend.append(Patch(**frame, label="best"))
        self.text_ = self._write(ax, finite) if 0 < finite.sum() <= WRITTEN else []
        for axis, values in (("x", self.x_values), ("y", self.y_values)):
            _set_ticks(ax, axis, values)
        ax.set(xlabel=self.x, ylabel=self.y)
        if legend:
            place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3, "frameon": False}
            ax.legend(handles=legend, **place)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _write(self, ax, finite):
        """Every score in its cell, light on dark; none if they were too small to be read."""
        width, height = points(ax, ax)
        width = ROOM * width / len(self.x_values)
        numbers = _numbers(self.scores[finite], width / (LETTER * SMALL))
        options = {"ha": "center", "va": "center", "fontsize": "small"}
        texts = []
        for (row, column), number in zip(np.argwhere(finite), numbers, strict=True):
            value = self.scores[row, column]
            red, green, blue, _ = self.image_.cmap(self.image_.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            colour = "white" if dark else "black"
            texts.append(ax.text(column, row, number, color=colour, **options))
        sizes = [
            min(text.get_size(), width / (LETTER * len(number)), height / len(self.y_values))
            for text, number in zip(texts, numbers, strict=True)
        ]
        for text, size in zip(texts, sizes, strict=True):
            text.set_size(size)
            if min(sizes) < SMALLEST:
                text.remove()
        return texts if min(sizes) >= SMALLEST else []


def _norm(scores, high):
    """Colours of the scores up to `high`: next to divergence the others are to be told apart."""
    from matplotlib.colors import Normalize, TwoSlopeNorm

    best = scores.max()
    high = best if high is None else high
    with np.errstate(over="ignore"):
        away = best - scores
        near = SPREAD * np.median(away[away > 0]) if np.any(away > 0) else 0.0
        low = scores[away <= FAR * near].min()
    if low < best - near < high:
        return TwoSlopeNorm(best - near, low, high)
    return Normalize(low, high)


def _halves(norm):
    """Ticks of both halves of the colours, whatever their lengths."""
    from matplotlib.ticker import MaxNLocator

    ends = norm.vmin, norm.vcenter, norm.vmax
    return [
        tick
        for low, high in zip(ends, ends[1:], strict=False)
        for tick in MaxNLocator(4).tick_values(low, high)
        if low <= tick < high or tick == norm.vmax
    ]


def _numbers(values, letters):
    """The numbers, as short as they can be told apart, and if they can, in so many letters."""
    found = []
    for digits in range(3, 8):
        texts = [_number(value, digits) for value in values]
        if found and max(map(len, texts)) > letters:
            break
        if len(set(texts)) > len(set(found)):
            found = texts
    return found


def _number(value, digits):
    if abs(value) >= 1e5:
        return f"{value:.{digits - 3}e}"
    whole = len(str(int(abs(value))))
    return f"{value:.{max(0, digits + 1 - whole)}f}"


def _set_ticks(ax, axis, values):
    """What the cells are called: every one, or as many as there is room for."""
    floats = told_apart([value for value in values if isinstance(value, float)])
    texts = [
        floats.pop(0) if isinstance(value, float) else wrapped(written(value), LABEL)
        for value in values
    ]
    labels = list(as_dict(texts, str))
    lines = [text.split("\n") for text in labels]
    the_axis = ax.xaxis if axis == "x" else ax.yaxis
    the_axis.set_ticks(range(len(labels)), labels)
    size = the_axis.get_ticklabels()[0].get_size()
    height = 1.2 * size * max(map(len, lines))
    width = size * (1 + LETTER * max(len(line) for text in lines for line in text))
    room = np.array(points(ax, ax)) * [ROOM, 1] / len(labels)
    if axis == "y":
        every = height / room[1]
    elif width > room[0] and not all(isinstance(value, int | float) for value in values):
        # Between names one cannot be guessed, as one can between numbers.
        ax.tick_params(axis="x", labelrotation=90)
        every = height / room[0]
    else:
        every = width / room[0]
    every = max(1, int(np.ceil(every)))
    the_axis.set_ticks(range(0, len(labels), every), labels[::every])


def _cell(make, row, column, **options):
    return make((column - 0.5, row - 0.5), 1, 1, **options)


def _values(results, parameter, name):
    """What every candidate has for the parameter."""
    known = [key.removeprefix("param_") for key in results if key.startswith("param_")]
    found = [key for key in known if key == parameter or key.endswith(f"__{parameter}")]
    if parameter in found:
        found = [parameter]
    if len(found) != 1:
        what = "is the end of several parameters" if found else "was not searched over"
        raise ValueError(
            f"{name} must be one of the parameters of the search, {known}, or the end of one. "
            f"Got {parameter!r}, which {what}."
        )
    column = np.ma.getdata(results[f"param_{found[0]}"])
    missing = np.ma.getmaskarray(results[f"param_{found[0]}"])
    return [
        "not set" if gone else getattr(value, "item", lambda value=value: value)()
        for value, gone in zip(column, missing, strict=True)
    ]


def _sorted(values):
    """The different ones, numbers by size; others in the order in which they came."""
    different = []
    for value in values:
        if value not in different:
            different.append(value)
    try:
        return sorted(different)
    except TypeError:
        numbers = [value for value in different if isinstance(value, int | float)]
        return sorted(numbers) + [value for value in different if value not in numbers]
