"""What an answer is: rows that know their columns, the SQL behind them and what is to be said about them."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from dnnprov.analysis.table import cell_text, html_table, short_time, text_table
from dnnprov.errors import MissingExtraError
from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER, non_finite_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]

Row: TypeAlias = dict[str, Any]

_MAX_SHARED = 40
"""Values that the line below a table names."""


class Result(Sequence[Row]):
    """Rows of an answer, a sequence of dicts.

    A value that was not finite is a Python float (`nan`, `inf`, `-inf`) where a question or `History.runs` answers;
    `to_json_rows` names it. SQL that a person wrote gives back what the table holds: NULL, and `non_finite` beside it.

    Attributes:
        columns: their names in order; a name that came twice is numbered `_2`.
        rows: one dict a row.
        sql: what was run, with its parameters filled in, fit to be pasted into a database shell.
        notes: one line each, for stderr: runs left out of a ranking, rows cut off, as of when an answer is.
        shown_columns: those of a table for people, in their order; all where nothing else was said.
        shared: column -> value, for those that are the same in all rows and stand in a line below the table.

    Example:
        ```python
        answer = dnnprov.open().ask("Q5", top=5)
        answer[0]["learning_rate"], len(answer), answer.to_pandas()
        ```
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        sql: str = "",
        notes: Iterable[str] = (),
        shown_columns: Sequence[str] | None = None,
        shared: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns = distinct_names(columns)
        self.rows: list[Row] = [dict(zip(self.columns, row, strict=True)) for row in rows]
        self.sql = sql
        self.notes = list(notes)
        self.shared = dict(shared or {})
        shown = self.columns if shown_columns is None else shown_columns
        self.shown_columns = [name for name in shown if name not in self.shared]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        """A result equals another with the same columns and rows, and a list of the same rows."""
        if isinstance(other, Result):
            return self.columns == other.columns and self.rows == other.rows
        return self.rows == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # rows can be changed, as those of a list

    def to_json_rows(self) -> list[Row]:
        """The rows with nothing that JSON lacks: NaN and infinities by name, bytes as base64."""
        return [{name: json_ready(value) for name, value in row.items()} for row in self.rows]

    def to_pandas(self) -> pd.DataFrame:
        """A pandas data frame. Integers with gaps stay integers (`Int64`).

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas  # noqa: ICN001, PLC0415 - an extra, and slow to import
        except ImportError:
            raise MissingExtraError("Result.to_pandas()", "pandas") from None
        series = {}
        for name in self.columns:
            values = self._column(name)
            dtype = "Int64" if None in values and _are_integers(values) else None
            series[name] = pandas.Series(values, dtype=dtype)
        return pandas.DataFrame(series, columns=self.columns)

    def to_arrow(self) -> pa.Table:
        """An Arrow table. A column that mixes texts and numbers becomes text.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow  # noqa: ICN001, PLC0415 - an extra, and slow to import
        except ImportError:
            raise MissingExtraError("Result.to_arrow()", "pandas") from None
        arrays = []
        for name in self.columns:
            values = self._column(name)
            try:
                arrays.append(pyarrow.array(values))
            except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
                arrays.append(pyarrow.array([None if value is None else str(value) for value in values]))
        return pyarrow.Table.from_arrays(arrays, names=self.columns)

    def _column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    def shown_cells(self) -> list[list[Any]]:
        """The values of the columns for people, times to the second."""
        return [[short_time(name, row[name]) for name in self.shown_columns] for row in self.rows]

    def shared_line(self) -> str:
        """What is the same in all rows, in words; empty where all columns are shown."""
        shown = [f"{cell_text(name)}={cell_text(value)}" for name, value in islice(self.shared.items(), _MAX_SHARED)]
        num_more = len(self.shared) - len(shown)
        values = ", ".join(shown) + (f" and {num_more} more" if num_more else "")
        return f"the same in all rows: {values}" if values else ""

    def __repr__(self) -> str:
        return "\n".join(filter(None, [text_table(self.shown_columns, self.shown_cells()), self.shared_line()]))

    def _repr_html_(self) -> str:
        lines = filter(None, [self.shared_line(), *self.notes])
        notes = "".join(f"<p><small>{html.escape(line)}</small></p>" for line in lines)
        return html_table(self.shown_columns, self.shown_cells()) + notes


def distinct_names(columns: Sequence[str]) -> list[str]:
    """Column names without repetition: `SELECT a.x, b.x` gives `x` and `x_2`, so that no value is lost."""
    names: list[str] = []
    taken = set(columns)
    for column in columns:
        name, number = column, 1
        while name in names or (number > 1 and name in taken):
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def json_ready(value: Any) -> Any:
    """The value as JSON can carry it, also within lists and dicts."""
    if isinstance(value, float):
        return non_finite_name(value) or value
    if isinstance(value, bytes):
        return "base64:" + base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {name: json_ready(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value


def _are_integers(values: list[Any]) -> bool:
    integers = [value for value in values if value is not None]
    return bool(integers) and all(type(value) is int and MIN_INTEGER <= value <= MAX_INTEGER for value in integers)
