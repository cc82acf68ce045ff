"""The layers of a PyTorch model as rows of iLayers, with the columns that Keras' layers have."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from dnnprov.integrations.torch.described import described, held_arguments
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACTIVATIONS = {
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "SELU": "selu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Mish": "mish",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Softplus": "softplus",
    "Hardswish": "hard_swish",
    "Hardtanh": "hard_tanh",
}
"""Modules that are an activation themselves, by the name that Keras has for it."""

COLUMNS = {
    "out_features": "units",
    "hidden_size": "units",
    "out_channels": "filters",
    "num_embeddings": "input_dim",
    "embedding_dim": "output_dim",
    "stride": "strides",
    "dilation": "dilation_rate",
    "bias": "use_bias",
    "eps": "epsilon",
    "kernel_size": "kernel_size",
    "padding": "padding",
    "groups": "groups",
    "momentum": "momentum",
    "num_heads": "num_heads",
    "dropout": "dropout",
    "in_features": "in_features",
    "in_channels": "in_channels",
    "num_features": "num_features",
    "input_size": "input_size",
    "num_layers": "num_layers",
    "bidirectional": "bidirectional",
}
"""Argument of a module -> attribute of iLayers; any other goes into `config`."""

SIZES = frozenset({"kernel_size", "strides", "dilation_rate", "padding"})
TELLING = ("units", "filters", "kernel_size", "output_dim", "num_heads", "num_features")
"""What says most about a layer that is neither an activation nor a dropout, the first one it has."""

_UNTOLD = frozenset({"device", "dtype", "inplace", "p"})


def layer_rows(models: list[Any]) -> list[Mapping[str, Any]]:
    """One row of iLayers for each layer of the models of a training, in order; what a layer does not have is left out.

    A layer is a module that holds no other, or has parameters of its own.
    """
    found: list[Mapping[str, Any]] = []
    for model in models:
        before = f"{type(model).__name__}." if len(models) > 1 else ""
        found += [
            layer_row(layer, f"{before}{name}", len(found) + n) for n, (name, layer) in enumerate(layers(model), 1)
        ]
    return found


def layer_row(layer: Any, path: str, position: int) -> dict[str, Any]:
    """A layer's row; what it raises when asked costs that value."""
    name = path.rstrip(".") or type(layer).__name__
    row: dict[str, Any] = {"position": position, "name": name, "type": type(layer).__name__}
    for part in (_values, _weights):
        with suppress(Exception):  # the layer may be the user's, and may raise anything
            row.update(part(layer))
    return {name: value for name, value in row.items() if value is not None}


def layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Path and module of each layer, once, past methods that a class of the user's may shadow."""
    seen: set[int] = set()
    waiting = [("", model)]
    while waiting:
        path, module = waiting.pop(0)
        if id(module) in seen:
            continue
        seen.add(id(module))
        children = [(name, child) for name, child in vars(module)["_modules"].items() if child is not None]
        if not children or own_parameters(module):
            yield path, module
        waiting = [(f"{path}.{name}" if path else name, child) for name, child in children] + waiting


def own_parameters(module: Any) -> list[Any]:
    """The parameters that a module holds itself; one that is not made yet has none."""
    held = vars(module).get("_parameters", {}).values()
    return [one for one in held if one is not None and not torch.nn.parameter.is_lazy(one)]


def model_values(models: list[Any]) -> dict[str, Any]:
    """What the models of a training tell of themselves for iTrainingModel."""
    found_layers = [layer for model in models for _, layer in layers(model)]
    parameters = list({id(one): one for layer in found_layers for one in own_parameters(layer)}.values())
    rates = {layer.p for layer in found_layers if is_dropout(layer)}
    found: dict[str, Any] = {
        "model": " and ".join(dict.fromkeys(type(model).__name__ for model in models)),
        "num_layers": len(found_layers),
        "dropout": float(rates.pop()) if len(rates) == 1 else None,
        "num_parameters": sum(one.numel() for one in parameters),
        "num_trainable_parameters": sum(one.numel() for one in parameters if one.requires_grad),
    }
    if parameters:
        found["device"] = str(parameters[0].device)
        found["dtype"] = described(parameters[0].dtype)
    return {name: value for name, value in found.items() if value is not None}


def is_dropout(layer: Any) -> bool:
    """Whether a layer is a dropout of PyTorch's, or made from one."""
    return isinstance(layer, torch.nn.modules.dropout._DropoutNd)  # noqa: SLF001 - the class of all of them


def _values(layer: Any) -> dict[str, Any]:
    held = {name: value for name, value in held_arguments(layer).items() if name not in _UNTOLD}
    if "bias" in held:
        held["bias"] = held["bias"] if isinstance(held["bias"], bool) else held["bias"] is not None
    row: dict[str, Any] = {}
    for name, column in COLUMNS.items():
        value = _column(column, held.pop(name, None))
        if value is not None:
            row[column] = value
    activation = ACTIVATIONS.get(type(layer).__name__)
    if activation is not None:
        row["activation"] = row["value"] = activation
    elif is_dropout(layer):
        row["rate"] = plain_value(layer.p)
        row["value"] = str(row["rate"])
    else:
        row["value"] = next((str(row[name]) for name in TELLING if name in row), None)
    rest = {name: told for name, value in held.items() if (told := _in_config(value)) is not None}
    row["config"] = json_text(rest) if rest else None
    return row


def _column(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column in SIZES:
        return "x".join(str(plain_value(size)) for size in value) if isinstance(value, list | tuple) else str(value)
    return value if isinstance(value, bool | int | float) else None


def _in_config(value: Any) -> Any:
    is_plain = isinstance(value, bool | int | float | str | list | tuple) or callable(value)
    return described(value) if is_plain and not isinstance(value, torch.nn.Module) else None


def _weights(layer: Any) -> dict[str, Any]:
    parameters = own_parameters(layer)
    trainable = sum(one.numel() for one in parameters if one.requires_grad)
    row: dict[str, Any] = {"num_parameters": sum(one.numel() for one in parameters)}
    row["num_trainable_parameters"] = trainable
    if parameters:
        row["trainable"] = trainable > 0
        row["dtype"] = described(parameters[0].dtype)
    return row
