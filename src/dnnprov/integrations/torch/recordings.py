"""What is recorded of each model: the steps of its trainings, and the run that they belong to.

A model has one recording as long as it lives, so that it trains again, and is tested, in the run that it trained in. A
run of our own ends when its model goes away.
"""

from __future__ import annotations

import atexit
import sys
import weakref
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.run_choice import in_another_thread
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.integrations.run_choice import RunChoice
    from dnnprov.integrations.torch.training import LoopTraining
    from dnnprov.model.events import RunStatus


class ModelRecording:
    """Records the trainings of one model.

    Args:
        choice: of the run.

    Attributes:
        steps: of its trainings.
        training: the last one.
    """

    def __init__(self, choice: RunChoice) -> None:
        self.steps = TrainingSteps(choice)
        self.training: LoopTraining | None = None

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Nothing more comes: end the training, and the run where it is our own."""
        with self.steps.guarded("torch finish"):
            if self.training is not None:
                self.training.close(status or "finished", reason)
            self.steps.finish(status, reason)


_recordings: weakref.WeakKeyDictionary[Any, ModelRecording] = weakref.WeakKeyDictionary()


def recording_of(model: Any) -> ModelRecording | None:
    """The recording of a model, if it has one."""
    return _recordings.get(model)


def begin_recording(model: Any, choice: RunChoice) -> ModelRecording:
    """Record a model from now on, for as long as it lives."""
    recording = _recordings[model] = ModelRecording(choice)
    weakref.finalize(model, in_another_thread, recording.finish).atexit = False  # at exit the run knows how it ends
    return recording


def _finish_all() -> None:
    """At exit the loops have come to their ends; an uncaught exception tells more, by itself."""
    if getattr(sys, "last_value", None) is None:
        for _, recording in recorded_models():
            recording.finish()


def recorded_models() -> Iterable[tuple[Any, ModelRecording]]:
    """The models that are alive, with their recordings."""
    return list(_recordings.items())


atexit.register(_finish_all)  # runs before the one of training_steps, which is imported before this and so registered
