"""The tasks of a run that are under way, and how each of them ends where nobody ends it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dnnprov.capture.run_task import RunTask
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.capture.recorder import Recorder
    from dnnprov.model.events import RunStatus


class OpenTasks:
    """Knows the tasks of one run from their begin to their end."""

    def __init__(self) -> None:
        self._tasks: dict[int, RunTask] = {}
        self._expected: dict[int, tuple[RunStatus, str | None]] = {}
        self._asked: list[Callable[[], bool]] = []

    def __bool__(self) -> bool:
        """Whether any task is under way."""
        return bool(self._tasks) or any(ask() for ask in self._asked)

    def add(self, task: RunTask) -> None:
        """A task began."""
        self._tasks[id(task)] = task

    def also(self, ask: Callable[[], bool]) -> None:
        """Say how to know whether tasks are under way that were not begun by `Run.task`."""
        self._asked.append(ask)

    def expect_end(self, task: RunTask, status: RunStatus, reason: str | None) -> None:
        """Say how a task ended whose own end never came, where the run itself finishes well."""
        self._expected[id(task)] = status, reason

    def forget(self, task: RunTask) -> None:
        """A task ended by itself."""
        self._tasks.pop(id(task), None)
        self._expected.pop(id(task), None)

    def end_all(self, status: RunStatus) -> None:
        """End what is under way, the latest first, as the run ends or as it was expected."""
        for task in reversed(list(self._tasks.values())):
            expected = self._expected.get(id(task)) if status == "finished" else None
            task.end(*(expected or (status, None)))


def tasks_among(after: object, recorder: Recorder) -> list[RunTask]:
    """The tasks among what was given as `after`; what is none is noted."""
    if after is None or isinstance(after, RunTask):
        return [after] if isinstance(after, RunTask) else []
    given: list[object] = [after]
    if isinstance(after, Iterable) and not isinstance(after, str):
        given = []
        with recorder.guarded("the tasks that a task comes after"):
            given += after
    for one in given:
        if not isinstance(one, RunTask):
            shown = plain_value(one)
            recorder.note_problem("not_a_task", f"after={shown!r} is no task of a run; it was left out")
    return [one for one in given if isinstance(one, RunTask)]
