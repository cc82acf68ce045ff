"""What an object of a library was made with, as far as it still holds that: for objects that tell no configuration."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

from dnnprov.model.values import json_text

_MISSING = object()


def held_values(thing: object) -> dict[str, Any]:
    """The constructor's arguments that an object still has as plain values, by name.

    An argument is an attribute of its name, with or without an underscore before it. What is neither a number nor a
    text is left out, as a function or another object is.

    Example:
        >>> class Pruner:
        ...     def __init__(self, num_steps=3, by=abs):
        ...         self._num_steps, self._by = num_steps, by
        >>> held_values(Pruner())
        {'num_steps': 3}
    """
    try:
        names = list(inspect.signature(type(thing)).parameters)
    except (TypeError, ValueError):  # written in C
        return {}
    held = {name: _held(thing, name) for name in names}
    return {name: value for name, value in held.items() if isinstance(value, bool | int | float | str)}


def held_text(thing: object) -> str | None:
    """As `held_values`, as JSON; `None` where nothing is held."""
    held = held_values(thing)
    return json_text(held) if held else None


def _held(thing: object, name: str) -> Any:
    for attribute in (name, f"_{name}"):
        with suppress(Exception):  # a property may raise anything
            return getattr(thing, attribute)
    return _MISSING
