"""What an Accelerator of Accelerate adds to a loop: it accumulates gradients, mixes precisions and joins processes."""

from __future__ import annotations

import sys
from typing import Any

_STATE = "accelerate.state"


def accelerator_values() -> dict[str, Any]:
    """The settings of the Accelerator in this process; nothing where there is none."""
    state = sys.modules.get(_STATE)
    if state is None or not state.AcceleratorState._shared_state:  # noqa: SLF001 - to ask for it would make one
        return {}
    shared, gradients = state.AcceleratorState(), state.GradientState()
    found = {"gradient_accumulation_steps": gradients.num_steps, "mixed_precision": shared.mixed_precision}
    if shared.num_processes > 1:
        found["world_size"] = shared.num_processes
    return {name: value for name, value in found.items() if value not in {None, "no"}}


def values_in_pass() -> dict[str, Any]:
    """The same for what trains now, where its loader is one that an Accelerator prepared."""
    state = sys.modules.get(_STATE)
    if state is None or not state.GradientState._shared_state:  # noqa: SLF001 - likewise
        return {}
    return accelerator_values() if state.GradientState().in_dataloader else {}
