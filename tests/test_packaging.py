"""The package as it is built and installed."""

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import sk_gd
from helpers.project import ROOT, blocks, modules, read

PACKAGE = ROOT / "sk_gd"
SUFFIXES = tuple(importlib.machinery.EXTENSION_SUFFIXES)
WRITTEN_BY_CYTHON = "sk_gd._cython"


def for_cython(path):
    """Whether a file is a source of a compiled module: a .pyx, or it imports cython."""
    text = path.read_text("utf-8") if path.suffix == ".py" else ""
    return path.suffix == ".pyx" or re.search("^import cython$", text, re.M) is not None


def module(path):
    """The name of the module that a file of the package holds, compiled or not."""
    folder = path.relative_to(ROOT).parent
    return ".".join([*folder.parts, path.name.split(".")[0]])


SOURCES = {module(path): path for path in sorted(PACKAGE.rglob("*.py*")) if for_cython(path)}


@pytest.mark.parametrize("name", SOURCES)
def test_the_compiled_module_is_imported(name):
    """Python imports the compiled module, not the source of the same name, which is slow."""
    assert importlib.util.find_spec(name).origin.endswith(SUFFIXES)


def test_no_compiled_module_is_left_over():
    """A module that was moved or removed can still be imported where it was compiled before."""
    compiled = {module(path): path for path in PACKAGE.rglob("*") if path.name.endswith(SUFFIXES)}
    left_over = compiled.keys() - SOURCES.keys() - {WRITTEN_BY_CYTHON}
    assert not left_over, f"remove {[compiled[name].as_posix() for name in sorted(left_over)]}"


@pytest.mark.skipif(sys.platform == "win32", reason="CC does not choose the compiler")
def test_without_a_compiler_the_message_says_what_to_install(tmp_path):
    pytest.importorskip("Cython")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--build-temp", tmp_path],
        cwd=ROOT,
        env={**os.environ, "CC": str(tmp_path / "missing")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    last = done.stderr.rstrip().split("\n\n")[-1]
    for words in ("C compiler", "apt install build-essential", "xcode-select", "Visual Studio"):
        assert words in last


@pytest.mark.skipif(sys.platform == "win32", reason="CC does not choose the compiler")
def test_fast_math_is_switched_off(monkeypatch):
    """It is not, by -O3 alone, if the user's CFLAGS have it: products and NaN were wrong."""
    pytest.importorskip("Cython")
    compiler = sysconfig.get_config_var("CC").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip("there is no compiler")
    monkeypatch.chdir(ROOT)
    flags = runpy.run_path("setup.py")["FLAGS"]
    macros = [compiler, "-ffast-math", *flags, "-dM", "-E", "-x", "c", os.devnull]
    found = subprocess.run(macros, capture_output=True, text=True, check=True).stdout
    assert "__FAST_MATH__" not in found
    assert not re.search("__FINITE_MATH_ONLY__ 1", found)


def test_small_numbers_of_the_process_stay():
    code = "import sk_gd, numpy; sk_gd.GDClassifier; print(numpy.float64(1e-310) / 2 > 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def files_of_the_package(names):
    """Those of an archive that are of the package, without the name of the archive before them."""
    return {name[name.index("sk_gd/") :] for name in names if re.match("([^/]*/)?sk_gd/.", name)}


def test_source_distribution(tmp_path):
    """All sources, and nothing that is generated; what is needed to build, test and cite."""
    pytest.importorskip("Cython")
    made = ["egg_info", "--egg-base", tmp_path, "sdist", "--formats=tar", "--dist-dir", tmp_path]
    subprocess.run([sys.executable, "setup.py", "-q", *made], cwd=ROOT, check=True)
    (archive,) = tmp_path.glob("*.tar")
    with tarfile.open(archive) as file:
        names = [member.name for member in file.getmembers() if member.isfile()]
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".pyx", ".pxd") or path.name == "py.typed"
    }
    assert files_of_the_package(names) == sources
    others = {name.split("/", 1)[1] for name in names}
    assert others >= {"setup.py", "LICENSE", "CITATION.cff", "tests/conftest.py", "docs/conf.py"}


@pytest.mark.skipif("SK_GD_DIST" not in os.environ, reason="SK_GD_DIST names no folder of wheels")
def test_wheels():
    """Every source and every compiled module, and nothing else."""
    wheels = list(Path(os.environ["SK_GD_DIST"]).glob("*.whl"))
    assert wheels
    for wheel in wheels:
        names = files_of_the_package(zipfile.ZipFile(wheel).namelist())
        compiled = {name for name in names if name.endswith((".so", ".pyd"))}
        modules = {name.split(".")[0].replace("/", ".") for name in compiled}
        assert modules == {*SOURCES, WRITTEN_BY_CYTHON}
        written = names - compiled - {"sk_gd/py.typed"}  # without it, types are ignored
        assert len(written) == len(names - compiled) - 1
        assert {Path(name).suffix for name in written} == {".py", ".pyx", ".pxd"}


def test_version():
    version = importlib.metadata.version("sk-gd")
    assert version == sk_gd.__version__
    changelog = read("CHANGELOG.md")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE)
    citation = read("CITATION.cff")
    assert re.search(rf"^version: {re.escape(version)}$", citation, re.MULTILINE)


def test_ruff_is_the_same_everywhere():
    """In the extra "lint", which .ci/run takes, and before commits."""
    hooks = ROOT / ".pre-commit-config.yaml"
    if not hooks.exists():
        pytest.skip("not a clone")
    pinned = re.search(r"ruff==([\d.]+)\*", (ROOT / "pyproject.toml").read_text("utf-8"))[1]
    revision = re.search(r"ruff-pre-commit\n +rev: v(\S+)", hooks.read_text("utf-8"))[1]
    assert revision.startswith(pinned)


def test_every_public_name_exists():
    for name in sk_gd.__all__:
        assert getattr(sk_gd, name) is not None
    for module in modules():
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", []):
            assert hasattr(loaded, name), f"{module}.{name}"


def test_extras_are_not_needed(tmp_path):
    """A fit works if only the dependencies can be imported."""
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


@pytest.mark.parametrize(("name", "knows_cython"), [("GDClassifier", True), ("optimizers", False)])
def test_sources_that_are_not_compiled_say_so(name, knows_cython, tmp_path):
    """As in the folder of a clone, or in a zip file."""
    archive = tmp_path / "sources.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in PACKAGE.rglob("*.py"):
            file.write(path, path.relative_to(ROOT))
    if not knows_cython:
        (tmp_path / "cython.py").write_text("raise ModuleNotFoundError(name='cython')")
    code = f"import sys; sys.path.insert(0, {str(archive)!r}); from sk_gd import {name}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert re.search(r"^ImportError: sk_gd is not compiled in .*zip", done.stderr, re.M)
    assert "pip install" in done.stderr


def test_without_dask(monkeypatch):
    """The command must work for who has a clone: the package is on no index."""
    for name in [name for name in sys.modules if name.startswith("sk_gd.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dask", None)
    words = "in a clone of sk_gd, pip install -e '.[dask]'"
    with pytest.raises(ImportError, match=re.escape(words)):
        importlib.import_module("sk_gd.dask")


def test_readme_commands():
    """README has two commands to paste; .ci/run takes the second one from there."""
    commands = blocks(read("README.md"), "bash")
    install, test = (command.strip() for command in commands)
    assert install.endswith("python examples/quickstart.py")
    assert test.endswith("pytest -n 2")
    for command in (install, test):
        assert "\n" not in command
        assert command.startswith("python -m venv .venv && ")
