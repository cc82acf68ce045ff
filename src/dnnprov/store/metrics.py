"""Metrics: the series of single batches.

One process may record a step as often as it likes (training loops that count anew in each epoch do): all its values
count. Where a run was resumed, the value of a later attempt supersedes those that earlier attempts have of the same
step, unless both name an epoch and it is another one; then the summary is computed anew. As attempts are compared, the
order in which segments are taken in does not matter. Epochs likewise.

Log calls with the same names are gathered and taken in together, series by series, as columns: nearly all of the work
is then done in C. Where that would not come to the same (a value that is no number or not finite, a step that comes
again), they are taken in one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from dnnprov.store.source import time_text
from dnnprov.store.summaries import is_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from dnnprov.model.events import MetricsRecorded
    from dnnprov.store.source import Source
    from dnnprov.store.summaries import Number, Summaries

_INSERT = """
INSERT INTO metric_value (series_id, step, attempt, repetition, epoch, value, non_finite, elapsed_ms)
VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)"""

_INSERT_AGAIN = """
INSERT INTO metric_value (series_id, step, attempt, repetition, epoch, value, non_finite, elapsed_ms)
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

_FEW = 4
"""Fewer log calls are taken in one by one, which is faster then."""

_NUMBERS = frozenset({float, int})


@dataclass
class _Series:
    series_id: int
    began_ms: int
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
    """Writes series and keeps their summaries.

    Args:
        connection: that rows are written through.
        summaries: of the runs.
        problem: called with (run_id, kind, detail, recorded_at) for what is no number.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        summaries: Summaries,
        problem: Callable[[int, str, str, str | None], None],
    ) -> None:
        self._connection = connection
        self._summaries = summaries
        self._problem = problem
        self._series: dict[tuple[int, str, int], _Series] = {}
        self._gathered: dict[tuple[str, ...], list[MetricsRecorded]] = {}
        self._source: Source | None = None  # of what is gathered
        self._rows: list[tuple[Any, ...]] = []
        self._rows_again: list[tuple[Any, ...]] = []
        self._resumed: dict[tuple[int, str, int], _Resumed] = {}

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._series.clear()
        self._gathered.clear()
        self._rows.clear()
        self._rows_again.clear()
        self._resumed.clear()

    def record(self, event: MetricsRecorded, source: Source) -> None:
        """Take in the values of one log call."""
        names = tuple(event.values)
        alike = self._gathered.get(names)
        if alike is None or source is not self._source:
            if source is not self._source or self._has_any_of(names):
                self._settle()
            self._source = source
            alike = self._gathered[names] = []
        alike.append(event)

    def _has_any_of(self, names: tuple[str, ...]) -> bool:
        """Whether a value of one of these names is gathered, which must go in before one that came later."""
        return any(not set(names).isdisjoint(others) for others in self._gathered)

    def _settle(self) -> None:
        """Turn what is gathered into rows and summaries."""
        if self._source is not None:
            for names, events in self._gathered.items():
                if len(events) < _FEW or not self._take_columns(names, events, self._source):
                    for event in events:
                        self._take_one(event, self._source)
        self._gathered.clear()

    def _take_columns(self, names: tuple[str, ...], events: list[MetricsRecorded], source: Source) -> bool:
        """Take in log calls of the same names together; `False` where they have to be looked at one by one."""
        if not source.is_latest or any(event.non_finite for event in events):
            return False
        columns = list(zip(*[event.values.values() for event in events], strict=True))
        if not all(_are_numbers(column) for column in columns):
            return False
        steps = [event.step or 0 for event in events]
        run_id, rank = source.run_id, source.header.rank
        all_series = [self._find_series(run_id, name, rank, events[0].at // 1000) for name in names]
        if any(series.last_step >= steps[0] for series in all_series) or any(a >= b for a, b in pairwise(steps)):
            return False
        epochs = [event.epoch for event in events]
        times = {began: [event.at // 1000 - began for event in events] for began in {s.began_ms for s in all_series}}
        attempt = source.header.attempt
        for name, series, column in zip(names, all_series, columns, strict=True):
            series.last_step = steps[-1]
            elapsed = times[series.began_ms]
            self._rows.extend(
                zip(repeat(series.series_id), steps, repeat(attempt), epochs, column, repeat(None), elapsed)
            )
            if summary := self._summaries.of_rank(run_id, "batch", name, rank):
                summary.add_all(column, epochs)
        return True

    def _take_one(self, event: MetricsRecorded, source: Source) -> None:
        run_id, rank, attempt = source.run_id, source.header.rank, source.header.attempt
        non_finite = event.non_finite or {}
        step, epoch = event.step or 0, event.epoch
        recorded_ms = event.at // 1000
        for name, value in event.values.items():
            special = non_finite.get(name)
            if not special and not is_number(value):
                if value is not None:
                    self._refuse(source, name, value, time_text(event.at))
                continue
            series = self._find_series(run_id, name, rank, recorded_ms)
            row = (series.series_id, step, attempt, epoch, value, special, recorded_ms - series.began_ms)
            if step > series.last_step:
                series.last_step = step
                self._rows.append(row)
            else:
                self._rows_again.append(row)
                if source.last_attempt:
                    self._resume(run_id, name, rank).steps_again.add(step)
            if not source.is_latest:
                self._resume(run_id, name, rank).is_late = True
            if summary := self._summaries.of_rank(run_id, "batch", name, rank):
                summary.add(value, special, epoch)

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self._settle()
        self._source = None
        self._rows.sort(key=itemgetter(0))  # one after the other is how the table lies
        self._connection.executemany(_INSERT, self._rows)
        self._connection.executemany(_INSERT_AGAIN, self._rows_again)
        self._rows.clear()
        self._rows_again.clear()
        for key, resumed in self._resumed.items():
            self._supersede(key, resumed)
        self._resumed.clear()
        self._summaries.flush()

    def _refuse(self, source: Source, name: str, value: object, recorded_at: str | None) -> None:
        detail = (
            f"dataflow {source.dataflow!r}, data set 'metric', attribute {name!r}: {value!r} is no number of 64 bits;"
            " log it with task.log or set_params"
        )
        self._problem(source.run_id, "value_does_not_fit", detail, recorded_at)

    def _find_series(self, run_id: int, name: str, rank: int, recorded_ms: int) -> _Series:
        key = (run_id, name, rank)
        series = self._series.get(key)
        if series is None:
            self._connection.execute(
                "INSERT INTO metric_series (run_id, name, rank, began_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*key, recorded_ms),
            )
            series_id, began_ms = self._connection.execute(
                "SELECT series_id, began_ms FROM metric_series WHERE run_id = ? AND name = ? AND rank = ?", key
            ).fetchone()
            (last_step,) = self._connection.execute(
                "SELECT MAX(step) FROM metric_value WHERE series_id = ?", (series_id,)
            ).fetchone()
            series = self._series[key] = _Series(series_id, began_ms, -(2**63) if last_step is None else last_step)
        return series

    def _resume(self, run_id: int, name: str, rank: int) -> _Resumed:
        return self._resumed.setdefault((run_id, name, rank), _Resumed())

    def _supersede(self, key: tuple[int, str, int], resumed: _Resumed) -> None:
        """Let the latest attempt count at steps that came again, and sum the series up anew where that is needed."""
        run_id, name, rank = key
        series_id = self._series[key].series_id
        steps = [(series_id, step) for step in resumed.steps_again]
        num_hidden = self._connection.executemany(_SUPERSEDE, steps).rowcount if steps else 0
        summary = self._summaries.find(run_id, "batch", name)
        if not (num_hidden or resumed.is_late) or (summary is not None and summary.rank != rank):
            return
        anew = self._summaries.begin(run_id, "batch", name, rank)
        values: Iterable[tuple[Number | None, str | None, Number | None]] = self._connection.execute(
            "SELECT value, non_finite, epoch FROM metric_value WHERE series_id = ? AND superseded = 0"
            " ORDER BY attempt, elapsed_ms, step, repetition",
            (series_id,),
        )
        for value, special, epoch in values:
            anew.add(value, special, epoch)


def _are_numbers(column: tuple[Any, ...]) -> bool:
    """Whether all values are finite floats or integers of 64 bits."""
    kinds = set(map(type, column))
    return kinds <= _NUMBERS and (int not in kinds or all(map(is_number, column)))
