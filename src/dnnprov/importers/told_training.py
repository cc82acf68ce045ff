"""A training as logs of epochs tell it: its rows, and the changes of the learning rate that can be seen in them.

A log that has a learning rate and no word on what changed it tells of adaptations all the same. They are inferred: the
technique of each is `inferred`, its reason says from what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.model.events import (
    ElementsRecorded,
    HyperparameterAdapted,
    MetricsRecorded,
    ParametersSet,
    ProblemRecorded,
    TaskBegan,
    TaskEnded,
)
from dnnprov.model.training import LEARNING_RATE
from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER, same_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import RunStatus

INFERRED = "inferred"
"""Technique of an adaptation that only its effect tells of."""

NOT_IMPORTED = "not_imported"
"""Kind of problem: a part of a source that was left out or is kept otherwise than it was."""

MAX_INFERRED = 10_000
"""Changes of a learning rate that is logged with every batch are a schedule, and its series says it better."""

RATE_NAMES = ("learning_rate", "lr")
"""What logs call the learning rate."""


class ToldTraining:
    """Tells one Training task to a segment.

    Args:
        segment: of the run.
        at: microseconds since 1970, when it began; 0 where that is not known.
    """

    def __init__(self, segment: StagedSegment, at: int = 0) -> None:
        self._segment = segment
        self._task = segment.append(TaskBegan(tag="Training", at=at))
        self._adaptation: int | None = None
        self._num_adaptations = 0
        self._rate: float | None = None
        self._is_rate_followed = True
        self._is_rate_given = False

    @property
    def task(self) -> int:
        """What other events call the task."""
        return self._task

    def has(self, hyperparameters: Mapping[str, Any]) -> None:
        """It was given these."""
        if hyperparameters:
            self._segment.append(ParametersSet(values=dict(hyperparameters)))
            self._is_rate_given = isinstance(hyperparameters.get(LEARNING_RATE), int | float)

    def epoch(self, row: dict[str, Any], at: int = 0, *, is_rate_told: bool = False) -> None:
        """An epoch ended: a row of oTrainingModel.

        Args:
            row: its values by name. A learning rate among them is compared with that of the row before, unless
            is_rate_told: `rate_seen` was told of it.
            at: when it ended.
        """
        if not is_rate_told:
            self.rate_seen(next((row[name] for name in RATE_NAMES if name in row), None), row.get("epoch"), None, at)
        self._segment.append(
            ElementsRecorded(set="oTrainingModel", relation="generated", rows=[row], task=self._task, at=at)
        )

    def step(self, values: dict[str, Any], step: int | None, epoch: float | None = None, at: int = 0) -> None:
        """Values of series within epochs."""
        self._segment.append(MetricsRecorded(values=values, step=step, epoch=epoch, at=at))

    def test(self, row: dict[str, Any], at: int = 0) -> None:
        """It was tested: a Testing task with a row of oTestingModel."""
        task = self._segment.append(TaskBegan(tag="Testing", after=[self._task], at=at))
        self._segment.append(ElementsRecorded(set="oTestingModel", relation="generated", rows=[row], task=task))
        self._segment.append(TaskEnded(task=task, status="finished"))

    def rate_seen(self, rate: object, epoch: float | None, step: int | None, at: int = 0) -> None:
        """The learning rate was this; another than before is an adaptation.

        The first one is the hyperparameter, unless hyperparameters said another, as before a warm-up.
        """
        if not self._is_rate_followed or isinstance(rate, bool) or not isinstance(rate, int | float):
            return
        before, self._rate = self._rate, rate
        if before is None:
            if not self._is_rate_given:
                self._segment.append(ParametersSet(values={LEARNING_RATE: rate}, at=at))
        elif not same_value(before, rate):
            self._adapt(before, rate, epoch, step, at)

    def _adapt(self, before: float, rate: float, epoch: float | None, step: int | None, at: int) -> None:
        if self._num_adaptations == MAX_INFERRED:
            self.left_out(
                f"the learning rate changes more than {MAX_INFERRED:,} times; later changes are in the series"
            )
            self._is_rate_followed = False
            return
        if self._adaptation is None:
            self._adaptation = self._segment.append(TaskBegan(tag="Adaptation", after=[self._task], at=at))
        self._num_adaptations += 1
        self._segment.append(
            HyperparameterAdapted(
                task=self._adaptation,
                attribute=LEARNING_RATE,
                old_value=before,
                new_value=rate,
                epoch=epoch,
                step=step,
                technique=INFERRED,
                reason="inferred: the log has another learning rate here than before, and nothing on what changed it",
                adaptation_id=self._num_adaptations,
                at=at,
            )
        )

    def left_out(self, detail: str) -> None:
        """A part of the source is not in the run, or not as it was."""
        self._segment.append(ProblemRecorded(kind=NOT_IMPORTED, detail=detail))

    def end(self, status: RunStatus = "finished", at: int = 0) -> None:
        """It ended."""
        for task in (self._adaptation, self._task):
            if task is not None:
                self._segment.append(TaskEnded(task=task, status=status, at=at))


def number_in(text: str) -> float | int | str | None:
    """The value that a text of a log stands for: a number, NaN and infinities too, else the text; `None` for nothing.

    Example:
        >>> number_in("200"), number_in(" 0.05"), number_in("nan"), number_in("Adam"), number_in("")
        (200, 0.05, nan, 'Adam', None)
    """
    stripped = text.strip()
    if not stripped:
        return None
    try:
        if stripped.lstrip("+-").isdecimal() and stripped.isascii():
            whole = int(stripped) if len(stripped) < _LONGEST_INTEGER else None
            return whole if whole is not None and MIN_INTEGER <= whole <= MAX_INTEGER else text
        return text if "_" in stripped else float(stripped)
    except ValueError:
        return text


_LONGEST_INTEGER = 21
