"""Reading the documentation: its pages, their code blocks, their sections."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is imported

import pytest

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the comment directly above it: what the test is to do with it."""

    language: str
    text: str
    mark: str
    line: int


class Page:
    """A page of the documentation, by its path from the root of the project."""

    def __init__(self, name):
        self.path = ROOT / name
        self.text = self.path.read_text(encoding="utf-8")

    def blocks(self, *languages):
        """Its fenced blocks in one of these languages, or all, but for those marked as not run."""
        found = [
            Block(match["language"], match["text"], match["mark"] or "", self.text.count("\n", 0, match.start("text")))
            for match in _BLOCK.finditer(self.text)
        ]
        return [b for b in found if (not languages or b.language in languages) and not b.mark.startswith("not run")]

    def section(self, heading):
        """The text under a heading of any level, until the next one of the same or a higher level."""
        begin = re.search(rf"^(#+) {re.escape(heading)}$", self.text, re.MULTILINE)
        assert begin, f"{self.path.name} has no heading {heading!r}"
        rest = self.text[begin.end() :]
        end = re.search(rf"^#{{1,{len(begin[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest

    def table(self, heading=None):
        """The cells of all table rows under a heading, or of the page; neither head nor ruler."""
        text = self.section(heading) if heading else self.text
        rows, is_body = [], False
        for line in text.splitlines():
            if not line.startswith("|"):
                is_body = False
            elif re.fullmatch(r"[|\s:-]+", line):
                is_body = True
            elif is_body:
                rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return rows


def names_in(text):
    """What stands in backticks, each alone."""
    return set(re.findall(r"`([^`]+)`", text))


@pytest.fixture
def page():
    return Page


@pytest.fixture
def names():
    return names_in


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to work in, with the commands of this Python first on the path and the default store in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("DNNPROV_STORE", "DNNPROV_DISABLED", "DNNPROV_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def shell(workplace):
    """Runs lines of a shell in the folder; what they print, stdout and stderr together."""

    def run(script):
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=workplace,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    return run
