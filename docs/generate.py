"""Writes anew what pages take from the code: `make docs-generate`.

A page says where such a part goes with two comments, `<!-- generated: dnnprov runs -->` and `<!-- end -->`; what stands
between them is made here. With `--check` nothing is written, and pages that are not up to date are an error.
"""

from __future__ import annotations

import difflib
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from generation.commands import command_parts
from generation.example_store import example_history
from generation.examples import answered
from generation.frameworks import framework_parts
from generation.questions import question_parts
from generation.schema_picture import draw_schema

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parent
COMMANDS = DOCS / "reference/interface-of-the-command-line.md"
QUESTIONS = DOCS / "reference/questions.md"
DATABASE = DOCS / "reference/database.md"
FRAMEWORKS = DOCS / "reference/frameworks.md"
PICTURE = DOCS / "images/schema.svg"

_PART = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, parts: dict[str, str]) -> str:
    """The text of a page with its parts in place.

    Raises:
        SystemExit: the page asks for a part that there is none of, or lacks one that there is.
    """
    asked = [found["name"] for found in _PART.finditer(text)]
    if sorted(asked) != sorted(parts):
        wrong = sorted(set(asked) ^ set(parts)) or [name for name in asked if asked.count(name) > 1]
        raise SystemExit(f"generated parts that stand on one side only, or twice: {', '.join(wrong)}")
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found['name']].strip()}\n\n{found[3]}", text)


def pages() -> dict[Path, str]:
    """Each page with generated parts -> its text as it ought to be."""
    with tempfile.TemporaryDirectory() as place, example_history(Path(place)) as history:
        made: dict[Path, Callable[[str], str]] = {
            COMMANDS: lambda text: filled(text, command_parts()),
            QUESTIONS: lambda text: filled(text, question_parts(history)),
            DATABASE: lambda text: answered(text, history),
            FRAMEWORKS: lambda text: filled(text, framework_parts()),
        }
        return {path: make(path.read_text(encoding="utf-8")) for path, make in made.items()}


def main() -> int:
    """Write the pages, or tell what would change."""
    is_stale = False
    for path, text in pages().items():
        before = path.read_text(encoding="utf-8")
        if before == text:
            continue
        is_stale = True
        name = str(path.relative_to(DOCS.parent))
        if "--check" in sys.argv:
            sys.stdout.writelines(
                difflib.unified_diff(before.splitlines(True), text.splitlines(True), name, "as the code has it", n=1)
            )
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if "--check" in sys.argv:
        if is_stale:
            print("pages are not up to date: make docs-generate")
        return 1 if is_stale else 0
    PICTURE.write_bytes(draw_schema())
    return 0


if __name__ == "__main__":
    sys.exit(main())
