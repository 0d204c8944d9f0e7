"""Products and sums of long vectors, for formulas that are not compiled (vectors.pxd has the C)."""


def inner_product(x, y, n):
    """The inner product of two vectors of n numbers; the terms are added as in compiled code."""
    whole = n - n % 8
    s = [sum(x[j] * y[j] for j in range(k, whole, 8)) for k in range(8)]
    rest = sum(x[j] * y[j] for j in range(whole, n))
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) + rest


def add_multiple(y, a, x, n):
    """Add `a` times `x` to `y`."""
    y[:n] += a * x[:n]
