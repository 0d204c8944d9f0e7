"""What README shows is what was measured and drawn, and says what the package is."""

import re
from xml.etree import ElementTree

import pytest
from sklearn.datasets import load_iris

import sk_gd
from helpers.project import ROOT, blocks, read, recorded, scripts
from sk_gd import GDClassifier, optimizers

README = read("README.md")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def imported():
    """Imports a script of benchmarks or docs."""
    with scripts("benchmarks", "docs") as imported:
        yield imported


def test_tables_are_the_recorded_ones(imported):
    """After a benchmark ``python benchmarks/readme.py`` makes them so."""
    readme = imported("readme")
    assert readme.updated(README) == README
    names = [match[2] for match in readme.TABLE.finditer(README)]
    assert names == ["compare_features", "compare", "compare_time", "speed", "search"]
    changed = README.replace("| softmax, 10", "| softmax, 11")
    assert changed != README and readme.updated(changed) == README


def test_numbers_between_the_tables_are_recorded():
    """Those of the speed, and of the tournament."""
    speed, tournament = (
        README.partition(f"<!-- table: {before}")[2].partition("<!-- end -->\n\n")[2]
        for before in ("speed", "search")
    )
    speed = speed.split("\n\n")[0]
    numbers = re.findall(r"[\d.]*\d(?= (?:ms|%))", speed)
    assert len(numbers) == 4
    for number in numbers:
        assert f" {number} " in recorded("speed")["text"]
    (row,) = (row for row in recorded("tournament")["rows"] if row[0] == "auto")
    others = re.findall(r"[\d.]+ %", recorded("tournament")["text"])
    assert len(others) == 2
    for number in [*(f"{100 * float(gap):.2g} %" for gap in row[1:3]), *others]:
        assert number in tournament


def test_the_default_is_what_is_said_of_it():
    """In the words of the documentation, of the tournament that was recorded."""
    gaps = {
        name: [float(gap) for gap in row[:2]]
        for name, *row in recorded("tournament")["rows"]
        if not optimizers.get(name).full_batch
    }
    after_20, after_100 = gaps.pop("auto")
    assert after_100 < min(late for _, late in gaps.values())
    assert after_20 < 1.25 * min(early for early, _ in gaps.values())
    said = (
        "of all that work on mini-batches it left the smallest gap to the optimum on the worst "
        "of many data sets after 100 epochs, and after 20 hardly more than the best"
    )
    assert said in " ".join(GDClassifier.__doc__.split())


def test_an_epoch_is_a_share_of_a_fit():
    """For those that are trained for a number of epochs that is said."""
    table = recorded("compare_time")
    epochs = {"torch": int(re.search(r"for (\d+) epochs", table["text"])[1]), "river": 1}
    for peer, n in epochs.items():
        for row in table["rows"]:
            cell = row[table["head"].index(peer)].replace(",", "")
            fit, epoch = (float(number) for number in re.findall(r"[\d.]+", cell))
            assert epoch == pytest.approx(fit / n, rel=0.05)


def test_when_others_are_said_to_be_faster():
    """With raw sparse data, for the same accuracy."""
    cells = {
        name: {row[0]: row[1:3] for row in recorded(name)["rows"]}["sparse 20,000 × 10,000, raw"]
        for name in ("compare", "compare_time")
    }
    accuracy, theirs = (float(cell.split()[0]) for cell in cells["compare"])
    assert "for the same accuracy" in " ".join(README.split())
    assert accuracy == pytest.approx(theirs, abs=0.005)
    time, theirs = (float(cell.split()[0]) for cell in cells["compare_time"])
    assert "`SGDClassifier` took an eighth of our time" in README
    assert time / theirs == pytest.approx(8, abs=0.5)


def test_abilities_are_still_those(imported):
    """The column of this package, without scikit-learn's checks, which have a test of their own."""
    found = {row[0]: row[1] for row in recorded("compare_features")["rows"]}
    model = GDClassifier().fit(*load_iris(return_X_y=True))
    assert found.pop("optimizers") == str(len(optimizers.names()))
    assert found.pop("scikit-learn's checks that fail") == "0"
    assert set(found.values()) == {"yes"}
    assert len(model.loss_curve_) == model.n_iter_


def test_citation():
    (entry,) = blocks(README, "bibtex")
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", entry, re.MULTILINE))
    assert fields["version"] == sk_gd.__version__
    assert fields["license"] in read("pyproject.toml")
    assert entry.startswith("@software{") and entry.count("{") == entry.count("}")


def test_links_and_pictures_exist():
    paths = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]+)?\)", README)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def words_and_points(path):
    """The texts of a drawing, and the points of its curves."""
    root = ElementTree.parse(path).getroot()
    words = {"".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")}
    points = [
        [float(number) for number in re.findall(r"-?[\d.]+", line.get("d"))]
        for group in root.iter(f"{SVG}g")
        if (group.get("id") or "").startswith("line2d")
        for line in group.findall(f"{SVG}path")
    ]
    return words, sorted(line for line in points if len(line) > 6)  # not those of the legend


def test_picture_can_be_drawn_again(imported, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = imported("picture")
    assert picture.PICTURE.stat().st_size < 100_000
    picture.draw(tmp_path / "again.svg")
    words, curves = words_and_points(picture.PICTURE)
    words_again, curves_again = words_and_points(tmp_path / "again.svg")
    assert words == words_again and "share of the way left" in words
    assert len(curves) == len(curves_again) == 4
    for curve, again in zip(curves, curves_again, strict=True):
        # In points, of which the drawing has some five hundred: another version of a
        # library may lay it out, or round, a little differently.
        assert curve == pytest.approx(again, abs=5)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith("GDClassifier()") and len(printed) == 4
