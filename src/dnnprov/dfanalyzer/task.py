"""A task: one execution of a transformation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from dnnprov.dataflow.misuse import expect, refuse, shown, tag_text
from dnnprov.dataflow.task import TaskStatus
from dnnprov.dfanalyzer.dataflow import Dataflow
from dnnprov.dfanalyzer.dataset import DataSet
from dnnprov.dfanalyzer.dependency import Dependency
from dnnprov.dfanalyzer.element import Element
from dnnprov.dfanalyzer.file import File
from dnnprov.dfanalyzer.performance import Performance
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject
from dnnprov.dfanalyzer.recording import recording_of
from dnnprov.dfanalyzer.transformation import Transformation
from dnnprov.model.dfanalyzer.posts import SetPost, TaskPost
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from dnnprov.dfanalyzer.beside_model import TaskBesideModel
    from dnnprov.dfanalyzer.recording import Recording

__all__ = ["Task", "TaskStatus", "end_task", "start_task"]

_AFTER_TAGS = ("sub_id", "dependency", "workspace", "resource", "output", "error")
_DETAILS = ("workspace", "resource", "output", "error")


class Task(ProvenanceObject):
    """One execution of a transformation.

    The libraries differ in what stands third: `Task(1, "alexnet", "Training")` has the transformation there,
    `Task(1, "alexnet", "alexnet-monday", "Training")` the execution before it. Four in a row mean the latter, unless
    the third is a transformation declared for that dataflow and the fourth is not, or a task follows. `sub_id`,
    `dependency`, `workspace`, `resource`, `output`, `error` come after.

    Args:
        id: of it, a number or text.
        dataflow_tag: of the dataflow, or the `Dataflow`.
        arguments: further ones by position.
        named: further ones by name: `exec_tag`, `transformation_tag` and those above.

    Raises:
        UsageError: an argument has a type that cannot be meant. While a task is under way this is a problem
            `misused_call` instead.

    Attributes:
        start_time, end_time: as text in local time; `None` until then.
    """

    def __init__(self, id: object = None, dataflow_tag: Any = None, *arguments: Any, **named: Any) -> None:  # noqa: A002
        id = named.pop("identifier", id)  # noqa: A001 - as the documentation of Keras-Prov has it
        dataflow = named.pop("dataflow", dataflow_tag)
        tag = dataflow._tag if isinstance(dataflow, Dataflow) else tag_text("dataflow_tag", dataflow)
        self.recording: Recording = recording_of(tag.lower())
        execution, transformation, rest = _tags(self.recording, arguments, named)
        told = {**dict(zip(_AFTER_TAGS, rest, strict=False)), **named}
        for name in told.keys() - set(_AFTER_TAGS):
            refuse(f"{name}={shown(told[name])} is no argument of a task; it has {', '.join(_AFTER_TAGS)}")
        super().__init__(transformation)
        self._workspace, self._resource = _text(told.get("workspace")), _text(told.get("resource"))
        self._output, self._error = _text(told.get("output")), _text(told.get("error"))
        self._sub_id = _text(told.get("sub_id"))
        self._dependency: Any = ""
        self._files: list[dict[str, Any]] = []
        self._performances: list[dict[str, Any]] = []
        self._status = TaskStatus.READY.value
        self._dataflow, self._transformation, self._id = tag.lower(), transformation.lower(), _text(id)
        if execution:
            self._first, self._exec = "0", execution
        self.start_time: str | None = None
        self.end_time: str | None = None
        self.execution = execution
        self.before: list[Task] = []
        self.unsaved: list[DataSet | File] = []
        self.shown: list[DataSet] = []
        self.were_sets_sent = False
        self.beside_model: TaskBesideModel | None = None
        self._depend_on(told.get("dependency"))

    @property
    def _sets(self) -> list[dict[str, Any]]:
        """The specification of the data sets that a `save` of the original would send now."""
        return [one.get_specification() for one in self.shown]

    def get_specification(self, prefix: str = "_") -> dict[str, Any]:
        """What DfAnalyzer's library would send of it."""
        specification = super().get_specification(prefix)
        return {**specification, "sets": self._sets} if self.shown and prefix == "_" else specification

    def add_dependency(self, dependency: Dependency | Task | Iterable[Task]) -> None:
        """Say what it depends on; this comes before `begin`."""
        if expect("dependency", dependency, Dependency | Task | Iterable, "a Dependency, a Task or a list of them"):
            self._depend_on(dependency)

    def set_datasets(self, datasets: Iterable[DataSet]) -> None:
        """Add several data sets."""
        if expect("datasets", datasets, Iterable, "a list of DataSet"):
            for one in datasets:
                self.add_dataset(one)

    def add_dataset(self, dataset: DataSet) -> None:
        """Add elements that it used or generated, as they are now; `begin`, `save` and `end` record them."""
        if not expect("dataset", dataset, DataSet, "a DataSet"):
            return
        copy = DataSet(dataset._tag)
        copy.rows = list(dataset.rows)
        with self.recording.lock:  # another thread may be saving
            if self.were_sets_sent and self.execution:
                self.shown = []
            self.were_sets_sent = False
            self.shown.append(copy)
            self.unsaved.append(copy)
            self.recording.hold(self)

    def add_file(self, file: File) -> None:
        """Add a file that it generated."""
        if expect("file", file, File, "a File"):
            with self.recording.lock:
                self._files.append(file.get_specification())
                self.unsaved.append(file)
                self.recording.hold(self)

    def set_status(self, status: TaskStatus) -> None:
        """Say how far it is; recorded with the next `save`."""
        if expect("status", status, TaskStatus, "a TaskStatus"):
            self._status = status.value

    def begin(self) -> None:
        """Begin it, with what was added so far."""
        self._status, self.start_time = TaskStatus.RUNNING.value, _now()
        self._post("Task.begin")

    def save(self) -> None:
        """Record what was added since the last time."""
        self._post("Task.save")

    def end(self) -> None:
        """Record what was added, and end it."""
        self._status, self.end_time = TaskStatus.FINISHED.value, _now()
        self._performances.append(Performance(self.start_time, self.end_time).get_specification())
        self._post("Task.end")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy of what holds a task, as of a callback, records into the same task."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process, where it is the task of the same execution."""
        return {name: value for name, value in vars(self).items() if name not in {"recording", "beside_model"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """It is recorded into the store that is the default here."""
        self.__dict__.update(state)
        self.recording, self.beside_model = recording_of(self._dataflow), None

    def __repr__(self) -> str:
        return f"<Task {self._id!r} of {self._dataflow!r}, {self._transformation!r}, {self._status}>"

    def _post(self, where: str) -> None:
        """Record what is new: a failure of ours stays here."""
        with self.recording.guarded(where):
            self.recording.record(self)
            self.were_sets_sent = True
            if self.execution and where != "Task.save":
                self.shown = []

    def key(self) -> tuple[str, str, str]:
        """What tells it from other tasks of a run."""
        return self._transformation, self._id, _text(self._sub_id)

    def take_post(self) -> TaskPost:
        """What is to be recorded of it now; what was added is taken for recorded."""
        unsaved, self.unsaved = self.unsaved, []
        details = {name: _text(getattr(self, f"_{name}")) for name in _DETAILS}
        pairs = zip(self._dependency["tags"], self._dependency["ids"], strict=False) if self._dependency else ()
        return TaskPost(
            dataflow=self._dataflow,
            transformation=self._transformation,
            id=self._id,
            sub_id=_text(self._sub_id),
            status=TaskStatus(self._status).value,
            execution=self.execution,
            sets=[SetPost(one._tag, one.rows) for one in unsaved if isinstance(one, DataSet)],
            files=[one.place for one in unsaved if isinstance(one, File)],
            dependencies=[(str(tag["tag"]), str(number["id"])) for tag, number in pairs],
            details={name: text for name, text in details.items() if text},
        )

    def _depend_on(self, dependency: Any) -> None:
        if dependency is None or dependency == "":
            return
        if isinstance(dependency, Dependency):
            self._dependency = dependency.get_specification()
            return
        several = list(dependency) if isinstance(dependency, Iterable) else [dependency]
        if all(expect("dependency", one, Task, "a Task, a list of them, or a Dependency") for one in several):
            self.before = several
            self._dependency = Dependency(
                [one._tag for one in several], [one._id for one in several]
            ).get_specification()


def start_task(task_id: object, dataflow_tag: str, label: str, in_elements: Iterable[Any]) -> tuple[Task, DataSet]:
    """Begin a task with values of the set `i` and its transformation, as the library of vinisalazar does.

    Args:
        task_id: of it.
        dataflow_tag: of the dataflow.
        label: tag of the transformation.
        in_elements: values.

    Returns:
        The task, and the data set.
    """
    task = Task(task_id, dataflow_tag, label)
    used = _data_set(task, f"i{label}", in_elements)
    task.add_dataset(used)
    task.begin()
    return task, used


def end_task(task: Task, label: str, out_elements: Iterable[Any]) -> DataSet:
    """End a task with values of the set `o` and its transformation, which is given back."""
    generated = _data_set(task, f"o{label}", out_elements)
    task.add_dataset(generated)
    task.end()
    return generated


def _data_set(task: Task, tag: str, values: Iterable[Any]) -> DataSet:
    """As many values as the set has attributes are one element; the library makes one of each, which fits none."""
    several = list(values)
    is_one = len(several) == task.recording.num_attributes(task.key()[0], tag)
    return DataSet(tag, [Element(several)] if is_one else [Element([one]) for one in several])


def _tags(recording: Recording, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, str, tuple[Any, ...]]:
    """The execution, or an empty text, the transformation, and what follows them."""
    execution, transformation = named.pop("exec_tag", None), named.pop("transformation_tag", None)
    rest = arguments
    if execution is None and rest and (transformation is not None or _is_execution(recording, *rest[:3])):
        execution, rest = rest[0], rest[1:]
    if transformation is None and rest:
        transformation, rest = rest[0], rest[1:]
    if isinstance(transformation, Transformation):
        transformation = transformation._tag
    return _text(execution), tag_text("transformation_tag", transformation), rest


def _is_execution(recording: Recording, third: Any, fourth: Any = None, fifth: Any = None) -> bool:
    """Whether the third argument is the tag of an execution, and the fourth that of a transformation.

    Args:
        recording: knows the transformations.
        third: argument of the task.
        fourth: another one; a sub-id where the third is the transformation.
        fifth: likewise; what the task depends on where the third is the transformation.
    """
    if isinstance(fourth, Transformation):
        return True
    if not isinstance(fourth, str) or not fourth or isinstance(third, Transformation):
        return False
    if isinstance(fifth, Task | Dependency | list):
        return False
    return not recording.names(_text(third)) or recording.names(fourth)


def _text(value: object) -> str:
    plain = plain_value(value)
    return "" if plain is None else str(plain)


def _now() -> str:
    return datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
