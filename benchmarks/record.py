"""Prints tables of measurements, and saves them with date and machine for the documentation."""

import argparse
import json
import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "scipy", "scikit-learn")


def parser(text):
    """The arguments of a script, whose docstring is the `text` that ``--help`` shows."""
    raw = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=text.replace("``", "`"), formatter_class=raw)


def machine():
    """Processor and number of cores."""
    lines = Path("/proc/cpuinfo")
    found = re.search("^model name\\s*: (.+)$", lines.read_text(), re.M) if lines.exists() else None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def markdown(head, rows):
    """The table in Markdown, as in README."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def record(name, title, text, head, rows, script=None):
    """Print the table, and write it to ``benchmarks/results``, which the documentation reads.

    `text` says in one paragraph what was measured. The cells are strings. A script with several
    tables gives each of them a `name`, and its own name as `script`.
    """
    print("\n" + markdown(head, rows))
    versions = {"Python": platform.python_version()} | {each: version(each) for each in PACKAGES}
    entry = {
        "name": name,
        "script": script or name,
        "title": title,
        "text": text,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions,
        "head": head,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")
