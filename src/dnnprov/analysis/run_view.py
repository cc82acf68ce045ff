"""One run with everything that is known of it: what `dnnprov show RUN` prints."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.answering import put_back
from dnnprov.analysis.overview import overview
from dnnprov.analysis.questions.hyperparameters import join_hyperparameters
from dnnprov.analysis.ranks import ranks_of
from dnnprov.analysis.result import json_ready
from dnnprov.analysis.table import cell_text, html_table, text_table
from dnnprov.model.names import unique_name
from dnnprov.model.values import NON_FINITE
from dnnprov.store.schema import OVERVIEW_COLUMNS, OWN_COLUMNS, non_finite_key
from dnnprov.store.views import first_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnnprov.analysis.result import Row
    from dnnprov.analysis.selection import SelectedRun
    from dnnprov.store.base import Store


@dataclass(frozen=True, repr=False)
class RunView:
    """A run as it was recorded until the moment of asking.

    Attributes:
        run: uid, dataflow, name, status, times, accuracy, tags, and what else `run_overview` has.
        hyperparameters: name of the column -> value the run began with.
        metrics: a row each of test, epoch and batch metrics: last, smallest and largest value.
        tasks: executions of transformations, in order; `after` holds the task_ids they depend on.
        adaptations: rows of oAdaptation, in order.
        files: used and generated, with their SHA-256.
        environment: of the run's first process.
        problems: what could not be recorded as it came.
        ranks: of a run of several processes, each with its machine, its device and how it does.
        notes: one line each, for stderr.
    """

    run: Row
    hyperparameters: Row
    metrics: list[Row]
    tasks: list[Row]
    adaptations: list[Row]
    files: list[Row]
    environment: Row
    problems: list[Row]
    ranks: list[Row] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def run_id(self) -> int:
        """Key of the run in this database."""
        return int(self.run["run_id"])

    def as_dict(self) -> dict[str, Any]:
        """What JSON can carry: one object, NaN and infinities by their names; `ranks` where there are several."""
        return {name: json_ready(getattr(self, name)) for name in _PARTS if name != "ranks" or self.ranks}

    def __repr__(self) -> str:
        head = f"run {cell_text(self.run['name'])} of {cell_text(self.run['dataflow'])}, {self.run['status']}"
        parts = [head]
        for title, columns, rows in self._tables():
            parts.append(f"{title}\n{text_table(columns, rows)}")
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        head = f"<h4>{html.escape(cell_text(self.run['name']))}</h4>"
        return head + "".join(
            f"<h5>{html.escape(title)}</h5>{html_table(columns, rows)}" for title, columns, rows in self._tables()
        )

    def _tables(self) -> list[tuple[str, Sequence[str], list[list[Any]]]]:
        """Title, columns and rows of each part that has anything to show."""
        tables: list[tuple[str, Sequence[str], list[list[Any]]]] = []
        for name in _PARTS:
            part = getattr(self, name)
            if isinstance(part, dict):
                rows = [[key, value] for key, value in part.items() if value is not None]
                tables.append((name, ("name", "value"), rows))
            elif part:
                tables.append((name, list(part[0]), [list(row.values()) for row in part]))
        return [table for table in tables if table[2]]


_PARTS = tuple(part.name for part in fields(RunView) if part.name != "notes")

_RUN = """
SELECT r.ended_at, r.heartbeat_at, r.exit_reason, COALESCE(q.uid, r.parent_uid) AS parent, g.path AS program
FROM run AS r
LEFT JOIN run AS q ON q.run_id = r.parent_run_id
LEFT JOIN program AS g ON g.program_id = r.program_id
WHERE r.run_id = :run_id"""

_BEYOND = f"""
SELECT CASE WHEN a.overflow_of IS NULL THEN a.name ELSE a.name || '_text' END AS name, a.attribute_id, v.value
FROM element_value AS v
JOIN attribute AS a ON a.attribute_id = v.attribute_id
JOIN data_set AS d ON d.data_set_id = v.data_set_id
WHERE d.table_name = 'itrainingmodel' AND v.element_id = {first_parameters(":run_id")}
ORDER BY a.attribute_id"""
"""Hyperparameters that the table has no columns for."""

_TAGS = "SELECT name, value FROM run_tag WHERE run_id = :run_id ORDER BY name"

_METRICS = """
SELECT level, name, last, last_finite, min, min_epoch, max, max_epoch, num_values, num_non_finite, last_non_finite
FROM run_metric WHERE run_id = :run_id
ORDER BY CASE level WHEN 'test' THEN 0 WHEN 'epoch' THEN 1 ELSE 2 END, name"""

_TASKS = """
SELECT t.task_id, t.tag, t.status, t.started_at, t.ended_at, t.rank, t.exit_reason
FROM task AS t JOIN process AS p ON p.process_id = t.process_id
WHERE t.run_id = :run_id
ORDER BY t.rank, p.attempt, p.name, t.sequence"""

_DEPENDENCIES = """
SELECT d.task_id, d.depends_on_task_id
FROM task AS t JOIN task_dependency AS d ON d.task_id = t.task_id
WHERE t.run_id = :run_id ORDER BY d.task_id, d.depends_on_task_id"""

_ADAPTATIONS = """
SELECT o.*
FROM oadaptation AS o JOIN process AS p ON p.process_id = o.process_id
WHERE o.run_id = :run_id AND o.relation = 'generated'
ORDER BY o.rank, p.attempt, p.name, o.sequence, o.row_number"""

_ADAPTATION_COLUMNS = (
    "adaptation_id",
    "epoch",
    "step",
    "attribute",
    "old_value",
    "new_value",
    "technique",
    "agent",
    "reason",
    "triggered_by",
    "timestamp",
    "rank",
)

_FILES = """
SELECT f.path, f.relation, f.role, f.size, f.sha256, f.modified_at, f.recorded_at, f.note, t.tag AS task
FROM file AS f JOIN process AS p ON p.process_id = f.process_id
LEFT JOIN task AS t ON t.task_id = f.task_id
WHERE f.run_id = :run_id
ORDER BY p.rank, p.attempt, p.name, f.sequence"""

_ENVIRONMENT = """
SELECT e.* FROM environment AS e JOIN process AS p ON p.process_id = e.process_id
WHERE e.run_id = :run_id
ORDER BY p.rank, p.attempt, p.name LIMIT 1"""

_PROBLEMS = "SELECT kind, detail, recorded_at FROM problem WHERE run_id = :run_id ORDER BY problem_id"


def view_run(store: Store, selected: SelectedRun, notes: Sequence[str] = ()) -> RunView:
    """Gather what is known of a run.

    Args:
        store: that is asked, within a snapshot.
        selected: the run.
        notes: for the view; that of the selection is added.
    """
    run_id = selected.run_id
    (short,) = overview(store, {"run_id": run_id})
    (more,) = _rows(store, _RUN, run_id)
    short = {name: short[name] for name in OVERVIEW_COLUMNS}
    short["name"] = selected.name
    return RunView(
        run={**short, **more, "tags": {row["name"]: row["value"] for row in _rows(store, _TAGS, run_id)}},
        hyperparameters=_hyperparameters(store, run_id),
        metrics=_metrics(store, run_id),
        tasks=_tasks(store, run_id),
        adaptations=_adaptations(store, run_id),
        files=_rows(store, _FILES, run_id),
        environment=_environment(store, run_id),
        problems=_rows(store, _PROBLEMS, run_id),
        ranks=ranks_of(store, run_id),
        notes=(*notes, selected.note) if selected.note else tuple(notes),
    )


def _rows(store: Store, sql: str, run_id: int) -> list[Row]:
    columns, rows = store.read(sql, {"run_id": run_id})
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _hyperparameters(store: Store, run_id: int) -> Row:
    (row,) = _rows(
        store, f"SELECT p.* FROM run AS r {join_hyperparameters('r.run_id')} WHERE r.run_id = :run_id", run_id
    )
    found = {name: value for name, value in row.items() if name not in OWN_COLUMNS}
    places = {name: name for name in found}
    for beyond in _rows(store, _BEYOND, run_id):
        name = unique_name(beyond["name"], found)
        found[name] = beyond["value"]
        places[non_finite_key(None, beyond["attribute_id"])] = name
    put_back(found, row["non_finite"], places)
    return {name: value for name, value in found.items() if value is not None}


def _metrics(store: Store, run_id: int) -> list[Row]:
    rows = _rows(store, _METRICS, run_id)
    for row in rows:
        special = row.pop("last_non_finite")
        row["last"] = NON_FINITE[special] if special else row["last"]
    return rows


def _tasks(store: Store, run_id: int) -> list[Row]:
    rows = _rows(store, _TASKS, run_id)
    before: dict[int, list[int]] = {}
    for dependency in _rows(store, _DEPENDENCIES, run_id):
        before.setdefault(dependency["task_id"], []).append(dependency["depends_on_task_id"])
    return [{**row, "after": before.get(row["task_id"], [])} for row in rows]


def _adaptations(store: Store, run_id: int) -> list[Row]:
    """The changes, a text (the name of an optimizer) in the place of the number that it is not."""
    found = []
    for row in _rows(store, _ADAPTATIONS, run_id):
        put_back(row, row["non_finite"])
        for name in ("old_value", "new_value"):
            if row[name] is None:
                row[name] = row.get(f"{name}_text")
        found.append({name: row[name] for name in _ADAPTATION_COLUMNS})
    return found


def _environment(store: Store, run_id: int) -> Row:
    """The machine and the software, lists and mappings as such."""
    rows = _rows(store, _ENVIRONMENT, run_id)
    if not rows:
        return {}
    found = {name: value for name, value in rows[0].items() if not name.endswith("_id")}
    for name in ("packages", "command_line", "variables"):
        found[name] = json.loads(found[name]) if found[name] else None
    return found
