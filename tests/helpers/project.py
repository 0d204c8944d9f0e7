"""Files and scripts of this project, and tools to read them with."""

import contextlib
import importlib
import importlib.util
import json
import pkgutil
import re
import shutil
import sys
from pathlib import Path

import pytest

import sk_gd

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "_build"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def read(path):
    """The text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def recorded(name):
    """What a benchmark has recorded."""
    return json.loads(read(f"benchmarks/results/{name}.json"))


def blocks(text, language):
    """The fenced blocks of a Markdown text in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@contextlib.contextmanager
def scripts(*folders):
    """A function that imports a script of the folders; afterwards none of them is imported."""
    before = set(sys.modules)
    names = {path.stem for folder in folders for path in (ROOT / folder).glob("*.py")}
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(ROOT / folder)
        yield importlib.import_module
    for name in names - before:
        sys.modules.pop(name, None)


def modules():
    """The names of all modules of the package that can be imported: sk_gd.dask needs Dask."""
    names = [name for _, name, _ in pkgutil.walk_packages(sk_gd.__path__, "sk_gd.")]
    if importlib.util.find_spec("distributed") is None:
        names.remove("sk_gd.dask")
    return names
