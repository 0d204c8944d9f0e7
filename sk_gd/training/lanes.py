"""Lanes: made, connected to the data, and as plain containers, in which they are stored."""

import numpy as np

from .loop import Lane


def new_lane(optimizer, w, seed):
    """A lane that begins at the weights `w`."""
    rule = optimizer.rule(len(w))
    rule.seed(seed)
    rule.start(w)
    return Lane(rule, w)


def lane_state(lane):
    """What a lane is stored as: plain numbers, arrays and the optimizer."""
    return {
        "optimizer": lane.rule.optimizer,
        "t": lane.rule.t,
        "memory": lane.rule.memory(),
        "w": np.asarray(lane.w),
        "average": None if lane.average is None else np.asarray(lane.average),
        "averaged": lane.averaged,
    }


def lane_from(state):
    """The lane that was stored as `state`."""
    rule = state["optimizer"].rule(len(state["w"]))
    rule.restore(state["t"], state["memory"])
    lane = Lane(rule, state["w"])
    if state["average"] is not None:
        lane.begin_average()
        np.asarray(lane.average)[:] = state["average"]
    lane.averaged = state["averaged"]
    return lane


def connect(lanes, data):
    """Give every lane an objective of its own; returns the objective of all lanes together."""
    objective = data.objective([lane.penalty for lane in lanes])
    for lane in lanes:
        lane.connect(objective if len(lanes) == 1 else data.objective([lane.penalty]))
    return objective
