"""Tables for people: aligned text for a terminal, HTML for a notebook; every value is data, never markup.

Control characters are written as escapes, so that a recorded name cannot move the cursor or break a line.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ROWS = 20
MAX_HTML_ROWS = 100
MAX_WIDTH = 120
MAX_CELL_WIDTH = 40
MAX_HTML_CELL_WIDTH = 200
MAX_CHARACTERS = 1000
_GAP = "  "
_OMITTED = "…"


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], max_rows: int = MAX_ROWS) -> str:
    """Aligned columns, numbers to the right, and a line that counts the rows.

    Args:
        columns: their names.
        rows: the values, in the order of `columns`.
        max_rows: more than these are shown as their first half and their last.
    """
    shown, omitted_after = _shown_rows(rows, max_rows)
    heads = [_shortened(cell_text(name)) for name in columns]
    cells = [[_shortened(cell_text(value)) for value in row] for row in shown]
    widths = [max([cell_len(head), *(cell_len(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    num_shown = _num_fitting(widths)
    numeric = [_is_numeric([row[i] for row in shown]) for i in range(num_shown)]
    lines = [_line(heads, widths, numeric), _line(["─" * width for width in widths], widths, numeric)]
    for number, row in enumerate(cells):
        if number == omitted_after:
            lines.append(_OMITTED)
        lines.append(_line(row, widths, numeric))
    return "\n".join([*lines, _count(len(rows), len(columns) - num_shown)]) if columns else _count(len(rows), 0)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], max_rows: int = MAX_HTML_ROWS) -> str:
    """The same as an HTML table, all text escaped."""
    shown, omitted_after = _shown_rows(rows, max_rows)
    parts = ["<table><thead><tr>", *(f"<th>{html.escape(cell_text(name))}</th>" for name in columns), "</tr></thead>"]
    parts.append("<tbody>")
    for number, row in enumerate(shown):
        if number == omitted_after:
            parts.append(f'<tr><td colspan="{len(columns)}">{_OMITTED}</td></tr>')
        parts.append("<tr>" + "".join(f"<td>{_html_cell(value)}</td>" for value in row) + "</tr>")
    return "".join([*parts, "</tbody></table>", f"<p>{_count(len(rows), 0)}</p>"])


def cell_text(value: Any) -> str:
    """One value on one line: nothing for NULL, seven digits of a float, escapes for what cannot be printed.

    Of a text that fills screens the beginning, and its length.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value, ".7g")
    text = str(value)
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}{_OMITTED} ({len(text):,} characters)"
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def short_time(column: str, value: Any) -> Any:
    """The value, a time (of a column that ends in `_at`) to the second and without its T and Z."""
    return value[:19].replace("T", " ") if column.endswith("_at") and isinstance(value, str) else value


def _html_cell(value: Any) -> str:
    return html.escape(_shortened(cell_text(value), MAX_HTML_CELL_WIDTH))


def _shown_rows(rows: Sequence[Sequence[Any]], max_rows: int) -> tuple[list[Sequence[Any]], int | None]:
    """The rows to show, and after how many of them some are left out (`None`: none are)."""
    if len(rows) <= max_rows:
        return list(rows), None
    first = (max_rows + 1) // 2
    return [*rows[:first], *rows[len(rows) - (max_rows - first) :]], first


def _shortened(text: str, width: int = MAX_CELL_WIDTH) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + _OMITTED


def _num_fitting(widths: Sequence[int]) -> int:
    """How many columns, from the left, fit in the width; at least one."""
    total = 0
    for number, width in enumerate(widths):
        total += width + (len(_GAP) if number else 0)
        if total > MAX_WIDTH and number:
            return number
    return len(widths)


def _is_numeric(values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, int | float) for value in present)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    """Cells padded to their columns; as many as `numeric` tells of."""
    padded = []
    for cell, width, is_right in zip(cells, widths, numeric, strict=False):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if is_right else cell + space)
    return _GAP.join(padded).rstrip()


def _count(num_rows: int, num_columns_omitted: int) -> str:
    text = "1 row" if num_rows == 1 else f"{num_rows:,} rows"
    return f"{text}, {num_columns_omitted} more columns" if num_columns_omitted else text
