"""Files that tensors are saved to and loaded from: by `torch.save`, `torch.load` and their like in safetensors.

A file that is written belongs to the training of the model whose tensors are in it, else to the latest one. A file that
is read is remembered with its tensors; where these are put into a model, each training of that model uses the file. One
that a run wrote, and that is read again with no training or test to follow, is told at the end of that run.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dnnprov.integrations.read_file import ReadFile
from dnnprov.integrations.torch.living import unwrapped
from dnnprov.integrations.torch.recordings import recorded_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.torch.training import LoopTraining

MAX_TENSORS = 20_000
MAX_DEPTH = 6

_origins: dict[int, tuple[weakref.ref[Any], ReadFile]] = {}
"""Address of a tensor that was loaded -> itself, and the file that it came from."""

_read_into: weakref.WeakKeyDictionary[Any, list[ReadFile]] = weakref.WeakKeyDictionary()
"""Module -> the files that its values came from, the last one last."""

_used: weakref.WeakKeyDictionary[Run, set[int]] = weakref.WeakKeyDictionary()
"""Run -> numbers of the files that a training in it has used."""

MAX_READ = 1000

_read: list[ReadFile] = []
"""Files that were read, the last ones."""

_written: weakref.WeakKeyDictionary[Run, set[Path]] = weakref.WeakKeyDictionary()
"""Run -> the files that it wrote."""


def tell_written(what: Any, place: Any, writer: str, latest: LoopTraining | None) -> None:
    """Record that something was saved.

    Args:
        what: was saved.
        place: path or open file.
        writer: function that did it.
        latest: the training of this thread.
    """
    path = path_of(place)
    training = _training_of(what) or latest
    if path is None or training is None:
        return
    if hasattr(place, "flush"):
        place.flush()  # so that what is hashed is all there
    task = training.steps.training
    if task is not None and task.run.status == "running":
        role = role_of(what)
        task.generates_file(path, role)
        note_written(task.run, Path(path).absolute())
        row = {"path": str(Path(path).absolute()), "written_by": writer, "role": role}
        task.generates("oCheckpoint", epoch=training.epoch, **row)


def note_written(run: Run, path: Path) -> None:
    """A run wrote a file: where it is read and nothing more is recorded of that, the run says so when it ends."""
    known = _written.get(run)
    if known is None:
        known = _written[run] = set()
        reference = weakref.ref(run)
        run.before_finish(lambda: _tell_reads(reference()))
    known.add(path)


def _tell_reads(run: Run | None) -> None:
    """The files that a run wrote and that were read again, but by no task."""
    if run is not None:
        used = {number for numbers in _used.values() for number in numbers}
        last = {file.path: file for file in _read if file.path in _written.get(run, ())}
        for file in last.values():
            if file.number not in used:
                _used.setdefault(run, set()).add(file.number)
                file.record_in(run)


def file_to_read(place: Any) -> ReadFile | None:
    """A file as it is before it is read."""
    path = path_of(place)
    if path is not None:
        with suppress(OSError):  # there is none: who reads it says so
            return ReadFile(path, "data")
    return None


def tell_read(what: Any, file: ReadFile) -> None:
    """Remember what was loaded from a file."""
    file.role = role_of(what)
    file.start_hashing()
    _read[:] = [*_read[-MAX_READ:], file]
    if isinstance(what, torch.nn.Module):
        _read_into.setdefault(unwrapped(what), []).append(file)
    if len(_origins) > MAX_TENSORS:
        for key in [key for key, (reference, _) in _origins.items() if reference() is None]:
            del _origins[key]
    for tensor in tensors_in(what):
        if len(_origins) <= MAX_TENSORS:
            _origins[id(tensor)] = weakref.ref(tensor), file


def tell_put_into(module: Any, state: Any) -> None:
    """Tensors were put into a module: it comes from the files that they were loaded from."""
    files = {file.number: file for tensor in tensors_in(state) if (file := _origin(tensor)) is not None}
    if files:
        known = _read_into.setdefault(unwrapped(module), [])
        known += [files[number] for number in sorted(files) if files[number] not in known]


def use_files(task: RunTask, models: list[Any]) -> None:
    """Record the files that models, or parts of them, came from, once a run."""
    used = _used.setdefault(task.run, set())
    found = {file.number: file for model in models for part in _parts(model) for file in _read_into.get(part, ())}
    for number in sorted(found):
        if number not in used:
            used.add(number)
            found[number].record(task)


def role_of(what: Any) -> str:
    """What a file is to a training, by what is in it."""
    if isinstance(what, torch.nn.Module):
        return "model"
    if isinstance(what, dict):
        if what and all(isinstance(value, torch.Tensor) for value in what.values()):
            return "weights"
        if any(isinstance(value, dict) for value in what.values()):
            return "checkpoint"
    return "data"


def path_of(place: Any) -> Path | None:
    """The path of what was given as one, or of an open file; `None` for a buffer in memory."""
    if isinstance(place, str | os.PathLike):
        return Path(place)
    name = getattr(place, "name", None)
    return Path(name) if isinstance(name, str) and hasattr(place, "fileno") else None


def tensors_in(what: Any, depth: int = 0) -> Iterator[Any]:
    """The tensors in nested dicts and lists, and in the state of a module."""
    if isinstance(what, torch.Tensor):
        yield what
    elif isinstance(what, torch.nn.Module):
        yield from what.parameters()
    elif depth < MAX_DEPTH and isinstance(what, dict | list | tuple):
        for one in list(what.values() if isinstance(what, dict) else what)[:MAX_TENSORS]:
            yield from tensors_in(one, depth + 1)


def _training_of(what: Any) -> LoopTraining | None:
    """The last training of the model whose tensors these are: they share their storage."""
    saved = {tensor.data_ptr() for tensor in tensors_in(what) if type(tensor) in _PLAIN and tensor.numel()}
    if saved:
        for model, recording in recorded_models():
            own = {one.data_ptr() for one in model.parameters() if type(one) in _PLAIN} if _is_module(model) else set()
            if own & saved and recording.training is not None:
                return recording.training
    return None


_PLAIN = (torch.Tensor, torch.nn.Parameter)


def _is_module(model: Any) -> bool:
    return isinstance(model, torch.nn.Module)


def _origin(tensor: Any) -> ReadFile | None:
    reference, file = _origins.get(id(tensor), (None, None))
    return file if reference is not None and reference() is tensor else None


def _parts(model: Any) -> list[Any]:
    return list(model.modules()) if _is_module(model) else []
