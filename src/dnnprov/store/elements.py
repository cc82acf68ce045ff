"""Elements: rows of data sets, put where their values fit.

A value that fits its column is stored as it came. One that does not (text where numbers are, an integer beyond 64
bits) is kept in `<column>_text`, and a row of `problem` says so (promise P7). A fraction fits a column of integers,
which makes its attribute one of numbers and changes no other value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER, json_text
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from dnnprov.model.events import Relation
    from dnnprov.model.training import ColumnType
    from dnnprov.store.catalog import Attribute, Catalog, DataSet

EXACT_INTEGER = 2**53
"""Integers up to this size are the same number as a float."""

_INTEGER = re.compile(r"-?\d+")
_MAX_STATEMENTS = 1000

_MAX_DIGITS = 18  # that any integer of 64 bits may have, with or without a sign


@dataclass(frozen=True)
class Origin:
    """Where an element comes from.

    Attributes:
        run_id, task_id, rank, process_id: keys.
        attempt: of the process.
        sequence: number of the event.
        recorded_at: ISO 8601 UTC.
        dataflow: tag, for messages.
    """

    run_id: int
    task_id: int | None
    rank: int
    attempt: int
    process_id: int
    sequence: int
    recorded_at: str | None
    dataflow: str


@dataclass
class Placement:
    """Where the values of one row go.

    Attributes:
        attributes: that the row has values of.
        columns: column -> value.
        beyond: id of an attribute that the table has no column for -> value.
        non_finite: key of an attribute's -> name of its value that is not finite.
    """

    attributes: list[Attribute] = field(default_factory=list)
    columns: dict[str, Any] = field(default_factory=dict)
    beyond: dict[int, Any] = field(default_factory=dict)
    non_finite: dict[str, str] = field(default_factory=dict)


def kind_of(value: object) -> ColumnType:
    """The column type that a value asks for."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if MIN_INTEGER <= value <= MAX_INTEGER else "text"
    if isinstance(value, float):
        return "number"
    return "unknown" if value is None else "text"


class Elements:
    """Writes elements.

    Args:
        connection: that rows are written through.
        catalog: of names.
        problem: called with (run_id, kind, detail, recorded_at) for what does not fit.
    """

    def __init__(
        self, connection: sqlite3.Connection, catalog: Catalog, problem: Callable[[int, str, str, str | None], None]
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._problem = problem
        self._statements: dict[tuple[str, tuple[str, ...]], str] = {}

    def insert(
        self,
        data_set: DataSet,
        relation: Relation,
        placement: Placement,
        origin: Origin,
        row_number: int = 0,
        *,
        key: int | None = None,
    ) -> None:
        """Insert one element.

        Args:
            data_set: that it belongs to.
            relation: of its task to it.
            placement: of its values.
            origin: where it comes from.
            row_number: among the rows of its event.
            key: of the element, where it had one before.
        """
        self._catalog.make_table(data_set)
        columns = {
            **placement.columns,
            **({} if key is None else {"element_id": key}),
            "run_id": origin.run_id,
            "task_id": origin.task_id,
            "rank": origin.rank,
            "recorded_at": origin.recorded_at,
            "non_finite": json.dumps(placement.non_finite) if placement.non_finite else None,
            "relation": relation,
            "process_id": origin.process_id,
            "sequence": origin.sequence,
            "row_number": row_number,
        }
        cursor = self._connection.execute(self._statement(data_set.table, tuple(columns)), tuple(columns.values()))
        self.write_beyond(data_set, cursor.lastrowid or 0, placement)

    def insert_all(
        self,
        data_set: DataSet,
        relation: Relation,
        columns: dict[str, tuple[Any, ...]],
        origin: Origin,
        recorded: list[tuple[str | None, int]],
    ) -> None:
        """Insert elements of one task that have the same attributes, all of which have columns.

        Args:
            data_set: that they belong to.
            relation: of their task to it.
            columns: column -> values, one an element.
            origin: where they come from, but for the time and number of their events, which are
            recorded: one pair an element.
        """
        self._catalog.make_table(data_set)
        same = (origin.run_id, origin.task_id, origin.rank, origin.process_id, relation, 0)
        names = (*columns, "run_id", "task_id", "rank", "process_id", "relation", "row_number", "recorded_at",
                 "sequence")  # fmt: skip
        rows = [(*values, *same, *event) for *values, event in zip(*columns.values(), recorded, strict=True)]
        self._connection.executemany(self._statement(data_set.table, names), rows)

    def find(
        self, data_set: DataSet, relation: Relation, origin: Origin
    ) -> tuple[dict[str, Any], dict[int, Any]] | None:
        """The row that an event made, which is one of the last of its task: by column, and beyond the columns."""
        self._catalog.make_table(data_set)
        cursor = self._connection.execute(
            f"SELECT * FROM {quoted(data_set.table)} WHERE run_id = ? AND task_id IS ? AND relation = ?"
            " AND process_id = ? AND sequence = ? ORDER BY element_id DESC LIMIT 1",
            (origin.run_id, origin.task_id, relation, origin.process_id, origin.sequence),
        )
        found = cursor.fetchone()
        if found is None:
            return None
        row = dict(zip((column[0] for column in cursor.description), found, strict=True))
        beyond = self._connection.execute(
            "SELECT attribute_id, value FROM element_value WHERE data_set_id = ? AND element_id = ?",
            (data_set.data_set_id, row["element_id"]),
        )
        return row, dict(beyond.fetchall())

    def remove(self, data_set: DataSet, row: dict[str, Any], beyond: dict[int, Any]) -> None:
        """Take a row out that `find` has found, and what was told of values that did not fit into it."""
        self._connection.execute(f"DELETE FROM {quoted(data_set.table)} WHERE element_id = ?", (row["element_id"],))
        if beyond:
            self._connection.execute(
                "DELETE FROM element_value WHERE data_set_id = ? AND element_id = ?",
                (data_set.data_set_id, row["element_id"]),
            )
        for beside in data_set.overflows.values():
            if (row.get(beside.column) if beside.column else beyond.get(beside.attribute_id)) is not None:
                self._connection.execute(
                    "DELETE FROM problem WHERE run_id = ? AND kind = 'value_does_not_fit' AND recorded_at IS ?"
                    " AND instr(detail, ?)",
                    (row["run_id"], row["recorded_at"], _place_of_value(data_set, beside)),
                )

    def write_beyond(self, data_set: DataSet, element_id: int, placement: Placement) -> None:
        """Write the values of an element that its table has no columns for."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO element_value VALUES (?, ?, ?, ?)",
            [(data_set.data_set_id, element_id, attribute, value) for attribute, value in placement.beyond.items()],
        )

    def place(self, data_set: DataSet, values: dict[str, Any], non_finite: dict[str, str], origin: Origin) -> Placement:
        """Find where the values of one row go; attributes that are new are made, and what does not fit is told.

        Args:
            data_set: that the row belongs to.
            values: attribute as written -> value; `None` where it is not finite.
            non_finite: attribute as written -> NaN | Infinity | -Infinity.
            origin: where it comes from.
        """
        placement = Placement()
        taken = data_set.predefined_in(values)
        for name, raw in values.items():
            special = non_finite.get(name)
            value = None if special else (json_text(raw) if isinstance(raw, list | dict) else raw)
            attribute = self._catalog.attribute(data_set, name, "number" if special else kind_of(value), taken)
            placement.attributes.append(attribute)
            if special:
                placement.non_finite[attribute.key] = special
                if attribute.type == "unknown":
                    self._catalog.widen(attribute, "number")
            target, stored = self._fit(data_set, attribute, value, origin)
            if target.column is None:
                placement.beyond[target.attribute_id] = stored
            else:
                placement.columns[target.column] = stored
        return placement

    def _fit(self, data_set: DataSet, attribute: Attribute, value: Any, origin: Origin) -> tuple[Attribute, Any]:
        """The attribute that takes a value, the given one or the text beside it, and the value as stored."""
        if value is None or attribute.column is None:
            return attribute, _storable(value)
        kind = kind_of(value)
        if attribute.type == "unknown" or (attribute.type == "boolean" and kind == "integer"):
            self._catalog.widen(attribute, kind)
        if attribute.type == "text":
            return attribute, value if isinstance(value, str) else json.dumps(value)
        if kind == "number":
            if attribute.type != "number":
                self._catalog.widen(attribute, "number")
            return attribute, value
        if kind in {"integer", "boolean"} and not (attribute.turns_to_float and abs(value) > EXACT_INTEGER):
            return attribute, value
        text = value if isinstance(value, str) else str(value)
        overflow = self._catalog.overflow(data_set, attribute)
        if attribute.name in data_set.of_any_type:
            return overflow, text
        shown = text if len(text) <= 80 else f"{text[:80]}... ({len(text)} characters)"
        self._problem(
            origin.run_id,
            "value_does_not_fit",
            f"dataflow {origin.dataflow!r}, {_place_of_value(data_set, attribute)}: {shown!r} "
            f"{_why_it_does_not_fit(value)}; kept in {overflow.column or 'element_value'}",
            origin.recorded_at,
        )
        return overflow, text

    def _statement(self, table: str, columns: tuple[str, ...]) -> str:
        sql = self._statements.get((table, columns))
        if sql is None:
            if len(self._statements) >= _MAX_STATEMENTS:  # of rows that hardly ever have the same attributes
                self._statements.clear()
            names = ", ".join(quoted(column) for column in columns)
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})"
            self._statements[table, columns] = sql
        return sql


def _place_of_value(data_set: DataSet, attribute: Attribute) -> str:
    return f"data set {data_set.tag!r}, attribute {attribute.name!r}"


def _why_it_does_not_fit(value: Any) -> str:
    if isinstance(value, int) and MIN_INTEGER <= value <= MAX_INTEGER:
        return "is an integer that a column of floats cannot hold exactly"
    if _INTEGER.fullmatch(text := str(value)):
        is_long = len(text) > _MAX_DIGITS  # how an integer travels that 64 bits do not hold
        return "is an integer beyond 64 bits" if is_long else "is text"
    return "is no number"  # whichever kind of number the column has met so far


def _storable(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER else value
