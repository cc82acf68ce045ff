"""`dnnprov doctor`: what is in the store, what went wrong, and what to do about it."""

from __future__ import annotations

import dataclasses

import click

from dnnprov.analysis.health import examine
from dnnprov.analysis.table import cell_text
from dnnprov.cli.options import asked_history, global_options, setting
from dnnprov.cli.output import print_json, print_notes


@click.command()
@global_options
def doctor() -> int:
    """Examine the store; exits 1 when something that was recorded is lost."""
    with asked_history() as history:
        health = examine(history)
    print_notes(health.notes)
    if setting("as_json"):
        print_json(dataclasses.asdict(health))
        return 1 if health.is_lossy else 0
    click.echo(f"store     {health.place}, schema version {health.schema_version}")
    click.echo(f"database  {health.database_bytes / 1e6:.1f} MB, journals {health.journal_bytes / 1e6:.1f} MB")
    click.echo("runs      " + (", ".join(f"{count} {status}" for status, count in health.runs.items()) or "none"))
    for problem in health.problems:
        click.echo(f"\n{problem.count} x {problem.kind}" + ("  [LOST]" if problem.is_loss else ""))
        click.echo(f"  {problem.meaning}")
        click.echo(f"  latest: {cell_text(problem.latest)}" + (f" (run {problem.run})" if problem.run else ""))
    if not health.problems:
        click.echo("no problems")
    return 1 if health.is_lossy else 0
