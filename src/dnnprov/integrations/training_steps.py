"""The steps of a training in plain values, for any framework: an integration says what it sees, this records it.

An integration calls, in this order: `begin_training`, then for each epoch `begin_epoch`, `end_epoch`, and at last
`end_training`; `begin_testing` and `end_testing` at any time. Between them it hands in what the optimizer holds, with
`see`, as often as it likes: a value that is not the one seen before is an adaptation.

Which epoch an adaptation belongs to: the first that trains with the new value. So what changes after `close_epoch`
waits for the next epoch to begin, if need be in the next training; what no epoch ever trains with is not recorded.
"""

from __future__ import annotations

import atexit
import sys
import time
import warnings
import weakref
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dnnprov.capture.adaptation import Change
from dnnprov.capture.run_task import RunTask
from dnnprov.integrations.run_choice import RunChoice, check_type, in_another_thread
from dnnprov.integrations.technique import BY_HAND
from dnnprov.model.events import ProblemRecorded
from dnnprov.model.values import plain_value, same_value, utc_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.integrations.technique import Technique
    from dnnprov.model.events import RunStatus
    from dnnprov.model.values import Scalar

ABANDONED = "the training was left before its end, by an exception or an interrupt"


@dataclass
class _Memory:
    """What was seen in a run so far, by whichever integration objects record into it.

    Attributes:
        values: the framework's last value of each hyperparameter.
        waiting: changes that no epoch has trained with yet.
        models: those whose layers are recorded.
    """

    values: dict[str, Scalar] = field(default_factory=dict)
    waiting: list[tuple[str, Scalar, Scalar, Technique]] = field(default_factory=list)
    models: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)


_memories: weakref.WeakKeyDictionary[Run, _Memory] = weakref.WeakKeyDictionary()
_begun: weakref.WeakSet[TrainingSteps] = weakref.WeakSet()


class TrainingSteps:
    """Records trainings and tests of one integration object, each as a task of the run that `choice` finds.

    Its methods may raise: an integration wraps the body of each hook in `guarded`, which nothing leaves.

    Args:
        choice: the run to record into, or how to start one.
        after: tasks whose results a training uses: `Filters`.

    Raises:
        UsageError: `after` is neither a task nor several.
    """

    def __init__(self, choice: RunChoice, after: RunTask | Iterable[RunTask] | None = None) -> None:
        self.choice = choice
        self._after = _tasks(after)
        self._training: RunTask | None = None
        self._testing: RunTask | None = None
        self._epoch: int | None = None
        self._began = self._elapsed = 0.0
        self._is_abandoned = False
        self._early_failures: list[str] = []

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first step."""
        return self.choice.run

    @property
    def is_training(self) -> bool:
        """Whether a training began and was neither ended nor abandoned."""
        return self._training is not None and self._training.status == "running"

    @contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Keep a failure from the training: it becomes a problem `capture_failure` of the run, or a warning."""
        try:
            yield
        except Exception as error:
            if self.run is not None:
                with self.run.recorder.guarded(where):
                    raise
            else:
                self._note_early_failure(f"{where}: {type(error).__name__}: {error}")

    def begin_training(
        self,
        parameters: Mapping[str, Any],
        model: object = None,
        layers: Callable[[], list[Mapping[str, Any]]] = list,
        first_only: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a Training task with the hyperparameters that the framework holds; one not ended was left.

        Args:
            parameters: name -> value. In the first training of a run they complete its row of iTrainingModel; in a
                later one a value that differs from the last seen, or was not there before, was changed by hand.
            model: what trains; another one starts another run, where the run is our own.
            layers: reads the rows of iLayers, in order; called once for each model of a run.
            first_only: more of them for the row, which in a later training are not compared: they are not the
                model's, as the number of epochs, or `see` tells who changed them.
        """
        self._abandon_training()
        run = self.choice.at_training(model, self._ending())
        self._tell_early_failures(run)
        memory = self._memory(run)
        self._epoch, self._is_abandoned = None, False
        self._training = run.task("Training", after=self._after)
        run.expect_end(self._training, "failed", ABANDONED)
        _begun.add(self)
        self._take(run, memory, parameters, first_only or {})
        if model is not None and model not in memory.models:
            memory.models.add(model)
            with self.guarded("reading the layers"):
                self._training.record("iLayers", "used", layers())

    def see(self, values: Mapping[str, Any], technique: Callable[[], Technique]) -> None:
        """Compare what the optimizer holds now with what it held before.

        Args:
            values: hyperparameter -> value now.
            technique: tells who did it; called only where something changed.
        """
        if self.run is not None:
            self._compare(self._memory(self.run), values, technique)

    def begin_epoch(self, epoch: int) -> None:
        """An epoch begins; a second call for the same one does nothing.

        Args:
            epoch: counted from 1.
        """
        if self._epoch == epoch or self.run is None:
            return
        self._epoch, self._began = epoch, time.perf_counter()
        memory = self._memory(self.run)
        waiting, memory.waiting = memory.waiting, []
        for name, old_value, new_value, technique in waiting:
            self._adapt(name, old_value, new_value, technique)

    def close_epoch(self) -> None:
        """The epoch has trained and validated: stop its clock. What changes from now on is for the next one."""
        if self._epoch is not None:
            self._elapsed, self._epoch = time.perf_counter() - self._began, None

    def end_epoch(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Record the row of an epoch.

        Args:
            epoch: counted from 1.
            metrics: name -> value at its end.
        """
        self.close_epoch()
        if self._training is not None:
            own = {"epoch": epoch, "elapsed_time": self._elapsed, "timestamp": utc_text(datetime.now(UTC))}
            self._training.log(**{**flat(metrics), **own})

    def end_training(self) -> None:
        """The training came to its end."""
        self._epoch = None
        if self._training is not None:
            self._training.end()

    def begin_testing(self) -> None:
        """Begin a Testing task, after the last training of the run."""
        run = self.choice.at_testing()
        self._testing = run.task("Testing", after=self._training or run.training or self._after)
        run.expect_end(self._testing, "failed", "the test was left before its end, by an exception or an interrupt")

    def end_testing(self, metrics: Mapping[str, Any]) -> None:
        """Record the result on the whole test set, and end the task."""
        if self._testing is not None:
            if metrics:
                self._testing.log(**flat(metrics))
            self._testing.end()
            self._testing = None

    def add_file(self, path: str | os.PathLike[str], role: str) -> None:
        """Record a file that the training wrote."""
        if self._training is not None:
            self._training.generates_file(path, role)
        elif self.run is not None:
            self.run.add_file(path, role)

    def add_checkpoint(self, path: str | os.PathLike[str], epoch: int, writer: str) -> None:
        """Record a checkpoint: the file, and when it was written as a row of `oCheckpoint`."""
        self.add_file(path, "checkpoint")
        if self._training is not None:
            self._training.generates("oCheckpoint", epoch=epoch, path=str(path), written_by=writer)

    def end_with(self, owner: object) -> None:
        """Take a training for abandoned when an object of the framework that lives as long as it goes away."""
        training = self._training
        if training is not None:
            weakref.finalize(owner, in_another_thread, lambda: self._abandon(training)).atexit = False

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run where it is our own; one whose last training was left before its end has failed."""
        if status is None:
            self._abandon_training()
            status, own_reason = self._ending()
            reason = own_reason or reason
        self.choice.finish(status, reason)

    def finish_if_left(self) -> None:
        """The process ends: finish the run where its last training never came to its end."""
        if self.is_training or self._is_abandoned:
            self.finish()

    def _ending(self) -> tuple[RunStatus, str | None]:
        return ("failed", ABANDONED) if self._is_abandoned else ("finished", None)

    def _note_early_failure(self, detail: str) -> None:
        """Say a failure before there is a run, and keep it for the run's journal."""
        self._early_failures.append(detail)
        with suppress(Warning):  # the user turned warnings into errors
            warnings.warn(f"dnnprov: {detail}", RuntimeWarning, stacklevel=5)

    def _tell_early_failures(self, run: Run) -> None:
        failures, self._early_failures = self._early_failures, []
        for detail in failures:
            run.recorder.append(ProblemRecorded(kind="capture_failure", detail=detail))

    def _abandon_training(self) -> None:
        if self._training is not None:
            self._abandon(self._training)

    def _abandon(self, training: RunTask) -> None:
        if training.status == "running" and not training.run.is_elsewhere():
            training.end("failed", ABANDONED)
            self._is_abandoned = training is self._training

    def _memory(self, run: Run) -> _Memory:
        return _memories.setdefault(run, _Memory())

    def _take(self, run: Run, memory: _Memory, parameters: Mapping[str, Any], first_only: Mapping[str, Any]) -> None:
        """Take what a training begins with: the first fills the run's row, a later one may only differ from it."""
        is_first = not memory.values
        if is_first:
            run.fill_params({**parameters, **first_only})
        for name, value in {**parameters, **first_only}.items():
            is_new = not is_first and name in parameters  # came with another optimizer
            memory.values.setdefault(name, None if is_new else plain_value(value))
        self._compare(memory, parameters, lambda: BY_HAND)

    def _compare(self, memory: _Memory, values: Mapping[str, Any], technique: Callable[[], Technique]) -> None:
        for name, value in values.items():
            new_value = plain_value(value)
            old_value = memory.values.get(name, new_value)
            memory.values[name] = new_value
            if not same_value(old_value, new_value):
                if self._epoch is None:
                    memory.waiting.append((name, old_value, new_value, technique()))
                else:
                    self._adapt(name, old_value, new_value, technique())

    def _adapt(self, name: str, old_value: Scalar, new_value: Scalar, technique: Technique) -> None:
        if self.run is None:
            return
        change = Change(
            name,
            old_value,
            new_value,
            epoch=self._epoch,
            technique=technique.name,
            agent=technique.agent,
            reason=technique.reason,
            triggered_by=technique.triggered_by,
            parameters=technique.parameters,
        )
        self.run.adapt(change, self._training)


def _tasks(after: object) -> list[RunTask]:
    """The task or tasks given as `after`."""
    if after is None or isinstance(after, RunTask):
        return [] if after is None else [after]
    given: list[Any] = list(after) if isinstance(after, Iterable) and not isinstance(after, str) else [after]
    for one in given:
        check_type("after", one, RunTask, "a task of a run, or a list of tasks")
    return given


def _finish_left() -> None:
    """At exit: own runs whose training was left and nobody finished; an uncaught exception tells more, by itself."""
    if getattr(sys, "last_value", None) is None:
        for steps in list(_begun):
            with steps.guarded("the end of the process"):
                steps.finish_if_left()


atexit.register(_finish_left)  # runs before the one of capture.start, which is imported before this and so registered


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Metrics of a tree of mappings under one name each.

    Example:
        >>> flat({"loss": 0.5, "accuracy": {"top1": 0.6, "top5": 0.9}})
        {'loss': 0.5, 'accuracy_top1': 0.6, 'accuracy_top5': 0.9}
    """
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}_"))
        else:
            found[f"{prefix}{name}"] = value
    return found
