"""A task: one execution of a transformation in a run, with what it used and generated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from dnnprov.model.events import ElementsRecorded, TaskBegan, TaskEnded
from dnnprov.model.signals import find_signal
from dnnprov.model.training import output_set
from dnnprov.model.values import are_plain, number_or_none, plain_text, plain_values, text_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from dnnprov.capture.beginnings import Handle
    from dnnprov.capture.run import Run
    from dnnprov.model.events import Relation, RunStatus


class RunTask:
    """One execution of a transformation; made by `Run.task`, ended by its `with` block or `end`.

    Attributes:
        tag: of the transformation: `"Training"`.
        run: that it belongs to.
        handle: what the journal knows it by.

    Example:
        ```python
        with run.task("Filters") as filters:
            filters.uses("iFilters", dataset_name="17flowers")
            filters.generates("oFilters", filter_name="gray-scale")
        with run.task("Training", after=filters) as training:
            training.log(epoch=1, loss=2.87, accuracy=0.11)
        ```
    """

    def __init__(
        self,
        run: Run,
        tag: str,
        after: Iterable[RunTask] = (),
        identifier: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.tag = tag
        self.last_epoch: int | float | None = None
        self._status: RunStatus = "running"
        references = [reference for task in after if (reference := run.recorder.reference(task.handle)) is not None]
        began = TaskBegan(tag=tag, after=references, identifier=text_or_none(identifier), details=_texts(details))
        self.handle: Handle = run.recorder.append(began, keep=True)
        self._process_id = os.getpid()

    @property
    def status(self) -> RunStatus:
        """`running` until it ended."""
        return self._status

    def uses(self, data_set: str, /, **values: Any) -> None:
        """Record one element of a data set that the task used.

        Args:
            data_set: tag of the set: `"iFilters"`.
            values: attribute -> value; a new attribute becomes a new column.
        """
        self.record(data_set, "used", [values])

    def generates(self, data_set: str, /, **values: Any) -> None:
        """Record one element of a data set that the task generated; arguments as for `uses`."""
        self.record(data_set, "generated", [values])

    def log(self, /, **values: Any) -> None:
        """Record one row of the task's output set: `oTrainingModel` for a Training, one row an epoch.

        Args:
            values: the metrics, and `epoch`, counted as the caller counts.
        """
        if not are_plain(map(type, values.values())):
            values = plain_values(values)
        if (epoch := values.get("epoch")) is not None:
            self.last_epoch = epoch if type(epoch) is int else number_or_none(epoch)
        self.record(output_set(self.tag), "generated", [values])

    def record(self, data_set: str, relation: Relation, rows: list[Mapping[str, Any]]) -> None:
        """Record several elements of one set at once.

        Args:
            data_set: tag of the set.
            relation: `"used"` or `"generated"`.
            rows: attribute -> value, one mapping an element.
        """
        recorder, tag = self.run.recorder, plain_text(data_set)
        if self.run.is_closed(f"{tag} of task {self.tag}"):
            return
        try:  # without a context manager, which costs more than the rest
            plain = [plain_values(row) for row in rows]
        except Exception as error:  # noqa: BLE001 - P1: recording never raises into a training
            recorder.note_failure(f"rows of {tag}", error)
            return
        task = recorder.reference(self.handle)
        recorder.record(ElementsRecorded(task=task, set=tag, relation=relation, rows=plain))

    def uses_file(self, path: str | os.PathLike[str], role: str | None = None) -> None:
        """Record a file or folder that the task read; its SHA-256 follows in the background."""
        self.run.record_file(path, role, "used", self.handle)

    def generates_file(self, path: str | os.PathLike[str], role: str | None = None) -> None:
        """Record a file or folder that the task wrote; its SHA-256 follows in the background."""
        self.run.record_file(path, role, "generated", self.handle)

    def end(
        self, status: RunStatus = "finished", reason: str | None = None, details: Mapping[str, str] | None = None
    ) -> None:
        """End the task; a second call does nothing.

        Args:
            status: one of finished, failed, interrupted, stopped, pruned.
            reason: why, for `exit_reason`.
            details: further texts about it, by name.
        """
        if self._status != "running":
            return
        status, reason = self.run.known_ending(status, reason)
        self._status = status
        reference = self.run.recorder.reference(self.handle)
        if reference is not None:
            self.run.recorder.record(TaskEnded(task=reference, status=status, reason=reason, details=_texts(details)))
            self.run.recorder.forget(self.handle)
        self.run.forget_task(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process_id == os.getpid():  # a child that left the block of its parent ends nothing
            self.end(*end_of_block(error))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy of what holds a task records into the same task."""
        return self

    def __repr__(self) -> str:
        return f"<RunTask {self.tag!r} of run {self.run.name!r}, {self._status}>"


def _texts(details: object) -> dict[str, str]:
    """Further texts about a task, whatever the user gave."""
    if isinstance(details, Mapping):
        return {plain_text(name): plain_text(value) for name, value in details.items()}
    return {"details": plain_text(details)} if details is not None else {}


def end_of_block(error: BaseException | None) -> tuple[RunStatus, str | None]:
    """The status that a `with` block leaves behind, and the reason in words."""
    if error is None:
        return "finished", None
    if (sent := find_signal(error)) is not None:
        return "interrupted", sent if isinstance(error, SystemExit | KeyboardInterrupt) else f"{sent}: {_said(error)}"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "finished", None
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "KeyboardInterrupt"
    return "failed", _said(error)


def _said(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a user's exception may have a broken __str__
        message = "(its message is not readable)"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
