"""One name for each metric, whatever shape a framework tells them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Metrics of a tree of mappings under one name each.

    Example:
        >>> flat({"loss": 0.5, "accuracy": {"top1": 0.6, "top5": 0.9}})
        {'loss': 0.5, 'accuracy_top1': 0.6, 'accuracy_top5': 0.9}
    """
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}_"))
        else:
            found[f"{prefix}{name}"] = value
    return found
