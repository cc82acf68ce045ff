"""Where the tasks of a dataflow are recorded: a run for each execution, by the rules that the server has for clients.

A program that names its execution has one run of that name, in whatever process it goes on. One that does not has one
run for each process, or records into the run whose `with` block encloses it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import weakref
from typing import TYPE_CHECKING

import msgspec

from dnnprov.capture.current_runs import active_run, open_runs
from dnnprov.capture.earlier import declared_in
from dnnprov.capture.start import DISABLED_VARIABLE, begin_run, start_run
from dnnprov.capture.switches import is_switched_on
from dnnprov.capture.user_warning import warn_user
from dnnprov.capture.worker_process import is_killed_at_end
from dnnprov.dataflow.recording import recording_of_model
from dnnprov.dfanalyzer.beside_model import TaskBesideModel
from dnnprov.dfanalyzer.predefined import known_transformations
from dnnprov.dfanalyzer.run_recording import RunRecording
from dnnprov.journal.folder import store_folder
from dnnprov.journal.plan_file import read_plan
from dnnprov.model.dfanalyzer.json_form import read_dataflow
from dnnprov.model.dfanalyzer.plan import Plan
from dnnprov.model.signals import came_from_handler
from dnnprov.model.training import TESTING_TAGS, TRAINING_TAGS, TRANSFORMATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.capture.run import Run
    from dnnprov.dfanalyzer.dataflow import Dataflow
    from dnnprov.dfanalyzer.task import Task
    from dnnprov.model.events import TransformationDeclared

_PREDEFINED = TRAINING_TAGS | TESTING_TAGS | TRANSFORMATIONS.keys()

EXECUTION_TAG = "exec"
"""Tag of a run with the name that the program gave its execution."""

MAX_OPEN = 32
"""Executions of a dataflow that are open at once: each holds a file and two threads."""


class Recording:
    """What is recorded of one dataflow by this process.

    Args:
        tag: of the dataflow, in lower case.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.lock = threading.RLock()
        self._folder = store_folder()
        self._faults: list[str] = []
        self._plan = Plan(tag, self._registered())
        self._declared = self._plan.transformations
        self._dataflows: weakref.WeakSet[Dataflow] = weakref.WeakSet()
        self._posted: dict[int, bytes] = {}
        self._runs: dict[str, RunRecording] = {}  # by execution, the one heard last at the end
        self._enclosing: dict[str, RunRecording] = {}  # whose `with` blocks enclose calls, by uid
        self._unsaved: dict[int, tuple[Task, Run | None]] = {}  # with the run that encloses the call

    @property
    def is_open(self) -> bool:
        """Whether a run of it is under way that tasks were told of."""
        return any(not one.posts.is_empty and one.run in open_runs for one in self._open())  # else it is disabled

    def keep(self, dataflow: Dataflow) -> None:
        """Know a dataflow of this tag: what it has, and what is added to it, is declared when a task is recorded."""
        self._dataflows.add(dataflow)
        with self.guarded("Dataflow"):
            self._read_dataflows()

    def names(self, transformation: str) -> bool:
        """Whether a transformation of this tag is declared here or in the store, or is known without that."""
        lowered = transformation.lower()
        with self.lock:
            self._read_dataflows()
            return self._plan.names(lowered) or lowered in known_transformations() or lowered in _PREDEFINED

    def num_attributes(self, transformation: str, data_set: str) -> int | None:
        """How many attributes a set has for tasks of a transformation; `None` where nobody declared it."""
        with self.lock:
            self._read_dataflows()
            attributes = self._plan.meaning(transformation, data_set).attributes
        return None if attributes is None else len(attributes)

    def declare(self) -> None:
        """Record what is new in the plan: in the run under way, else in the one of this process, begun if need be."""
        self._read_dataflows()
        is_new = self._declared != self._plan.transformations
        for recording in self._open() or ([self._run_of("")] if is_new or active_run() else []):
            self._declare_in(recording)

    def record(self, task: Task) -> None:
        """Record what is new of a task: beside the trainings of a model that records itself, else by our own rules."""
        if task.beside_model is not None or recording_of_model(self.tag) is not None:
            task.beside_model = task.beside_model or TaskBesideModel(task, self.tag)
            task.beside_model.record(task.take_post())
            self._unsaved.pop(id(task), None)
            return
        self._read_dataflows()
        known = known_transformations().get(task.key()[0])
        if known is not None and not self._plan.names(known.tag):
            self._plan.post([known])
        recording = self._run_of(task.execution)
        for before in task.before:  # which this one is to refer to
            if before.recording is self and before.execution == task.execution and not recording.has(before):
                recording.posts.take(before.take_post())
                self._unsaved.pop(id(before), None)
        self._declare_in(recording)
        recording.posts.take(task.take_post())
        self._unsaved.pop(id(task), None)
        if task.execution in self._runs and is_killed_at_end() and recording.posts.is_idle:
            recording.run.finish()  # it goes on if more comes

    def hold(self, task: Task) -> None:
        """Keep a task that was given what is not saved yet: it is recorded before its run is finished."""
        with self.lock:
            enclosing = self._enclosing_run()
            self._unsaved[id(task)] = (task, enclosing.run if enclosing else None)

    def leave_to_parent(self) -> None:
        """In a forked child: what tasks were given before is recorded by the parent."""
        for task, _ in self._unsaved.values():
            task.unsaved = []
        self._unsaved.clear()

    @contextlib.contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Keep a failure of our own code from the training: it becomes a problem, or a warning where no run is."""
        try:
            with self.lock:
                yield
        except Exception as error:
            if came_from_handler(error):
                raise
            run = next((one.run for one in self._open()), None)
            if run is None:
                warn_user(f"{where}: {type(error).__name__}: {error}")
            else:
                with run.recorder.guarded(where):
                    raise

    def _run_of(self, execution: str) -> RunRecording:
        """The run that an execution is recorded into now, begun or gone on with where it is not open."""
        enclosing = self._enclosing_run()
        if enclosing is not None:
            return enclosing
        known = self._runs.pop(execution, None)
        if known is None or not known.is_open:
            return self._begin(execution)
        self._runs[execution] = known
        return known

    def _enclosing_run(self) -> RunRecording | None:
        """The run whose `with` block encloses the call, if any."""
        active = active_run()
        if active is None or active.status != "running" or active.recorder.folder != self._folder:
            return None
        known = self._enclosing.get(active.uid)
        if known is None or known.run is not active:
            known = self._enclosing[active.uid] = self._recording_in(active)
        return known

    def _open(self) -> list[RunRecording]:
        return [one for one in (*self._enclosing.values(), *self._runs.values()) if one.is_open]

    def _make_room(self) -> None:
        """Finish executions whose tasks have ended, and of too many those heard first; they go on if more comes."""
        named = [key for key in self._runs if key]
        for number, key in enumerate(named):
            posts = self._runs[key].posts
            if (posts.is_idle and not posts.is_empty) or len(named) - number >= MAX_OPEN:
                self._runs.pop(key).run.finish()

    def _begin(self, execution: str) -> RunRecording:
        if not execution:
            self._runs[""] = self._recording_in(start_run(self.tag, store=self._folder.path))
            return self._runs[""]
        self._make_room()
        empty = self._runs.get("")
        if empty is None or not empty.is_open or not empty.posts.is_empty or empty.run.is_elsewhere():
            empty = None  # a forked child must not take its parent's
        uid = secrets.token_hex(8) if empty is None else empty.run.uid
        try:
            is_disabled = is_switched_on(DISABLED_VARIABLE, default=False)
            first = uid if is_disabled else self._folder.claim_execution(self.tag, execution, uid)
        except OSError:  # not writable: the first append says so
            first = uid
        tags = {EXECUTION_TAG: execution}
        if first != uid:
            run = start_run(self.tag, name=execution, store=self._folder.path, resume=first)
            self._runs[execution] = self._recording_in(run, is_resumed=True)
        elif empty is None:
            self._runs[execution] = self._recording_in(begin_run(self._folder, self.tag, execution, tags, uid))
        else:
            empty.run.rename(execution, tags)
            self._runs[execution] = self._runs.pop("")
        return self._runs[execution]

    def _recording_in(self, run: Run, *, is_resumed: bool = False) -> RunRecording:
        run.before_finish(lambda: self._save_unsaved(run))
        return RunRecording(run, self._plan, is_resumed=is_resumed)

    def _declare_in(self, recording: RunRecording) -> None:
        recording.posts.declare()
        self._declared = self._plan.transformations
        faults, self._faults = self._faults, []
        for fault in faults:
            recording.run.recorder.note_problem("capture_failure", fault)

    def _read_dataflows(self) -> None:
        """Take over what was added to dataflows since they were read."""
        for dataflow in list(self._dataflows):
            specification = {**dataflow.get_specification(), "email": dataflow.email}
            text = msgspec.json.encode(specification, enc_hook=repr)
            if self._posted.get(id(dataflow)) != text:
                self._posted[id(dataflow)] = text
                post = read_dataflow(specification)
                self._plan.post(post.transformations, post.extractors, post.people)

    def _registered(self) -> list[TransformationDeclared]:
        """The transformations that the store knows of this dataflow, and those that may not be ingested yet."""
        try:
            found = read_plan(self._folder, self.tag)
            latest = self._folder.find_latest_execution(self.tag)
            unread = declared_in(self._folder, latest) if latest else []
        except (OSError, ValueError) as error:
            self._faults.append(f"the plan of dataflow {self.tag!r} in the store: {error}; what is declared is used")
            return []
        return [*(found.transformations if found else ()), *unread]

    def _save_unsaved(self, finishing: Run) -> None:
        """A run is about to be finished: record what its tasks were given; then nothing of it is kept here."""
        with self.lock:
            for task, enclosing in list(self._unsaved.values()):
                known = self._enclosing.get(enclosing.uid) if enclosing else self._runs.get(task.execution)
                if known is not None and known.run is finishing:
                    self._declare_in(known)
                    known.posts.take(task.take_post())
                    self._unsaved.pop(id(task), None)
            self._enclosing.pop(finishing.uid, None)


_recordings: dict[tuple[Path, str], Recording] = {}


def recording_of(tag: str) -> Recording:
    """The recording of a dataflow, by its tag in lower case, in the store that is the default now."""
    place = (store_folder().path, tag)
    found = _recordings.get(place)
    return found or _recordings.setdefault(place, Recording(tag))  # another thread may have been first


def is_under_way() -> bool:
    """Whether a program tells of a run now."""
    return any(recording.is_open for recording in list(_recordings.values()))


def _after_fork_in_child() -> None:
    for recording in _recordings.values():
        recording.lock = threading.RLock()  # another thread may have held it
        recording.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
