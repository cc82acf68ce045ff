"""Makes runs of a dump."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.errors import ImportSourceError
from dnnprov.importers.dfanalyzer.dump import Dump
from dnnprov.importers.dfanalyzer.executions import separate
from dnnprov.importers.dfanalyzer.plan import TABLES, Plan
from dnnprov.importers.dfanalyzer.rows import Rows
from dnnprov.importers.imported_run import ImportedRun, describe_source
from dnnprov.importers.told_training import NOT_IMPORTED
from dnnprov.model.events import (
    DataflowDeclared,
    ElementsRecorded,
    FileRecorded,
    ProblemRecorded,
    TaskBegan,
    TaskEnded,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dnnprov.importers.dfanalyzer.plan import Task
    from dnnprov.importers.imported_run import Progress, SourceFile
    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import RunStatus

_COLUMNS = {
    "dataflow": {"id", "tag"},
    "dataflow_version": {"version", "df_id"},
    "data_transformation": {"id", "df_id", "tag"},
    "data_set": {"id", "df_id", "tag"},
    "data_dependency": {"previous_dt_id", "next_dt_id", "ds_id"},
    "attribute": {"ds_id", "name", "type"},
    "program": {"id", "name", "path"},
    "use_program": {"dt_id", "program_id"},
    "task": {"id", "dt_id"},
    "performance": {"task_id", "starttime", "endtime"},
    "file": {"task_id", "name", "path"},
}
"""Columns that no generation lacks."""


@dataclass(frozen=True)
class _Read:
    """A dump that was read whole."""

    source: SourceFile
    plan: Plan
    tasks: dict[str, Task]
    rows: Rows


def read_dumps(files: Sequence[Path], place: Path, progress: Progress) -> Iterator[ImportedRun]:
    """The trainings that dumps tell of. All are read before the first is told.

    Args:
        files: the dumps.
        place: a folder to keep their rows in meanwhile.
        progress: called with the bytes read, of each file for itself.

    Raises:
        ImportSourceError: one of them is cut off, or no dump of DfAnalyzer.
    """
    read = [_read(path, place / f"rows-{number}.db", progress) for number, path in enumerate(files)]
    for one in read:
        yield from _runs(one)
        one.rows.connection.close()


def _read(path: Path, kept_in: Path, progress: Progress) -> _Read:
    source = describe_source(path)
    plan = _read_plan(path)
    tasks = plan.tasks()
    rows = Rows(kept_in, plan, tasks)
    for table, records in Dump(path, progress).records(lambda table: table.name.lower() not in TABLES):
        rows.take(table, records)
    rows.finish()
    return _Read(source, plan, tasks, rows)


def _read_plan(path: Path) -> Plan:
    """The tables of dataflows and tasks, which may stand after those of the data sets."""
    plan, has_dataflows = Plan(), False
    for table, records in Dump(path, lambda *_: None).records(lambda table: table.name.lower() in TABLES):
        name = table.name.lower()
        missing = _COLUMNS.get(name, set()) - {column.lower() for column in table.columns}
        if missing:
            raise ImportSourceError(
                path, f"its table {table.name!r} has no column {min(missing)!r}; expected a dump of DfAnalyzer"
            )
        plan.take(table, records)
        has_dataflows = has_dataflows or name == "dataflow"
    if not has_dataflows:
        raise ImportSourceError(path, "it has no records of a table 'dataflow'; expected a MonetDB dump of DfAnalyzer")
    return plan


def _runs(read: _Read) -> Iterator[ImportedRun]:
    """The runs of each execution, in the order of their tasks."""
    executions: dict[tuple[str, str], list[Task]] = {}
    for task in read.tasks.values():
        executions.setdefault(task.execution, []).append(task)
    for number, (execution, tasks) in enumerate(executions.items()):
        is_named = tasks[0].is_one_run
        separation = separate(read.rows, execution, is_one_run=is_named)
        for run in range(separation.num_runs):
            has_left_out = number == 0 and run == 0
            yield _run(read, execution, run, tasks, separation.num_runs, separation.notes, has_left_out=has_left_out)


def _run(
    read: _Read,
    execution: tuple[str, str],
    run: int,
    tasks: list[Task],
    num_runs: int,
    notes: tuple[str, ...],
    *,
    has_left_out: bool,
) -> ImportedRun:
    began, ended = _times(read, execution, run, tasks if num_runs == 1 else [])
    status, reason = _ending(tasks, run == num_runs - 1)

    def record(segment: StagedSegment) -> None:
        segment.append(DataflowDeclared(dataflow=execution[0], transformations=read.plan.declared(execution[0])))
        _tell(segment, read, execution, run, tasks, is_alone=num_runs == 1, status=status, ended_at=ended)
        if has_left_out:
            for tag, count in read.rows.without_task.items():
                detail = f"{count} rows of data set {tag!r} name no task that the dump has"
                segment.append(ProblemRecorded(kind=NOT_IMPORTED, detail=detail))

    return ImportedRun(
        key=f"{execution[0]}\n{execution[1]}\n{run}",
        dataflow=execution[0],
        name=execution[1] if tasks[0].is_one_run else None,
        sources=(read.source,),
        tool="DfAnalyzer",
        command="dfanalyzer",
        record=record,
        started_at=began,
        ended_at=ended,
        status=status,
        reason=reason,
        tags={"import_note": "; ".join(notes)} if notes else {},
        content=_content(read, execution, run, tasks),
    )


def _content(read: _Read, execution: tuple[str, str], run: int, tasks: list[Task]) -> str:
    """A hash of the rows of a run: the same in any later dump of the same database."""
    whole = hashlib.sha256(repr([(task.identifier, task.tag, task.started_at) for task in tasks]).encode())
    found = read.rows.connection.execute(
        "SELECT relation, at, content FROM element WHERE dataflow = ? AND execution = ? AND run = ? ORDER BY number",
        (*execution, run),
    )
    for relation, at, content in found:
        whole.update(f"\n{relation} {at} ".encode())
        whole.update(content)
    return whole.hexdigest()


def _times(read: _Read, execution: tuple[str, str], run: int, tasks: list[Task]) -> tuple[int, int]:
    """When a run began and ended: by its tasks, where they are its alone, and by its rows."""
    began, ended = read.rows.connection.execute(
        "SELECT MIN(at - CAST(COALESCE(elapsed, 0) * 1e6 AS INTEGER)), MAX(at) FROM element"
        " WHERE dataflow = ? AND execution = ? AND run = ?",
        (*execution, run),
    ).fetchone()
    starts = [time for time in (began, *(task.started_at for task in tasks)) if time is not None]
    ends = [time for time in (ended, *(task.ended_at for task in tasks)) if time is not None]
    first = max(min(starts or ends, default=read.source.modified), 0)
    return first, max(ends, default=first)


def _ending(tasks: list[Task], is_last: bool) -> tuple[RunStatus, str | None]:
    """How a run ended; of several on the same tasks, the dump knows it of the last only."""
    open_tasks = [task for task in tasks if task.status != "FINISHED"]
    if not is_last or not open_tasks:
        return "finished", None
    return "crashed", f"the dump says that task {open_tasks[0].identifier!r} is {open_tasks[0].status or 'unknown'}"


def _tell(
    segment: StagedSegment,
    read: _Read,
    execution: tuple[str, str],
    run: int,
    tasks: list[Task],
    *,
    is_alone: bool,
    status: RunStatus,
    ended_at: int,
) -> None:
    """Tasks, rows and files of one run."""
    numbers: dict[str, int | str] = {}
    before = read.plan.before()
    for task in _in_order(tasks, before):
        after = [
            numbers[one.id]
            for one in tasks
            if one.id in numbers and (one.transformation, task.transformation) in before
        ]
        details = {name: text for name, text in task.details.items() if name in {"workspace", "resource"}}
        at = (task.started_at or 0) if is_alone else 0
        numbers[task.id] = segment.append(
            TaskBegan(tag=task.tag, after=after, identifier=task.identifier, details=details, at=at)
        )
    for row in read.rows.of_run(execution, run):
        relation = "generated" if row.relation == "generated" else "used"
        segment.append(
            ElementsRecorded(set=row.tag, relation=relation, rows=[row.values], task=numbers[row.task], at=row.at or 0)  # type: ignore[arg-type]
        )
    if run == 0:
        for file in read.plan.records["file"]:
            if file["task_id"] in numbers:
                path = "/".join(part for part in (file["path"], file["name"]) if part)
                segment.append(FileRecorded(path=path, relation="used", task=numbers[file["task_id"] or ""]))
    for task in tasks:
        details = {name: text for name, text in task.details.items() if name in {"output", "error"}}
        at = (task.ended_at or ended_at) if is_alone else ended_at
        ended = "finished" if task.status == "FINISHED" else status
        segment.append(TaskEnded(task=numbers[task.id], status=ended, details=details, at=at))


def _in_order(tasks: list[Task], before: set[tuple[str, str]]) -> list[Task]:
    """Tasks after those whose results they use; where these go round in circles, as they stand in the dump."""
    waiting, ordered = list(tasks), []
    while waiting:
        ready = [
            task for task in waiting if not any((one.transformation, task.transformation) in before for one in waiting)
        ]
        following = ready or waiting[:1]
        ordered += following
        waiting = [task for task in waiting if task not in following]
    return ordered
