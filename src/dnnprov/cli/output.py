"""Prints answers: a table for people, JSON for programs; notes go to stderr."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len

from dnnprov.analysis.table import cell_text
from dnnprov.cli.options import setting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.analysis.result import Result

_GAP = "   "


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
    heads = [cell_text(column) for column in columns]
    cells = [[cell_text(value) for value in row] for row in rows]
    are_numbers = [all(isinstance(row[index], int | float | None) for row in rows) for index in range(len(columns))]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    width = sum(widths) + len(_GAP) * (len(widths) - 1)
    if sys.stdout.isatty() and width > shutil.get_terminal_size().columns:
        _print_folded(heads, cells, are_numbers)
        return
    head, *lines = [_line(row, widths, are_numbers) for row in [heads, *cells]]
    click.echo("\n".join([click.style(head, bold=True), "─" * width, *lines]))


def _line(cells: list[str], widths: list[int], are_numbers: list[bool]) -> str:
    padded = []
    for cell, width, is_number in zip(cells, widths, are_numbers, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if is_number else cell + space)
    return _GAP.join(padded)


def _print_folded(heads: list[str], cells: list[list[str]], are_numbers: list[bool]) -> None:
    """A table in the width of the terminal; it takes a millisecond a row to lay out."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - other answers need not wait for it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head, is_number in zip(heads, are_numbers, strict=True):
        table.add_column(Text(head), justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout, highlight=False).print(table)
