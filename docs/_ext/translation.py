"""Tables that compare the parameters of another estimator with those of this package.

Names and defaults are taken from the signatures. The build stops if a parameter of the other
estimator is not explained and has no parameter of the same name here, or if an explained
parameter does not exist.
"""

import importlib
import inspect
import re

from catalogue import Table
from docutils.parsers.rst import directives
from sphinx.errors import ExtensionError


def find(path):
    """Import the class with the dotted name `path`."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def written(name, classes):
    """A parameter with its default, and with the defaults of the other classes that differ.

    The name may begin with another class of the package: ``losses.Huber.epsilon``.
    """
    owner, _, name = name.rpartition(".")
    if owner:
        parameters = inspect.signature(find(f"sk_gd.{owner}")).parameters
        if name not in parameters:
            raise ExtensionError(f"{owner} has no {name!r}.")
        return f"``{owner}({name}={parameters[name].default!r})``"
    defaults = {
        cls.__name__: repr(inspect.signature(cls).parameters[name].default)
        for cls in classes
        if name in inspect.signature(cls).parameters
    }
    if not defaults:
        raise ExtensionError(f"{' and '.join(c.__name__ for c in classes)} have no {name!r}.")
    (_, first), *more = defaults.items()
    text = f"``{name}={first}``"
    for other, default in more:
        if default != first:
            text += f" (``{other}``: ``{default}``)"
    return text


def entries(lines):
    """Parse the content into (their name, our name, explanation); either name may be empty."""
    found = []
    for line in lines:
        if line[:1].strip():
            theirs, arrow, ours = (part.strip() for part in line.partition("->"))
            found.append((theirs, ours if arrow else theirs, []))
        elif found:
            found[-1][2].append(line.strip())
    return [(theirs, ours, "\n".join(said).strip()) for theirs, ours, said in found]


def translation(theirs, ours, lines):
    """The rows of the table: all parameters of `theirs`, then those that only `ours` have."""
    names, known = (
        list(dict.fromkeys(name for cls in classes for name in inspect.signature(cls).parameters))
        for classes in (theirs, ours)
    )
    said = entries(lines)
    explained = {name for name, _, _ in said}
    missing = [name for name in names if name not in explained.union(known)]
    missing += [a or b for a, b, text in said if a != b and not text]
    if missing:
        raise ExtensionError(
            f"{', '.join(missing)} of {theirs[0].__name__} must be explained: there is no such "
            "parameter here, or it has another name."
        )
    said += [(name, name, "") for name in names if name not in explained]
    order = {name: k for k, name in enumerate(names)}
    return [
        [
            written(a, theirs) if a else "–",
            " and ".join(written(name, ours) for name in re.findall(r"[\w.]+", b)) or "–",
            text or "The same.",
        ]
        for a, b, text in sorted(said, key=lambda entry: order.get(entry[0], len(order)))
    ]


class Translation(Table):
    """``.. translation::`` with the options ``:theirs:`` and ``:ours:``, names of classes.

    The content is a list of ``their_name -> our_name``, each with an indented text below it.
    """

    has_content = True
    option_spec = {"theirs": directives.unchanged_required, "ours": directives.unchanged_required}

    def run(self):
        """The table."""
        paths = [self.options[side].split() for side in ("theirs", "ours")]
        head = [f":class:`~{first}`" for first, *_ in paths]
        theirs, ours = ([find(path) for path in side] for side in paths)
        return self.table([*head, "what is different"], translation(theirs, ours, self.content))


def setup(app):
    """Register the directive."""
    app.add_directive("translation", Translation)
    return {"parallel_read_safe": True}
