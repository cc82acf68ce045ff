"""Every example of every page is run by some test, or says why not."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])
EXAMPLES = {"python", "sh", "sql"}
DATA = {"text", "json", "yaml", "toml", "turtle"}
MARKS = r"not run: .{10,}|needs \S+|exits with \d+|second kernel"
OWN_RUNNERS = ("docs/how-to/", "docs/tutorials/", "README.md")
"""Where test_how_to.py, test_tutorial.py and test_readme.py run everything."""

ANSWERED = ("docs/reference/database.md", "docs/reference/questions.md")
"""Whose SQL `docs/generate.py` runs, which test_generated.py compares."""


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_of_a_language_that_tests_know(page, name):
    for block in page(name).all_blocks():
        assert block.language in EXAMPLES | DATA | {"{include}"}, f"{name}:{block.line}: {block.language}"


@pytest.mark.parametrize("name", PAGES)
def test_every_fence_names_its_language(page, name):
    fences = re.findall(r"^```.*$", page(name).text, re.MULTILINE)
    assert all(fence != "```" for fence in fences[::2]), name


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("docs/tutorials/")])
def test_every_mark_is_known_and_what_is_not_run_says_why_and_parses(page, name):
    for block in page(name).all_blocks():
        if block.language not in EXAMPLES or block.mark.startswith(("generated", "end")) or not block.mark:
            continue
        assert re.fullmatch(MARKS, block.mark), f"{name}:{block.line}: {block.mark}"
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "sh":
            subprocess.run(["bash", "-n", "-c", block.text], check=True, timeout=30)


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith(OWN_RUNNERS)])
def test_the_examples_of_reference_and_explanation_run(page, run_page, several_runs, name):
    if {block.language for block in page(name).blocks()} & {"python", "sh"}:
        run_page(page(name), sql=name not in ANSWERED)
    else:
        assert name in ANSWERED or not page(name).blocks("sql")
