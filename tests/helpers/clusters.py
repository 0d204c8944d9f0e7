"""Data in partitions, and fits on a cluster beside those of one machine."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

N, D = 120, 5
_RNG = np.random.default_rng(7)
X = _RNG.normal(size=(N, D)) * [1, 10, 0.1, 1, 2] + [0, 3, 0, -1, 0]
X[:, 3] *= _RNG.random(N) < 0.3
SCORES = (X - X.mean(axis=0)) / X.std(axis=0) @ _RNG.normal(size=(D, 3)) + _RNG.normal(size=(N, 3))
WEIGHT = _RNG.random(N) * (_RNG.random(N) < 0.9)

# What y may be, by names.
TARGETS = {
    "number": SCORES[:, 0],
    "count": np.round(np.exp(SCORES[:, 0] / 2)) + 1.0,
    "numbers": SCORES,
    "two": np.array(["no", "yes"])[(SCORES[:, 0] > 0).astype(int)],
    "three": np.array(["a", "b", "c"])[SCORES.argmax(axis=1)],
}


def cut(values, ends):
    """Rows as a list of delayed partitions that end before these rows."""
    import dask

    if values is None:
        return None
    starts = [0, *ends[:-1]]
    parts = [values[begin:end] for begin, end in zip(starts, ends, strict=True)]
    return [dask.delayed(part, traverse=False) for part in parts]


def ends_of(count, n=N):
    """The ends of so many partitions of nearly the same size."""
    return np.linspace(0, n, count + 1).astype(int)[1:].tolist()


def fit_quietly(model, *data, **more):
    """The fitted model; training may end before the objective has settled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*data, **more)


def both(kind, y, *, ends=None, weight=None, sparse=False, dtype=float, **parameters):
    """The models that a cluster and one machine train on the same rows."""
    import sk_gd.dask

    x = X.astype(dtype)
    x = sp.csr_array(x) if sparse else x
    ends = ends or ends_of(4)
    given = {"random_state": 0, "max_iter": 6, "tol": None, **parameters}
    there = fit_quietly(
        getattr(sk_gd.dask, kind)(**given), cut(x, ends), cut(y, ends), cut(weight, ends)
    )
    return there, fit_quietly(getattr(sk_gd, kind)(**given), x, y, weight)


def assert_same_model(there, here, rtol=1e-6, close=1e-9):
    """The same coefficients to `rtol` of the largest, and the same objective to `close`."""
    for name in ("coef_", "intercept_"):
        mine, theirs = getattr(there, name), getattr(here, name)
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        size = max(np.max(np.abs(here.coef_)), np.max(np.abs(theirs)))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=rtol * size)
    assert there.n_iter_ == here.n_iter_
    assert there.t_ == here.t_
    np.testing.assert_allclose(there.alpha_, here.alpha_, rtol=close)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=close, atol=1e-14)
