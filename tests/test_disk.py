"""X in a memory-mapped file: it is not copied into memory."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

TRIAL = """
import sys, threading
import numpy as np
from sk_gd import GDClassifier

def in_use():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

def work(X, y):
    for settings in ({}, {"optimizer": "adam", "batch_size": 256, "max_iter": 2, "tol": None}):
        model = GDClassifier(random_state=0, **settings).fit(X, y)
        model.predict(X), model.predict_proba(X)

X = np.load(sys.argv[1], mmap_mode="r")
y = np.arange(len(X)) % 2
work(np.array(X[:2000]), y[:2000])
before, most, done = in_use(), 0, threading.Event()

def watch():
    global most
    while not done.wait(0.001):
        most = max(most, in_use())

watcher = threading.Thread(target=watch)
watcher.start()
work(X, y)
if "copy" in sys.argv:
    work(np.array(X), y)
done.set()
watcher.join()
print((most - before) / X.nbytes)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("copy", [False, True])
def test_x_on_disk_is_not_copied_into_memory(tmp_path, copy):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "X.npy", rng.standard_normal((75_000, 100)))
    arguments = [tmp_path / "X.npy"] + ["copy"] * copy
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRIAL, *arguments],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    share = float(done.stdout)
    assert share > 0.9 if copy else share < 0.2  # the measure sees a copy
