"""Settings of Sphinx for the documentation: ``sphinx-build -W -n docs docs/_build``."""

import importlib
import sys
from pathlib import Path

import sk_gd
from sk_gd._links import published

HERE = Path(__file__).parent
sys.path += [str(HERE / "_ext"), str(HERE.parent / "benchmarks")]
importlib.import_module("record")  # for the extensions
# Otherwise `steps` in a docstring would be taken for the script of this name.
sys.path.pop()

project = "sk_gd"
author = "The sk_gd developers"
copyright = f"2026, {author}"
version = release = sk_gd.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx-mathjax-offline",  # formulas need no network
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "catalogue",
    "differences",
    "public",
    "translation",
]
exclude_patterns = ["_build", "**sg_execution_times.rst"]
templates_path = ["_templates"]
nitpicky = True
# Single backticks are a link if there is an object of this name, and plain text otherwise.
default_role = "autolink"

autosummary_imported_members = True  # the public modules import what they publish
autosummary_ignore_module_all = False
# A method without a docstring of its own is documented at its base class.
autodoc_inherit_docstrings = False
autodoc_typehints = "none"  # the docstrings say more, in fewer letters
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "download_all_examples": False,
    "show_signature": False,
    "plot_gallery": True,
    "abort_on_example_error": True,
    "within_subsection_order": "gallery.position",
}

html_theme = "pydata_sphinx_theme"
html_title = f"sk_gd {version}"
html_baseurl = published()
html_theme_options = {"secondary_sidebar_items": ["page-toc"]}
toc_object_entries_show_parents = "hide"
# Pages without a section of their own have no list of neighbours.
html_sidebars = {
    page: [] for page in ("index", "losses", "schedules", "how_it_works", "benchmarks")
}
html_context = {"default_mode": "auto"}  # without a choice the theme complains
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
