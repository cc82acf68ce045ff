"""The site that Sphinx makes of the pages: no broken link, no page left out, nothing loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(str(path.relative_to(ROOT / "docs").with_suffix("")) for path in ROOT.glob("docs/**/*.md"))


class Loads(HTMLParser):
    """What a page loads by itself, and what it links to."""

    def __init__(self):
        super().__init__()
        self.loaded, self.links = [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif tag == "link" and given.get("rel") not in {"canonical", "index", "search", "next", "prev"}:
            self.loaded.append(given.get("href") or "")
        self.loaded += [given[name] for name in ("src", "data", "poster", "srcset") if given.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site; a warning, as of a broken link or a page in no list, is an error."""
    place = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-b",
        "html",
        "-d",
        f"{place}/doctrees",
    ]
    done = subprocess.run(
        [*command, "docs", f"{place}/html"], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return place / "html"


def test_every_page_is_in_the_navigation_of_the_site(site):
    index = Loads()
    index.feed((site / "index.html").read_text(encoding="utf-8"))
    assert {f"{name}.html" for name in PAGES} - {"index.html"} <= set(index.links)
    assert all((site / f"{name}.html").is_file() for name in PAGES)


def test_no_page_of_the_site_loads_anything_from_outside(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > len(PAGES)
    for path in pages:
        page = Loads()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.loaded
        for loaded in page.loaded:
            assert not re.match(r"[a-z]+:|//", loaded) or loaded.startswith("data:"), f"{path.name} loads {loaded}"
    for path in [*site.rglob("*.css")]:
        found = re.findall(r"url\(['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", path.read_text(encoding="utf-8"))
        assert not [one for one in found if re.match(r"https?:|//", "".join(one))], path.name


def test_links_of_the_site_to_its_own_pages_lead_somewhere(site):
    for path in site.rglob("*.html"):
        page = Loads()
        page.feed(path.read_text(encoding="utf-8"))
        for link in page.links:
            place, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", place) or not (place or anchor):
                continue
            target = (path.parent / place).resolve() if place else path
            assert target.exists(), f"{path.name}: {link}"
            if anchor and target.suffix == ".html":
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), f"{path.name}: {link}"


def test_the_pictures_of_the_pages_are_on_the_site(site):
    for name in ("alexnet", "schema", "two-towers"):
        assert (site / "_images" / f"{name}.svg").stat().st_size > 1000
