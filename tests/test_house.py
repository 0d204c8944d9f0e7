"""The sizes of files, functions and argument lists, and which file imports which."""

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache

import pytest

import sk_gd
from helpers.project import ROOT
from sk_gd import inspection, losses, optimizers, penalties, schedules

PACKAGE = ROOT / "sk_gd"
FILES = sorted(path for path in PACKAGE.rglob("*.p*") if path.suffix in (".py", ".pyx", ".pxd"))
OURS = [path for path in FILES if "_declarations" not in path.parts]

# A file or folder of the package imports only those before it.
ORDER = [
    "clones",
    "aligned",
    "exceptions",
    "indices",
    "parameters",
    "hints",
    "_links",
    "_sources",
    "_versions",
    "schedules",
    "losses",
    "penalties",
    "threads",
    "objectives",
    "auto",
    "minimize",
    "optimizers",
    "_typing",
    "targets",
    "training",
    "estimators",
    "search",
    "dask",
    "gradients",
    "inspection",
    "callbacks",
    "onnx",
    "skops",
    "__init__",
]

MAX_FILE, MAX_FUNCTION, MAX_ARGUMENTS = 500, 60, 7

# Public functions and methods may have more arguments than that.
LONG_SIGNATURES = {
    r"__init__": "scikit-learn's convention: a constructor has each parameter by name",
    r"fit|partial_fit": "data and validation data are arguments, as in scikit-learn's `fit`",
    r"minimize": "the signature of scipy's methods, with its options",
    r"from_\w+": "scikit-learn's convention: a display is drawn by one call with all options",
}

# The innermost loops over a block of rows. They get raw pointers, which carry no sizes.
POINTER_LOOPS = {"dot_csr", "add_csr", "dot_columns", "add_columns", "list_csr", "take_dense"}


def lines(path):
    return path.read_text("utf-8").splitlines()


def module_of(path):
    """The name of the module of a file. A .pxd belongs to the module that it declares."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in OURS}


@dataclass
class Function:
    """A function in a file: its name with those of its classes, its size, its arguments."""

    path: object
    name: str
    first: int
    size: int
    arguments: int

    def __str__(self):
        return f"{self.path.relative_to(ROOT)}:{self.first} {self.name}"


def python_functions(path):
    """The functions of a .py, nested ones too; docstrings do not count."""

    def walk(node, names):
        for child in ast.iter_child_nodes(node):
            inner = names
            if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                inner = [*names, child.name]
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                size = child.end_lineno - child.lineno + 1
                if ast.get_docstring(child, clean=False) is not None:
                    size -= child.body[0].end_lineno - child.body[0].lineno + 1
                a = child.args
                given = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
                count = sum(x is not None and x.arg not in ("self", "cls") for x in given)
                yield Function(path, ".".join(inner), child.lineno, size, count)
            yield from walk(child, inner)

    return list(walk(ast.parse(path.read_text("utf-8")), []))


def split_arguments(text):
    """The arguments between the outer parentheses of a definition, split at outer commas."""
    depth, parts = 0, [""]
    for letter in text[text.index("(") :]:
        depth += (letter in "([") - (letter in ")]")
        if depth == 0:
            break
        if letter == "," and depth == 1:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip(" (\n") for part in parts if part.strip(" (\n")]


def cython_functions(path):
    """The functions of a .pyx, which Python cannot parse."""
    text = lines(path)
    for k, line in enumerate(text):
        match = re.match(r"( *)(?:def|cdef|cpdef) (?!class )(?:.*?)(\w+)\(", line)
        if not match:
            continue
        head, end = line, k
        while head.count("(") > head.count(")"):
            end += 1
            head += "\n" + text[end]
        if not head.split("#")[0].rstrip().endswith(":"):
            continue  # a variable, or a declaration
        stop = end + 1
        indent = len(match[1])
        while stop < len(text) and re.match(f"( {{{indent + 1}}}|$)", text[stop]):
            stop += 1
        body = "\n".join(text[k:stop]).rstrip()
        docstring = "".join(re.findall(r'^ *""".*?"""\n', body, re.M | re.S))
        size = body.count("\n") + 1 - docstring.count("\n")
        given = split_arguments(head)
        names = [part.split("=")[0].split()[-1] for part in given if part not in ("*", "/")]
        count = sum(name not in ("self", "cls") for name in names)
        yield Function(path, match[2], k + 1, size, count)


@cache
def functions():
    """All functions of the package."""
    found = []
    for path in OURS:
        if path.suffix != ".pxd":
            found += (python_functions if path.suffix == ".py" else cython_functions)(path)
    return found


def public_functions():
    """The names of public functions, and of the methods of public classes, with their modules."""
    yield "sk_gd.minimize", "minimize"  # what scipy.optimize.minimize comes to
    for name in ("GDGridSearchCV", "GDRandomizedSearchCV"):  # Dask need not be installed
        yield "sk_gd.dask.search", f"{name}.__init__"
    for source in (sk_gd, inspection, losses, optimizers, penalties, schedules):
        for name in source.__all__:
            thing = getattr(source, name)
            if isinstance(thing, type):
                for owner in thing.__mro__:
                    for method in vars(owner):
                        yield owner.__module__, f"{owner.__qualname__}.{method}"
            elif callable(thing):
                yield thing.__module__, thing.__qualname__


def statements(path):
    """The imports and cimports of a file: from where, or "", and which names."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                yield "." * node.level + (node.module or ""), [name.name for name in node.names]
            elif isinstance(node, ast.Import):
                yield "", [name.name for name in node.names]
    else:
        for match in re.finditer(r"^ *(?:from +(\S+) +)?c?import +(\([^)]*\)|.*)$", text, re.M):
            yield match[1] or "", re.findall(r"[\w.]+", re.sub(r" as \w+", "", match[2]))


def imports(path):
    """The modules of the package that a file imports or cimports, also inside functions.

    Importing a module runs the packages that it is in. They count too, except for those that the
    file itself is in.
    """
    module = module_of(path)
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for source, names in statements(path):
        if source.startswith("."):
            source = importlib.util.resolve_name(source, package)
        source = source.removeprefix("cython.cimports.")
        for name in names:
            full = f"{source}.{name}".lstrip(".")
            target = full if full in MODULES else source
            if target not in MODULES:
                continue  # of another package
            yield target
            for outer in packages_of(target):
                if outer not in packages_of(module) and outer != module:
                    yield outer


def packages_of(module):
    """The packages that a module is in."""
    parts = module.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


@cache
def graph():
    """For each module the modules that it imports."""
    edges = {module: set() for module in MODULES}
    for path in OURS:
        edges[module_of(path)].update(imports(path))
        edges[module_of(path)].discard(module_of(path))  # a .pxd and its .pyx
    return edges


def reachable(module):
    """The modules that a module imports, and those that they import, and so on."""
    found, new = set(), {module}
    while new:
        new = set().union(*(graph()[one] for one in new)) - found
        found |= new
    return found


def unit(module):
    """The file or folder of the package that a module is in."""
    return module.split(".")[1] if "." in module else "__init__"


def report(found):
    """Fail with a line for each of what was found."""
    found = sorted(found)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_files_are_short():
    sizes = {path.relative_to(ROOT).as_posix(): len(lines(path)) for path in OURS}
    report(f"{name}: {size} lines" for name, size in sizes.items() if size > MAX_FILE)


def test_functions_are_short():
    report(f"{f}: {f.size} lines" for f in functions() if f.size > MAX_FUNCTION)


def test_argument_lists_are_short():
    public = set(public_functions())

    def may_be_long(f):
        if f.path.suffix == ".pyx" and f.name in POINTER_LOOPS:
            return True
        last = f.name.split(".")[-1]
        named = any(re.fullmatch(name, last) for name in LONG_SIGNATURES)
        return named and (module_of(f.path), f.name) in public

    long = [f for f in functions() if f.arguments > MAX_ARGUMENTS and not may_be_long(f)]
    report(f"{f}: {f.arguments} arguments" for f in long)


def test_modules_begin_with_what_they_are_for():
    """The first line of the docstring is a sentence."""
    sources = [path for path in OURS if path.suffix != ".pxd"]
    texts = {path: re.sub(r"\A(#.*\n|\n)*", "", path.read_text("utf-8")) for path in sources}
    wanted = r'r?"""\S.*\.("""|$)'
    report(str(path) for path, text in texts.items() if not re.match(wanted, text, re.M))


def test_no_circle_of_imports():
    reached = {module: reachable(module) for module in MODULES}
    circles = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in MODULES
        if module in reached[module]
    }
    report(f"import each other: {', '.join(sorted(circle))}" for circle in circles)


def test_imports_go_one_way():
    """Folders and files of the package import only those that are before them in `ORDER`."""
    assert set(ORDER) == {unit(module) for module in MODULES}
    place = {name: k for k, name in enumerate(ORDER)}
    report(
        f"{module} imports {target}"
        for module, targets in graph().items()
        for target in targets
        if place[unit(target)] > place[unit(module)]
    )


def test_steps_are_compiled_for_several_instruction_sets():
    """Every compiled step of a rule says so; with the smallest set Adam's takes a third longer."""
    steps = r"def (?:step|remember|descend)\([^)]*\) -> (\w+\.?\w+):"
    files = [path for path in (PACKAGE / "optimizers").glob("*.py") if path.stem != "base"]
    found = [
        (path.name, kind) for path in files for kind in re.findall(steps, path.read_text("utf-8"))
    ]
    assert len(found) > 20
    report(f"{name}: a step returns {kind}" for name, kind in found if "cloned" not in kind)
