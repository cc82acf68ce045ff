"""`dnnprov runs` and `dnnprov show RUN`."""

from __future__ import annotations

from typing import Any

import click

from dnnprov.analysis.history import STATUSES
from dnnprov.analysis.table import cell_text, short_time
from dnnprov.cli.options import asked_history, complete_dataflow, complete_run, global_options, setting
from dnnprov.cli.output import print_json, print_notes, print_result, print_table

TABLE_ROWS = 100
"""Runs in a table where no limit is named: as many as a person may look through."""


@click.command()
@click.option("--dataflow", metavar="TAG", shell_complete=complete_dataflow, help="Only runs of this dataflow.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs in this state.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the latest so many; a table shows 100 by itself.")
@global_options
def runs(dataflow: str | None, status: str | None, limit: int | None) -> None:
    """List the runs with their hyperparameters and results, the latest first."""
    is_cut = limit is None and not setting("as_json")
    with asked_history() as history:
        found = history.runs(dataflow=dataflow, status=status, limit=TABLE_ROWS + 1 if is_cut else limit)
    if is_cut and len(found) > TABLE_ROWS:
        del found.rows[TABLE_ROWS:]
        found.notes.append(f"only the latest {TABLE_ROWS} runs are shown; --limit N shows more, --json all")
    print_result(found)


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.option(
    "--dataflow",
    metavar="TAG",
    shell_complete=complete_dataflow,
    help="The dataflow, where runs of several have the name.",
)
@global_options
def show(run: str, dataflow: str | None) -> None:
    """Show everything about one RUN."""
    with asked_history() as history:
        view = history.run(run, dataflow=dataflow)
        print_notes(view.notes)
        description = view.as_dict()
        if setting("as_json"):
            print_json(description)
        else:
            _print_run(description)


def _print_run(description: dict[str, Any]) -> None:
    for part, content in description.items():
        if not content:
            continue
        click.echo(f"\n{part}" if part != "run" else part)
        if isinstance(content, dict):
            _print_pairs(content)
        else:
            columns = [name for name in content[0] if not _says_nothing(name, content)]
            print_table(columns, [[short_time(name, row.get(name)) for name in columns] for row in content])


def _says_nothing(column: str, rows: list[dict[str, Any]]) -> bool:
    """Whether a column of a table is empty, or tells of values that are no numbers where all are."""
    if column == "last_finite":
        return all(row[column] == row["last"] for row in rows)
    if column == "num_non_finite":
        return not any(row[column] for row in rows)
    return all(row.get(column) is None for row in rows)


def _print_pairs(content: dict[str, Any]) -> None:
    width = max(len(name) for name in content)
    for name, value in content.items():
        if value is None or value in ({}, []):
            continue
        is_long = isinstance(value, dict) and len(value) > 8
        shown = f"{len(value)} entries (all with --json)" if is_long else cell_text(value)
        click.echo(f"  {name:<{width}}  {shown}")
