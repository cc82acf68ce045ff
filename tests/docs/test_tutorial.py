"""The tutorial is followed to the letter: its files are written, its commands typed, its outputs compared."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest


@pytest.fixture
def first_terminal(workplace):
    """Programs that run beside, as in a terminal of their own."""
    programs = []

    def start(script):
        programs.append(
            subprocess.Popen(["bash", "-c", f"exec {script.strip()}"], cwd=workplace, start_new_session=True)
        )
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
        program.wait()


def wait_until_it_trains(shell, epochs):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with_store = shell("test -d .dnnprov/journal && dnnprov runs --json || echo '[]'")
        if any((run["last_epoch"] or 0) >= epochs for run in json.loads(with_store)):
            return
        time.sleep(0.2)
    pytest.fail("the training of terminal 1 does not train")


def assert_has_line(output, line):
    """Whether a line of the page was printed; widths of columns may differ."""
    words = line.split()
    assert words in [found.split() for found in output.splitlines()], f"{line!r} was not printed, but\n{output}"


def test_the_tutorial_works_as_written(page, shell, workplace, first_terminal):
    output, program = "", None
    for block in page("docs/tutorials/01-first-run.md").blocks():
        if block.language == "text":
            lines = block.text.splitlines()
            for line in lines[:1] if block.mark == "times differ" else lines:
                assert_has_line(output, line)
        elif block.language == "python":
            name = re.match(r"# (\w+\.py)\n", block.text)
            (workplace / (name[1] if name else "asked.py")).write_text(block.text, encoding="utf-8")
            output = output if name else shell("python asked.py")
        elif block.mark == "terminal 1":
            program = first_terminal(block.text)
            wait_until_it_trains(shell, epochs=2)
        elif block.mark == "terminal 2":
            output = shell(block.text)
            assert program.poll() is None
        elif block.mark == "interrupts terminal 1":
            os.killpg(program.pid, signal.SIGINT)
            program.wait(timeout=30)
            output = shell(block.text)
            assert "interrupted" in output
        else:
            assert not block.mark, f"unknown mark {block.mark!r} at line {block.line}"
            output = shell(block.text)
    runs = {run["name"]: run for run in json.loads(shell("dnnprov runs --json 2>/dev/null"))}
    assert runs["points-1"]["status"] == "interrupted"
    assert runs["points-1"]["last_epoch"] >= 2
    assert [runs[name]["status"] for name in ("points-2", "points-3", "digits-1")] == ["finished"] * 3
    assert runs["digits-1"]["accuracy_source"] == "test"
    assert (workplace / "run.svg").stat().st_size > 10_000
