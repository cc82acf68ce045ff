"""What `dnnprov.autolog()` adds to every Trainer, in Lightning's own way: an entry point that it asks for callbacks.

The entry point stands in `pyproject.toml`, so Lightning asks it wherever dnnprov is installed; before `autolog` is
called it gives none. Each module has a recording of its own, which dies with it, and with it the run: so a test with
another Trainer belongs to the run that trained the module.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.lightning.callback import Callback
from dnnprov.integrations.lightning.checkpoints import NAME
from dnnprov.integrations.lightning.logger import Logger
from dnnprov.integrations.lightning.recording import TrainerRecording
from dnnprov.integrations.run_choice import in_another_thread

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings

_recordings: weakref.WeakKeyDictionary[Any, TrainerRecording] = weakref.WeakKeyDictionary()
"""Module -> what records it."""


class AutomaticCallback(Callback):
    """Records as `Callback` does, unless the script has put one of ours there, or switched this off since.

    Args:
        settings: of `autolog`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.dataflow)
        self._settings = settings

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find what records this module, where anything is to be recorded."""
        with self.recording.steps.guarded("lightning autolog"):
            others = [*trainer.callbacks, *trainer.loggers]
            has_other = any(isinstance(one, Callback | Logger) and one is not self for one in others)
            self.is_silent = has_other or not self._settings.records(NAME)
            if not self.is_silent:
                self.recording = _recording_of(pl_module, self._settings)
        super().setup(trainer, pl_module, stage)

    def tie(self) -> None:
        """The run lasts as long as the module, not as this."""


def _recording_of(module: Any, settings: Settings) -> TrainerRecording:
    """What records a module, from its first training or test on."""
    found = _recordings.get(module)
    if found is None:
        found = _recordings[module] = TrainerRecording(settings.choice())
        weakref.finalize(module, in_another_thread, found.steps.finish).atexit = False
    return found
