"""The peers of benchmarks/compare.py as estimators with default parameters.

torch has no estimator, so its usual training loop is written here. river learns row by row, from
dictionaries. If one of them is not installed, its column is left out.
"""

import contextlib
import inspect

import numpy as np
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import has_fit_parameter

from sk_gd import GDClassifier, optimizers

try:
    import torch
except ImportError:
    torch = None
try:
    import river.linear_model
    import river.optim
except ImportError:
    river = None

BATCH, EPOCHS = 64, GDClassifier().max_iter  # for the loop in torch, which has no defaults


class TorchLoop(BaseEstimator):
    """``nn.Linear`` with Adam at its defaults, in a loop over shuffled batches."""

    def __init__(self, max_iter=EPOCHS, random_state=0):
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y):
        """Train."""
        torch.manual_seed(self.random_state)
        self.classes_, codes = np.unique(y, return_inverse=True)
        codes = torch.from_numpy(codes)
        dense = None if sp.issparse(X) else torch.from_numpy(X)
        self.model_ = torch.nn.Linear(X.shape[1], len(self.classes_), dtype=torch.float64)
        optimizer, loss = torch.optim.Adam(self.model_.parameters()), torch.nn.CrossEntropyLoss()
        for _ in range(self.max_iter):
            for rows in torch.randperm(len(y)).split(BATCH):
                batch = csr_tensor(X[rows.numpy()]) if dense is None else dense[rows]
                optimizer.zero_grad()
                loss(self.model_(batch), codes[rows]).backward()
                optimizer.step()
        return self

    def predict_proba(self, X):
        """Probabilities of the classes."""
        with torch.no_grad():
            scores = self.model_(csr_tensor(X) if sp.issparse(X) else torch.from_numpy(X))
        return softmax(scores.numpy(), axis=1)


def csr_tensor(X):
    """A scipy CSR matrix as a torch tensor."""
    parts = (torch.from_numpy(part) for part in (X.indptr, X.indices, X.data))
    with torch.sparse.check_sparse_tensor_invariants(False):
        return torch.sparse_csr_tensor(*parts, X.shape)


class RiverStream(BaseEstimator):
    """river's logistic or softmax regression, row by row."""

    def __init__(self, max_iter=1, random_state=0):
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y):
        """Learn."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        kinds = river.linear_model
        binary = len(self.classes_) == 2
        self.model_ = kinds.LogisticRegression() if binary else kinds.SoftmaxRegression()
        labels = [bool(code) if binary else int(code) for code in codes]
        rng = np.random.default_rng(self.random_state)
        for _ in range(self.max_iter):
            order = rng.permutation(len(labels))
            for i, row in zip(order, dictionaries(X[order]), strict=True):
                self.model_.learn_one(row, labels[i])
        return self

    def predict_proba(self, X):
        """Probabilities of the classes."""
        keys = [False, True] if len(self.classes_) == 2 else range(len(self.classes_))
        found = map(self.model_.predict_proba_one, dictionaries(X))
        return np.array([[row.get(key, 0.0) for key in keys] for row in found])


def dictionaries(X):
    """The rows as dictionaries, as river takes them; zeros of sparse X are left out."""
    for i in range(X.shape[0]):
        if sp.issparse(X):
            at = slice(X.indptr[i], X.indptr[i + 1])
            yield dict(zip(X.indices[at].tolist(), X.data[at].tolist(), strict=True))
        else:
            yield dict(enumerate(X[i].tolist()))


def gd(max_iter=None, random_state=0):
    """GDClassifier."""
    more = {} if max_iter is None else {"max_iter": max_iter, "tol": None}
    return GDClassifier(random_state=random_state, **more)


def sgd(max_iter=None, random_state=0):
    """SGDClassifier with the log loss; its default, the hinge, has no probabilities."""
    more = {} if max_iter is None else {"max_iter": max_iter, "tol": None}
    return SGDClassifier("log_loss", random_state=random_state, **more)


def logistic(max_iter=None, random_state=0):
    """LogisticRegression; it has no epochs, so `max_iter` is not used."""
    return LogisticRegression()


# Functions of max_iter (None: the default) and random_state that make an estimator.
PEERS = {"sk_gd": gd, "SGDClassifier": sgd, "LogisticRegression": logistic}
if torch is not None:
    PEERS["torch"] = lambda max_iter=None, random_state=0: TorchLoop(
        max_iter or EPOCHS, random_state
    )
if river is not None:
    PEERS["river"] = lambda max_iter=None, random_state=0: RiverStream(max_iter or 1, random_state)

# Peers that always run a fixed number of epochs.
FIXED = {"torch": EPOCHS, "river": 1}


def yes(value):
    """A cell of the table."""
    return "yes" if value else "no"


def classes_in(module, base):
    """The number of public classes of a module that are derived from `base`."""
    found = (getattr(module, name) for name in dir(module) if not name.startswith("_"))
    return len({v for v in found if inspect.isclass(v) and issubclass(v, base) and v is not base})


def works(call):
    """Whether a call ends without an error."""
    with contextlib.suppress(Exception):
        call()
        return True
    return False


FEATURES = [
    "optimizers",
    "mini-batches",
    "one loss for all classes (softmax)",
    "loss after every epoch",
    "sparse X",
    "data in chunks",
    "sample weights",
    "scikit-learn's checks that fail",
]


def features_of_estimator(model, n_optimizers):
    """The column of an estimator with scikit-learn's interface."""
    X, y = load_iris(return_X_y=True)
    model = model.fit(X, y)
    checks = check_estimator(model, on_fail=None)
    return [
        str(n_optimizers),
        yes("batch_size" in model.get_params()),
        yes(np.allclose(model.predict_proba(X), softmax(model.decision_function(X), axis=1))),
        yes(hasattr(model, "loss_curve_")),
        yes(works(lambda: type(model)().fit(sp.csr_array(X), y))),
        yes(hasattr(model, "partial_fit")),
        yes(has_fit_parameter(model, "sample_weight")),
        str(sum(check["status"] == "failed" for check in checks)),
    ]


def features_of_torch():
    """The column of torch; "by hand" is what the user's loop has to do."""
    linear, X = torch.nn.Linear(4, 2, dtype=torch.float64), sp.eye_array(4, format="csr")
    return [
        str(classes_in(torch.optim, torch.optim.Optimizer)),
        yes("batch_size" in inspect.signature(torch.utils.data.DataLoader).parameters),
        yes(hasattr(torch.nn, "CrossEntropyLoss")),
        "by hand",
        yes(works(lambda: linear(csr_tensor(X)))),
        "by hand",
        "by hand",
        "–",
    ]


def features_of_river():
    """The column of river: its logistic regression, and its softmax regression."""
    model = river.linear_model.LogisticRegression()
    learn = inspect.signature(model.learn_one).parameters
    return [
        str(classes_in(river.optim, river.optim.base.Optimizer)),
        yes(hasattr(model, "learn_many")),
        yes(hasattr(river.linear_model, "SoftmaxRegression")),
        yes(hasattr(model, "loss_curve_")),
        yes(works(lambda: (model.learn_one({0: 1.0}, True), model.learn_one({1: 1.0}, False)))),
        yes(callable(model.learn_one)),
        yes("w" in learn),
        "–",
    ]


def features():
    """The rows of the table: the name of a feature, and a cell for each peer."""
    solvers = LogisticRegression._parameter_constraints["solver"][0].options
    columns = {
        "sk_gd": lambda: features_of_estimator(gd(), len(optimizers.names())),
        "SGDClassifier": lambda: features_of_estimator(sgd(), 1),
        "LogisticRegression": lambda: features_of_estimator(
            LogisticRegression(max_iter=1000), len(solvers)
        ),
        "torch": features_of_torch,
        "river": features_of_river,
    }
    found = [columns[name]() for name in PEERS]
    return [[name, *cells] for name, *cells in zip(FEATURES, *found, strict=True)]
