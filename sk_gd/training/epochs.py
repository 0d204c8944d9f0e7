"""The loop over epochs: trains runs side by side, each until it ends."""

import numpy as np

from .loop import run_epoch
from .run import SURELY_LEFT


def train(runs, data, *, epochs, held_out=None, begin_epoch=None, end_epoch=None):
    """Train `runs` side by side, each until its epochs are over or it stops by itself.

    A run that diverges has its `error`, and does not disturb the others. The lanes stay connected
    to the data; a run that outlives the data lets go of them by `Run.release`.

    Parameters
    ----------
    runs : list of Run
        Changed in place. They share the data, its coordinates, and the order
        of the rows, which comes from the generator of the first.
    data : Data
        What to train on.
    epochs : list of int
        The largest number of epochs of each run.
    held_out : HeldOut, optional
        Data that do not train, by which stopping and best weights are decided.
    begin_epoch : callable, optional
        Called before every epoch.
    end_epoch : callable, optional
        Called after every epoch with the runs that took part and have not diverged. It
        returns True to stop them all.

    Returns
    -------
    list of Run
        Those that were stopped by the number of epochs only.
    """
    generator = runs[0].generator if data.shuffle else None
    last = {id(run): run.history.n_epochs + more for run, more in zip(runs, epochs, strict=True)}
    active, unfinished, objective = runs, [], None
    if len(runs) == 1 and runs[0].lane.objective is not None:
        # The lane comes from a run on the same data.
        objective = runs[0].lane.reconnect()
    begun = begin_nearer(runs, data)
    while active:
        if begin_epoch is not None:
            begin_epoch()
        if objective is None:
            objective = watched_objective(data, [run.lane for run in active])
        _take_epoch(active, objective, data, generator)
        worse = [run for run, loss in begun if not _objective(run.lane, data) <= loss]
        if worse:
            # What they began with was misleading: they begin again without it.
            for run in worse:
                run.begin(run.lane.rule.optimizer)
            again = watched_objective(data, [run.lane for run in worse])
            _take_epoch(worse, again, data, generator)
            objective = None
        begun = []
        going = []
        for run in active:
            if not run.finish_epoch(data, held_out):
                is_over = run.history.n_epochs == last[id(run)]
                (unfinished if is_over else going).append(run)
        if end_epoch is not None:
            recorded = [run for run in active if run.error is None]
            if recorded and end_epoch(recorded):
                return []
        if len(going) < len(active):
            active, objective = going, None
    return unfinished


def _take_epoch(runs, objective, data, generator):
    """Take all runs through one epoch."""
    rates = [run.begin_epoch(data.n_batches) for run in runs]
    lanes = [run.lane for run in runs]
    run_epoch(objective, lanes, rates, data.order(generator), data.n, data.batch_size)


def begin_nearer(runs, data):
    """Begin new runs nearer to their minimum, if their rules gain by it.

    Returns for each such run the run, and the objective, summed over all rows, about, that it
    began with.
    """
    n_steps = min(run.lane.rule.optimizer.sample_steps for run in runs)
    if n_steps == 0 or data.n_batches > 1 or any(run.n_steps or run.lane.continues for run in runs):
        return []
    sample = data.sample()
    if sample is not None:
        return _begin_on_sample(runs, data, sample, n_steps)
    if data.has_duals:
        return [(run, loss) for run in runs if (loss := _begin_on_duals(run, data)) is not None]
    return []


def _begin_on_sample(runs, data, sample, n_steps):
    """Take runs through a few steps on a sample of the rows; see `begin_nearer`."""
    lanes = [run.lane for run in runs]
    objective = watched_objective(sample, lanes)
    rates = [np.array([run.config.learning_rate]) for run in runs]
    losses = None
    for _ in range(n_steps):
        run_epoch(objective, lanes, rates, sample.order(None), sample.n, sample.batch_size)
        losses = losses or [lane.loss * data.n / sample.n for lane in lanes]
    begun = []
    for run, loss in zip(runs, losses, strict=True):
        lane = run.lane
        if lane.alive and lane.is_within(run.limit):
            begun.append((run, loss))
            lane.rule.leave_sample()
            lane.continues = False
        else:
            run.begin(lane.rule.optimizer)
    return begun


def _begin_on_duals(run, data):
    """Take a run through a few passes of dual coordinate ascent.

    Returns the objective, summed over the rows, that it would begin with; None if it still does.
    """
    config, weights = run.config, None
    close = SURELY_LEFT * (config.tol or 0.0)
    # Held-out data may be the best predicted on the way to the minimum.
    if config.penalty.ridge > 0 and not config.validated:
        weights, lowest = data.ascend(config.penalty.ridge, close)
    if weights is None:
        return None
    run.lane.w[:] = weights
    run.lane.rule.start(weights)
    # The objective is at most so high if no more than that share of it is above the bound.
    run.lane.rule.rest_below(lowest / (1 - close) if close < 1 else np.inf)
    # Its weights were zero, where all classes have the same probability.
    return data.n * np.log(max(2, data.coordinates.n_outputs))


def _objective(lane, data):
    """The objective, summed over the rows, at the point of the last gradient."""
    return lane.loss + data.n * lane.penalty_value


def watched_objective(data, lanes):
    """The objective of all lanes, which each of the lanes can also ask by itself."""
    objective = data.objective([lane.penalty for lane in lanes])
    for lane in lanes:
        lane.connect(objective if len(lanes) == 1 else data.objective([lane.penalty]))
    return objective
