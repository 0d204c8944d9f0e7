"""Code that readers copy runs: README, CONTRIBUTING and the scripts in ``examples``."""

import contextlib
import doctest
import importlib
import io
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes

import sk_gd
from helpers.project import ROOT, blocks, read
from sk_gd import GDRegressor

README = read("README.md")
CONTRIBUTING = read("CONTRIBUTING.md")


def promised(code):
    """The outputs in the comments after calls of print."""
    return re.findall(r"^\s*print\(.*\)  # (.+)$", code, re.MULTILINE)


def test_readme_prints_what_it_says():
    namespace = {"__name__": "readme"}
    for code in blocks(README, "python"):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, "README.md", "exec"), namespace)
        assert output.getvalue().splitlines() == promised(code), code


def test_every_print_of_the_readme_is_checked():
    code = "".join(blocks(README, "python"))
    assert len(promised(code)) == code.count("print(") >= 4


@pytest.mark.slow
def test_worked_example_of_a_rule(tmp_path, monkeypatch):
    """The compiled Signum of CONTRIBUTING takes the same steps as README's in numpy."""
    (code,) = blocks(CONTRIBUTING, "python")
    source = tmp_path / "worked_example.py"
    code = code.replace("from ..", "from sk_gd.").replace("from .", "from sk_gd.optimizers.")
    source.write_text(code, encoding="utf-8")
    # Cython looks for .pxd files on the path, which has no editable installs.
    path = {"PYTHONPATH": str(Path(sk_gd.__file__).parents[1])}
    fast = {"CFLAGS": "-O0"}  # to compile, not to run
    program = (
        "from Cython.Build import Cythonize\n"
        "from Cython.Compiler import Options\n"
        "Options.buffer_max_dims = 3  # as in setup.py\n"
        "Cythonize.main()"
    )
    command = [sys.executable, "-c", program, "--inplace", source]
    subprocess.run(command, cwd=tmp_path, env=os.environ | path | fast, check=True)
    monkeypatch.syspath_prepend(tmp_path)
    compiled = importlib.import_module("worked_example")
    assert not compiled.__file__.endswith(".py")
    assert doctest.testmod(compiled).attempted > 0
    assert doctest.testmod(compiled).failed == 0

    (code,) = (code for code in blocks(README, "python") if "class Signum" in code)
    namespace = {"__name__": "readme"}
    exec(code.partition("\n\n\nmodel =")[0], namespace)
    X, y = load_diabetes(return_X_y=True)
    ours, theirs = (
        GDRegressor(optimizer, schedule="cosine", tol=None, random_state=0).fit(X, y)
        for optimizer in (compiled.Signum(), namespace["Signum"]())
    )
    # The two formulas round differently, which could flip a sign only near zero.
    assert ours.coef_ == pytest.approx(theirs.coef_, rel=1e-9)
    with pytest.raises(ValueError, match="momentum"):
        GDRegressor(compiled.Signum(momentum=1)).fit(X, y)


def run(name, directory):
    """The output of an example, run in another directory with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "examples" / name],
        cwd=directory,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_quickstart(tmp_path):
    output = run("quickstart.py", tmp_path)
    lines = {}
    for line in output.splitlines():
        for name in re.findall(r"\bS?GD(?:Classifier|Regressor)\b", line):
            scores = re.findall(r"(?:cross-validated|test) (-?\d\.\d{3})", line)
            lines.setdefault(name, []).append([float(score) for score in scores])
    # Guessing the larger class gets 0.63, the mean target 0.
    for ours, theirs, least in (
        ("GDClassifier", "SGDClassifier", 0.95),
        ("GDRegressor", "SGDRegressor", 0.45),
    ):
        (default,), tuned = lines[ours]
        ((scaled,),) = lines[theirs]
        assert default > least and scaled > least
        assert default >= scaled
        assert tuned[0] > least and tuned[1] > 0.3


def test_textbook_regressions(tmp_path):
    """Compared with the digits of a plain loop and with exact rational numbers."""
    output = run("textbook_regressions.py", tmp_path)
    # The weights, then a prediction, of two problems; other numbers have fewer digits.
    *found, last = (float(number) for number in re.findall(r"\d\.\d{11,}", output))
    expected = [0.8907546215358821, 2.0237699271134932, 0.057888309859129156, 2.9145245486493754]
    assert found == pytest.approx([*expected, *descent_on_a_line()], rel=1e-12, abs=0)
    assert last == pytest.approx(sum(descent_on_a_line()), rel=1e-12, abs=0)


def descent_on_a_line():
    """Intercept and slope after 1000 steps on y = 2x + 1, x = 1..5, in exact rationals.

    The Hessian is [[1, 3], [3, 11]]: the means of 1, x and x².
    """
    rate = Fraction(1, 100)
    intercept, slope = Fraction(0), Fraction(0)
    for _ in range(1000):
        off, tilt = intercept - 1, slope - 2
        intercept, slope = intercept - rate * (off + 3 * tilt), slope - rate * (3 * off + 11 * tilt)
    return [float(intercept), float(slope)]
