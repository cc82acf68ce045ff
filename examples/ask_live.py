"""Asks a provenance database while trainings record into it, from a process of its own.

The demo starts it through `LiveQuestions`; by hand, beside any training: python examples/ask_live.py STORE
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dnnprov

if TYPE_CHECKING:
    from rich.console import Console

EVERY_EPOCHS = 10
POLL_SECONDS = 0.5


def watch(store: Path) -> None:
    """Ask each running run every ten epochs, until the process is ended."""
    while not (store / "journal").is_dir():
        time.sleep(POLL_SECONDS)
    asked: set[tuple[str, int]] = set()
    with dnnprov.open(store) as history:
        while True:
            for run in history.runs(status="running"):
                epoch = run["last_epoch"] or 0
                if epoch >= EVERY_EPOCHS and (run["uid"], epoch // EVERY_EPOCHS) not in asked:
                    asked.add((run["uid"], epoch // EVERY_EPOCHS))
                    ask_one(history, run, epoch)
            time.sleep(POLL_SECONDS)


def ask_one(history: dnnprov.History, run: dict[str, Any], epoch: int) -> None:
    """What a person wants to know of a training that runs: is it slow, does it learn, what was adapted?"""
    rows = list(history.ask("Q3", dataflow=run["dataflow"], run=run["uid"]))
    adapted = history.sql(
        "SELECT epoch, old_value, new_value, technique FROM oAdaptation WHERE run_id = ? ORDER BY epoch DESC LIMIT 1",
        (run["run_id"],),
    )
    parts = [
        f"{run['name']} is {run['status']}, epoch {epoch}",
        f"Q3: {rows[-1]['elapsed_seconds']:.2f} s an epoch, loss {rows[0]['loss']:.3f} -> {rows[-1]['loss']:.3f}",
        f"best validation accuracy so far {run['accuracy']:.3f}",
    ]
    parts += [
        f"{row['technique']} set {row['old_value']:g} -> {row['new_value']:g} at epoch {row['epoch']}"
        for row in adapted
    ]
    print("; ".join(parts), flush=True)


class LiveQuestions:
    """The second process, whose answers are printed above the progress bar.

    Args:
        store: that it asks.
        console: where the answers go.
    """

    def __init__(self, store: Path, console: Console) -> None:
        self._store = store
        self._console = console

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self._store)], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._printer = threading.Thread(target=self._print, daemon=True)
        self._printer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._printer.join()

    def _print(self) -> None:
        if self._process.stdout:
            for line in self._process.stdout:
                text = f"[process {self._process.pid} asks] {line.rstrip()}"
                self._console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        watch(Path(sys.argv[1]))
