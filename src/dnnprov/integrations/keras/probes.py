"""Who changed the learning rate: probes between the callbacks of one `fit`.

Keras tells a callback nothing about the others. So we put a probe (a callback too) before the first and behind each
other callback of the list that a `fit` made for itself: what the optimizer holds behind a callback and did not hold
before was done by this callback. That is exact for any callback, also for several in one epoch, and wherever in the
list our own stands. No callback of the user is wrapped or patched; the list gets its own back at the end of training.

The list is found on the stack: Keras calls `set_model` and `on_train_begin` from a method of its `CallbackList`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import keras

from dnnprov.integrations.keras.data import batch_size_of

if TYPE_CHECKING:
    from types import FrameType

MAX_FRAMES = 50
BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)
"""Hooks between the begin and the end of an epoch: not probed, since reading a value there waits for the device."""


class Listener(Protocol):
    """What hears of the probes."""

    def before_callbacks(self, hook: str, epoch: int | None, logs: dict[str, Any]) -> None:
        """No callback has run this hook yet."""

    def behind_callback(self, callback: Any, hook: str, epoch: int | None, logs: dict[str, Any]) -> None:
        """This callback has just run this hook."""


class CallbackProbe(keras.callbacks.Callback):  # type: ignore[misc]
    """Stands behind one callback of a list, or before all of them, and says when it is reached.

    Args:
        listener: to tell.
        callback: that it stands behind; `None` for the one before all.
    """

    def __init__(self, listener: Listener, callback: Any = None) -> None:
        super().__init__()
        self.callback = callback
        self._listener = listener

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before or behind the first hook of a training."""
        self._tell("on_train_begin", None, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Before or behind the last one."""
        self._tell("on_train_end", None, logs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before or behind where schedules act."""
        self._tell("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before or behind where plateaus are seen and checkpoints written."""
        self._tell("on_epoch_end", epoch, logs)

    def _tell(self, hook: str, epoch: int | None, logs: dict[str, Any] | None) -> None:
        if self.callback is None:
            self._listener.before_callbacks(hook, epoch, logs or {})
        elif has_hook(self.callback, hook):
            self._listener.behind_callback(self.callback, hook, epoch, logs or {})


def has_hook(callback: Any, hook: str) -> bool:
    """Whether a callback does anything in a hook."""
    method = getattr(callback, hook, None)
    return getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, hook)


def find_callback_list(callback: Any) -> Any | None:
    """The Keras callback list that holds this callback and called one of its hooks; `None` outside of one."""
    for frame in _frames():
        found = frame.f_locals.get("self") if is_of_keras(frame) else None
        if isinstance(found, keras.callbacks.CallbackList) and any(one is callback for one in found.callbacks):
            return found
    return None


def find_fit_arguments() -> dict[str, Any]:
    """The arguments of the `fit` on the stack and its `epoch_iterator`, as they are now; empty outside of one.

    Where a `validation_split` was asked for, Keras has already cut it off `x` and put it into `validation_data`.
    """
    for frame in _frames():
        if "epoch_iterator" not in frame.f_code.co_varnames:
            continue
        if getattr(frame.f_locals.get("epoch_iterator"), "data_adapter", None) is not None:
            return {name: value for name, value in frame.f_locals.items() if name != "self"}
    return {}


def find_trained_epoch(callback_list: Any) -> tuple[int, dict[str, Any]] | None:
    """The epoch that the `fit` of a list validates now, counted from 0, and what it knows of it.

    Keras hands a callback the metrics of an epoch only when it is validated as well.
    """
    for frame in _frames():
        if "epoch_logs" in frame.f_code.co_varnames and is_of_keras(frame):
            known = frame.f_locals
            if known.get("callbacks") is callback_list and "epoch_logs" in known:
                return known["epoch"], {name: _read(value) for name, value in known["epoch_logs"].items()}
    return None


def _read(value: Any) -> Any:
    """A metric as Keras hands it to callbacks, which is a number where it can be one."""
    with suppress(Exception):  # whatever a value of the user's raises
        return float(value)
    return value


def find_batch_size() -> int | None:
    """The batch size of the `fit` on the stack; `None` where its data come in batches of unknown size."""
    arguments = find_fit_arguments()
    if not arguments:
        return None
    adapter = arguments["epoch_iterator"].data_adapter
    candidates = (adapter.batch_size, arguments.get("batch_size"), batch_size_of(arguments.get("x")))
    return next((int(size) for size in candidates if size is not None), None)


def find_data_counts() -> dict[str, int | None]:
    """How much the `evaluate` or `predict` on the stack went through, as far as its data say so: at its end."""
    epoch_iterator = find_fit_arguments().get("epoch_iterator")
    adapter = getattr(epoch_iterator, "data_adapter", None)
    if epoch_iterator is None or adapter is None:
        return {}
    num_batches = epoch_iterator.num_batches or epoch_iterator._steps_seen or None  # noqa: SLF001 - unknown before the end
    num_samples = None
    if epoch_iterator.steps_per_epoch is None and adapter.batch_size and num_batches:
        last = adapter.partial_batch_size if adapter.has_partial_batch else None
        num_samples = num_batches * adapter.batch_size - (adapter.batch_size - last if last else 0)
        if adapter.has_partial_batch is None:  # nobody knows how full the last batch is
            num_samples = None
    return {"num_samples": num_samples, "num_batches": num_batches, "batch_size": adapter.batch_size}


def is_of_keras(frame: FrameType) -> bool:
    """Whether a frame is one of Keras' own functions.

    Only there may its variables be looked at: before Python 3.13 the look itself keeps them alive until the function
    returns, and in a function of the user's that would be the model.
    """
    return str(frame.f_globals.get("__name__", "")).startswith("keras.")


def _frames() -> list[FrameType]:
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - Keras hands a callback no other way to its list
    while frame is not None and len(frames) < MAX_FRAMES:
        frames.append(frame)
        frame = frame.f_back
    return frames


def insert_probes(callback_list: Any, listener: Listener) -> None:
    """Put the probes of a listener into a list, in the place of any it has there; itself comes once.

    The list object is replaced, so that a walk over it that is under way stays as it is.
    """
    callbacks = [one for one in callback_list.callbacks if not _is_probe_of(one, listener)]
    probed: list[Any] = [CallbackProbe(listener)]
    for callback in callbacks:
        if callback is listener and any(one is listener for one in probed):
            continue
        probed.append(callback)
        if callback is not listener and not isinstance(callback, _WITHOUT_EFFECT):
            probed.append(CallbackProbe(listener, callback))
    callback_list.callbacks = probed


def remove_probes(callback_list: Any, listener: Listener) -> None:
    """Give the list back without the listener's probes."""
    callback_list.callbacks = [one for one in callback_list.callbacks if not _is_probe_of(one, listener)]


def batch_callbacks(callback_list: Any | None) -> list[Any]:
    """The callbacks of users that do something during an epoch, and so may be who changed a value there."""
    if callback_list is None:
        return []
    return [
        one for one in callback_list.callbacks if _is_of_user(one) and any(has_hook(one, hook) for hook in BATCH_HOOKS)
    ]


def _is_of_user(callback: Any) -> bool:
    """Whether what a callback does is the user's code; Keras' own change no rate during an epoch."""
    if isinstance(callback, keras.callbacks.LambdaCallback):
        return True
    return not type(callback).__module__.startswith(("keras.", "dnnprov."))


_WITHOUT_EFFECT = (keras.callbacks.History, keras.callbacks.ProgbarLogger, CallbackProbe)


def _is_probe_of(callback: Any, listener: Listener) -> bool:
    return isinstance(callback, CallbackProbe) and callback._listener is listener  # noqa: SLF001 - same class
