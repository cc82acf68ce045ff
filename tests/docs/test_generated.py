"""What pages take from the code is what the code has now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_generated_parts_of_the_reference_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_part_that_the_page_lacks_or_the_code_does_not_have_is_an_error(docs_code):
    filled = docs_code("generate").filled
    page = "before\n<!-- generated: a -->\nold\n<!-- end -->\nafter\n"
    assert filled(page, {"a": "new"}) == "before\n<!-- generated: a -->\n\nnew\n\n<!-- end -->\nafter\n"
    for parts in ({}, {"a": "new", "b": "also"}):
        with pytest.raises(SystemExit, match="one side only"):
            filled(page, parts)
