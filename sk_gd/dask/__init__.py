"""The estimators for data larger than memory, and on a Dask cluster: `GDRegressor`, `GDClassifier`.

They have the parameters and attributes of those of `sk_gd`, and the same training. Only the sums
over rows come from the workers, one partition at a time.
"""

try:
    import dask
    import distributed
except ImportError as error:
    raise ImportError(
        "sk_gd.dask needs dask and distributed, of which one cannot be imported: in a clone of "
        "sk_gd, pip install -e '.[dask]', or pip install 'dask[array,dataframe]' distributed."
    ) from error

from .estimators import GDClassifier, GDRegressor
from .search import GDGridSearchCV, GDRandomizedSearchCV

__all__ = ["GDClassifier", "GDGridSearchCV", "GDRandomizedSearchCV", "GDRegressor"]

del dask, distributed
