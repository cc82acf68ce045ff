"""Finds the value of a hyperparameter that a user named: in the optimizer, the arguments of `fit`, or the model."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.integrations.keras.provenance_arguments import MEANT

if TYPE_CHECKING:
    from collections.abc import Mapping

_NATIVE = {name: other for other, name in MEANT.items()}
"""Our name of a hyperparameter -> Keras' own."""


def find_value(name: str, model: Any, arguments: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether there is a value of this name, and the value.

    Args:
        name: in any case.
        model: compiled or not.
        arguments: of `fit`, by name, those left out at their defaults.
    """
    optimizer = getattr(model, "optimizer", None)
    config = optimizer.get_config() if optimizer is not None else {}
    for wanted in dict.fromkeys((name, name.lower(), _NATIVE.get(name.lower(), name))):
        for place in (config, arguments):
            if wanted in place and place[wanted] is not inspect.Parameter.empty:
                return True, _plain(place[wanted])
        for owner in (optimizer, model):
            value = getattr(owner, wanted, None)
            if value is not None and not callable(value):
                return True, _plain(value)
    return False, None


def _plain(value: Any) -> Any:
    """A variable of Keras as its number; anything else as it is."""
    return keras.ops.convert_to_numpy(value.value) if isinstance(value, keras.Variable) else value
