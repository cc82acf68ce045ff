"""Values of single batches as series of a run, without waiting for the device.

A value of a batch lies on the device until somebody asks for it, and asking waits until it is computed. On JAX and
PyTorch, Keras asks in a thread beside the training, as long as every callback with a hook for batches says that this
is safe; ours does. On TensorFlow Keras asks for them itself, before any callback. Either way what comes here are Python
numbers, each is recorded at once, and none is kept.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run import Run
    from dnnprov.integrations.keras.recording import ModelRecording

_next_steps: weakref.WeakKeyDictionary[Run, int] = weakref.WeakKeyDictionary()
"""Run -> the number of batches in the epochs that it has behind it."""


class BatchLog:
    """Records batches of the trainings of one callback.

    Batches may come in any order within their epoch, and from several threads at once; an epoch ends after its last.

    Args:
        every: record each n-th batch of an epoch; 0 for none.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._lock = threading.Lock()
        self._together = 1
        self._num_batches: weakref.WeakKeyDictionary[ModelRecording, int] = weakref.WeakKeyDictionary()

    def begin_training(self, recording: ModelRecording, together: int) -> None:
        """No batch of the training was seen yet; so many are executed together, and told of at once."""
        self._num_batches[recording] = 0
        self._together = together

    def record(self, recording: ModelRecording, batch: int, logs: Mapping[str, Any]) -> None:
        """Record the values that Keras has of a batch: averages over the epoch until then, as its progress bar shows.

        Args:
            recording: of the model that trains.
            batch: its index in the epoch; with `steps_per_execution` that of the last one executed.
            logs: name -> value.
        """
        with self._lock:
            self._num_batches[recording] = max(self._num_batches.get(recording, 0), batch + 1)
        run = recording.steps.run
        if run is not None and (batch + 1) % self.every < self._together:
            own = {"step": _next_steps.get(run, 0) + batch, "epoch": recording.steps.last_epoch}
            run.log(**{**logs, **own})

    def end_epoch(self, recording: ModelRecording) -> None:
        """The epoch has trained: the next batch has the number after its last one."""
        run = recording.steps.run
        if run is not None and (num_batches := self._num_batches.get(recording, 0)):
            _next_steps[run] = _next_steps.get(run, 0) + num_batches
            self._num_batches[recording] = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> BatchLog:
        return BatchLog(self.every)

    def __reduce__(self) -> tuple[type[BatchLog], tuple[int]]:
        return BatchLog, (self.every,)
