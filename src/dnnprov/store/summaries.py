"""For each run the last, best and worst of every metric: the table `run_metric`.

It is kept while rows come in, so that "the best run" is a look-up. The rows of the lowest rank count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard

from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER
from dnnprov.store.schema import non_finite_key, quoted
from dnnprov.store.views import NOTE_ACCURACY, accuracy_metrics

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from dnnprov.store.catalog import DataSet
    from dnnprov.store.source import Source

Level: TypeAlias = Literal["batch", "epoch", "test"]
Number: TypeAlias = int | float

NO_METRICS = frozenset({"epoch", "timestamp", "elapsed_time", "step"})
"""Columns of oTrainingModel and oTestingModel that are no metrics."""

_ATTEMPT = "attempt of the process"  # no attribute has a column of such a name

_ACCURACIES = frozenset((level, name) for level, name, _, _ in accuracy_metrics())


def is_number(value: object) -> TypeGuard[Number]:
    """Whether a value can be a metric: a float, or an integer of 64 bits."""
    return isinstance(value, float) or (isinstance(value, int) and MIN_INTEGER <= value <= MAX_INTEGER)


@dataclass
class Summary:
    """One row of `run_metric`."""

    rank: int
    last: Number | None = None
    last_non_finite: str | None = None
    last_finite: Number | None = None
    min: Number | None = None
    min_epoch: Number | None = None
    max: Number | None = None
    max_epoch: Number | None = None
    num_values: int = 0
    num_non_finite: int = 0

    def add(self, value: Number | None, non_finite: str | None, epoch: Number | None) -> None:
        """Take in one more value; `None` with a name is one that is not finite."""
        self.num_values += 1
        self.last, self.last_non_finite = value, non_finite
        if value is None:
            self.num_non_finite += 1
            return
        value = self.last = float(value)  # as the table gives it back, so that pieces of a journal compare alike
        self.last_finite = value
        if self.min is None or value < self.min:
            self.min, self.min_epoch = value, epoch
        if self.max is None or value > self.max:
            self.max, self.max_epoch = value, epoch

    def add_all(self, values: Sequence[Number], epochs: Sequence[Number | None]) -> None:
        """Take in values, all finite, in the order they came."""
        if set(map(type, values)) != {float}:
            values = list(map(float, values))
        self.num_values += len(values)
        self.last = self.last_finite = values[-1]
        self.last_non_finite = None
        lowest, highest = min(values), max(values)
        if self.min is None or lowest < self.min:
            self.min, self.min_epoch = lowest, epochs[values.index(lowest)]
        if self.max is None or highest > self.max:
            self.max, self.max_epoch = highest, epochs[values.index(highest)]

    def is_last(self, values: Sequence[tuple[Number | None, str | None]], has_later: bool) -> bool:
        """Whether any of these may be the last finite value, given whether there are later ones."""
        return not has_later and any(value is not None and float(value) == self.last_finite for value, _ in values)

    def take_out(self, values: Sequence[tuple[Number | None, str | None]]) -> tuple[bool, bool]:
        """Take out values that came before the last ones; whether the lowest and the highest were among them."""
        finite = [float(value) for value, _ in values if value is not None]
        self.num_values -= len(values)
        self.num_non_finite -= len(values) - len(finite)
        return bool(finite) and min(finite) == self.min, bool(finite) and max(finite) == self.max


def further_names(data_set: DataSet) -> dict[int, str]:
    """Key of an attribute beyond the columns of its table -> what it is called as a metric: as the user wrote it."""
    return {
        one.attribute_id: one.name
        for one in data_set.attributes.values()
        if one.column is None and one.name not in data_set.columns
    }


class RowValues:
    """Reads what rows of a data set have for metrics.

    Args:
        data_set: as it is now.
    """

    def __init__(self, data_set: DataSet) -> None:
        self._further = further_names(data_set)
        self._named = {non_finite_key(None, key): name for key, name in self._further.items()}
        self._metrics = {a.column for a in data_set.attributes.values() if a.column and a.type != "text"} | {"epoch"}

    def row(self, row: Mapping[str, Any], beyond: Iterable[tuple[int, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
        """Values by name, and the names of those that are not finite.

        Args:
            row: by column, as the table has it.
            beyond: keys and values of its attributes beyond the columns.
        """
        columns = {name: value for name, value in row.items() if name in self._metrics}
        columns |= {self._further[key]: value for key, value in beyond if key in self._further}
        special = json.loads(row["non_finite"]) if row["non_finite"] else {}
        special = {self._named.get(key, key): name for key, name in special.items()}
        return {**columns, **dict.fromkeys(special)}, special


def metrics_among(
    columns: Mapping[str, Any], non_finite: Mapping[str, str]
) -> dict[str, tuple[Number | None, str | None]]:
    """Metrics of a row by name, each as its value, or `None` and the name of one that is not finite."""
    return {
        name: (None if name in non_finite else value, non_finite.get(name))
        for name, value in columns.items()
        if name not in NO_METRICS and (name in non_finite or is_number(value))
    }


class Summaries:
    """Keeps `run_metric`.

    Args:
        connection: that rows are written through.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._changed: dict[tuple[int, Level, str], Summary] = {}
        self._compared: set[int] = set()  # runs whose accuracy may be another

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._changed.clear()
        self._compared.clear()

    def find(self, run_id: int, level: Level, name: str) -> Summary | None:
        """The summary of a metric of a run; what is changed in it is written by `flush`."""
        found = self._changed.get((run_id, level, name))
        if found is None:
            row = self._connection.execute(
                "SELECT rank, last, last_non_finite, last_finite, min, min_epoch, max, max_epoch, num_values,"
                " num_non_finite FROM run_metric WHERE run_id = ? AND level = ? AND name = ?",
                (run_id, level, name),
            ).fetchone()
            if row is None:
                return None
            found = self._changed[run_id, level, name] = Summary(*row)
        return found

    def of_rank(self, run_id: int, level: Level, name: str, rank: int) -> Summary | None:
        """The summary that values of a rank go into; `None` where those of a lower one count."""
        summary = self.find(run_id, level, name)
        if summary is None or rank < summary.rank:
            summary = self.begin(run_id, level, name, rank)
        return summary if rank == summary.rank else None

    def begin(self, run_id: int, level: Level, name: str, rank: int) -> Summary:
        """An empty summary in the place of the one there is."""
        anew = self._changed[run_id, level, name] = Summary(rank)
        return anew

    def add_row(
        self, run_id: int, level: Level, rank: int, columns: dict[str, Any], non_finite: dict[str, str]
    ) -> None:
        """Take a row of oTrainingModel or oTestingModel into the summaries."""
        epoch = columns.get("epoch")
        for name, value in columns.items():
            special = non_finite.get(name)
            if (
                name not in NO_METRICS
                and (special or is_number(value))
                and (summary := self.of_rank(run_id, level, name, rank))
            ):
                summary.add(value, special, epoch if is_number(epoch) else None)

    def amend_row(
        self,
        run_id: int,
        level: Level,
        rank: int,
        before: tuple[dict[str, Any], dict[str, str]],
        now: tuple[dict[str, Any], dict[str, str]],
    ) -> bool:
        """Take in what the last row says more than it did; `False` where it says other things, too.

        Args:
            run_id: of the row.
            level: likewise.
            rank: likewise.
            before: values by name, and names of those that are not finite.
            now: likewise.
        """
        known, found = metrics_among(*before), metrics_among(*now)
        if before[0].get("epoch") != now[0].get("epoch") or any(found.get(name) != one for name, one in known.items()):
            return False
        columns = {name: value for name, (value, _) in found.items() if name not in known}
        self.add_row(run_id, level, rank, {**columns, "epoch": now[0].get("epoch")}, now[1])
        return True

    def add_columns(
        self, run_id: int, level: Level, rank: int, columns: Mapping[str, Sequence[Any]], num_rows: int
    ) -> None:
        """Take rows of oTrainingModel or oTestingModel into the summaries, all of whose values are finite."""
        epochs = [epoch if is_number(epoch) else None for epoch in columns.get("epoch", ())] or [None] * num_rows
        for name, values in columns.items():
            if name in NO_METRICS:
                continue
            numbers: Sequence[Number] = values
            places: Sequence[Number | None] = epochs
            if not set(map(type, values)) <= {float, int}:
                kept = [(value, epoch) for value, epoch in zip(values, epochs, strict=True) if is_number(value)]
                numbers, places = [value for value, _ in kept], [epoch for _, epoch in kept]
            if numbers and (summary := self.of_rank(run_id, level, name, rank)):
                summary.add_all(numbers, places)

    def recompute_rows(self, run_id: int, level: Level, data_set: DataSet) -> None:
        """The summaries of a run anew: of an epoch that was recorded again the latest attempt counts."""
        for key in [key for key in self._changed if key[:2] == (run_id, level)]:
            del self._changed[key]
        self._compared.add(run_id)
        self._connection.execute("DELETE FROM run_metric WHERE run_id = ? AND level = ?", (run_id, level))
        cursor = self._connection.execute(
            f'SELECT e.*, p.attempt AS "{_ATTEMPT}" FROM {quoted(data_set.table)} AS e'
            " JOIN process AS p ON p.process_id = e.process_id WHERE e.run_id = ? AND e.relation = 'generated'"
            " ORDER BY p.attempt, e.recorded_at, p.name, e.sequence, e.row_number",
            (run_id,),
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        last_attempt: dict[tuple[int, Any], int] = {}
        for row in rows:
            last_attempt[row["rank"], row.get("epoch")] = row[_ATTEMPT]
        values_of, beyond = RowValues(data_set), self._read_beyond(run_id, data_set)
        for row in rows:
            if row.get("epoch") is None or row[_ATTEMPT] == last_attempt[row["rank"], row["epoch"]]:
                columns, special = values_of.row(row, beyond.get(row["element_id"], ()))
                self.add_row(run_id, level, row["rank"], columns, special)

    def find_last(self, source: Source, data_set: DataSet) -> tuple[Any, str | None]:
        """The last epoch of earlier attempts, and when another process of the same attempt recorded its last row."""
        epoch, header = "e.epoch" if "epoch" in data_set.columns else "NULL", source.header
        found = self._connection.execute(
            f"SELECT MAX(CASE WHEN p.attempt < ?1 THEN {epoch} END),"
            " MAX(CASE WHEN p.attempt = ?1 AND p.process_id <> ?2 THEN e.recorded_at END)"
            f" FROM {quoted(data_set.table)} AS e JOIN process AS p ON p.process_id = e.process_id"
            " WHERE e.run_id = ?3 AND e.rank = ?4 AND e.relation = 'generated'",
            (header.attempt, source.process_id, source.run_id, header.rank),
        ).fetchone()
        return found[0], found[1]

    def _read_beyond(self, run_id: int, data_set: DataSet) -> dict[int, list[tuple[int, Any]]]:
        """Key of an element of a run -> keys and values of its attributes beyond the columns."""
        found: dict[int, list[tuple[int, Any]]] = {}
        for element_id, attribute_id, value in self._connection.execute(
            "SELECT element_id, attribute_id, value FROM element_value WHERE data_set_id = ? AND element_id IN"
            f" (SELECT element_id FROM {quoted(data_set.table)} WHERE run_id = ?)",
            (data_set.data_set_id, run_id),
        ):
            found.setdefault(element_id, []).append((attribute_id, value))
        return found

    def flush(self) -> None:
        """Write what changed."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO run_metric VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (run_id, level, name, s.rank, s.last, s.last_non_finite, s.last_finite, s.min, s.min_epoch, s.max,
                 s.max_epoch, s.num_values, s.num_non_finite)
                for (run_id, level, name), s in self._changed.items()
            ],
        )  # fmt: skip
        self._compared.update(run_id for run_id, level, name in self._changed if (level, name) in _ACCURACIES)
        self._connection.executemany(f"{NOTE_ACCURACY} WHERE run_id = ?", [(run_id,) for run_id in self._compared])
        self._changed.clear()
        self._compared.clear()
