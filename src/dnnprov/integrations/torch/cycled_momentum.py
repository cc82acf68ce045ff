"""Schedules that move the momentum beside the rate, after every step, as OneCycleLR and CyclicLR do.

Between two epochs an optimizer then holds what the step after the last one would use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MOMENTA = ("momentum", "betas")
"""What a momentum is called in a group."""


def cycles_momentum(schedulers: Iterable[Any], optimizer: Any) -> bool:
    """Whether one of these schedulers moves the momentum of an optimizer."""
    for one in schedulers:
        if getattr(one, "cycle_momentum", False) is True and getattr(one, "optimizer", None) is optimizer:
            return True
        if cycles_momentum(getattr(one, "_schedulers", None) or (), optimizer):
            return True
    return False
