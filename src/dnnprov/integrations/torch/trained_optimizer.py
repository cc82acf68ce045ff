"""One optimizer of a training: the loss that it steps down, and the values of its groups as its steps used them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.torch.losses import RunningLoss
from dnnprov.integrations.torch.optimizers import RATE, group_values, rates
from dnnprov.integrations.torch.schedulers import SchedulerWatch, technique_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from dnnprov.integrations.technique import Technique
    from dnnprov.integrations.torch.living import Living


class TrainedOptimizer:
    """Watches one optimizer, which it does not keep alive.

    Its values are compared at the first step of an epoch. A rate that moves during an epoch, with a schedule that steps
    each batch, is compared once more when the epoch ends: one adaptation an epoch, however many steps.

    Args:
        optimizer: of PyTorch, or any with `param_groups`.
        suffix: behind the names of its values; empty for the first of a training.
        living: what is alive now: its schedulers are found there.
        given: schedulers that the user named.

    Attributes:
        suffix: as given.
        schedulers: that steer it.
        loss: that it steps down.
        num_steps: that it has made.
    """

    def __init__(self, optimizer: Any, suffix: str, living: Living, given: Iterable[Any] = ()) -> None:
        self.reference = weakref.ref(optimizer)
        self.suffix = suffix
        self.schedulers = SchedulerWatch(optimizer, living, given)
        self.loss = RunningLoss()
        self.num_steps = 0
        self._rates: list[Any] = []
        self._only_rate: Any = None
        self._groups: list[dict[str, Any]] = []
        self._moved_by: list[Any] = []
        self._is_first, self._is_moving, self._was_moving = True, False, False

    def begin_epoch(self) -> None:
        """The next step is the first of an epoch."""
        self._is_first, self._was_moving, self._is_moving = True, self._is_moving, False

    def step(
        self, optimizer: Any, losses: Collection[Any], see: Callable[[TrainedOptimizer, Mapping[str, Any]], None]
    ) -> None:
        """It has made a step.

        Args:
            optimizer: that `reference` refers to.
            losses: that `backward` was called on since the step before.
            see: is told its values where they may have changed.
        """
        self.num_steps += 1
        if losses:
            self.loss.add(losses)
        groups = optimizer.param_groups  # of one, as most have, the rate is looked at here
        if self._is_first or len(groups) != 1 or groups[0].get("lr") is not self._only_rate:
            self._look(optimizer, see)

    def _look(self, optimizer: Any, see: Callable[[TrainedOptimizer, Mapping[str, Any]], None]) -> None:
        """The step is the first of an epoch, or there may be another rate."""
        if self._is_first:
            self._is_first = False
            self._keep(optimizer)
            if not self._was_moving:
                self._moved_by = self.schedulers.stepped()
                see(self, group_values(self._groups, self.suffix))
        elif self._has_moved(optimizer):
            if not self._is_moving:
                self._is_moving = True
                self._moved_by = self.schedulers.stepped()
            self._keep(optimizer)

    def close_epoch(self, see: Callable[[TrainedOptimizer, Mapping[str, Any]], None]) -> dict[str, Any]:
        """The epoch has trained: the rates that its last step used, by name."""
        if not self._groups:
            return {}
        values = group_values(self._groups, self.suffix)
        if self._is_moving or self._was_moving:
            see(self, values)
        return {name: value for name, value in values.items() if name.startswith(RATE)}

    def technique(self, metrics: Mapping[str, Any]) -> Technique:
        """Who changed what was seen last."""
        self._moved_by = self._moved_by or self.schedulers.new()
        return technique_of(self._moved_by, metrics)

    def _keep(self, optimizer: Any) -> None:
        self._rates = rates(optimizer)
        self._only_rate = self._rates[0] if len(self._rates) == 1 else None
        self._groups = [
            {name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups
        ]

    def _has_moved(self, optimizer: Any) -> bool:
        groups = optimizer.param_groups
        if len(groups) != len(self._rates):
            return True
        for group, before in zip(groups, self._rates, strict=True):
            rate = group.get("lr")
            if rate is not before and not (type(rate) is float and type(before) is float and rate == before):
                return True
        return False
