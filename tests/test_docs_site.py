"""The built documentation, in ``docs/_build``: its links."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from helpers.project import SITE
from helpers.runs import link_to_site
from sk_gd import GDClassifier, GDGridSearchCV, GDRandomizedSearchCV, GDRegressor

pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").exists(), reason="the documentation is not built"
)


class Page(HTMLParser):
    """The addresses that a page names, and the places it has."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.places = set(), set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.places.add(attributes.get("id"))
        for name in ("href", "src"):
            if attributes.get(name):
                self.addresses.add(attributes[name])


def test_internal_links_lead_somewhere():
    """Every file and every place in it, those of the tables and of the theme included."""
    pages = {path: Page(path) for path in SITE.rglob("*.html") if "_static" not in path.parts}
    assert len(pages) > 100
    broken, checked = [], 0
    for path, page in pages.items():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            checked += 1
            lost = not target.exists() or (
                target in pages and parts.fragment and parts.fragment not in pages[target].places
            )
            if lost:
                broken.append(f"{path.relative_to(SITE)}: {address}")
    assert checked > 10 * len(pages)
    assert not broken


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor, GDGridSearchCV, GDRandomizedSearchCV])
def test_notebooks_link_to_pages(cls, monkeypatch):
    """To those of this site, once it is published."""
    link_to_site(monkeypatch, SITE.as_uri())
    model = cls() if cls in (GDClassifier, GDRegressor) else cls(GDRegressor(), {})
    assert Path(unquote(urlsplit(model._get_doc_link()).path)).exists()
