"""Metrics: the series of single batches, and for each run the last, best and worst of every metric.

`run_metric` is kept while rows come in, so that "the best run" is a look-up. The rows of the lowest rank count.

One process may record a step as often as it likes (training loops that count anew in each epoch do): all its values
count. Where a run was resumed, the value of a later attempt supersedes those that earlier attempts have of the same
step, unless both name an epoch and it is another one; then the summary is computed anew. As attempts are compared, the
order in which segments are taken in does not matter. Epochs likewise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard

from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER
from dnnprov.store.schema import quoted
from dnnprov.store.source import time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from dnnprov.model.events import MetricsRecorded
    from dnnprov.store.catalog import DataSet
    from dnnprov.store.source import Source

Level: TypeAlias = Literal["batch", "epoch", "test"]
Number: TypeAlias = int | float

NO_METRICS = frozenset({"epoch", "timestamp", "elapsed_time", "step"})
"""Columns of oTrainingModel and oTestingModel that are no metrics."""


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
        self.last_finite = value
        if self.min is None or value < self.min:
            self.min, self.min_epoch = value, epoch
        if self.max is None or value > self.max:
            self.max, self.max_epoch = value, epoch


_INSERT = """
INSERT INTO metric_value (series_id, step, attempt, repetition, epoch, value, non_finite, recorded_ms)
VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)"""

_INSERT_AGAIN = """
INSERT INTO metric_value (series_id, step, attempt, repetition, epoch, value, non_finite, recorded_ms)
VALUES (?1, ?2, ?3,
        (SELECT COALESCE(MAX(v.repetition) + 1, 0) FROM metric_value AS v
         WHERE v.series_id = ?1 AND v.step = ?2 AND v.attempt = ?3),
        ?4, ?5, ?6, ?7)"""

_SUPERSEDE = """
UPDATE metric_value AS v SET superseded = 1
WHERE v.series_id = ? AND v.step = ? AND v.superseded = 0 AND EXISTS (
    SELECT 1 FROM metric_value AS later
    WHERE later.series_id = v.series_id AND later.step = v.step AND later.attempt > v.attempt
      AND COALESCE(later.epoch = v.epoch, 1))"""


@dataclass
class _Series:
    series_id: int
    last_step: Number


@dataclass
class _Resumed:
    """What came of a series of a resumed run.

    Attributes:
        steps_again: steps that were there.
        is_late: whether any of it came after what a later attempt recorded.
    """

    steps_again: set[Number] = field(default_factory=set)
    is_late: bool = False


class Metrics:
    """Writes series and keeps the summaries.

    Args:
        connection: that rows are written through.
        problem: called with (run_id, kind, detail, recorded_at) for what is no number.
    """

    def __init__(self, connection: sqlite3.Connection, problem: Callable[[int, str, str, str | None], None]) -> None:
        self._connection = connection
        self._problem = problem
        self._series: dict[tuple[int, str, int], _Series] = {}
        self._summaries: dict[tuple[int, Level, str], Summary] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._rows_again: list[tuple[Any, ...]] = []
        self._resumed: dict[tuple[int, str, int], _Resumed] = {}

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._series.clear()
        self._summaries.clear()
        self._rows.clear()
        self._rows_again.clear()
        self._resumed.clear()

    def record(self, event: MetricsRecorded, source: Source) -> None:
        """Take in the values of one log call."""
        run_id, rank, attempt = source.run_id, source.header.rank, source.header.attempt
        non_finite = event.non_finite or {}
        step, epoch = event.step or 0, event.epoch
        recorded_ms = event.at // 1000 if 0 <= event.at <= MAX_INTEGER else None
        for name, value in event.values.items():
            special = non_finite.get(name)
            if not special and not is_number(value):
                if value is not None:
                    self._refuse(run_id, name, value, time_text(event.at))
                continue
            series = self._find_series(run_id, name, rank)
            row = (series.series_id, step, attempt, epoch, value, special, recorded_ms)
            if step > series.last_step:
                series.last_step = step
                self._rows.append(row)
            else:
                self._rows_again.append(row)
                if source.last_attempt:
                    self._resume(run_id, name, rank).steps_again.add(step)
            if not source.is_latest:
                self._resume(run_id, name, rank).is_late = True
            self.add(run_id, "batch", name, rank, value, special, epoch)

    def add(
        self,
        run_id: int,
        level: Level,
        name: str,
        rank: int,
        value: Number | None,
        non_finite: str | None,
        epoch: Number | None,
    ) -> None:
        """Take one value into the summary of its run, if its rank is the lowest so far."""
        summary = self._find_summary(run_id, level, name)
        if summary is None or rank < summary.rank:
            summary = self._summaries[run_id, level, name] = Summary(rank)
        if rank == summary.rank:
            summary.add(value, non_finite, epoch)

    def add_row(
        self, run_id: int, level: Level, rank: int, columns: dict[str, Any], non_finite: dict[str, str]
    ) -> None:
        """Take a row of oTrainingModel or oTestingModel into the summaries."""
        epoch = columns.get("epoch")
        for name, value in columns.items():
            special = non_finite.get(name)
            if name not in NO_METRICS and (special or is_number(value)):
                self.add(run_id, level, name, rank, value, special, epoch if is_number(epoch) else None)

    def recompute_rows(self, run_id: int, level: Level, data_set: DataSet) -> None:
        """The summaries of a resumed run anew: of an epoch that was recorded again the latest attempt counts."""
        for key in [key for key in self._summaries if key[:2] == (run_id, level)]:
            del self._summaries[key]
        self._connection.execute("DELETE FROM run_metric WHERE run_id = ? AND level = ?", (run_id, level))
        cursor = self._connection.execute(
            f"SELECT e.*, p.attempt AS attempt FROM {quoted(data_set.table)} AS e"
            " JOIN process AS p ON p.process_id = e.process_id WHERE e.run_id = ? AND e.relation = 'generated'"
            " ORDER BY p.attempt, p.name, e.sequence, e.row_number",
            (run_id,),
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        last_attempt: dict[tuple[int, Any], int] = {}
        for row in rows:
            last_attempt[row["rank"], row.get("epoch")] = row["attempt"]
        metrics = {a.column for a in data_set.attributes.values() if a.column and a.type != "text"} | {"epoch"}
        for row in rows:
            if row.get("epoch") is None or row["attempt"] == last_attempt[row["rank"], row["epoch"]]:
                columns = {name: value for name, value in row.items() if name in metrics}
                special = json.loads(row["non_finite"]) if row["non_finite"] else {}
                self.add_row(run_id, level, row["rank"], {**columns, **dict.fromkeys(special)}, special)

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self._connection.executemany(_INSERT, self._rows)
        self._connection.executemany(_INSERT_AGAIN, self._rows_again)
        self._rows.clear()
        self._rows_again.clear()
        for key, resumed in self._resumed.items():
            self._supersede(key, resumed)
        self._resumed.clear()
        self._connection.executemany(
            "INSERT OR REPLACE INTO run_metric VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (run_id, level, name, s.rank, s.last, s.last_non_finite, s.last_finite, s.min, s.min_epoch, s.max,
                 s.max_epoch, s.num_values, s.num_non_finite)
                for (run_id, level, name), s in self._summaries.items()
            ],
        )  # fmt: skip
        self._summaries.clear()

    def _refuse(self, run_id: int, name: str, value: object, recorded_at: str | None) -> None:
        detail = f"metric {name!r}: {value!r} is no number of 64 bits; log text with task.log or set_params"
        self._problem(run_id, "value_does_not_fit", detail, recorded_at)

    def _find_series(self, run_id: int, name: str, rank: int) -> _Series:
        key = (run_id, name, rank)
        series = self._series.get(key)
        if series is None:
            self._connection.execute(
                "INSERT INTO metric_series (run_id, name, rank) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key
            )
            (series_id,) = self._connection.execute(
                "SELECT series_id FROM metric_series WHERE run_id = ? AND name = ? AND rank = ?", key
            ).fetchone()
            (last_step,) = self._connection.execute(
                "SELECT MAX(step) FROM metric_value WHERE series_id = ?", (series_id,)
            ).fetchone()
            series = self._series[key] = _Series(series_id, -(2**63) if last_step is None else last_step)
        return series

    def _resume(self, run_id: int, name: str, rank: int) -> _Resumed:
        return self._resumed.setdefault((run_id, name, rank), _Resumed())

    def _supersede(self, key: tuple[int, str, int], resumed: _Resumed) -> None:
        """Let the latest attempt count at steps that came again, and sum the series up anew where that is needed."""
        run_id, name, rank = key
        series_id = self._find_series(*key).series_id
        steps = [(series_id, step) for step in resumed.steps_again]
        num_hidden = self._connection.executemany(_SUPERSEDE, steps).rowcount if steps else 0
        summary = self._find_summary(run_id, "batch", name)
        if not (num_hidden or resumed.is_late) or (summary is not None and summary.rank != rank):
            return
        anew = self._summaries[run_id, "batch", name] = Summary(rank)
        values: Iterable[tuple[Number | None, str | None, Number | None]] = self._connection.execute(
            "SELECT value, non_finite, epoch FROM metric_value WHERE series_id = ? AND superseded = 0"
            " ORDER BY attempt, recorded_ms, step, repetition",
            (series_id,),
        )
        for value, special, epoch in values:
            anew.add(value, special, epoch)

    def _find_summary(self, run_id: int, level: Level, name: str) -> Summary | None:
        found = self._summaries.get((run_id, level, name))
        if found is None:
            row = self._connection.execute(
                "SELECT rank, last, last_non_finite, last_finite, min, min_epoch, max, max_epoch, num_values,"
                " num_non_finite FROM run_metric WHERE run_id = ? AND level = ? AND name = ?",
                (run_id, level, name),
            ).fetchone()
            if row is None:
                return None
            found = self._summaries[run_id, level, name] = Summary(*row)
        return found
