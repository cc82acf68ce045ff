"""Files that Keras' ModelCheckpoint writes, seen by looking at the places that its file name may mean."""

from __future__ import annotations

import glob
import string
from pathlib import Path
from typing import Any

import keras

from dnnprov.capture.file_hash import FileState, file_state


class CheckpointWatch:
    """Tells which files of the checkpoint callbacks are new or changed since it looked last."""

    def __init__(self) -> None:
        self._known: dict[Path, FileState] = {}

    def begin(self, callbacks: list[Any]) -> None:
        """Note what is there before the training, which is not its work."""
        self._known = {}
        for callback in callbacks:
            self.changed(callback)

    def changed(self, callback: Any) -> list[Path]:
        """The files of this callback that were written since the last look; none for any other callback."""
        if not isinstance(callback, keras.callbacks.ModelCheckpoint):
            return []
        written = []
        for path in sorted(glob.glob(file_pattern(str(callback.filepath)))):  # noqa: PTH207 - the pattern may be absolute
            place = Path(path).absolute()
            try:
                state = file_state(place)
            except OSError:  # removed meanwhile
                continue
            if self._known.get(place) != state:
                self._known[place] = state
                written.append(place)
        return written


def file_pattern(template: str) -> str:
    """The shell pattern of all file names that a Keras file path template may mean.

    Example:
        >>> file_pattern("runs[1]/{epoch:02d}-{val_loss:.2f}.keras")
        'runs[[]1]/*-*.keras'
    """
    parts = string.Formatter().parse(template)
    return "".join(glob.escape(literal) + ("" if field is None else "*") for literal, field, _, _ in parts)
