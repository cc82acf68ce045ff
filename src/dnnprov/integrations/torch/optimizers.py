"""What an optimizer of PyTorch trains with: every value of its parameter groups, under one name in all frameworks.

The first group has the plain names; of a further one, what differs from the first has `_group_2` behind it. Of several
optimizers in one training, the values of each but the first have a suffix: the class of its model, else a number.
"""

from __future__ import annotations

from typing import Any

from dnnprov.integrations.torch.described import described
from dnnprov.model.values import Scalar, plain_value

RATE = "learning_rate"
CANONICAL = {"lr": RATE}
"""Value of a group -> attribute of iTrainingModel, where it has another name there."""

KNOWN_ELSEWHERE = {"weight_decay": ("decay",), "eps": ("epsilon",), "betas": ("beta_1", "beta_2")}
"""Value of a group -> the names that other frameworks have for it, or for its parts; recorded beside its own."""

_UNTOLD = frozenset({"params", "param_names", "initial_lr", "name"})
_OF_SCHEDULES = frozenset({"max_lr", "min_lr", "max_momentum", "base_momentum"})
"""What OneCycleLR and others keep in a group for themselves."""


def group_values(groups: list[dict[str, Any]], suffix: str = "") -> dict[str, Any]:
    """Every value of the parameter groups of an optimizer that is not `None`, by its attribute."""
    found: dict[str, Any] = {}
    first: dict[str, Any] = {}
    for number, group in enumerate(groups, start=1):
        values = {
            CANONICAL.get(name, str(name)): plain(value)
            for name, value in group.items()
            if name not in _UNTOLD and name not in _OF_SCHEDULES and value is not None
        }
        if number == 1:
            first = values
            found.update({f"{name}{suffix}": value for name, value in values.items()})
            continue
        behind = f"_{group['name']}" if isinstance(group.get("name"), str) else f"_group_{number}"
        found.update({f"{name}{behind}{suffix}": v for name, v in values.items() if v != first.get(name)})
    return found


def starting_values(groups: list[dict[str, Any]], suffix: str = "") -> dict[str, Any]:
    """What the groups hold as a training begins; of a warm-up that begins with no rate, the one that it leads to."""
    found = group_values(groups, suffix)
    first = groups[0] if groups else {}
    if found.get(f"{RATE}{suffix}") == 0 and first.get("initial_lr"):
        found[f"{RATE}{suffix}"] = plain(first["initial_lr"])
    return found


def optimizer_names(optimizer: Any, suffix: str = "") -> dict[str, Any]:
    """What an optimizer is."""
    found: dict[str, Any] = {f"optimizer_name{suffix}": type(optimizer).__name__}
    if len(optimizer.param_groups) > 1:
        found[f"num_param_groups{suffix}"] = len(optimizer.param_groups)
    return found


def other_names(optimizer: Any, suffix: str = "") -> dict[str, Any]:
    """What the first group holds, under the names that other frameworks have for it."""
    group = optimizer.param_groups[0] if optimizer.param_groups else {}
    found: dict[str, Any] = {}
    for name, others in KNOWN_ELSEWHERE.items():
        value = group.get(name)
        parts = value if isinstance(value, list | tuple) else [value]
        known = {one: part for one, part in zip(others, parts, strict=False) if part is not None}
        found.update({f"{one}{suffix}": plain(part) for one, part in known.items()})
    return found


def rates(optimizer: Any) -> list[Any]:
    """The learning rates of the groups as they are held: floats, or tensors that lie on a device."""
    return [group.get("lr") for group in optimizer.param_groups]


def plain(value: Any) -> Scalar:
    """A value of a group as a column holds it; a tensor is read, which waits for its device."""
    if hasattr(value, "detach"):
        return plain_value(value.detach())
    return plain_value(described(value))
