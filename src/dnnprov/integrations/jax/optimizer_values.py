"""What an optimizer of optax holds now: the hyperparameters in its state, and what its schedules give at its count.

Reading them waits for the device, so it is done once an epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.integrations.jax.schedules import leads_to, schedule_name, schedule_values
from dnnprov.integrations.jax.tracing import is_traced
from dnnprov.integrations.jax.transformations import RATE, Made, made_of
from dnnprov.integrations.technique import BY_HAND, Technique
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    def at_start(self, state: Any = None) -> dict[str, Any]:
        """What it holds before the first step; arguments as for `now`."""
        return self._held(self._optimizer if state is None else state)

    def warm_up(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The rates that a warm-up leads to, of those that are zero at the start.

        Args:
            held: what `at_start` gave.
        """
        rates = {name: leads_to(schedule) for name, schedule in self.made.schedules.items() if held.get(name) == 0}
        return {name: rate for name, rate in rates.items() if rate is not None}

    def now(self, state: Any = None) -> dict[str, Any]:
        """What it holds now: of each value that may change, the one that the last step was made with.

        Args:
            state: of the optimizer, or `TrainState`; what the optimizer itself holds, where it is left out. What holds
                another state after each step tells nothing then.
        """
        if state is None and not _is_live(self._optimizer):
            return {}
        return self._held(self._optimizer if state is None else state)

    def _held(self, held: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        nodes = list(_nodes(getattr(held, "opt_state", held)))
        for node in nodes:
            hyperparams = getattr(node, "hyperparams", None)
            if isinstance(hyperparams, dict):
                self._scheduled.update(getattr(node, "hyperparams_states", None) or {})
                for name, value in hyperparams.items():
                    if not is_traced(raw := _raw(value)):
                        found[_free(found, name)] = plain_value(raw)
            if type(node).__name__ == _PLATEAU and not is_traced(node.scale):
                found[SCALE] = plain_value(_raw(node.scale))
        count = _count(nodes)
        if RATE not in found and (schedule := self.made.schedules.get(RATE)) is not None and not is_traced(count):
            found[RATE] = plain_value(schedule(max(int(count) - 1, 0)))
        return found

    def technique(self, name: str) -> Technique:
        """Who changed a value: its schedule, or else the loop."""
        if name == SCALE:
            return Technique("reduce_on_plateau", agent="schedule")
        if name not in self._scheduled:
            return BY_HAND
        schedule = self.made.schedules.get(name)
        if schedule is None:
            return Technique("schedule", agent="schedule")
        return Technique(schedule_name(schedule), schedule_values(schedule), agent="schedule")


def _is_live(optimizer: Any) -> bool:
    """Whether an optimizer holds its state itself, as that of Flax NNX does; a `TrainState` cannot be changed."""
    made_as = getattr(type(optimizer), "__dataclass_params__", None)
    return hasattr(optimizer, "opt_state") and not getattr(made_as, "frozen", False)


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


def _count(nodes: list[Any]) -> Any:
    """How many steps a schedule has seen."""
    for node in nodes:
        if type(node).__name__ == _SCHEDULED:
            return _raw(node.count)
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
