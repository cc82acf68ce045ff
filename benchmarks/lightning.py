"""What autolog costs `Trainer.fit` of Lightning."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

from benchmarks.pairs import Training, measured
from benchmarks.small_torch import BATCH, Ticking, make_data, make_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size


def measure(size: Size) -> list[Measurement]:
    """Per cent of a step and of an epoch."""
    return measured(Fit, size)


class Fit(Training):
    """A module that logs its loss for each epoch, as most do."""

    name = "autolog of Lightning"

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        from torch.utils.data import DataLoader, default_collate

        warnings.filterwarnings("ignore")  # of few workers, and of loggers that are left out
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.collate = Ticking(default_collate)
        self.batches = DataLoader(make_data(num_steps), batch_size=BATCH, collate_fn=self.collate)

    def train(self, tick: Callable[[], None]) -> None:
        """One fit of a new module."""
        import lightning.pytorch as pl

        self.collate.tick = tick
        trainer = pl.Trainer(
            max_epochs=self.num_epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(make_module(), self.batches)


def make_module() -> Any:
    """A module of Lightning around the small network."""
    import lightning.pytorch as pl
    import torch

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = make_model()

        def training_step(self, batch: Any, _: int) -> Any:
            inputs, targets = batch
            loss = torch.nn.functional.cross_entropy(self.net(inputs), targets)
            self.log("loss", loss, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Net()
