"""A training in a loop of the user's own, recorded by calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from dnnprov.capture.run_task import end_of_block

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from dnnprov.capture.run import Run
    from dnnprov.integrations.keras.recording import ModelRecording
    from dnnprov.integrations.keras.recordings import ModelRecordings


class TrainingLoop:
    """A Training task around a loop, made by `ProvenanceCallback.training`.

    Entering it reads the hyperparameters and layers of the model, each `epoch` looks at the optimizer, and leaving it
    ends the task: as failed or interrupted where an exception does.
    """

    def __init__(self, recordings: ModelRecordings, model: Any, optimizer: Any, stated: Mapping[str, Any]) -> None:
        self._recordings = recordings
        self._recording: ModelRecording = recordings.latest
        self._model = model
        self._optimized = model if optimizer is None else SimpleNamespace(optimizer=optimizer)
        self._stated = stated

    @property
    def run(self) -> Run | None:
        """The run recorded into."""
        return self._recording.steps.run

    def epoch(self, epoch: int | None = None, /, **metrics: Any) -> None:
        """Record that an epoch is over: its row, with the seconds since the one before, and what changed in it.

        A learning rate that is set before this call is one that this epoch trained with; set after it, the next.

        Args:
            epoch: its number, as you count; where it is left out, the one after the last.
            metrics: name -> value. A value on a device is read here, which waits for it.
        """
        steps = self._recording.steps
        with steps.guarded("keras epoch"):
            number = (steps.last_epoch or 0) + 1 if epoch is None else epoch
            steps.number_epoch(number)
            self._recording.close_epoch(self._optimized)
            self._recording.end_epoch(number, metrics)
            steps.start_clock()

    def __enter__(self) -> Self:
        with self._recording.steps.guarded("keras training"):
            self._recording = self._recordings.to_train(self._model)
            self._recording.begin_loop(self._model, self._optimized, self._stated)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._recording.steps.guarded("keras training"):
            self._recording.end_loop(*end_of_block(error))
