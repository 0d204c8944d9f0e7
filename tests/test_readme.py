"""Numbers, pictures and links of README agree with the records, the code and the files."""

import re
from xml.etree import ElementTree

import pytest
from sklearn.datasets import load_iris

import sk_gd
from helpers.optimizers import MINI_BATCH
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
    """``python benchmarks/readme.py`` updates them after a benchmark."""
    readme = imported("readme")
    assert readme.updated(README) == README
    names = [match[2] for match in readme.TABLE.finditer(README)]
    comparisons = ["compare_features", "compare", "compare_time"]
    assert names == [*comparisons, "tables", "drawn", "speed", "search"]
    changed = README.replace("| softmax, 10", "| softmax, 11")
    assert changed != README and readme.updated(changed) == README


def numbers(text):
    """The numbers in a text, as they are written there."""
    return re.findall(r"\d[\d,]*(?:\.\d+)?", text)


def known(name):
    """The numbers of a record, with those of the gaps as percentages, too."""
    entry = recorded(name)
    cells = [cell for row in entry["rows"] for cell in row]
    gaps = [cell for cell in cells if re.fullmatch(r"\d\.\de[+-]\d\d", cell)]
    percentages = [f"{100 * float(gap):.2g}" for gap in gaps]
    return {*percentages, *(n for text in [entry["text"], *cells] for n in numbers(text))}


def paragraphs():
    """The prose of README, each with the names of the records that its numbers may come from.

    These are the ones of the script in benchmarks that the paragraph names, or else that of the
    table above it in the same section.
    """
    scripts = {}
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        scripts.setdefault(recorded(path.stem)["script"], []).append(path.stem)
    table = []
    for text in re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL).split("\n\n"):
        if text.startswith("<!-- table:"):
            table = re.findall(r"table: (\w+)", text)
        elif text.startswith("## "):
            table = []
        elif not text.startswith("|"):
            named = re.findall(r"benchmarks/(\w+)\.py", text)
            yield text, [record for name in named for record in scripts[name]] or table


MEASURED = re.compile(r"(\d[\d,]*(?:\.\d+)?) ?(?:%|(?:ms|s|seconds|MB|GB)\b)")


def test_measurements_in_the_text_are_recorded():
    """Every number with a unit of time, memory or share, beside a table or a benchmark's name."""
    found = []
    for text, records in paragraphs():
        allowed = set().union(*map(known, records))
        measured = MEASURED.findall(text)
        assert set(measured) <= allowed, f"not in the records of {records}: {text}"
        found += measured
    assert found


def test_a_wrong_measurement_is_found(monkeypatch):
    measured = {match[0] for text, _ in paragraphs() for match in MEASURED.finditer(text)}
    assert len(measured) > 5
    for right in measured:
        wrong = right.replace(numbers(right)[0], "98765.4")
        monkeypatch.setitem(globals(), "README", README.replace(right, wrong))
        with pytest.raises(AssertionError, match="98765.4"):
            test_measurements_in_the_text_are_recorded()


def test_the_default_is_good_at_any_moment():
    """No optimizer for mini-batches leaves less after 100 epochs, nor much less after 20."""
    gaps = {
        name: [float(gap) for gap in row[:2]]
        for name, *row in recorded("tournament")["rows"]
        if name == "auto" or name in MINI_BATCH
    }
    after_20, after_100 = gaps.pop("auto")
    assert after_100 < min(late for _, late in gaps.values())
    assert after_20 < 1.25 * min(early for early, _ in gaps.values())


def test_the_default_is_named():
    """By its class, with or without spaces in the name; the class's documentation has it all."""
    model = GDClassifier(batch_size=16, max_iter=1, tol=None).fit(*load_iris(return_X_y=True))
    assert repr(model.optimizer_) in GDClassifier.__doc__
    name = re.sub("(?<=[a-z])(?=[A-Z])", "[- ]?", type(model.optimizer_).__name__)
    for text in (README, read("docs/optimizers/index.rst")):
        assert re.search(name, text)


def test_an_epoch_is_a_share_of_a_fit():
    """For the packages with a known number of epochs."""
    table = recorded("compare_time")
    epochs = {"torch": int(re.search(r"(\d+) epochs", table["text"])[1]), "river": 1}
    for peer, n in epochs.items():
        for row in table["rows"]:
            cell = row[table["head"].index(peer)].replace(",", "")
            fit, epoch = (float(number) for number in re.findall(r"[\d.]+", cell))
            assert epoch == pytest.approx(fit / n, rel=0.05)


def test_raw_and_scaled_data_give_about_the_same():
    """What README says of sk_gd beside the table."""
    found = {row[0]: row[1].split(" / ") for row in recorded("compare")["rows"]}
    raw = {name for name in found if name.endswith(", raw")}
    assert len(raw) == len(found) / 2
    for name in raw:
        pairs = zip(found[name], found[name.replace(", raw", ", scaled")], strict=True)
        for one, other in pairs:
            assert float(one) == pytest.approx(float(other), abs=0.02), name


@pytest.mark.parametrize(("name", "n_rows"), [("tables", 4), ("drawn", 2)])
def test_defaults_are_better_on_average(name, n_rows):
    """On the real tables, and on those that were not used to choose them."""
    entry = recorded(name)
    mean, median, accuracy = (
        entry["head"].index(name) for name in ("log ratio, mean", "median", "accuracy")
    )
    assert len(entry["rows"]) == n_rows
    for row in entry["rows"]:
        assert float(row[mean]) < 0 and float(row[median]) <= 0
        assert not row[accuracy] or float(row[accuracy]) >= 0


def test_abilities_are_still_those(imported):
    """The table's column of this package; scikit-learn's checks have tests of their own."""
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
    # Old versions of Matplotlib place each digit of a power by itself, between spaces.
    words = {"".join("".join(text.itertext()).split()) for text in root.iter(f"{SVG}text")}
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
    assert words == words_again and "GDClassifier()" in words
    assert len(curves) == len(curves_again) == 4
    for curve, again in zip(curves, curves_again, strict=True):
        # The unit is a point, and the drawing is about 500 points wide. Other versions of
        # Matplotlib may have another layout.
        assert curve == pytest.approx(again, abs=5)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith("GDClassifier()") and len(printed) == 4
