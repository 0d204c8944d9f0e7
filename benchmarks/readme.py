"""Bring the tables of README up to what was last recorded: ``python benchmarks/readme.py``.

A table is between ``<!-- table: name -->``, or ``<!-- table: name, 4 columns -->`` for the first
so many of its columns, and ``<!-- end -->``.
"""

import json
import re
from pathlib import Path

from record import RESULTS, markdown

README = Path(__file__).parents[1] / "README.md"
TABLE = re.compile(r"(<!-- table: (\w+)(?:, (\d+) columns)? -->\n).*?(<!-- end -->)", re.DOTALL)


def table(match):
    """The recorded table, between its two comments."""
    begin, name, columns, end = match.groups()
    recorded = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    head, *rows = (
        line[: int(columns or len(line))] for line in [recorded["head"], *recorded["rows"]]
    )
    return f"{begin}{markdown(head, rows)}\n{end}"


def updated(text):
    """README's text with all its tables as they are recorded."""
    return TABLE.sub(table, text)


if __name__ == "__main__":
    README.write_text(updated(README.read_text("utf-8")), encoding="utf-8")
