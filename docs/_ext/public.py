"""Checks that every public name has a page, and links names of scikit-learn to its pages."""

import contextlib
import importlib
import pkgutil
import re

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.inspect import safe_getattr

import sk_gd

# Methods that scikit-learn generates for metadata routing.
ROUTING = re.compile(r"set_\w+_request|get_metadata_routing")


def modules():
    """The public modules whose extras are installed."""
    for _, name, _ in pkgutil.iter_modules(sk_gd.__path__):
        if name[0] != "_":
            with contextlib.suppress(ImportError):
                yield importlib.import_module(f"sk_gd.{name}")


def public_objects():
    """The objects in the ``__all__`` of the public modules, by first public name; no modules."""
    found = {}
    for module in [sk_gd, *modules()]:
        for name in getattr(module, "__all__", []):
            value = getattr(module, name)
            if not hasattr(value, "__path__") and type(value) is not type(sk_gd):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return dict(found.values())


def without_page(documented):
    """The public names of objects that have no name among `documented`, the names with a page."""
    known = set()
    for name in documented:
        module, _, attribute = name.rpartition(".")
        try:
            known.add(id(safe_getattr(importlib.import_module(module), attribute)))
        except (ImportError, AttributeError, ValueError):
            continue  # a method, or a name of another project
    return [name for name, value in public_objects().items() if id(value) not in known]


def check(app, env):
    """Stop the build if a public name has no page."""
    missing = without_page(env.domains.python_domain.objects)
    if missing:
        raise ExtensionError(
            f"These public names have no page: {', '.join(missing)}. Add their module to "
            "docs/api.rst."
        )


def skip(app, what, name, obj, skip, options):
    """Leave out the methods that scikit-learn generates."""
    return True if ROUTING.fullmatch(name) else None


def plain(app, what, name, obj, options, lines):
    """Show labels and terms of scikit-learn's guide as code in docstrings inherited from it."""
    written = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    if not written.startswith("sk_gd"):
        lines[:] = [
            re.sub(r":(?:ref|term):`([^`<]*?)(?: <[^`]*>)?`", r"``\1``", line) for line in lines
        ]


def link(app, env, node, contnode):
    """Link a name of scikit-learn to its page there; show names of other projects as text."""
    target = node.get("reftarget", "")
    if target.startswith("sklearn."):
        page = f"https://scikit-learn.org/stable/modules/generated/{target}.html"
        return nodes.reference("", "", contnode, refuri=page, internal=False)
    if target.startswith(("numpy.", "scipy.", "matplotlib.")):
        return contnode
    return None


def setup(app):
    """Connect the functions to the events of the build."""
    app.connect("env-check-consistency", check)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", plain)
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True}
