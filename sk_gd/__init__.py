"""scikit-learn estimators for linear and logistic models, trained by any gradient descent.

How it works. A fit is a straight line of values; nothing is set on the estimator before the end
(``estimators/fitting.py``):

1. *Settings*: the parameters, checked, with instances in place of names.
2. *Targets* (``targets.py``): what y is, numbers or classes. They encode y and weigh the rows.
3. *Problem* (``objectives/problem.py``): the rows that train, their targets and weights, the
   loss, and the rows that are held out.
4. *Statistics* (``objectives/moments.py``) and *coordinates* (``objectives/coordinates.py``):
   the map between a model and the weights that the optimizer sees.
5. What "auto" means (``auto.py``): optimizer, penalty, learning rate, batch size, averaging.
6. *Run* (``training/run.py``): a lane (weights, rule, average), its history, its stopping rule.
7. *Training*: the loop over epochs (``training/epochs.py``) and the compiled loop over batches
   and lanes (``training/loop.pyx``). For each batch the linear objective
   (``objectives/linear.pyx``) reads the rows and gives the gradients of all lanes; the rule of
   each lane takes a step, and the proximal step of its penalty.
8. The fitted attributes, published all at once.

``fit``, ``partial_fit``, warm starts, the search (``search/``) and ``check_gradient`` call the same
functions with other values. A search trains its candidates as lanes of one pass.

Four nouns can be extended. Each is a folder with a base class, its kinds, and one table of names
in its ``__init__``:

* an `Optimizer` (``optimizers/``) has hyper-parameters and makes a *rule*, which has the arrays of
  one run and the formula of the step;
* a `Loss` (``losses/``) makes a *kernel*, the formula of the loss and its slope on a block of rows;
* a `Penalty` (``penalties/``) makes a *kernel*: value, gradient of the smooth part, proximal step;
* a `Schedule` (``schedules/``) is a function of the training time in epochs.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors, which read this file and do not run it
    from . import inspection as inspection
    from . import losses, optimizers, schedules
    from . import penalties as penalties
    from .estimators import GDClassifier, GDRegressor
    from .exceptions import DivergenceError
    from .gradients import check_gradient
    from .search import GDGridSearchCV, GDRandomizedSearchCV

__version__ = "0.2.0"

__all__ = [
    "DivergenceError",
    "GDClassifier",
    "GDGridSearchCV",
    "GDRandomizedSearchCV",
    "GDRegressor",
    "check_gradient",
    "losses",
    "optimizers",
    "schedules",
]

# Where a name is defined. It is loaded when it is first used: a program that only fits need not
# wait for the search.
_HOME = {
    "DivergenceError": "exceptions",
    "GDClassifier": "estimators",
    "GDGridSearchCV": "search",
    "GDRandomizedSearchCV": "search",
    "GDRegressor": "estimators",
    "check_gradient": "gradients",
}
_MODULES = {
    "callbacks",
    "exceptions",
    "inspection",
    "losses",
    "optimizers",
    "penalties",
    "schedules",
}


def __getattr__(name):
    if name in _MODULES:
        return _load(name)
    if name in _HOME:
        found = getattr(_load(_HOME[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _load(name):
    """Import a module of the package; a compiled one may be missing."""
    try:
        return importlib.import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        # Sources that are to be compiled import cython, which is not needed once they are.
        if missing != "cython" and not missing.startswith(f"{__name__}."):
            raise
        raise ImportError(
            f"{__name__} is not compiled in {__path__[0]}. If this is the source code, compile it "
            "by 'pip install -e .', or start Python in another folder to import what is installed. "
            "A wheel must be installed: Python cannot import compiled modules from a zip file."
        ) from error


def __dir__():
    """List what is public: shells complete it."""
    return sorted({*__all__, *_MODULES, "__version__"})
