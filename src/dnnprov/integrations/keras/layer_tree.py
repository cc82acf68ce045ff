"""The layers of a Keras model in order, those of models and blocks nested in it in their place.

Each layer comes once, however often the model calls it. A block is what holds other layers: a model, a layer of the
user that has layers of its own, a wrapper around either. It gives way to its layers, and comes as a layer itself
only where it has weights that none of them has: a class token, say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import keras

Feeds: TypeAlias = dict[int, list[str]]
"""Identity of an input layer of a nested model -> names of the layers that feed it."""


@dataclass(eq=False)
class PlacedLayer:
    """A layer and its place in the model.

    Attributes:
        layer: of Keras or of the user.
        path: names of the blocks that it is in and its own: `encoder/dense`.
        parent: the block that it is in; `None` for a layer of the model itself.
        depth: 1 for a layer of the model itself, 2 for one of a block in it; 0 for weights of the model's own.
        uses: how often the model calls it; `None` where code of the user does.
        nodes: its calls in the graph of its block, where that has one.
        inbound: names of the layers that its inputs come from; empty where that is in code.
        own_weights: of a block, those that none of its layers has.
    """

    layer: Any
    path: str
    parent: Any = None
    depth: int = 1
    uses: int | None = None
    nodes: list[Any] = field(default_factory=list)
    inbound: list[str] = field(default_factory=list)
    own_weights: list[Any] | None = None


def placed_layers(model: Any) -> list[PlacedLayer]:
    """The layers of a model in order; those of a functional one from its inputs on."""
    walk = _Walk()
    # A sequential model has an input layer that is none of its layers.
    feeds: Feeds = {id(one): [] for one in _input_layers(model)} if isinstance(model, keras.Sequential) else {}
    walk.enter(PlacedLayer(model, model.name, depth=0, uses=1), "", feeds)
    return walk.found


def all_layers(model: Any) -> list[Any]:
    """The layers of a model in order, those of models nested in it in their place."""
    return [placed.layer for placed in placed_layers(model)]


def wrapped_layer(layer: Any) -> Any | None:
    """What a wrapper is around: a layer, the cell of a recurrent one, a module of another framework."""
    for name in ("layer", "forward_layer", "cell", "module"):
        inner = getattr(layer, name, None)
        if inner is not None and not callable(getattr(inner, "__func__", None)) and not isinstance(inner, str | type):
            return inner
    return None


@dataclass(frozen=True)
class _Outputs:
    """The outputs of a model as what calls it takes them."""

    input_tensors: list[Any]


class _Walk:
    """One walk over the layers of a model."""

    def __init__(self) -> None:
        self.found: list[PlacedLayer] = []
        self._places: dict[int, PlacedLayer] = {}
        self._within: dict[int, list[PlacedLayer]] = {}
        self._given_by: dict[int, list[str]] = {}
        self._open: set[int] = set()

    def enter(self, block: PlacedLayer, prefix: str, feeds: Feeds) -> list[PlacedLayer]:
        """Place the layers of a block; a second time it adds to their uses.

        Args:
            block: to enter, the model itself first.
            prefix: of their paths, with its slash.
            feeds: what the inputs of the block stand for.
        """
        key = id(block.layer)
        if key in self._open:  # a layer that holds the model that it is in
            return []
        if key in self._within:
            for placed in self._within[key]:
                placed.uses = _sum(placed.uses, block.uses)
            return self._within[key]
        self._open.add(key)
        first, within = len(self.found), []
        calls, previous = _calls(block.layer), None
        for layer in _layers_of(block.layer):
            if id(layer) in feeds:  # the input of an inner model is the output of a layer that has come
                continue
            placed = _place(layer, block, prefix, calls)
            placed.inbound = self._inbound(placed.nodes, feeds)
            if not placed.nodes and not _is_code(block.layer):
                placed.inbound = block.inbound if previous is None else self._names(previous)
            within += self._enter_or_keep(placed)
            previous = layer
        self._keep_own_weights(block, within, first)
        self._given_by[key] = self._outputs(block.layer, previous)
        self._within[key] = within
        self._open.discard(key)
        return within

    def _enter_or_keep(self, placed: PlacedLayer) -> list[PlacedLayer]:
        if is_block(placed.layer):
            return self.enter(placed, f"{placed.path}/", _feeds_of(placed))
        known = self._places.setdefault(id(placed.layer), placed)
        if known is placed:
            self.found.append(placed)
        else:
            known.uses = _sum(known.uses, placed.uses)
            known.inbound += [name for name in placed.inbound if name not in known.inbound]
            known.nodes = known.nodes + placed.nodes
        return [known]

    def _inbound(self, nodes: list[Any], feeds: Feeds) -> list[str]:
        """Names of the layers that the inputs of calls come from, also through operations that are no layers."""
        found: dict[str, None] = {}
        tensors, seen = [tensor for node in nodes for tensor in node.input_tensors], set()
        while tensors:
            tensor = tensors.pop(0)
            origin = _origin(tensor)
            if origin is None or id(tensor) in seen:
                continue
            seen.add(id(tensor))
            if id(origin) in feeds or isinstance(origin, keras.layers.Layer):
                found.update(dict.fromkeys(feeds[id(origin)] if id(origin) in feeds else self._names(origin)))
            else:
                tensors += _call_of(tensor).input_tensors
        return list(found)

    def _names(self, layer: Any) -> list[str]:
        return self._given_by.get(id(layer)) or [layer.name]

    def _outputs(self, block: Any, last: Any) -> list[str]:
        """Names of the layers that give a block's outputs; none where that is in code."""
        outputs = _tensors(block, "outputs")
        if not outputs:
            return [] if last is None or _is_code(block) else self._names(last)
        return self._inbound([_Outputs(outputs)], {})

    def _keep_own_weights(self, block: PlacedLayer, within: list[PlacedLayer], first: int) -> None:
        """Place a block before its layers where it has weights of its own."""
        if not block.layer.built:
            return
        of_layers = {id(weight) for placed in within for weight in weights_of(placed)}
        block.own_weights = [weight for weight in block.layer.weights if id(weight) not in of_layers]
        if block.own_weights:
            self.found.insert(first, block)
            within.insert(0, block)


def weights_of(placed: PlacedLayer) -> list[Any]:
    """The weights of a layer, or of a block those of its own."""
    weights: list[Any] = placed.layer.weights if placed.own_weights is None else placed.own_weights
    return weights


def is_block(layer: Any) -> bool:
    """Whether a layer gives way to the layers in it."""
    if isinstance(layer, keras.Model | _PIPELINES):
        return bool(_layers_of(layer))
    if isinstance(layer, keras.layers.Wrapper):
        inner = wrapped_layer(layer)
        return isinstance(inner, keras.layers.Layer) and is_block(inner)
    return _is_direct_layer(type(layer)) and bool(_layers_of(layer))


_PIPELINES: Any = getattr(keras.layers, "Pipeline", keras.Model)  # since Keras 3.?


def _is_direct_layer(kind: type) -> bool:
    """Whether a class is the user's, and of Keras' layers only the base is above it."""
    nearest = next((one for one in kind.__mro__ if one.__module__.startswith("keras.")), None)
    return nearest is keras.layers.Layer


def _layers_of(block: Any) -> list[Any]:
    if isinstance(block, keras.Model | _PIPELINES):
        return list(block.layers)
    if isinstance(block, keras.layers.Wrapper):
        return [wrapped_layer(block)]
    return list(getattr(block, "_layers", []))


def _place(layer: Any, block: PlacedLayer, prefix: str, calls: dict[int, list[Any]]) -> PlacedLayer:
    nodes = calls.get(id(layer), [])
    uses = None if _is_code(block.layer) or block.uses is None else block.uses * max(len(nodes), 1)
    parent = block.layer if block.depth else None
    return PlacedLayer(layer, f"{prefix}{layer.name}", parent, block.depth + 1, uses, nodes)


def _graph(block: Any) -> Any | None:
    """What holds the calls of a functional or sequential model; `None` where there is none, or not yet."""
    graph = getattr(block, "_functional", None) if isinstance(block, keras.Sequential) else block
    return graph if hasattr(graph, "_nodes_by_depth") else None


def _is_code(block: Any) -> bool:
    """Whether code of the user calls the layers of a block, so that nobody knows how often and in which order."""
    if _graph(block) is not None:
        return False
    is_fixed = isinstance(block, keras.Sequential | keras.layers.Wrapper | _PIPELINES)
    return not (is_fixed and type(block).call.__module__.startswith("keras."))


def _calls(block: Any) -> dict[int, list[Any]]:
    """Identity of an operation -> its calls in the graph of a block, in the order that they were made in."""
    calls: dict[int, list[Any]] = {}
    for nodes in getattr(_graph(block), "_nodes_by_depth", {}).values():
        for node in nodes:
            calls.setdefault(id(node.operation), []).append(node)
    for nodes in calls.values():
        if len(nodes) > 1:
            made = [id(node) for node in nodes[0].operation._inbound_nodes]  # noqa: SLF001 - in no public list
            nodes.sort(key=lambda node: made.index(id(node)))
    return calls


def _origin(tensor: Any) -> Any | None:
    return tensor._keras_history.operation  # noqa: SLF001 - Keras has no public way to where a tensor comes from


def _call_of(tensor: Any) -> Any:
    """The call that a symbolic tensor came out of."""
    history = tensor._keras_history  # noqa: SLF001 - as in _origin
    return history.operation._inbound_nodes[history.node_index]  # noqa: SLF001


def _tensors(block: Any, side: str) -> list[Any]:
    """The symbolic `inputs` or `outputs` of a model with a graph."""
    return list(keras.tree.flatten(getattr(_graph(block), side, None) or []))


def _input_layers(block: Any) -> list[Any]:
    return [_origin(tensor) for tensor in _tensors(block, "inputs")]


def _feeds_of(placed: PlacedLayer) -> Feeds:
    """What feeds each input of a nested model: one layer each where there are as many, else all of them."""
    own = _input_layers(placed.layer)
    if len(own) == len(placed.inbound):
        return {id(one): [name] for one, name in zip(own, placed.inbound, strict=True)}
    return {id(one): list(placed.inbound) for one in own}


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
