"""What the events of a run as a whole do to the database: its state, dataflow, environment and agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dnnprov.store.endings import begin_run, end_attempt, end_rank, go_on
from dnnprov.store.late_plan import complete_plan, leave_dataflow
from dnnprov.store.source import time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from dnnprov.model import events
    from dnnprov.store.catalog import Catalog
    from dnnprov.store.source import Source


class RunRows:
    """Takes the events of runs.

    Args:
        connection: that rows are written through.
        catalog: of names.
        problem: called with (run_id, kind, detail, recorded_at) for what does not fit.
        settle: called before elements are looked at, some of which may not be written yet.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        catalog: Catalog,
        problem: Callable[[int, str, str, str | None], None],
        settle: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._problem = problem
        self._settle = settle

    def start(self, event: events.RunStarted, source: Source) -> None:
        """A run began."""
        self._settle()
        left = None
        if source.dataflow_id is not None and source.dataflow != event.dataflow:  # it was resumed as another's
            left = source.dataflow_id
            self._note_change(source, event.dataflow, source.dataflow, event)
            self._connection.execute("UPDATE task SET transformation_id = NULL WHERE run_id = ?", (source.run_id,))
        source.started_at, source.program = time_text(event.at), event.program
        self._connection.execute(
            "UPDATE run SET name = ?, started_at = ?, parent_uid = ?, program_id = ?, parent_run_id ="
            " (SELECT p.run_id FROM run AS p WHERE p.uid = ?) WHERE run_id = ?",
            (event.name, source.started_at, event.parent, self._program(event.program), event.parent, source.run_id),
        )
        begin_run(self._connection, source)
        self._catalog.record.move(source.run_id, source.dataflow_id)
        self._set_dataflow(source, event.dataflow)
        if left is not None:
            leave_dataflow(self._connection, self._catalog, source.run_id, left)
        self._connection.execute(  # children that came before their parent
            "UPDATE run SET parent_run_id = ? WHERE parent_uid = ?", (source.run_id, source.header.run)
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO run_tag VALUES (?, ?, ?)",
            [(source.run_id, name, value) for name, value in event.tags.items()],
        )

    def resume(self, event: events.RunResumed, source: Source) -> None:
        """A later process went on with the run; its dataflow stays the one it was started with."""
        self._settle()
        if source.dataflow_id is None:
            self._set_dataflow(source, event.dataflow)
        elif source.dataflow != event.dataflow:
            self._note_change(source, source.dataflow, event.dataflow, event)
        if source.is_latest:
            go_on(self._connection, source)

    def end(self, event: events.RunEnded, source: Source) -> None:
        """A rank of the run ended; one that a later process resumed goes on."""
        at = time_text(event.at)
        if source.is_latest:
            end_rank(self._connection, source, event.status, at, event.reason)
        else:
            end_attempt(self._connection, source, event.status, at)

    def close(self, event: events.SegmentClosed, source: Source) -> None:
        """A process closed its segment."""
        self._connection.execute(
            "UPDATE process SET ended_at = ? WHERE process_id = ?", (time_text(event.at), source.process_id)
        )

    def environment(self, event: events.EnvironmentRecorded, source: Source) -> None:
        """Where a process runs, and who is responsible."""
        self._connection.execute(
            "INSERT OR REPLACE INTO environment (run_id, process_id, user_name, host, os, cpu, num_cpus, memory_bytes,"
            " gpu, device, python, packages, git_commit, git_branch, git_dirty, git_diff_sha256, command_line,"
            " working_directory, variables, software)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source.run_id, source.process_id, event.user, event.host, event.os, event.cpu, event.num_cpus,
                event.memory_bytes, event.gpu, event.device, event.python, json.dumps(event.packages), event.git_commit,
                event.git_branch, event.git_dirty, event.git_diff_sha256, json.dumps(event.command_line),
                event.working_directory, json.dumps(event.variables), event.software,
            ),
        )  # fmt: skip
        self._agent(source.run_id, "person", event.user)
        self._agent(source.run_id, "machine", event.host)
        self._agent(source.run_id, "software", "dnnprov", event.software)
        for framework, version in event.frameworks.items():
            self._agent(source.run_id, "software", framework, version)

    def declare(self, event: events.DataflowDeclared, source: Source) -> None:
        """A plan was posted: transformations, data sets and programs; with anything new it is a new version."""
        for person in event.people:
            self._agent(source.run_id, "person", person)
        at, catalog = time_text(event.at), self._catalog
        dataflow_id, place = catalog.dataflow(event.dataflow, at), source.place(event.seq)
        catalog.record.post(dataflow_id, event.transformations, place, at)
        for declared in event.transformations:
            transformation_id = catalog.plan.transformation(dataflow_id, declared.tag, place)
            for item in declared.sets:
                data_set = catalog.data_set(item.tag)
                catalog.plan.link(dataflow_id, transformation_id, data_set, item.relation, place)
                catalog.declare(data_set, item.attributes)
                if item.dependency:
                    catalog.plan.transformation(dataflow_id, item.dependency, place)
            for program in declared.programs:
                catalog.plan.declare_program(program)
        catalog.versions.note_posted(dataflow_id, event.transformations, place)

    def _set_dataflow(self, source: Source, tag: str) -> None:
        source.dataflow_id, source.dataflow = self._catalog.dataflow(tag, source.started_at), tag
        followed = self._catalog.versions.of_run(source.dataflow_id, source.place(0).run)
        self._connection.execute(
            "UPDATE run SET dataflow_id = ?, dataflow_version_id = ? WHERE run_id = ?",
            (source.dataflow_id, followed, source.run_id),
        )
        self._connection.execute(  # what another process of the run told before this was known
            "UPDATE problem SET detail = ?2 || substr(detail, length(?3) + 1) WHERE run_id = ?1"
            " AND substr(detail, 1, length(?3)) = ?3",
            (source.run_id, f"dataflow {tag!r}, ", "dataflow '', "),
        )
        complete_plan(self._connection, self._catalog, source.run_id, source.dataflow_id)

    def _note_change(self, source: Source, kept: str, other: str, event: events.Event) -> None:
        detail = f"the run of dataflow {kept!r} was resumed as one of {other!r}; it stays one of {kept!r}"
        self._problem(source.run_id, "dataflow_changed", detail, time_text(event.at))

    def _program(self, path: str | None) -> int | None:
        if path is None:
            return None
        self._connection.execute("INSERT INTO program (path) VALUES (?) ON CONFLICT DO NOTHING", (path,))
        found = self._connection.execute("SELECT program_id FROM program WHERE path = ?", (path,)).fetchone()
        return int(found[0])

    def _agent(self, run_id: int, kind: str, name: str | None, version: str | None = None) -> None:
        if not name:
            return
        key = (kind, name, version or "")
        self._connection.execute("INSERT INTO agent (kind, name, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key)
        self._connection.execute(
            "INSERT OR IGNORE INTO run_agent SELECT ?, agent_id FROM agent WHERE kind = ? AND name = ? AND version = ?",
            (run_id, *key),
        )
