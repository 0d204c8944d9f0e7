"""Record a few fitted models of a version in ``tests/data/models``.

Run ``PYTHONPATH=CLONE python tests/tools/record_models.py``, where CLONE is a clone of the
repository at the commit to record, compiled in place. Every model is stored by joblib, one of them
is pickled, too, and two are stored by skops, which must be installed. Beside them is one JSON file
with what they predict. The names of the files begin with the date and the hash of the commit.
``tests/test_old_models.py`` loads them.
"""

import copy
import json
import pathlib
import pickle
import subprocess
import sys
from importlib import metadata
from zipfile import ZIP_DEFLATED

import joblib
import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.datasets import load_diabetes, load_iris

import sk_gd
from sk_gd import GDClassifier, GDRegressor

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "models"
MODELS = {
    "regressor": GDRegressor(random_state=0),
    "classifier": GDClassifier(random_state=0),
    "adam": GDRegressor("adam", batch_size=32, max_iter=3, tol=None, random_state=0),
    "lbfgs": GDClassifier("lbfgs", random_state=0),
    "huber": GDRegressor(loss="huber", random_state=0),
}
# Files of skops are large, and those of all models would hold much the same.
BY_SKOPS = ("adam", "regressor")


def data_of(name):
    """The data of a model: four variables of a plant and its species, or a number for ten."""
    if name not in ("classifier", "lbfgs"):
        return load_diabetes(return_X_y=True)
    X, y = load_iris(return_X_y=True)
    return (sp.csr_matrix(X * (X > 2)) if name == "lbfgs" else X), y


def answers(name, model):
    """What the model says of some rows: the scores of the classes, or the target."""
    rows = data_of(name)[0][::25]
    is_classifier = hasattr(model, "decision_function")
    return (model.decision_function if is_classifier else model.predict)(rows)


def store(name, model, path):
    """Write the files of a model, at a path without its ending."""
    joblib.dump(model, path.with_suffix(".joblib"), compress=("zlib", 9), protocol=5)
    if name == "adam":
        path.with_suffix(".pickle").write_bytes(pickle.dumps(model, protocol=5))
    if name in BY_SKOPS:
        from skops import io  # the tests import this script, and need no skops

        try:
            io.dump(model, path.with_suffix(".skops"), compression=ZIP_DEFLATED, compresslevel=9)
        except Exception as error:  # skops cannot store models of early versions
            print(f"{name}: not stored by skops. {error!r}")
            path.with_suffix(".skops").unlink(missing_ok=True)


def commit():
    """The date and the hash of the commit that the package is of."""
    folder = pathlib.Path(sk_gd.__file__).parent

    def git(*arguments):
        return subprocess.check_output(["git", *arguments], cwd=folder, text=True).strip()

    if git("status", "--porcelain", "."):
        raise SystemExit(f"{folder} has changes. Commit them first.")
    return git("log", "-1", "--format=%cd-%h", "--date=format:%Y-%m-%dT%H%M", "--abbrev=7")


def main():
    """Write the files."""
    stem = commit()
    FOLDER.mkdir(exist_ok=True)
    recorded = {}
    for name, model in MODELS.items():
        X, y = data_of(name)
        model.fit(X, y)
        store(name, model, FOLDER / f"{stem}-{name}")
        continued = copy.deepcopy(model).partial_fit(X, y)
        recorded[name] = {
            "answers": answers(name, model).tolist(),
            "continued": answers(name, continued).tolist(),
        }
    about = {
        "version": sk_gd.__version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "skops": metadata.version("skops"),
    }
    (FOLDER / f"{stem}.json").write_text(json.dumps({"about": about, "models": recorded}) + "\n")
    print(stem)


if __name__ == "__main__":
    main()
