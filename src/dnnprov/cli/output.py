"""Prints answers: a table for people, JSON for programs; notes go to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

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


def print_result(result: Result, columns: list[str] | None = None) -> None:
    """The rows of a result, as `--json` says.

    Args:
        result: to print.
        columns: those of a table for people, all where left out; JSON has all.
    """
    print_notes(result.notes)
    if setting("as_json"):
        print_json(result.to_json_rows())
    elif not len(result):
        click.echo("(nothing)", err=True)
    else:
        print_table(columns or result.columns, list(result))


def print_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """A table as wide as it needs to be; on a terminal with colours."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - JSON answers need not wait for it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        is_number = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(Text(column), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell_text(_short_time(column, row[column]))) for column in columns))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def _short_time(column: str, value: Any) -> Any:
    """A time to the second; JSON has all of it."""
    return value[:19].replace("T", " ") if column.endswith("_at") and isinstance(value, str) else value


def cell_text(value: Any) -> str:
    """One value for a person: short numbers, no control characters."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
