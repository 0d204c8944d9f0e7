"""Functions with known minima, and one that counts its calls."""

import numpy as np

from helpers.runs import Function


def quadratic(curvature, centre, *, clip=lambda g: g, kind=Function):
    """½ Σ curvature (w − centre)², for a rule that may ask for values, too."""
    return kind(
        lambda w: 0.5 * np.sum(curvature * (w - centre) ** 2),
        lambda w: clip(curvature * (w - centre)),
    )


def squares(w):
    """The sum of squares."""
    return np.sum(w**2)


# The value and the gradient at a point, as `minimize` takes them with `jac=True`.


def parabola(p):
    """The minimum is -4, at 3."""
    x = p[0]
    return x**2 - 6 * x + 5, [2 * x - 6]


def himmelblau(p):
    """Four minima of the same depth."""
    x, y = p.tolist()
    a, b = x**2 + y - 11, x + y**2 - 7
    return a**2 + b**2, [4 * x * a + 2 * b, 2 * a + 4 * y * b]


def beale(p):
    """One minimum in a narrow, curved valley."""
    x, y = p.tolist()
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
    slope = 2 * a * (y - 1) + 2 * b * (y**2 - 1) + 2 * c * (y**3 - 1)
    return a**2 + b**2 + c**2, [slope, 2 * a * x + 4 * b * x * y + 6 * c * x * y**2]


def rosenbrock(p):
    """One minimum in a long valley like a banana."""
    x, y = p.tolist()
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2, [
        -400 * x * (y - x**2) - 2 * (1 - x),
        200 * (y - x**2),
    ]


# Where to begin, the minima, and the value there, as published.
FUNCTIONS = {
    parabola: ([0.0], [[3.0]], -4.0),
    himmelblau: (
        [0.0, 0.0],
        [[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]],
        0.0,
    ),
    beale: ([1.5, 1.5], [[3.0, 0.5]], 0.0),
    rosenbrock: ([-1.2, 1.0], [[1.0, 1.0]], 0.0),
}


class Counted:
    """A function of value and gradient, and how often it was asked for each."""

    def __init__(self, both, start=(1.0,)):
        self.both = both
        self.start = start
        self.values = self.gradients = self.calls = 0

    def value(self, x):
        self.values += 1
        return self.both(x)[0]

    def gradient(self, x):
        self.gradients += 1
        return self.both(x)[1]

    def __call__(self, x):
        self.calls += 1
        return self.both(x)

    def pair(self):
        """Arguments of minimize."""
        return {"fun": self.value, "x0": self.start, "jac": self.gradient}
