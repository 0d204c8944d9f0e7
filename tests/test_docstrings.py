"""Docstrings: every public name has one, it is well-formed, and its examples run."""

import doctest
import importlib
import inspect
import warnings

import numpy as np
import pytest

import sk_gd
from helpers.interop import run_examples, skip_without_imports
from helpers.project import modules

numpydoc = pytest.importorskip("numpydoc")
validate = pytest.importorskip("numpydoc.validate")

# The modules that users import; the names in their __all__ are public.
MODULES = [
    "sk_gd",
    *(
        name
        for name in modules()
        if name.removeprefix("sk_gd.")
        in (
            "optimizers",
            "losses",
            "penalties",
            "schedules",
            "exceptions",
            "inspection",
            "callbacks",
            "onnx",
            "skops",
            "dask",
        )
    ),
]

# Checks of numpydoc that are off, and why.
IGNORED = {
    "ES01": "an extended summary is written where there is more to say, not everywhere",
    "EX01": "examples are asked for on classes, below, not on every method",
    "SA01": "related things are linked where that helps",
    "SA04": "a name says enough for a link",
    "GL01": "text begins on the line of the quotes",
    "GL02": "and ends on the line of the quotes where it is short",
    "GL08": "methods that are inherited or part of a protocol are documented at their base",
    "PR01": "constructor parameters are documented with the class",
    "PR08": "a description may begin with the name of a thing",
    "RT02": "a return value has a type, and a name only if there are several",
    "RT03": "the type of a return value may say all",
    "YD01": "there are no generators",
}


def public_objects():
    """Every public class, method and function, once, by its first public name."""
    found = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value) or id(value) in {id(v) for v in found.values()}:
                continue
            found[f"{module_name}.{name}"] = value
    return found


OBJECTS = public_objects()
CLASSES = {name: value for name, value in OBJECTS.items() if inspect.isclass(value)}
METHODS = {
    f"{name}.{attribute}": value
    for name, cls in CLASSES.items()
    for attribute, value in vars(cls).items()
    if not attribute.startswith("_") and callable(value)
}


def errors(name):
    """The errors that numpydoc finds, except the ignored ones."""
    found = validate.validate(name)["errors"]
    return [f"{code}: {text}" for code, text in found if code not in IGNORED]


def test_there_is_something_to_test():
    assert {"sk_gd.GDRegressor", "sk_gd.optimizers.Adam", "sk_gd.losses.get"} <= {*OBJECTS}
    assert "sk_gd.GDClassifier.partial_fit" in METHODS


@pytest.mark.parametrize("module", MODULES)
def test_module_lists_what_is_public(module):
    module = importlib.import_module(module)
    assert module.__doc__
    assert sorted(module.__all__) == sorted(set(module.__all__))
    # All other public names that the module defines are in the list, too.
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    }
    assert own <= set(module.__all__)


@pytest.mark.parametrize("name", [*OBJECTS, *METHODS])
def test_has_a_docstring(name):
    documented = {**OBJECTS, **METHODS}[name]
    attribute = name.rpartition(".")[2]
    text = inspect.getdoc(documented)
    if name in METHODS and not text:
        # A method that overrides another may leave the docstring to it.
        owner = CLASSES[name.rpartition(".")[0]]
        text = next(
            (
                vars(base)[attribute].__doc__
                for base in owner.__mro__[1:]
                if attribute in vars(base) and vars(base)[attribute].__doc__
            ),
            None,
        )
    assert text, f"{name} has no docstring"


@pytest.mark.parametrize("name", [*OBJECTS, *METHODS])
def test_numpydoc(name):
    assert errors(name) == []


def documented_parameters(value):
    """The names in the section of parameters, in their order."""
    from numpydoc.docscrape import NumpyDocString

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = NumpyDocString(inspect.getdoc(value) or "")
    names = [name for field in text["Parameters"] for name in field.name.split(",")]
    return [name.strip().lstrip("*") for name in names]


def signature_of(value):
    return [
        name
        for name, parameter in inspect.signature(value).parameters.items()
        if name not in ("self", "cls")
    ]


@pytest.mark.parametrize("name", [name for name, cls in CLASSES.items() if "__init__" in vars(cls)])
def test_parameters_of_a_class_are_its_signature(name):
    cls = CLASSES[name]
    if issubclass(cls, Exception):
        documented = set(documented_parameters(cls)) or None
        assert documented is None or documented <= set(signature_of(cls))
        return
    assert documented_parameters(cls) == signature_of(cls)


@pytest.mark.parametrize(
    "name",
    [
        f"sk_gd.{cls}.{method}"
        for cls in ("GDRegressor", "GDClassifier")
        for method in (
            "fit",
            "partial_fit",
            "predict",
            "score",
            "decision_function",
            "predict_proba",
            "predict_log_proba",
        )
        if hasattr(getattr(sk_gd, cls), method)
    ],
)
def test_parameters_of_a_method_are_its_signature(name):
    cls, method = name.split(".")[1:]
    value = inspect.getattr_static(getattr(sk_gd, cls), method)
    value = getattr(value, "fn", value)
    assert documented_parameters(value) == signature_of(value)


@pytest.mark.parametrize("cls", [sk_gd.GDRegressor, sk_gd.GDClassifier], ids=lambda c: c.__name__)
def test_fitted_attributes_are_documented(cls):
    from numpydoc.docscrape import NumpyDocString

    X = np.arange(40.0).reshape(20, 2) % 7
    y = np.arange(20) % 2
    model = cls(tol=None, max_iter=2).fit(X, y, X_val=X, y_val=y)
    fitted = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    section = NumpyDocString(inspect.getdoc(cls))["Attributes"]
    documented = {field.name for field in section}
    assert documented == fitted | {"feature_names_in_"}


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.endswith(("optimizers", "losses", "schedules"))]
)
def test_every_name_is_documented_with_an_example(module):
    """Every name is a public class with an example; optimizers also have references."""
    module = importlib.import_module(module)
    names = (
        module.names("regressor") + module.names("classifier")
        if hasattr(module, "TABLE") and module.__name__.endswith("losses")
        else module.names()
    )
    for name in names:
        cls = type(module.get(name))
        assert cls.__name__ in module.__all__, name
        assert ">>>" in cls.__doc__, name
        if module.__name__.endswith("optimizers"):
            assert "References\n" in cls.__doc__ and ".. math::" in cls.__doc__, name


def example_owners():
    """The objects that may have examples: also those of compiled modules, which have no source."""
    owners = {**OBJECTS, **METHODS}
    for name in modules():
        owners[name] = importlib.import_module(name)
    return {
        name: value
        for name, value in owners.items()
        if ">>>" in (getattr(value, "__doc__", "") or "")
    }


@pytest.mark.parametrize("name, value", example_owners().items(), ids=list(example_owners()))
def test_examples(name, value):
    finder = doctest.DocTestFinder(recurse=False, exclude_empty=True)
    (example,) = finder.find(value, name, globs={}, module=False)
    skip_without_imports(example)
    run_examples(example)
