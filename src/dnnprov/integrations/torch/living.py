"""Which model an optimizer trains, and which schedulers steer it: PyTorch does not say, so the living objects do.

An optimizer knows parameters, not the module that they are of, and no scheduler. So once, when an optimizer is met, the
objects that Python tracks are looked through by their type alone, which touches none of them: a tenth of a second
among 300,000 objects.
"""

from __future__ import annotations

import gc
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

_WRAPPERS = frozenset({"OptimizedModule", "DataParallel", "DistributedDataParallel", "FullyShardedDataParallel"})
_MAX_PARTS = 1000
"""Of one object, that an optimizer is looked for among."""

_INNER = {"OptimizedModule": "_orig_mod"}


@dataclass(frozen=True)
class Living:
    """The objects that were alive at one moment.

    Attributes:
        modules: of `torch.nn`, and of classes made from it.
        schedulers: of learning rates.
    """

    modules: list[Any]
    schedulers: list[Any]


def find_living() -> Living:
    """All that are alive and known to the garbage collector."""
    objects = gc.get_objects()
    kinds = [kind for kind in set(map(type, objects)) if issubclass(kind, torch.nn.Module | LRScheduler)]
    wanted = frozenset(kinds)
    found = [one for one in objects if type(one) in wanted]
    modules = [one for one in found if issubclass(type(one), torch.nn.Module) and "_modules" in vars(one)]
    return Living(modules, [one for one in found if issubclass(type(one), LRScheduler)])


def find_optimizers() -> list[Any]:
    """Those that are alive, the oldest first."""
    return [
        one for one in gc.get_objects() if issubclass(type(one), torch.optim.Optimizer) and hasattr(one, "param_groups")
    ]


def held_by_frames(wanted: list[Any], error: BaseException) -> list[Any]:
    """Those that the functions which an exception left hold, in a variable or in an object that a variable holds."""
    held: set[int] = set()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            held.add(id(value))
            with suppress(Exception):  # an object of the user's may answer as it likes
                parts = value if type(value) in {dict, list, tuple} else vars(value)
                if len(parts) <= _MAX_PARTS:
                    held.update(map(id, parts.values() if hasattr(parts, "values") else parts))
    return [one for one in wanted if id(one) in held]


def find_models(optimizer: Any, living: Living) -> list[Any]:
    """The models whose parameters an optimizer trains, each as a whole: the fewest that have them all.

    A model is a module that no other holds; of several that share parameters, the one with the most of these and the
    least else. Wrappers, as `torch.compile` makes, are taken off; a graph that it traced of a model is not the model.
    """
    wanted = {id(parameter) for parameter in parameters_of(optimizer)}
    modules = living.modules
    inner = {id(child) for one in modules for child in vars(one)["_modules"].values() if child is not None}
    roots = [(one, _parameter_ids(one)) for one in modules if id(one) not in inner]
    candidates = [(one, ids) for one, ids in roots if ids & wanted]
    found = []
    while wanted and candidates:
        model, ids = min(candidates, key=lambda pair: (-len(pair[1] & wanted), len(pair[1]), _is_traced(pair[0])))
        if not ids & wanted:
            break
        found.append(unwrapped(model))
        wanted -= ids
        candidates = [pair for pair in candidates if pair[0] is not model]
    return found


def _is_traced(module: Any) -> bool:
    return isinstance(module, torch.fx.GraphModule)


def unwrapped(model: Any) -> Any:
    """A model without what `torch.compile` or a parallel wrapper put around it."""
    while type(model).__name__ in _WRAPPERS:
        inner = getattr(model, _INNER.get(type(model).__name__, "module"), None)
        if not isinstance(inner, torch.nn.Module):
            break
        model = inner
    return model


def find_schedulers(optimizer: Any, living: Living) -> list[Any]:
    """The schedulers of an optimizer, without those that are part of another one."""
    found = [one for one in living.schedulers if vars(one).get("optimizer") is optimizer]
    inner = {id(part) for one in found for part in vars(one).get("_schedulers", ())}
    return [one for one in found if id(one) not in inner]


def parameters_of(optimizer: Any) -> list[Any]:
    """The parameters in all groups of an optimizer."""
    return [parameter for group in optimizer.param_groups for parameter in group.get("params", ())]


def _parameter_ids(module: Any) -> set[int]:
    """Of a module and all in it, past `parameters()`, which a class of the user's may shadow."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        found.update(id(parameter) for parameter in vars(one).get("_parameters", {}).values() if parameter is not None)
        waiting += [child for child in vars(one).get("_modules", {}).values() if child is not None]
    return found
