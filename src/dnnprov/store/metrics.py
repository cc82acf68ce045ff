"""Metrics: the series of single batches, and for each run the last, best and worst of every metric.

`run_metric` is kept while rows come in, so that "the best run" is a look-up. The rows of the lowest rank count. Where
an epoch or step comes again (a resumed run), its later value counts and the summary is computed anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from dnnprov.model.events import MetricsRecorded
    from dnnprov.store.catalog import DataSet

Level: TypeAlias = Literal["batch", "epoch", "test"]
Number: TypeAlias = int | float

NO_METRICS = frozenset({"epoch", "timestamp", "elapsed_time", "step"})
"""Columns of oTrainingModel and oTestingModel that are no metrics."""


def is_number(value: object) -> bool:
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
    min_epoch: int | None = None
    max: Number | None = None
    max_epoch: int | None = None
    num_values: int = 0
    num_non_finite: int = 0

    def add(self, value: Number | None, non_finite: str | None, epoch: int | None) -> None:
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


@dataclass
class _Series:
    series_id: int
    last_step: int


class Metrics:
    """Writes series and keeps the summaries.

    Args:
        connection: that rows are written through.
        problem: called with (run_id, kind, detail, recorded_at) for what is no number.
    """

    def __init__(self, connection: sqlite3.Connection, problem: Callable[[int, str, str, str], None]) -> None:
        self._connection = connection
        self._problem = problem
        self._series: dict[tuple[int, str, int], _Series] = {}
        self._summaries: dict[tuple[int, Level, str], Summary] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._repeated: set[tuple[int, str, int]] = set()

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._series.clear()
        self._summaries.clear()
        self._rows.clear()
        self._repeated.clear()

    def record(self, run_id: int, rank: int, event: MetricsRecorded, recorded_at: str) -> None:
        """Take in the values of one log call."""
        non_finite = event.non_finite or {}
        step = event.step or 0
        for name, value in event.values.items():
            special = non_finite.get(name)
            if not special and not is_number(value):
                if value is not None:
                    self._refuse(run_id, name, value, recorded_at)
                continue
            series = self._find_series(run_id, name, rank)
            repetition = 0
            if step <= series.last_step:
                repetition = self._supersede(series, step, (run_id, name, rank))
            else:
                series.last_step = step
            self._rows.append((series.series_id, step, repetition, event.epoch, value, special, event.at // 1000))
            if not repetition:
                self.add(run_id, "batch", name, rank, value, special, event.epoch)

    def add(
        self,
        run_id: int,
        level: Level,
        name: str,
        rank: int,
        value: Number | None,
        non_finite: str | None,
        epoch: int | None,
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
                self.add(run_id, level, name, rank, value, special, epoch if isinstance(epoch, int) else None)

    def recompute_epochs(self, run_id: int, data_set: DataSet) -> None:
        """The epoch summaries of a resumed run anew: of an epoch recorded twice the later process counts."""
        for key in [key for key in self._summaries if key[:2] == (run_id, "epoch")]:
            del self._summaries[key]
        self._connection.execute("DELETE FROM run_metric WHERE run_id = ? AND level = 'epoch'", (run_id,))
        cursor = self._connection.execute(
            f"SELECT e.*, p.attempt AS attempt FROM {quoted(data_set.table)} AS e"
            " JOIN process AS p ON p.process_id = e.process_id WHERE e.run_id = ?"
            " ORDER BY p.attempt, e.process_id, e.sequence, e.row_number",
            (run_id,),
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        last_attempt = {(row["rank"], row["epoch"]): row["attempt"] for row in rows}
        metrics = {a.column for a in data_set.attributes.values() if a.column and a.type != "text"} | {"epoch"}
        for row in rows:
            if row["epoch"] is None or row["attempt"] == last_attempt[row["rank"], row["epoch"]]:
                columns = {name: value for name, value in row.items() if name in metrics}
                special = json.loads(row["non_finite"]) if row["non_finite"] else {}
                self.add_row(run_id, "epoch", row["rank"], {**columns, **dict.fromkeys(special)}, special)

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self._write_rows()
        for key in self._repeated:
            self._recompute_series(*key)
        self._repeated.clear()
        self._connection.executemany(
            "INSERT OR REPLACE INTO run_metric VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (run_id, level, name, s.rank, s.last, s.last_non_finite, s.last_finite, s.min, s.min_epoch, s.max,
                 s.max_epoch, s.num_values, s.num_non_finite)
                for (run_id, level, name), s in self._summaries.items()
            ],
        )  # fmt: skip
        self._summaries.clear()

    def _refuse(self, run_id: int, name: str, value: object, recorded_at: str) -> None:
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

    def _supersede(self, series: _Series, step: int, key: tuple[int, str, int]) -> int:
        """Mark the values of a step as superseded; the number of times it came before."""
        self._write_rows()
        place = (series.series_id, step)
        (before,) = self._connection.execute(
            "SELECT COUNT(*) FROM metric_value WHERE series_id = ? AND step = ?", place
        ).fetchone()
        self._connection.execute("UPDATE metric_value SET superseded = 1 WHERE series_id = ? AND step = ?", place)
        self._repeated.add(key)
        return int(before)

    def _write_rows(self) -> None:
        self._connection.executemany(
            "INSERT INTO metric_value (series_id, step, repetition, epoch, value, non_finite, recorded_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._rows,
        )
        self._rows.clear()

    def _recompute_series(self, run_id: int, name: str, rank: int) -> None:
        summary = self._find_summary(run_id, "batch", name)
        if summary is not None and summary.rank != rank:
            return
        anew = self._summaries[run_id, "batch", name] = Summary(rank)
        values: Iterable[tuple[Number | None, str | None, int | None]] = self._connection.execute(
            "SELECT value, non_finite, epoch FROM metric_value WHERE series_id = ? AND superseded = 0 ORDER BY step",
            (self._find_series(run_id, name, rank).series_id,),
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
