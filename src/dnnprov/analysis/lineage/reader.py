"""Reads runs for lineage: their tasks, files and how many elements of which set they have.

What is read grows with the runs that can matter, not with the store: first the asked runs, then those that they are
linked with over files of the same SHA-256 and over parents. Keys are ours and whole numbers, so they stand in the SQL.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from dnnprov.analysis.lineage.line import add_lines, epoch_number
from dnnprov.analysis.lineage.nodes import Change, DataSet, File, Rows, Run, Task
from dnnprov.model.identifiers import recorded_name
from dnnprov.model.training import TRAINING_TAGS
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dnnprov.analysis.lineage.nodes import Activity, RowTuple
    from dnnprov.store.base import Store

Direction: TypeAlias = Literal["ancestors", "descendants"]

EPOCHS, ADAPTATIONS, PARAMETERS, LAYERS, TESTS = (
    "otrainingmodel",
    "oadaptation",
    "itrainingmodel",
    "ilayers",
    "otestingmodel",
)
"""Tables of the sets that DNNProv-Df gives a meaning."""

NUM_SHOWN = 12
"""Attributes from which those that tell an element apart for people are taken: the first ones of its set."""

_SHOWN = {
    EPOCHS: ("epoch",),
    ADAPTATIONS: ("epoch", "attribute", "old_value", "new_value", "technique", "adaptation_id"),
}
"""Table -> columns that tell an element apart, where it is not the first ones."""

_BATCH = 5000
"""Keys in one statement."""

_LINKED = """
WITH RECURSIVE linked (run_id, sha256) AS (
    SELECT r.run_id, CAST(NULL AS TEXT) FROM run AS r WHERE r.run_id IN ({keys})
    UNION
    SELECT CASE WHEN k.sha256 IS NOT NULL THEN f.run_id END, CASE WHEN k.sha256 IS NULL THEN f.sha256 END
    FROM linked AS k JOIN file AS f
      ON (k.sha256 IS NULL AND f.run_id = k.run_id AND f.relation = '{first}' AND f.sha256 IS NOT NULL)
      OR (f.sha256 = k.sha256 AND f.relation = '{second}')
)
SELECT run_id FROM linked WHERE run_id IS NOT NULL"""
"""The runs that are linked with some over files, from a run to what it used and from that to who generated it."""

_PARENTS = {
    "ancestors": "SELECT r.parent_run_id FROM run AS r WHERE r.run_id IN ({keys}) AND r.parent_run_id IS NOT NULL",
    "descendants": "SELECT r.run_id FROM run AS r WHERE r.parent_run_id IN ({keys})",
}

_EARLIER = """
SELECT g.sha256, g.recorded_at, r.uid, g.sequence, g.file_id
FROM file AS g JOIN run AS r ON r.run_id = g.run_id
WHERE g.relation = 'generated' AND g.recorded_at IS NOT NULL AND g.sha256 IN (
    SELECT u.sha256 FROM file AS u WHERE u.run_id IN ({keys}) AND u.relation = 'used')"""


def keys_in_batches(keys: Iterable[int]) -> Iterator[str]:
    """Keys as SQL lists."""
    known = sorted(keys)
    for start in range(0, len(known), _BATCH):
        yield ",".join(map(str, known[start : start + _BATCH]))


def linked_runs(store: Store, run_ids: Iterable[int], direction: Direction) -> set[int]:
    """The runs, with all that may be their ancestors or descendants."""
    relations = ("used", "generated") if direction == "ancestors" else ("generated", "used")
    found: set[int] = set()
    new = set(run_ids)
    while new:
        for keys in list(keys_in_batches(new)):
            sql = _LINKED.format(keys=keys, first=relations[0], second=relations[1])
            new |= {run_id for (run_id,) in store.read(sql)[1]}
        found |= new
        parents = (store.read(_PARENTS[direction].format(keys=keys))[1] for keys in keys_in_batches(new))
        new = {run_id for rows in parents for (run_id,) in rows} - found
    return found


def read_data_sets(store: Store) -> list[DataSet]:
    """All data sets, with the attributes that tell their elements apart."""
    shown: dict[int, list[tuple[str, str]]] = {}
    tables: dict[int, tuple[str, str]] = {
        key: (tag, table) for key, tag, table in store.read("SELECT data_set_id, tag, table_name FROM data_set")[1]
    }
    attributes = store.read(
        "SELECT data_set_id, name, column_name FROM attribute"
        " WHERE column_name <> '' AND overflow_of IS NULL ORDER BY data_set_id, attribute_id"
    )[1]
    for key, name, column in attributes:
        wanted = _SHOWN.get(tables[key][1])
        if column in wanted if wanted else len(shown.get(key, ())) < NUM_SHOWN:
            shown.setdefault(key, []).append((name, column))
    for key, (_, table) in tables.items():
        if table in _SHOWN:
            shown[key].sort(key=lambda pair: _SHOWN[table].index(pair[1]))
    data_sets = []
    for key, (tag, table) in sorted(tables.items()):
        ((last,),) = store.read(f"SELECT COALESCE(MAX(element_id), 0) FROM {quoted(table)}")[1]
        data_sets.append(DataSet(key, tag, table, shown.get(key, []), last))
    return data_sets


class Reader:
    """Reads runs with all that belongs to them, without the rows of their elements.

    Attributes:
        runs: key -> run.
        tasks: key -> task.
        files: key -> file.
        sets: all sets of rows, but for the adaptations.
        data_sets: of the store.
    """

    def __init__(self, store: Store, run_ids: Iterable[int]) -> None:
        self._store = store
        self.runs: dict[int, Run] = {}
        self.tasks: dict[int, Task] = {}
        self.files: dict[int, File] = {}
        self.sets: list[Rows] = []
        self.data_sets = read_data_sets(store)
        self._epochs: dict[Run, dict[Activity, Rows]] = {}
        self._keys = list(keys_in_batches(run_ids))
        self._read_runs()
        self._read_tasks()
        self._read_files()
        for data_set in self.data_sets:
            self._read_sets(data_set)
        self._read_changes()

    def _rows(self, sql: str) -> Iterator[RowTuple]:
        for keys in self._keys:
            yield from self._store.read(sql.format(keys=keys))[1]

    def _read_runs(self) -> None:
        found = sorted(
            self._rows(
                "SELECT r.run_id, r.uid, r.name, d.tag, r.status, r.parent_run_id, r.started_at FROM run AS r"
                " LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id WHERE r.run_id IN ({keys})"
            ),
            key=lambda row: (row[6] is None, row[6] or "", row[1]),
        )
        for number, (run_id, uid, name, dataflow, status, parent_id, _) in enumerate(found):
            name = uid if name is None else name  # noqa: PLW2901 - of a run whose own process was not heard yet
            self.runs[run_id] = Run(run_id, uid, name, dataflow, status, parent_id, number)
        for run_id, key, name in self._rows(
            "SELECT run_id, process_id, name FROM process WHERE run_id IN ({keys})"
            " ORDER BY run_id, attempt, rank, started_at, name"
        ):
            processes = self.runs[run_id].processes
            processes[key] = name, len(processes)

    def _read_tasks(self) -> None:
        for run_id, task_id, tag, status, process_id, sequence in self._rows(
            "SELECT run_id, task_id, tag, status, process_id, sequence FROM task WHERE run_id IN ({keys})"
        ):
            run = self.runs[run_id]
            order = run.order(process_id, sequence)
            is_training = tag.lower() in TRAINING_TAGS
            self.tasks[task_id] = task = Task(run, task_id, tag, status, process_id, sequence, order, is_training)
            run.tasks.append(task)
        for run in self.runs.values():
            run.tasks.sort(key=lambda task: task.order)
        for task_id, before_id in self._rows(
            "SELECT d.task_id, d.depends_on_task_id FROM task_dependency AS d"
            " JOIN task AS t ON t.task_id = d.task_id WHERE t.run_id IN ({keys})"
        ):
            task, before = self.tasks[task_id], self.tasks.get(before_id)
            if before is not None and before is not task and before.run is task.run:
                task.after.append(before)
        for task in self.tasks.values():
            task.after.sort(
                key=lambda before: recorded_name("task", before.run.process(before.process_id), before.sequence)
            )

    def _read_files(self) -> None:
        generated = self._generated()
        for run_id, file_id, task_id, *values in self._rows(
            "SELECT run_id, file_id, task_id, relation, path, role, size, sha256, recorded_at, process_id, sequence"
            " FROM file WHERE run_id IN ({keys})"
        ):
            run = self.runs[run_id]
            activity: Activity = self.tasks.get(task_id) or run
            file = File(run, file_id, activity, *values, order=run.order(*values[-2:]))  # type: ignore[misc]
            self.files[file.file_id] = file
            run.files.append(file)
            if file.relation == "used" and file.sha256 and file.recorded_at:
                before = generated.get(file.sha256, [])
                place = bisect_left(before, file.recorded_at, key=itemgetter(0))
                file.earlier = before[place - 1][3] if place else None
        for run in self.runs.values():
            run.files.sort(key=lambda file: file.order)

    def _generated(self) -> dict[str, list[RowTuple]]:
        """SHA-256 of a used file -> all files of it that any run generated; of one moment, the one that counts last."""
        generated: dict[str, list[RowTuple]] = {}
        for sha256, *row in self._rows(_EARLIER):
            generated.setdefault(sha256, []).append(tuple(row))
        for same in generated.values():
            same.sort(key=itemgetter(1, 2), reverse=True)
            same.sort(key=itemgetter(0))
        return generated

    def _read_sets(self, data_set: DataSet) -> None:
        """How many rows of a set each activity used and generated; the rows themselves stay where they are."""
        sets: dict[tuple[Run, Activity, str], Rows] = {}
        for run_id, task_id, relation, count in self._rows(
            f"SELECT run_id, task_id, relation, COUNT(*) FROM {quoted(data_set.table)} WHERE run_id IN ({{keys}})"
            " GROUP BY run_id, task_id, relation"
        ):
            if data_set.table == ADAPTATIONS and relation == "generated":
                continue
            run = self.runs[run_id]
            activity = self.tasks.get(task_id, run)
            rows = sets.get((run, activity, relation))
            if rows is None:
                rows = sets[run, activity, relation] = Rows(run, data_set, relation, [activity], [], 0)
                self.sets.append(rows)
                run.sets.append(rows)
            rows.task_ids.append(task_id)
            rows.count += count
            if data_set.table == EPOCHS and relation == "generated":
                self._epochs.setdefault(run, {})[activity] = rows
                if isinstance(activity, Task):
                    activity.is_training = True

    def _read_changes(self) -> None:
        """The rows of oAdaptation, and with them the line of each training; those that were used are rows as others."""
        adaptations = next(one for one in self.data_sets if one.table == ADAPTATIONS)
        epochs = next(one for one in self.data_sets if one.table == EPOCHS)
        changes: dict[Run, list[Change]] = {}
        for run_id, task_id, *row in self._rows(
            f"SELECT run_id, task_id, {columns_of(adaptations)} FROM {quoted(adaptations.table)}"
            " WHERE run_id IN ({keys}) AND relation = 'generated'"
        ):
            run = self.runs[run_id]
            change = Change(self.tasks.get(task_id, run), tuple(row), run.order(*row[:3]), epoch_number(row[3]))
            changes.setdefault(run, []).append(change)
        for run in self.runs.values():
            own = sorted(changes.get(run, ()), key=lambda change: change.order)
            none = Rows(run, epochs, "generated", [], [], 0, [])
            add_lines(run, self._epochs.get(run, {}), own, (adaptations, none))


def _local_name(task: Task) -> str:
    return recorded_name("task", task.run.process(task.process_id), task.sequence)


def columns_of(data_set: DataSet) -> str:
    """SQL for the columns of a `RowTuple`."""
    shown = [quoted(column) for _, column in data_set.shown]
    more = [] if data_set.table == EPOCHS else ["non_finite"]
    return ", ".join(["process_id", "sequence", "row_number", *shown, *more])
