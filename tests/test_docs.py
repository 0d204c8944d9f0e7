"""The examples of the guide run, and the tables of the documentation agree with the code."""

import doctest
import importlib
import inspect
import re

import pytest

from helpers.assertions import naming
from helpers.interop import (
    JOBLIB_DASK_WARNINGS,
    MLFLOW_WARNINGS,
    run_examples,
    skip_without_imports,
)
from helpers.project import ROOT, read, recorded, scripts
from sk_gd import GDClassifier, GDRegressor, losses, optimizers, schedules

TOOLS = ROOT / "docs" / "guide" / "tools.rst"
PAGES = sorted(
    path.relative_to(ROOT / "docs").as_posix()
    for path in [*(ROOT / "docs").glob("*.rst"), *(ROOT / "docs" / "guide").glob("*.rst")]
    if ">>>" in path.read_text("utf-8") and path != TOOLS
)
# Title, text, title, text, ... Each section stands alone and may need tools that are missing.
_, *SECTIONS = re.split(r"^(.+)\n-{3,}$", read("docs/guide/tools.rst"), flags=re.MULTILINE)
SECTIONS = dict(zip(SECTIONS[::2], SECTIONS[1::2], strict=True))
KNOWN_WARNINGS = {"MLflow": MLFLOW_WARNINGS, "joblib and Dask": JOBLIB_DASK_WARNINGS}
TABLES = {
    "optimizers": optimizers.TABLE,
    "losses": losses.TABLE,
    "schedules": schedules.TABLE,
}


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_the_guide(page):
    text, path = read(f"docs/{page}"), ROOT / "docs" / page
    for package in ("torch", "dask"):
        if f"import {package}" in text:
            pytest.importorskip(package)
    run_examples(doctest.DocTestParser().get_doctest(text, {}, page, str(path), 0))


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=KNOWN_WARNINGS.get(title, [])) for title in SECTIONS]
)
def test_examples_of_the_tools(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    examples = doctest.DocTestParser().get_doctest(SECTIONS[title], {}, title, str(TOOLS), 0)
    skip_without_imports(examples)
    run_examples(examples)


@pytest.mark.parametrize(
    "cls", [cls for table in TABLES.values() for cls in table.values()], ids=lambda c: c.__name__
)
def test_docstrings_say_what_a_thing_is_good_for(cls):
    """The tables of the documentation show this paragraph."""
    paragraphs = inspect.getdoc(cls).partition("\nParameters\n")[0].split("\n\n")
    (said,) = (text for text in paragraphs if text.startswith("Good for "))
    assert said.rstrip().endswith(".")


@pytest.fixture(scope="module")
def catalogue():
    """The extension that makes the tables."""
    pytest.importorskip("sphinx")
    pytest.importorskip("numpydoc")
    with scripts("docs/_ext", "benchmarks") as imported:
        yield imported("catalogue")


@pytest.mark.parametrize(
    "name, numbers",
    [("sgd", 0), ("momentum", 1), ("adagrad", 1), ("adam", 2), ("amsgrad", 3), ("adan", 4)],
)
def test_state_per_weight(catalogue, name, numbers):
    """Adan, for example, keeps three means and the previous gradient."""
    assert catalogue.state_per_weight(optimizers.get(name)) == numbers


def test_every_optimizer_is_on_the_page_of_a_family(catalogue):
    pages = {path.stem for path in (ROOT / "docs" / "optimizers").glob("*.rst")} - {"index"}
    assert pages == set(catalogue.FAMILIES)
    for cls in catalogue.public_optimizers():
        assert catalogue.family_of(cls) in pages
    assert set(optimizers.TABLE.values()) | {optimizers.ClipNorm} <= set(
        catalogue.public_optimizers()
    )


def test_an_optimizer_without_a_page_stops_the_build(catalogue):
    class Lost(optimizers.Optimizer):
        pass

    with pytest.raises(Exception, match=naming("Lost", "FAMILIES")):
        catalogue.family_of(Lost)
    with pytest.raises(Exception, match=naming("Lost", '"Good for"')):
        catalogue.good_for(Lost)


def test_papers(catalogue):
    assert catalogue.paper(optimizers.Adam) == (
        "`Kingma & Ba 2015 <https://arxiv.org/abs/1412.6980>`__"
    )
    assert catalogue.paper(optimizers.SGD).startswith("`Robbins & Monro 1951 <https://doi.org/10.")
    assert catalogue.paper(optimizers.Adagrad) == "Duchi et al. 2011"
    assert catalogue.paper(schedules.Constant) == "–"


def test_tables_of_parameters(catalogue):
    """They have all parameters with their defaults, and no parameter that does not exist."""
    translation = importlib.import_module("translation")

    class Theirs:
        def __init__(self, eta0=0.5, tol=1, n_jobs=None):
            """Three parameters, one of which exists here under the same name."""

    def rows(*lines):
        return translation.translation([Theirs], [GDClassifier, GDRegressor], lines)

    nothing = ["n_jobs ->", "  None."]
    found = rows("-> loss", "  One", "  thing.", *nothing, "eta0 -> learning_rate", "  A number.")
    unexplained = found[1].pop()
    assert unexplained
    assert found == [
        ["``eta0=0.5``", "``learning_rate='auto'``", "A number."],
        ["``tol=1``", "``tol=0.0001``"],
        ["``n_jobs=None``", "–", "None."],
        ["–", "``loss='log_loss'`` (``GDRegressor``: ``'squared_error'``)", "One\nthing."],
    ]
    with pytest.raises(Exception, match=naming("Theirs", "eta0", "n_jobs")):
        rows()
    with pytest.raises(Exception, match="(?s)^(?!.*eta0).*n_jobs.*Theirs"):
        rows("eta0 -> learning_rate", "  A number.", "n_jobs ->")
    loss = ["eta0 -> losses.Huber.epsilon", "  Another one.", *nothing, "tol ->", "  None."]
    assert rows(*loss)[0][1] == "``losses.Huber(epsilon=1.35)``"
    with pytest.raises(Exception, match=naming("losses.Huber", "'rate'")):
        rows("eta0 -> losses.Huber.rate", "  A number.", *nothing)
    for line in ("rate -> learning_rate", "eta0 -> rate"):
        with pytest.raises(Exception, match="'rate'"):
            rows("eta0 ->", "  None.", *nothing, line, "  A number.")


def test_steps_are_those_recorded(catalogue):
    """The table of optimizers shows the recorded times."""
    for name, nanoseconds in recorded("steps")["rows"]:
        cls = optimizers.TABLE[name.strip("`")]
        assert nanoseconds in catalogue.optimizer_row(cls, name.strip("`"), None)
    assert "–" in catalogue.optimizer_row(optimizers.ClipNorm, None, None)[:-1]


def test_rates(catalogue):
    assert not re.search(r"\d", catalogue.rate(optimizers.Prodigy()))
    assert catalogue.rate(optimizers.Nesterov()).startswith("1")
    assert catalogue.rate(optimizers.Adam()).startswith(f"{optimizers.Adam.default_rate}")


def test_a_public_name_without_a_page_is_found(catalogue):
    public = importlib.import_module("public")
    names = list(public.public_objects())
    assert "sk_gd.GDRegressor" in names
    assert "sk_gd.optimizers.Adam" in names
    assert public.without_page(names) == []
    assert public.without_page(set(names) - {"sk_gd.optimizers.Adam"}) == ["sk_gd.optimizers.Adam"]


def test_a_record_is_what_the_documentation_reads(catalogue, tmp_path, monkeypatch, capsys):
    record = importlib.import_module("record")
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(catalogue, "RESULTS", tmp_path)
    record.record("race", "The race", "Who is first.", ["who", "when"], [["me", "1.0"]])
    (entry,) = catalogue.records()
    assert entry["rows"] == [["me", "1.0"]]
    assert entry["machine"] and entry["date"] and entry["versions"]["numpy"]
    assert "| me | 1.0 |" in capsys.readouterr().out


def test_the_page_on_the_design_names_files_that_exist():
    """In its text and in its picture."""
    named = re.findall(r"``([\w/]+\.pyx?)``", read("docs/how_it_works.rst"))
    drawn = re.findall(r'class="file"[^>]*>([^<]+)<', read("docs/_static/fit.svg"))
    files = {*named, *drawn}
    assert len(files) > 15
    assert [file for file in sorted(files) if not (ROOT / "sk_gd" / file).exists()] == []
