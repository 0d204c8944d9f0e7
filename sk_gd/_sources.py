"""Show tools where the source of a compiled module is: it is Python, and lies beside it."""

import os
import re
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path


def show_sources(package):
    """Let ``inspect.getsource``, ``??`` and debuggers find the classes of a package.

    They ask a module for its ``__file__``, and from Python 3.13 on a class for the number
    of its first line. The file that was imported is still ``__spec__.origin``.
    """
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        module = sys.modules[name]
        path = getattr(module, "__file__", None) or ""
        source = f"{os.path.dirname(path)}{os.sep}{name.rpartition('.')[2]}.py"
        if not path.endswith(tuple(EXTENSION_SUFFIXES)) or not os.path.exists(source):
            continue
        module.__file__ = source
        if sys.version_info >= (3, 13):
            number_classes(module, Path(source).read_text("utf-8"))


def number_classes(module, text):
    """Set the first line of each class of a module that can have one."""
    for match in re.finditer(r"^class (\w+)", text, re.M):
        found = vars(module).get(match[1])
        if isinstance(found, type) and found.__flags__ & MUTABLE:
            found.__firstlineno__ = text.count("\n", 0, match.start()) + 1


MUTABLE = 1 << 9  # of a class made by a class statement (Py_TPFLAGS_HEAPTYPE)
