"""The rows of a dump's data sets, kept in a file meanwhile, so that they can be told run by run in the order of time.

A dump has them table by table, and there may be more than memory holds. The file is an SQLite database of one table,
in the folder of the import; names and values of the dump are values in it, so none of them is SQL.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from dnnprov.importers.dfanalyzer.plan import time_in
from dnnprov.importers.told_training import number_in
from dnnprov.model.dfanalyzer.numbers import NOT_A_NUMBER, seconds_in
from dnnprov.model.training import predefined_set

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.importers.dfanalyzer.dump import Table
    from dnnprov.importers.dfanalyzer.plan import Plan, Task

_CREATE = """
CREATE TABLE element (
    number INTEGER PRIMARY KEY,     -- in the order of the dump
    dataflow TEXT, execution TEXT,  -- of its task
    run INTEGER,                    -- among those of the execution
    data_set INTEGER,
    task TEXT,
    relation TEXT,
    at INTEGER,                     -- microseconds since 1970
    epoch REAL,
    elapsed REAL,                   -- seconds
    content BLOB                    -- its values, in the order of the columns
)"""

_INSERT = "INSERT INTO element VALUES (NULL, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?)"

EXACT_INTEGER = 2**53
"""A larger one in a column of floats is a float that MonetDB writes without a point."""

Kind: TypeAlias = Literal["text", "number", "float"]

_TASK = "_task_id"


@dataclass(frozen=True)
class DataSetTable:
    """Where the rows of a data set lie in a dump.

    Attributes:
        tag: of the data set.
        attributes: their names.
        places: of them among the columns.
        tasks: tag of a transformation, in lower case -> place of the column that holds its task.
    """

    tag: str
    attributes: tuple[str, ...]
    places: tuple[int, ...]
    tasks: dict[str, int]


@dataclass(frozen=True)
class Row:
    """A row of a data set: what it is, its task, when it was recorded, its values."""

    tag: str
    task: str
    relation: str
    at: int | None
    values: dict[str, Any]


class Rows:
    """The rows of one dump.

    Args:
        file: that they are kept in; made, and deleted with its folder.
        plan: of the dump, whole.
        tasks: of it.
    """

    def __init__(self, file: Path, plan: Plan, tasks: dict[str, Task]) -> None:
        self.connection = sqlite3.connect(file)
        self.connection.execute("PRAGMA journal_mode = OFF")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute(_CREATE)
        self._plan = plan
        self._tasks = tasks
        self._generators = plan.generators()
        self._tags = plan.data_sets()
        self._tables: list[DataSetTable] = []
        self._numbers: dict[Table, int | None] = {}
        self.without_task: dict[str, int] = {}
        """Data set -> how many of its rows name no task that the dump has."""

    def take(self, table: Table, records: list[list[str | None]]) -> None:
        """Keep records of a table, if it is one of a data set."""
        if table not in self._numbers:
            self._numbers[table] = self._open(table)
        number = self._numbers[table]
        if number is None:
            return
        here = self._tables[number]
        numbers = {name for name, is_number in _known_numbers(here.tag).items() if is_number}
        convert = [
            (place, name.lower(), _kind(table, table.columns[place], name.lower() in numbers))
            for place, name in zip(here.places, here.attributes, strict=True)
        ]
        self.connection.executemany(_INSERT, self._placed(here, number, convert, records))

    def finish(self) -> None:
        """All records are in."""
        self.connection.execute("CREATE INDEX of_execution ON element (dataflow, execution, data_set, number)")
        self.connection.commit()

    def data_set(self, tag: str) -> list[int]:
        """The numbers of the tables that hold rows of a data set, by its tag in lower case."""
        return [number for number, one in enumerate(self._tables) if one.tag.lower() == tag]

    def tag_of(self, number: int) -> str:
        """The tag of the data set whose rows a table holds."""
        return self._tables[number].tag

    def of_run(self, execution: tuple[str, str], run: int) -> Iterator[Row]:
        """The rows of a run in the order of time: those without a time first where they were used, else last."""
        found = self.connection.execute(
            "SELECT data_set, task, relation, at, content FROM element WHERE dataflow = ? AND execution = ? AND run = ?"
            " ORDER BY COALESCE(at, CASE relation WHEN 'used' THEN 0 ELSE 9223372036854775807 END), number",
            (*execution, run),
        )
        for number, task, relation, at, content in found:
            here = self._tables[number]
            values = msgspec.msgpack.decode(content)
            row = {name: value for name, value in zip(here.attributes, values, strict=True) if value is not None}
            yield Row(here.tag, task, relation, at, row)

    def _open(self, table: Table) -> int | None:
        """The number of a table that holds rows of a data set; `None` for another."""
        tag = self._tags.get(table.name.lower().removeprefix("ds_"), self._tags.get(table.name.lower()))
        tasks = {
            name.lower().removesuffix(_TASK): place
            for place, name in enumerate(table.columns)
            if name.lower().endswith(_TASK)
        }
        if tag is None or not tasks:
            return None
        own = [
            (name, place)
            for place, name in enumerate(table.columns)
            if name.lower() != "id" and place not in tasks.values()
        ]
        self._tables.append(DataSetTable(tag, tuple(name for name, _ in own), tuple(place for _, place in own), tasks))
        return len(self._tables) - 1

    def _placed(
        self, here: DataSetTable, number: int, convert: list[tuple[int, str, Kind]], records: list[list[str | None]]
    ) -> Iterator[tuple[Any, ...]]:
        encode = msgspec.msgpack.encode
        time_place = next((place for place, name, _ in convert if name == "timestamp"), None)
        names = [name for _, name, _ in convert]
        epoch_place = next((names.index(name) for name in ("epoch", "epoch_id") if name in names), None)
        elapsed_place = names.index("elapsed_time") if "elapsed_time" in names else None
        for record in records:
            task, relation = self._task_of(here, record)
            if task is None:
                self.without_task[here.tag] = self.without_task.get(here.tag, 0) + 1
                continue
            values = [value_of(record[place], kind) for place, _, kind in convert]
            yield (
                *task.execution,
                number,
                task.id,
                relation,
                None if time_place is None else time_in(record[time_place]),
                _number(values, epoch_place),
                _number(values, elapsed_place),
                encode(values),
            )

    def _task_of(self, here: DataSetTable, record: list[str | None]) -> tuple[Task | None, str]:
        """The task that generated a row, else the one that used it."""
        named = [(tag, self._tasks.get(record[place] or "")) for tag, place in here.tasks.items()]
        known = [(tag, task) for tag, task in named if task is not None]
        for tag, task in known:
            generators = self._generators.get((task.execution[0], here.tag.lower()))
            if (tag in generators) if generators is not None else here.tag.lower().startswith("o"):
                return task, "generated"
        return (known[0][1], "used") if known else (None, "")


def value_of(text: str | None, kind: Kind) -> Any:
    """A field as the value that it stands for.

    Args:
        text: of the field.
        kind: of its column; `number` where the column holds texts, and the attribute should be a number.

    Example:
        >>> value_of(" 200", "float"), value_of("27619469820904476", "float"), value_of("0:00:11.5", "number")
        (200, 2.7619469820904476e+16, 11.5)
        >>> value_of("-9999999", "float"), value_of("-9999999", "text")
        (nan, '-9999999')
    """
    if text is None or kind == "text":
        return text
    number = number_in(text)
    if isinstance(number, str):
        seconds = seconds_in(text) if kind == "number" else None
        return number if seconds is None else seconds
    if number == NOT_A_NUMBER:
        return float("nan")
    return float(number) if number is not None and kind == "float" and abs(number) > EXACT_INTEGER else number


def _kind(table: Table, column: str, should_be_number: bool) -> Kind:
    if column in table.floats:
        return "float"
    return "number" if should_be_number or column in table.integers else "text"


def _known_numbers(tag: str) -> dict[str, bool]:
    """Names of the predefined attributes of a set, in lower case -> whether they are numbers."""
    predefined = predefined_set(tag)
    if predefined is None:
        return {}
    kinds = {name: kind in {"number", "integer"} for name, kind in predefined.attributes.items()}
    return {**kinds, **{alias: kinds[column] for alias, column in predefined.aliases.items()}}


def _number(values: list[Any], place: int | None) -> float | None:
    value = None if place is None else values[place]
    return value if isinstance(value, int | float) and value == value else None  # noqa: PLR0124 - NaN
