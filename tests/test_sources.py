"""Tools find the source of every public class, compiled or not."""

import inspect
import subprocess
import sys
import types

import pytest

from sk_gd import losses, optimizers, penalties, schedules
from sk_gd._sources import number_classes

CLASSES = [
    value
    for module in (losses, optimizers, penalties, schedules)
    for value in (getattr(module, name) for name in module.__all__)
    if isinstance(value, type)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_source(cls):
    """It begins with the class statement, and is in the file with its docstring."""
    text = inspect.getsource(cls)
    assert text.startswith(f"class {cls.__name__}(")
    assert inspect.getsourcefile(cls).endswith(".py")


@pytest.mark.parametrize("cls", CLASSES)
def test_first_lines(cls):
    """Where Python 3.13 looks for the source: numbered in a copy of the module."""
    lines, number = inspect.findsource(cls)
    copy = types.ModuleType("copy")
    setattr(copy, cls.__name__, type(cls.__name__, (), {}))
    number_classes(copy, "".join(lines))
    assert vars(copy)[cls.__name__].__firstlineno__ == number + 1


def test_in_a_shell():
    """IPython's ``??`` asks for the source of a class in a fresh interpreter."""
    code = "import inspect, sk_gd; print(inspect.getsource(sk_gd.optimizers.Adam))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("class Adam(") and "def rule(self, n)" in done.stdout
