"""Says what each thing of an answer is called, and what an element says in few words.

A name is what a person may type to ask for the thing, `alexnet-6:oTrainingModel[epoch=10]`; it may fit several. An
id is exact and the same after a rebuild of the database: the run's uid, a colon, and the local name of an export.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.lineage.line import epoch_number
from dnnprov.analysis.lineage.nodes import Element, File, Inflow, Line, Rows, Run, Step, Task
from dnnprov.analysis.lineage.reader import ADAPTATIONS, EPOCHS
from dnnprov.model.identifiers import recorded_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dnnprov.analysis.lineage.nodes import DataSet, Node, Point, RowTuple
    from dnnprov.analysis.result import Row

_MAX_VALUE = 60
"""Characters of a value in a label."""

_MAX_VALUES = 4
"""Values in a label; an attribute that an element does not have is no value."""


class Naming:
    """What the things of some runs are called.

    Args:
        runs: of the answer; where two have one name, they go by their uids.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        names: dict[str, list[Run]] = {}
        for run in runs:
            names.setdefault(run.name, []).append(run)
        self._runs = {run: run.name if len(same) == 1 else run.uid for same in names.values() for run in same}
        self._tasks: dict[Task, str] = {}
        self._lone: set[tuple[Run, DataSet]] = set()
        for run in self._runs:
            counts: Counter[DataSet] = Counter()
            for rows in run.sets:
                counts[rows.data_set] += rows.count
            tasks = {task.tag.lower() for task in run.tasks}
            lone = [data_set for data_set, count in counts.items() if count == 1 and data_set.tag.lower() not in tasks]
            self._lone |= {(run, data_set) for data_set in lone}

    def id(self, point: Point) -> str:
        """The exact and lasting name of a thing."""
        kind, run, process_id, *numbers = _origin(point)
        return run.uid if kind == "run" else f"{run.uid}:{recorded_name(kind, run.process(process_id), *numbers)}"

    def row(self, point: Point) -> Row:
        """A thing as a row of an answer, without what its place in the answer tells."""
        run = run_of(point)
        kind, name, tag, label, sha256 = self._told(point, run)
        return {
            "kind": kind,
            "id": self.id(point),
            "run": run.name,
            "name": name,
            "tag": tag,
            "label": label,
            "sha256": sha256,
        }

    def _told(self, point: Point, run: Run) -> tuple[str, str, str | None, str, str | None]:
        if isinstance(point, Run | Inflow):
            return "run", self._runs[run], run.dataflow, run.status, None
        if isinstance(point, Task):
            return "task", self._task(point), point.tag, point.status, None
        if isinstance(point, File):
            return "file", point.path, point.role, file_label(point), point.sha256
        data_set, row = data_of(point)
        which = "" if (run, data_set) in self._lone else _selector(data_set, row)
        name = f"{self._runs[run]}:{data_set.tag}{which}"
        return "element", name, data_set.tag, element_label(data_set, row), None

    def set_name(self, point: Point) -> str:
        """What a whole set of elements is called."""
        return f"{self._runs[run_of(point)]}:{data_of(point)[0].tag}"

    def run_name(self, run: Run) -> str:
        """Name of a run; its uid where another in the answer is called the same."""
        return self._runs[run]

    def _task(self, task: Task) -> str:
        if task not in self._tasks:
            by_tag: dict[str, list[Task]] = {}
            for one in task.run.tasks:
                by_tag.setdefault(one.tag, []).append(one)
            for tag, same in by_tag.items():
                for number, one in enumerate(same, 1):
                    which = f"[{number}]" if len(same) > 1 else ""
                    self._tasks[one] = f"{self._runs[task.run]}:{tag}{which}"
        return self._tasks[task]


def run_of(point: Point) -> Run:
    """The run that a thing belongs to."""
    if isinstance(point, Step):
        return point.line.activity.run
    if isinstance(point, Line):
        return point.activity.run
    return point.rows.run if isinstance(point, Element) else point.run


def _origin(point: Point) -> tuple[Any, ...]:
    """Kind, run, process and numbers of the record that a thing came with."""
    run = run_of(point)
    if isinstance(point, Run | Inflow):
        return "run", run, None
    if isinstance(point, Task | File):
        return type(point).__name__.lower(), run, point.process_id, point.sequence
    return "element", run, *data_of(point)[1][:3]


def data_of(point: Point) -> tuple[DataSet, RowTuple]:
    """The data set and the row of an element; of a line or a whole set, its last row."""
    if isinstance(point, Step) and point.kind == "change":
        return point.line.adaptations, point.line.changes[point.at].row
    rows: Node
    if isinstance(point, Step):
        rows, index = point.line.epochs, point.at
    elif isinstance(point, Line):
        rows, index = point.epochs, -1
    elif isinstance(point, Element):
        rows, index = point
    else:
        rows, index = point, -1
    assert isinstance(rows, Rows)  # noqa: S101 - for mypy
    return rows.data_set, (rows.rows or [])[index]


def values_of(data_set: DataSet, row: RowTuple) -> dict[str, Any]:
    """The values that tell an element apart, NaN and infinities by name."""
    values = dict(zip((name for name, _ in data_set.shown), row[3:], strict=False))
    special = row[3 + len(data_set.shown)] if data_set.table != EPOCHS else None
    if special:
        names: Mapping[str, str] = json.loads(special)
        values |= {name: names[column] for name, column in data_set.shown if column in names}
    return {name: value for name, value in values.items() if value is not None}


def element_label(data_set: DataSet, row: RowTuple) -> str:
    """What an element says, in few words."""
    if data_set.table == EPOCHS:
        number = epoch_number(row[3])
        return data_set.tag if number is None else f"epoch {number}"
    values = values_of(data_set, row)
    if data_set.table == ADAPTATIONS and "attribute" in values:
        return change_label(told_by(data_set, row))
    return ", ".join(f"{name}={_short(value)}" for name, value in list(values.items())[:_MAX_VALUES])


def told_by(data_set: DataSet, row: RowTuple) -> dict[str, Any]:
    """The values that tell an element apart, by their columns."""
    return dict(zip((column for _, column in data_set.shown), row[3:], strict=False))


def change_label(values: Mapping[str, Any]) -> str:
    """`learning_rate 0.002 -> 0.001, epoch 10, LearningRateScheduler`."""
    old, new = (values.get(name) for name in ("old_value", "new_value"))
    parts = [f"{values['attribute']} {_short('?' if old is None else old)} -> {_short('?' if new is None else new)}"]
    if values.get("epoch") is not None:
        parts.append(f"epoch {_short(values['epoch'])}")
    if values.get("technique"):
        parts.append(_short(values["technique"]))
    return ", ".join(parts)


def file_label(file: File) -> str:
    """What is known of a file: how the run relates to it, its size, the beginning of its hash."""
    size = "" if file.size is None else f", {size_text(file.size)}"
    return f"{file.relation}{size}" + (f", sha256 {file.sha256[:12]}" if file.sha256 else ", no hash")


def size_text(num_bytes: float) -> str:
    """A size in the unit that suits it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def _selector(data_set: DataSet, row: RowTuple) -> str:
    """What tells a row apart in its set, as it may be typed."""
    if data_set.table == ADAPTATIONS:
        number = row[3 + [column for _, column in data_set.shown].index("adaptation_id")]
        return "" if number is None else f"[adaptation_id={number}]"
    for name, value in values_of(data_set, row).items():
        if not isinstance(value, str) or len(value) <= _MAX_VALUE:
            return f"[{name}={_short(value)}]"
    return ""


def _short(value: Any) -> str:
    text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "\N{HORIZONTAL ELLIPSIS}"
