"""Links from the HTML that notebooks show to the pages of the documentation."""

import functools
import importlib.metadata
from pathlib import Path

# Where the site is in a clone in which it has been built.
BUILT = Path(__file__).parents[1] / "docs" / "_build"


def published():
    """Where the documentation is, as the metadata of the package say; "" if they do not."""
    try:
        urls = importlib.metadata.metadata("sk-gd").get_all("Project-URL", [])
    except importlib.metadata.PackageNotFoundError:  # run from the sources
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "").rstrip("/")


@functools.cache
def documentation():
    """Where it is published, or else in this clone, if it has been built; or ""."""
    built = BUILT.as_uri() if (BUILT / "index.html").exists() else ""
    return published() or built


class DocumentationLink:
    """Says to scikit-learn where the page of an estimator of ``sk_gd`` is; before `BaseEstimator`.

    A subclass that is not of this package has no page.
    """

    _doc_link_module = "sk_gd"

    @property
    def _doc_link_template(self):
        where = documentation()
        return where and f"{where}/reference/sk_gd.{{name}}.html"

    def _doc_link_url_param_generator(self):
        return {"name": type(self).__name__}
