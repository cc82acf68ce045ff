"""The optimizers of a trainer built on PyTorch, told once an epoch, however often a schedule moves their rates.

A scheduler may change a rate after every step. What is recorded is the rate of the last step of an epoch: it stands in
the epoch's row, and where it is another than that of the epoch before, it is one adaptation.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch.compiler import is_compiling

from dnnprov.integrations.technique import BY_HAND, Technique
from dnnprov.integrations.torch.cycled_momentum import MOMENTA, cycles_momentum
from dnnprov.integrations.torch.optimizers import (
    RATE,
    group_values,
    optimizer_names,
    other_names,
    starting_values,
)
from dnnprov.integrations.torch.schedulers import position, scheduler_parameters, technique_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dnnprov.integrations.training_steps import TrainingSteps

MAX_WRAPPERS = 3


class TrainerOptimizers:
    """Watches the optimizers of one training.

    Args:
        steps: to tell what is seen.

    Attributes:
        epoch_rates: that the last step of the last epoch trained with, by name.
    """

    def __init__(self, steps: TrainingSteps) -> None:
        self._steps = steps
        self._optimizers: list[Any] = []
        self._used: dict[int, list[dict[str, Any]]] = {}
        self._moving: tuple[str, ...] = (RATE,)
        self._hooks: list[Any] = []
        self._schedulers: list[Any] = []
        self._positions: dict[int, Any] = {}
        self.epoch_rates: dict[str, Any] = {}

    def begin(
        self, optimizers: Sequence[Any], within: Sequence[Any] = (), by_hand: Sequence[Any] = ()
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the optimizers of the training that begins hold; the rates are those that schedules start from.

        Args:
            optimizers: of the training.
            within: schedulers that act after every step.
            by_hand: schedulers that the script steps itself, whenever it likes.

        Returns:
            What is watched, and the same under the names of other frameworks.
        """
        self.end()
        self._optimizers, self.epoch_rates = list(optimizers), {}
        bares = [bare_optimizer(one) for one in self._optimizers]
        is_cycled = any(cycles_momentum(within, one) for one in bares)
        self._moving = (RATE, *MOMENTA) if is_cycled else (RATE,)
        self._schedulers, self._positions = list(by_hand), {id(one): position(one) for one in by_hand}
        held, others = self._values(), {}
        for place, (optimizer, bare) in enumerate(zip(self._optimizers, bares, strict=True)):
            suffix = _suffix(place)
            held = {**optimizer_names(bare, suffix), **held}
            others.update(other_names(bare, suffix))
            held.update(starting_values(optimizer.param_groups, suffix))
            if callable(register := getattr(bare, "register_step_pre_hook", None)):
                names = ("lr", *MOMENTA) if is_cycled else ("lr",)
                self._hooks.append(register(_noting(self._used, id(optimizer), names)))
        return held, {name: value for name, value in others.items() if name not in held}

    def end(self) -> None:
        """The training is over: hold on to nothing of it."""
        for hook in self._hooks:
            hook.remove()
        self._optimizers, self._hooks = [], []
        self._schedulers, self._positions = [], {}
        self._used.clear()

    def see(self, technique: Callable[[], Technique] = lambda: BY_HAND, *, is_scheduled: bool = False) -> None:
        """Look for what was changed between epochs.

        Args:
            technique: tells who did it; called only where something changed.
            is_scheduled: whether schedulers move the rates after every step: then what they are between two epochs says
                nothing.
        """
        held = self._values()
        names = [name for name in held if not (is_scheduled and name.startswith(self._moving))]
        self._see({name: held[name] for name in names}, technique)

    def close_epoch(
        self, within: list[Any], behind: list[Any], technique: Callable[[], Technique] | None = None
    ) -> None:
        """The epoch has trained: tell the rate of its last step, and what was changed for the next one.

        Args:
            within: schedulers that act after every step.
            behind: schedulers that act at the end of an epoch; they have acted.
            technique: tells what those within are, where their class alone does not.
        """
        used = self._values(self._used)
        self.epoch_rates = {name: value for name, value in used.items() if name.startswith(RATE)}
        moved = {name: value for name, value in used.items() if name.startswith(self._moving)}
        self._see(moved, technique if technique and within else lambda: technique_of(within, {}))
        self._steps.close_epoch()
        self.see(lambda: technique_of(within or behind, {}), is_scheduled=bool(within))

    def trained_rates(self) -> dict[str, Any]:
        """The rates of the last steps until now."""
        return {name: value for name, value in self._values(self._used).items() if name.startswith(RATE)}

    def _see(self, values: dict[str, Any], technique: Callable[[], Technique]) -> None:
        """Compare values; of schedulers that the script steps itself, each tells that it changed its optimizer's."""
        stepped = [one for one in self._schedulers if self._positions.get(id(one)) != position(one)]
        self._positions = {id(one): position(one) for one in self._schedulers}
        for place in range(len(self._optimizers)) if stepped else ():
            bare = bare_optimizer(self._optimizers[place])
            own = [one for one in stepped if getattr(one, "optimizer", None) is bare]
            names = [name for name in values if name.startswith(RATE) and self._place_of(name) == place]
            if own and names:
                found = {name: values.pop(name) for name in names}
                self._steps.see(found, functools.partial(technique_of, own, {}))
        self._steps.see(values, technique)

    def _place_of(self, name: str) -> int:
        """The place of the optimizer that a value is of, as the end of its name says."""
        last = len(self._optimizers) - 1
        return next((place for place in range(last, 0, -1) if name.endswith(_suffix(place))), 0)

    def _values(self, used: Mapping[int, list[dict[str, Any]]] | None = None) -> dict[str, Any]:
        """The values of all groups; with what the last steps used, where that is given."""
        found: dict[str, Any] = {}
        for place, optimizer in enumerate(self._optimizers):
            groups = [dict(group) for group in optimizer.param_groups]
            for group, values in zip(groups, (used or {}).get(id(optimizer), ()), strict=False):
                group.update(values)
            found.update(group_values(groups, _suffix(place)))
        return found


def _noting(used: dict[int, list[dict[str, Any]]], key: int, names: tuple[str, ...]) -> Callable[..., None]:
    """A hook for the steps of an optimizer: notes what each is made with, without reading a device.

    PyTorch calls it for each step; the hooks of Trainers cost several times as much.
    """

    def note(optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG001 - of PyTorch
        if not is_compiling():
            try:
                used[key] = [{name: group[name] for name in names if name in group} for group in optimizer.param_groups]
            except Exception:  # noqa: BLE001 - P1: then it is what they hold when the epoch ends
                used.pop(key, None)

    return note


def bare_optimizer(optimizer: Any) -> Any:
    """The optimizer in a wrapper of Lightning's or Accelerate's."""
    for _ in range(MAX_WRAPPERS):
        inner = getattr(optimizer, "optimizer", None)
        if not hasattr(inner, "param_groups"):
            break
        optimizer = inner
    return optimizer


def metric_technique(scheduler: Any, monitor: str, value: Any) -> Technique:
    """The technique of a scheduler that waits for a metric.

    Args:
        scheduler: that changed a rate.
        monitor: name of the metric.
        value: that it saw; `None` where that is not known.
    """
    reason = f"{monitor} did not improve, patience {getattr(scheduler, 'patience', None)}"
    seen = None if value is None else f"{monitor}={value}"
    return Technique(type(scheduler).__name__, scheduler_parameters(scheduler), "schedule", reason, seen)


def _suffix(place: int) -> str:
    """Behind the names of the values of an optimizer: nothing for the first of several."""
    return f"_{place + 1}" if place else ""
