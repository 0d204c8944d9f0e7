"""What readers copy must run: README, CONTRIBUTING and the scripts of ``examples``."""

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
    """The output that the comments behind the calls of print promise."""
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
    """CONTRIBUTING's compiled Signum is found, and steps like README's in numpy."""
    (code,) = blocks(CONTRIBUTING, "python")
    source = tmp_path / "worked_example.py"
    code = code.replace("from ..", "from sk_gd.").replace("from .", "from sk_gd.optimizers.")
    source.write_text(code, encoding="utf-8")
    # Cython looks for .pxd files along the path, on which an editable install is not.
    path = {"PYTHONPATH": str(Path(sk_gd.__file__).parents[1])}
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "--inplace", source]
    subprocess.run(command, cwd=tmp_path, env=os.environ | path, check=True)
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
    # The two forms of the mean round differently; a sign could flip by it only near zero.
    assert ours.coef_ == pytest.approx(theirs.coef_, rel=1e-9)
    with pytest.raises(ValueError, match="momentum"):
        GDRegressor(compiled.Signum(momentum=1)).fit(X, y)


def run(name, directory):
    """The output of an example, started from another directory with warnings as errors."""
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
    tested = {}
    for line in output.splitlines():
        estimators = re.findall(r"\bS?GD(?:Classifier|Regressor)\b", line)
        if len(estimators) == 1:  # not a comparison of two of them
            # Two scores: of the cross-validation, and on the test set.
            tested.setdefault(estimators[0], []).append(float(re.findall(r"-?\d\.\d{3}", line)[1]))
    (classifier,), (regressor,) = tested["GDClassifier"], tested["GDRegressor"]
    # Guessing the larger class gets 0.63, the mean target 0.
    assert classifier > 0.9
    assert regressor > 0.3
    # Theirs on raw data, then behind a scaler.
    raw, scaled = tested["SGDClassifier"]
    assert classifier > raw and scaled > 0.9
    raw, scaled = tested["SGDRegressor"]
    assert regressor > raw and scaled > 0.3


def test_textbook_regressions(tmp_path):
    """Against the printed digits of a plain loop, and against exact rationals."""
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
