"""Files that Keras writes models to and reads them from, seen where every way of doing so comes by.

`model.save`, `keras.saving.save_model`, ModelCheckpoint, BackupAndRestore and a callback of the user's end in the same
few functions of Keras, which look each other up by name when they are called. `install` puts a wrapper around each of
these and around `Model.export`. So it does not matter from where somebody imported `load_model`, and when; what
people call keeps its signature, and is itself untouched but for `Model.export`.

A wrapper calls the function first, with what it was given, and passes on what it returns or raises. Then it tells
whoever watches the model; one that nobody watches costs a look into a dictionary.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.capture.start import DISABLED_VARIABLE
from dnnprov.capture.switches import is_switched_on
from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.keras.file_watch import listeners_of, remember_file
from dnnprov.integrations.keras.probes import is_of_keras
from dnnprov.integrations.read_file import ReadFile
from dnnprov.model.signals import came_from_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

_SAVING = "keras.src.saving.saving_lib"
_LEGACY = "keras.src.legacy.saving.legacy_h5_format"
WRITERS = {
    (_SAVING, "save_model"): "model",
    (_SAVING, "save_weights_only"): "weights",
    (_LEGACY, "save_model_to_hdf5"): "model",
}
"""Function of Keras, called with (model, path, ...) -> role of the file that it writes."""

READERS = {
    (_SAVING, "load_model"): "model",
    (_SAVING, "load_weights_only"): "weights",
    (_LEGACY, "load_model_from_hdf5"): "model",
    (_LEGACY, "load_weights_from_hdf5_group"): "weights",
    (_LEGACY, "load_weights_from_hdf5_group_by_name"): "weights",
}
"""Function of Keras -> role of the file that it reads. Takes (path, ...), (model, path, ...) or (group, model, ...)."""

BY_HAND = {"model": "model.save", "weights": "model.save_weights", "export": "model.export"}
"""Role of a file -> what is said to have written it where no callback did."""

ROLE_OF_CALLBACK = {keras.callbacks.ModelCheckpoint: "checkpoint", keras.callbacks.BackupAndRestore: "backup"}
MAX_FRAMES = 100
_state = threading.local()
"""`is_inside`: this thread is within one of the functions; what that calls in turn tells nothing new."""


def install() -> list[str]:
    """Put the wrappers on; a second call does nothing.

    Returns:
        The functions that this Keras does not have: files that go through them are not seen.
    """
    missing = []
    for functions, wrapper in ((WRITERS, _writer), (READERS, _reader)):
        for (module, name), role in functions.items():
            try:
                _wrap(importlib.import_module(module), name, functools.partial(wrapper, role=role))
            except (ImportError, AttributeError):
                missing.append(f"{module}.{name}")
    _wrap(keras.Model, "export", functools.partial(_writer, role="export"))
    return missing


def _wrap(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    if not hasattr(original, "is_seen_by_dnnprov"):
        seen = functools.wraps(original)(wrapper(original))
        vars(seen)["is_seen_by_dnnprov"] = True
        setattr(owner, name, seen)


def _writer(keras_function: Callable[..., Any], role: str) -> Callable[..., Any]:
    def write(*args: Any, **kwargs: Any) -> Any:
        with _outermost() as is_outermost:
            result = keras_function(*args, **kwargs)  # what it raises is Keras' own
        if is_outermost:
            with _quietly():
                tell_written(_argument(args, kwargs, 0, "model"), _argument(args, kwargs, 1, "filepath"), role)
        return result

    return write


def _reader(keras_function: Callable[..., Any], role: str) -> Callable[..., Any]:
    def read(*args: Any, **kwargs: Any) -> Any:
        file = None
        with _outermost() as is_outermost:
            if is_outermost:
                with _quietly():
                    file = _file_to_read((*args, *kwargs.values()), role)
            result = keras_function(*args, **kwargs)  # what it raises is Keras' own
        if file is not None:
            with _quietly():
                file.start_hashing()
                is_whole = not kwargs.get("skip_mismatch") and not kwargs.get("objects_to_skip")
                tell_read(_model_in((result, *args, *kwargs.values())), file, is_whole=is_whole)
        return result

    return read


def tell_written(model: Any, path: Any, role: str) -> None:
    """Tell whoever watches a model that it was written, and by which callback, if any."""
    listeners = listeners_of(model) if isinstance(path, str | os.PathLike) else []
    if not listeners:
        return
    callback = calling_callback()
    writer = BY_HAND[role] if callback is None else type(callback).__name__
    for kind, its_role in ROLE_OF_CALLBACK.items():
        role = its_role if isinstance(callback, kind) else role
    for listener in listeners:
        for written in _files_of(Path(path)):
            listener.file_written(written, role, writer)


def tell_read(model: Any, file: ReadFile, *, is_whole: bool) -> None:
    """Remember what a model was read from, and tell whoever watches it."""
    if model is None:
        return
    if isinstance(calling_callback(), keras.callbacks.BackupAndRestore):
        file.role = "backup"
    remember_file(model, file, is_whole=is_whole)
    for listener in listeners_of(model):
        listener.files_read(model)


def calling_callback() -> Any | None:
    """The Keras callback in whose hook this is called; `None` outside of any."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - who saves does not say so in any other way
    for _ in range(MAX_FRAMES):
        if frame is None:
            return None
        if is_of_keras(frame) and isinstance(frame.f_locals.get("self"), keras.callbacks.CallbackList):
            return frame.f_locals.get("callback")
        frame = frame.f_back
    return None


def _files_of(path: Path) -> list[Path]:
    """What was written under a path: with sharded weights, the list of the shards and each of them."""
    if path.suffix != ".json" and not path.exists():
        path = path.with_suffix(".json")  # what Keras makes of any other name for sharded weights
    if path.suffix != ".json":
        return [path]
    shards = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
    names = {name for one in shards for name in (one if isinstance(one, list) else [one])}
    return [path, *(path.parent / name for name in sorted(names))]


def _file_to_read(values: tuple[Any, ...], role: str) -> ReadFile | None:
    if is_switched_on(DISABLED_VARIABLE, default=False):
        return None
    for value in values:
        if isinstance(value, str | os.PathLike):
            with suppress(OSError):  # a remote file, or none: Keras says so
                return ReadFile(value, role)
            return None
    group = next((value for value in values if hasattr(value, "file") and hasattr(value, "attrs")), None)  # of h5py
    return None if group is None else ReadFile(group.file.filename, role)


def _model_in(values: tuple[Any, ...]) -> Any | None:
    return next((value for value in values if isinstance(value, keras.layers.Layer)), None)


def _argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], place: int, name: str) -> Any:
    return args[place] if len(args) > place else kwargs.get(name)


@contextmanager
def _outermost() -> Iterator[bool]:
    if getattr(_state, "is_inside", False):
        yield False
        return
    _state.is_inside = True
    try:
        yield True
    finally:
        _state.is_inside = False


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep a failure of ours from whoever saves or loads; the warning is all that can be done where no run is known."""
    try:
        yield
    except Exception as error:  # P1: recording never raises into a training
        if came_from_handler(error):
            raise
        with suppress(Exception):
            warn_user(f"a file of a Keras model was not recorded: {type(error).__name__}: {error}")
