"""Draws the picture of README from a page of the gallery: ``python docs/picture.py``."""

import runpy
import sys
from pathlib import Path

import matplotlib

HERE = Path(__file__).parent
PICTURE = HERE / "_static" / "untuned.svg"


def draw(path):
    """Run the example, and write its figure to `path`; the file is the same every time."""
    matplotlib.use("Agg")
    # Text stays text; there are no random names of parts and no date.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sk_gd"}):
        example = runpy.run_path(HERE.parent / "examples" / "plot_untuned.py")
        example["figure"].savefig(path, facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(sys.argv[1] if sys.argv[1:] else PICTURE)
