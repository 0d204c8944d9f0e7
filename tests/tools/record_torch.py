"""Record how torch trains small linear models: writes tests/data/torch_trajectories.json.

Needs torch, which the tests themselves do not: run it by hand, with any
interpreter that has torch and numpy, when a rule or a problem is added.
Everything is in float64, and every epoch takes the rows in the same order.
"""

import json
import pathlib

import numpy as np
import torch

EPOCHS = 60
N, D = 22, 3
# 22 rows in batches of 5: the last batch has two.
BATCH_SIZES = (N, 5)
ALPHAS = (0.0, 0.05)

RULES = {
    "sgd": (torch.optim.SGD, {"lr": 0.05}),
    "momentum": (torch.optim.SGD, {"lr": 0.02, "momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"lr": 0.02, "momentum": 0.8, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.3, "eps": 1e-10}),
    "adadelta": (torch.optim.Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-6}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.95, "eps": 1e-8}),
    "adam": (torch.optim.Adam, {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-8}),
    "amsgrad": (
        torch.optim.Adam,
        {"lr": 0.02, "betas": (0.9, 0.95), "eps": 1e-8, "amsgrad": True},
    ),
    "adamax": (torch.optim.Adamax, {"lr": 0.02, "betas": (0.9, 0.95), "eps": 1e-6}),
    "nadam": (
        torch.optim.NAdam,
        {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-8, "momentum_decay": 0.01},
    ),
    "radam": (torch.optim.RAdam, {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-3}),
    "adamw": (
        torch.optim.AdamW,
        {"lr": 0.02, "betas": (0.8, 0.995), "eps": 1e-6, "weight_decay": 0.1},
    ),
    "rprop": (torch.optim.Rprop, {"lr": 0.01, "etas": (0.4, 1.3), "step_sizes": (1e-5, 0.5)}),
}
# Rules that need the full batch.
FULL_BATCH = ("rprop",)


def problems():
    """The data, with few digits to keep the file readable."""
    generator = np.random.default_rng(7)
    X = np.round(generator.normal([0.3, -0.5, 1.0], [1.0, 2.0, 0.5], (N, D)), 3)
    score = X @ [1.0, -0.5, 2.0] - 1.5
    y = np.round(score + generator.normal(0, 0.3, N), 3)
    label = (score + generator.logistic(0, 1, N) > 0).astype(float)
    third = np.digitize(score + generator.normal(0, 1, N), [-0.7, 1.5]).astype(float)
    return {
        "least_squares": {"X": X.tolist(), "y": y.tolist()},
        "logistic": {"X": X.tolist(), "y": label.tolist()},
        "softmax": {"X": X.tolist(), "y": third.tolist()},
    }


def loss(problem, p, y):
    if problem == "least_squares":
        return 0.5 * ((p[:, 0] - y) ** 2).mean()
    if problem == "logistic":
        return torch.nn.functional.binary_cross_entropy_with_logits(p[:, 0], y)
    return torch.nn.functional.cross_entropy(p, y.long())


def train(problem, data, rule, batch_size, alpha):
    X = torch.tensor(data["X"], dtype=torch.float64)
    y = torch.tensor(data["y"], dtype=torch.float64)
    outputs = 3 if problem == "softmax" else 1
    coef = torch.zeros((outputs, D), dtype=torch.float64, requires_grad=True)
    intercept = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    make, options = RULES[rule]
    optimizer = make([coef, intercept], foreach=False, **options)
    for _ in range(EPOCHS):
        for begin in range(0, N, batch_size):
            rows = slice(begin, begin + batch_size)
            optimizer.zero_grad()
            p = X[rows] @ coef.T + intercept
            objective = loss(problem, p, y[rows]) + 0.5 * alpha * (coef**2).sum()
            objective.backward()
            optimizer.step()
    return {
        "problem": problem,
        "rule": rule,
        "batch_size": batch_size,
        "alpha": alpha,
        "coef": coef.detach().numpy().tolist(),
        "intercept": intercept.detach().numpy().tolist(),
    }


def main():
    data = problems()
    recorded = {
        "about": f"Weights after {EPOCHS} epochs from zero, float64, torch {torch.__version__}; "
        "ridge alpha / 2 on the coefficients in the loss, intercept not penalised.",
        "epochs": EPOCHS,
        "options": {rule: options for rule, (_, options) in RULES.items()},
        "problems": data,
        "runs": [
            train(problem, data[problem], rule, batch_size, alpha)
            for problem in data
            for rule in RULES
            for batch_size in BATCH_SIZES
            for alpha in ALPHAS
            if batch_size == N or rule not in FULL_BATCH
        ],
    }
    path = pathlib.Path(__file__).parents[1] / "data" / "torch_trajectories.json"
    path.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
