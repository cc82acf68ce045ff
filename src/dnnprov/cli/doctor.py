"""`dnnprov doctor`: what is in the store, what went wrong, and what to do about it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from dnnprov.analysis.health import examine, examine_unopened
from dnnprov.analysis.table import cell_text
from dnnprov.cli.options import asked_history, global_options, setting
from dnnprov.cli.output import print_json, print_notes
from dnnprov.errors import StoreUnavailableError
from dnnprov.store.sqlite import find_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.analysis.health import Health, ProblemCount


FORECAST = "dnnprov.integrations.forecast"
"""A module of the recording side, which the command line starts and does not import."""


@click.command()
@click.argument("program", required=False)
@global_options
def doctor(*, program: str | None) -> int:
    """Examine the store; exits 1 when something that was recorded is lost or cannot be read.

    With PROGRAM, a Python script: say what `dnnprov run` would record of it and what not, without running it.

    What each message means is on the page "Troubleshooting" of the documentation.
    """
    if program is not None:
        options = ["--json"] if setting("as_json") else []
        command = [sys.executable, "-m", FORECAST, *options, program]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - our own module, which reads the script
    try:
        with asked_history() as history:
            health = examine(history)
    except StoreUnavailableError as error:
        health = examine_unopened(find_store(setting("store")), error)
    print_notes(health.notes)
    if setting("as_json"):
        print_json(_json_of(health))
    else:
        for line in [*_about_place(health), *_about_problems(health)]:
            click.echo(line)
    return 1 if health.is_lossy else 0


def _json_of(health: Health) -> dict[str, object]:
    """All of it in one object."""
    found = dataclasses.asdict(health)
    return {**found.pop("state"), **found}


def _about_place(health: Health) -> Iterator[str]:
    state = health.state
    version = f", schema version {health.schema_version}" if health.schema_version is not None else ""
    free = "" if state.free_bytes is None else f"{state.free_bytes / 1e9:.1f} GB free, "
    yield f"store     {state.place}{version}"
    yield f"database  {state.database}, {state.database_bytes / 1e6:.1f} MB"
    yield f"journals  {state.num_open} open, {state.num_archived} archived, {state.journal_bytes / 1e6:.1f} MB"
    yield f"disk      {free}{'can be written' if state.is_writable else 'cannot be written'}"
    yield f"follower  {'at work' if state.is_followed else 'none; each question takes in what is new'}"
    yield "runs      " + (", ".join(f"{count} {status}" for status, count in health.runs.items()) or "none")
    for finding in state.findings:
        yield f"\n{finding.kind}" + ("  [LOST]" if finding.is_loss else "")
        yield f"  {cell_text(finding.message)}"
        yield f"  {finding.advice}"


def _about_problems(health: Health) -> Iterator[str]:
    for problem in health.problems:
        yield f"\n{problem.count} x {problem.kind}" + ("  [LOST]" if problem.is_loss else "")
        yield f"  {problem.meaning}"
        if problem.num_events is not None:
            yield f"  lost: {problem.num_events} events"
        if problem.runs:
            yield f"  {_runs_of(problem)}"
        yield f"  latest: {cell_text(problem.latest)}"
    if not health.problems and not health.state.findings:
        yield "no problems"


def _runs_of(problem: ProblemCount) -> str:
    shown = ", ".join(cell_text(name) for name in problem.runs)
    more = problem.num_runs - len(problem.runs)
    return f"runs: {shown}" + (f" and {more} more" if more else "")
