"""A model as rows of iLayers: a module of Flax NNX by its parts, anything else by the tree of its parameters."""

from __future__ import annotations

import math
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jax

from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAME = ("rate", "kernel_size", "strides", "padding", "num_heads", "num_embeddings", "use_bias", "momentum", "epsilon")
_KNOWN = dict.fromkeys(("out_features", "features", "num_features"), "units") | {name: name for name in _SAME}
"""Attribute of a module -> attribute of iLayers."""

_WEIGHTS = ("kernel", "w", "weight", "embedding")
_CONVOLUTIONS = re.compile(r"Conv")


def layer_rows(model: Any) -> list[Mapping[str, Any]]:
    """One row a layer, in order."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(model, nnx.Module):
        rows = [_module_row(path, module, nnx) for path, module in _modules(model, "", nnx, set())]
    else:
        rows = _tree_rows(parameters_of(model))
    return [{"position": position, **row} for position, row in enumerate(rows, start=1)]


def num_parameters(model: Any) -> int:
    """How many numbers the model learns."""
    return sum(row.get("num_parameters", 0) for row in layer_rows(model))


def parameters_of(model: Any) -> Any:
    """The tree of parameters of what a user calls the model: a `TrainState`, the variables of Flax linen, the tree."""
    tree = getattr(model, "params", model)
    with suppress(TypeError):
        if "params" in tree:
            tree = tree["params"]
    return tree


def _modules(module: Any, path: str, nnx: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The modules that do something themselves, with their paths, in the order of their attributes."""
    if id(module) in seen:
        return
    seen.add(id(module))
    parts = [(name, value) for name, value in vars(module).items() if not name.startswith("_pytree")]
    inner = [(name, one) for name, value in parts for name, one in _within(name, value, nnx)]
    has_own = any(isinstance(value, nnx.Param) for _, value in parts)
    is_container = isinstance(module, (nnx.List, nnx.Dict)) if hasattr(nnx, "List") else False
    if has_own or (not inner and not is_container):
        yield path or type(module).__name__, module
    for name, one in inner:
        yield from _modules(one, f"{path}.{name}" if path else name, nnx, seen)


def _within(name: str, value: Any, nnx: Any) -> list[tuple[str, Any]]:
    if isinstance(value, nnx.Module):
        return [(name, value)]
    if isinstance(value, list | tuple):
        return [(f"{name}.{number}", one) for number, one in enumerate(value) if isinstance(one, nnx.Module)]
    if isinstance(value, dict):
        return [(f"{name}.{key}", one) for key, one in value.items() if isinstance(one, nnx.Module)]
    return []


def _module_row(path: str, module: Any, nnx: Any) -> dict[str, Any]:
    held = vars(module)
    row: dict[str, Any] = {"name": path, "type": type(module).__name__}
    for attribute, name in _KNOWN.items():
        value = held.get(attribute)
        if isinstance(value, bool | int | float | str):
            row.setdefault(name, value)
        elif isinstance(value, tuple | list) and value:
            row.setdefault(name, json_text(list(value)))
    if _CONVOLUTIONS.search(row["type"]) and "units" in row:
        row["filters"] = row.pop("units")
    sizes = {name: one.shape for name, one in held.items() if isinstance(one, nnx.Param)}
    return {**row, **_sizes(sizes)}


def _tree_rows(tree: Any) -> list[dict[str, Any]]:
    layers: dict[str, dict[str, Any]] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        names = [_key(one) for one in path]
        if hasattr(leaf, "shape"):
            layers.setdefault("/".join(names[:-1]) or "parameters", {})["/".join(names[-1:]) or "value"] = leaf.shape
    return [{"name": name, "type": _type(name), **_units(shapes), **_sizes(shapes)} for name, shapes in layers.items()]


def _key(part: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(part, attribute):
            return str(getattr(part, attribute))
    return str(part)


def _type(name: str) -> str:
    """The class that Flax named a layer after: of `encoder/Dense_0`, `Dense`."""
    return re.sub(r"_\d+$", "", name.rpartition("/")[2])


def _units(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    weights = next((shapes[name] for name in _WEIGHTS if name in shapes and len(shapes[name]) > 1), None)
    if weights is None:
        return {}
    if len(weights) == 2:
        return {"units": weights[-1]}
    return {"filters": weights[-1], "kernel_size": json_text(list(weights[:-2]))}


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    row: dict[str, Any] = {"num_parameters": sum(math.prod(shape) for shape in shapes.values())}
    if shapes:
        row["shapes"] = json_text({name: list(shape) for name, shape in shapes.items()})
    return row
