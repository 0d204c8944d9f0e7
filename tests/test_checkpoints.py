"""Checkpoints: training that was interrupted continues to the same bits."""

import errno
import pickle
import subprocess
import sys

import pytest
from sklearn.datasets import load_iris

from helpers.assertions import assert_same_bits
from helpers.callbacks import Callback
from helpers.project import ROOT
from sk_gd import GDClassifier
from sk_gd.callbacks import Checkpoint

X, Y = load_iris(return_X_y=True)
OPTIONS = {"schedule": "cosine", "batch_size": 16, "max_iter": 8, "tol": None, "random_state": 0}


class Interrupted(Exception):
    """Training ends here."""


class Interrupt(Callback):
    """Interrupts training after so many epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch":
            if self.epochs == 0:
                raise Interrupted
            self.epochs -= 1


def estimator(**more):
    return GDClassifier(**{"optimizer": "adam", "warm_start": True} | OPTIONS | more)


def train(path, *interrupts, every=1, **more):
    """Train with interruptions after so many epochs each, then to the end."""
    for epochs in interrupts:
        model = estimator(**more).set_callbacks(Interrupt(epochs))
        with pytest.raises(Interrupted):
            Checkpoint(path, every).fit(model, X, Y)
    return Checkpoint(path, every).fit(estimator(**more), X, Y)


@pytest.mark.parametrize("more", [{}, {"early_stopping": True}, {"average": True}], ids=repr)
@pytest.mark.parametrize("optimizer", ["adam", "nesterov", "svrg", "schedule_free_adamw"])
def test_same_bits(optimizer, more, tmp_path):
    more = more | {"optimizer": optimizer}
    model = train(tmp_path / "model.pickle", 0, 3, 1, 2, **more)
    assert_same_bits(model, estimator(**more).fit(X, Y))
    assert model.max_iter == 8


def test_every_third_epoch_is_stored(tmp_path):
    path = tmp_path / "model.pickle"
    model = train(path, 5, every=3)
    assert_same_bits(model, estimator().fit(X, Y))
    path.unlink()
    with pytest.raises(Interrupted):
        Checkpoint(path, 3).fit(estimator().set_callbacks(Interrupt(5)), X, Y)
    assert Checkpoint(path).load().n_iter_ == 3


def test_the_stored_model_predicts(tmp_path):
    path = tmp_path / "model.pickle"
    with pytest.raises(Interrupted):
        Checkpoint(path).fit(estimator().set_callbacks(Interrupt(2)), X, Y)
    stored = pickle.loads(path.read_bytes())
    assert stored.n_iter_ == 2 and not hasattr(stored, "_skl_callbacks")
    assert stored.score(X, Y) > 0.5
    assert [file.name for file in tmp_path.iterdir()] == ["model.pickle"]


SETTLED = {"optimizer": "lbfgs", "schedule": "constant", "batch_size": "full", "tol": 1e-4}


@pytest.mark.parametrize("more", [{}, SETTLED | {"max_iter": 100}], ids=["over", "settled"])
def test_what_is_finished_is_not_trained_again(more, tmp_path):
    path = tmp_path / "model.pickle"
    one = train(path, **more)
    assert one.n_iter_ < 100
    written = path.read_bytes()
    assert_same_bits(one, train(path, **more))
    assert path.read_bytes() == written


def test_callbacks_of_the_estimator_stay(tmp_path):
    interrupt = Interrupt(100)
    model = estimator().set_callbacks(interrupt)
    Checkpoint(tmp_path / "model.pickle").fit(model, X, Y)
    assert model._skl_callbacks == [interrupt]


def test_a_fit_that_fails_leaves_the_callbacks(tmp_path):
    """The next fit writes no file."""
    path = tmp_path / "model.pickle"
    interrupt = Interrupt(2)
    model = estimator().set_callbacks(interrupt)
    with pytest.raises(Interrupted):
        Checkpoint(path).fit(model, X, Y)
    written, interrupt.epochs = path.read_bytes(), 100
    model.fit(X[::2], Y[::2])
    assert path.read_bytes() == written
    assert model._skl_callbacks == [interrupt]


@pytest.mark.parametrize("before", [X[::2], X], ids=["other data", "same data"])
def test_an_estimator_that_is_fitted_already(before, tmp_path):
    """The program trains it again, and the file has what came after that."""
    y = Y[:: len(Y) // len(before)]
    more = {"schedule": "constant"}  # others depend on the number of epochs
    for epochs in (3, 2):
        model = estimator(**more).fit(before, y).set_callbacks(Interrupt(epochs))
        with pytest.raises(Interrupted):
            Checkpoint(tmp_path / "model.pickle").fit(model, X, Y)
    model = Checkpoint(tmp_path / "model.pickle").fit(estimator(**more).fit(before, y), X, Y)
    assert_same_bits(model, estimator(**more).fit(before, y).fit(X, Y))
    assert model.max_iter == 8


def test_a_failed_write_leaves_the_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pickle"
    train(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left.*model.pickle"):
        Checkpoint(path)._write(estimator().fit(X, Y), 8)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_noticed_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    model = estimator().set_callbacks(Interrupt(0))
    with pytest.raises(PermissionError, match=r"folder of the checkpoint .*model.pickle"):
        Checkpoint(tmp_path / "model.pickle").fit(model, X, Y)


def test_errors(tmp_path):
    path = tmp_path / "model.pickle"
    with pytest.raises(ValueError, match="every"):
        Checkpoint(path, 0)
    with pytest.raises(ValueError, match="warm_start must be True"):
        Checkpoint(path).fit(estimator(warm_start=False), X, Y)
    with pytest.raises(TypeError, match="instance.*class 'sk_gd"):
        Checkpoint(path).fit(type(estimator()), X, Y)
    train(path)
    for other in (estimator(alpha=3.0), estimator(max_iter=9)):
        with pytest.raises(ValueError, match="parameters of the model"):
            Checkpoint(path).fit(other, X, Y)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_kills():
    """A few kills of processes; ``benchmarks/kills.py`` has a thousand."""
    script = "import kills\nif __name__ == '__main__':\n    print(kills.killed(6, names=['adam']))"
    file = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n{script}"
    found = subprocess.run(
        [sys.executable, "-c", file], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    n_kills, n_models, _, different = eval(found)
    assert n_kills >= 6 and n_models >= 1 and not different
