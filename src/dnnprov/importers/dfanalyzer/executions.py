"""Which rows are of one run.

Newer generations of DfAnalyzer name the execution of each task. In older ones, a script that ran again went on writing
to the task rows that were there, so that a dump has the rows of several executions on the same tasks. Each execution
began with a row of iTrainingModel. That row has no time; but where an execution begins, epochs begin anew. What has a
time is then told apart by it, and what has none by its order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnnprov.importers.dfanalyzer.rows import Rows

_PARAMETERS, _EPOCHS = "itrainingmodel", "otrainingmodel"


@dataclass(frozen=True)
class Separation:
    """How the rows of an execution were made runs of.

    Attributes:
        num_runs: that there are.
        notes: what was concluded rather than read.
    """

    num_runs: int = 1
    notes: tuple[str, ...] = ()


@dataclass
class _Span:
    """Rows of oTrainingModel whose epochs rise.

    Attributes:
        first, last: their numbers.
        began_at, ended_at: microseconds since 1970, when the first of its epochs began and the last ended.
    """

    first: int
    last: int
    began_at: int | None
    ended_at: int | None


@dataclass
class _Work:
    """One execution while its rows are put to runs."""

    rows: Rows
    execution: tuple[str, str]
    num_runs: int
    notes: list[str] = field(default_factory=list)

    def put(self, run: int, condition: str, *values: int) -> None:
        """Rows that have no run yet and meet a condition of ours are of this one."""
        self.rows.connection.execute(
            f"UPDATE element SET run = ? WHERE dataflow = ? AND execution = ? AND run IS NULL AND {condition}",  # noqa: S608
            (run, *self.execution, *values),
        )


def separate(rows: Rows, execution: tuple[str, str], *, is_one_run: bool) -> Separation:
    """Put each row of an execution to a run, by its number among the runs of this execution.

    Args:
        rows: of the dump.
        execution: of whose tasks they are.
        is_one_run: whether the dump says so.
    """
    num_parameters = _count(rows, execution, _PARAMETERS)
    work = _Work(rows, execution, 1 if is_one_run else max(1, num_parameters))
    if work.num_runs == 1:
        work.put(0, "1")
        return Separation()
    work.notes.append(
        f"the dump has {num_parameters} executions on the same task rows; they were told apart by their rows of"
        " iTrainingModel, by epochs that begin anew, and by time"
    )
    spans = _spans(rows, execution)
    _put_epochs(work, spans)
    _put_timed(work, spans)
    _put_by_order(work)
    return Separation(work.num_runs, tuple(work.notes))


def _count(rows: Rows, execution: tuple[str, str], tag: str) -> int:
    return sum(
        rows.connection.execute(
            "SELECT COUNT(*) FROM element WHERE dataflow = ? AND execution = ? AND data_set = ?", (*execution, number)
        ).fetchone()[0]
        for number in rows.data_set(tag)
    )


def _spans(rows: Rows, execution: tuple[str, str]) -> list[_Span]:
    spans: list[_Span] = []
    before: float | None = None
    for data_set in rows.data_set(_EPOCHS):
        found = rows.connection.execute(
            "SELECT number, epoch, at, elapsed FROM element WHERE dataflow = ? AND execution = ? AND data_set = ?"
            " ORDER BY number",
            (*execution, data_set),
        )
        for number, epoch, at, elapsed in found:
            if not spans or (epoch is not None and before is not None and epoch <= before):
                began_at = None if at is None else at - round(max(elapsed or 0.0, 0.0) * 1e6)
                spans.append(_Span(number, number, began_at, at))
            else:
                spans[-1].last, spans[-1].ended_at = number, at
            before = epoch if epoch is not None else before
    return spans


def _put_epochs(work: _Work, spans: list[_Span]) -> None:
    if len(spans) != work.num_runs:
        work.notes.append(
            f"epochs begin anew {len(spans)} times for {work.num_runs} rows of iTrainingModel; they were put together"
            " in their order"
        )
    for place, span in enumerate(spans):
        run = min(place, work.num_runs - 1)
        work.put(run, "number BETWEEN ? AND ?", span.first, span.last)


def _put_timed(work: _Work, spans: list[_Span]) -> None:
    """Rows with a time are of the run in whose time it is; between two runs, of the nearer one."""
    begin = 0
    for run, (span, following) in enumerate(pairwise(spans)):
        if run >= work.num_runs - 1 or span.ended_at is None or following.began_at is None:
            break
        end = (span.ended_at + following.began_at) // 2
        work.put(run, "at >= ? AND at < ?", begin, end)
        begin = end
    last = min(len(spans), work.num_runs) - 1
    if begin:
        work.put(last, "at >= ?", begin)


def _put_by_order(work: _Work) -> None:
    """Rows that no time tells apart, set by set: as many for each run where they divide, else all of the last."""
    found = work.rows.connection.execute(
        "SELECT data_set, COUNT(*) FROM element WHERE dataflow = ? AND execution = ? AND run IS NULL GROUP BY data_set",
        work.execution,
    ).fetchall()
    for data_set, count in found:
        numbers = [
            number
            for (number,) in work.rows.connection.execute(
                "SELECT number FROM element WHERE dataflow = ? AND execution = ? AND run IS NULL AND data_set = ?"
                " ORDER BY number",
                (*work.execution, data_set),
            )
        ]
        each, rest = divmod(count, work.num_runs)
        if rest:
            tag = work.rows.tag_of(data_set)
            work.notes.append(
                f"nothing tells apart {count} rows of {tag!r}, and they do not divide; they are in the last"
            )
            work.put(work.num_runs - 1, "data_set = ?", data_set)
            continue
        for run in range(work.num_runs):
            first, last = numbers[run * each], numbers[(run + 1) * each - 1]
            work.put(run, "data_set = ? AND number BETWEEN ? AND ?", data_set, first, last)
