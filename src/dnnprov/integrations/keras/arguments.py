"""What a Keras object was made with, read from the object itself.

Keras' own way, `get_config`, is not taken for what belongs to Keras: the serialisation in it imports TensorFlow
wherever that is installed, which costs a training on another backend seconds and memory, and it raises for many
objects of users.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import weakref
from contextlib import suppress
from typing import Any

import keras

from dnnprov.model.values import Scalar, plain_value

MAX_ITEMS = 32
"""Longer lists and bigger arrays, a vocabulary say, are told by their size and a digest."""

MAX_DEPTH = 4
_MISSING = object()
_ATTRIBUTES = {"seed": ("_init_seed", "seed"), "weights": ()}
"""An initializer draws a seed where none was given, and `weights` are the trained ones."""
_UNTELLING = frozenset({"name", "dtype", "autocast", "trainable", "activity_regularizer"})
_OF_KERAS = (
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.losses.Loss,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.layers.Layer,
)
"""What users derive from, and make with arguments."""

_names: weakref.WeakKeyDictionary[type, tuple[str, ...]] = weakref.WeakKeyDictionary()


def argument_names(kind: type) -> tuple[str, ...]:
    """The parameters of a class's constructor, and of those above it that it hands further keywords to."""
    if kind not in _names:
        _names[kind] = tuple(_collected_names(kind))
    return _names[kind]


def held_arguments(thing: Any) -> dict[str, Any]:
    """The constructor's arguments that an object still has, by name, as they are in it now.

    An argument is an attribute of its name, with or without an underscore before it, else what Keras kept of the call;
    of a loss, what it hands to its function.
    """
    kept = getattr(getattr(thing, "_auto_config", None), "config", None) or getattr(thing, "_fn_kwargs", None) or {}
    found = {}
    for name in argument_names(type(thing)):
        value = _held(thing, name)
        if value is _MISSING:
            value = kept.get(name, _MISSING)
        if value is not _MISSING:
            found[name] = value
    return found


def described(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; an object by its class and arguments.

    Example:
        >>> described(keras.regularizers.L2(0.25)), described((3, None)), described(abs)
        ('L2(l2=0.25)', [3, None], 'abs')
    """
    if value is None or isinstance(value, bool | int | float | str):
        return plain_value(value)
    if isinstance(value, list | tuple | set | frozenset):
        return _described_items(list(value), depth)
    if isinstance(value, dict):
        return {str(key): described(item, depth + 1) for key, item in list(value.items())[:MAX_ITEMS]}
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _described_array(value)
    return _described_object(value, depth)


def described_text(value: Any) -> Scalar:
    """As `described`, a list or mapping as JSON text."""
    return plain_value(described(value))


def _collected_names(kind: type) -> list[str]:
    found: dict[str, None] = {}
    for one in kind.__mro__:
        if one is object:
            break
        if "__init__" not in vars(one):
            continue
        try:
            parameters = list(inspect.signature(vars(one)["__init__"]).parameters.values())[1:]
        except (TypeError, ValueError):  # written in C
            break
        found.update((p.name, None) for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY})
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return list(found)


def _held(thing: Any, name: str) -> Any:
    for attribute in _ATTRIBUTES.get(name, (name, f"_{name}")):
        with suppress(Exception):  # a property of the user may raise anything
            value = getattr(thing, attribute)
            if not inspect.ismethod(value):
                return value
    return _MISSING


def _described_items(items: list[Any], depth: int) -> Any:
    if len(items) <= MAX_ITEMS:
        return [described(item, depth + 1) for item in items]
    text = json.dumps([plain_value(item) for item in items], ensure_ascii=False)
    return f"{len(items)} values, sha256 {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def _described_array(value: Any) -> Any:
    array = keras.ops.convert_to_numpy(value.value if isinstance(value, keras.Variable) else value)
    if array.size == 1:
        return plain_value(array.reshape(())[()])
    if array.size <= MAX_ITEMS:
        return _nested(array)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return f"{array.dtype} array of shape {tuple(array.shape)}, sha256 {digest}"


def _nested(array: Any) -> Any:
    return [_nested(item) if getattr(item, "ndim", 0) else plain_value(item) for item in array]


def _described_object(value: Any, depth: int) -> str:
    if isinstance(value, keras.DTypePolicy):
        return str(value.name)
    if isinstance(value, type) or inspect.isroutine(value):
        return str(getattr(value, "__name__", value))
    if depth >= MAX_DEPTH or not (type(value).__module__.startswith("keras.") or isinstance(value, _OF_KERAS)):
        return type(value).__name__
    held = {name: one for name, one in held_arguments(value).items() if one is not None and name not in _UNTELLING}
    inner = ", ".join(f"{name}={_in_call(described(one, depth + 1))}" for name, one in held.items())
    return f"{type(value).__name__}({inner})" if inner else type(value).__name__


def _in_call(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_in_call(item) for item in value)}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=plain_value)
