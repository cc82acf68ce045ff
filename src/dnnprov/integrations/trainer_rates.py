"""The learning rates that a trainer steps its optimizers with, told once an epoch, however often a schedule moves them.

A scheduler may change a rate after every step. What is recorded is the rate of the last step of an epoch: it stands in
the epoch's row, and where it is another than that of the epoch before, it is one adaptation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.integrations.technique import BY_HAND
from dnnprov.integrations.torch_parts import RATE, optimizer_values, rate_values, scheduler_technique

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnnprov.integrations.technique import Technique
    from dnnprov.integrations.training_steps import TrainingSteps


class TrainerRates:
    """Watches the optimizers of one training.

    Args:
        steps: to tell what is seen.

    Attributes:
        epoch_rates: that the last step of the last epoch trained with, by name.
    """

    def __init__(self, steps: TrainingSteps) -> None:
        self._steps = steps
        self._optimizers: list[Any] = []
        self._rates: dict[int, list[Any]] = {}
        self.epoch_rates: dict[str, Any] = {}

    def begin(self, optimizers: Sequence[Any]) -> dict[str, Any]:
        """What the optimizers of the training that begins hold; the rates are those that schedules start from."""
        self._optimizers, self._rates, self.epoch_rates = list(optimizers), {}, {}
        held = optimizer_values(self._optimizers)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        if held.get(RATE) == 0 and groups and groups[0].get("initial_lr"):  # a warm-up begins with nothing
            held[RATE] = groups[0]["initial_lr"]
        return held

    def end(self) -> None:
        """The training is over: hold on to nothing of it."""
        self._optimizers, self._rates = [], {}

    def stepped(self, optimizer: Any) -> None:
        """An optimizer makes a step with the rates that it holds now."""
        self._rates[id(optimizer)] = [group["lr"] for group in optimizer.param_groups]

    def see(self, technique: Callable[[], Technique] = lambda: BY_HAND, *, is_scheduled: bool = False) -> None:
        """Look for what was changed between epochs.

        Args:
            technique: tells who did it; called only where something changed.
            is_scheduled: whether schedulers move the rates after every step: then what they are between two epochs says
                nothing.
        """
        held = optimizer_values(self._optimizers)
        names = [name for name in held if not (is_scheduled and name.startswith(RATE))]
        self._steps.see({name: held[name] for name in names}, technique)

    def close_epoch(
        self, within: Sequence[Any], behind: Sequence[Any], technique: Callable[[], Technique] | None = None
    ) -> None:
        """The epoch has trained: tell the rate of its last step, and what was changed for the next one.

        Args:
            within: schedulers that act after every step.
            behind: schedulers that act at the end of an epoch; they have acted.
            technique: tells what those within are, where their class alone does not.
        """
        self.epoch_rates = rate_values(self._optimizers, self._rates)
        self._steps.see(self.epoch_rates, technique if technique and within else lambda: joint_technique(within))
        self._steps.close_epoch()
        self.see(lambda: joint_technique(within or behind), is_scheduled=bool(within))


def joint_technique(schedulers: Sequence[Any]) -> Technique:
    """The technique that schedulers are together: the first one, as a rule the only one; none is a change by hand."""
    return scheduler_technique(schedulers[0]) if schedulers else BY_HAND
