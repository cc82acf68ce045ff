"""Where the tasks of a dataflow are recorded: which run, which plan was posted to it, which tasks were begun.

A script without a run has one run a process and dataflow, begun with the first thing recorded and ended when the
process is. Inside `with dnnprov.start_run(...)` tasks are recorded into that run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from dnnprov.capture.current_runs import active_run
from dnnprov.capture.start import start_run
from dnnprov.capture.user_warning import warn_user
from dnnprov.dataflow.plan import DataflowPlan
from dnnprov.journal.folder import store_folder
from dnnprov.model.related_rows import Stated
from dnnprov.model.signals import came_from_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.dataflow.task import Task
    from dnnprov.model.events import RunStatus, TransformationDeclared


@dataclass
class Execution:
    """A task as it is recorded; several `Task` objects of one id may stand for it.

    Attributes:
        task: of the run.
        before: what it depends on.
        stated: what an Adaptation said of itself.
    """

    task: RunTask
    before: list[RunTask]
    stated: Stated = field(default_factory=Stated)


class Recording:
    """What is recorded of one dataflow by this process.

    Args:
        tag: of the dataflow.

    Attributes:
        tag: of the dataflow.
        plan: what is known of its transformations.
        lock: held while something is recorded.
        is_of_model: whether a model records its own trainings with it.
    """

    def __init__(self, tag: str) -> None:
        folder = store_folder()
        self.tag = tag
        self.plan = DataflowPlan(tag, folder)
        self.lock = threading.RLock()
        self.is_of_model = False
        self._store: Path = folder.path
        self._own: Run | None = None
        self._run_name: str | None = None
        self._posted: dict[str, dict[str, TransformationDeclared]] = {}
        self._executions: dict[tuple[str, str, str, str], Execution] = {}
        self._unsaved: dict[int, Task] = {}
        self._finishing: Run | None = None
        self._watched: weakref.WeakSet[Run] = weakref.WeakSet()
        self._told: weakref.WeakKeyDictionary[Run, set[str]] = weakref.WeakKeyDictionary()

    @property
    def own_run(self) -> Run | None:
        """The run that was begun here; `None` while there is none."""
        return self._own

    def run(self) -> Run:
        """The run to record into now: the one whose `with` block encloses the call, else the process's own."""
        active = self._finishing or active_run()
        if active is None or active.status != "running":
            if self._own is None or self._own.status != "running":
                self._own = start_run(self.tag, name=self._run_name, store=self._store)
            active = self._own
        if active not in self._watched:
            self._watched.add(active)
            active.before_finish(functools.partial(self._save_unsaved, weakref.ref(active)))
        return active

    def name_run(self, name: str) -> None:
        """Name the run that begins next; where one of another such name is under way, it is over."""
        if self._run_name not in (None, name):
            self.finish()
        self._run_name = name

    def is_first(self, run: Run, fault: str) -> bool:
        """Whether a run hears of this for the first time."""
        told = self._told.setdefault(run, set())
        is_first = fault not in told
        told.add(fault)
        return is_first

    def post(self, run: Run) -> None:
        """Record what is new in the plan, and what could not be read of it."""
        if run.status != "running":
            return
        faults, self.plan.faults = self.plan.faults, []
        posted = self._posted.setdefault(run.uid, {})
        new = [one for one in self.plan.to_post() if posted.get(one.tag.lower()) != one]
        for fault in [*faults, *self.plan.faults]:
            run.recorder.note_problem("capture_failure", fault)
        self.plan.faults = []
        if new:
            posted.update({one.tag.lower(): one for one in new})
            run.declare(new)

    def execution(self, run: Run, key: tuple[str, str, str], begin: Callable[[], Execution]) -> Execution:
        """The task of this transformation, id and sub-id that is under way in a run, else a new one."""
        place = (run.uid, *key)
        known = self._executions.get(place)
        if known is None or known.task.status != "running":
            self._executions.pop(place, None)  # so that the order is that of their beginnings
            known = self._executions[place] = begin()
        return known

    def find_task(self, run: Run, transformation: str, number: str) -> RunTask | None:
        """The latest task of a run by the tag of its transformation and its id."""
        for (uid, tag, one, _), execution in reversed(self._executions.items()):
            if (uid, tag, one) == (run.uid, transformation.lower(), number):
                return execution.task
        return None

    def executions(self, run: Run) -> list[Execution]:
        """The tasks of a run that were begun through this face, in order; of one id the latest."""
        return [execution for (uid, *_), execution in self._executions.items() if uid == run.uid]

    def finish(self, status: RunStatus = "finished", reason: str | None = None) -> None:
        """Finish the process's own run."""
        if self._own is not None:
            self._own.finish(status, reason)

    def hold(self, task: Task) -> None:
        """Keep a task that was given what is not saved yet: it is recorded before the run is finished."""
        self._unsaved[id(task)] = task

    def let_go(self, task: Task) -> None:
        """The task has nothing unsaved any more."""
        self._unsaved.pop(id(task), None)

    def leave_to_parent(self) -> None:
        """In a forked child: what tasks were given before is recorded by the parent."""
        for task in self._unsaved.values():
            task._unsaved.clear()  # noqa: SLF001 - a task and its recording are one thing
        self._unsaved.clear()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy of a dataflow is the same dataflow."""
        return self

    @contextlib.contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Keep a failure of our own code from the training: it becomes a problem, or a warning where no run is."""
        try:
            with self.lock:
                yield
        except Exception as error:
            run = active_run() or self._own
            if came_from_handler(error):
                raise
            if run is None:
                warn_user(f"{where}: {type(error).__name__}: {error}")
            else:
                with run.recorder.guarded(where):
                    raise

    def _save_unsaved(self, finishing: weakref.ref[Run]) -> None:
        """Record what tasks of a run that is about to be finished were given, and those that have no run yet.

        Then nothing of the run is kept here.
        """
        run = finishing()
        with self.lock:
            self._finishing = run
            try:
                for task in list(self._unsaved.values()):
                    if task.run in (None, run):
                        task.save()
            finally:
                self._finishing = None
                if run is not None:
                    self._posted.pop(run.uid, None)
                    self._executions = {key: one for key, one in self._executions.items() if key[0] != run.uid}


_recordings: dict[tuple[Path, str], Recording] = {}


def recording_of(tag: str) -> Recording:
    """The recording of a dataflow in the store that is the default now; one that nobody declared is automatic."""
    place = (store_folder().path, tag)
    found = _recordings.get(place)
    if found is None:
        made = Recording(tag)
        made.plan.is_automatic = True
        found = _recordings.setdefault(place, made)  # another thread may have been first
    return found


def begin_recording(tag: str) -> Recording:
    """A recording of its own for a dataflow, which tasks of this tag are recorded with from now on."""
    recording = _recordings[store_folder().path, tag] = Recording(tag)
    return recording


def known_recording(tag: str) -> Recording | None:
    """The recording of a dataflow, where something was declared or recorded of it."""
    return _recordings.get((store_folder().path, tag))


def recording_of_model(tag: str) -> Recording | None:
    """The recording of a dataflow, by its tag in any letter case, where a model records its own trainings with it."""
    for (place, known), recording in list(_recordings.items()):
        if recording.is_of_model and known.lower() == tag.lower() and place == store_folder().path:
            return recording
    return None


def forget_recording(recording: Recording) -> None:
    """Tasks of this tag are not recorded with this recording any more."""
    for place, known in list(_recordings.items()):
        if known is recording:
            del _recordings[place]


def _after_fork_in_child() -> None:
    for recording in _recordings.values():
        recording.lock = threading.RLock()  # another thread may have held it
        recording.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
