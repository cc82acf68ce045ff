"""Which event does what to the database, and the notes of what could not be taken as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.model import events
from dnnprov.store.element_rows import ElementRows
from dnnprov.store.run_rows import RunRows
from dnnprov.store.source import time_text
from dnnprov.store.task_rows import TaskRows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from dnnprov.store.catalog import Catalog
    from dnnprov.store.source import Source


class EventRows:
    """Turns events into rows, within a transaction of the caller.

    Args:
        connection: that rows are written through.
        catalog: of names.
    """

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog
        self._elements = ElementRows(connection, catalog, self.problem)
        settle = self._elements.settle
        runs, tasks = RunRows(connection, catalog, self.problem, settle), TaskRows(connection, catalog, settle)
        self._take: dict[type[events.Event], Callable[[Any, Source], None]] = {
            events.SegmentOpened: _take_nothing,
            events.ProcessHeard: _take_nothing,
            events.PostKept: _take_nothing,
            events.PostTaken: _take_nothing,
            events.SegmentClosed: runs.close,
            events.RunStarted: runs.start,
            events.RunResumed: runs.resume,
            events.RunEnded: runs.end,
            events.EnvironmentRecorded: runs.environment,
            events.DataflowDeclared: runs.declare,
            events.TaskBegan: tasks.begin,
            events.TaskEnded: tasks.end,
            events.TaskDescribed: tasks.describe,
            events.FileRecorded: tasks.record_file,
            events.FileHashed: tasks.hash_file,
            events.ParametersSet: self._elements.set_parameters,
            events.ElementsRecorded: self._elements.record,
            events.ElementAmended: self._elements.amend,
            events.HyperparameterAdapted: self._elements.adapt,
            events.MetricsRecorded: self._elements.record_metrics,
            events.ProblemRecorded: self._take_problem,
        }

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._catalog.forget()
        self._elements.forget()

    def take(self, event: events.AnyEvent, source: Source) -> None:
        """Write the rows of one event."""
        self._take[type(event)](event, source)

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self._elements.flush()
        self._catalog.make_tables()
        self._catalog.versions.write()

    def problem(self, run_id: int | None, kind: str, detail: str, recorded_at: str | None) -> None:
        """Note what could not be taken as it came."""
        self._connection.execute(
            "INSERT INTO problem (run_id, kind, detail, recorded_at) VALUES (?, ?, ?, ?)",
            (run_id, kind, detail, recorded_at),
        )

    def _take_problem(self, event: events.ProblemRecorded, source: Source) -> None:
        self.problem(source.run_id, event.kind, event.detail, time_text(event.at))


def _take_nothing(event: events.Event, source: Source) -> None:
    """Of the segment itself (its header, and when it was last heard), or between a server and its later self."""
