"""Add steps with a closed form on a quadratic to ``tests/data/ten_steps.json``.

Run ``python tests/tools/record_exact.py``. The arithmetic is exact and rational. No line search
is needed: on f(w) = 1/2 sum d (w - c)^2 the condition of Armijo with the constant k is
size <= 2 (1 - k) sum g^2 / sum d g^2.
"""

import json
import pathlib
from fractions import Fraction

PATH = pathlib.Path(__file__).parents[1] / "data" / "ten_steps.json"


def armijo(g, size, d, learning_rate, c, beta, gamma, longest):
    """The next step size; `size` is the last one, None at first."""
    most = learning_rate * longest
    size = min(learning_rate if size is None else gamma * size, most)
    limit = 2 * (1 - c) * dot(g, g) / sum(a * b * b for a, b in zip(d, g, strict=True))
    while size > limit:
        size *= beta
    return size


def polyak(g, size, d, learning_rate, f_star, c, gamma):
    """The next step size, as for `armijo`; with g = d (w - c) the value is sum g^2 / 2 d."""
    value = sum(b * b / a for a, b in zip(d, g, strict=True)) / 2
    most = learning_rate if size is None else min(learning_rate, gamma * size)
    return min((value - f_star) / (c * dot(g, g)), most)


def svrg(g, size, d, learning_rate, update_frequency):
    """The step size of plain descent, as a full batch has no noise."""
    return learning_rate


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


# With these parameters each of the limits is active in some step.
RUNS = {
    "armijo": (armijo, "0.05", {"c": "0.4", "beta": "0.7", "gamma": "1.5", "longest": "5"}),
    "polyak": (polyak, "0.3", {"f_star": "0.0625", "c": "0.75", "gamma": "3"}),
    "svrg": (svrg, "0.05", {"update_frequency": "2"}),
}


def main():
    """Replace the recorded steps."""
    record = json.loads(PATH.read_text())
    d, centre = ([Fraction(str(x)) for x in record[key]] for key in "dc")
    record["runs"] = [run for run in record["runs"] if run["rule"] not in RUNS]
    for name, (rule, rate, params) in RUNS.items():
        params = {key: Fraction(value) for key, value in params.items()}
        w, size, points, sizes = [Fraction(0)] * 3, None, [], []
        for _ in range(10):
            g = [a * (x - b) for a, x, b in zip(d, w, centre, strict=True)]
            size = rule(g, size, d, Fraction(rate), **params)
            w = [x - size * slope for x, slope in zip(w, g, strict=True)]
            points.append([float(x) for x in w])
            sizes.append(float(size))
        print(name, sizes)
        record["runs"].append(
            {
                "rule": name,
                "params": {
                    key: int(value) if name == "svrg" else float(value)
                    for key, value in params.items()
                },
                "learning_rate": float(rate),
                "source": "closed form in exact arithmetic, tests/tools/record_exact.py",
                "of": "w",
                "points": points,
            }
        )
    PATH.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
