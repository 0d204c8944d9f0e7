"""`GDRegressor` and `GDClassifier` for collections of Dask."""

import copy
import inspect

from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .. import estimators as plain
from ..estimators.classifier import has_probabilities
from . import predicting, scoring
from .posing import pose_collections

__all__ = ["GDClassifier", "GDRegressor"]

INTRODUCTION = """Rows are on a Dask cluster.

    Every step reads all rows. So mini-batches are an error, and ``optimizer="auto"`` is ``LBFGS``
    for all losses, or ``BarzilaiBorwein`` with an L1 penalty."""

PARAMETERS = """client : distributed.Client or None, default=None
        The client of the cluster; None is the current one. It is left out of copies and pickles.
    persist : "auto" or bool, default="auto"
        Whether the workers keep the partitions in memory. If not, they read them again in every
        round. "auto" keeps them if they take less than two fifths of the workers' memory.
"""


def _streams(estimator):
    raise AttributeError(
        "partial_fit is not available on a cluster, where fit reads all partitions in every round. "
        "Train the estimator of sk_gd partition by partition instead."
    )


def _initialiser(parent):
    """A constructor with the parameters of `parent`, and two more."""

    def __init__(self, optimizer="auto", *, client=None, persist="auto", **parameters):
        parent.__init__(self, optimizer, **parameters)
        self.client = client
        self.persist = persist

    # scikit-learn reads the parameters off the signature.
    signature = inspect.signature(parent.__init__)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in (("client", None), ("persist", "auto"))
    ]
    __init__.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *more])
    return __init__


class _OnCluster:
    """A problem that is posed by partitions, and predictions that are lazy for lazy data."""

    _pose = pose_collections

    def _validate_params(self):
        super()._validate_params()
        if self.scoring is not None:
            raise ValueError(
                "A score needs all validation data in one place, and here they are on the workers: "
                f"scoring must be None, which is the validation loss. Got {self.scoring!r} instead."
            )

    def __getstate__(self):
        return super().__getstate__() | {"client": None}

    def __sklearn_clone__(self):
        without = copy.copy(self)
        without.client = None
        return super(_OnCluster, without).__sklearn_clone__()

    def to_local(self):
        """The fitted estimator of `sk_gd`, which needs neither Dask nor a cluster.

        Returns
        -------
        sk_gd.GDRegressor or sk_gd.GDClassifier
            With the same parameters and fitted attributes.
        """
        check_is_fitted(self)
        local = predicting.plain_of(self)
        own = {*self._get_param_names()}
        vars(local).update({name: v for name, v in vars(self).items() if name not in own})
        return local

    @available_if(_streams)
    def partial_fit(self, X, y):
        """Not available: see the error."""

    def predict(self, X):
        """Predict the targets or the labels.

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.

        Returns
        -------
        dask array, series or dataframe, list of Delayed, or ndarray
            Lazy if X is: an array for an array, a series (with several outputs a dataframe) for a
            dataframe.
        """
        return predicting.over_rows(self, "predict", X)

    def score(self, X, y, sample_weight=None):
        """Score the predictions: accuracy or R².

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.
        y : the same
            Labels or targets.
        sample_weight : the same, default=None
            Weights of the rows.

        Returns
        -------
        float
            The score.
        """
        return scoring.score(self, X, y, sample_weight)


def _documented(parent, y):
    """The docstring of `parent`, with the parameters of a cluster; the example predicts `y`."""
    before, attributes = parent.__doc__.split("\n    Attributes\n")
    before = before.replace("\n\n    Minimises", f" {INTRODUCTION}\n\n    Minimises", 1)
    after = attributes.split("\n    Examples\n")[0]
    example = EXAMPLE.format(name=parent.__name__, y=y)
    return f"{before.rstrip()}\n    {PARAMETERS}\n    Attributes\n{after}{example}"


EXAMPLE = """
    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sk_gd.dask import {name}
    >>> client = Client(processes=False, dashboard_address=None)
    >>> X = da.random.default_rng(0).normal(size=(1000, 5), chunks=(250, 5))
    >>> model = {name}().fit(X, {y})
    >>> bool(model.score(X, {y}) > 0.99)
    True
    >>> client.close()
    """


class GDRegressor(_OnCluster, plain.GDRegressor):
    __doc__ = _documented(plain.GDRegressor, "X @ range(5)")
    __init__ = _initialiser(plain.GDRegressor)
    _parameter_constraints = {
        **plain.GDRegressor._parameter_constraints,
        **predicting.CONSTRAINTS,
    }


class GDClassifier(_OnCluster, plain.GDClassifier):
    __doc__ = _documented(plain.GDClassifier, "X[:, 0] > 0")
    __init__ = _initialiser(plain.GDClassifier)
    _parameter_constraints = {
        **plain.GDClassifier._parameter_constraints,
        **predicting.CONSTRAINTS,
    }

    def decision_function(self, X):
        """Compute the scores of the classes, as the plain estimator does; lazy if X is.

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.

        Returns
        -------
        dask array, series or dataframe, list of Delayed, or ndarray
            One score a row for two classes, else one for each class.
        """
        return predicting.over_rows(self, "decision_function", X)

    @available_if(has_probabilities)
    def predict_proba(self, X):
        """Probabilities of the classes; lazy if X is.

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.

        Returns
        -------
        dask array or dataframe, list of Delayed, or ndarray
            Of shape (n_samples, n_classes).
        """
        return predicting.over_rows(self, "predict_proba", X)

    @available_if(has_probabilities)
    def predict_log_proba(self, X):
        """Logarithms of the probabilities; lazy if X is.

        Parameters
        ----------
        X : dask array or dataframe, list of Delayed, or array-like
            Data.

        Returns
        -------
        dask array or dataframe, list of Delayed, or ndarray
            Of shape (n_samples, n_classes).
        """
        return predicting.over_rows(self, "predict_log_proba", X)
