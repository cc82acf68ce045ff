"""Which models are watched, and which files their weights came from; models and layers are known weakly.

A file is remembered for the model that it was read into and for each of its layers: a model that is later built from
some of these layers, as in transfer learning, comes from that file too.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.capture.run import Run
    from dnnprov.integrations.read_file import ReadFile


class FileListener(Protocol):
    """Who records what happens to the files of a model."""

    def file_run(self) -> Run | None:
        """The run that files go to; `None` where none is open."""

    def file_written(self, path: Path, role: str, writer: str) -> None:
        """The model, or a part of it, was written to a file."""

    def files_read(self, model: Any) -> None:
        """A file was read into the model."""


_listeners: weakref.WeakKeyDictionary[Any, list[FileListener]] = weakref.WeakKeyDictionary()
"""Model or layer -> who trained, tested or used it, the last one last."""

_read_files: weakref.WeakKeyDictionary[Any, tuple[ReadFile, ...]] = weakref.WeakKeyDictionary()
"""Model or layer -> the files that its weights came from."""


def watch_files(model: Any, listener: FileListener) -> None:
    """Tell a listener of the files of a model and its layers from now on, for as long as its run lasts."""
    for part in _parts(model):
        others = [one for one in _listeners.get(part, ()) if one is not listener and one.file_run() is not None]
        _listeners[part] = [*others, listener]


def listeners_of(model: Any) -> list[FileListener]:
    """Who watches a model, one for each open run; else who watches its layers, which trained in another model."""
    own = _open(_listeners.get(model, ()))
    return own or _open([one for part in _parts(model) for one in _listeners.get(part, ())])


def remember_file(model: Any, file: ReadFile, *, is_whole: bool) -> None:
    """A file was read into a model.

    Args:
        model: and its layers.
        file: as it was when it was read.
        is_whole: whether all weights came from it, so that those of files before it are gone.
    """
    for part in _parts(model):
        before = () if file.role == "model" else _read_files.get(part, ())
        kept = tuple(one for one in before if not is_whole or one.role == "model")
        _read_files[part] = (*kept, file)


def files_read_into(model: Any) -> list[ReadFile]:
    """The files that a model and its layers were read from, in the order they were read."""
    found = {file.number: file for part in _parts(model) for file in _read_files.get(part, ())}
    return [found[number] for number in sorted(found)]


def _open(listeners: Any) -> list[FileListener]:
    by_run = {run: one for one in listeners if (run := one.file_run()) is not None}
    return list(by_run.values())


def _parts(model: Any) -> list[Any]:
    """A model and all layers in it that a dictionary can hold."""
    flatten = getattr(model, "_flatten_layers", None)  # Keras has no public way to a subclassed model's layers
    parts = [model, *(flatten(include_self=False) if flatten is not None else ())]
    return [part for part in parts if type(part).__hash__ is not None]
