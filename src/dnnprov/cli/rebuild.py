"""`dnnprov rebuild`: the database anew from the journals."""

from __future__ import annotations

import dataclasses
import sys
import time

import click

from dnnprov.cli.options import global_options, setting
from dnnprov.cli.output import print_json, print_notes
from dnnprov.store.rebuild import rebuild as rebuild_store
from dnnprov.store.sqlite import find_store


class Progress:
    """Counts on stderr: in one line on a terminal, else a line now and then.

    Args:
        what: is counted.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_terminal = sys.stderr.isatty()
        self._every = 0.1 if self._is_terminal else 10.0
        self._said_at = time.monotonic() if not self._is_terminal else 0.0

    def __call__(self, number: int, of: int) -> None:
        """Say how far it is."""
        now = time.monotonic()
        if now - self._said_at < self._every and (number < of or not self._is_terminal):
            return
        self._said_at = now
        start, end = ("\r", "\n" if number == of else "") if self._is_terminal else ("", "\n")
        click.echo(f"{start}{number:,} of {of:,} {self._what}{end}", err=True, nl=False)


@click.command()
@click.option("--yes", "is_sure", is_flag=True, help="Also where the database has what the journals lost.")
@global_options
def rebuild(*, is_sure: bool) -> None:
    """Make the database anew from the journals, also a damaged one or one of another version.

    Recording goes on meanwhile, and questions are answered from the old database until the new one is whole.
    """
    folder = find_store(setting("store"))

    def accepts(loss: str) -> bool:
        print_notes([loss])
        return is_sure or (sys.stdin.isatty() and click.confirm("Go on?", err=True))

    done = rebuild_store(folder, Progress("journal segments read"), accepts)
    print_notes(done.notes)
    if setting("as_json"):
        print_json(dataclasses.asdict(done))
        return
    before = f", before {done.bytes_before / 1e6:.1f} MB" if done.bytes_before else ""
    click.echo(
        f"rebuilt in {done.seconds:.1f} s: {done.num_runs:,} runs, {done.num_events:,} events of {done.num_segments:,}"
        f" journal segments; the database has {done.database_bytes / 1e6:.1f} MB{before}"
    )
