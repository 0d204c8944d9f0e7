"""The scores of a search over two parameters."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .style import new_axes, written

# Cells that get their score written in them, at most.
WRITTEN = 120
# Cells so many times as far from the best as the median one share the darkest colour.
SPREAD = 4


class SearchDisplay:
    """A heat map of the scores of a search: learning rate × iterations, or any two parameters.

    Make one with `from_search`. A cell has the best score over all other
    parameters. The best cell is framed, those in which every candidate failed,
    as one that diverges does, are hatched, and those that were never tried stay
    empty.

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
            The column of ``cv_results_`` to draw.
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
        if score not in results:
            known = [name for name in results if name.startswith(("mean_test", "mean_train"))]
            raise ValueError(f"score must be a column of cv_results_, as {known}. Got {score!r}.")
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
        for cell, value in zip(cells, values, strict=True):
            tried[cell] = True
            scores[cell] = np.fmax(scores[cell], value)
        best = None
        if np.any(np.isfinite(values)):
            chosen = getattr(search, "best_index_", None) if score == "mean_test_score" else None
            best = cells[int(np.nanargmax(values)) if chosen is None else int(chosen)]
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
        from matplotlib.patches import Patch, Rectangle

        finite = np.isfinite(self.scores)
        options = {"cmap": "cividis", "aspect": "auto", "origin": "lower", **(im_kwargs or {})}
        extend = "neither"
        if finite.any() and not {"vmin", "norm"} & set(options):
            known = self.scores[finite]
            # Next to divergence scores may be as bad as can be: the others are to be told apart.
            reach = SPREAD * (known.max() - np.median(known))
            options["vmin"] = max(known.min(), known.max() - reach) if reach > 0 else known.min()
            extend = "min" if options["vmin"] > known.min() else "neither"
        self.image_ = ax.imshow(np.ma.masked_where(~finite, self.scores), **options)
        if colorbar and finite.any():
            ax.figure.colorbar(self.image_, ax=ax, label=self.label, extend=extend)
        legend = []
        for row, column in np.argwhere(self.tried & ~finite):
            ax.add_patch(_cell(Rectangle, row, column, hatch="////", ec="0.45", fc="white", lw=0))
        if np.any(self.tried & ~finite):
            legend.append(Patch(hatch="////", ec="0.45", fc="white", lw=0, label="failed"))
        if self.best is not None:
            frame = {"ec": "#D55E00", "fill": False, "lw": 3}
            ax.add_patch(_cell(Rectangle, *self.best, zorder=3, **frame))
            legend.append(Patch(**frame, label="best"))
        self.text_ = self._write(ax, finite) if self.scores.size <= WRITTEN else []
        ax.set_xticks(range(len(self.x_values)), [_short(value) for value in self.x_values])
        ax.set_yticks(range(len(self.y_values)), [_short(value) for value in self.y_values])
        ax.set(xlabel=self.x, ylabel=self.y)
        if legend:
            place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2, "frameon": False}
            ax.legend(handles=legend, **place)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _write(self, ax, finite):
        """Every score in its cell, light on dark."""
        texts = []
        for row, column in np.argwhere(finite):
            value = self.scores[row, column]
            red, green, blue, _ = self.image_.cmap(self.image_.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            text = f"{value:.3f}" if abs(value) < 100 else f"{value:.1e}"
            options = {"ha": "center", "va": "center", "fontsize": "small"}
            texts.append(ax.text(column, row, text, color="white" if dark else "black", **options))
        return texts


def _cell(make, row, column, **options):
    return make((column - 0.5, row - 0.5), 1, 1, **options)


def _short(value):
    return f"{value:.3g}" if isinstance(value, float) else written(value)


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
