"""The callbacks among the arguments of `fit`, `evaluate` and `predict`; how one of ours gets there, and out again."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.integrations.keras.callback import ProvenanceCallback

if TYPE_CHECKING:
    from collections.abc import Callable


def bind(
    method: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments | None:
    """The arguments by name; `None` for those that Keras is going to refuse."""
    try:
        return inspect.signature(method).bind(model, *args, **kwargs)
    except TypeError:
        return None


def _callbacks_in(given: Any) -> list[Any]:
    if given is None:
        return []
    given = getattr(given, "callbacks", given)
    return list(given) if isinstance(given, list | tuple | set) else [given]


def has_provenance(given: Any) -> bool:
    """Whether a callback of ours was given, or this is part of a `fit` that has one."""
    return any(isinstance(one, ProvenanceCallback) for one in _callbacks_in(given))


def with_callback(callback: ProvenanceCallback, given: Any, model: Any) -> Any:
    """The callbacks of the user, and ours behind them."""
    if isinstance(given, keras.callbacks.CallbackList):  # which Keras takes as it is
        callback.set_model(model)
        given.callbacks = [*given.callbacks, callback]
        return given
    return [*_callbacks_in(given), callback]


def without_callback(callback: ProvenanceCallback | None, given: Any) -> None:
    """Give a list that the user made back as it was."""
    if isinstance(given, keras.callbacks.CallbackList):
        given.callbacks = [one for one in given.callbacks if one is not callback]
