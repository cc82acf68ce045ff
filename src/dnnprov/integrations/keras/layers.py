"""The layers of a Keras model as rows of iLayers."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.integrations.keras.arguments import described, described_text, held_arguments
from dnnprov.integrations.keras.layer_tree import placed_layers, weights_of, wrapped_layer
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dnnprov.integrations.keras.layer_tree import PlacedLayer

NAMED_ACTIVATIONS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "Softmax": "softmax",
}
"""Layers that are an activation themselves."""

TELLING = ("units", "filters", "pool_size", "output_dim", "num_heads", "size", "target_shape")
"""What says most about a layer that is neither an activation nor a dropout, the first one it has."""

NUMBERS = (
    "rate",
    "units",
    "filters",
    "dropout",
    "recurrent_dropout",
    "momentum",
    "epsilon",
    "groups",
    "depth_multiplier",
    "input_dim",
    "output_dim",
    "num_heads",
    "key_dim",
)
"""Arguments that have a column of their own where they are a number."""

SIZES = ("kernel_size", "strides", "padding", "dilation_rate", "pool_size")
"""Arguments with a column, written along the axes as people do: `3x3`."""

SWITCHES = ("use_bias", "return_sequences")
"""Arguments that have a column of their own where they are a switch."""

TEXTS = (
    "data_format",
    "recurrent_activation",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)
"""Arguments with a column of text: an object by its class and values, `L2(l2=0.01)`."""

_ELSEWHERE = frozenset({"activation", "name", "trainable", "dtype", "autocast", "layer", "backward_layer", "rank"})
"""Arguments that other columns tell, or nobody asks for."""


def layer_rows(model: Any) -> list[Mapping[str, Any]]:
    """One row of iLayers for each layer; a value that a layer does not have is left out."""
    return [layer_row(placed, position) for position, placed in enumerate(placed_layers(model), start=1)]


def layer_row(placed: PlacedLayer, position: int) -> dict[str, Any]:
    """A layer's row.

    Args:
        placed: a layer of Keras or of the user. What it raises when asked costs that value.
        position: in the model, from 1.
    """
    layer = placed.layer
    row: dict[str, Any] = {"position": position, "name": layer.name, "type": type(layer).__name__}
    for part in (_values, _weights, _place, _shapes):
        with suppress(Exception):  # the layer is the user's, and may raise anything
            row.update(part(placed))
    return {name: value for name, value in row.items() if value is not None}


def _values(placed: PlacedLayer) -> dict[str, Any]:
    """What the layer was made with; what has no column of its own goes into `config`."""
    if placed.own_weights is not None:
        return {}
    layer, inner = placed.layer, wrapped_layer(placed.layer)
    held = held_arguments(layer)
    if inner is not None and not isinstance(layer, keras.layers.RNN):
        held = {**held_arguments(inner), **held}
    activation = _activation(layer) or _activation(inner)
    columns = {name: value for name in _COLUMNS if (value := _column(name, held.get(name))) is not None}
    if "units" in held:
        held.pop("cell", None)  # says the same again
    rest = {name: described(held[name]) for name in held if name not in columns and name not in _ELSEWHERE}
    rest = {name: value for name, value in rest.items() if value is not None}
    return {
        "value": _value(layer, activation, held),
        "activation": activation,
        **columns,
        "wrapped_type": None if inner is None or hasattr(layer, "units") else type(inner).__name__,
        "config": json_text(rest) if rest else None,
    }


def _column(name: str, value: Any) -> Any:
    """An argument as its column holds it; `None` where it has none or does not fit."""
    if value is None:
        return None
    if name in SIZES:
        return _sizes(value)
    if name in TEXTS:
        return described_text(value)
    plain = plain_value(value) if not isinstance(value, list | tuple | dict) else None
    if name in SWITCHES:
        return plain if isinstance(plain, bool) else None
    return plain if isinstance(plain, int | float) and not isinstance(plain, bool) else None


def _weights(placed: PlacedLayer) -> dict[str, Any]:
    layer = placed.layer
    row = {"trainable": bool(layer.trainable), "dtype": layer.dtype_policy.name}
    if layer.built:
        weights = weights_of(placed)
        trainable = {id(weight) for weight in layer.trainable_weights}
        row["num_parameters"] = _size(weights)
        row["num_trainable_parameters"] = _size(weight for weight in weights if id(weight) in trainable)
    return row


def _place(placed: PlacedLayer) -> dict[str, Any]:
    return {
        "path": placed.path,
        "parent": None if placed.parent is None else placed.parent.name,
        "depth": placed.depth,
        "num_uses": placed.uses,
        "inbound_layers": ", ".join(placed.inbound) or None,
    }


def _shapes(placed: PlacedLayer) -> dict[str, Any]:
    """Shapes of what the layer takes and gives, the batch as None; each one once, of a shared layer several."""
    if placed.nodes:
        return {
            "input_shape": _shape_texts([node.input_tensors or node.outputs for node in placed.nodes]),
            "output_shape": _shape_texts([node.outputs for node in placed.nodes]),
        }
    layer = placed.layer
    found = {}
    built_with = (layer.get_build_config() or {}) if placed.own_weights is None else {}
    shapes = list(built_with.get("shapes_dict", built_with).values())
    if shapes:
        found["input_shape"] = ", ".join(str(_any_batch(shape)) for shape in shapes if shape is not None) or None
        kind = type(layer)
        # The base class would trace the layer's call; arithmetic on shapes costs nothing.
        if len(shapes) == 1 and kind.__module__.startswith("keras.") and _computes_shape(kind):
            with suppress(Exception):
                found["output_shape"] = str(_any_batch(layer.compute_output_shape(_tuple(shapes[0]))))
    return found


def _computes_shape(kind: type) -> bool:
    return kind.compute_output_shape is not keras.layers.Layer.compute_output_shape  # type: ignore[attr-defined]


def _shape_texts(calls: list[list[Any]]) -> str | None:
    texts = [", ".join(str(tuple(tensor.shape)) for tensor in tensors) for tensors in calls]
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None


def _tuple(shape: Any) -> Any:
    return tuple(_tuple(one) for one in shape) if isinstance(shape, list | tuple) else shape


def _any_batch(shape: Any) -> Any:
    """A shape that a layer was built with, without the size of the batch that came first."""
    if isinstance(shape, list | tuple) and shape and not isinstance(shape[0], list | tuple):
        return (None, *shape[1:])
    return _tuple(shape)


def _size(weights: Iterable[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _value(layer: Any, activation: Any, held: Mapping[str, Any]) -> str | None:
    """Keras-Prov's value: the name of an activation layer's function, a dropout's rate, else what tells most."""
    if isinstance(layer, keras.layers.Activation) or type(layer).__name__ in NAMED_ACTIVATIONS:
        return None if activation is None else str(activation)
    for name in ("rate", *TELLING):
        found = held.get(name)
        if isinstance(found, list | tuple):
            return _sizes(found)
        if isinstance(found, int | float | str) and not isinstance(found, bool):
            return str(plain_value(found))
    return None


def _activation(layer: Any) -> str | None:
    if type(layer).__name__ in NAMED_ACTIVATIONS:
        return NAMED_ACTIVATIONS[type(layer).__name__]
    function = getattr(layer, "activation", None)
    if function is None or isinstance(function, str):
        return function
    if isinstance(function, keras.layers.Layer):
        return str(function.name)
    return str(getattr(function, "__name__", type(function).__name__))


def _sizes(value: Any) -> str:
    """Sizes along the axes as people write them: `3x3`; nested ones, as of a padding, in brackets."""
    if not isinstance(value, list | tuple):
        return str(plain_value(value))
    return "x".join(str(_tuple(size)) for size in value)


_COLUMNS = (*NUMBERS, *SIZES, *SWITCHES, *TEXTS)
