"""The package as it is built and installed."""

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import pkgutil
import re
import subprocess
import sys
import tomllib

import pytest

import sk_gd
from helpers.project import ROOT, blocks, read

PYPROJECT = tomllib.loads(read("pyproject.toml"))
EXTENSIONS = {module["name"]: module for module in PYPROJECT["tool"]["setuptools"]["ext-modules"]}
SOURCES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "sk_gd").rglob("*.py*")
    if path.suffix == ".pyx"
    or (path.suffix == ".py" and re.search("^import cython$", path.read_text("utf-8"), re.M))
)


def test_every_cython_source_is_compiled():
    """A module that is missing from the table would run uncompiled, correct and slow."""
    generated = PYPROJECT["tool"]["distutils"]["build_ext"]["shared_utility_qualified_name"]
    listed = {
        module["sources"][0]: name for name, module in EXTENSIONS.items() if name != generated
    }
    names = {path.as_posix(): ".".join(path.with_suffix("").parts) for path in SOURCES}
    assert listed == names


def test_all_modules_are_compiled_alike():
    """The same arguments for all, as there is no place to write them once."""
    arguments = {tuple(module["extra-compile-args"]) for module in EXTENSIONS.values()}
    assert len(arguments) == 1


@pytest.mark.parametrize("name", EXTENSIONS)
def test_the_compiled_module_is_imported(name):
    """Not the source of the same name beside it."""
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    assert importlib.util.find_spec(name).origin.endswith(suffixes)


def test_version():
    version = importlib.metadata.version("sk-gd")
    assert version == sk_gd.__version__
    changelog = read("CHANGELOG.md")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE)


def test_every_public_name_exists():
    for name in sk_gd.__all__:
        assert getattr(sk_gd, name) is not None
    for module in pkgutil.walk_packages(sk_gd.__path__, "sk_gd."):
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", []):
            assert hasattr(loaded, name), f"{module.name}.{name}"


def test_extras_are_not_needed(tmp_path):
    """A fit from another directory, in which nothing but the dependencies can be imported."""
    code = """
import sys
for extra in ("cython", "Cython", "matplotlib", "pandas", "pytest"):
    sys.modules[extra] = None
import sk_gd
model = sk_gd.GDRegressor("sgd", alpha=0, tol=None).fit([[1.0], [2.0], [3.0]], [3.0, 5.0, 7.0])
print(round(float(model.predict([[4.0]])[0]), 6))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "9.0\n"), done.stderr


def test_readme_commands():
    """One command under each heading: what a reader pastes, and what .ci/run takes from here."""
    commands = blocks(read("README.md"), "bash")
    install, test = (command.strip() for command in commands)
    assert install.endswith("python examples/quickstart.py")
    assert test.endswith("pytest -n 2")
    for command in (install, test):
        assert "\n" not in command
        assert command.startswith("python -m venv .venv && ")
