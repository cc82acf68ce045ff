"""A task: one execution of a transformation, with the data sets that it used and generated."""

from __future__ import annotations

import re
import weakref
from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

from dnnprov.capture.run_task import RunTask, end_of_block
from dnnprov.dataflow.data_set import DataSet
from dnnprov.dataflow.dataflow import Dataflow
from dnnprov.dataflow.dependency import Dependency
from dnnprov.dataflow.misuse import expect, refuse, tag_text
from dnnprov.dataflow.recording import Execution, recording_of
from dnnprov.dataflow.rows import row_of
from dnnprov.dataflow.set import SetType
from dnnprov.dataflow.tagged import Tagged
from dnnprov.dataflow.transformation import Transformation
from dnnprov.model.related_rows import relate
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from types import TracebackType

    from dnnprov.capture.run import Run
    from dnnprov.dataflow.element import Element
    from dnnprov.dataflow.recording import Recording
    from dnnprov.dataflow.rows import Row
    from dnnprov.model.events import Relation


class TaskStatus(Enum):
    """How far a task is."""

    READY = "READY"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"


class Task(Tagged):
    """One execution of a transformation of a dataflow.

    Its id is yours. While a task of an id (and sub-id) is under way, another object of the same dataflow,
    transformation and id goes on with it; after its end, the same id is a new task.

    Later programs for the original name the execution of the dataflow before the transformation:
    `Task(1, "alexnet", "alexnet-2023-05-01 10:00", "Training")`. It is understood and names the run.

    Args:
        id: a number or text.
        dataflow_tag: of the dataflow, or the `Dataflow`. One that was not declared has the predefined transformations.
        transformation_tag: of the transformation that is executed.
        sub_id: of a part of it.
        dependency: the task, the tasks or a `Dependency`: those whose results it uses.
        workspace: folder that it works in.
        resource: machine or queue that it runs on.
        output: what it printed; may be set until it ends.
        error: likewise.

    Raises:
        UsageError: an argument has a type that cannot be meant, or the dataflow has no such transformation. While a
            task is under way this is a problem `misused_call` instead.

    Attributes:
        id: as text.
        tag: of the transformation.
        status: a `TaskStatus`.

    Example:
        ```python
        t1 = dnnprov.Task(1, "alexnet", "Training")
        t1.add_dataset(dnnprov.DataSet("iTrainingModel", [dnnprov.Element(["Adam", 0.002, 100, 8])]))
        t1.begin()
        t2 = dnnprov.Task(2, "alexnet", "Adaptation", dependency=t1)
        ```
    """

    def __init__(
        self,
        id: object,  # noqa: A002 - the original's word
        dataflow_tag: str | Dataflow,
        transformation_tag: str | Transformation,
        sub_id: object = "",
        dependency: Task | Dependency | Iterable[Task | Dependency] | None = None,
        workspace: object = "",
        resource: object = "",
        output: object = "",
        error: object = "",
    ) -> None:
        self.id = _text(id)
        self.sub_id, self.workspace, self.resource = _text(sub_id), _text(workspace), _text(resource)
        self.output, self.error = _text(output), _text(error)
        if isinstance(dataflow_tag, Dataflow):
            self._recording: Recording = dataflow_tag.recording
        else:
            self._recording = recording_of(tag_text("dataflow_tag", dataflow_tag))
        tag = transformation_tag.tag if isinstance(transformation_tag, Transformation) else transformation_tag
        self.tag = tag_text("transformation_tag", tag)
        if self._is_of_an_execution():
            self._recording.name_run(self.tag)
            self.tag, self.sub_id = self.sub_id, ""
        self._status = TaskStatus.READY
        self._unsaved: deque[DataSet] = deque()
        self._recorded: weakref.WeakKeyDictionary[DataSet, weakref.WeakSet[Element]] = weakref.WeakKeyDictionary()
        self._before: list[Task | Dependency] = []
        self._execution: Execution | None = None
        self._check_transformation()
        for one in _listed(dependency):
            self.add_dependency(one)

    @property
    def _id(self) -> str:  # programs for the original library read it
        return self.id

    @property
    def status(self) -> TaskStatus:
        """READY until it begins, FINISHED once it ended."""
        return self._status

    @property
    def run(self) -> Run | None:
        """The run that it is recorded in; `None` before it begins."""
        return self._execution.task.run if self._execution else None

    def add_dependency(self, dependency: Task | Dependency) -> None:
        """Add what it depends on; this comes before `begin`."""
        if expect("dependency", dependency, Task | Dependency, "a Task, a list of them, or a Dependency"):
            self._before.append(dependency)
            if self._execution is not None:
                self._execution.task.run.recorder.note_problem(
                    "not_a_task", f"task {self.id!r} ({self.tag}) had begun when it got {dependency!r} to depend on"
                )

    def set_datasets(self, datasets: Iterable[DataSet]) -> None:
        """Add several data sets."""
        if expect("datasets", datasets, Iterable, "a list of DataSet"):
            for one in datasets:
                self.add_dataset(one)

    def add_dataset(self, dataset: DataSet) -> None:
        """Add elements that it used or generated; `begin`, `save` and `end` record them."""
        if expect("dataset", dataset, DataSet, "a DataSet"):
            self._unsaved.append(dataset)
            self._recording.hold(self)

    def set_status(self, status: TaskStatus) -> None:
        """Say how far it is; recorded with the next `save`."""
        if expect("status", status, TaskStatus, "a TaskStatus"):
            self._status = status

    def begin(self) -> None:
        """Begin it, with what was added so far; a second call only saves. After the end of its run it begins anew."""
        with self._recording.guarded("Task.begin"):
            if self._execution is not None and self._execution.task.run.status != "running":
                self._execution, self._status = None, TaskStatus.READY
            self._save()

    def save(self) -> None:
        """Record what was added since the last time; one that did not begin yet begins."""
        with self._recording.guarded("Task.save"):
            is_finished = self._status is TaskStatus.FINISHED
            self._save()
            if is_finished:
                self._end()

    def end(self) -> None:
        """Record what was added, and end it; without this it ends with its run."""
        with self._recording.guarded("Task.end"):
            self._save()
            self._end()

    def _save(self) -> None:
        execution = self._begun()
        run = execution.task.run
        self._recording.post(run)
        self._recording.let_go(self)
        while self._unsaved:
            data_set = self._unsaved.popleft()
            recorded = self._recorded.setdefault(data_set, weakref.WeakSet())
            elements = [one for one in data_set.elements if one not in recorded]
            recorded.update(elements)
            if elements:
                self._record(execution, data_set.tag, [self._row(data_set.tag, one, run) for one in elements])

    def _end(self) -> None:
        self._status = TaskStatus.FINISHED
        if self._execution is not None:
            told = {"output": _text(self.output), "error": _text(self.error)}
            self._execution.task.end(details={name: text for name, text in told.items() if text})

    def _begun(self) -> Execution:
        if self._execution is None:
            run = self._recording.run()
            self._recording.post(run)
            key = (self.tag.lower(), self.id, self.sub_id)
            self._execution = self._recording.execution(run, key, lambda: self._begin_in(run))
        if self._status is TaskStatus.READY:
            self._status = TaskStatus.RUNNING
        return self._execution

    def _begin_in(self, run: Run) -> Execution:
        told = {"sub_id": self.sub_id, "workspace": self.workspace, "resource": self.resource}
        before = self._tasks_before(run)
        task = run.task(
            self._recording.plan.written_tag(self.tag),
            after=before,
            identifier=self.id,
            details={name: text for name, text in told.items() if text},
        )
        return Execution(task, before)

    def _tasks_before(self, run: Run) -> list[RunTask]:
        """What it depends on in a run; what is not there is told."""
        found: list[RunTask | None] = []
        for one in self._before:
            if isinstance(one, Task):
                task = one._begun().task  # noqa: SLF001 - of this class; it must be there before this one
                found.append(task if task.run is run else None)
            else:
                found.extend(self._recording.find_task(run, tag, number) for tag, number in one.pairs)
        if None in found:
            run.recorder.note_problem(
                "not_a_task", f"task {self.id!r} ({self.tag}) depends on a task that this run has not; it was left out"
            )
        return [task for task in found if task is not None]

    def _row(self, data_set: str, element: Any, run: Run) -> Row:
        row = row_of(element, data_set, self._recording.plan.attributes(self.tag, data_set))
        place = f"dataflow {self._recording.tag!r}, data set {data_set!r}"
        new_faults = [fault for fault in row.plan_faults if self._recording.is_first(run, f"{data_set}: {fault}")]
        for fault in [*new_faults, *row.faults]:
            run.recorder.note_problem("value_does_not_fit", f"{place}, {fault}")
        return row

    def _record(self, execution: Execution, data_set: str, rows: list[Row]) -> None:
        task, relation = execution.task, self._relation(data_set)
        for row in rows:
            relate(data_set, row.values, execution.stated, task.run.hyperparameters)
            epoch = row.values.get("epoch", row.values.get("EPOCH"))
            if type(epoch) is int and relation == "generated":
                task.last_epoch = epoch
        task.record(data_set, relation, [row.values for row in rows])
        for row in rows:
            for file in row.files:
                task.run.record_file(file.place, file.role, relation, task.handle)

    def _relation(self, data_set: str) -> Relation:
        kind = self._recording.plan.set_type(self.tag, data_set)
        if kind is None and data_set[:1] in "io" and data_set[1:2].isupper():  # iFilters, oFilters
            kind = SetType.INPUT if data_set.startswith("i") else SetType.OUTPUT
        return kind.relation if kind else "generated"

    def _is_of_an_execution(self) -> bool:
        """Whether the third argument was no transformation, and the fourth is: the tag of one, or there is a date."""
        plan = self._recording.plan
        if not self.sub_id or plan.names(self.tag):
            return False
        dated = re.escape(self._recording.tag) + r"\W?\d{4}"
        return plan.names(self.sub_id) or re.match(dated, self.tag, re.IGNORECASE) is not None

    def _check_transformation(self) -> None:
        plan = self._recording.plan
        if not plan.knows(self.tag):
            known = ", ".join(map(repr, plan.own_tags())) or "none yet"
            tag = self._recording.tag
            refuse(
                f"dataflow {tag!r} has no transformation {self.tag!r}; it has {known}; add it with add_transformation, "
                f"or take the predefined ones with Dataflow({tag!r}, True)"
            )

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._recording.guarded("Task.__exit__"):
            self._save()
            if error is None:
                self._end()
            elif self._execution is not None:
                self._execution.task.end(*end_of_block(error))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy of what holds a task, as of a callback, records into the same task."""
        return self

    def __repr__(self) -> str:
        return f"<Task {self.id!r} of {self._recording.tag!r}, {self.tag!r}, {self._status.name}>"


def _listed(dependency: Any) -> list[Any]:
    if dependency is None or (isinstance(dependency, str) and not dependency):
        return []
    if isinstance(dependency, Iterable) and not isinstance(dependency, str | bytes):
        return list(dependency)
    return [dependency]


def _text(value: object) -> str:
    plain = plain_value(value)
    return "" if plain is None else str(plain)
