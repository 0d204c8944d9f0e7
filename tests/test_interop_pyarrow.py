"""Tables of pyarrow, and frames of pandas that are made of them, give the results of arrays."""

import datetime

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sk_gd import GDClassifier

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

IRIS = load_iris()
X, Y = IRIS.data, IRIS.target
NAMES = list("abcd")
COLUMNS = dict(zip(NAMES, X.T, strict=True))
TABLE = pa.table(COLUMNS)
MODEL = GDClassifier("adam", max_iter=20, tol=None, random_state=0).fit(X, Y)
DAYS = [datetime.datetime(2026, 1, 1)] * 150


def fit(data, y=Y):
    return GDClassifier("adam", max_iter=20, tol=None, random_state=0).fit(data, y)


@pytest.mark.parametrize("data", [TABLE, TABLE.to_pandas(types_mapper=pd.ArrowDtype)])
@pytest.mark.parametrize("y", [Y, pa.array(Y), pa.chunked_array([Y[:70], Y[70:]])])
def test_table_and_targets(data, y):
    model = fit(data, y)
    np.testing.assert_array_equal(model.coef_, MODEL.coef_)
    np.testing.assert_array_equal(model.predict(data), MODEL.predict(X))
    assert model.feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x"] * 150),
        pa.array(DAYS),
        pa.array(DAYS, pa.timestamp("ns", "UTC")),
        pa.array([day.date() for day in DAYS]),
        pa.array([day.time() for day in DAYS]),
        pa.array([day - DAYS[0] for day in DAYS]),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("with_pandas", [False, True])
def test_text_and_dates_are_an_error(column, with_pandas):
    for table in (pa.table(COLUMNS | {"b": column}), pa.table({"b": column})):
        data = table.to_pandas(types_mapper=pd.ArrowDtype) if with_pandas else table
        with pytest.raises(ValueError, match=r"X must have numbers only.*columns \['b'\]"):
            fit(data)


def test_missing_values_are_an_error():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fit(pa.table(COLUMNS | {"b": [None, *X[1:, 1]]}))
