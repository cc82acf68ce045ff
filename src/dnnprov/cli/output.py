"""Prints answers: a table for people, JSON for programs; notes go to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from dnnprov.analysis.table import cell_text
from dnnprov.cli.options import setting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.analysis.result import Result


def print_notes(notes: Iterable[str]) -> None:
    """One line each to stderr."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def print_json(value: Any) -> None:
    """JSON to stdout, readable."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_result(result: Result) -> None:
    """The rows of a result: JSON with all columns, or a table with those for people."""
    print_notes(result.notes)
    if setting("as_json"):
        print_json(result.to_json_rows())
    elif not len(result):
        click.echo("(nothing)", err=True)
    else:
        print_table(result.shown_columns, result.shown_cells())
        if line := result.shared_line():
            sys.stdout.flush()  # it is about the table, and follows it wherever both go
            click.echo(line, err=True)


def print_table(columns: list[str], rows: list[list[Any]]) -> None:
    """A table that shows every value whole: as wide as it needs to be, folded to the width of a terminal."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - JSON answers need not wait for it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        is_number = all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(Text(cell_text(column)), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell_text(value)) for value in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
