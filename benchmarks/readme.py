"""Copies the recorded tables into README: ``python benchmarks/readme.py``.

A table stands between ``<!-- table: name -->`` and ``<!-- end -->``. With
``<!-- table: name, 4 columns -->`` only the first four columns are copied.
"""

import json
import re
from pathlib import Path

from record import RESULTS, markdown, parser

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
    """The text of README with the recorded tables in place of its tables."""
    return TABLE.sub(table, text)


if __name__ == "__main__":
    parser(__doc__).parse_args()
    README.write_text(updated(README.read_text("utf-8")), encoding="utf-8")
