"""What PyTorch's optimizers, schedulers and modules tell of themselves, as the trainers built on it need it."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.technique import Technique
from dnnprov.model.tensors import is_tensor
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RATE = "learning_rate"
_NAMES = {"lr": RATE}
_LEFT_OUT = frozenset({"params", "initial_lr", "param_names", "foreach", "differentiable", "capturable", "fused"})
_STATE = frozenset(
    {"optimizer", "last_epoch", "best", "num_bad_epochs", "cooldown_counter", "mode_worse", "verbose", "base_lrs"}
)


def optimizer_values(optimizers: Sequence[Any]) -> dict[str, Any]:
    """Class and values of optimizers: of the first group plain, of further groups and optimizers with a number."""
    found: dict[str, Any] = {}
    for place, group in enumerate(_groups(optimizers)):
        for name, value in group.items():
            if name not in _LEFT_OUT:
                _put(found, _NAMES.get(name, name), place, value)
    for place, optimizer in enumerate(optimizers):
        _put(found, "optimizer_name", place, type(bare_optimizer(optimizer)).__name__)
    return found


def rate_values(optimizers: Sequence[Any], rates: Mapping[int, Sequence[Any]]) -> dict[str, Any]:
    """Rates that were seen of each optimizer, by its id, under the names that `optimizer_values` gives them."""
    found: dict[str, Any] = {}
    seen = [rate for one in optimizers for rate in rates.get(id(one), [group["lr"] for group in one.param_groups])]
    for place, rate in enumerate(seen):
        _put(found, RATE, place, rate)
    return found


def bare_optimizer(optimizer: Any) -> Any:
    """The optimizer in a wrapper of Lightning's or Accelerate's."""
    for _ in range(3):
        inner = getattr(optimizer, "optimizer", None)
        if not hasattr(inner, "param_groups"):
            break
        optimizer = inner
    return optimizer


def scheduler_technique(scheduler: Any, triggered_by: str | None = None) -> Technique:
    """The technique that a scheduler is, with what it was made with."""
    parameters: dict[str, Any] = {}
    for name, value in vars(scheduler).items():
        if not name.startswith("_") and name not in _STATE and isinstance(value, bool | int | float | str | list):
            parameters[name] = plain_value(value)
    with suppress(Exception):
        parameters["initial_lrate"] = plain_value(scheduler.base_lrs[0])
    for function in getattr(scheduler, "lr_lambdas", [])[:1]:
        parameters.pop("lr_lambdas", None)
        if isinstance(function, functools.partial):
            parameters.update({name: plain_value(value) for name, value in function.keywords.items()})
            function = function.func  # noqa: PLW2901
        parameters["schedule"] = getattr(function, "__qualname__", type(function).__name__).rpartition("<locals>.")[2]
    return Technique(type(scheduler).__name__, parameters, "schedule", None, triggered_by)


def layer_rows(module: Any) -> list[Mapping[str, Any]]:
    """One row of iLayers for each module without children."""
    rows: list[Mapping[str, Any]] = []
    for name, one in module.named_modules():
        if any(True for _ in one.children()):
            continue
        sizes = [parameter.numel() for parameter in one.parameters(recurse=False)]
        row = {"position": len(rows) + 1, "name": name, "type": type(one).__name__, "num_parameters": sum(sizes)}
        rate = getattr(one, "p", None)
        rows.append({**row, "rate": rate, "value": plain_value(rate)} if isinstance(rate, float) else row)
    return rows


def _groups(optimizers: Iterable[Any]) -> list[Mapping[str, Any]]:
    return [group for optimizer in optimizers for group in optimizer.param_groups]


def _put(found: dict[str, Any], name: str, place: int, value: Any) -> None:
    """A value under its name; of a further group under a numbered one, where it is another."""
    if is_tensor(value):
        value = plain_value(value)
    if place == 0 or name not in found:
        found[name] = value
    elif found[name] != value:
        found[f"{name}_{place + 1}"] = value
