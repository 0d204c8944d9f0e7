"""Display of the objective around a fitted model, and of the paths of training."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from ..estimators.model_objective import ModelObjective, model_of
from .paths import model_and_data
from .style import (
    HIGHLIGHT,
    as_dict,
    distinct_texts,
    is_number,
    line_kwargs,
    line_style,
    new_axes,
    set_legend,
)

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes

    from .. import _typing as types

# Space around the paths, as a share of their extent.
MARGIN = 0.15
# Number of contours. Every third is labelled, from the first to the last.
N_LEVELS = 19
# What the errors about `directions` say is allowed.
DIRECTIONS = "directions must be 'random', 'pca' or a list of one or two (coef, intercept)."


class LossLandscapeDisplay:
    r"""The objective along a line, or over a plane, around a fitted model.

    Create one with `from_estimator`. It shows the objective, including the penalty,
    as :math:`F(W + a W_1)` or :math:`F(W + a W_1 + b W_2)`. :math:`W` are the weights
    of the fitted model, including the intercept. Lengths are measured in
    standardised data: a step of one along any weight changes the predictions by
    about one of their units.

    A path that does not lie in the plane is projected onto it. Along a line, the
    points of a path are drawn at their own objective. They lie above the curve where
    the path was off the line.

    Parameters
    ----------
    offsets : tuple of one or two ndarrays
        The values of a, and those of b.
    values : ndarray of shape (n_a,) or (n_b, n_a)
        The objective.
    centre : float
        The objective of the fitted model.
    paths : dict of str to tuple of (ndarray, ndarray), default=None
        For each path by name, the positions of its models, of shape (n_models,
        n_directions), and their objectives.
    labels : tuple of str, default=("a", "b")
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The paths.
    surface_ : matplotlib Line2D or QuadContourSet
        The objective.

    See Also
    --------
    record_path : Makes a path.

    References
    ----------
    Goodfellow, I. J., Vinyals, O. & Saxe, A. M. (2015). Qualitatively
    characterizing neural network optimization problems. ICLR. arXiv:1412.6544

    Li, H., Xu, Z., Taylor, G., Studer, C. & Goldstein, T. (2018). Visualizing
    the loss landscape of neural nets. NeurIPS. arXiv:1712.09913

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.inspection import LossLandscapeDisplay, record_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDRegressor("lbfgs", random_state=0).fit(X, y)
    >>> path = record_path(GDRegressor("adam", max_iter=30, tol=None, random_state=0), X, y)
    >>> display = LossLandscapeDisplay.from_estimator(
    ...     model, X, y, directions="pca", paths={"Adam": path}, resolution=15
    ... )
    >>> bool(display.centre <= display.values.min())
    True
    """

    def __init__(self, offsets, values, centre, paths=None, labels=("a", "b")):
        self.offsets = offsets
        self.values = values
        self.centre = centre
        self.paths: dict[str, Any] = paths
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: types.MatrixLike,
        y: types.ArrayLike,
        *,
        sample_weight: types.ArrayLike = None,
        directions: types.Directions = "random",
        n_directions: Literal[1, 2] = 2,
        paths: types.OneOrMore = None,
        width: float | None = None,
        resolution: int = 41,
        random_state: types.RandomState = None,
        ax: Axes | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Evaluate the objective around a fitted estimator and draw it.

        Parameters
        ----------
        estimator : GDRegressor, GDClassifier or Pipeline
            The fitted estimator, which is in the middle.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        directions : {"random", "pca"} or list of (coef, intercept), default="random"
            The directions: random ones, at right angles in standardised data; the
            principal directions of the paths; or one or two of your own, in the
            shapes of ``coef_`` and ``intercept_``.
        n_directions : {1, 2}, default=2
            Number of directions: 1 for a line, 2 for a plane. It is ignored if you give
            the directions.
        paths : list of (coef, intercept), or a list or dict of such lists, default=None
            Paths to draw, as `record_path` makes them.
        width : float, default=None
            Distance from the middle to each end of a direction. By default, the picture
            covers the paths or, without paths, goes as far as zero weights.
        resolution : int, default=41
            Number of models along each direction at which the objective is evaluated.
        random_state : int, RandomState or None, default=None
            Seeds random directions.
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        colorbar : bool, default=True
            Whether to add a colour bar to a plane.

        Returns
        -------
        LossLandscapeDisplay
            The display.
        """
        _check_grid(width, resolution)
        model, X = model_and_data(estimator, X)
        objective = ModelObjective(model, X, y, sample_weight, reset=False)
        raw, standardised = objective.coordinates, objective.standardised
        middle = standardised.from_model(*objective.model(*model_of(model), "estimator"))
        tracks = {
            name: np.array(
                [standardised.from_model(*_finite(objective, point, "paths")) for point in path]
            )
            for name, path in _paths_by_name(paths).items()
        }
        basis, labels = _basis(
            objective, middle, list(tracks.values()), directions, n_directions, random_state
        )

        def value(w):
            return objective(raw.from_model(*standardised.to_model(w)))

        # Where the objective overflows it is infinite, and is not drawn.
        with np.errstate(over="ignore", invalid="ignore"):
            projection = np.linalg.pinv(basis)
            projected = {
                name: ((track - middle) @ projection, np.array([value(w) for w in track]))
                for name, track in tracks.items()
            }
            ends = _ends([places for places, _ in projected.values()], middle, basis, width)
            offsets = tuple(np.linspace(low, high, resolution) for low, high in ends)
            grid = np.meshgrid(*offsets)
            points = np.stack([each.ravel() for each in grid], axis=1)
            values = np.array([value(middle + point @ basis) for point in points])
        if width is not None and _contour_levels(values) is None:
            raise ValueError(
                "width must be such that the objective changes by more than rounding errors and "
                f"does not overflow. Got {width!r} instead."
            )
        display = cls(offsets, values.reshape(grid[0].shape), value(middle), projected, labels)
        return display.plot(ax, colorbar=colorbar)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        path_kwargs: dict[str, Any] | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the objective and the paths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        path_kwargs : dict, default=None
            Keyword arguments passed to ``ax.plot`` for every path.
        colorbar : bool, default=True
            Whether to add a colour bar to a plane.

        Returns
        -------
        LossLandscapeDisplay
            The display itself.
        """
        own = ax is None
        ax = new_axes(self, ax)
        plane = len(self.offsets) == 2
        self.lines_ = []
        if plane:
            self._draw_contours(ax, colorbar)
        else:
            (self.surface_,) = ax.plot(*self.offsets, self.values, color="0.4", label="objective")
            ax.set_ylabel("objective")
        for i, (name, (places, values)) in enumerate((self.paths or {}).items()):
            # The contours are light on dark pages, too: the text's colour would not show.
            style = line_style(i, len(places), text_color="black" if plane else None)
            if plane:
                from matplotlib.patheffects import Normal, Stroke

                # A light edge separates the path from the contours.
                edge = [Stroke(linewidth=3.5, foreground="white"), Normal()]
                style |= {"path_effects": edge, "markeredgecolor": "white", "markersize": 6}
            style |= {"label": name, **line_kwargs(path_kwargs)}
            self.lines_ += ax.plot(places[:, 0], places[:, 1] if plane else values, **style)
        star = {"marker": "*", "markersize": 14, "linestyle": "", "zorder": 4}
        star |= {"color": HIGHLIGHT, "markeredgecolor": "white", "label": "fitted model"}
        ax.plot(0, 0 if plane else self.centre, **star)
        ax.set_xlabel(self.labels[0])
        if plane:
            ax.set_ylabel(self.labels[1])
            ax.set(xlim=self.offsets[0][[0, -1]], ylim=self.offsets[1][[0, -1]])
        set_legend(ax, own)
        self.ax_: Axes = ax
        self.figure_ = ax.figure
        return self

    def _draw_contours(self, ax, colorbar):
        """Draw the contours, which are closer together at low values."""
        from matplotlib.colors import LinearSegmentedColormap

        known = np.ma.masked_invalid(self.values)
        levels = _contour_levels(self.values)
        if levels is None:
            raise ValueError(
                "values must differ by more than rounding errors, and some must be finite. "
                f"Got values from {np.min(self.values)} to {np.max(self.values)}."
            )
        light = LinearSegmentedColormap.from_list("light", ["#f7fbff", "#6f9fc8"])
        self.surface_ = ax.contourf(*self.offsets, known, levels=levels, cmap=light)
        ax.contour(*self.offsets, known, levels=levels, colors="0.35", linewidths=0.5)
        if colorbar:
            bar = ax.figure.colorbar(self.surface_, ax=ax, label="objective")
            bar.set_ticks(levels[::3], labels=distinct_texts(levels[::3].tolist()))


def _contour_levels(values):
    """Return the levels of the contours, or None if the values allow none."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return None
    low, high = known.min(), known.max()
    if low == high:
        # A constant objective has no contours: draw it between two levels.
        high = low + max(1.0, abs(low))
    with np.errstate(over="ignore"):
        levels = low + (high - low) * np.linspace(0, 1, N_LEVELS) ** 3
    return levels if np.all(np.diff(levels) > 0) and np.isfinite(levels[-1]) else None


def _check_grid(width, resolution):
    """Raise a ValueError if the extent or the resolution of the grid is not a valid number."""
    if width is not None and not (is_number(width) and 0 < width < np.inf):
        raise ValueError(f"width must be a positive, finite number or None. Got {width!r} instead.")
    if not isinstance(resolution, Integral) or resolution < 2:
        raise ValueError(
            f"resolution must be an integer of at least 2. Got {resolution!r} instead."
        )


def _paths_by_name(paths):
    """Return the paths as a dict by name."""
    if paths is None:
        return {}
    if isinstance(paths, list | tuple) and paths and _is_model(paths[0]):
        paths = {"path": paths}
    named = as_dict(paths, lambda path: "path")
    for name, path in named.items():
        if not isinstance(path, list | tuple) or not all(map(_is_model, path)):
            raise ValueError(
                "paths must be a list of (coef, intercept), as record_path returns it, or a list "
                f"or dict of such lists. Got {path!r} for {name!r}."
            )
        if not path:
            raise ValueError(f"paths must have at least one model each. Got none for {name!r}.")
    return named


def _is_model(given):
    """Whether `given` is a pair of a coef and an intercept, and not a pair of such pairs."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        return False
    coef, intercept = given
    if isinstance(intercept, np.ndarray):
        intercept = intercept.ravel()
    numbers = intercept if np.iterable(intercept) else [intercept]
    return np.iterable(coef) and all(is_number(number) for number in numbers)


def _finite(objective, given, name):
    """Return a model in the shapes of the objective; raise a ValueError if it is not finite."""
    coef, intercept = objective.model(*given, name)
    if not (np.all(np.isfinite(coef)) and np.all(np.isfinite(intercept))):
        raise ValueError(f"{name} must have finite weights. Got NaN or infinity.")
    return coef, intercept


def _basis(objective, middle, tracks, directions, n_directions, random_state):
    """Return the directions, as the rows of a matrix, and the labels of the axes.

    The directions are in coordinates of standardised data.
    """
    if isinstance(directions, list | tuple):
        basis = _given_directions(objective, directions)
        kinds = ["a given direction"] * len(basis)
    elif not (isinstance(n_directions, Integral) and is_number(n_directions)) or not (
        1 <= n_directions <= 2
    ):
        raise ValueError(f"n_directions must be 1 or 2. Got {n_directions!r} instead.")
    elif isinstance(directions, str) and directions == "random":
        basis = _random_directions(len(middle), n_directions, random_state)
        kinds = ["a random direction"] * n_directions
    elif isinstance(directions, str) and directions == "pca":
        basis, shares = _principal_directions(middle, tracks, n_directions)
        kinds = [f"a principal direction ({share:.1%} of the paths)" for share in shares]
    else:
        raise ValueError(f"{DIRECTIONS} Got {directions!r} instead.")
    return basis, tuple(f"{name}, along {kind}" for name, kind in zip("ab", kinds, strict=False))


def _given_directions(objective, directions):
    """Return the user's directions in coordinates of standardised data."""
    if not all(map(_is_model, directions)):
        raise ValueError(f"{DIRECTIONS} Got {directions!r} instead.")
    if len(directions) not in (1, 2):
        raise ValueError(f"directions must be one or two. Got {len(directions)} instead.")
    standardised, coordinates = objective.standardised, objective.coordinates
    zero = np.zeros((coordinates.n_outputs, coordinates.n_features))
    # A direction is a difference of two models, which does not depend on the origin.
    origin = standardised.from_model(zero, np.zeros(coordinates.n_outputs))
    given = (_finite(objective, direction, "directions") for direction in directions)
    basis = np.array([standardised.from_model(*direction) - origin for direction in given])
    if np.linalg.matrix_rank(basis) < len(basis):
        raise ValueError("directions must be linearly independent. Got dependent ones.")
    return basis


def _random_directions(n_weights, n_directions, random_state):
    """Return random directions at right angles."""
    if n_directions > n_weights:
        raise ValueError(
            f"n_directions must be at most the number of weights, {n_weights}. "
            f"Got {n_directions} instead."
        )
    normal = check_random_state(random_state).normal(size=(n_weights, n_directions))
    return np.linalg.qr(normal)[0].T


def _principal_directions(middle, tracks, n_directions):
    """Return the principal directions of the paths, and their shares of the squared distances."""
    if not tracks:
        raise ValueError(
            "directions='pca' needs paths. Got paths=None; make some with record_path."
        )
    _, sizes, basis = np.linalg.svd(np.concatenate(tracks) - middle, full_matrices=False)
    if np.sum(sizes > 1e-12 * max(sizes[0], 1e-300)) < n_directions:
        raise ValueError(
            f"directions='pca' needs paths that go in {n_directions} directions. Got fewer; set "
            "n_directions=1 or directions='random'."
        )
    shares = sizes**2 / np.sum(sizes**2)
    return basis[:n_directions], shares[:n_directions]


def _ends(places, middle, basis, width):
    """Return the lowest and the highest offset along each direction.

    `places` are the offsets of the models of each path.
    """
    if width is not None:
        return [(-width, width)] * len(basis)
    if not places:
        distance = np.linalg.norm(middle) or 1.0
        return [(-distance / size, distance / size) for size in np.linalg.norm(basis, axis=1)]
    with_middle = np.concatenate([*places, np.zeros((1, len(basis)))])
    low, high = with_middle.min(axis=0), with_middle.max(axis=0)
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    return list(zip(low - margin, high + margin, strict=True))
