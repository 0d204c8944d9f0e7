"""Schedules to test with, and their multipliers during training."""

import numpy as np

from sk_gd import schedules
from sk_gd.schedules import (
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    InverseTime,
    OneCycle,
    Plateau,
    Polynomial,
    Step,
    Warmup,
)

# Every class with its defaults, and with other values of all its parameters.
INSTANCES = [
    *map(schedules.get, schedules.names()),
    Step(step_size=3, gamma=0.5),
    Exponential(gamma=0.8),
    InverseTime(decay=0.3),
    Polynomial(power=2.5, final=0.1),
    Cosine(final=0.2),
    CosineRestarts(T_0=2, T_mult=3, final=0.05),
    Cyclic(base=0.1, step_size_up=1.5, step_size_down=3, gamma=0.5),
    OneCycle(pct_start=0.5, div_factor=4, final_div_factor=10),
    Warmup(epochs=2, start_factor=0, then=Polynomial(power=2)),
    Warmup(epochs=1, then=Warmup(epochs=2, then=Plateau(patience=0))),
    Plateau(factor=0.5, patience=1, threshold=0.01, cooldown=2, final=0.1),
]
# These depend on the horizon.
OF_THE_HORIZON = (Polynomial, Cosine, OneCycle)


def in_training(schedule, times, horizon, losses):
    """The multipliers during training: each one depends on the losses of finished epochs only."""
    return np.array([float(schedule.after(losses[: int(time)])(time, horizon)) for time in times])
