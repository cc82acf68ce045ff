"""Where Ray Tune searches, as rows of iSearchSpace, and the configuration of a trial as hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnnprov.integrations.metric_names import PARAMETERS, canonical_parameters
from dnnprov.model.values import json_text

_GRID = "grid_search"
SHARED = frozenset(PARAMETERS.values())
"""Names of hyperparameters that every framework shares, as far as scripts call them otherwise."""


def flat_config(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration with one name for each value, as Ray writes them.

    Example:
        >>> flat_config({"lr": 0.1, "net": {"units": 8, "kind": dict}})
        {'lr': 0.1, 'net/units': 8, 'net/kind': 'dict'}
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found.update(flat_config(value, f"{prefix}{name}/"))
        elif value is not None:
            found[f"{prefix}{name}"] = _described(value)
    return found


def trial_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as hyperparameters: as `flat_config`, and under the names that every framework shares.

    Of a name within another, its last part says what it is, where only one has that.

    Example:
        >>> trial_values({"lr": 0.1, "loop": {"bs": 8}, "a": {"wd": 0.1}, "b": {"wd": 0.2}})
        {'learning_rate': 0.1, 'batch_size': 8, 'lr': 0.1, 'loop/bs': 8, 'a/wd': 0.1, 'b/wd': 0.2}
    """
    flat = flat_config(config)
    last = [name.rpartition("/")[2] for name in flat]
    alone = {part: flat[name] for name, part in zip(flat, last, strict=True) if last.count(part) == 1}
    shared = {name: value for name, value in canonical_parameters(alone).items() if name in SHARED}
    return {**{name: value for name, value in shared.items() if name not in flat}, **flat}


def space_rows(space: Any, prefix: str = "") -> list[dict[str, Any]]:
    """One row for each hyperparameter that is searched for; fixed values are none."""
    rows: list[dict[str, Any]] = []
    for name, value in space.items() if isinstance(space, Mapping) else ():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and set(value) == {_GRID}:
            choices = json_text([_described(one) for one in value[_GRID]])
            rows.append({"name": path, "distribution": "grid", "choices": choices})
        elif isinstance(value, Mapping):
            rows += space_rows(value, f"{path}/")
        elif hasattr(value, "sample") and hasattr(value, "domain_str"):
            rows.append(_domain_row(path, value))
    return rows


def _domain_row(name: str, domain: Any) -> dict[str, Any]:
    sampler = getattr(domain, "sampler", None)
    inner = getattr(sampler, "sampler", sampler)  # of one that rounds
    choices = getattr(domain, "categories", None)
    row = {
        "name": name,
        "distribution": type(domain).__name__.lower(),
        "low": getattr(domain, "lower", None),
        "high": getattr(domain, "upper", None),
        "step": getattr(sampler, "q", None),
        "log": True if "Log" in type(inner).__name__ else None,
        "choices": None if choices is None else json_text([_described(one) for one in choices]),
    }
    return {key: value for key, value in row.items() if value is not None}


def _described(value: Any) -> Any:
    if isinstance(value, bool | int | float | str) or hasattr(value, "item"):
        return value
    if isinstance(value, list | tuple):
        return json_text([_described(one) for one in value])
    return getattr(value, "__name__", None) or type(value).__name__
