"""Files of earlier versions: a model is as it was, and trains on, or is refused with the reason.

The files are in tests/data/models. tests/tools/record_models.py has written them.
"""

import json
import pickle

import joblib
import numpy as np
import pytest

import sk_gd.skops
from helpers.project import ROOT, scripts

FOLDER = ROOT / "tests" / "data" / "models"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".json")
RECORDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")
}
NEWEST = max(RECORDS)
# Development versions, which are called as the release that they became, and need not load.
MAY_BE_REFUSED = {
    "2026-11-21T0556-c88dbf3",
    "2026-11-21T1849-bb97cf0",
    "2026-11-28T2332-2692bc4",
    "2026-11-29T0315-f4175e6",
}


@pytest.fixture(scope="module")
def recorder():
    """The script that has written the files: it knows the data of the models."""
    with scripts("tests/tools") as script:
        yield script("record_models")


def minor(version):
    return version.split(".")[:2]


def load(path):
    """The model in a file."""
    if path.suffix == ".joblib":
        return joblib.load(path)
    if path.suffix == ".pickle":
        return pickle.loads(path.read_bytes())
    io = pytest.importorskip("skops.io")
    trusted = sk_gd.skops.trusted_types()
    # Without this, skops itself would refuse the types of early versions.
    unknown = [name for name in io.get_untrusted_types(file=path) if name.startswith("sk_gd.")]
    return io.load(path, trusted=[*trusted, *unknown])


def is_clear(error):
    """Whether an error says that the version is the reason, and what to do; or what has moved."""
    if isinstance(error, ModuleNotFoundError):
        return error.name.startswith("sk_gd.") and error.name in str(error)
    words = ("cannot be loaded", "stored by", f"version {sk_gd.__version__}", "Fit the model again")
    return isinstance(error, ValueError) and all(word in str(error) for word in words)


def loaded_or_skipped(path, about, must_load):
    """The model, or None if it was refused and may be."""
    if minor(about["numpy"])[0] > minor(np.__version__)[0]:
        pytest.skip("numpy cannot load arrays that a later major version has pickled")
    try:
        return load(path)
    except Exception as error:
        if must_load or not is_clear(error):
            raise
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file(path, recorder):
    stem, name = path.stem.rsplit("-", 1)
    about, recorded = (RECORDS[stem][key] for key in ("about", "models"))
    same = minor(about["version"]) == minor(sk_gd.__version__)
    model = loaded_or_skipped(path, about, same and stem not in MAY_BE_REFUSED)
    if model is None:
        return
    answers = recorder.answers(name, model)
    spread = np.std(answers)
    np.testing.assert_allclose(answers, recorded[name]["answers"], rtol=0, atol=1e-10 * spread)
    # Another epoch needs the memory of the optimizer and the state of the shuffles.
    before = model.t_
    model.partial_fit(*recorder.data_of(name))
    answers = recorder.answers(name, model)
    assert model.t_ > before
    np.testing.assert_allclose(answers, recorded[name]["continued"], rtol=0, atol=1e-6 * spread)


def test_the_files_of_this_version_load():
    """Otherwise it could be that everything is refused."""
    assert minor(RECORDS[NEWEST]["about"]["version"]) == minor(sk_gd.__version__)
    assert NEWEST not in MAY_BE_REFUSED
