"""What each event does to the database: one method an event."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dnnprov.model import events
from dnnprov.model.training import SETS, TRAINING_TAGS
from dnnprov.model.values import NON_FINITE
from dnnprov.store.elements import Elements, Origin
from dnnprov.store.metrics import Metrics
from dnnprov.store.parameters import Parameters

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.catalog import Catalog

_EPOCH_SETS = {"otrainingmodel": "epoch", "otestingmodel": "test"}


@dataclass
class Source:
    """The segment whose events are taken in.

    Attributes:
        header: its first event.
        run_id, process_id: keys.
        dataflow_id: `None` while the run's own process was not heard.
        dataflow: its tag, for messages.
    """

    header: events.SegmentOpened
    run_id: int
    process_id: int
    dataflow_id: int | None
    dataflow: str


def time_text(microseconds: int) -> str:
    """ISO 8601 UTC with Z, of microseconds since 1970."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="microseconds")[:26] + "Z"


class EventRows:
    """Turns events into rows, within a transaction of the caller.

    Args:
        connection: that rows are written through.
        catalog: of names.
    """

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog
        self._metrics = Metrics(connection, self.problem)
        self._elements = Elements(connection, catalog, self.problem)
        self._parameters = Parameters(connection, catalog, self._elements)
        self._resumed: set[int] = set()
        self._take = {
            getattr(events, name.removeprefix("_take_")): getattr(self, name)
            for name in dir(self)
            if name.startswith("_take_")
        }

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._catalog.forget()
        self._metrics.forget()
        self._resumed.clear()

    def take(self, event: events.AnyEvent, source: Source) -> None:
        """Write the rows of one event."""
        self._take[type(event)](event, source)

    def flush(self, recorded_at: str | None) -> None:
        """Write what was gathered; the end of every transaction."""
        self._metrics.flush()
        for run_id in self._resumed:
            self._metrics.recompute_epochs(run_id, self._catalog.data_set("oTrainingModel"))
        if self._resumed:
            self._metrics.flush()
        self._resumed.clear()
        self._catalog.write_versions(recorded_at)

    def problem(self, run_id: int | None, kind: str, detail: str, recorded_at: str | None) -> None:
        """Note what could not be taken as it came."""
        self._connection.execute(
            "INSERT INTO problem (run_id, kind, detail, recorded_at) VALUES (?, ?, ?, ?)",
            (run_id, kind, detail, recorded_at),
        )

    def open_source(self, header: events.SegmentOpened) -> Source:
        """The keys of a segment's run and process, made where there are none."""
        connection = self._connection
        connection.execute(
            "INSERT INTO run (uid, status, heartbeat_at) VALUES (?, 'running', ?) ON CONFLICT DO NOTHING",
            (header.run, time_text(header.at)),
        )
        run_id, dataflow_id, dataflow = connection.execute(
            "SELECT r.run_id, r.dataflow_id, COALESCE(d.tag, '') FROM run AS r"
            " LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id WHERE r.uid = ?",
            (header.run,),
        ).fetchone()
        connection.execute(
            "INSERT INTO process (run_id, name, rank, attempt, host, pid, forked_from, started_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, name) DO UPDATE SET rank = excluded.rank,"
            " attempt = excluded.attempt, host = excluded.host, pid = excluded.pid,"
            " forked_from = excluded.forked_from, started_at = excluded.started_at",
            (run_id, header.process, header.rank, header.attempt, header.host, header.pid, header.forked_from,
             time_text(header.at)),
        )  # fmt: skip
        (process_id,) = connection.execute(
            "SELECT process_id FROM process WHERE run_id = ? AND name = ?", (run_id, header.process)
        ).fetchone()
        return Source(header, run_id, process_id, dataflow_id, dataflow)

    def _take_SegmentOpened(self, event: events.SegmentOpened, source: Source) -> None:  # noqa: N802 - event's name
        pass

    def _take_ProcessHeard(self, event: events.ProcessHeard, source: Source) -> None:  # noqa: N802
        pass

    def _take_SegmentClosed(self, event: events.SegmentClosed, source: Source) -> None:  # noqa: N802
        self._connection.execute(
            "UPDATE process SET ended_at = ? WHERE process_id = ?", (time_text(event.at), source.process_id)
        )

    def _take_RunStarted(self, event: events.RunStarted, source: Source) -> None:  # noqa: N802
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

    def _take_RunResumed(self, event: events.RunResumed, source: Source) -> None:  # noqa: N802
        self._set_dataflow(source, event.dataflow, time_text(event.at))
        self._connection.execute(
            "UPDATE run SET status = 'running', ended_at = NULL, exit_reason = NULL WHERE run_id = ?",
            (source.run_id,),
        )

    def _take_RunEnded(self, event: events.RunEnded, source: Source) -> None:  # noqa: N802
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

    def _take_EnvironmentRecorded(self, event: events.EnvironmentRecorded, source: Source) -> None:  # noqa: N802
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

    def _take_DataflowDeclared(self, event: events.DataflowDeclared, source: Source) -> None:  # noqa: N802
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

    def _take_ParametersSet(self, event: events.ParametersSet, source: Source) -> None:  # noqa: N802
        self._parameters.fill(event.values, event.non_finite or {}, self._origin(event, source, None))

    def _take_TaskBegan(self, event: events.TaskBegan, source: Source) -> None:  # noqa: N802
        transformation_id = None
        if source.dataflow_id is not None:
            transformation_id = self._catalog.transformation(source.dataflow_id, event.tag, source.run_id)
            if event.tag.lower() in TRAINING_TAGS:  # the run's own row, which no event of the task names
                parameters = self._catalog.data_set("iTrainingModel")
                self._catalog.link(source.dataflow_id, transformation_id, parameters, "used", source.run_id)
        self._connection.execute(
            "INSERT INTO task (run_id, transformation_id, tag, status, started_at, rank, process_id, sequence)"
            " VALUES (?, ?, ?, 'running', ?, ?, ?, ?) ON CONFLICT (process_id, sequence) DO UPDATE SET"
            " transformation_id = excluded.transformation_id, tag = excluded.tag, started_at = excluded.started_at",
            (source.run_id, transformation_id, event.tag, time_text(event.at), source.header.rank, source.process_id,
             event.seq),
        )  # fmt: skip
        (task_id,) = self._connection.execute(
            "SELECT task_id FROM task WHERE process_id = ? AND sequence = ?", (source.process_id, event.seq)
        ).fetchone()
        for reference in event.after:
            before = self._task(reference, source)
            if before is None:
                continue
            self._connection.execute("INSERT OR IGNORE INTO task_dependency VALUES (?, ?)", (task_id, before[0]))
            if source.dataflow_id is not None and transformation_id is not None and before[1] is not None:
                self._catalog.depend(source.dataflow_id, before[1], transformation_id, source.run_id)

    def _take_TaskEnded(self, event: events.TaskEnded, source: Source) -> None:  # noqa: N802
        task = self._task(event.task, source)
        if task is not None:
            self._connection.execute(
                "UPDATE task SET status = ?, ended_at = ?, exit_reason = ? WHERE task_id = ?",
                (event.status, time_text(event.at), event.reason, task[0]),
            )

    def _take_ElementsRecorded(self, event: events.ElementsRecorded, source: Source) -> None:  # noqa: N802
        task = self._task(event.task, source)
        origin = self._origin(event, source, task[0] if task else None)
        data_set = self._catalog.data_set(event.set)
        if task and task[1] is not None and source.dataflow_id is not None:
            self._catalog.link(source.dataflow_id, task[1], data_set, event.relation, source.run_id)
        is_parameters = data_set.table == "itrainingmodel"
        level = _EPOCH_SETS.get(data_set.table) if event.relation == "generated" else None
        for number, row in enumerate(event.rows):
            non_finite = event.non_finite[number] if event.non_finite else {}
            if is_parameters and self._parameters.join(row, non_finite, origin):
                continue
            self._elements.insert(data_set, event.relation, row, non_finite, origin, number)
            if level:
                self._summarise(level, row, non_finite, origin, source)

    def _take_MetricsRecorded(self, event: events.MetricsRecorded, source: Source) -> None:  # noqa: N802
        self._metrics.record(source.run_id, source.header.rank, event, time_text(event.at))

    def _take_HyperparameterAdapted(self, event: events.HyperparameterAdapted, source: Source) -> None:  # noqa: N802
        row: dict[str, Any] = {
            name: getattr(event, name)
            for name in SETS["oadaptation"].attributes
            if name != "timestamp" and getattr(event, name) is not None
        }
        row["timestamp"] = time_text(event.at)
        non_finite = {name: row[name] for name in ("old_value", "new_value") if row.get(name) in NON_FINITE}
        row.update(dict.fromkeys(non_finite))
        self._take_ElementsRecorded(
            events.ElementsRecorded(
                seq=event.seq,
                at=event.at,
                task=event.task,
                set="oAdaptation",
                relation="generated",
                rows=[row],
                non_finite=[non_finite] if non_finite else None,
            ),
            source,
        )

    def _take_FileRecorded(self, event: events.FileRecorded, source: Source) -> None:  # noqa: N802
        task = self._task(event.task, source)
        self._connection.execute(
            "INSERT INTO file (run_id, task_id, relation, path, role, size, modified_at, recorded_at, process_id,"
            " sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (source.run_id, task[0] if task else None, event.relation, event.path, event.role, event.size,
             time_text(event.modified) if event.modified is not None else None, time_text(event.at),
             source.process_id, event.seq),
        )  # fmt: skip

    def _take_FileHashed(self, event: events.FileHashed, source: Source) -> None:  # noqa: N802
        place = self._place(event.file, source)
        if place is not None:
            self._connection.execute(
                "UPDATE file SET sha256 = ?, note = ? WHERE process_id = ? AND sequence = ?",
                (event.sha256, event.reason, *place),
            )

    def _take_ProblemRecorded(self, event: events.ProblemRecorded, source: Source) -> None:  # noqa: N802
        self.problem(source.run_id, event.kind, event.detail, time_text(event.at))

    def _summarise(
        self, level: str, row: dict[str, Any], non_finite: dict[str, str], origin: Origin, source: Source
    ) -> None:
        """Keep the run's last epoch and its summaries up to a row of oTrainingModel or oTestingModel."""
        data_set = self._catalog.data_set("oTrainingModel" if level == "epoch" else "oTestingModel")
        columns = {  # a name as written goes before one that only means a predefined column
            (attribute.column if (attribute := data_set.attributes.get(name)) else data_set.predefined_column(name)): v
            for name, v in sorted(row.items(), key=lambda item: item[0] in data_set.attributes)
        }
        special = {column: name for column, value in columns.items() if (name := non_finite.get(column or ""))}
        named = {column: value for column, value in columns.items() if column}
        self._metrics.add_row(origin.run_id, level, origin.rank, named, special)  # type: ignore[arg-type]
        if level == "epoch":
            if isinstance(epoch := named.get("epoch"), int):
                self._connection.execute(
                    "UPDATE run SET last_epoch = MAX(COALESCE(last_epoch, ?), ?) WHERE run_id = ?",
                    (epoch, epoch, origin.run_id),
                )
            if source.header.attempt:
                self._resumed.add(origin.run_id)

    def _set_dataflow(self, source: Source, tag: str, at: str) -> None:
        source.dataflow_id, source.dataflow = self._catalog.dataflow(tag, at), tag
        self._connection.execute(
            "UPDATE run SET dataflow_id = ? WHERE run_id = ?", (source.dataflow_id, source.run_id)
        )
        for (task_tag,) in self._connection.execute(  # of ranks that were heard before rank 0
            "SELECT DISTINCT tag FROM task WHERE run_id = ? AND transformation_id IS NULL AND tag <> ''", (source.run_id,)
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

    def _place(self, reference: events.Reference | None, source: Source) -> tuple[int, int] | None:
        """Process key and sequence that a reference means."""
        if reference is None:
            return None
        if isinstance(reference, int):
            return source.process_id, reference
        process, _, sequence = reference.rpartition(":")
        if not sequence.isdecimal():
            return None
        self._connection.execute(  # its segment may be taken in later than this one, which then fills this in
            "INSERT INTO process (run_id, name, rank, attempt) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
            (source.run_id, process, source.header.rank),
        )
        found = self._connection.execute(
            "SELECT process_id FROM process WHERE run_id = ? AND name = ?", (source.run_id, process)
        ).fetchone()
        return found[0], int(sequence)

    def _task(self, reference: events.Reference | None, source: Source) -> tuple[int, int | None] | None:
        """Keys of the task and transformation that a reference means; `None` where it is not known."""
        place = self._place(reference, source)
        if place is None:
            return None
        if place[0] != source.process_id:
            self._connection.execute(  # likewise
                "INSERT INTO task (run_id, tag, status, rank, process_id, sequence) VALUES (?, '', 'running', ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (source.run_id, source.header.rank, *place),
            )
        found = self._connection.execute(
            "SELECT task_id, transformation_id FROM task WHERE process_id = ? AND sequence = ?", place
        ).fetchone()
        return tuple(found) if found else None

    def _origin(self, event: events.Event, source: Source, task_id: int | None) -> Origin:
        return Origin(
            source.run_id,
            task_id,
            source.header.rank,
            source.process_id,
            event.seq,
            time_text(event.at),
            source.dataflow,
        )


def end_run(connection: sqlite3.Connection, run_id: int, status: str, at: str | None, reason: str | None) -> None:
    """End a run, and with the same state the tasks that nobody ended."""
    connection.execute(
        "UPDATE run SET status = ?, ended_at = ?, exit_reason = ? WHERE run_id = ?", (status, at, reason, run_id)
    )
    connection.execute(
        "UPDATE task SET status = ?, ended_at = ? WHERE run_id = ? AND status = 'running'", (status, at, run_id)
    )
