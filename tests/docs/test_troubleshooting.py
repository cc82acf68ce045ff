"""The page of troubleshooting has a line for each message, and none for messages that are gone."""

from __future__ import annotations

import re

import pytest

from dnnprov.analysis.health import MEANINGS
from dnnprov.analysis.store_state import ADVICE

PAGE = "docs/how-to/troubleshooting.md"


def test_every_finding_and_problem_of_doctor_has_its_line_and_no_other(page):
    about_store = page(PAGE).table("What `doctor` finds about the store")
    about_runs = page(PAGE).table("What `doctor` counts about runs")
    assert [row[0].strip("`") for row in about_store] == list(ADVICE)
    assert {row[0].strip("`") for row in about_runs} == set(MEANINGS)


@pytest.mark.parametrize("heading", ["What a training says", "What a question says"])
def test_messages_of_the_page_are_those_of_the_code(page, heading):
    shown = page(PAGE)
    source = " ".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for path in (shown.path.parents[2] / "src").rglob("*.py")
    )
    for row in shown.table(heading):
        for part in re.findall(r"`([^`]+)`", row[0]):
            assert part in source, f"no message of the code says {part!r}"


def test_every_warning_of_a_training_has_its_line(page):
    shown = page(PAGE)
    warned = set()
    for path in (shown.path.parents[2] / "src" / "dnnprov" / "capture").glob("*.py"):
        warned |= set(re.findall(r'_warn\([^"]*"(\w+)"', path.read_text(encoding="utf-8")))
    lines = {"lost": "could not be recorded", "deleted": "was deleted", "taken": "was closed", "closed": "after finish"}
    assert warned == set(lines)
    said = " ".join(row[0] for row in shown.table("What a training says"))
    assert all(part in said for part in lines.values())
