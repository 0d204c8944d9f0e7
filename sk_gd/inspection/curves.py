"""Displays of curves over the training time: losses and schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import schedules
from .style import (
    as_dict,
    is_number,
    last_step,
    line_kwargs,
    line_style,
    name_lines,
    new_axes,
    short_name,
)

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes

    from .. import _typing as types

# A model is named by its optimizer alone if more parameters than this differ.
MAX_DIFFERENCES = 3


class LossCurveDisplay:
    """The loss in each epoch, of one model or of several.

    Create one with `from_estimator`. It shows ``loss_curve_``: the training
    objective, including the penalty, as a mean over the batches of each epoch. If
    there was validation data, it also shows ``validation_loss_curve_``: the mean
    loss on the validation data, without the penalty.

    Parameters
    ----------
    curves : dict of str to array-like
        The objective of each epoch, by the name of the model.
    validation_curves : dict of str to array-like, default=None
        The validation loss of each epoch, by the name of the model.
    minimum : float, default=None
        The minimum of the objective, if it is known. The gap to it is drawn then. The
        validation loss has another minimum and is not drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The curves. The validation curve of a model follows its training curve.

    See Also
    --------
    ScheduleDisplay : The learning rate over the same time.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.inspection import LossCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> race = [GDRegressor(name, max_iter=20, tol=None).fit(X, y) for name in ("sgd", "adam")]
    >>> display = LossCurveDisplay.from_estimator(race)
    >>> [line.get_label() for line in display.lines_]
    ['SGD', 'Adam']
    """

    def __init__(self, curves, validation_curves=None, minimum=None):
        self.curves = curves
        self.validation_curves = validation_curves
        self.minimum = minimum

    @classmethod
    def from_estimator(
        cls,
        estimator: types.OneOrMore,
        *,
        minimum: float | None = None,
        log: bool | None = None,
        ax: Axes | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the loss curves of fitted estimators.

        Parameters
        ----------
        estimator : GDRegressor, GDClassifier, Pipeline or search; or a list or dict of them
            The fitted estimators. For a search, its ``best_estimator_`` is used. The
            keys of a dict are the names of the curves. Otherwise, a curve is named by
            the optimizer, and by the parameters that differ if several models have the
            same optimizer.
        minimum : float, default=None
            The minimum of the objective, if it is known.
        log : bool, default=None
            Whether the scale of the loss is logarithmic. By default, it is if `minimum`
            is given.
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        curve_kwargs : dict, default=None
            Keyword arguments passed to ``ax.plot`` for every curve.

        Returns
        -------
        LossCurveDisplay
            The display.
        """
        if isinstance(estimator, dict):
            models = {name: _fitted_model(model) for name, model in estimator.items()}
        else:
            given = estimator if isinstance(estimator, list | tuple) else [estimator]
            given = [_fitted_model(model) for model in given]
            models = as_dict(given, lambda model: _name_among(model, given))
        if not models:
            raise ValueError("estimator must have at least one fitted estimator. Got none.")
        display = cls(
            {name: model.loss_curve_ for name, model in models.items()},
            {
                name: model.validation_loss_curve_
                for name, model in models.items()
                if hasattr(model, "validation_loss_curve_")
            },
            minimum,
        )
        return display.plot(ax, log=log, curve_kwargs=curve_kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        log: bool | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        log : bool, default=None
            Whether the scale of the loss is logarithmic. By default, it is if `minimum`
            is given.
        curve_kwargs : dict, default=None
            Keyword arguments passed to ``ax.plot`` for every curve.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        if not self.curves:
            raise ValueError("curves must have at least one curve. Got none.")
        gap = self.minimum is not None
        logarithmic = gap if log is None else log
        self._check_minimum(logarithmic)
        own = ax is None
        ax = new_axes(self, ax)
        validation = {} if gap else self.validation_curves or {}
        self.lines_ = []
        for i, name in enumerate(self.curves):
            self._plot_model(ax, i, name, validation.get(name), curve_kwargs)
        if logarithmic:
            # The mean over the batches may be below the minimum: such a point is left out.
            ax.set_yscale("log", nonpositive="mask")
        ax.set(xlabel="epoch", ylabel="objective − minimum" if gap else "objective")
        if validation:
            ax.set_ylabel("training objective, validation loss")
        # After a single epoch there is one integer in sight.
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        name_lines(ax, self.lines_, next(iter(self.curves)), own)
        self.ax_: Axes = ax
        self.figure_ = ax.figure
        return self

    def _plot_model(self, ax, i, name, validation, curve_kwargs):
        """Draw the curve of model number `i`, and its validation curve if there is one."""
        single = len(self.curves) == 1
        values = np.asarray(self.curves[name], dtype=float)
        values = values - (0.0 if self.minimum is None else self.minimum)
        style = line_style(i, len(values), curve_kwargs)
        label = "training" if single and validation is not None else name
        epochs = np.arange(1, len(values) + 1)
        self.lines_ += ax.plot(epochs, values, **{"label": label, **style})
        if validation is None:
            return
        values = np.asarray(validation, dtype=float)
        hollow = {"markerfacecolor": ax.get_facecolor(), "linewidth": 1.0}
        if single:
            hollow |= line_style(1, len(values))
        hollow |= {"label": "validation" if single else f"{name}, validation"}
        hollow |= line_kwargs(curve_kwargs)
        epochs = np.arange(1, len(values) + 1)
        self.lines_ += ax.plot(epochs, values, **{**style, **hollow})

    def _check_minimum(self, logarithmic):
        """Raise a ValueError if `minimum` is not a number or leaves nothing to draw."""
        minimum = 0.0 if self.minimum is None else self.minimum
        if not is_number(minimum) or not np.isfinite(minimum):
            raise ValueError(f"minimum must be a finite number or None. Got {minimum!r} instead.")
        curves = (np.asarray(curve, dtype=float) for curve in self.curves.values())
        highest = max(np.max(curve, initial=-np.inf) for curve in curves)
        if logarithmic and highest <= minimum:
            remedy = "log must be False" if self.minimum is None else "minimum must be lower"
            raise ValueError(
                f"{remedy}: a logarithmic scale cannot show an objective that is never above "
                f"{minimum:.9g}. Got an objective of at most {highest:.9g}."
            )


def _name_among(model, models):
    """Name a model by its optimizer, and by what differs from others with the same optimizer."""
    name = short_name(model.optimizer_)
    same = [other for other in models if short_name(other.optimizer_) == name]
    params = [
        {key: short_name(value) for key, value in other.get_params(deep=False).items()}
        for other in same
    ]
    own = params[same.index(model)]
    different = [
        f"{key}={own[key]}"
        for key in own
        if key != "optimizer" and any(other.get(key) != own[key] for other in params)
    ]
    return ", ".join([name, *different]) if len(different) <= MAX_DIFFERENCES else name


def _fitted_model(estimator):
    """Return the model that has the loss curve, from within a pipeline or a search."""
    model = last_step(estimator)
    model = last_step(getattr(model, "best_estimator_", model))
    if not hasattr(model, "fit"):
        raise TypeError(
            "estimator must be a fitted GDRegressor or GDClassifier, or a Pipeline that ends in "
            f"one. Got {model!r} instead."
        )
    check_is_fitted(model)
    if not hasattr(model, "loss_curve_") or not hasattr(model, "optimizer_"):
        raise TypeError(
            "estimator must be a GDRegressor or GDClassifier, a Pipeline that ends in one, or a "
            f"search with refit=True. Got {type(model).__name__} instead, which has no loss curve."
        )
    return model


class ScheduleDisplay:
    """The multipliers of the learning rate that schedules give over the training time.

    Create one with `from_schedule`. A schedule that reacts to the loss, such as
    ``plateau``, is drawn as it is before the first loss.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Training times in epochs.
    multipliers : dict of str to ndarray of shape (n_times,)
        The multipliers at these times, by the name of the schedule.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    LossCurveDisplay : The loss over the same time.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sk_gd.inspection import ScheduleDisplay
    >>> display = ScheduleDisplay.from_schedule(["cosine", "one_cycle"], horizon=50)
    >>> float(display.multipliers["cosine"][0])
    1.0
    """

    def __init__(self, times, multipliers):
        self.times = times
        self.multipliers = multipliers

    @classmethod
    def from_schedule(
        cls,
        schedule: types.OneOrMore,
        *,
        horizon: float = 100,
        ax: Axes | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw schedules.

        Parameters
        ----------
        schedule : str, Schedule or callable; or a list or dict of them
            The schedules. The keys of a dict are the names of the curves.
        horizon : int, default=100
            Number of epochs that training is to take (``max_iter``).
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        curve_kwargs : dict, default=None
            Keyword arguments passed to ``ax.plot`` for every curve.

        Returns
        -------
        ScheduleDisplay
            The display.
        """
        if not is_number(horizon) or not 0 < horizon < np.inf:
            raise ValueError(
                f"horizon must be a positive, finite number of epochs. Got {horizon!r} instead."
            )
        given = as_dict(schedule, short_name)
        if not given:
            raise ValueError("schedule must have at least one schedule. Got none.")
        # The last step of training begins before the horizon.
        times = np.linspace(0, horizon, 1000, endpoint=False)
        multipliers = {}
        for name, one in given.items():
            one = schedules.get(one)
            one.check()
            multipliers[name] = one(times, horizon)
        return cls(times, multipliers).plot(ax, curve_kwargs=curve_kwargs)

    def plot(self, ax: Axes | None = None, *, curve_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the multipliers.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. By default, a new figure is created.
        curve_kwargs : dict, default=None
            Keyword arguments passed to ``ax.plot`` for every curve.

        Returns
        -------
        ScheduleDisplay
            The display itself.
        """
        if not self.multipliers:
            raise ValueError("multipliers must have at least one schedule. Got none.")
        own = ax is None
        ax = new_axes(self, ax)
        self.lines_ = []
        for i, (name, values) in enumerate(self.multipliers.items()):
            style = line_style(i, len(values), curve_kwargs)
            self.lines_ += ax.plot(self.times, values, **{"label": name, **style})
        ax.set(xlabel="epoch", ylabel="learning rate is multiplied by")
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
        name_lines(ax, self.lines_, next(iter(self.multipliers)), own)
        self.ax_: Axes = ax
        self.figure_ = ax.figure
        return self
