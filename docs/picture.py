"""Draw README's picture, of a page of the gallery, again: ``python docs/picture.py``."""

import runpy
import sys
from pathlib import Path

import matplotlib

HERE = Path(__file__).parent
PICTURE = HERE / "_static" / "untuned.svg"


def draw(path):
    """Run the example, and write its figure to `path`; the same one every time."""
    matplotlib.use("Agg")
    # Words stay words; no names of parts that change from run to run, and no date.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sk_gd"}):
        example = runpy.run_path(HERE.parent / "examples" / "plot_untuned.py")
        example["figure"].savefig(path, facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(sys.argv[1] if sys.argv[1:] else PICTURE)
