"""What a notebook shows of a model: its parameters, what it has learned, links to the pages."""

import importlib.metadata
import re
import subprocess
from email.message import Message
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sk_gd
from helpers.project import BROWSER
from helpers.runs import forget_site, look_for_site_in
from sk_gd import GDClassifier, GDGridSearchCV, GDRandomizedSearchCV, GDRegressor
from sk_gd.optimizers import SGD, Adam, ClipNorm, Nesterov

HOST = "https://sk-gd.example/stable"
X = np.random.default_rng(0).standard_normal((40, 3))
Y = X @ [1.0, 2.0, 3.0]


@pytest.fixture(autouse=True)
def no_site(monkeypatch, tmp_path):
    """There is none in the clone, built or not."""
    look_for_site_in(monkeypatch, tmp_path)
    yield
    forget_site()


@pytest.fixture(params=[f"{HOST}/", None])
def address(request, monkeypatch):
    """The address in the metadata of the package, or none."""
    metadata = Message()
    metadata["Project-URL"] = "Source, https://elsewhere.example"
    if request.param:
        metadata["Project-URL"] = f"Documentation, {request.param}"
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: metadata)
    return request.param


class Links(HTMLParser):
    """The addresses that are linked to."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a" and "href" in dict(attrs):
            self.found.append(dict(attrs)["href"])


@pytest.mark.parametrize(
    "model",
    [
        GDClassifier(),
        GDRegressor(Adam()),
        GDGridSearchCV(GDRegressor(), {}),
        GDRandomizedSearchCV(GDRegressor(), {}),
    ],
    ids=lambda model: type(model).__name__,
)
def test_links(model, address):
    """To the page of the class, from its title and from each of its parameters."""
    links = Links(model._repr_html_()).found
    page = f"{HOST}/reference/sk_gd.{type(model).__name__}.html"
    if address is None:
        assert not any(type(model).__name__ in link for link in links)
        return
    assert page in links
    parameters = set(re.findall(rf"{re.escape(page)}#:~:text=(\w+),-", " ".join(links)))
    assert parameters == set(model.get_params(deep=False))
    assert getattr(sk_gd, type(model).__name__) is type(model)


def test_pages_of_others(address):
    """A subclass of a user's has no page; what stands beside a model in a pipeline has its own."""

    class Mine(GDRegressor):
        pass

    assert Mine()._get_doc_link() == ""
    links = Links(make_pipeline(StandardScaler(), GDRegressor())._repr_html_()).found
    assert any("scikit-learn.org" in link and "StandardScaler" in link for link in links)
    assert (f"{HOST}/reference/sk_gd.GDRegressor.html" in links) == (address is not None)


def test_without_metadata(monkeypatch, tmp_path):
    """As when Python is started among the sources."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    assert GDRegressor()._get_doc_link() == ""
    # A site that has been built in the clone is better than none.
    (tmp_path / "index.html").touch()
    forget_site()
    page = f"{tmp_path.as_uri()}/reference/sk_gd.GDRegressor.html"
    assert GDRegressor()._get_doc_link() == page
    assert page in Links(GDRegressor()._repr_html_()).found


class Rows(HTMLParser):
    """The tables of a page, by the first cell with a text in each row."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.cells = {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.cells = []
        elif tag == "td" and self.cells is not None:
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data.strip()

    def handle_endtag(self, tag):
        if tag == "tr" and self.cells:
            name, *values = [cell for cell in self.cells if cell]
            self.rows[name] = values
            self.cells = None


def test_what_is_shown():
    """Parameters of instances by the names that set them, and no more than is readable."""
    model = GDRegressor(ClipNorm(Nesterov(momentum=0.75)), max_iter=3000, tol=None, batch_size=40)
    model.fit(X, Y)
    html = model._repr_html_()
    rows = Rows(html).rows
    assert rows["optimizer__optimizer__momentum"] == ["0.75"]
    assert rows["n_iter_"] == ["int", "3000"]
    assert rows["coef_"][0] == "ndarray[float64](3,)"
    assert len(rows["loss_curve_"][1]) < 120
    # What a model of three epochs shows besides is the same.
    short = GDRegressor(ClipNorm(Nesterov(momentum=0.75)), max_iter=3, tol=None, batch_size=40)
    assert abs(len(html) - len(short.fit(X, Y)._repr_html_())) < 500
    assert not {name for name in rows if name.startswith("_")}


@pytest.mark.skipif(BROWSER is None, reason="there is no browser")
def test_in_a_browser(tmp_path):
    """Opened, the table has the parameters of the optimizer in it."""
    html = GDRegressor(SGD(), alpha=0.5).fit(X, Y)._repr_html_()
    page = tmp_path / "model.html"
    page.write_text(
        f"<meta charset='utf-8'>{html}<script>window.onload = () => {{"
        "document.querySelectorAll('details').forEach(d => {d.open = true});"
        "document.title = document.querySelector('.sk-container').innerText}</script>",
        encoding="utf-8",
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [BROWSER, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    # What the browser lays out and does not hide, text fallback left out.
    (seen,) = re.findall("<title>(.*?)</title>", done.stdout, re.DOTALL)
    for words in ("GDRegressor", "Parameters", "optimizer", "SGD()", "alpha", "0.5", "loss_curve_"):
        assert words in seen
    assert "rerun this cell" not in seen
