"""How Sphinx makes the site of the pages in this folder: `make docs`.

The pages are Markdown that reads well on a code host, with plain links between files. So what only a site needs stands
here: the navigation, and where the two pages above this folder are.
"""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "dnnprov"
author = "the authors of dnnprov"
copyright = "the authors of dnnprov, Apache-2.0"  # noqa: A001 - as Sphinx has it
version = release = version_of("dnnprov")
language = "en"

extensions = ["myst_parser"]
exclude_patterns = ["_build", "generation"]
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]  # SQL with variables of Grafana

html_theme = "furo"
html_title = "dnnprov"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_use_index = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

NAVIGATION = {
    "Tutorial": ["tutorials/*"],
    "How to": [
        "how-to/record-your-own-loop",
        "how-to/keras",
        "how-to/jax",
        "how-to/scikit-learn",
        "how-to/tuners",
        "how-to/papers-face",
        "how-to/notebook",
        "how-to/ask-with-sql",
        "how-to/pandas",
        "how-to/follow-lineage",
        "how-to/export-prov",
        "how-to/other-tools",
        "how-to/cluster",
        "how-to/[!a]*",
        "how-to/add-*",
    ],
    "Reference": [
        "reference/interface-of-the-command-line",
        "reference/python-api",
        "reference/questions",
        "reference/database",
        "reference/*",
    ],
    "Explanation": ["explanation/*"],
    "Decisions": ["decisions/*"],
    "Project": ["contributing", "changelog"],
}
"""Heading of the side bar -> its pages in order; a new page appears by itself, after those named."""

LONG_WORD = 30
"""Characters."""

_PROJECT_PAGE = re.compile(r"\]\(\.\./(?P<up>(?:\.\./)*)(?P<name>CONTRIBUTING|CHANGELOG)\.md")
"""A link to a file above this folder; a page here of the same name includes it."""


def _table_of_contents(caption: str, pages: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", ":glob:", f":caption: {caption}", "", *pages, "```", ""])


def _add_what_a_site_needs(_: Sphinx, page: str, source: list[str]) -> None:
    if page == "index":
        source[0] += "".join(_table_of_contents(*part) for part in NAVIGATION.items())
    source[0] = _PROJECT_PAGE.sub(lambda link: f"]({link['up']}{link['name'].lower()}.md", source[0])


def _shorten_titles(_: Sphinx, environment: BuildEnvironment) -> None:
    """In the side bar `How to record Keras` stands below `How to`, as `Record Keras`."""
    for page, contents in environment.tocs.items():
        entry = next(contents.findall(nodes.reference), None)
        if page.startswith("how-to/") and entry is not None:
            words = entry.astext().removeprefix("How to ")
            entry.children = [nodes.Text(words[:1].upper() + words[1:])]


def _mark_long_words(_: Sphinx, page: nodes.document) -> None:
    """Literals that are longer than a column of a table: `site.css` lets them break."""
    for literal in page.findall(nodes.literal):
        if len(max(literal.astext().split(), key=len, default="")) > LONG_WORD:
            literal["classes"].append("long")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", _mark_long_words)
    app.connect("env-updated", _shorten_titles)
    app.connect("source-read", _add_what_a_site_needs)
