"""The preprocessing layers at the inputs of a Keras model as rows of oFilters.

They are Keras' own layers for data (Rescaling, Normalization, RandomFlip, TextVectorization, ...) and classes made from
them, as far as nothing before them in the model learns. In a model that calls its layers in code nobody sees the order,
so there all of them count.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.integrations.keras.arguments import described, held_arguments
from dnnprov.integrations.keras.layer_tree import placed_layers
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.integrations.keras.layer_tree import PlacedLayer

_FAMILY = "keras.src.layers.preprocessing."
_UNTOLD = frozenset({"name", "dtype", "trainable", "autocast", "activity_regularizer", "data_format"})


def filter_rows(model: Any) -> list[Mapping[str, Any]]:
    """One row of oFilters for each preprocessing layer at the inputs of a model, in order."""
    return [filter_row(placed) for placed in _filters(placed_layers(model))]


def filter_row(placed: PlacedLayer) -> dict[str, Any]:
    """A layer's row: its class as the name of the filter, its parameters as JSON."""
    layer = placed.layer
    row = {"filter_name": type(layer).__name__, "layer": placed.path}
    parameters: dict[str, Any] = {}
    with suppress(Exception):  # the layer is the user's, and may raise anything
        held = {name: value for name, value in held_arguments(layer).items() if name not in _UNTOLD}
        parameters.update({name: described(value) for name, value in held.items() if value is not None})
        parameters.update(_vocabulary(layer))
    if parameters:
        row["parameters"] = json_text(parameters)
    return row


def is_preprocessing(layer: Any) -> bool:
    """Whether a layer is one of Keras' for data, or a class of the user's made from one."""
    return any(kind.__module__.startswith(_FAMILY) and _is_concrete(kind) for kind in type(layer).__mro__)


def _is_concrete(kind: type) -> bool:
    """Whether a class is a layer that people use, not what such layers are made from."""
    return getattr(keras.layers, kind.__name__, None) is kind


def _filters(layers: list[PlacedLayer]) -> list[PlacedLayer]:
    found, learned = [], set()
    for placed in layers:
        is_behind = any(name in learned for name in placed.inbound)
        if is_preprocessing(placed.layer):
            if not is_behind:
                found.append(placed)
            is_learning = is_behind
        else:
            is_learning = is_behind or _learns(placed.layer)
        if is_learning:
            learned.add(placed.layer.name)
    return found


def _learns(layer: Any) -> bool:
    """Whether a layer has weights, or will get some when it is built."""
    return bool(layer.weights) or (not layer.built and type(layer).build is not keras.layers.Layer.build)


def _vocabulary(layer: Any) -> dict[str, Any]:
    """The words of a layer that looks them up, which it may have learnt from data."""
    if not hasattr(layer, "get_vocabulary"):
        return {}
    words = [str(word) for word in layer.get_vocabulary()]
    return {"vocabulary": described(words), "vocabulary_size": len(words)}
