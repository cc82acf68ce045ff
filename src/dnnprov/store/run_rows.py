"""What the events of a run as a whole do to the database: its state, dataflow, environment and agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dnnprov.store.source import time_text

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.model import events
    from dnnprov.store.catalog import Catalog
    from dnnprov.store.source import Source


class RunRows:
    """Takes the events of runs.

    Args:
        connection: that rows are written through.
        catalog: of names.
    """

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    def start(self, event: events.RunStarted, source: Source) -> None:
        """A run began."""
        at = time_text(event.at)
        self._set_dataflow(source, event.dataflow, at)
        program_id = self._program(event.program)
        self._connection.execute(
            "UPDATE run SET name = ?, started_at = ?, parent_uid = ?, program_id = ?, parent_run_id ="
            " (SELECT p.run_id FROM run AS p WHERE p.uid = ?),"
            " dataflow_version_id = COALESCE(dataflow_version_id, (SELECT v.dataflow_version_id"
            " FROM dataflow_version AS v WHERE v.dataflow_id = ? ORDER BY v.version DESC LIMIT 1)) WHERE run_id = ?",
            (event.name, at, event.parent, program_id, event.parent, source.dataflow_id, source.run_id),
        )
        self._connection.execute(  # children that came before their parent
            "UPDATE run SET parent_run_id = ? WHERE parent_uid = ?", (source.run_id, source.header.run)
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO run_tag VALUES (?, ?, ?)",
            [(source.run_id, name, value) for name, value in event.tags.items()],
        )

    def resume(self, event: events.RunResumed, source: Source) -> None:
        """A later process went on with the run."""
        self._set_dataflow(source, event.dataflow, time_text(event.at))
        self._connection.execute(
            "UPDATE run SET status = 'running', ended_at = NULL, exit_reason = NULL WHERE run_id = ?",
            (source.run_id,),
        )

    def end(self, event: events.RunEnded, source: Source) -> None:
        """The run ended; one that a later process resumed goes on."""
        at = time_text(event.at)
        (last_attempt,) = self._connection.execute(
            "SELECT MAX(attempt) FROM process WHERE run_id = ?", (source.run_id,)
        ).fetchone()
        if source.header.attempt == last_attempt:
            end_run(self._connection, source.run_id, event.status, at, event.reason)
        else:  # resumed since; the segments of one run may be taken in in any order
            self._connection.execute(
                "UPDATE task SET status = ?, ended_at = ? WHERE process_id = ? AND status = 'running'",
                (event.status, at, source.process_id),
            )

    def close(self, event: events.SegmentClosed, source: Source) -> None:
        """A process closed its segment."""
        self._connection.execute(
            "UPDATE process SET ended_at = ? WHERE process_id = ?", (time_text(event.at), source.process_id)
        )

    def environment(self, event: events.EnvironmentRecorded, source: Source) -> None:
        """Where a process runs, and who is responsible."""
        self._connection.execute(
            "INSERT OR REPLACE INTO environment (run_id, process_id, user_name, host, os, cpu, num_cpus, memory_bytes,"
            " gpu, python, packages, git_commit, git_branch, git_dirty, git_diff_sha256, command_line,"
            " working_directory, variables, software)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source.run_id, source.process_id, event.user, event.host, event.os, event.cpu, event.num_cpus,
                event.memory_bytes, event.gpu, event.python, json.dumps(event.packages), event.git_commit,
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
        """Transformations and data sets before anything is executed."""
        at = time_text(event.at)
        dataflow_id = self._catalog.dataflow(event.dataflow, at)
        catalog, run_id = self._catalog, source.run_id
        for declared in event.transformations:
            transformation_id = catalog.transformation(dataflow_id, declared.tag, run_id)
            for item in declared.sets:
                data_set = catalog.data_set(item.tag)
                catalog.link(dataflow_id, transformation_id, data_set, item.relation, run_id)
                for attribute in item.attributes:
                    kind = {"numeric": "number", "number": "number", "integer": "integer"}.get(attribute.type.lower())
                    catalog.declare(data_set, attribute.name, kind or "text")  # type: ignore[arg-type]
                if item.dependency:
                    previous = catalog.transformation(dataflow_id, item.dependency, run_id)
                    catalog.depend(dataflow_id, previous, transformation_id, run_id)

    def _set_dataflow(self, source: Source, tag: str, at: str) -> None:
        source.dataflow_id, source.dataflow = self._catalog.dataflow(tag, at), tag
        self._connection.execute("UPDATE run SET dataflow_id = ? WHERE run_id = ?", (source.dataflow_id, source.run_id))
        for (task_tag,) in self._connection.execute(  # of ranks that were heard before rank 0
            "SELECT DISTINCT tag FROM task WHERE run_id = ? AND transformation_id IS NULL AND tag <> ''",
            (source.run_id,),
        ).fetchall():
            self._connection.execute(
                "UPDATE task SET transformation_id = ? WHERE run_id = ? AND tag = ? AND transformation_id IS NULL",
                (self._catalog.transformation(source.dataflow_id, task_tag, source.run_id), source.run_id, task_tag),
            )

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


def end_run(connection: sqlite3.Connection, run_id: int, status: str, at: str | None, reason: str | None) -> None:
    """End a run, and with the same state the tasks that nobody ended."""
    connection.execute(
        "UPDATE run SET status = ?, ended_at = ?, exit_reason = ? WHERE run_id = ?", (status, at, reason, run_id)
    )
    connection.execute(
        "UPDATE task SET status = ?, ended_at = ? WHERE run_id = ? AND status = 'running'", (status, at, run_id)
    )
