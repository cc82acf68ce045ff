"""Trainings of several processes, as launchers and people start them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

from faults.scripts import TESTS

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = """
import sys, dnnprov
with dnnprov.start_run("m", params={"lr": 0.1}, tags=["t"]) as run, run.task("Training") as training:
    training.log(epoch=1, loss=run.rank + 1.0)
    run.log(epoch=1, loss=run.rank + 1.0)
    print(run.uid, run.rank, flush=True)
    for line in sys.stdin:
        exec(line)
"""
"""Records, says which run and rank it is, and then does what it is told, line by line."""


class Rank:
    """A process that was told by variables that it is one of several.

    Args:
        store: folder that it records into.
        source: of its program.
        variables: that it is told by.
    """

    def __init__(self, store: Path, source: str = TRAINING, **variables: object) -> None:
        told = {name: str(value) for name, value in variables.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source)],
            env={**os.environ, "DNNPROV_STORE": str(store), "PYTHONPATH": str(TESTS), **told},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self) -> tuple[str, int]:
        """Uid of the run and rank, as the process says when it has recorded something."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        uid, rank = line.split()
        return uid, int(rank)

    def finish(self, last: str = "", code: int = 0) -> str:
        """Tell it a last line and wait for its end; what it said on stderr."""
        _, err = self.process.communicate(f"{last}\n", timeout=60)
        assert self.process.returncode == code, err
        return err

    def kill(self) -> None:
        """End it as the kernel does that is out of memory."""
        self.process.kill()
        self.process.communicate()


def train(store: Path, told: list[dict[str, object]], source: str = TRAINING) -> list[tuple[str, int]]:
    """Let several processes record at once, each told what its launcher would; what they say they are."""
    ranks = [Rank(store, source, **one) for one in told]
    said = [rank.said() for rank in ranks]
    finish_all(ranks)
    return said


def finish_all(ranks: list[Rank]) -> list[str]:
    """Let all end, whatever becomes of one of them; what they said on stderr."""
    with contextlib.ExitStack() as stack:
        for rank in ranks:
            stack.callback(rank.process.communicate)
        return [rank.finish() for rank in ranks]
