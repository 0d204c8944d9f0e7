"""Draws the picture of one round on a cluster: ``python docs/round.py``."""

import sys
from pathlib import Path

PICTURE = Path(__file__).parent / "_static" / "round.svg"

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 330" role="img"
     aria-labelledby="title what">
<title id="title">One round</title>
<desc id="what">The client sends weights to the workers. Each worker answers with the sums of its
partitions. The client adds them in the order of the partitions and takes a step.</desc>
<style>
  text { font: 13px "DejaVu Sans", Verdana, Arial, sans-serif; fill: #1a1a1a; }
  .name { font-weight: bold; }
  .note { font-size: 12px; fill: #333333; }
  .client { fill: #dbe9f6; stroke: #1f77b4; }
  .worker { fill: none; stroke: #6b7a90; stroke-dasharray: 4 3; }
  .part { fill: #ffe8d1; stroke: #d9700a; }
  .arrow { fill: none; stroke: #444444; stroke-width: 1.5; marker-end: url(#head); }
</style>
<defs>
  <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
          orient="auto">
    <path d="M 0 0 L 8 4 L 0 8 z" fill="#444444"/>
  </marker>
</defs>
<rect width="800" height="330" rx="8" fill="#ffffff"/>
"""

# The workers, and the partitions that each of them holds.
WORKERS = [(16, "worker A", [0, 2, 5]), (530, "worker B", [1, 3, 4])]


def text(x, y, content, kind="note", anchor="middle"):
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{content}</text>\n'


def box(kind, x, y, width, height):
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="5"/>\n'


def arrow(*points):
    path = " L ".join(f"{x} {y}" for x, y in points)
    return f'<path class="arrow" d="M {path}"/>\n'


def picture():
    """The text of the picture."""
    parts = [HEAD, box("client", 290, 16, 220, 92), text(400, 38, "client", "name")]
    parts += [
        text(400, 60, "rule, penalty, stopping, curves"),
        text(400, 78, "adds the sums in the order"),
        text(400, 94, "0, 1, 2, 3, 4, 5, and takes a step"),
    ]
    for x, name, held in WORKERS:
        parts += [box("worker", x, 170, 254, 140), text(x + 127, 192, name, "name")]
        for k, number in enumerate(held):
            left = x + 14 + 78 * k
            parts += [
                box("part", left, 206, 70, 46),
                text(left + 35, 226, f"rows {number}"),
                text(left + 35, 243, "f, ∇f"),
            ]
        parts.append(text(x + 127, 278, "one task a thread:"))
        parts.append(text(x + 127, 296, "sums of its partitions"))
    parts += [
        arrow((290, 50), (100, 50), (100, 166)),
        arrow((190, 166), (190, 90), (286, 90)),
        arrow((510, 50), (700, 50), (700, 166)),
        arrow((610, 166), (610, 90), (514, 90)),
        text(96, 130, "weights", anchor="end"),
        text(196, 130, "sums of each partition", anchor="start"),
        text(704, 130, "weights", anchor="start"),
        text(604, 130, "sums of each partition", anchor="end"),
        "</svg>\n",
    ]
    return "".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1] if sys.argv[1:] else PICTURE).write_text(picture(), encoding="utf-8")
