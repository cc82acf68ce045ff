"""Objects of PyTorch and of users as texts: a class and the plain values that it was made with, never a `repr`.

A `repr` may raise, or be as long as the data behind it.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import torch

from dnnprov.model.values import plain_value

MAX_ITEMS = 32
MAX_DEPTH = 4
MAX_CHARACTERS = 1000
_MISSING = object()


def held_arguments(thing: Any) -> dict[str, Any]:
    """The arguments of its constructor that an object still has, by name; an underscore may stand before that."""
    found = {}
    for name in _argument_names(type(thing)):
        value = _held(thing, name)
        if value is not _MISSING:
            found[name] = value
    return found


def described(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; an object by its class and arguments.

    Example:
        >>> described((3, None)), described(torch.float32), described(torch.nn.Dropout(0.4))
        ([3, None], 'float32', 'Dropout(p=0.4, inplace=false)')
    """
    if value is None or isinstance(value, bool | int | float):
        return plain_value(value)
    if isinstance(value, str):
        return value if len(value) <= MAX_CHARACTERS else f"{value[:MAX_CHARACTERS]}... ({len(value)} characters)"
    if isinstance(value, list | tuple | set | frozenset | dict):
        return _described_items(value, depth)
    return _described_tensor(value) if isinstance(value, torch.Tensor) else _described_thing(value, depth)


def _described_items(value: Any, depth: int) -> Any:
    if len(value) > MAX_ITEMS or depth >= MAX_DEPTH:
        return f"{len(value)} values"
    if isinstance(value, dict):
        return {str(plain_value(key)): described(item, depth + 1) for key, item in value.items()}
    return [described(item, depth + 1) for item in value]


def _described_thing(value: Any, depth: int) -> str:
    if isinstance(value, torch.dtype | torch.device):
        return str(value).removeprefix("torch.")
    if isinstance(value, type) or inspect.isroutine(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return _described_object(value, depth)


def in_call(value: Any) -> str:
    """A described value as it stands in a call.

    Example:
        >>> in_call([0.5, "same", True])
        '[0.5, same, true]'
    """
    if isinstance(value, list):
        return f"[{', '.join(in_call(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _described_tensor(value: Any) -> Any:
    if value.numel() == 1 and value.device.type == "cpu":
        return plain_value(value.detach())
    return f"{described(value.dtype)} tensor of shape {list(value.shape)}"


def _described_object(value: Any, depth: int) -> str:
    name = type(value).__name__
    if depth >= MAX_DEPTH:
        return name
    held = {key: described(one, depth + 1) for key, one in held_arguments(value).items() if one is not None}
    inner = ", ".join(f"{key}={in_call(one)}" for key, one in held.items())
    return f"{name}({inner})" if inner else name


def _argument_names(kind: type) -> list[str]:
    try:
        parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    except (TypeError, ValueError):  # written in C
        return []
    return [one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]


def _held(thing: Any, name: str) -> Any:
    for attribute in (name, f"_{name}"):
        with suppress(Exception):  # a property of the user may raise anything
            value = getattr(thing, attribute)
            if not inspect.ismethod(value):
                return value
    return _MISSING
