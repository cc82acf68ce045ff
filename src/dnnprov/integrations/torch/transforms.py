"""The transforms of a data set as rows of oFilters: what the samples went through before the model saw them.

They are known by what they can do, whoever wrote them: a `Compose` has `transforms`, an `nn.Sequential` has children,
anything else is one transform, told by its class and the plain values that it holds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from dnnprov.integrations.torch.described import described, held_arguments
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILTERS = 100
MAX_DEPTH = 8


def filter_rows(dataset: Any) -> list[Mapping[str, Any]]:
    """One row for each transform of the inputs of a data set, in order; a subset has those of the whole."""
    found: list[Any] = []
    for one in base_datasets(dataset):
        given = _attribute(one, "transform")
        if given is None:  # torchvision's v2 wraps both, as `transforms`
            given = _attribute(_attribute(one, "transforms"), "transform") or _attribute(one, "transforms")
        found += _flat(given, 0)
    return [_row(one) for one in found[:MAX_FILTERS]]


def base_datasets(dataset: Any) -> list[Any]:
    """What a data set is made from, the outermost first: a Subset has a `dataset`, a ConcatDataset `datasets`."""
    found: list[Any] = []
    waiting = [dataset]
    while waiting and len(found) < MAX_DEPTH:
        one = waiting.pop(0)
        found.append(one)
        inner = _attribute(one, "dataset")
        several = _attribute(one, "datasets")
        waiting += [inner] if inner is not None else (list(several)[:1] if isinstance(several, list | tuple) else [])
    return found


def _flat(transform: Any, depth: int) -> list[Any]:
    if transform is None:
        return []
    parts = _attribute(transform, "transforms")
    if isinstance(transform, torch.nn.Sequential):
        parts = list(transform)
    if isinstance(parts, list | tuple | torch.nn.ModuleList) and depth < MAX_DEPTH and _is_plain_chain(transform):
        return [inner for part in parts for inner in _flat(part, depth + 1)]
    return [transform]


def _is_plain_chain(transform: Any) -> bool:
    """Whether all of its parts are done one after the other; RandomApply, RandomChoice... do not say that."""
    return not type(transform).__name__.startswith("Random")


def _row(transform: Any) -> dict[str, Any]:
    is_function = not isinstance(transform, torch.nn.Module) and hasattr(transform, "__name__")
    row: dict[str, Any] = {"filter_name": str(transform.__name__ if is_function else type(transform).__name__)}
    with suppress(Exception):  # the transform is the user's, and may raise anything
        held = {} if is_function else held_arguments(transform)
        parameters = {name: told for name, value in held.items() if (told := described(value)) is not None}
        if parameters:
            row["parameters"] = json_text(parameters)
    return row


def _attribute(thing: Any, name: str) -> Any:
    with suppress(Exception):  # a property of the user's may raise anything
        return getattr(thing, name, None)
    return None
