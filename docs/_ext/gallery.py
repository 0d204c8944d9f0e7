"""The order of the gallery: that in which its first page names the others."""

from pathlib import Path

HEADER = Path(__file__).parents[2] / "examples" / "GALLERY_HEADER.rst"


def place(file):
    """Where a page comes; scripts that are no pages come last."""
    header = HEADER.read_text("utf-8")
    found = header.find(f"`{Path(file).stem}`")
    return found if found >= 0 else len(header)
