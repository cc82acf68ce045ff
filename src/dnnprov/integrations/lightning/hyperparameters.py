"""The hyperparameters of a Lightning training, read from the Trainer, the module and the data module."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.metric_names import canonical_parameters
from dnnprov.integrations.torch.layers import model_values
from dnnprov.integrations.torch.schedulers import schedule_values
from dnnprov.integrations.trainer_values import (
    data_counts,
    fed_with,
    finite,
    first_loader,
    known,
    loss_values,
    plain_parameters,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_TRAINER = (
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "precision",
    "deterministic",
    "num_devices",
)
_ABOUT_LENGTH = (
    "max_steps",
    "max_time",
    "min_epochs",
    "limit_train_batches",
    "limit_val_batches",
    "overfit_batches",
    "check_val_every_n_epoch",
    "val_check_interval",
    "fast_dev_run",
    "num_nodes",
    "world_size",
)
_USUAL = {
    "max_steps": -1,
    "overfit_batches": 0.0,
    "fast_dev_run": False,
    "min_epochs": 0,
    "limit_train_batches": 1.0,
    "limit_val_batches": 1.0,
    "check_val_every_n_epoch": 1,
    "val_check_interval": 1.0,
    "num_nodes": 1,
    "world_size": 1,
    "deterministic": False,
}
"""Values of a Trainer that say that nothing was asked for."""


def module_values(module: Any, datamodule: Any) -> dict[str, Any]:
    """What `save_hyperparameters` keeps of the module and of its data module, as the script calls it."""
    found: dict[str, Any] = {}
    for part in (datamodule, module):
        with suppress(Exception):  # `hparams` may be any object of the user's
            found.update(plain_parameters(part.hparams))
    return found


def training_values(trainer: Any, module: Any, optimized: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a training begins with.

    Args:
        trainer: that fits.
        module: that trains.
        optimized: what the optimizers hold, which knows better than the arguments of the script.

    Returns:
        How it trains, and how long and on what, which is no property of the module.
    """
    fed, on_what = fed_with(first_loader(trainer.train_dataloader))
    how = {**read(trainer, _OF_TRAINER, _USUAL), **fed, **loss_values(module)}
    with suppress(Exception):  # a scheduler may be of any library
        how.update(schedule_values([one.scheduler for one in trainer.lr_scheduler_configs]))
    size = model_values([module])
    how = {**how, **{name: size.pop(name) for name in ("dropout",) if name in size}, **optimized}
    stated = module_values(module, trainer.datamodule)
    how = {**canonical_parameters(stated, known=how), **how}
    epochs = trainer.max_epochs
    length = {
        "num_epochs": epochs if epochs is not None and epochs >= 0 else None,
        **read(trainer, _ABOUT_LENGTH, _USUAL),
        **size,
        **on_what,
        "num_samples": data_counts(trainer.train_dataloader, None)["num_samples"],
        "steps_per_epoch": finite(trainer.num_training_batches),
        "strategy": type(trainer.strategy).__name__,
        "accelerator": type(trainer.accelerator).__name__,
        "seed": _seed(),
    }
    return known(how), {name: value for name, value in known(length).items() if name not in how}


def _seed() -> int | None:
    """What `seed_everything` left in the environment."""
    told = os.environ.get("PL_GLOBAL_SEED", "")
    return int(told) if told.isascii() and told.isdigit() else None
