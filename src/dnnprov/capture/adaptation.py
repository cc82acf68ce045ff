"""Adaptations: a hyperparameter that changes while a model trains, as an activity of its own.

One Adaptation task for each technique and training; it follows the Training task, uses the technique's own parameters
(iAdaptation), generates a row of oAdaptation for each change, and ends when its training does.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.model.events import HyperparameterAdapted
from dnnprov.model.values import number_or_none, plain_text, plain_value, text_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask

MANUAL = "manual"
"""Technique of a change made by hand."""


@dataclass(frozen=True)
class Change:
    """One change of one hyperparameter.

    Attributes:
        attribute: its name, `"learning_rate"`.
        old_value: before.
        new_value: after.
        epoch: the first that trains with the new value.
        step: batch at which it was seen.
        technique: class name of the callback or schedule that did it, or `"manual"`.
        agent: who or what did it.
        reason: why, in words.
        triggered_by: the metric and value that led to it: `"val_loss=0.31"`.
        parameters: of the technique, for iAdaptation: `{"patience": 3, "factor": 0.5}`.
    """

    attribute: str
    old_value: Any
    new_value: Any
    epoch: int | float | None = None
    step: int | float | None = None
    technique: str = MANUAL
    agent: str | None = None
    reason: str | None = None
    triggered_by: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Adaptations:
    """The Adaptation tasks of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tasks: dict[tuple[str, RunTask | None], RunTask] = {}
        self._numbers = itertools.count(1)

    def continue_after(self, number: int) -> None:
        """Number the next change after those of an earlier process."""
        self._numbers = itertools.count(number + 1)

    def end_with(self, training: RunTask) -> None:
        """The training ended, and what adapted it with it."""
        for key in [key for key in self._tasks if key[1] is training]:
            self._tasks.pop(key).end(training.status)

    def record(self, change: Change, training: RunTask | None) -> None:
        """Record a change as a row of oAdaptation."""
        task = self._begin(change.technique, change.parameters, training)
        reference = self._run.recorder.reference(task.handle)
        self._run.recorder.append(
            HyperparameterAdapted(
                task=reference,
                attribute=plain_text(change.attribute),
                old_value=plain_value(change.old_value),
                new_value=plain_value(change.new_value),
                epoch=number_or_none(change.epoch),
                step=number_or_none(change.step),
                technique=text_or_none(change.technique),
                agent=text_or_none(change.agent),
                reason=text_or_none(change.reason),
                triggered_by=text_or_none(change.triggered_by),
                adaptation_id=next(self._numbers),
            )
        )
        if training is not None and training.status != "running":  # a change told afterwards
            self.end_with(training)

    def _begin(self, technique: str, parameters: Mapping[str, Any], training: RunTask | None) -> RunTask:
        """The Adaptation task of a technique, begun where there is none yet."""
        key = (technique, training)
        task = self._tasks.get(key)
        if task is None:
            task = self._run.task("Adaptation", after=training)
            self._tasks[key] = task
            if parameters or technique != MANUAL:
                task.uses("iAdaptation", **{**parameters, "technique": technique})
        return task
