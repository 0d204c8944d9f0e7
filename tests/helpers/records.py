"""Steps and values that others have published or recorded."""

import json
from pathlib import Path

import numpy as np

from helpers.functions import quadratic
from sk_gd.optimizers import (
    COCOB,
    SGD,
    AdaBelief,
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    Adan,
    Amos,
    DoG,
    DoWG,
    HeavyBall,
    Lion,
    Momentum,
    Nesterov,
    RAdam,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Yogi,
)


def load(name):
    """A file of tests/data, which a script in tests/tools has written."""
    path = Path(__file__).parents[1] / "data" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


# Ten steps on a quadratic.
TEN_STEPS = load("ten_steps")
CURVATURE, CENTRE = np.array(TEN_STEPS["d"]), np.array(TEN_STEPS["c"])
QUADRATIC = quadratic(CURVATURE, CENTRE)


def gradient(w):
    """The gradient of the quadratic of the recorded steps."""
    return CURVATURE * (w - CENTRE)


# A sequence of gradients in which the published forms of a rule part.
GRADIENTS = [1, 10, 0.1, -1, 2]

# Values of the sum of squares after each of five steps from (1, 2, 3): the examples in the
# documentation of optax, worked out in float64 (there they have three digits). Adan's is with
# the paper's coefficient, Amos' has averages per coordinate; exact look-ahead and heavy ball
# are plain arithmetic.
SUM_OF_SQUARES = [
    (SGD(), 0.003, "13.832504 13.6670119221 13.5034997915 13.34194392 13.1823209029"),
    (HeavyBall(0.9), 0.1, "8.96 2.9624 .053816 1.33327544 4.7164232696"),
    (Momentum(0.9), 0.1, "8.96 2.9624 .053816 1.33327544 4.7164232696"),
    (Nesterov(0.9), 0.1, "8.96 3.444224 .4431773696 .1051917969 .945369665541"),
    (Adadelta(), 10.0, "13.6235268223 13.2463543381 12.8728416111 12.5050825004 12.1442334809"),
    (
        RMSprop(rho=0.9, epsilon_in_sqrt=True),
        0.003,
        "13.8864280047 13.8045567595 13.7363139349 13.6759610394 13.6208357101",
    ),
    (Adam(), 0.003, "13.9640270001 13.9281094162 13.8922481827 13.8564442243 13.8206984538"),
    (
        AdamW(weight_decay=1e-4),
        0.003,
        "13.9640186109 13.9280926705 13.8922231132 13.8564108639 13.8206568358",
    ),
    (Adamax(), 0.003, "13.9640270001 13.9281004174 13.8922212198 13.856390365 13.8206087991"),
    (RAdam(), 0.003, "13.832504 13.666540165 13.5021151251 13.3392349423 13.1779050809"),
    (AdaBelief(), 0.003, "13.9600333333 13.9180941113 13.8741705766 13.8282578206 13.7803577096"),
    (
        Lion(weight_decay=1e-3),
        0.003,
        "13.9639431081 13.9279405404 13.8919922964 13.8560983756 13.8202587775",
    ),
    (Yogi(), 0.002, "13.9760188514 13.9520678809 13.9281477727 13.9042589924 13.8804019574"),
    (Adan(), 0.1, "12.8300000028 11.7227406299 10.6767223856 9.69176232463 8.76777147583"),
    (Amos(eta=1.0), 0.1, "12.69635 11.5083064745 10.4266822479 9.44278272518 8.5484085132"),
    (
        ScheduleFreeAdamW(),
        1.0,
        "5.00000001167 3.05227528907 1.72760496014 .894186102856 .412884934112",
    ),
    # Rules that find the size of their steps.
    (
        DoG(r_epsilon=1e-6),
        1.0,
        "13.9999645167 13.9999394263 13.9999044541 13.9998566814 13.9997925877",
    ),
    (DoWG(), 1.0, "13.9253664521 13.8727628189 13.7754321503 13.596171713 13.2688377925"),
    (COCOB(), 1.0, "13.8803 13.7594344695 13.63392816 13.5002830444 13.3548361125"),
    (ScheduleFreeSGD(), 1.0, "14 0 0.995555555556 0.8064 0.24098816"),
]
