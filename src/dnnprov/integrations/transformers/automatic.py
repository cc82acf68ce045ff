"""What `dnnprov.autolog()` adds to every Trainer: a callback among those that Transformers gives to each by itself.

Each model has a recording of its own, which dies with it, and with it the run: so a test with another Trainer belongs
to the run that trained the model.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.run_choice import in_another_thread
from dnnprov.integrations.transformers import calls
from dnnprov.integrations.transformers.callback import Callback
from dnnprov.integrations.transformers.recording import TrainerRecording
from dnnprov.integrations.transformers.trainer_frames import find_trainer

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings

_recordings: weakref.WeakKeyDictionary[Any, TrainerRecording] = weakref.WeakKeyDictionary()
"""Model -> what records it."""

_asked_for: list[Settings] = []
"""What `autolog` was asked for, once it was."""


class AutomaticCallback(Callback):
    """Records as `Callback` does, unless the script has put one of ours there, or switched this off since."""

    def __init__(self) -> None:
        super().__init__(_asked_for[0].dataflow)
        self._has_other: bool | None = None

    def is_recording(self, model: Any) -> bool:
        """Find what records a model, where anything is to be recorded."""
        if self._has_other is None or not self.recording.steps.is_training:
            trainer = find_trainer()
            callbacks = [] if trainer is None else trainer.callback_handler.callbacks
            self._has_other = any(isinstance(one, Callback) and one is not self for one in callbacks)
        if self._has_other or not _asked_for[0].records(calls.NAME):
            return False
        if model is not None:
            self.recording = _recording_of(model, _asked_for[0])
        return True


def record_automatically(settings: Settings) -> None:
    """Record every Trainer that is made from now on, as far as these settings say so."""
    _asked_for[:] = [settings]
    from transformers import trainer  # noqa: PLC0415 - what loads it may be what calls this

    calls.install(trainer.Trainer)
    known = trainer.DEFAULT_CALLBACKS
    if AutomaticCallback not in known:
        known.append(AutomaticCallback)


def _recording_of(model: Any, settings: Settings) -> TrainerRecording:
    """What records a model, from its first training or test on."""
    found = _recordings.get(model)
    if found is None:
        found = _recordings[model] = TrainerRecording(settings.choice())
        weakref.finalize(model, in_another_thread, found.steps.finish).atexit = False
    return found
