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
from typing import TYPE_CHECKING, Any

from dnnprov.capture.adaptation import Change
from dnnprov.capture.amendable_row import AmendableRow
from dnnprov.capture.run_task import RunTask
from dnnprov.integrations.metric_names import flat
from dnnprov.integrations.model_filters import filters_before
from dnnprov.integrations.model_identity import identity_of
from dnnprov.integrations.run_choice import RunChoice, check_type, in_another_thread
from dnnprov.integrations.seen_values import first_seen, seen_values
from dnnprov.integrations.technique import BY_HAND
from dnnprov.model.events import ProblemRecorded
from dnnprov.model.signals import came_from_handler
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.integrations.seen_values import SeenChange, SeenValues
    from dnnprov.integrations.technique import Technique
    from dnnprov.model.events import RunStatus

ABANDONED = "the training was left before its end, by an exception or an interrupt"


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
        self._prediction: RunTask | None = None
        self._seen: SeenValues | None = None
        self._epoch: int | None = None
        self._began = self._elapsed = self._test_began = self._prediction_began = 0.0
        self.last_epoch: int | None = None
        self._owed: tuple[int, Mapping[str, Any]] | None = None
        self._row: AmendableRow | None = None  # of the epoch that has trained, while more may come for it
        self._is_due_in: Run | None = None
        self._early_failures: list[str] = []

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first step."""
        return self.choice.run

    @property
    def training(self) -> RunTask | None:
        """The last training begun here."""
        return self._training

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
            elif came_from_handler(error):
                raise
            else:
                self._note_early_failure(f"{where}: {type(error).__name__}: {error}")

    def begin_training(
        self,
        parameters: Mapping[str, Any],
        model: object = None,
        layers: Callable[[], list[Mapping[str, Any]]] | None = None,
        first_only: Mapping[str, Any] | None = None,
        filters: Callable[[], list[Mapping[str, Any]]] = list,
    ) -> None:
        """Begin a Training task with the hyperparameters that the framework holds; one not ended was left.

        Args:
            parameters: name -> value. In the first training of a run they complete its row of iTrainingModel; in a
                later one of the same model a value that differs from the last seen, or was not there before, was
                changed by hand; of another model of the run, one that differs gets a row of its own.
            model: what trains; another one starts another run, where the run is our own. One to which no weak
                reference can be made, as a dict, is not told from others.
            layers: as for `describe`; `None` for a model that cannot be described yet.
            first_only: more of them for the row, which in a later training are not compared: they are not the
                model's, as the number of epochs, or `see` tells who changed them.
            filters: reads the rows of oFilters for the preprocessing that the model does itself, in order.
        """
        self.abandon_training()
        known_model = identity_of(model)
        run = self.choice.at_training(known_model)
        self._tell_early_failures(run)
        parameters, first_only = run.hyperparameters.kept(parameters), run.hyperparameters.kept(first_only or {})
        self._epoch, self.choice.left = None, None
        self._owed = self._row = None
        self._end_prediction()
        after = self._after
        with self.guarded("reading the filters"):
            after = filters_before(run, known_model, after, filters)
        self._training = run.task("Training", after=after)
        run.expect_end(self._training, "failed", ABANDONED)
        if self._is_due_in is not run:
            self._is_due_in = run
            run.before_finish(self._record_owed)
        _begun.add(self)
        self._seen = seen_values(run, known_model)
        self._take(run, self._training, parameters, first_only or {})
        if model is not None and layers is not None:
            self.describe(layers)

    def describe(
        self, layers: Callable[[], list[Mapping[str, Any]]], parameters: Callable[[], Mapping[str, Any]] = dict
    ) -> None:
        """Describe the model that trains, unless it is described in this run already.

        Args:
            layers: reads the rows of iLayers, in order.
            parameters: reads hyperparameters that could not be read when the training began.
        """
        training, seen = self._training, self._seen
        if training is None or seen is None or seen.is_described:
            return
        seen.is_described = True
        with self.guarded("reading the layers"):
            if training.run.leads:  # of several ranks, all train the same model
                training.record("iLayers", "used", layers())
            new = {name: value for name, value in parameters().items() if name not in seen.values}
            seen.values.update({name: plain_value(value) for name, value in new.items()})
            if first_seen(training.run, seen) is seen:
                training.run.fill_params(new)

    def see(self, values: Mapping[str, Any], technique: Callable[[], Technique]) -> None:
        """Compare what the optimizer holds now with what it held before.

        Args:
            values: hyperparameter -> value now.
            technique: tells who did it; called only where something changed.
        """
        if self._seen is not None:
            for change in self._seen.changes(values, technique):
                if self._epoch is None:
                    self._seen.waiting.append(change)
                else:
                    self._adapt(change)

    def begin_epoch(self, epoch: int) -> None:
        """An epoch begins; a second call for the same one does nothing.

        Args:
            epoch: counted from 1.
        """
        if self._epoch == epoch or self._seen is None:
            return
        self.settle_owed()
        self._row = None
        self._began = time.perf_counter()
        self.number_epoch(epoch)

    def number_epoch(self, epoch: int) -> None:
        """The epoch that began has this number, and trains with what was changed before it."""
        if self._seen is None:
            return
        self._epoch = self.last_epoch = epoch
        waiting, self._seen.waiting = self._seen.waiting, []
        for change in waiting:
            self._adapt(change)

    def start_clock(self) -> None:
        """An epoch begins that tells its number when it ends."""
        self._epoch, self._began = None, time.perf_counter()

    def close_epoch(self) -> None:
        """The epoch has trained and validated: stop its clock. What changes from now on is for the next one."""
        if self._epoch is not None:
            self._elapsed, self._epoch = time.perf_counter() - self._began, None

    def tell_epoch(self, epoch: int, metrics: Mapping[str, Any], seconds: float | None = None) -> None:
        """The epoch has trained: write its row as far as it is known, which `end_epoch` amends.

        So the row is there while a validation goes on, and after a `kill -9` in that.

        Args:
            epoch: counted from 1.
            metrics: name -> value so far; what is on a device is read once.
            seconds: that it took so far; those since its begin where they are left out.
        """
        if self._training is None:
            return
        if seconds is None:
            seconds = self._elapsed if self._epoch is None else time.perf_counter() - self._began
        if self._row is None:
            self._row = AmendableRow(self._training)
        self._row.tell({**flat(metrics), "epoch": epoch, "elapsed_time": seconds})

    def owe_epoch(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """The epoch has trained, and has this row unless `end_epoch` says more, also where the training is left."""
        self.tell_epoch(epoch, metrics)
        self._owed = epoch, metrics

    def settle_owed(self) -> None:
        """Whatever comes next is not for the epoch that was owed."""
        if self._owed is not None:
            self.end_epoch(*self._owed)

    def _record_owed(self) -> None:
        if self._owed is not None and self.is_training and self._training and not self._training.run.is_elsewhere():
            with self.guarded("the last epoch"):
                self.end_epoch(*self._owed)

    def end_epoch(self, epoch: int, metrics: Mapping[str, Any], seconds: float | None = None) -> None:
        """Record the row of an epoch, or what is new in it.

        Args:
            epoch: counted from 1.
            metrics: name -> value at its end.
            seconds: that it took; those between its begin and `close_epoch` where they are left out.
        """
        self.close_epoch()
        self._owed = None
        self.tell_epoch(epoch, metrics, seconds)
        self._row = None

    def end_training(self, status: RunStatus = "finished", reason: str | None = None) -> None:
        """The training came to its end, or is known to have been left in this way."""
        self._epoch = None
        if self._training is not None and self._training.status == "running":
            self._training.end(status, reason)
            self.choice.left = None if status == "finished" else (status, reason)

    def begin_testing(self, tag: str = "Testing") -> RunTask:
        """Begin a Testing task, after the last training of the run.

        Args:
            tag: of its transformation: `Validation` for one on the data that the training is validated with.
        """
        run = self.choice.at_testing()
        self._tell_early_failures(run)
        self._testing = run.task(tag, after=self._before(run))
        run.expect_end(self._testing, "failed", "the test was left before its end, by an exception or an interrupt")
        self._test_began = time.perf_counter()
        return self._testing

    def end_testing(
        self, metrics: Mapping[str, Any], data: Mapping[str, Any] | None = None, seconds: float | None = None
    ) -> None:
        """Record the result on the whole test set, and end the task.

        Args:
            metrics: name -> value on the whole set.
            data: of the test set: num_samples, num_batches.
            seconds: that it took; those since `begin_testing` where they are left out.
        """
        if self._testing is not None:
            if known := {name: value for name, value in (data or {}).items() if value is not None}:
                self._testing.uses(
                    "iTestingModel" if self._testing.tag == "Testing" else f"i{self._testing.tag}", **known
                )
            if metrics:
                elapsed = time.perf_counter() - self._test_began if seconds is None else seconds
                own = {"elapsed_time": elapsed}
                self._testing.log(**{**flat(metrics), **own})
            self._testing.end()
            self._testing = None

    def abandon_testing(self, status: RunStatus = "failed", reason: str | None = None) -> None:
        """End a test that did not come to its end."""
        if self._testing is not None:
            self._testing.end(status, reason)
            self._testing = None

    def begin_prediction(self) -> RunTask:
        """Count one more prediction: those with a model as it is, until it trains again, are one Prediction task."""
        run = self.choice.at_testing()
        if self._prediction is None or self._prediction.run is not run or self._prediction.status != "running":
            self._prediction = run.task("Prediction", after=self._before(run))
            run.expect_end(self._prediction, "finished")
        self._prediction_began = time.perf_counter()
        return self._prediction

    def end_prediction(self, data: Mapping[str, Any], seconds: float | None = None) -> None:
        """Record one prediction as a row of oPrediction.

        Args:
            data: what was predicted: num_samples, num_batches.
            seconds: that it took, where it was told only when it was over.
        """
        if self._prediction is not None:
            known = {name: value for name, value in data.items() if value is not None}
            elapsed = time.perf_counter() - self._prediction_began if seconds is None else seconds
            self._prediction.log(**known, elapsed_time=elapsed)

    def _end_prediction(self) -> None:
        if self._prediction is not None:
            self._prediction.end()
            self._prediction = None

    def _before(self, run: Run) -> RunTask | list[RunTask]:
        """What a test or a prediction comes after: the training here, else the last of the run."""
        own = self._training if self._training is not None and self._training.run is run else None
        return own or run.training or self._after

    def add_file(self, path: str | os.PathLike[str], role: str) -> None:
        """Record a file that the training wrote."""
        if self._training is not None:
            self._training.generates_file(path, role)
        elif self.run is not None:
            self.run.add_file(path, role)

    def end_with(self, owner: object) -> None:
        """Take a training for abandoned when an object of the framework that lives as long as it goes away."""
        training = self._training
        if training is not None:
            weakref.finalize(owner, in_another_thread, lambda: self._abandon(training)).atexit = False

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run where it is our own; one whose last training was left before its end has failed."""
        if status is None:
            self.abandon_training()
        self.choice.finish(status, reason)

    def finish_if_left(self) -> None:
        """The process ends: finish the run where its last training never came to its end."""
        if self.is_training or self.choice.left is not None:
            self.finish()

    def abandon_training(self, status: RunStatus = "failed", reason: str = ABANDONED) -> None:
        """End a training that did not come to its end."""
        if self._training is not None:
            self._abandon(self._training, status, reason)

    def _note_early_failure(self, detail: str) -> None:
        """Say a failure before there is a run, and keep it for the run's journal."""
        self._early_failures.append(detail)
        with suppress(Warning):  # the user turned warnings into errors
            warnings.warn(f"dnnprov: {detail}", RuntimeWarning, stacklevel=5)

    def _tell_early_failures(self, run: Run) -> None:
        failures, self._early_failures = self._early_failures, []
        for detail in failures:
            run.recorder.record(ProblemRecorded(kind="capture_failure", detail=detail))

    def _abandon(self, training: RunTask, status: RunStatus = "failed", reason: str = ABANDONED) -> None:
        if training.status == "running" and not training.run.is_elsewhere():
            if training is self._training:
                self._record_owed()
            training.end(status, reason)
            if training is self._training:
                self.choice.left = status, reason

    def _take(self, run: Run, training: RunTask, parameters: Mapping[str, Any], first_only: Mapping[str, Any]) -> None:
        """Take what a training begins with: the first fills the run's row, a later one may only differ from it."""
        seen = self._seen
        if seen is None:
            return
        first, is_new_model = first_seen(run, seen), not seen.values
        if is_new_model and first is seen:
            run.fill_params({**parameters, **first_only})
        for name, value in {**parameters, **first_only}.items():
            is_new = not is_new_model and name in parameters  # came with another optimizer
            seen.values.setdefault(name, None if is_new else plain_value(value))
        if is_new_model and first is not seen and seen.differs_from(first, parameters):
            training.uses("iTrainingModel", **parameters, **first_only)
        self.see(parameters, lambda: BY_HAND)

    def _adapt(self, seen: SeenChange) -> None:
        if self._training is None:
            return
        technique = seen.technique
        change = Change(
            seen.attribute,
            seen.old_value,
            seen.new_value,
            epoch=self._epoch,
            technique=technique.name,
            agent=technique.agent,
            reason=technique.reason,
            triggered_by=technique.triggered_by,
            parameters=technique.parameters,
        )
        self._training.run.adapt(change, self._training)


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
