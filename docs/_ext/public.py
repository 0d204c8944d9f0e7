"""Every public name has a page, and names of scikit-learn lead to its pages."""

import importlib
import pkgutil
import re

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.inspect import safe_getattr

import sk_gd

# scikit-learn writes these methods, which are about metadata routing and not about this package.
ROUTING = re.compile(r"set_\w+_request|get_metadata_routing")


def public_objects():
    """What the modules of the package publish by ``__all__``, by its first name; no modules."""
    found = {}
    names = [name for _, name, _ in pkgutil.iter_modules(sk_gd.__path__) if name[0] != "_"]
    for module in [sk_gd, *(importlib.import_module(f"sk_gd.{name}") for name in names)]:
        for name in getattr(module, "__all__", []):
            value = getattr(module, name)
            if not hasattr(value, "__path__") and type(value) is not type(sk_gd):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return dict(found.values())


def without_page(documented):
    """The public names of the objects of which none of the names `documented` is one."""
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
    """Leave out what is not ours to explain."""
    return True if ROUTING.fullmatch(name) else None


def plain(app, what, name, obj, options, lines):
    """Labels of scikit-learn's guide, in docstrings that are inherited from it, as text."""
    if not (getattr(obj, "__module__", None) or "").startswith("sk_gd"):
        lines[:] = [re.sub(r":ref:`([^`<]*?)(?: <[^`]*>)?`", r"\1", line) for line in lines]


def link(app, env, node, contnode):
    """A name of scikit-learn, as a link to its page there; other projects' as text."""
    target = node.get("reftarget", "")
    if target.startswith("sklearn."):
        page = f"https://scikit-learn.org/stable/modules/generated/{target}.html"
        return nodes.reference("", "", contnode, refuri=page, internal=False)
    if target.startswith(("numpy.", "scipy.", "matplotlib.")):
        return contnode
    return None


def setup(app):
    """Connect to the build."""
    app.connect("env-check-consistency", check)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", plain)
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True}
