"""Curves over the training time: losses and schedules."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import schedules as _schedules
from .style import (
    as_dict,
    is_number,
    last_step,
    line_kwargs,
    line_style,
    new_axes,
    set_legend,
    set_title,
    written,
)

# Parameters that a name tells, at most.
TOLD = 3


class LossCurveDisplay:
    """The loss after each epoch, of one model or of several that race.

    Make one with `from_estimator`. What is drawn is ``loss_curve_``, the
    training objective with its penalty, as the batches of each epoch saw it;
    and ``validation_loss_curve_``, the mean loss without a penalty, where there
    was validation data.

    Parameters
    ----------
    curves : dict of str to array-like
        The objective of each epoch, by the name of the model.
    validation_curves : dict of str to array-like, default=None
        The validation loss of each epoch, by the same names.
    minimum : float, default=None
        The least value of the objective, if it is known: then the gap to it is
        drawn, and no validation loss, whose minimum is another.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The curves; those of validation come after that of their model.

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
    def from_estimator(cls, estimator, *, minimum=None, log=None, ax=None, curve_kwargs=None):
        """Draw the curves of fitted estimators.

        Parameters
        ----------
        estimator : GDRegressor, GDClassifier, Pipeline or search; or a list or dict of them
            Fitted; of a search it is its ``best_estimator_``. In a dict the keys
            are the names; otherwise the optimizers give them, and the parameters
            that differ where the optimizers do not.
        minimum : float, default=None
            The least value of the objective, if it is known.
        log : bool, default=None
            Whether the scale is logarithmic; by default if there is a `minimum`.
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        curve_kwargs : dict, default=None
            For ``ax.plot``, of every curve.

        Returns
        -------
        LossCurveDisplay
            The display, drawn.
        """
        if isinstance(estimator, dict):
            models = {name: _trained(model) for name, model in estimator.items()}
        else:
            given = estimator if isinstance(estimator, list | tuple) else [estimator]
            given = [_trained(model) for model in given]
            models = as_dict(given, lambda model: _name(model, given))
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

    def plot(self, ax=None, *, log=None, curve_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        log : bool, default=None
            Whether the scale is logarithmic; by default if there is a `minimum`.
        curve_kwargs : dict, default=None
            For ``ax.plot``, of every curve.

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
        alone = len(self.curves) == 1
        validation = {} if gap else self.validation_curves or {}
        self.lines_ = []
        for i, (name, curve) in enumerate(self.curves.items()):
            values = np.asarray(curve, dtype=float) - (self.minimum if gap else 0.0)
            style = line_style(i, len(values), curve_kwargs)
            label = "training" if alone and name in validation else name
            epochs = np.arange(1, len(values) + 1)
            self.lines_ += ax.plot(epochs, values, **{"label": label, **style})
            if name in validation:
                values = np.asarray(validation[name], dtype=float)
                hollow = {"markerfacecolor": ax.get_facecolor(), "linewidth": 1.0}
                if alone:
                    hollow |= line_style(1, len(values))
                hollow |= {"label": "validation" if alone else f"{name}, validation"}
                hollow |= line_kwargs(curve_kwargs)
                epochs = np.arange(1, len(values) + 1)
                self.lines_ += ax.plot(epochs, values, **{**style, **hollow})
        if logarithmic:
            # Batches may have seen less than the minimum: such a point is not on the scale.
            ax.set_yscale("log", nonpositive="mask")
        ax.set(xlabel="epoch", ylabel="objective − minimum" if gap else "objective")
        if validation:
            ax.set_ylabel("training objective, validation loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if len(self.lines_) > 1:
            set_legend(ax, own)
        else:
            set_title(ax, next(iter(self.curves)))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check_minimum(self, logarithmic):
        """Raise a ValueError if nothing would be left to draw."""
        minimum = 0.0 if self.minimum is None else self.minimum
        if not is_number(minimum) or not np.isfinite(minimum):
            raise ValueError(f"minimum must be a finite number or None. Got {minimum!r} instead.")
        curves = (np.asarray(curve, dtype=float) for curve in self.curves.values())
        highest = max(np.max(curve, initial=-np.inf) for curve in curves)
        if logarithmic and highest <= minimum:
            name = "log must be False" if self.minimum is None else "minimum must be lower"
            raise ValueError(
                f"{name} where the objective is never above {minimum:.9g}, as a logarithmic scale "
                f"has no such points. Got an objective of {highest:.9g} at most."
            )


def _name(model, models):
    """The optimizer, and in what it differs from the others that have the same."""
    name = written(model.optimizer_)
    others = [other for other in models if written(other.optimizer_) == name]
    params = [
        {key: written(value) for key, value in other.get_params(deep=False).items()}
        for other in others
    ]
    own = params[others.index(model)]
    different = [
        f"{key}={own[key]}"
        for key in own
        if key != "optimizer" and any(other.get(key) != own[key] for other in params)
    ]
    return ", ".join([name, *different]) if len(different) <= TOLD else name


def _trained(estimator):
    """The estimator with the curves, checked."""
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
            "estimator must be a GDRegressor or GDClassifier, or a Pipeline that ends in one. "
            f"Got {type(model).__name__} instead, which has no curve of losses."
        )
    return model


class ScheduleDisplay:
    """What schedules multiply the learning rate by, over the training time.

    Make one with `from_schedule`. A schedule that reacts to the loss, as
    ``plateau`` does, is drawn as it is before any loss.

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
    LossCurveDisplay : What comes of it.

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
    def from_schedule(cls, schedule, *, horizon=100, ax=None, curve_kwargs=None):
        """Draw schedules.

        Parameters
        ----------
        schedule : str, Schedule or callable; or a list or dict of them
            The schedules. In a dict the keys are the names.
        horizon : int, default=100
            Epochs that training is to take (``max_iter``).
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        curve_kwargs : dict, default=None
            For ``ax.plot``, of every curve.

        Returns
        -------
        ScheduleDisplay
            The display, drawn.
        """
        if not is_number(horizon) or not 0 < horizon < np.inf:
            raise ValueError(
                f"horizon must be a positive, finite number of epochs. Got {horizon!r} instead."
            )
        schedule = as_dict(schedule, written)
        if not schedule:
            raise ValueError("schedule must have at least one schedule. Got none.")
        # Training is over at the horizon: its last step is before it.
        times = np.linspace(0, horizon, 1000, endpoint=False)
        multipliers = {}
        for name, given in schedule.items():
            one = _schedules.get(given)
            one.check()
            multipliers[name] = one(times, horizon)
        return cls(times, multipliers).plot(ax, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, curve_kwargs=None):
        """Draw the multipliers.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default on a new figure.
        curve_kwargs : dict, default=None
            For ``ax.plot``, of every curve.

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
        if len(self.lines_) > 1:
            set_legend(ax, own)
        else:
            set_title(ax, *self.multipliers)
        self.ax_, self.figure_ = ax, ax.figure
        return self
