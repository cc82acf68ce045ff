"""A small Lightning module and its data, for tests that train one."""

from __future__ import annotations

import logging

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

IGNORED = (
    "ignore::lightning.fabric.utilities.warnings.PossibleUserWarning",
    "ignore:.*treespec",
    "ignore:.*Checkpoint directory .* exists",
)
"""What Lightning warns of in every small training."""


class Net(pl.LightningModule):
    """Two layers and a dropout; it logs as people do."""

    def __init__(self, hidden=5, lr=0.1, dropout=0.25, fails_in_epoch=None, error=None, scheduler=None):
        super().__init__()
        self.save_hyperparameters("hidden", "lr", "dropout")
        self.layers = nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 3))
        self.criterion = nn.CrossEntropyLoss()
        self.fails_in_epoch, self.error, self.scheduler = fails_in_epoch, error, scheduler
        self.step_losses = []

    def _step(self, batch, stage):
        x, y = batch
        out = self.layers(x)
        loss = self.criterion(out, y)
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_acc", (out.argmax(1) == y).float().mean(), on_epoch=True)
        return loss

    def training_step(self, batch, index):
        if self.current_epoch == self.fails_in_epoch:
            raise self.error
        loss = self._step(batch, "train")
        self.step_losses.append(loss.item())
        return loss

    def validation_step(self, batch, index):
        self._step(batch, "val")

    def test_step(self, batch, index):
        self._step(batch, "test")

    def predict_step(self, batch, index):
        return self.layers(batch[0])

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9)
        if self.scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer)}


def loader(num_samples=32, shuffle=False):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(num_samples, 4, generator=generator)
    data = TensorDataset(x, torch.arange(num_samples) % 3)
    return DataLoader(data, batch_size=8, shuffle=shuffle, generator=torch.Generator().manual_seed(5))


def trainer(folder, callbacks=(), max_epochs=2, **arguments):
    usual = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "default_root_dir": str(folder),
    }
    return pl.Trainer(max_epochs=max_epochs, callbacks=list(callbacks), **{**usual, **arguments})


def small_net(**arguments):
    """The same weights each time."""
    torch.manual_seed(7)
    return Net(**arguments)
