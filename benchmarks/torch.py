"""What `autolog` costs a plain PyTorch loop: told of nothing, and logging each step as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dnnprov
from benchmarks.pairs import Training, measured
from benchmarks.small_torch import BATCH, Ticking, make_data, make_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size


def measure(size: Size) -> list[Measurement]:
    """Per cent of a step and of an epoch, of both."""
    return [*measured(Loop, size), *measured(LoggingLoop, size)]


class Loop(Training):
    """A plain loop, as people write it."""

    name = "autolog of PyTorch"

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        from torch.utils.data import DataLoader, default_collate

        self.collate = Ticking(default_collate)
        self.batches = DataLoader(make_data(num_steps), batch_size=BATCH, collate_fn=self.collate)

    def train(self, tick: Callable[[], None]) -> None:
        """One training of a new model."""
        import torch

        self.collate.tick = tick
        model, criterion = make_model(), torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for epoch in range(1, self.num_epochs + 1):
            for number, (inputs, targets) in enumerate(self.batches):
                optimizer.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                optimizer.step()
                self.take(loss, number, epoch)

    def take(self, loss: Any, number: int, epoch: int) -> None:
        """A step gave this."""


class LoggingLoop(Loop):
    """One that reads its loss at each step, and logs it where it is recorded."""

    name = "autolog of PyTorch and a log call at each step"
    reach = 1.0

    run: Any = None

    def train(self, tick: Callable[[], None]) -> None:
        """One training, in a run of its own where it is recorded."""
        if not self.is_recorded:
            super().train(tick)
            return
        with dnnprov.start_run("bench") as self.run:
            super().train(tick)

    def take(self, loss: Any, number: int, epoch: int) -> None:
        """Read the loss, which waits for the device; log it."""
        value = loss.item()
        if self.run is not None:
            self.run.log(batch_loss=value, step=number, epoch=epoch)
