"""The hyperparameters of a training of the Trainer, read from its arguments and the model."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.torch.layers import model_values as size_values
from dnnprov.integrations.torch.schedulers import schedule_values
from dnnprov.integrations.trainer_values import fed_with, known, plain_parameters
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONFIG = 10_000
"""Characters of a model's configuration that are kept."""

_ALWAYS = (
    "per_device_train_batch_size",
    "num_train_epochs",
    "optim",
    "lr_scheduler_type",
    "warmup_steps",
    "gradient_accumulation_steps",
    "max_grad_norm",
    "label_smoothing_factor",
    "seed",
)
"""Arguments that are told whatever they are; of the others, those that are not as they come."""

_NEVER = (
    "output_dir",
    "overwrite_output_dir",
    "run_name",
    "project",
    "report_to",
    "resume_from_checkpoint",
    "debug",
    "local_rank",
    "disable_tqdm",
    "include_for_metrics",
    "label_names",
    "accelerator_config",
    "dataloader_pin_memory",
    "use_cpu",
    "no_cuda",
)
_NEVER_BEGINNING = ("hub_", "push_to_hub", "logging_", "log_", "trackio_", "do_", "save_", "eval_", "ddp_", "skip_")
"""About where a training runs, and how it reports, not about what it learns."""

_ABOUT_LENGTH = ("num_train_epochs", "max_steps", "seed", "data_seed")
"""No properties of the model: another value in a later training is no adaptation."""


def training_values(
    arguments: Any,
    state: Any,
    model: Any,
    loader: Any,
    optimized: Mapping[str, Any],
    scheduler: Any = None,
    *,
    is_given: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a training begins with.

    Args:
        arguments: TrainingArguments.
        state: TrainerState.
        model: that trains.
        loader: of the training data.
        optimized: what the optimizer holds, which knows better than the arguments.
        scheduler: that moves the rate.
        is_given: whether the script made the scheduler, so that the arguments say nothing of it.

    Returns:
        How it trains, and how long and on what, which is no property of the model.
    """
    told = _without_unused(argument_values(arguments), optimized.get("optimizer_name"), is_given=is_given)
    length = {name: told.pop(name) for name in _ABOUT_LENGTH if name in told}
    fed, on_what = fed_with(loader)
    how = {**told, **fed, "batch_size": arguments.train_batch_size, **optimized}
    described = {**(size_values([model]) if model is not None else {}), **model_values(model)}
    if scheduler is not None:
        with suppress(Exception):  # a scheduler may be of any library
            scheduled = schedule_values([scheduler])
            length["learning_rate_schedule_config"] = scheduled.pop("learning_rate_schedule_config")
            how |= scheduled
    how |= {name: described.pop(name) for name in ("dropout", "loss_function") if name in described}
    length |= {**described, **on_what}
    epochs = state.num_train_epochs
    length |= {"num_epochs": epochs if isinstance(epochs, int) and epochs < 1_000_000 else None}
    if state.max_steps and state.max_steps > 0:
        length["num_steps"] = state.max_steps
    if arguments.world_size > 1:
        length["world_size"] = arguments.world_size
    return known(how), known(length)


def argument_values(arguments: Any) -> dict[str, Any]:
    """The arguments that shape the training, under their own names; no paths, no secrets."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(arguments):
        if not field.init or field.name in _NEVER or field.name.startswith(_NEVER_BEGINNING):
            continue
        value = getattr(arguments, field.name, None)
        if field.name in _ALWAYS or not _is_as_it_comes(field, value):
            found[field.name] = plain_value(value)  # of an Enum, its value
    if found.get("max_steps", 1) <= 0:
        found.pop("max_steps")
    return plain_parameters(found)


def schedule_name(arguments: Any) -> str:
    """What the arguments call the schedule of the rate."""
    return str(getattr(arguments.lr_scheduler_type, "value", arguments.lr_scheduler_type))


def _without_unused(told: dict[str, Any], optimizer: str | None, *, is_given: bool) -> dict[str, Any]:
    """Arguments without those about an optimizer and a schedule that the script made itself."""
    unused = [name for name in told if is_given and name.startswith(("lr_scheduler_", "warmup_"))]
    parts = str(told.get("optim", "")).split("_")
    if optimizer is not None and not any(part and part in optimizer.lower() for part in parts):
        unused += ["optim", "optim_args", *(name for name in told if name.startswith("adam_"))]
    return {name: value for name, value in told.items() if name not in unused}


def model_values(model: Any) -> dict[str, Any]:
    """What the model's configuration tells; `None` in it is left out."""
    found = {"loss_function": getattr(model, "loss_type", None)}
    config = getattr(model, "config", None)
    with suppress(Exception):  # a model of the user's may have a configuration of any kind
        found["model_type"] = getattr(config, "model_type", None) or None
        found["pretrained"] = getattr(config, "_name_or_path", None) or None
        text = json_text(config.to_diff_dict())  # type: ignore[union-attr]
        found["model_config"] = text if text is not None and len(text) <= MAX_CONFIG else None
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _is_as_it_comes(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(value == field.default) or (value is False and field.default is None)
    return field.default_factory is dataclasses.MISSING or bool(value == field.default_factory())
