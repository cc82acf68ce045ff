"""What holds for all pages: links lead somewhere, every page is found from the index, and what is named exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])


def headings(text):
    """Anchors of the headings, as code hosts and MyST form them."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^#+ (.*)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def links(page):
    text = re.sub(r"^```.*?^```$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    return [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("https://")]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(page, name):
    for target in links(page(name)):
        path, _, anchor = target.partition("#")
        place = (ROOT / name).parent / path if path else ROOT / name
        assert place.exists(), target
        if anchor:
            assert anchor in headings(place.read_text(encoding="utf-8")), target


def test_every_page_is_found_from_the_index(page):
    seen, waiting = set(), [ROOT / "docs/index.md"]
    while waiting:
        place = waiting.pop()
        if place in seen or place.suffix != ".md":
            continue
        seen.add(place)
        here = place.relative_to(ROOT)
        waiting += [(place.parent / target.partition("#")[0]).resolve() for target in links(page(here))]
    for path in ROOT.glob("docs/**/*.md"):
        included = re.search(r"^```{include} (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert (path.parent / included[1]).resolve() in seen if included else path in seen, path


@pytest.mark.parametrize("name", PAGES)
def test_no_page_names_a_place_of_one_machine_or_a_registry(page, name):
    text = page(name).text
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users|farm)/", text)
    assert not re.search(r"pypi\.org|index-url|pythonhosted", text)


@pytest.mark.parametrize("name", PAGES)
def test_modules_and_folders_that_a_page_names_exist(page, name):
    for path in set(re.findall(r"`((?:\w+/)+\w+(?:\.py|\.md)?)`", page(name).text)):
        places = [ROOT / path, ROOT / "src" / path, ROOT / "src/dnnprov" / path, ROOT / "src/dnnprov/analysis" / path]
        places += [ROOT / "tests" / path]
        assert any(place.exists() for place in places), path


def layers():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    return [name.strip() for layer in contract["layers"] for name in layer.split("|")]


def test_the_layers_are_drawn_as_the_import_contracts_have_them(page):
    (drawing,) = page("CONTRIBUTING.md").blocks("text")
    drawn = [line.split()[0] for line in drawing.text.splitlines() if not line.strip().startswith("─")]
    assert drawn == layers()


def test_every_part_is_in_the_table_of_the_architecture(page, names):
    rows = page("docs/explanation/architecture.md").table("The parts")
    assert {name for row in rows for name in names(row[0])} == set(layers()) - {"__main__"}


def test_every_make_target_is_in_the_table_for_contributors(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)) - {"help"}
    assert targets == {row[0].strip("`").removeprefix("make ") for row in page("CONTRIBUTING.md").table("Set-up")}


def test_every_format_of_export_is_in_its_how_to(page, names):
    from dnnprov.export.formats import FORMATS

    rows = page("docs/how-to/export-prov.md").table("Documents")
    written = {name: row[1] for row in rows for name in names(row[0])}
    assert set(written) == set(FORMATS)
    for name, one in FORMATS.items():
        assert all(suffix in written[name] for suffix in one.suffixes)


def test_the_numbers_that_pages_state_are_those_of_the_code(page):
    from dnnprov.analysis.history import DEFAULT_LIMIT, DEFAULT_TIMEOUT_SECONDS
    from dnnprov.capture.recorder import HEARTBEAT_SECONDS
    from dnnprov.journal.reader import CHUNK_BYTES
    from dnnprov.store import follower
    from dnnprov.store.liveness import STALE_SECONDS
    from dnnprov.store.schema import MAX_ATTRIBUTE_COLUMNS

    architecture = " ".join(page("docs/explanation/architecture.md").text.split())
    assert f"syncs that file every {HEARTBEAT_SECONDS:g} s" in architecture
    assert f"nothing was heard for {STALE_SECONDS:g} s, nine heartbeats" in architecture
    assert STALE_SECONDS == 9 * HEARTBEAT_SECONDS
    assert f"in pieces of up to {CHUNK_BYTES >> 20} MiB" in architecture
    assert f"reads pieces of {follower.CHUNK_BYTES >> 10} KiB" in architecture
    assert f"ends after {follower.IDLE_SECONDS:g} s without news" in architecture
    assert f"Beyond {MAX_ATTRIBUTE_COLUMNS} attributes" in page("docs/reference/database.md").text
    queries = " ".join(page("docs/how-to/ask-with-sql.md").text.split())
    assert f"stop after {DEFAULT_TIMEOUT_SECONDS:g} s (`--timeout`) and give at most {DEFAULT_LIMIT:,} rows" in queries
