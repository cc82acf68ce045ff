"""What autolog costs `Trainer.train` of Transformers."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from benchmarks.pairs import Training, measured
from benchmarks.small_torch import BATCH, Ticking, make_data, make_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size


def measure(size: Size) -> list[Measurement]:
    """Per cent of a step and of an epoch."""
    return measured(Train, size)


class Train(Training):
    """A Trainer that logs once an epoch."""

    name = "autolog of the Trainer of Transformers"

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        from torch.utils.data import default_collate
        from transformers.utils import logging

        logging.set_verbosity_error()
        self.collate = Ticking(default_collate)
        self.data = [{"inputs": inputs, "labels": labels} for inputs, labels in make_data(num_steps)]

    def train(self, tick: Callable[[], None]) -> None:
        """One training of a new model."""
        from transformers import Trainer, TrainingArguments

        self.collate.tick = tick
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder,
                num_train_epochs=self.num_epochs,
                per_device_train_batch_size=BATCH,
                use_cpu=True,
                report_to=[],
                logging_strategy="epoch",
                save_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,
                dataloader_pin_memory=False,
            )
            trainer = Trainer(make_classifier(), arguments, data_collator=self.collate, train_dataset=self.data)
            trainer.train()


def make_classifier() -> Any:
    """The small network as the Trainer wants it."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = make_model()

        def forward(self, inputs: Any, labels: Any) -> dict[str, Any]:
            logits = self.net(inputs)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    return Net()
