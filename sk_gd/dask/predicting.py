"""Predictions of collections; they are lazy if the data are."""

import dask
import dask.array as da
import numpy as np
from sklearn.utils._param_validation import StrOptions

from .. import estimators as plain
from .cluster import Pickled, key_of
from .collections import is_collection

CONSTRAINTS = {"client": "no_validation", "persist": [StrOptions({"auto"}), "boolean"]}


def plain_of(model):
    """An estimator of `sk_gd` with the parameters of one on a cluster."""
    kind = getattr(plain, type(model).__name__, None)
    if kind is None:  # of a subclass
        kind = {"regressor": plain.GDRegressor, "classifier": plain.GDClassifier}[model._kind]
    return kind(**{name: getattr(model, name) for name in kind._get_param_names()})


def over_rows(model, method, X):
    """The answers of a method for rows of X: lazy where X is."""
    local = model.to_local()
    if not is_collection(X):
        return getattr(local, method)(X)
    packed = Pickled(local)
    if isinstance(X, (list, tuple)):
        answer = dask.delayed(_answers)
        return [answer(x, packed, method, dask_key_name=key_of(method)) for x in X]
    like = _like(local, method)
    if isinstance(X, da.Array):
        X = X.rechunk({1: -1}) if X.numblocks[1] > 1 else X
        more = {"drop_axis": 1} if like.ndim == 1 else {"chunks": (X.chunks[0], like.shape[1:])}
        more |= {"meta": like, "dtype": like.dtype, "token": f"sk_gd_{method}"}
        return X.map_blocks(_answers, packed, method, **more)
    meta = _frame(like, X._meta.index[:0])
    return X.map_partitions(_framed, packed, method, meta=meta, token=f"sk_gd_{method}")


def _like(local, method):
    """An empty answer of a method."""
    X = np.zeros((1, local.n_features_in_), dtype=getattr(local.coef_, "dtype", float))
    if hasattr(local, "feature_names_in_"):
        import pandas as pd

        X = pd.DataFrame(X, columns=local.feature_names_in_)
    return getattr(local, method)(X)[:0]


def _answers(X, packed, method):
    """The answers for a block, which may be empty."""
    local = packed.unpack()
    if X.shape[0] == 0:
        return _like(local, method)
    return getattr(local, method)(X)


def _framed(X, packed, method):
    return _frame(_answers(X, packed, method), X.index)


def _frame(answers, index):
    """Answers as a series or a frame with this index."""
    import pandas as pd

    kind = pd.Series if answers.ndim == 1 else pd.DataFrame
    return kind(answers, index=index)
