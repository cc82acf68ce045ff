"""The layers of a Keras model as rows of iLayers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def all_layers(model: Any) -> list[Any]:
    """The layers of a model in order, those of models nested in it in their place."""
    found: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found.extend(all_layers(layer))
        else:
            found.append(layer)
    return found


def layer_rows(model: Any) -> list[Mapping[str, Any]]:
    """One row of iLayers for each layer; a value that a layer does not have is left out."""
    return [layer_row(layer, position) for position, layer in enumerate(all_layers(model), start=1)]


def layer_row(layer: Any, position: int) -> dict[str, Any]:
    """A layer's row.

    Args:
        layer: of Keras or of the user.
        position: in the model, from 1.
    """
    activation = _activation(layer)
    row = {
        "position": position,
        "name": layer.name,
        "type": type(layer).__name__,
        "value": _value(layer, activation),
        "activation": activation,
        "rate": _plain(layer, "rate"),
        "units": _plain(layer, "units"),
        "filters": _plain(layer, "filters"),
        "kernel_size": _sizes(layer, "kernel_size"),
        "strides": _sizes(layer, "strides"),
        "padding": _plain(layer, "padding") if isinstance(getattr(layer, "padding", None), str) else None,
        "num_parameters": layer.count_params() if layer.built else None,
        "trainable": bool(layer.trainable),
        "output_shape": _output_shape(layer),
    }
    return {name: value for name, value in row.items() if value is not None}


def _value(layer: Any, activation: str | None) -> str | None:
    """Keras-Prov's value: the name of an activation layer's function, a dropout's rate, else what tells most."""
    if isinstance(layer, keras.layers.Activation) or type(layer).__name__ in NAMED_ACTIVATIONS:
        return activation
    for name in ("rate", *TELLING):
        found = getattr(layer, name, None)
        if isinstance(found, list | tuple):
            return _sizes(layer, name)
        if isinstance(found, int | float | str) and not isinstance(found, bool):
            return str(found)
    return None


def _activation(layer: Any) -> str | None:
    if type(layer).__name__ in NAMED_ACTIVATIONS:
        return NAMED_ACTIVATIONS[type(layer).__name__]
    function = getattr(layer, "activation", None)
    if function is None:
        return None
    if isinstance(function, keras.layers.Layer):
        return str(function.name)
    return str(getattr(function, "__name__", type(function).__name__))


def _plain(layer: Any, name: str) -> Any:
    found = getattr(layer, name, None)
    return None if found is None else plain_value(found)


def _sizes(layer: Any, name: str) -> str | None:
    """Sizes along the axes as people write them: `3x3`."""
    found = getattr(layer, name, None)
    if found is None:
        return None
    return "x".join(str(size) for size in found) if isinstance(found, list | tuple) else str(found)


def _output_shape(layer: Any) -> str | None:
    """Shape of what a layer gives, the batch as None; unknown for a layer that a model calls in its own code."""
    try:
        outputs = layer.output
    except (AttributeError, ValueError):  # never called symbolically, or called several times
        return None
    if isinstance(outputs, list | tuple | dict):
        flat = keras.tree.flatten(outputs)
        return ", ".join(str(tuple(one.shape)) for one in flat)
    return str(tuple(outputs.shape))
