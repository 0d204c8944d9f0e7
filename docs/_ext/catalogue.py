"""Tables of optimizers, losses, schedules and measurements, made from the code and the records.

Nothing in them is typed by hand. Names are read from the tables of the package, parameters from
the signatures, uses and papers from the docstrings. Memory is counted, times are recorded.
"""

import functools
import html
import inspect
import json
import re
from pathlib import Path

import numpy as np
from docutils import nodes
from docutils.statemachine import StringList
from numpydoc.docscrape import NumpyDocString
from record import RESULTS
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from sk_gd import losses, optimizers, schedules

# The pages under docs/optimizers, in order, and the modules that each of them documents.
FAMILIES = {
    "descent": ("descent",),
    "adaptive": ("adaptive", "adam", "adam_variants", "amos"),
    "sign": ("sign",),
    "parameter_free": ("parameter_free", "prodigy"),
    "averaging": ("averaging",),
    "curvature": ("curvature", "line_search", "variance_reduced", "lbfgs"),
    "no_gradient": ("derivative_free",),
    "wrappers": ("wrappers",),
}


def family_of(cls):
    """The page of the class."""
    module = cls.__module__.rpartition(".")[2]
    pages = [page for page, modules in FAMILIES.items() if module in modules]
    if not pages:
        raise ExtensionError(
            f"{cls.__name__} is in sk_gd/optimizers/{module}.py, which is on no page. Add the "
            "module to a page in FAMILIES of docs/_ext/catalogue.py."
        )
    return pages[0]


def public_optimizers():
    """The public classes with their names, in the order of the catalogue; a wrapper has None."""
    named = {cls: name for name, cls in optimizers.TABLE.items()}
    public = (getattr(optimizers, name) for name in optimizers.__all__)
    wrappers = [
        value
        for value in public
        if inspect.isclass(value) and value not in (*named, optimizers.Optimizer)
    ]
    return named | dict.fromkeys(wrappers)


def parsed(cls):
    """The docstring, parsed by numpydoc."""
    return NumpyDocString(inspect.getdoc(cls))


def good_for(cls):
    """The paragraph of the docstring that begins with "Good for", without these words."""
    paragraphs = "\n".join(parsed(cls)["Extended Summary"]).split("\n\n")
    found = [text for text in paragraphs if text.startswith("Good for ")]
    if len(found) != 1:
        raise ExtensionError(
            f'The docstring of {cls.__name__} must have one paragraph that begins with "Good for". '
            f"Got {len(found)}."
        )
    return " ".join(found[0].split()).removeprefix("Good for ").removesuffix(".")


def parameters(cls):
    """The parameters with their defaults, written as in a call."""
    parts = []
    for name, parameter in inspect.signature(cls).parameters.items():
        default = parameter.default
        value = f"{default:.4g}" if isinstance(default, float) else repr(default)
        parts.append(name if default is parameter.empty else f"{name}={value}")
    return ", ".join(f"``{part}``" for part in parts) or "–"


def paper(cls):
    """Authors and year of the first reference; a link if it has a DOI or an arXiv number."""
    text = " ".join(" ".join(parsed(cls)["References"]).split())
    if not text:
        return "–"
    authors, year = re.match(r"(.+?) \((\d{4})\)", text).groups()
    names = re.findall(r"([^,&]+?), (?:[A-Z][a-z]?\.[- ]?)+", authors)
    if len(names) > 2 or "et al." in authors:
        label = f"{names[0].strip()} et al. {year}"
    else:
        label = f"{' & '.join(name.strip() for name in names) or authors} {year}"
    first = re.search(r"doi:(\S+)|arXiv:([\d.]+\d)", text)
    if first is None:
        return label
    doi, arxiv = first.groups()
    address = f"https://doi.org/{doi}" if doi else f"https://arxiv.org/abs/{arxiv}"
    return f"`{label} <{address}>`__"


def instance(cls):
    """An instance with default parameters; a wrapper gets plain descent."""
    required = [
        parameter
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.default is parameter.empty
    ]
    return cls(*(optimizers.SGD() for _ in required))


def state_per_weight(optimizer):
    """How many numbers a run keeps for each weight, in addition to the weight."""
    few, many = (
        sum(array.size for array in optimizer.rule(n).arrays.values()) for n in (1000, 3000)
    )
    each = (many - few) / 2000
    return int(each) if each == int(each) else round(each, 2)


@functools.cache
def steps():
    """The record of benchmarks/steps.py."""
    return json.loads((RESULTS / "steps.json").read_text("utf-8"))


def nanoseconds(name):
    """The recorded time of a step; a dash for wrappers and for optimizers not measured yet."""
    return dict(steps()["rows"]).get(f"``{name}``", "–")


def rate(optimizer):
    """The meaning of ``learning_rate="auto"``."""
    if optimizer.default_rate == "own":
        return "not needed"
    if optimizer.default_rate == "smoothness":
        return "1 / L".replace(" ", "\N{NO-BREAK SPACE}")
    return f"{optimizer.default_rate:.3g} / √tr H".replace(" ", "\N{NO-BREAK SPACE}")


def optimizer_row(cls, name, family):
    """A row of the table."""
    optimizer = instance(cls)
    row = [f":class:`~sk_gd.optimizers.{cls.__name__}`" + (f"\n\n``{name}``" if name else "")]
    if family:
        row.insert(0, f":doc:`/optimizers/{family_of(cls)}`")
    wraps = name is None
    return [
        *row,
        good_for(cls),
        parameters(cls),
        "as the inner one" if wraps else rate(optimizer),
        "as the inner one" if wraps else ("yes" if optimizer.full_batch == "required" else "no"),
        f"+{state_per_weight(optimizer)}" if wraps else str(state_per_weight(optimizer)),
        nanoseconds(name),
        paper(cls),
    ]


OPTIMIZER_HEAD = [
    "optimizer",
    "good for",
    "parameters",
    "learning rate",
    "full batch only",
    "state",
    "step, ns",
    "paper",
]


def loss_row(name):
    """A row of the table of losses."""
    cls = losses.TABLE[name]
    return [
        f":class:`~sk_gd.losses.{cls.__name__}`\n\n``{name}``",
        parsed(cls)["Summary"][0],
        good_for(cls),
        parameters(cls),
        "yes" if hasattr(cls, "probabilities") else "no",
    ]


def multiplier(schedule, horizon=100):
    """A small picture of the multiplier over time, for a loss that stops falling half-way."""
    stalling = [1 / (1 + min(epoch, horizon // 2)) for epoch in range(horizon)]
    times = np.linspace(0, horizon, 8 * horizon, endpoint=False)
    values = [
        float(schedule.after(stalling[: int(time)])(np.array([time]), horizon)[0]) for time in times
    ]
    points = " ".join(
        f"{100 * time / horizon:.1f},{30 - 30 * value:.1f}"
        for time, value in zip(times, values, strict=True)
    )
    label = html.escape(f"{type(schedule).__name__} over {horizon} epochs")
    return (
        f'<svg class="multiplier" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}"><line x1="0" y1="30" x2="100" y2="30"/>'
        f'<polyline points="{points}"/></svg>'
    )


def schedule_row(name):
    """A row of the table of schedules."""
    cls = schedules.TABLE[name]
    return [
        f":class:`~sk_gd.schedules.{cls.__name__}`\n\n``{name}``",
        f".. raw:: html\n\n   {multiplier(cls())}",
        good_for(cls),
        parameters(cls),
        paper(cls),
    ]


def records():
    """The records of the benchmarks, sorted by file name."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]


class Table(SphinxDirective):
    """Base of the directives that make a table; its cells are reStructuredText."""

    module = "sk_gd"

    def table(self, head, rows, classes=("catalogue",)):
        """The nodes of the table."""
        lines = [".. list-table::", "   :header-rows: 1", f"   :class: {' '.join(classes)}", ""]
        for row in [head, *rows]:
            for k, cell in enumerate(row):
                mark = "   * - " if k == 0 else "     - "
                first, *more = str(cell).split("\n")
                lines += [mark + first, *(f"       {line}".rstrip() for line in more)]
        return self.parse("\n".join(lines))

    def parse(self, text):
        """The nodes of a text; short names are looked up in `module`."""
        context = self.env.ref_context
        before = context.get("py:module")
        context["py:module"] = self.module
        holder = nodes.Element()
        source = StringList(text.split("\n"), source=type(self).__name__)
        self.state.nested_parse(source, self.content_offset, holder, match_titles=1)
        context["py:module"] = before
        return holder.children


class Optimizers(Table):
    """``.. optimizers:: [family]``: the table of the optimizers of a family, or of all."""

    optional_arguments = 1
    module = "sk_gd.optimizers"

    def run(self):
        """The table."""
        family = self.arguments[0] if self.arguments else None
        rows = [
            optimizer_row(cls, name, family is None)
            for cls, name in public_optimizers().items()
            if family in (None, family_of(cls))
        ]
        if not rows:
            raise ExtensionError(f"There is no optimizer on the page {family!r}.")
        head = OPTIMIZER_HEAD if family else ["family", *OPTIMIZER_HEAD]
        return self.table(head, rows)


class Processor(Table):
    """``.. processor::``: a note on the times of the steps, with date and machine."""

    def run(self):
        """One sentence."""
        record = steps()
        self.env.note_dependency(RESULTS / "steps.json")
        return self.parse(
            f"{record['text'].partition('. ')[0]}. Recorded by ``python benchmarks/steps.py`` on "
            f"{record['date']}, {record['machine']}. Use the times only to compare optimizers."
        )


class Losses(Table):
    """``.. losses:: regressor`` or ``classifier``."""

    required_arguments = 1
    module = "sk_gd.losses"

    def run(self):
        """The table."""
        (kind,) = self.arguments
        head = ["loss", "description", "good for", "parameters", "probabilities"]
        rows = [loss_row(name) for name in losses.names(kind)]
        if kind == "regressor":
            head, rows = head[:-1], [row[:-1] for row in rows]
        return self.table(head, rows)


class Schedules(Table):
    """``.. schedules::``."""

    module = "sk_gd.schedules"

    def run(self):
        """The table."""
        head = ["schedule", "multiplier", "good for", "parameters", "paper"]
        return self.table(head, [schedule_row(name) for name in schedules.names()])


class Recorded(Table):
    """``.. recorded::``: the recorded tables of the benchmarks, with date and machine.

    With the name of a record it is the table of that one, without a section of its own.
    """

    optional_arguments = 1

    def run(self):
        """One section for each record, or one table."""
        found = []
        for record in records():
            if self.arguments and record["name"] != self.arguments[0]:
                continue
            self.env.note_dependency(RESULTS / f"{record['name']}.json")
            versions = ", ".join(f"{key} {value}" for key, value in record["versions"].items())
            title = record["title"]
            heading = "" if self.arguments else f"{title}\n{'-' * len(title)}\n\n"
            found += self.parse(
                f"{heading}{record['text']}\n\n"
                f"Recorded by ``python benchmarks/{record['script']}.py`` on {record['date']}: "
                f"{record['machine']}; {versions}.\n"
            )
            place = found if self.arguments else found[-1]
            place += self.table(record["head"], record["rows"], ("catalogue", "recorded"))
        return found


class Script(SphinxDirective):
    """``.. scripts::``: the examples outside the gallery, with the first line of each."""

    def run(self):
        """A list."""
        folder = Path(__file__).parents[2] / "examples"
        found = nodes.bullet_list()
        for path in sorted(folder.glob("*.py")):
            if path.name.startswith("plot_"):
                continue
            summary = path.read_text("utf-8").partition('"""')[2].splitlines()[0]
            self.env.note_dependency(path)
            item = nodes.paragraph()
            item += nodes.literal(text=f"examples/{path.name}")
            item += nodes.Text(f": {summary}")
            found += nodes.list_item("", item)
        return [found]


def setup(app):
    """Register the directives."""
    for cls, name in (
        (Optimizers, "optimizers"),
        (Processor, "processor"),
        (Losses, "losses"),
        (Schedules, "schedules"),
        (Recorded, "recorded"),
        (Script, "scripts"),
    ):
        app.add_directive(name, cls)
    return {"parallel_read_safe": True}
