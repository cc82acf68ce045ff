"""What the events of tasks and files do to the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dnnprov.errors import JournalError
from dnnprov.store.endings import state_of_new_task
from dnnprov.store.late_plan import complete_plan
from dnnprov.store.source import find_place, find_task, time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from dnnprov.model import events
    from dnnprov.store.catalog import Catalog
    from dnnprov.store.source import Source


class TaskRows:
    """Takes the events of tasks and files.

    Args:
        connection: that rows are written through.
        catalog: of names.
        settle: called before elements are looked at, some of which may not be written yet.
    """

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog, settle: Callable[[], None]) -> None:
        self._connection = connection
        self._catalog = catalog
        self._settle = settle

    def begin(self, event: events.TaskBegan, source: Source) -> None:
        """A task began, after others."""
        transformation_id, plan, place = None, self._catalog.plan, source.place(event.seq)
        if source.dataflow_id is not None:
            transformation_id = plan.executed(
                source.dataflow_id, event.tag, place, source.program, self._catalog.data_set("iTrainingModel")
            )
        task_id = self._insert(event, source, transformation_id)
        for reference in event.after:
            before = find_task(self._connection, reference, source)
            if before is None:
                continue
            self._connection.execute("INSERT OR IGNORE INTO task_dependency VALUES (?, ?)", (task_id, before[0]))
            if source.dataflow_id is not None and transformation_id is not None and before[1] is not None:
                plan.depend(source.dataflow_id, before[1], transformation_id, place)

    def _insert(self, event: events.TaskBegan, source: Source, transformation_id: int | None) -> int:
        """The key of the task; a row that another segment's reference to it made is filled in."""
        place, at = (source.process_id, event.seq), time_text(event.at)
        referred = self._connection.execute(
            "SELECT task_id, started_at, rank FROM task WHERE process_id = ? AND sequence = ?", place
        ).fetchone()
        if referred is not None and referred[1] is not None:
            raise JournalError("a task of this number is there already")
        if referred is None:
            status, ended_at, reason = state_of_new_task(self._connection, source)
            if ended_at is not None and at is not None:
                ended_at = max(ended_at, at)
            task_id = self._connection.execute(
                "INSERT INTO task (run_id, transformation_id, tag, status, started_at, ended_at, exit_reason, rank,"
                " process_id, sequence, identifier, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    source.run_id,
                    transformation_id,
                    event.tag,
                    status,
                    at,
                    ended_at,
                    reason,
                    source.header.rank,
                    *place,
                    event.identifier,
                    _details(event.details),
                ),
            ).lastrowid
            return task_id or 0
        self._connection.execute(
            "UPDATE task SET transformation_id = ?, tag = ?, started_at = ?, rank = ?, identifier = ?"
            " WHERE task_id = ?",
            (transformation_id, event.tag, at, source.header.rank, event.identifier, referred[0]),
        )
        self._add_details(referred[0], event.details, is_earlier=True)
        if not source.is_latest or referred[2] != source.header.rank:  # the state of what referred to it is not its own
            self._connection.execute(
                "UPDATE task SET status = ?, ended_at = ?, exit_reason = ? WHERE task_id = ?",
                (*state_of_new_task(self._connection, source), referred[0]),
            )
        if source.dataflow_id is not None:
            self._settle()
            complete_plan(self._connection, self._catalog, source.run_id, source.dataflow_id)
        return int(referred[0])

    def end(self, event: events.TaskEnded, source: Source) -> None:
        """A task ended."""
        task = find_task(self._connection, event.task, source)
        if task is not None:
            self._connection.execute(
                "UPDATE task SET status = ?, ended_at = ?, exit_reason = ? WHERE task_id = ?",
                (event.status, time_text(event.at), event.reason, task[0]),
            )
            self._add_details(task[0], event.details)

    def describe(self, event: events.TaskDescribed, source: Source) -> None:
        """More was told of a task."""
        task = find_task(self._connection, event.task, source)
        if task is not None:
            self._add_details(task[0], event.details)

    def _add_details(self, task_id: int, details: dict[str, str], *, is_earlier: bool = False) -> None:
        """Add texts to those that a task has; of one name the later stays."""
        if details:
            (written,) = self._connection.execute("SELECT details FROM task WHERE task_id = ?", (task_id,)).fetchone()
            known = json.loads(written or "{}")
            merged = {**details, **known} if is_earlier else {**known, **details}
            self._connection.execute("UPDATE task SET details = ? WHERE task_id = ?", (_details(merged), task_id))

    def record_file(self, event: events.FileRecorded, source: Source) -> None:
        """A file was used or generated."""
        task = find_task(self._connection, event.task, source)
        self._connection.execute(
            "INSERT INTO file (run_id, task_id, relation, path, role, size, modified_at, recorded_at, process_id,"
            " sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (source.run_id, task[0] if task else None, event.relation, event.path, event.role, event.size,
             time_text(event.modified) if event.modified is not None else None, time_text(event.at),
             source.process_id, event.seq),
        )  # fmt: skip

    def hash_file(self, event: events.FileHashed, source: Source) -> None:
        """The hash of a file came, or why there is none."""
        place = find_place(self._connection, event.file, source)
        if place is not None:
            self._connection.execute(
                "UPDATE file SET sha256 = ?, note = ? WHERE process_id = ? AND sequence = ?",
                (event.sha256, event.reason, *place),
            )


def _details(details: dict[str, str]) -> str | None:
    return json.dumps(details, ensure_ascii=False) if details else None
