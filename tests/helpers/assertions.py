"""What two models, or one model at two times, must have in common."""

import pickle
import re

import joblib
import numpy as np


def assert_same_bits(one, other):
    """The same model after the same training, to the bit."""
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    assert one.loss_curve_ == other.loss_curve_
    assert (one.n_iter_, one.t_) == (other.n_iter_, other.t_)


def assert_same_model(model, exact, tolerance):
    """Coefficients and intercepts that differ by no more than `tolerance`."""
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=tolerance)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=tolerance)


def assert_goes_on(model, twin, X, y):
    """The same predictions now, and the same bits after another epoch."""
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert_same_bits(model.partial_fit(X, y), twin.partial_fit(X, y))


def reloaded(model):
    """The model after a pickle."""
    return pickle.loads(pickle.dumps(model))


def state(estimator):
    """All that an estimator holds, to the bit, as one hash an attribute."""
    return {name: joblib.hash(value) for name, value in vars(estimator).items()}


def naming(*words):
    """A pattern for a message that has all of `words`, in any order and in any sentence.

    A word that is a name or a number is not found within another one.
    """
    pattern = r"(?s)\A"
    for word in map(str, words):
        before = r"(?<![\w.])" if word[0].isalnum() else ""
        after = r"(?!\w|[.]\d)" if word[-1].isalnum() else ""
        pattern += f"(?=.*{before}{re.escape(word)}{after})"
    return pattern
