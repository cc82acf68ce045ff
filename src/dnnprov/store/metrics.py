"""Metrics: the series of single batches.

One process may record a step as often as it likes (training loops that count anew in each epoch do): all its values
count. Where a run was resumed, the value of a later attempt supersedes those that earlier attempts have of the same
step, unless both name an epoch and it is another one; then these leave the summary. As attempts are compared, the order
in which segments are taken in does not matter. Epochs likewise. Values of forked children stand where their times say;
where any came before one that is there, the summary is computed anew.

Log calls with the same names are gathered and taken in together, series by series, as columns: nearly all of the work
is then done in C. Where that would not come to the same (a value that is no number or not finite, a step that comes
again), they are taken in one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dnnprov.store.source import time_text
from dnnprov.store.summaries import is_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from dnnprov.model.events import MetricsRecorded
    from dnnprov.store.source import Source
    from dnnprov.store.summaries import Number, Summaries, Summary

_INSERT = """
INSERT INTO metric_value (series_id, step, attempt, repetition, epoch, value, non_finite, elapsed_ms)
VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)"""

_ROWS_AT_ONCE = 50
"""More gain little: what a statement costs by itself is spread over the rows of it, whose series it names once."""

_VALUES_OF_ROW = 4

_INSERT_MANY = (
    "INSERT INTO metric_value (series_id, step, attempt, repetition, epoch, value, elapsed_ms) VALUES "
) + ", ".join(
    f"(?1, ?{first}, ?2, 0, ?{first + 1}, ?{first + 2}, ?{first + 3})"
    for first in range(3, 3 + _VALUES_OF_ROW * _ROWS_AT_ONCE, _VALUES_OF_ROW)
)

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
      AND COALESCE(later.epoch = v.epoch, 1))
RETURNING value, non_finite"""

_ORDER = "attempt, elapsed_ms, step, repetition"
"""In which values of a series count as recorded one after the other."""

_FEW = 4
"""Fewer log calls are taken in one by one, which is faster then."""

_NUMBERS = frozenset({float, int})


@dataclass
class _Series:
    """What is known of a series; the last is of an attempt with several processes, and when its latest value came."""

    series_id: int
    began_ms: int
    last_step: Number
    latest: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Block:
    """New values of one series, all finite, as columns: steps, epochs, values, milliseconds since the series began."""

    series_id: int
    attempt: int
    columns: tuple[Sequence[Any], ...]


@dataclass
class _Resumed:
    """What came of a series of a resumed run, or one with several processes.

    Attributes:
        steps_again: steps that were there.
        has_finite: whether any of its values is finite.
        is_unordered: whether any of it stands before what was there, of a later attempt or another process.
    """

    steps_again: set[Number] = field(default_factory=set)
    has_finite: bool = False
    is_unordered: bool = False


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
        self._blocks: list[_Block] = []
        self._rows: list[tuple[Any, ...]] = []
        self._rows_again: list[tuple[Any, ...]] = []
        self._resumed: dict[tuple[int, str, int], _Resumed] = {}

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._series.clear()
        self._gathered.clear()
        self._blocks.clear()
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
        if not source.is_latest or any(map(attrgetter("non_finite"), events)):
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
            if source.has_siblings:
                self._note_times(series, name, source, times[series.began_ms][0], times[series.began_ms][-1])
            elapsed = times[series.began_ms]
            self._blocks.append(_Block(series.series_id, attempt, (steps, epochs, column, elapsed)))
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
                self._resume(run_id, name, rank).is_unordered = True
            elif source.last_attempt and not special:
                self._resume(run_id, name, rank).has_finite = True
            if source.has_siblings:
                self._note_times(series, name, source, row[-1], row[-1])
            if summary := self._summaries.of_rank(run_id, "batch", name, rank):
                summary.add(value, special, epoch)

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self._settle()
        self._source = None
        self._blocks.sort(key=attrgetter("series_id"))  # one after the other is how the table lies
        for block in self._blocks:
            self._write(block)
        self._connection.executemany(_INSERT, self._rows)
        self._connection.executemany(_INSERT_AGAIN, self._rows_again)
        self._blocks.clear()
        self._rows.clear()
        self._rows_again.clear()
        for key, resumed in self._resumed.items():
            self._supersede(key, resumed)
        self._resumed.clear()
        self._summaries.flush()

    def _write(self, block: _Block) -> None:
        """Write a block but for its last few rows, which go to those that are written one by one."""
        values = list(chain.from_iterable(zip(*block.columns, strict=True)))
        size = _VALUES_OF_ROW * _ROWS_AT_ONCE
        end = len(values) - len(values) % size
        for begin in range(0, end, size):
            several = (block.series_id, block.attempt, *values[begin : begin + size])
            self._connection.execute(_INSERT_MANY, several)
        rest = zip(*[column[end // _VALUES_OF_ROW :] for column in block.columns], strict=True)
        self._rows += [
            (block.series_id, step, block.attempt, epoch, value, None, ms) for step, epoch, value, ms in rest
        ]

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

    def _note_times(self, series: _Series, name: str, source: Source, first_ms: int, last_ms: int) -> None:
        """Find out whether values of one of several processes came after all that is there of their attempt."""
        attempt = source.header.attempt
        if series.latest is None or series.latest[0] != attempt:
            (latest_ms,) = self._connection.execute(
                "SELECT MAX(elapsed_ms) FROM metric_value WHERE series_id = ? AND attempt = ?",
                (series.series_id, attempt),
            ).fetchone()
        else:
            latest_ms = series.latest[1]
        if latest_ms is not None and first_ms <= latest_ms:
            self._resume(source.run_id, name, source.header.rank).is_unordered = True
        series.latest = attempt, last_ms if latest_ms is None else max(latest_ms, last_ms)

    def _resume(self, run_id: int, name: str, rank: int) -> _Resumed:
        return self._resumed.setdefault((run_id, name, rank), _Resumed())

    def _supersede(self, key: tuple[int, str, int], resumed: _Resumed) -> None:
        """Let the latest attempt count at steps that came again."""
        run_id, name, rank = key
        series_id = self._series[key].series_id
        hidden: list[tuple[Number | None, str | None]] = []
        for step in sorted(resumed.steps_again):
            hidden += self._connection.execute(_SUPERSEDE, (series_id, step)).fetchall()
        summary = self._summaries.find(run_id, "batch", name)
        if summary is not None and summary.rank != rank:
            return
        if summary is None or resumed.is_unordered or (hidden and summary.is_last(hidden, resumed.has_finite)):
            self._sum_up(self._summaries.begin(run_id, "batch", name, rank), series_id)
        elif hidden:
            was_lowest, was_highest = summary.take_out(hidden)
            if was_lowest:
                summary.min, summary.min_epoch = self._find_extreme(series_id, "ASC")
            if was_highest:
                summary.max, summary.max_epoch = self._find_extreme(series_id, "DESC")

    def _sum_up(self, summary: Summary, series_id: int) -> None:
        """Add all values of a series to an empty summary."""
        values: Iterable[tuple[Number | None, str | None, Number | None]] = self._connection.execute(
            "SELECT value, non_finite, epoch FROM metric_value WHERE series_id = ? AND superseded = 0"
            f" ORDER BY {_ORDER}",
            (series_id,),
        )
        for value, special, epoch in values:
            summary.add(value, special, epoch)

    def _find_extreme(self, series_id: int, direction: str) -> tuple[Number | None, Number | None]:
        """The lowest or highest value of a series, and the epoch that had it first."""
        found = self._connection.execute(
            "SELECT CAST(value AS REAL) AS number, epoch FROM metric_value WHERE series_id = ? AND superseded = 0"
            f" AND value IS NOT NULL ORDER BY number {direction}, {_ORDER} LIMIT 1",
            (series_id,),
        ).fetchone()
        return found or (None, None)


def _are_numbers(column: tuple[Any, ...]) -> bool:
    """Whether all values are finite floats or integers of 64 bits."""
    kinds = set(map(type, column))
    return kinds <= _NUMBERS and (int not in kinds or all(map(is_number, column)))
