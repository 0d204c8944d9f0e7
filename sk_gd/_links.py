"""Links to the documentation in the HTML that notebooks show for an estimator."""

import functools
import importlib.metadata
from pathlib import Path

# The site in a clone of the repository, if it has been built there.
BUILT = Path(__file__).parents[1] / "docs" / "_build"


def published():
    """Return the address of the documentation in the package's metadata, or "" without one."""
    try:
        urls = importlib.metadata.metadata("sk-gd").get_all("Project-URL", [])
    except importlib.metadata.PackageNotFoundError:  # run from the sources
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "").rstrip("/")


@functools.cache
def documentation():
    """Return the published address, else that of the site built in this clone, else ""."""
    built = BUILT.as_uri() if (BUILT / "index.html").exists() else ""
    return published() or built


class DocumentationLink:
    """Mixin that tells scikit-learn the address of the page of an estimator of ``sk_gd``.

    It comes before `BaseEstimator`. A subclass outside this package has no page.
    """

    _doc_link_module = "sk_gd"

    @property
    def _doc_link_template(self):
        address = documentation()
        return address and f"{address}/reference/sk_gd.{{name}}.html"

    def _doc_link_url_param_generator(self):
        return {"name": type(self).__name__}
