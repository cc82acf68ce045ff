"""The README: its code and its commands run, and it leaves nothing to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dnnprov

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_readme_s_code_and_commands_run(page, run_page, shell, small_training, workplace):
    shown = run_page(page("README.md"), **small_training)
    assert len(shown["losses"]) == 20  # ten epochs of Keras, ten of the loop
    assert [row["run"] for row in shown["best"]] == ["alexnet-2", "alexnet-1"]
    assert (workplace / "alexnet.svg").stat().st_size > 5000
    with dnnprov.open() as history:
        assert not history.sql("SELECT * FROM problem")
    (commands,) = [block for block in page("README.md").blocks("sh") if "dnnprov runs" in block.text]
    for command in commands.text.splitlines():
        assert shell(command), command


def test_the_readme_s_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = [
        line for block in page("README.md").all_blocks() if block.language == "sh" for line in block.text.splitlines()
    ]
    targets = {line.split()[1] for line in lines if line.startswith("make ")}
    assert targets == {"demo", "test"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_no_page_leaves_a_gap_to_fill_in():
    for path in PAGES:
        assert not re.search(r"@[A-Z]+@|TODO|TBD|lorem", path.read_text(encoding="utf-8")), path
