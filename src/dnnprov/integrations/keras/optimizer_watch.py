"""Sees what changes in the optimizers of a Keras model while it trains, and hands it to the steps of the training."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.keras.optimizers import (
    RATE,
    learning_rates,
    optimizer_parts,
    rate_schedule,
    scheduled_rates,
    trained_rates,
    unscheduled_values,
)
from dnnprov.integrations.keras.techniques import technique_of_schedule
from dnnprov.integrations.technique import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.integrations.technique import Technique
    from dnnprov.integrations.training_steps import TrainingSteps

_schedules: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()
"""Optimizer -> the schedule in it when it last trained."""


class OptimizerWatch:
    """Watches the optimizers of the model that trains.

    Values are read at the boundaries of epochs only: a rate lies on the device, and reading it waits for that.

    Args:
        steps: to tell what is seen.

    Attributes:
        initial_rate: that the training began with; of several optimizers, the first one's.
        epoch_rates: that the last step of the last epoch trained with, by name.
    """

    def __init__(self, steps: TrainingSteps) -> None:
        self._steps = steps
        self.initial_rate: Any = None
        self.epoch_rates: dict[str, Any] = {}

    def begin(self, model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The rates that a training begins with.

        Returns:
            Those that were changed by hand where they differ from the last seen, and those that a schedule has changed
            since, which the optimizer trained with before.
        """
        self.initial_rate, self.epoch_rates = None, {}
        rates = learning_rates(model)
        self.initial_rate = next(iter(rates.values()), None)
        going_on = _rates_of_schedules_that_go_on(model)
        return (
            {name: rate for name, rate in rates.items() if name not in going_on},
            {name: rate for name, rate in rates.items() if name in going_on},
        )

    def see(self, model: Any, technique: Callable[[], Technique] = lambda: BY_HAND) -> None:
        """Look for what was changed from outside, by a callback or by hand.

        Args:
            model: that trains.
            technique: tells who did it; called only where something changed.
        """
        self._steps.see(unscheduled_values(model), technique)

    def close_epoch(self, model: Any, technique: Callable[[], Technique]) -> None:
        """Look once more at the end of an epoch, and at the rates that schedules give.

        The epoch's row and the adaptation then say the same rate: the one that its last step trained with.
        """
        scheduled = scheduled_rates(model)
        for name, (rate, schedule) in scheduled.items():
            alike = {
                other.removeprefix(RATE): one for other, (_, one) in scheduled.items() if type(one) is type(schedule)
            }
            self._steps.see({name: rate}, functools.partial(technique_of_schedule, schedule, alike))
        self.see(model, technique)
        self.epoch_rates = trained_rates(model)


def _rates_of_schedules_that_go_on(model: Any) -> set[str]:
    """Names of the rates given by a schedule that the optimizer trained with before."""
    found = set()
    for part in optimizer_parts(model):
        schedule, before = rate_schedule(part.optimizer), _schedules.pop(part.optimizer, None)
        if schedule is not None:
            _schedules[part.optimizer] = weakref.ref(schedule)
            if before is not None and before() is schedule:
                found.add(part.named(RATE))
    return found
