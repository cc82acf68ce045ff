"""One name for each metric, whatever shape a framework tells them in, and whatever its users call it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STAGES = {
    "train": "",
    "training": "",
    "test": "",
    "testing": "",
    "val": "val_",
    "valid": "val_",
    "validation": "val_",
    "eval": "val_",
    "dev": "val_",
}
"""How people call the data that a metric is of -> what its name in the tables begins with."""

_SAME = {"acc": "accuracy", "lr": "learning_rate"}
_OF_SPEED = ("runtime", "per_second", "preparation_time", "jit_compilation_time")
"""Of an evaluation itself, not of the model on its data."""

_OTHERWISE = ("_step", "dataloader_idx")
"""Of one step, or of one of several data sets: not what the plain name means."""


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Metrics of a tree of mappings under one name each.

    Example:
        >>> flat({"loss": 0.5, "accuracy": {"top1": 0.6, "top5": 0.9}})
        {'loss': 0.5, 'accuracy_top1': 0.6, 'accuracy_top5': 0.9}
    """
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}_"))
        else:
            found[f"{prefix}{name}"] = value
    return found


def canonical_name(name: str) -> str:
    """What a metric is called whichever framework it comes from; its own name where nothing else is known.

    Example:
        >>> [canonical_name(name) for name in ("train_loss", "val/acc", "eval_f1", "loss", "train_loss_epoch")]
        ['loss', 'val_accuracy', 'val_f1', 'loss', 'loss']
        >>> canonical_name("train_loss_step"), canonical_name("eval_runtime")
        ('train_loss_step', 'eval_runtime')
    """
    if name.endswith(_OF_SPEED) or any(part in name for part in _OTHERWISE):
        return name
    first, parted, rest = re.sub(r"\W+", "_", name).removesuffix("_epoch").partition("_")
    if parted and rest and first.lower() in _STAGES:
        return _STAGES[first.lower()] + _SAME.get(rest, rest)
    bare = f"{first}{parted}{rest}"
    return _SAME.get(bare, name if bare == re.sub(r"\W+", "_", name) else bare)


def is_of_test(name: str) -> bool:
    """Whether a metric is one on test data, as its name says.

    Example:
        >>> [is_of_test(name) for name in ("test_acc", "Test/loss", "testing_f1", "tested", "test")]
        [True, True, True, False, False]
    """
    return re.match(r"test(ing)?[\W_]", name, re.IGNORECASE) is not None


def with_canonical_names(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of an epoch under the names that every framework shares, and under their own where these are others.

    In an epoch, `accuracy` is that of the training: those that a loop takes on its test data keep their names alone.

    Example:
        >>> with_canonical_names({"train_loss": 0.5, "val/loss": 0.7, "f1": 0.9, "test_loss": 0.8})
        {'loss': 0.5, 'train_loss': 0.5, 'val_loss': 0.7, 'f1': 0.9, 'test_loss': 0.8}
    """
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        canonical = name if is_of_test(name) else canonical_name(name)
        if canonical not in metrics:
            found.setdefault(canonical, value)
        if re.sub(r"\W", "_", name).lower() != canonical or canonical in metrics:  # else it is the same column
            found[name] = value
    return found


def canonical_parameters(values: Mapping[str, Any], known: Iterable[str] = ()) -> dict[str, Any]:
    """Hyperparameters under their own names, and under those that every framework shares.

    Args:
        values: name -> value, as a script calls them.
        known: shared names that are told by somebody who knows better.

    Example:
        >>> canonical_parameters({"lr": 0.1, "num_train_epochs": 3, "depth": 2})
        {'learning_rate': 0.1, 'num_epochs': 3, 'lr': 0.1, 'num_train_epochs': 3, 'depth': 2}
    """
    shared = {PARAMETERS[name]: value for name, value in values.items() if name in PARAMETERS}
    told = {*known, *values}
    return {**{name: value for name, value in shared.items() if name not in told}, **values}


PARAMETERS = {
    "lr": "learning_rate",
    "epochs": "num_epochs",
    "n_epochs": "num_epochs",
    "max_epochs": "num_epochs",
    "num_train_epochs": "num_epochs",
    "bs": "batch_size",
    "train_batch_size": "batch_size",
    "per_device_train_batch_size": "batch_size",
    "wd": "weight_decay",
    "dropout_rate": "dropout",
    "optim": "optimizer_name",
    "optimizer": "optimizer_name",
}
"""How scripts call a hyperparameter -> its name whichever framework it comes from."""
