"""The experiment in Lightning: a module and a Trainer."""

from __future__ import annotations

import logging
import warnings

import lightning
import torch
from experiment import experiment, read_settings
from train_torch import loader, make_model

import dnnprov

dnnprov.autolog()


class Flowers(lightning.LightningModule):
    """The network, with what it trains and is judged by.

    Args:
        num_classes: of flowers.
        size: rows and columns of a photo.
        optimizer: Adam or SGD.
        learning_rate: that it begins with.
    """

    def __init__(self, num_classes: int, size: int, optimizer: str, learning_rate: float) -> None:  # noqa: ARG002 - saved below
        super().__init__()
        self.save_hyperparameters("optimizer", "learning_rate")
        self.model = make_model(num_classes, size)

    def _judge(self, batch: tuple[torch.Tensor, torch.Tensor], prefix: str) -> torch.Tensor:
        images, labels = batch
        scores = self.model(images)
        loss = torch.nn.functional.cross_entropy(scores, labels)
        accuracy = (scores.argmax(dim=1) == labels).float().mean()
        self.log_dict({f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}, on_epoch=True, on_step=False)
        return loss

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:  # noqa: ARG002
        """As Lightning has it."""
        return self._judge(batch, "train_")

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:  # noqa: ARG002
        """As Lightning has it."""
        self._judge(batch, "val_")

    def test_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:  # noqa: ARG002
        """As Lightning has it."""
        self._judge(batch, "test_")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """As Lightning has it."""
        return getattr(torch.optim, self.hparams["optimizer"])(self.parameters(), lr=self.hparams["learning_rate"])


def main() -> None:
    """Train and test once."""
    settings = read_settings()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    lightning.seed_everything(17, verbose=False)
    with experiment("lightning", settings) as (data, _):
        model = Flowers(len(data.class_names), settings.size, settings.optimizer, settings.learning_rate)
        trainer = lightning.Trainer(
            max_epochs=settings.epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, loader(data.train, shuffle=True), loader(data.validation))
        trainer.test(model, loader(data.test), verbose=False)


if __name__ == "__main__":
    main()
