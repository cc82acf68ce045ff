"""What an optimizer of optax holds now: the hyperparameters in its state, and what its schedules give at its count.

Reading them waits for the device, so it is done once an epoch.
"""

from __future__ import annotations

from typing import Any

from dnnprov.integrations.jax.transformations import RATE, Made, made_of, schedule_name
from dnnprov.integrations.technique import BY_HAND, Technique
from dnnprov.model.values import plain_value

_SCHEDULED = "ScaleByScheduleState"
_PLATEAU = "ReduceLROnPlateauState"
SCALE = "learning_rate_scale"


class OptimizerValues:
    """Reads one optimizer.

    Args:
        optimizer: gradient transformation, optimizer of Flax NNX, state of an optimizer, or `TrainState` of Flax
            linen; `None` where it is not known.
    """

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        transformation = optimizer if _is_transformation(optimizer) else getattr(optimizer, "tx", None)
        self.made: Made = made_of(transformation) if transformation is not None else Made()
        self._scheduled: set[str] = set(self.made.schedules)

    def made_with(self) -> dict[str, Any]:
        """What does not change: class, values and schedules that it was made with."""
        found: dict[str, Any] = {"optimizer_name": self.made.optimizer_name, **self.made.values}
        for name, schedule in self.made.schedules.items():
            found[f"{name}_schedule"] = schedule_name(schedule)
        return {name: value for name, value in found.items() if value is not None}

    def now(self, state: Any = None) -> dict[str, Any]:
        """What it holds now: of each value that may change, the one that the last step was made with.

        Args:
            state: of the optimizer, or `TrainState`; what the optimizer itself holds, where it is left out.
        """
        found: dict[str, Any] = {}
        held = self._optimizer if state is None else state
        nodes = list(_nodes(getattr(held, "opt_state", held)))
        for node in nodes:
            hyperparams = getattr(node, "hyperparams", None)
            if isinstance(hyperparams, dict):
                self._scheduled.update(getattr(node, "hyperparams_states", None) or {})
                for name, value in hyperparams.items():
                    found[_free(found, name)] = plain_value(_raw(value))
            if type(node).__name__ == _PLATEAU:
                found[SCALE] = plain_value(_raw(node.scale))
        if RATE not in found and (schedule := self.made.schedules.get(RATE)) is not None:
            found[RATE] = plain_value(schedule(max(_count(nodes) - 1, 0)))
        return found

    def technique(self, name: str) -> Technique:
        """Who changed a value: its schedule, or else the loop."""
        if name == SCALE:
            return Technique("reduce_on_plateau", agent="schedule")
        if name not in self._scheduled:
            return BY_HAND
        schedule = self.made.schedules.get(name)
        return Technique("schedule" if schedule is None else schedule_name(schedule), agent="schedule")


def _is_transformation(thing: Any) -> bool:
    return callable(getattr(thing, "init", None)) and callable(getattr(thing, "update", None))


def _nodes(state: Any, depth: int = 0) -> Any:
    """The named tuples in the state of an optimizer."""
    if depth > 16:
        return
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        yield state
    if isinstance(state, tuple | list):
        for one in state:
            yield from _nodes(one, depth + 1)
    elif isinstance(state, dict):
        for one in state.values():
            yield from _nodes(one, depth + 1)


def _count(nodes: list[Any]) -> int:
    """How many steps a schedule has seen."""
    for node in nodes:
        if type(node).__name__ == _SCHEDULED:
            return int(_raw(node.count))
    return 0


def _raw(value: Any) -> Any:
    """The array in a variable of Flax NNX."""
    get_value = getattr(value, "get_value", None)
    if callable(get_value):
        return get_value()
    return value.value if type(value).__module__.startswith("flax.") and hasattr(value, "value") else value


def _free(found: dict[str, Any], name: str) -> str:
    """A name for a further value of the same name, of another of several optimizers."""
    number, free = 1, name
    while free in found:
        number += 1
        free = f"{name}_{number}"
    return free
