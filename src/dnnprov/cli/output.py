"""Prints answers: a table for people, JSON for programs; notes go to stderr."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len

from dnnprov.analysis.table import cell_text
from dnnprov.cli.options import setting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.analysis.result import Result

_GAP = "   "

_MANY_COLUMNS = 12
"""More than these cannot be read when they are folded to the width of a terminal."""

_NAMED_COLUMNS = 6
"""Of those that a terminal has no room for."""


def print_notes(notes: Iterable[str]) -> None:
    """One line each to stderr."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def print_json(value: Any) -> None:
    """JSON to stdout, readable."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_result(result: Result, *, is_chosen: bool = False) -> None:
    """The rows of a result: JSON with all columns, or a table with those for people.

    Args:
        result: the answer.
        is_chosen: whether the user named the columns. Then a terminal shows all of them, folded where they are too
            wide for it; else, of many columns, the first ones, as many as it has room for.
    """
    print_notes(result.notes)
    if setting("as_json"):
        print_json(result.to_json_rows())
    elif not len(result):
        click.echo("(nothing)", err=True)
    else:
        columns, rows = result.shown_columns, result.shown_cells()
        num_shown = len(columns) if is_chosen else _count_fitting(columns, rows)
        print_table(columns[:num_shown], [row[:num_shown] for row in rows])
        if num_shown < len(columns):
            sys.stdout.flush()
            click.echo(_left_out_line(columns[num_shown:]), err=True)
        if line := result.shared_line():
            sys.stdout.flush()  # it is about the table, and follows it wherever both go
            click.echo(line, err=True)


def print_table(columns: list[str], rows: list[list[Any]]) -> None:
    """A table that shows every value whole: as wide as it needs to be, folded to the width of a terminal."""
    heads, cells = _texts(columns, rows)
    are_numbers = [all(isinstance(row[index], int | float | None) for row in rows) for index in range(len(columns))]
    widths = _widths(heads, cells)
    width = sum(widths) + len(_GAP) * (len(widths) - 1)
    room = _terminal_width()
    if room is not None and width > room:
        _print_folded(heads, cells, are_numbers)
        return
    head, *lines = [_line(row, widths, are_numbers) for row in [heads, *cells]]
    click.echo("\n".join([click.style(head, bold=True), "─" * width, *lines]))


def _texts(columns: list[str], rows: list[list[Any]]) -> tuple[list[str], list[list[str]]]:
    return [cell_text(column) for column in columns], [[cell_text(value) for value in row] for row in rows]


def _widths(heads: list[str], cells: list[list[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]


def _terminal_width() -> int | None:
    """Characters in a line; `None` where it is no terminal that a table is printed to."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _count_fitting(columns: list[str], rows: list[list[Any]]) -> int:
    """How many columns of a table have room beside each other; all, where it is few or not even two have."""
    room = _terminal_width()
    if room is None or len(columns) <= _MANY_COLUMNS:
        return len(columns)
    ends = accumulate(_widths(*_texts(columns, rows)), lambda end, width: end + len(_GAP) + width)
    num_fitting = sum(end <= room for end in ends)
    return num_fitting if num_fitting >= 2 else len(columns)


def _left_out_line(columns: list[str]) -> str:
    names = ", ".join(map(cell_text, columns[:_NAMED_COLUMNS]))
    more = ", ..." if len(columns) > _NAMED_COLUMNS else ""
    return f"not wide enough for {len(columns)} more columns: {names}{more}; a pipe (| less -S) and --json have all"


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
