"""Display of the scores of a search over one parameter or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from . import candidates
from .colours import add_colorbar
from .heat_map import draw_cells, mark_cells, write_scores
from .points import draw_curve, draw_scatter
from .style import new_axes, wrap

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes

# Letters in each line of the label of the scores.
LABEL_WIDTH = 45


class SearchDisplay:
    """The scores of a search over one parameter or two, such as learning rate × epochs.

    Create one with `from_search`. What is drawn depends on the search:

    * *one parameter*: a curve of the scores, with their standard deviations over the
      splits as error bars;
    * *two parameters of a grid*: a heat map with a cell for each pair of values;
    * *two parameters with values drawn at random*: a point for each candidate, at its
      values, coloured by its score.

    If more parameters were searched, each place shows the best score over the others, and
    the label of the scores says so. In a search by halving, it shows the best score of
    the last round in which the place took part, because earlier rounds had fewer
    resources. The candidate that the search chose is framed. Places in which every
    candidate failed, for example by diverging, are hatched cells or crosses. Cells that
    were never tried are empty.

    Numbers are on a logarithmic axis if they are spread more evenly there. Names, objects
    and None are side by side.

    Scores that are far worse than most have the darker half of the colours. Scores
    that are still much farther away all have the same colour, which is not on the
    scale.

    Parameters
    ----------
    x_values : list
        The values of the parameter on the horizontal axis: in order, or of each point.
    y_values : list or None
        The values of the parameter on the vertical axis: in order, or of each point. None
        for a curve.
    scores : ndarray of shape (len(y_values), len(x_values)) or (len(x_values),)
        The scores, NaN where there is none. A heat map has two dimensions.
    tried : ndarray of bool, of the shape of `scores`, default=None
        Whether a place had a candidate. By default, all had.
    best : tuple of (int, int), int or None, default=None
        Row and column of the best cell, which is framed, or index of the best point.
    x, y : str, default="" and None
        Labels of the axes.
    label : str, default="mean_test_score"
        Label of the scores.
    errors : ndarray of the shape of `scores`, default=None
        The standard deviations of the scores: half the lengths of the error bars of a
        curve. Scores within that of the best one are not called far worse.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    image_ : matplotlib AxesImage or None
        The cells of a heat map.
    text_ : list of matplotlib Text
        The scores in the cells of a heat map.
    errorbar_ : matplotlib ErrorbarContainer or None
        The curve.
    points_ : matplotlib PathCollection or None
        The points of candidates with values drawn at random.

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
    >>> SearchDisplay.from_search(search, x="learning_rate", y=None).label
    'mean_test_score, best over max_iter'
    """

    def __init__(
        self,
        x_values,
        y_values,
        scores,
        tried=None,
        best=None,
        x="",
        y=None,
        label="mean_test_score",
        *,
        errors=None,
    ):
        self.x_values = x_values
        self.y_values = y_values
        self.scores = scores
        self.tried = np.ones(np.shape(scores), dtype=bool) if tried is None else tried
        self.best = best
        self.x = x
        self.y = y
        self.label = label
        self.errors = errors

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        x: str = "auto",
        y: str | None = "auto",
        score: str = "mean_test_score",
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
        curve_kwargs: dict[str, Any] | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : object
            A fitted search that has ``cv_results_``: `GDGridSearchCV`, or one of
            scikit-learn's, such as ``RandomizedSearchCV`` or ``HalvingGridSearchCV``.
        x : str, default="auto"
            The parameter on the horizontal axis. For a parameter in a pipeline, the last
            part of its name is enough. By default, a parameter that has several values:
            ``max_iter`` in a search over learning rates, else the first other one.
        y : str or None, default="auto"
            The parameter on the vertical axis. By default, a further parameter that has
            several values, first ``learning_rate``; if there is none, or `y` is None, the
            scores are drawn as a curve over `x`.
        score : str, default="mean_test_score"
            The column of ``cv_results_`` to draw: test or training scores, their
            means or those of one split. For mean test scores, the candidate of
            ``best_index_`` is framed; otherwise, the candidate with the highest score.
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        im_kwargs : dict, default=None
            Keyword arguments passed to ``ax.imshow``, which draws a heat map.
        curve_kwargs : dict, default=None
            Keyword arguments passed to ``ax.errorbar``, which draws a curve.
        scatter_kwargs : dict, default=None
            Keyword arguments passed to ``ax.scatter``, which draws single candidates.
        colorbar : bool, default=True
            Whether to add a colour bar.

        Returns
        -------
        SearchDisplay
            The display.
        """
        if not hasattr(search, "estimator"):
            raise TypeError(
                f"search must be a fitted search, such as GDGridSearchCV. Got {search!r} instead."
            )
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        scores, errors = candidates.read_scores(results, score)
        columns = candidates.searched(results)
        axes = [name for name in candidates.choose_axes(columns, x, y) if name is not None]
        ordered = [candidates.in_order(columns[name]) for name in axes]
        places = list(zip(*(positions for _, positions in ordered), strict=True))
        # Only a search by halving has several rounds.
        rounds = np.asarray(results.get("iter", np.zeros(len(places))))
        shown = candidates.best_of_last_round(places, rounds, scores)
        chosen = _chosen(search, scores, rounds, score)
        table = len(axes) == 2 and candidates.is_table(shown, *(values for values, _ in ordered))
        display = cls(
            *_arrange([values for values, _ in ordered], shown, table, scores),
            x=candidates.shortest(axes[0], columns),
            y=candidates.shortest(axes[1], columns) if len(axes) == 2 else None,
            label=_label(score, columns, axes),
        )
        if chosen is not None:
            place = places[chosen]
            display.best = place[::-1] if table else list(shown).index(place)
        if errors is not None:
            display.errors = _placed(errors, shown, display.scores)
        kwargs = {"im": im_kwargs, "curve": curve_kwargs, "scatter": scatter_kwargs}
        named = {f"{name}_kwargs": given for name, given in kwargs.items()}
        return display.plot(ax, **named, colorbar=colorbar)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        im_kwargs: dict[str, Any] | None = None,
        curve_kwargs: dict[str, Any] | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        im_kwargs : dict, default=None
            Keyword arguments passed to ``ax.imshow``, which draws a heat map.
        curve_kwargs : dict, default=None
            Keyword arguments passed to ``ax.errorbar``, which draws a curve.
        scatter_kwargs : dict, default=None
            Keyword arguments passed to ``ax.scatter``, which draws single candidates.
        colorbar : bool, default=True
            Whether to add a colour bar.

        Returns
        -------
        SearchDisplay
            The display itself.
        """
        ax = new_axes(self, ax)
        self.image_ = self.errorbar_ = self.points_ = None
        self.text_, handles = [], []
        if self.y_values is None:
            self.errorbar_, handles = draw_curve(ax, self, curve_kwargs)
            ax.set_ylabel(wrap(self.label, LABEL_WIDTH))
        elif np.ndim(self.scores) == 2:
            self.image_ = draw_cells(ax, self, im_kwargs)
            handles += self._explain_colours(ax, self.image_, colorbar)
            handles += mark_cells(ax, self)
            self.text_ = write_scores(ax, self, self.image_)
            ax.set_ylabel(self.y)
        else:
            self.points_, marks = draw_scatter(ax, self, scatter_kwargs)
            handles = self._explain_colours(ax, self.points_, colorbar) + marks
            ax.set_ylabel(self.y)
        ax.set_xlabel(self.x)
        if handles:
            above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3, "frameon": False}
            ax.legend(handles=handles, **above)
        self.ax_: Axes = ax
        self.figure_ = ax.figure
        return self

    def _explain_colours(self, ax, coloured, colorbar):
        """Add the colour bar; return the entry of the legend for scores below its range."""
        from matplotlib.patches import Patch

        finite = self.scores[np.isfinite(self.scores)]
        if not finite.size:
            return []
        lowest = coloured.norm.vmin
        any_below = bool(np.any(finite < lowest))
        if colorbar:
            add_colorbar(ax, coloured, wrap(self.label, LABEL_WIDTH), any_below)
        if not any_below:
            return []
        return [Patch(fc=coloured.cmap.get_under(), lw=0, label=f"below {lowest:.3g}")]


def _chosen(search, scores, rounds, score):
    """Return the index of the candidate that the search chose, or None if all failed."""
    last = np.isfinite(scores) & (rounds == rounds.max())
    if not last.any():
        return None
    chosen = getattr(search, "best_index_", None)
    if chosen is None or not score.startswith("mean_test_"):
        chosen = np.argmax(np.where(last, scores, -np.inf))
    return int(chosen)


def _arrange(values, shown, table, scores):
    """Return the values on the axes, the scores, and which were tried: a table or a list."""
    best = scores[list(shown.values())]
    if len(values) == 1:
        return values[0], None, best
    if not table:
        columns = zip(values, zip(*shown, strict=True), strict=True)
        return *([each[i] for i in places] for each, places in columns), best
    table = _placed(scores, shown, np.empty((len(values[1]), len(values[0]))))
    tried = _placed(np.ones(len(scores)), shown, table) == 1
    return *values, table, tried


def _placed(column, shown, like):
    """Return the numbers of the candidates that are shown, in the shape of the array `like`."""
    numbers = column[list(shown.values())]
    if like.ndim == 1:
        return numbers
    table = np.full(like.shape, np.nan)
    table[tuple(zip(*(place[::-1] for place in shown), strict=True))] = numbers
    return table


def _label(score, columns, axes):
    """Return the label of the scores, with the parameters that are not on the axes."""
    others = [name for name in candidates.varying(columns) if name not in axes]
    if not others:
        return score
    return f"{score}, best over {', '.join(candidates.shortest(each, columns) for each in others)}"
