"""Add steps with a closed form on a quadratic to ``tests/data/ten_steps.json``.

Run ``python tests/tools/record_exact.py``. The arithmetic is exact and rational. No line search
is needed: on f(w) = 1/2 sum d (w - c)^2 the condition of Armijo with the constant k is
size <= 2 (1 - k) sum g^2 / sum d g^2.
"""

import json
import pathlib
from fractions import Fraction
from math import floor, isqrt, log2

PATH = pathlib.Path(__file__).parents[1] / "data" / "ten_steps.json"


def armijo(g, s, sizes, d, learning_rate, c, beta, gamma, longest):
    """The next step size, at the gradient `g`, after the change `s` by the last of `sizes`."""
    most = learning_rate * longest
    size = min(gamma * sizes[-1] if sizes else learning_rate, most)
    limit = 2 * (1 - c) * dot(g, g) / sum(a * b * b for a, b in zip(d, g, strict=True))
    while size > limit:
        size *= beta
    return size


def polyak(g, s, sizes, d, learning_rate, f_star, c, gamma):
    """The next step size, as for `armijo`; with g = d (w - c) the value is sum g^2 / 2 d."""
    value = sum(b * b / a for a, b in zip(d, g, strict=True)) / 2
    most = min(learning_rate, gamma * sizes[-1]) if sizes else learning_rate
    return min((value - f_star) / (c * dot(g, g)), most)


def svrg(g, s, sizes, d, learning_rate, update_frequency):
    """The step size of plain descent, as a full batch has no noise."""
    return learning_rate


def adgd(g, s, sizes, d, learning_rate, lambda_0):
    """The next step size, before its rounding."""
    if not sizes:
        return lambda_0
    y = [a * b for a, b in zip(d, s, strict=True)]
    square = dot(s, s) / (4 * dot(y, y))
    if len(sizes) > 1:
        square = min(square, (1 + sizes[-1] / sizes[-2]) * sizes[-1] ** 2)
    return root(square)


def barzilai_borwein(g, s, sizes, d, learning_rate, growth, lambda_0):
    """The next step size, before its rounding."""
    if not sizes:
        return lambda_0
    y = [a * b for a, b in zip(d, s, strict=True)]
    size = dot(s, y) / dot(y, y)
    return min(size, growth * sizes[-1]) if len(sizes) > 1 else size


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def root(square):
    """The root of a fraction, to two hundred binary digits after the point."""
    return Fraction(isqrt((square.numerator << 400) // square.denominator), 1 << 200)


def rounded(size, bits):
    """The nearest number of so many binary digits."""
    unit = Fraction(2) ** (floor(log2(size)) + 1 - bits)
    return round(size / unit) * unit


# With these parameters each of the limits is active in some step.
RUNS = {
    "armijo": (armijo, "0.05", {"c": "0.4", "beta": "0.7", "gamma": "1.5", "longest": "5"}),
    "polyak": (polyak, "0.3", {"f_star": "0.0625", "c": "0.75", "gamma": "3"}),
    "svrg": (svrg, "0.05", {"update_frequency": "2"}),
}
# These round the step sizes that they measure. Their authors do not: the ten steps of the authors'
# code are kept as "unrounded", and compared with those of the functions above.
ROUNDED = {"adgd": adgd, "barzilai_borwein": barzilai_borwein}
BITS = 6


def ten_steps(rule, start, d, centre, rate, params, bits=None):
    """The points after ten steps, and the step sizes."""
    w, s, points, sizes = start, None, [], []
    for step in range(10):
        g = [a * (x - b) for a, x, b in zip(d, w, centre, strict=True)]
        size = rule(g, s, sizes, d, rate, **params)
        if bits and step > 0:
            size = rounded(size, bits)
        s = [-size * slope for slope in g]
        w = [x + change for x, change in zip(w, s, strict=True)]
        points.append([float(x) for x in w])
        sizes.append(size)
    return points, sizes


def main():
    """Replace the recorded steps."""
    record = json.loads(PATH.read_text())
    d, centre = ([Fraction(str(x)) for x in record[key]] for key in "dc")
    record["runs"] = [run for run in record["runs"] if run["rule"] not in RUNS]
    for name, (rule, rate, params) in RUNS.items():
        params = {key: Fraction(value) for key, value in params.items()}
        points, sizes = ten_steps(rule, [Fraction(0)] * 3, d, centre, Fraction(rate), params)
        print(name, [float(size) for size in sizes])
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
    for run in record["runs"]:
        if run["rule"] in ROUNDED:
            rule = ROUNDED[run["rule"]]
            start = [Fraction(x) for x in run.get("start", [0, 0, 0])]
            params = {key: Fraction(str(value)) for key, value in run["params"].items()}
            theirs = run.setdefault("unrounded", run["points"])
            ours, _ = ten_steps(rule, start, d, centre, 1, params)
            pairs = zip(sum(ours, []), sum(theirs, []), strict=True)
            apart = max(abs(x - y) for x, y in pairs)
            # Theirs are floats, and without rounding the steps magnify the error of the first.
            assert apart < 1e-10, (run["rule"], apart)
            run["points"], sizes = ten_steps(rule, start, d, centre, 1, params, BITS)
            print(run["rule"], [float(size) for size in sizes], f"the authors' steps: {apart:.0e}")
    PATH.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
