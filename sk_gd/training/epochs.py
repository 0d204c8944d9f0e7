"""The loop over epochs: trains runs side by side, each until it ends."""

from .lanes import connect
from .loop import run_epoch
from .newton import last_steps, take_hessian
from .starts import begin_nearer


def train(runs, data, *, epochs, held_out=None, begin_epoch=None, end_epoch=None):
    """Train `runs` side by side, each until its epochs are over or it stops by itself.

    A run that diverges has its `error`, and does not disturb the others. The lanes stay connected
    to the data; `Run.release` ends this for a run that outlives them.

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
            objective = connect([run.lane for run in active], data)
        _take_epoch(active, objective, data, generator)
        worse = [run for run, loss in begun if not _objective(run.lane, data) <= loss]
        if worse:
            # What they began with was misleading: they begin again without it.
            for run in worse:
                run.begin(run.lane.rule.optimizer)
            again = connect([run.lane for run in worse], data)
            _take_epoch(worse, again, data, generator)
            objective = None
        begun = []
        going = []
        for run in active:
            if not run.finish_epoch(data, held_out):
                is_over = run.history.n_epochs == last[id(run)]
                (unfinished if is_over else going).append(run)
                take_hessian(run, data)
            elif run.error is None:
                _end(run, data, generator, objective if len(active) == 1 else None)
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


def _end(run, data, generator, objective):
    """Take a run that has settled to its minimum, if a few steps do. They are not recorded.

    `objective` is that of its lane; None if it shares one with other lanes.
    """
    for _ in last_steps(run, data):
        objective = objective or connect([run.lane], data)
        _take_epoch([run], objective, data, generator)


def _objective(lane, data):
    """The objective, summed over the rows, at the point of the last gradient."""
    return lane.loss + data.n * lane.penalty_value
