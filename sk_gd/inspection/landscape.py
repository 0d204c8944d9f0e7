"""The objective around a fitted model, and the ways that led there."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..estimators.base import GDEstimator
from ..estimators.model_objective import ModelObjective, model_of
from .style import (
    as_dict,
    is_number,
    last_step,
    line_kwargs,
    line_style,
    new_axes,
    set_legend,
    told_apart,
)

# Room around the paths, as a share of what they take.
MARGIN = 0.15
# One more than a multiple of three: every third is labelled, the last one, too.
LEVELS = 19


class LossLandscapeDisplay:
    r"""The objective along a line, or over a plane, around a fitted model.

    Make one with `from_estimator`. What is drawn is
    :math:`F(W + a W_1)` or :math:`F(W + a W_1 + b W_2)`, the penalty included,
    with the fitted model :math:`W`, its intercept being one of the weights.
    Lengths are those of standardised data: a step of one along any weight
    changes the predictions by about one of their units.

    A path that does not lie in the plane is projected onto it; along a line its
    points have their own objective, and lie above the curve where the path
    was off the line.

    Parameters
    ----------
    offsets : tuple of one or two ndarrays
        The values of a, and those of b.
    values : ndarray of shape (n_a,) or (n_b, n_a)
        The objective.
    centre : float
        The objective of the fitted model.
    paths : dict of str to tuple of (ndarray, ndarray), default=None
        By name the places of the path's models, of shape (n_models,
        n_directions), and their objectives.
    labels : tuple of str, default=("a", "b")
        What the axes are called.

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
        self.paths = paths
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sample_weight=None,
        directions="random",
        n_directions=2,
        paths=None,
        width=None,
        resolution=41,
        random_state=None,
        ax=None,
        colorbar=True,
    ):
        """Evaluate the objective around a fitted estimator, and draw it.

        Parameters
        ----------
        estimator : GDRegressor, GDClassifier or Pipeline
            Fitted; the middle.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        directions : {"random", "pca"} or list of (coef, intercept), default="random"
            Random ones, at right angles in standardised data; the principal
            ones of the paths; or one or two of your own, in the shapes of
            ``coef_`` and ``intercept_``.
        n_directions : {1, 2}, default=2
            A line or a plane; your own directions are as many as they are.
        paths : list of (coef, intercept), or a list or dict of such lists, default=None
            Paths to draw, as `record_path` makes them.
        width : float, default=None
            How far to go to each side; by default as far as the paths went, or,
            without paths, as far as zero weights are away.
        resolution : int, default=41
            Models along each direction that the objective is evaluated at.
        random_state : int, RandomState or None, default=None
            Of random directions.
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        colorbar : bool, default=True
            Whether a bar beside a plane says what the colours mean.

        Returns
        -------
        LossLandscapeDisplay
            The display, drawn.
        """
        if width is not None and not (is_number(width) and 0 < width < np.inf):
            raise ValueError(
                f"width must be a positive, finite number or None. Got {width!r} instead."
            )
        if not isinstance(resolution, Integral) or resolution < 2:
            raise ValueError(
                f"resolution must be an integer from 2 on. Got {resolution!r} instead."
            )
        model, X = _checked(estimator, X)
        objective = ModelObjective(model, X, y, sample_weight, reset=False)
        to_raw, to_fitting = objective.coordinates.from_model, objective.fitting.from_model
        middle = to_fitting(*objective.model(*model_of(model), "estimator"))
        tracks = {
            name: np.array([to_fitting(*_weights(objective, point, "paths")) for point in path])
            for name, path in _named(paths).items()
        }
        basis, labels = _basis(
            objective, middle, list(tracks.values()), directions, n_directions, random_state
        )

        def value(w):
            return objective(to_raw(*objective.fitting.to_model(w)))

        # Beyond the reach of floats the objective is infinite, which the picture leaves out.
        with np.errstate(over="ignore", invalid="ignore"):
            projection = np.linalg.pinv(basis)
            drawn = {
                name: ((track - middle) @ projection, np.array([value(w) for w in track]))
                for name, track in tracks.items()
            }
            offsets = _offsets([place for place, _ in drawn.values()], middle, basis, width)
            offsets = tuple(np.linspace(*ends, resolution) for ends in offsets)
            grid = np.meshgrid(*offsets)
            places = np.stack([each.ravel() for each in grid], axis=1)
            values = np.array([value(middle + place @ basis) for place in places])
        if width is not None and _levels(values) is None:
            raise ValueError(
                "width must be such that the objective changes by more than rounding errors and "
                f"stays within the reach of floats. Got {width!r} instead."
            )
        display = cls(offsets, values.reshape(grid[0].shape), value(middle), drawn, labels)
        return display.plot(ax, colorbar=colorbar)

    def plot(self, ax=None, *, path_kwargs=None, colorbar=True):
        """Draw the objective and the paths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        path_kwargs : dict, default=None
            For ``ax.plot``, of every path.
        colorbar : bool, default=True
            Whether a bar beside a plane says what the colours mean.

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
            self._surface(ax, colorbar)
        else:
            (self.surface_,) = ax.plot(*self.offsets, self.values, color="0.4", label="objective")
            ax.set_ylabel("objective")
        for i, (name, (places, values)) in enumerate((self.paths or {}).items()):
            # The contours are light on dark pages, too.
            style = line_style(i, len(places), ink="black" if plane else None)
            if plane:
                from matplotlib.patheffects import Normal, Stroke

                # A light edge, to be told from the contours.
                edge = [Stroke(linewidth=3.5, foreground="white"), Normal()]
                style |= {"path_effects": edge, "markeredgecolor": "white", "markersize": 6}
            style |= {"label": name, **line_kwargs(path_kwargs)}
            self.lines_ += ax.plot(places[:, 0], places[:, 1] if plane else values, **style)
        star = {"marker": "*", "markersize": 14, "linestyle": "", "zorder": 4}
        star |= {"color": "#D55E00", "markeredgecolor": "white", "label": "fitted model"}
        ax.plot(0, 0 if plane else self.centre, **star)
        ax.set_xlabel(self.labels[0])
        if plane:
            ax.set_ylabel(self.labels[1])
            ax.set(xlim=self.offsets[0][[0, -1]], ylim=self.offsets[1][[0, -1]])
        set_legend(ax, own)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _surface(self, ax, colorbar):
        """Contours, the closer the nearer to the lowest."""
        from matplotlib.colors import LinearSegmentedColormap

        known = np.ma.masked_invalid(self.values)
        levels = _levels(self.values)
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
            bar.set_ticks(levels[::3], labels=told_apart(levels[::3].tolist()))


def _levels(values):
    """Levels of the objective for contours, None if there are no such numbers."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return None
    low, high = known.min(), known.max()
    if low == high:
        # A constant objective has no contours: a level beside it lets it be drawn.
        high = low + max(1.0, abs(low))
    with np.errstate(over="ignore"):
        levels = low + (high - low) * np.linspace(0, 1, LEVELS) ** 3
    return levels if np.all(np.diff(levels) > 0) and np.isfinite(levels[-1]) else None


class _Recorder:
    """A callback that keeps the model of every epoch."""

    def __init__(self):
        self.path = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.path.append(model_of(fitted_estimator))


def record_path(estimator, X, y, *, sample_weight=None):
    """Train a clone of an estimator, and keep its model after every epoch.

    It is the path of ``fit`` itself, with its schedule, stopping rule and
    averages; that of ``max_iter`` epochs if ``tol=None``.

    Parameters
    ----------
    estimator : GDRegressor, GDClassifier or Pipeline
        Need not be fitted; the transformers of a pipeline must be.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets or labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    list of (coef, intercept)
        The model that training begins with, and that after each epoch.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.inspection import record_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = record_path(GDRegressor(max_iter=5, tol=None), X, y)
    >>> len(path)
    6
    """
    model, X = _checked(estimator, X, fitted=False)
    model, recorder = clone(model), _Recorder()
    model.set_callbacks(recorder).fit(X, y, sample_weight=sample_weight)
    objective = ModelObjective(model, X, y, sample_weight, reset=False)
    raw = model.precondition is None
    coordinates = objective.coordinates if raw else objective.fitting
    begin = coordinates.to_model(np.zeros(coordinates.n_outputs * coordinates.n_columns))
    return [objective.published(*begin), *recorder.path]


def _checked(estimator, X, fitted=True):
    """The estimator, and the data as it sees them, the last step of a pipeline."""
    model = last_step(estimator)
    if not isinstance(model, GDEstimator):
        raise TypeError(
            "estimator must be a GDRegressor or GDClassifier, or a Pipeline that ends in one. "
            f"Got {model!r} instead."
        )
    if fitted:
        check_is_fitted(model)
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return model, X


def _named(paths):
    """The paths by their names."""
    if paths is None:
        return {}
    if isinstance(paths, list | tuple) and paths and _is_model(paths[0]):
        paths = {"path": paths}
    named = as_dict(paths, lambda path: "path")
    for name, path in named.items():
        if not isinstance(path, list | tuple) or not all(map(_is_model, path)):
            raise ValueError(
                "paths must be a list of (coef, intercept), as record_path makes it, or a list or "
                f"dict of such lists. Got {path!r} for {name!r}."
            )
        if not path:
            raise ValueError(f"paths must have at least one model each. Got none for {name!r}.")
    return named


def _is_model(given):
    """Whether it is a pair of a coef and an intercept, not one of two such pairs."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        return False
    coef, intercept = given
    if isinstance(intercept, np.ndarray):
        intercept = intercept.ravel()
    numbers = intercept if np.iterable(intercept) else [intercept]
    return np.iterable(coef) and all(is_number(number) for number in numbers)


def _weights(objective, given, name):
    """The model that was given, in the shapes of the objective."""
    coef, intercept = objective.model(*given, name)
    if not (np.all(np.isfinite(coef)) and np.all(np.isfinite(intercept))):
        raise ValueError(f"{name} must be of finite weights. Got NaN or infinity.")
    return coef, intercept


def _basis(objective, middle, tracks, directions, n_directions, random_state):
    """The directions, in the rows, in coordinates of standardised data, and what they are called.

    The differences of two models do not depend on the origin of the coordinates.
    """
    names = ("a", "b")
    if isinstance(directions, list | tuple):
        if not all(map(_is_model, directions)):
            raise ValueError(
                "directions must be 'random', 'pca' or a list of one or two (coef, intercept). "
                f"Got {directions!r} instead."
            )
        if len(directions) not in (1, 2):
            raise ValueError(f"directions must be one or two. Got {len(directions)} instead.")
        fitting = objective.fitting
        origin = fitting.from_model(*_zero(objective))
        given = (_weights(objective, direction, "directions") for direction in directions)
        basis = np.array([fitting.from_model(*direction) - origin for direction in given])
        if np.linalg.matrix_rank(basis) < len(basis):
            raise ValueError("directions must be linearly independent. Got dependent ones.")
        return basis, tuple(f"{name}, along a given direction" for name in names[: len(basis)])
    if not (isinstance(n_directions, Integral) and is_number(n_directions)) or not (
        1 <= n_directions <= 2
    ):
        raise ValueError(f"n_directions must be 1 or 2. Got {n_directions!r} instead.")
    if isinstance(directions, str) and directions == "random":
        normal = check_random_state(random_state).normal(size=(len(middle), n_directions))
        if n_directions > len(middle):
            raise ValueError(
                f"n_directions must be at most the number of weights, {len(middle)}. "
                f"Got {n_directions} instead."
            )
        basis = np.linalg.qr(normal)[0].T
        return basis, tuple(f"{name}, along a random direction" for name in names[:n_directions])
    if not isinstance(directions, str) or directions != "pca":
        raise ValueError(
            "directions must be 'random', 'pca' or a list of (coef, intercept). "
            f"Got {directions!r} instead."
        )
    if not tracks:
        raise ValueError(
            "directions='pca' are those of paths. Got paths=None; make some with record_path."
        )
    away = np.concatenate(tracks) - middle
    _, sizes, basis = np.linalg.svd(away, full_matrices=False)
    if np.sum(sizes > 1e-12 * max(sizes[0], 1e-300)) < n_directions:
        raise ValueError(
            f"directions='pca' needs paths that go in {n_directions} directions. Got fewer; set "
            "n_directions=1 or directions='random'."
        )
    shares = sizes**2 / np.sum(sizes**2)
    parts = zip(names[:n_directions], shares, strict=False)
    return basis[:n_directions], tuple(
        f"{name}, along a principal direction ({share:.1%} of the paths)" for name, share in parts
    )


def _zero(objective):
    """The model without any weights."""
    shape = objective.coordinates.n_outputs, objective.coordinates.n_features
    return np.zeros(shape), np.zeros(shape[0])


def _offsets(places, middle, basis, width):
    """Where each direction begins and ends."""
    if width is not None:
        return [(-width, width)] * len(basis)
    if not places:
        distance = np.linalg.norm(middle) or 1.0
        return [(-distance / size, distance / size) for size in np.linalg.norm(basis, axis=1)]
    together = np.concatenate([*places, np.zeros((1, len(basis)))])
    low, high = together.min(axis=0), together.max(axis=0)
    room = MARGIN * np.where(high > low, high - low, 1.0)
    return list(zip(low - room, high + room, strict=True))
