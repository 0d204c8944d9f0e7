"""Record torch's learning-rate schedulers: writes tests/data/torch_schedules.json.

Needs torch, which the tests themselves do not: run it by hand, with any
interpreter that has torch, when a schedule is added. An epoch has eight steps,
the rate is one, and each scheduler is given its times in steps.
"""

import json
import math
import pathlib
import random

import torch
from torch.optim import lr_scheduler as torch_schedulers

PER_EPOCH = 8
STEPS = 320
TOTAL = 97  # steps of the cycle of OneCycleLR


def linear(optimizer, **options):
    return torch_schedulers.LinearLR(optimizer, **options)


def after_linear(then, options):
    """LinearLR for five epochs, and then another scheduler."""

    def make(optimizer):
        first = linear(optimizer, start_factor=1 / 3, total_iters=5 * PER_EPOCH)
        second = getattr(torch_schedulers, then)(optimizer, **options)
        return torch_schedulers.SequentialLR(optimizer, [first, second], [5 * PER_EPOCH])

    return make


# class of sk_gd, its parameters, the horizon, steps to compare (None: all), scheduler, its options
CASES = [
    ("Constant", {}, 10, None, "ConstantLR", {"factor": 1.0}),
    ("Step", {}, 10, None, "StepLR", {"step_size": 30 * PER_EPOCH}),
    ("Step", {"step_size": 3, "gamma": 0.5}, 10, None, "StepLR", {"step_size": 24, "gamma": 0.5}),
    ("Exponential", {"gamma": 0.9}, 10, None, "ExponentialLR", {"gamma": 0.9 ** (1 / PER_EPOCH)}),
    ("Polynomial", {}, 10, None, "PolynomialLR", {"total_iters": 80}),
    ("Polynomial", {"power": 2.5}, 10, None, "PolynomialLR", {"total_iters": 80, "power": 2.5}),
    (
        "Polynomial",
        {"final": 0.2},
        10,
        None,
        "LinearLR",
        {"start_factor": 1.0, "end_factor": 0.2, "total_iters": 80},
    ),
    # torch's cosine rises again after its end.
    ("Cosine", {}, 10, 81, "CosineAnnealingLR", {"T_max": 80}),
    ("Cosine", {"final": 0.1}, 40, None, "CosineAnnealingLR", {"T_max": 320, "eta_min": 0.1}),
    ("CosineRestarts", {}, 10, None, "CosineAnnealingWarmRestarts", {"T_0": 80}),
    (
        "CosineRestarts",
        {"T_0": 2, "T_mult": 2, "final": 0.05},
        10,
        None,
        "CosineAnnealingWarmRestarts",
        {"T_0": 16, "T_mult": 2, "eta_min": 0.05},
    ),
    (
        "CosineRestarts",
        {"T_0": 1, "T_mult": 3},
        10,
        None,
        "CosineAnnealingWarmRestarts",
        {"T_0": 8, "T_mult": 3},
    ),
    (
        "Cyclic",
        {},
        10,
        None,
        "CyclicLR",
        {"base_lr": 0.25, "max_lr": 1.0, "step_size_up": 40, "cycle_momentum": False},
    ),
    (
        "Cyclic",
        {"base": 0.1, "step_size_up": 3, "step_size_down": 5, "gamma": 0.5},
        10,
        None,
        "CyclicLR",
        {
            "base_lr": 0.1,
            "max_lr": 1.0,
            "step_size_up": 24,
            "step_size_down": 40,
            "mode": "triangular2",
            "cycle_momentum": False,
        },
    ),
    # torch's last step and peak are one step before the numbers it is given.
    (
        "OneCycle",
        {"pct_start": (0.3 * TOTAL - 1) / (TOTAL - 1)},
        (TOTAL - 1) / PER_EPOCH,
        TOTAL,
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": TOTAL, "cycle_momentum": False},
    ),
    (
        "OneCycle",
        {
            "pct_start": (0.6 * TOTAL - 1) / (TOTAL - 1),
            "div_factor": 4,
            "final_div_factor": 10,
        },
        (TOTAL - 1) / PER_EPOCH,
        TOTAL,
        "OneCycleLR",
        {
            "max_lr": 1.0,
            "total_steps": TOTAL,
            "pct_start": 0.6,
            "div_factor": 4,
            "final_div_factor": 10,
            "cycle_momentum": False,
        },
    ),
    ("Warmup", {}, 10, None, "LinearLR", {"total_iters": 40}),
    (
        "Warmup",
        {"epochs": 2.5, "start_factor": 0.1},
        10,
        None,
        "LinearLR",
        {"start_factor": 0.1, "total_iters": 20},
    ),
]
# what comes after the warm-up, the horizon, steps to compare, scheduler, its options
AFTER_WARMUP = [
    ("cosine", 15, 121, "CosineAnnealingLR", {"T_max": 80}),
    ("polynomial", 15, None, "PolynomialLR", {"total_iters": 80}),
    ("step", 15, None, "StepLR", {"step_size": 240}),
    ("cosine_restarts", 15, None, "CosineAnnealingWarmRestarts", {"T_0": 80}),
]
PLATEAUS = [
    ({}, {"patience": 2}),
    ({"factor": 0.5, "patience": 0}, {"factor": 0.5, "patience": 0}),
    (
        {"factor": 0.7, "patience": 1, "threshold": 0.02, "cooldown": 3, "final": 0.1},
        {"factor": 0.7, "patience": 1, "threshold": 0.02, "cooldown": 3, "min_lr": 0.1},
    ),
]


def optimizer_of_rate_one():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def record(make, steps):
    """The rate at each of the steps."""
    optimizer = optimizer_of_rate_one()
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps or STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < (steps or STEPS):
            scheduler.step()
    return rates


def losses():
    """A loss that falls, is noisy, and settles, with two digits so that some are equal."""
    generator = random.Random(3)
    return [
        round(0.5 + 3 * math.exp(-epoch / 8) + generator.uniform(0, 0.3), 2) for epoch in range(60)
    ]


def react(options, losses):
    """The rate before the first loss and after each."""
    optimizer = optimizer_of_rate_one()
    scheduler = torch_schedulers.ReduceLROnPlateau(optimizer, eps=0.0, **options)
    rates = [1.0]
    for loss in losses:
        optimizer.step()
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def main():
    cases = [
        {
            "schedule": name,
            "parameters": parameters,
            "horizon": horizon,
            "rates": record(
                lambda optimizer, s=scheduler, o=options: getattr(torch_schedulers, s)(
                    optimizer, **o
                ),
                steps,
            ),
        }
        for name, parameters, horizon, steps, scheduler, options in CASES
    ] + [
        {
            "schedule": "Warmup",
            "parameters": {"then": then},
            "horizon": horizon,
            "rates": record(after_linear(scheduler, options), steps),
        }
        for then, horizon, steps, scheduler, options in AFTER_WARMUP
    ]
    seen = losses()
    recorded = {
        "about": f"Learning rates of torch {torch.__version__}'s schedulers, step by step from a "
        f"rate of one, {PER_EPOCH} steps an epoch; and of ReduceLROnPlateau before and after each "
        "of the losses.",
        "per_epoch": PER_EPOCH,
        "cases": cases,
        "losses": seen,
        "plateaus": [
            {"parameters": parameters, "rates": react(options, seen)}
            for parameters, options in PLATEAUS
        ],
    }
    path = pathlib.Path(__file__).parents[1] / "data" / "torch_schedules.json"
    path.write_text(json.dumps(recorded) + "\n")


if __name__ == "__main__":
    main()
