"""scikit-learn's linear models, trained by the estimators of this package.

Every adapter has the constructor of its model, translates the parameters as the guide's pages
"Coming from ..." say, and gets its attributes and predictions from the estimator of this package.
What has no translation raises `NotTranslatable`.
"""

from functools import cache

import numpy as np
from sklearn import linear_model
from sklearn.utils import compute_sample_weight

from sk_gd import GDClassifier, GDRegressor, losses, schedules

# Calls of fit and partial_fit so far.
calls = [0]
EXACT = {"tol": 1e-14, "max_iter": 20_000, "n_iter_no_change": 10, "scale_penalty": False}
PUBLIC = ("n_iter_", "n_features_in_", "feature_names_in_", "classes_", "t_")


class NotTranslatable(Exception):
    """There is no counterpart of a parameter; the message has the name."""


def refuse(model, **names):
    """Raise unless the parameters have one of the values that mean the default."""
    for name, allowed in names.items():
        value = getattr(model, name)
        if not isinstance(value, str | bool | None | int | float) or value not in allowed:
            raise NotTranslatable(name)


class Adapter:
    """The calls of an adapter; a subclass has `make` and `translated`."""

    make = None

    def translated(self, X, y, weight):
        """The parameters of the estimator of this package."""
        raise NotImplementedError

    def _inner(self, X, y, weight):
        self._validate_params()
        given = self.translated(X, y, weight)
        known = vars(self).get("inner_")
        if known is None or not (getattr(self, "warm_start", False) or hasattr(self, "_streams")):
            known = self.make()
        return known.set_params(**given)

    def _published(self, inner):
        self.inner_ = inner
        for name in PUBLIC:
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))
        self.coef_, self.intercept_ = inner.coef_, inner.intercept_
        return self

    def fit(self, X, y, sample_weight=None, check_input=True):
        """Train the estimator of this package."""
        if not check_input:
            raise NotTranslatable("check_input")
        calls[0] += 1
        vars(self).pop("_streams", None)
        inner = self._inner(X, y, sample_weight)
        return self._published(inner.fit(X, y, sample_weight=sample_weight))

    def decision_function(self, X):
        """The scores of classes."""
        return self._fitted().decision_function(X)

    def predict(self, X):
        """The predictions."""
        return self._fitted().predict(X)

    def _fitted(self):
        return vars(self).get("inner_") or self.make()


class Classifier(Adapter):
    """What the classifiers have beside that."""

    make = GDClassifier

    @property
    def predict_proba(self):
        """The probabilities, where the loss has any."""
        return (vars(self).get("inner_") or GDClassifier(loss=self._loss())).predict_proba

    @property
    def predict_log_proba(self):
        """Their logarithms."""
        inner = vars(self).get("inner_") or GDClassifier(loss=self._loss())
        return inner.predict_log_proba

    def _loss(self):
        return "log_loss"


class StochasticAdapter(Adapter):
    """`SGDClassifier` and `SGDRegressor`: descent in raw coordinates, a row a step."""

    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """Train the estimator of this package."""
        if coef_init is not None or intercept_init is not None:
            raise NotTranslatable("coef_init")
        return super().fit(X, y, sample_weight)

    def _partial_fit(self, X, y, weight, **classes):
        calls[0] += 1
        self._streams = True
        inner = self._inner(X, y, weight)
        return self._published(inner.partial_fit(X, y, sample_weight=weight, **classes))

    def translated(self, X, y, weight):
        """The parameters by name."""
        rate, schedule = self._rate(np.shape(X)[0])
        l1_ratio = {"l2": 0.0, "l1": 1.0, "elasticnet": self.l1_ratio, None: 0.0}[self.penalty]
        names = "fit_intercept max_iter tol n_iter_no_change early_stopping validation_fraction"
        names += " shuffle random_state warm_start"
        same = {name: getattr(self, name) for name in names.split()}
        if self.tol is not None and self.tol < 0:
            raise NotTranslatable("tol")
        if self.average not in (True, False):
            raise NotTranslatable("average")
        if self.learning_rate == "adaptive":
            same["tol"] = None  # otherwise training stops where theirs lowers the rate
        return same | {
            "optimizer": "sgd",
            "loss": self._loss(),
            "alpha": 0.0 if self.penalty is None else self.alpha,
            "l1_ratio": l1_ratio,
            "learning_rate": rate,
            "schedule": schedule,
            "average": bool(self.average),
            "batch_size": 1,
            "precondition": None,
            "scale_penalty": False,
        }

    def _rate(self, n):
        if self.learning_rate == "constant":
            return self.eta0, "constant"
        if self.learning_rate == "optimal":
            return self.alpha**-0.25, schedules.InverseTime(decay=n * self.alpha**0.75)
        if self.learning_rate == "invscaling":
            return self.eta0, lambda e, T: (1 + n * e) ** -self.power_t
        if self.learning_rate == "adaptive":
            patience = self.n_iter_no_change - 1
            return self.eta0, schedules.Plateau(factor=0.2, patience=patience, threshold=0)
        raise NotTranslatable(f"learning_rate={self.learning_rate}")

    def _loss(self):
        own = {"huber": losses.Huber, "epsilon_insensitive": losses.EpsilonInsensitive}
        if self.loss not in losses.names(
            "classifier" if self.make is GDClassifier else "regressor"
        ):
            raise NotTranslatable(f"loss={self.loss}")
        return own[self.loss](self.epsilon) if self.loss in own else self.loss


class SGDClassifier(StochasticAdapter, Classifier, linear_model.SGDClassifier):
    """`sklearn.linear_model.SGDClassifier`."""

    def translated(self, X, y, weight):
        """The parameters by name."""
        return super().translated(X, y, weight) | {"class_weight": self.class_weight}

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train the estimator of this package for an epoch."""
        return self._partial_fit(X, y, sample_weight, classes=classes)


class SGDRegressor(StochasticAdapter, linear_model.SGDRegressor):
    """`sklearn.linear_model.SGDRegressor`, whose intercept is an array."""

    make = GDRegressor

    def partial_fit(self, X, y, sample_weight=None):
        """Train the estimator of this package for an epoch."""
        return self._partial_fit(X, y, sample_weight)

    def _published(self, inner):
        super()._published(inner)
        self.intercept_ = np.atleast_1d(inner.intercept_)
        return self


class Ridge(Adapter, linear_model.Ridge):
    """`sklearn.linear_model.Ridge`: the sum of the squared errors."""

    make = GDRegressor

    def translated(self, X, y, weight):
        """The parameters by name."""
        refuse(self, alpha=_Any(), positive=(False,))
        total = np.shape(X)[0] if weight is None else np.sum(weight * np.ones(np.shape(X)[0]))
        return EXACT | {"alpha": self.alpha / total, "fit_intercept": self.fit_intercept}


class LogisticRegression(Classifier, linear_model.LogisticRegression):
    """`sklearn.linear_model.LogisticRegression`: the sum of the log losses times C."""

    def translated(self, X, y, weight):
        """The parameters by name."""
        refuse(self, dual=(False,), intercept_scaling=(1,))
        if self.solver == "liblinear":
            raise NotTranslatable("solver=liblinear")
        if self.penalty not in ("deprecated", "l2"):
            raise NotTranslatable("penalty")
        w = np.ones(len(y)) if weight is None else weight
        if self.class_weight is not None:
            w = w * compute_sample_weight(self.class_weight, y)
        alpha = 0.0 if np.isinf(self.C) else 1 / (self.C * np.sum(w))
        same = {name: getattr(self, name) for name in ("fit_intercept", "class_weight")}
        limits = {"max_iter": max(self.max_iter, 1), "tol": None} if self.max_iter < 100 else {}
        warm = {"warm_start": self.warm_start, "random_state": self.random_state}
        return EXACT | same | warm | limits | {"alpha": alpha, "l1_ratio": self.l1_ratio or 0.0}


class ElasticNet(Adapter, linear_model.ElasticNet):
    """`sklearn.linear_model.ElasticNet`."""

    make = GDRegressor

    def translated(self, X, y, weight):
        """The parameters by name."""
        refuse(self, positive=(False,))
        same = {name: getattr(self, name) for name in ("alpha", "fit_intercept", "warm_start")}
        return EXACT | same | {"l1_ratio": self.l1_ratio}


class Lasso(ElasticNet, linear_model.Lasso):
    """`sklearn.linear_model.Lasso`."""


class _Any:
    def __contains__(self, value):
        return True


@cache
def install():
    """Put the adapters in the place of scikit-learn's classes, for modules imported later."""
    for cls in (SGDClassifier, SGDRegressor, Ridge, LogisticRegression, ElasticNet, Lasso):
        setattr(linear_model, cls.__name__, cls)
