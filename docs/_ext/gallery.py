"""Sorts the pages of the gallery: they come in the order of examples/GALLERY_HEADER.rst."""

from pathlib import Path

HEADER = Path(__file__).parents[2] / "examples" / "GALLERY_HEADER.rst"


def position(file):
    """The position of a page; scripts without a page come last."""
    header = HEADER.read_text("utf-8")
    found = header.find(f"`{Path(file).stem}`")
    return found if found >= 0 else len(header)
