"""Answers of the SQL that stands on a page, in the block of `text` that follows each block of `sql`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.table import cell_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnnprov import History

STAND_INS: dict[str, Any] = {
    "uid": "5f0c1a2b3d4e6f70",
    "host": "node7",
    "pid": 4711,
    "cpu": "EPYC 9354",
    "num_cpus": 32,
    "python": "3.12.8",
    "user_name": "ada",
    "segment": "5f0c1a2b3d4e6f70/r0-node7-4711-3f9a11c2",
    "git_commit": "9fceb02d0ae5",
    "duration_seconds": 312.4,
}
"""Column -> what is shown in place of a value that is another one on each machine; so are times."""

TIME = "2026-05-04 10:15:00"

_EXAMPLE = re.compile(r"```sql\n(?P<sql>.*?)```\n\n```text\n(?P<answer>.*?)```\n", re.DOTALL)


def answered(page: str, history: History) -> str:
    """The page with the answer of the example store below each of its queries."""

    def answer(found: re.Match[str]) -> str:
        result = history.sql(found["sql"])
        rows = [[_shown(name, row[name]) for name in result.columns] for row in result]
        return f"```sql\n{found['sql']}```\n\n```text\n{text_of(result.columns, rows)}\n```\n"

    return _EXAMPLE.sub(answer, page)


def text_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as the command line prints it, without colours."""
    cells = [[cell_text(value) for value in row] for row in rows]
    widths = [max(len(line[place]) for line in [list(columns), *cells]) for place in range(len(columns))]
    numeric = [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.rjust(width) if is_right else value.ljust(width)
            for value, width, is_right in zip(values, widths, numeric, strict=True)
        ]
        return "   ".join(padded).rstrip()

    return "\n".join([line(columns), "─" * (sum(widths) + 3 * len(widths) - 3), *map(line, cells)])


def _shown(column: str, value: Any) -> Any:
    if value is None:
        return None
    return TIME if column.endswith("_at") else STAND_INS.get(column, value)
