"""A run: one execution of a dataflow, and the face through which a training records it."""

from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING, Any, Self

from dnnprov.capture.adaptation import Adaptations, Change
from dnnprov.capture.current_runs import activate, before_failure, open_runs, told_errors
from dnnprov.capture.hyperparameters import Hyperparameters
from dnnprov.capture.logged_epochs import LoggedEpochs
from dnnprov.capture.notebook import running_cell
from dnnprov.capture.open_tasks import OpenTasks, tasks_among
from dnnprov.capture.pickled import pickle_run, restore_run
from dnnprov.capture.recorded_files import RecordedFiles
from dnnprov.capture.run_task import RunTask, end_of_block
from dnnprov.model.events import (
    END_STATES,
    DataflowDeclared,
    MetricsRecorded,
    ParametersSet,
    RunEnded,
    RunStarted,
)
from dnnprov.model.training import TRAINING_TAGS
from dnnprov.model.values import (
    MAX_INTEGER,
    MIN_INTEGER,
    are_plain,
    nearest_floats,
    number_or_none,
    plain_text,
    plain_values,
    same_in_single_precision,
    text_or_none,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from dnnprov.capture.beginnings import Handle
    from dnnprov.capture.earlier import EarlierRun
    from dnnprov.capture.pickled import PickledRun
    from dnnprov.capture.recorder import Recorder
    from dnnprov.model.events import Relation, RunStatus, TransformationDeclared


class Run:
    """One execution of a dataflow, made by `start_run`.

    Use it as a context manager: an exception ends the run as `failed` with its type and message, Ctrl-C as
    `interrupted`. Without `with`, call `finish`; a process that exits does it for you.

    Attributes:
        dataflow: tag of the dataflow.
        name: of the run, for people.
        uid: of the run, unique without coordination.
        cell: of a notebook, that started it.
        recorder: the door to the journal, for integrations.
        hyperparameters: what is known of them, for integrations.
    """

    def __init__(
        self, recorder: Recorder, dataflow: str, name: str, *, process_id: int | None = None, next_step: int = 0
    ) -> None:
        self.recorder = recorder
        self.dataflow = dataflow
        self.name = name
        self.uid = recorder.run
        self.cell = running_cell()
        self.training: RunTask | None = None
        self.hyperparameters = Hyperparameters()
        self._status: RunStatus = "running"
        self._process_id = process_id or os.getpid()  # of the process that ends it
        self._steps = itertools.count(next_step)
        self._feeding: tuple[RunTask, ...] = ()
        self._tasks = OpenTasks()
        self._files = RecordedFiles(recorder)
        self._adaptations = Adaptations(self)
        self._epochs = LoggedEpochs(self)
        self._epoch_listeners: list[Callable[[float | None, Mapping[str, Any]], bool]] = []
        self._finish_lock = threading.RLock()
        self._is_finishing = False
        self._ending: tuple[RunStatus, str | None] | None = None
        self._before_finish: list[Callable[[], None]] = []
        self._before_first_task: Callable[[], None] | None = None
        self._own_end: tuple[RunStatus, str | None] | None = None
        self._entered: list[Callable[[], None]] = []
        self._warned_closed = False

    @property
    def rank(self) -> int:
        """Of this process in a training of several, else 0."""
        return self.recorder.rank

    @property
    def leads(self) -> bool:
        """Whether this process records what is the same in all: of several, rank 0 does."""
        return self.recorder.rank == 0

    @property
    def status(self) -> RunStatus:
        """`running` until it is finished."""
        return self._status

    @property
    def ending(self) -> tuple[RunStatus, str | None] | None:
        """How it is being finished, or was: status and reason; `None` before that."""
        return self._ending

    def task(
        self,
        tag: str,
        after: RunTask | Iterable[RunTask] | None = None,
        identifier: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> RunTask:
        """Begin a task.

        Args:
            tag: of its transformation: `Filters`, `Training`, `Testing` or any name of yours.
            after: the task or tasks whose results it uses; lineage and the filter questions follow these.
            identifier: what you call it.
            details: further texts about it, by name.

        Returns:
            The task, a context manager that ends it.
        """
        if self._before_first_task is not None:
            job, self._before_first_task = self._before_first_task, None
            with self.recorder.guarded("before the first task"):
                job()
        tag, before = plain_text(tag), tasks_among(after, self.recorder)
        if tag.lower() in TRAINING_TAGS:
            before += [fed for fed in self._feeding if fed not in before]
        task = RunTask(self, tag, before, identifier, details)
        self._tasks.add(task)
        if task.tag.lower() in TRAINING_TAGS:
            self.training = task
        return task

    def log(self, /, *, step: float | None = None, epoch: float | None = None, **metrics: Any) -> None:
        """Record one value for each of several series: rows of `metric`, fit for every batch.

        Args:
            step: number of the batch; counts up from 0 where it is left out.
            epoch: that the batch belongs to.
            metrics: name -> number. NaN and infinities are kept.
        """
        if self._status != "running" and self.is_closed("metrics"):
            return
        if step is None:
            step = next(self._steps)
        elif type(step) is not int or not MIN_INTEGER <= step <= MAX_INTEGER:
            step = number_or_none(step)
        if epoch is not None and (type(epoch) is not int or not MIN_INTEGER <= epoch <= MAX_INTEGER):
            epoch = number_or_none(epoch)
        for value in metrics.values():
            if type(value) is not float:  # which nearly all are, and then this is the quickest way to know
                if not are_plain(map(type, metrics.values())):
                    metrics = plain_values(nearest_floats(metrics))
                break
        self.recorder.record(MetricsRecorded(step=step, epoch=epoch, values=metrics))

    def log_epoch(self, epoch: float | None = None, /, **metrics: Any) -> None:
        """Record that an epoch is over: a row of `oTrainingModel`, with the seconds since the one before.

        In a training that an integration sees by itself, the row has these metrics beside what was seen. Where no
        Training task is under way, the first call begins one.

        Args:
            epoch: its number, as you count; the one behind the last, where it is left out.
            metrics: name -> value. A value on a device is read here, which waits for it.
        """
        if self.is_closed("an epoch"):
            return
        with self.recorder.guarded("log_epoch"):
            plain = plain_values(metrics)
            for listener in reversed(self._epoch_listeners):
                if listener(epoch, plain):
                    return
            self._epochs.log(epoch, plain)

    def set_params(self, /, **parameters: Any) -> None:
        """Record hyperparameters: a new one fills the run's row of `iTrainingModel`, a changed one is an adaptation.

        Of several ranks, rank 0 records them: they are the same everywhere.

        Args:
            parameters: name -> value. A name known with another value is recorded in `oAdaptation`, with the
                technique `manual`; the row keeps the value that the training began with.
        """
        if self.is_closed("hyperparameters"):
            return
        with self.recorder.guarded("set_params"):
            new, changed = self.hyperparameters.new(parameters), self.hyperparameters.changed(parameters)
            if not self.leads:
                self.hyperparameters.note({**new, **changed})
                return
            if new:
                self.recorder.append(ParametersSet(values=dict(new)), keep=True)
                self.hyperparameters.note(new)
            for name, value in changed.items():
                self._adapt_by_hand(name, value)

    def fill_params(self, parameters: Mapping[str, Any]) -> None:
        """Record hyperparameters that an integration read from a framework; what the user stated stays.

        A value that differs from the stated one is noted as a problem `conflicting_hyperparameter`; the same one in
        single precision does not differ.
        """
        parameters = self.hyperparameters.kept(parameters)
        if not self.leads:
            self.set_params(**parameters)
            return
        for name, plain in self.hyperparameters.changed(parameters).items():
            stated = self.hyperparameters.known(name)
            if stated is not None and plain is not None and not same_in_single_precision(stated, plain):
                self.recorder.note_problem(
                    "conflicting_hyperparameter",
                    f"{name} was given as {stated!r}, the framework has {plain!r}; the given value was kept",
                )
        self.set_params(**self.hyperparameters.new(parameters))

    def rename(self, name: str, tags: Mapping[str, str]) -> None:
        """Give a run that was begun before its name was known that name, and tags."""
        if not self.is_closed("a name"):
            self.name = name
            if self.leads:
                self.recorder.append(RunStarted(dataflow=self.dataflow, name=name, tags=dict(tags)), keep=True)

    def feed_trainings(self, tasks: Iterable[RunTask]) -> None:
        """Name tasks whose results each Training that begins from now on uses too; a later call replaces them."""
        self._feeding = tuple(tasks)

    def declare(self, transformations: list[TransformationDeclared]) -> None:
        """Record a plan of the run's dataflow; whatever is new in it makes a new version."""
        if self.leads and not self.is_closed("the plan"):
            self.recorder.append(DataflowDeclared(dataflow=self.dataflow, transformations=transformations), keep=True)

    def adapt(self, change: Change, training: RunTask | None = None) -> None:
        """Record that a hyperparameter was changed during training: a row of `oAdaptation`.

        Args:
            change: what, from what to what, when, by which technique and why.
            training: the Training task it happened in; the latest of the run where it is left out.
        """
        if self.is_closed("an adaptation"):
            return
        with self.recorder.guarded("adapt"):
            if self.leads:
                self._adaptations.record(change, training or self.training)
            self.hyperparameters.note({change.attribute: change.new_value})

    def add_file(self, path: str | os.PathLike[str], role: str | None = None) -> None:
        """Record a file or folder that the run generated; its SHA-256 follows in the background.

        Args:
            path: of the file.
            role: what it is to the run: `"model"`, `"checkpoint"`, `"figure"`.
        """
        self.record_file(path, role, "generated", None)

    def record_file(
        self, path: str | os.PathLike[str], role: str | None, relation: Relation, task: Handle | None
    ) -> None:
        """Record a file with its size and time now and its SHA-256 later; a missing one is a problem.

        Args:
            path: of it, or of a folder.
            role: what it is to the run.
            relation: whether it was used or generated.
            task: handle of the one that did so.
        """
        with self.recorder.guarded("record_file"):
            if self.is_closed(f"file {path!s}"):
                return
            self._files.record(path, role, relation, task)

    def finish(self, status: RunStatus = "finished", reason: str | None = None) -> None:
        """End the run and make its journal durable; a second call does nothing.

        Waits until recorded files are hashed. In a forked child it only closes the child's own segment.

        Args:
            status: one of finished, failed, interrupted, stopped, pruned.
            reason: why, for `exit_reason`.
        """
        if self.recorder.is_recording():  # a signal handler: not before the call that it interrupts is through
            self.recorder.defer(lambda: self.finish(status, reason))
            return
        with self._finish_lock:
            if self._status != "running" or self._is_finishing:
                return
            self._is_finishing = True  # a signal handler may call this while it is under way
            self._ending = self._ending or (status, reason)
            try:
                self._finish(*self._ending)
            finally:  # a second Ctrl-C may have come: then the exit of the process tries again, with the same ending
                self._is_finishing = False

    def _finish(self, status: RunStatus, reason: str | None) -> None:
        with self.recorder.guarded("before finish"):
            self.recorder.run_deferred()
            for job in self._before_finish:
                with self.recorder.guarded("before finish"):
                    job()
            self.recorder.drain()
            self.recorder.notice_deletion()
        with self.recorder.guarded("finish"):
            if status == "finished" and self._own_end is not None:
                status, reason = self._own_end
            status, reason = self.known_ending(status, reason)
            self.recorder.retry()
            self._files.give_up()  # of an earlier end that was interrupted while it waited for them
            if not self.is_elsewhere():
                self._tasks.end_all(status)
                self.recorder.record(RunEnded(status=status, reason=reason))
        self._status = status
        open_runs.discard(self)
        self.recorder.close()

    def known_ending(self, status: RunStatus, reason: object) -> tuple[RunStatus, str | None]:
        """A status and reason that can be recorded; an unknown status is noted and taken as finished."""
        if status not in END_STATES:
            self.recorder.note_problem("unknown_status", f"{status!r} is no status to end with; finished was recorded")
            status = "finished"
        return status, text_or_none(reason)

    def continue_from(self, earlier: EarlierRun) -> None:
        """Take over what earlier processes of a resumed run left, so that a change since is seen as one."""
        self.hyperparameters.note(earlier.parameters)
        self._adaptations.continue_after(earlier.num_adaptations)
        self._steps = itertools.count(earlier.next_step)

    def is_closed(self, what: str) -> bool:
        """Whether the run has ended; then what comes is not recorded, which is said once."""
        if self._status == "running":
            return False
        if not self._warned_closed:
            self._warned_closed = True
            self.recorder._warn(  # noqa: SLF001 - a run and its recorder are one thing
                "closed", f"{what} came after finish() and is not recorded; log before it, or start another run"
            )
        return True

    def is_elsewhere(self) -> bool:
        """Whether this is a forked child of the process that started the run."""
        return os.getpid() != self._process_id

    @property
    def is_executing(self) -> bool:
        """Whether any task is under way."""
        return bool(self._tasks)

    def also_executing(self, ask: Callable[[], bool]) -> None:
        """Say how to know whether tasks are under way that were not begun by `task`."""
        self._tasks.also(ask)

    def hear_epochs(self, listener: Callable[[float | None, Mapping[str, Any]], bool]) -> None:
        """Hand what `log_epoch` is given to an integration first, the latest one first.

        Args:
            listener: is called with the epoch and the metrics; returns whether it recorded them.
        """
        self._epoch_listeners.append(listener)

    def before_first_task(self, job: Callable[[], None]) -> None:
        """Do something when the first task is about to begin; a later call replaces it."""
        self._before_first_task = job

    def before_finish(self, job: Callable[[], None]) -> None:
        """Do something when the run is about to be finished, while it still records."""
        self._before_finish.append(job)

    def expect_own_end(self, status: RunStatus | None, reason: str | None = None) -> None:
        """Say how the run ends where nobody says otherwise; `None` takes that back.

        For an integration that saw a training fail whose exception the script caught.
        """
        self._own_end = None if status is None else (status, reason)

    def expect_end(self, task: RunTask, status: RunStatus, reason: str | None = None) -> None:
        """Say how a task ended whose own end never came, where the run itself finishes well.

        For an integration that ends its tasks itself: what it did not end was left by an exception.
        """
        self._tasks.expect_end(task, status, reason)

    def forget_task(self, task: RunTask) -> None:
        """A task ended by itself and needs no end from `finish`; its adaptations end with it."""
        self._tasks.forget(task)
        self._adaptations.end_with(task)

    def _adapt_by_hand(self, name: str, value: Any) -> None:
        epoch = self.training.last_epoch if self.training else None
        first_epoch = None if epoch is None else epoch + 1
        self.adapt(Change(name, self.hyperparameters.known(name), value, epoch=first_epoch, agent="person"))

    def __enter__(self) -> Self:
        self._entered.append(activate(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status, reason = end_of_block(error)
        if error is not None:
            told_errors.add(id(error))
            if status != "finished" and self._status == "running" and not self.is_elsewhere():
                for tell in before_failure:
                    with self.recorder.guarded("an exception that leaves the run"):
                        tell(error)
        if self._entered:
            self._entered.pop()()
        self.finish(status, reason)

    def __reduce__(self) -> tuple[Callable[[PickledRun], Run], tuple[PickledRun]]:
        """A process that is spawned with the run among its arguments records into it, as a forked one does."""
        next_step = next(self._steps)
        self._steps = itertools.count(next_step)
        return restore_run, (pickle_run(self, next_step),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy of what holds a run records into the same run."""
        return self

    def __repr__(self) -> str:
        return f"<Run {self.name!r} of dataflow {self.dataflow!r}, {self._status}, uid {self.uid}>"


def _after_fork_in_child() -> None:
    for run in list(open_runs):
        run._finish_lock = threading.RLock()  # noqa: SLF001 - another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
