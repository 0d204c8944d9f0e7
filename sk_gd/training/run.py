"""One configuration in training: its lane, its history, its stopping rule."""

import copy
import math
from typing import NamedTuple

import numpy as np

from .._versions import this_version
from ..objectives.caching import cached_property
from ..objectives.coordinates import Coordinates
from ..objectives.evidence import Signal
from ..objectives.moments import Moments, Statistics
from ..parameters import fingerprint
from ..schedules.base import Schedule, following
from .divergence import overflowed
from .history import History
from .lanes import lane_from, lane_state, new_lane
from .rates import Rates
from .stopping import Best, Stopping
from .stored import check_run, refusing

# Weights must stay below the largest number by this factor, so that sums over features are finite.
HEADROOM = 1e6
LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in ("float32", "float64")}
# `tol` is never relative to less than this share of the loss of a constant model, about: otherwise
# a loss that goes to zero would never settle. (An objective with a penalty does not.)
LEAST_LOSS = 1e-3
# Nor is it relative to more than this multiple: a larger loss is that of outliers.
MOST_LOSS = 10.0
# A run is at its minimum if its rule estimates that less than this share of `tol` is left to gain.
LEFT = 0.01


class Config(NamedTuple):
    """How a configuration is trained: the parameters of an estimator, all "auto" resolved.

    `loss_unit` is the loss of a model that has learnt nothing, about.
    """

    learning_rate: float
    schedule: Schedule
    horizon: int
    penalty: object
    average: int
    tol: float | None
    n_iter_no_change: int
    validated: bool
    dtype: str
    loss_unit: float = 1.0


class Run:
    """One configuration in training, with everything needed to continue after a pickle.

    It is stored as numbers, arrays and what a user gave, such as the optimizer, in plain
    containers. Formats that allow few types (skops) can then keep it, too.

    Attributes
    ----------
    seed : int
        Seeds everything random.
    statistics : Statistics
        The moments from which the coordinates were computed.
    signal : Signal
        The signal-to-noise ratio, if the strength of the penalty is computed from it.
    config : Config
        How the run is trained.
    coordinates : Coordinates
        The coordinates of the lane's weights.
    lane : Lane
        Weights, rule and average.
    rates : Rates
        The learning rates to come.
    history : History
        The losses and scores of the epochs.
    stopping : Stopping
        Whether the loss still improves.
    best : Best
        The model of the lowest validation loss, or of the highest score that was chosen.
    limit : float
        If all weights are below it, the model and its predictions are finite.
    fingerprint : tuple of str or None
        Equal for two fits of the same objective to the same data, and with the same
        held-out data; None if the run is not to be compared.
    n_steps_before : int
        Steps of the rules that this one has replaced.
    error : DivergenceError or None
        Set if the run diverged.
    start : ndarray
        The weights at the beginning of the present fit, in the coordinates.
    first_epoch : int
        The epochs before it.
    """

    def __init__(self, seed, statistics):
        self.seed = seed
        self.statistics = statistics
        self.signal = Signal()
        self.config = None
        self.coordinates = None
        self.lane = None
        self.rates = None
        self.history = History()
        self.stopping = Stopping()
        self.best = Best()
        self.limit = math.inf
        self.fingerprint = None
        self.n_steps_before = 0
        self.error = None
        self.start, self.first_epoch = None, 0

    @cached_property
    def generator(self):
        """Draws the orders of the rows. Full batches need none, and do not wait for it."""
        return np.random.default_rng(self.seed)

    def __getstate__(self):
        state = {"version": this_version(), **vars(self), "generator": self.generator}
        del state["rates"]  # they follow from the configuration and the losses
        del state["start"], state["first_epoch"]
        state["lane"] = None if self.lane is None else lane_state(self.lane)
        state["statistics"] = {
            name: None if moments is None else vars(moments)
            for name, moments in self.statistics._asdict().items()
        }
        state["config"] = None if self.config is None else self.config._asdict()
        state["signal"] = tuple(self.signal)
        for name in PARTS:
            state[name] = None if state[name] is None else vars(state[name])
        return state

    def __setstate__(self, state):
        state = dict(state) if isinstance(state, dict) else {}
        version = state.pop("version", None)
        named = isinstance(version, str)
        with refusing(f"version {version[:20]}" if named else "an earlier version"):
            check_run(state, NAMES, Config._fields, vars(History()), vars(Stopping()))
        vars(self).update(state)
        self.config = Config(**state["config"])
        self.signal = Signal(*state["signal"])
        for name, kind in PARTS.items():
            setattr(self, name, _revived(kind, state[name]))
        self.statistics = Statistics(
            **{name: _revived(Moments, stored) for name, stored in state["statistics"].items()}
        )
        self.lane = lane_from(state["lane"])
        self.rates = self._rates()
        self.start, self.first_epoch = None, 0

    def copy(self):
        """An independent run that continues from here."""
        other = Run.__new__(Run)
        vars(other).update(vars(self))
        if "generator" in vars(self):
            other.generator = copy.deepcopy(self.generator)
        if self.lane is not None:
            other.lane = lane_from(copy.deepcopy(lane_state(self.lane)))
        for name in ("rates", "history", "stopping"):
            part = getattr(self, name)
            setattr(other, name, None if part is None else part.copy())
        return other

    def begin_fit(self, fingerprint):
        """Begin a fit; True if the optimizer must begin anew.

        Same objective and data: resume. Otherwise keep only the weights.
        """
        known, self.fingerprint = self.fingerprint, fingerprint
        if fingerprint is not None and fingerprint == known:
            if self.is_settled:
                self.stopping.restart()
            self.lane.continues = True
            return False
        self._forget_losses()
        # The second string differs if only the held-out data do.
        anew = fingerprint is None or known is None or fingerprint[0] != known[0]
        if anew:
            self.history.begin = self.history.n_epochs
        else:
            self.best = Best()
        return anew

    def _forget_losses(self):
        self.stopping.restart()
        self.history.forget_watched()

    def configure(self, config, coordinates, optimizer, *, anew=False, earlier=0):
        """Take a configuration. If the run continues, its model stays the same function.

        `anew` keeps the weights only, and begins with the optimizer's first step. So does a best
        model of losses that no longer count: it is not where the optimizer is. If the optimizer is
        another one, the model is as good as `earlier` steps of it.
        """
        best = None
        if anew or self.config is None or config.validated != self.config.validated:
            # The losses so far are of another kind: of another objective, or on other data.
            best, self.best = self.best.model, Best()
            self._forget_losses()
        known, self.config = self.config, config
        self.rates = self._rates()
        if self.lane is None:
            start = np.zeros(coordinates.n_outputs * coordinates.n_columns)
            self.lane = new_lane(optimizer, start, self.seed)
        else:
            before, moved = self.coordinates, not coordinates.same_as(self.coordinates)

            def there(weights):
                return coordinates.from_model(*before.to_model(weights)) if moved else weights

            if (
                anew
                or best is not None
                or coordinates.n_columns != before.n_columns
                or fingerprint(optimizer) != fingerprint(self.lane.rule.optimizer)
            ):
                self.n_steps_before += self.lane.rule.t
                weights = self.lane.model() if best is None else before.from_model(*best)
                self.lane = new_lane(optimizer, there(weights), self.seed)
                self.lane.rule.begin_after(earlier)
            else:
                if moved:
                    self.lane.transform(there)
                if not known.penalty.smooth:
                    slope = known.penalty.slope(*before.weight_scales())
                    now = config.penalty.slope(*coordinates.weight_scales())
                    ratio = np.divide(now, slope, out=np.ones_like(slope), where=slope > 0)
                    self.lane.rule.rescale_slopes(ratio)
        self.start, self.first_epoch = self.lane.model(), self.history.n_epochs
        self.coordinates = coordinates
        self.limit = LARGEST[config.dtype] / HEADROOM / max(1.0, coordinates.amplification())
        self.lane.penalty = self.penalty_kernel(self.lane.rule)

    def penalty_kernel(self, rule):
        """The formulas of the penalty, in the coordinates, for this rule."""
        scales = self.coordinates.weight_scales()
        return self.config.penalty.kernel(*scales, proximal=rule.has_metric())

    def with_penalty(self, penalty):
        """A new run that differs in the penalty only. This one must not have begun.

        It has no lane yet: see `begin` and `follow`.
        """
        other = Run(self.seed, self.statistics)
        for name in ("signal", "coordinates", "limit", "start"):
            setattr(other, name, getattr(self, name))
        other.config = self.config._replace(penalty=penalty)
        other.rates = self.rates.copy()
        return other

    def begin(self, optimizer):
        """Begin at the weights with which the fit starts."""
        self.lane = new_lane(optimizer, self.start, self.seed)
        self.lane.penalty = self.penalty_kernel(self.lane.rule)

    def follow(self, other, guess=None, inverse=None):
        """Begin at the minimum of a run that differs in the strength of a ridge penalty only.

        The other run is over, and its lane is this one's. `guess` is how much the weights will
        change, about, and `inverse` is the inverse of the Hessian.
        """
        self.lane, other.lane = other.lane, None
        lane = self.lane
        w, penalty = np.asarray(lane.w), lane.penalty
        lane.penalty = self.penalty_kernel(lane.rule)
        added = lane.penalty.curvature() - penalty.curvature()

        def products(rows):
            return self.coordinates.hessian_products(rows, added)

        lane.rule.follow(w, products, self.config.learning_rate, guess, inverse)
        self.start = lane.model()

    def begin_at(self, weights, lane, inverse):
        """Begin at these weights, where the inverse of the Hessian is this matrix, about.

        The lane is a new one, or that of a run that is over.
        """
        self.lane = lane
        np.asarray(lane.w)[:] = self.start = weights
        lane.penalty = self.penalty_kernel(lane.rule)
        # The matrix is that of all rows: a sample of them would tell nothing new.
        lane.continues = True
        lane.rule.begin_at(lane.w, inverse)

    def _rates(self):
        config = self.config
        schedule = following(config.schedule, self.history.recent(self.history.watched))
        return Rates(config.learning_rate, schedule, config.horizon)

    def begin_epoch(self, n_batches):
        """The learning rates of the batches of the next epoch."""
        begins = self.config.average
        epoch = self.history.n_recent
        if begins and self.lane.average is None and epoch + 1 >= begins:
            self.lane.begin_average()  # the parameter counts epochs from one
        return self.rates.of_epoch(epoch, n_batches)

    def finish_epoch(self, data, held_out):
        """Record the epoch. True if the run ends by itself, settled or diverged."""
        config, history = self.config, self.history
        loss = float(self.lane.loss / data.n + self.lane.penalty_value)
        if not math.isfinite(loss) or not (
            self.lane.is_within(self.limit) or self.can_hold(np.asarray(self.lane.w))
        ):
            self.error = overflowed(loss, self, data)
            return True
        watched, judged, score = loss, loss, None
        # The objective on a full batch has no noise.
        noiseless = data.n_batches == 1 and held_out is None
        if held_out is not None:
            watched, judged, score = self._judge(held_out)
        elif noiseless and self._has_units():
            judged = self.lane.minimised * config.loss_unit
        history.record(loss, self.lane.evaluations, watched, score)
        self.rates = self.rates.after(watched)
        if config.tol is None:
            return False
        self.stopping.at_minimum = self._is_stationary(data)
        if self.lane.rule.only_measures():
            return self.stopping.at_minimum
        noticed = config.tol * self._size(judged, held_out)
        swings = noiseless and self.lane.rule.swings()
        gathers_speed = noiseless and history.gathers_speed()
        self.stopping.update(judged, noticed, swings, gathers_speed)
        # With more evaluations the loss may be one of weights that the rule has left again.
        if (self.stopping.stale or self.lane.evaluations == 1) and not config.validated:
            left = self.lane.rule.gain() * config.loss_unit
            self.stopping.at_minimum |= left <= LEFT * noticed
        return self.is_settled

    def _has_units(self):
        """Whether outputs have units of their own: each counts as much as the others, then.

        In the objective, the output of the largest unit counts most. While others improve, it may
        become worse for some time.
        """
        several = self.coordinates.in_units and self.coordinates.n_outputs > 1
        return several and not self.lane.penalty.has_prox

    def _judge(self, held_out):
        """What schedules watch, what decides when to stop, the lower the better, and the score."""
        model = self.coordinates.to_model(self.lane.model())
        watched, score = (float(number) for number in held_out.judge(*model))
        judged = watched if held_out.chosen_score is None else -score
        self.best = self.best.offer(judged, model)
        return watched, judged, score

    def _size(self, judged, held_out):
        """The size of what decides when to stop, relative to which it improves."""
        if held_out is not None and held_out.chosen_score is not None:
            return abs(judged)
        unit = self.config.loss_unit
        has_penalty = held_out is None and self.lane.penalty_value > 0
        return min(max(abs(judged), 0.0 if has_penalty else LEAST_LOSS * unit), MOST_LOSS * unit)

    def _is_stationary(self, data):
        """Whether the epoch read all rows at once, found a gradient of zero, and stayed there.

        A smooth convex objective is then at its minimum. In whitened coordinates what is only
        rounding has been set to zero.
        """
        curve, lane = self.history.loss_curve, self.lane
        return (
            len(curve) > self.history.begin + 1
            and curve[-1] == curve[-2]  # momentum may pass through the minimum
            and data.n_batches == 1
            and lane.average is None
            and lane.rule.descends()
            and not lane.penalty.has_prox
            and not np.asarray(lane.objective.g).any()
        )

    def can_hold(self, weights):
        """Whether these weights give a model, and predictions, of finite numbers."""
        return bool(np.abs(weights).max() <= self.limit) or self.coordinates.can_hold(
            weights, self.config.dtype, HEADROOM
        )

    def weights(self):
        """The weights to predict with, in the coordinates."""
        best = self.best.model
        return self.lane.model() if best is None else self.coordinates.from_model(*best)

    def release(self):
        """Release the data."""
        self.lane.objective = None

    def model(self):
        """Coefficients and intercepts to predict with."""
        return self.best.model or self.coordinates.to_model(self.lane.model())

    @property
    def n_steps(self):
        """Steps taken."""
        return self.n_steps_before + self.lane.rule.t

    @property
    def is_settled(self):
        """Whether the loss is at its minimum, or has not improved for `n_iter_no_change` epochs."""
        config, stopping = self.config, self.stopping
        if config is None or config.tol is None:
            return False
        return stopping.at_minimum or stopping.stale >= config.n_iter_no_change


# What is stored of a run.
NAMES = vars(Run(0, None)).keys() - {"rates", "start", "first_epoch"} | {"generator"}
# The parts of it that are stored as their attributes.
PARTS = {
    "coordinates": Coordinates,
    "history": History,
    "stopping": Stopping,
    "best": Best,
}


def _revived(kind, attributes):
    """An object of this class with these attributes; None for None."""
    if attributes is None:
        return None
    part = kind.__new__(kind)
    vars(part).update(attributes)
    return part
