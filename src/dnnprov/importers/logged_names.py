"""What the names in logs of trainings mean: of which phase a series speaks, and which hyperparameter a name is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dnnprov.model.training import LEARNING_RATE

if TYPE_CHECKING:
    from dnnprov.model.training import ColumnType

Phase: TypeAlias = Literal["train", "val", "test"]

_PHASES: dict[str, Phase] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "eval": "val", "evaluation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_METRICS = {"acc": "accuracy", "lr": LEARNING_RATE}
"""What logs write short."""

_PARAMETERS = {
    "optimizer": "optimizer_name",
    "lr": LEARNING_RATE,
    "epochs": "num_epochs",
    "num_epoch": "num_epochs",
    "num_of_epoch": "num_epochs",
    "n_epochs": "num_epochs",
}
"""Names of hyperparameters that logs have, and the attribute of iTrainingModel that they mean."""


def meaning(tag: str) -> tuple[Phase | None, str]:
    """Of which phase a tag speaks, and the metric that it means.

    Example:
        >>> meaning("Loss/train"), meaning("acc/val"), meaning("test_acc"), meaning("epoch_loss"), meaning("lr")
        (('train', 'loss'), ('val', 'accuracy'), ('test', 'accuracy'), (None, 'loss'), (None, 'learning_rate'))
    """
    words = [word for word in re.split(r"[^a-z0-9]+", tag.lower()) if word]
    phase = None
    for place in (0, -1):
        if len(words) > 1 and words[place] in _PHASES:
            phase = _PHASES[words.pop(place)]
            break
    if len(words) > 1 and words[0] == "epoch":
        words = words[1:]
    name = "_".join(words)
    return phase, _METRICS.get(name, name)


def epoch_name(tag: str) -> str:
    """The attribute of oTrainingModel that a tag means.

    Example:
        >>> epoch_name("Loss/train"), epoch_name("acc/val"), epoch_name("grad norm")
        ('loss', 'val_accuracy', 'grad_norm')
    """
    phase, metric = meaning(tag)
    return metric if phase in {None, "train"} else f"{phase}_{metric}"


def parameter_name(name: str) -> str:
    """The attribute of iTrainingModel that a hyperparameter means."""
    return _PARAMETERS.get(name.lower(), name)


def parameter_value(value: Any, kind: ColumnType | None) -> Any:
    """A value as its attribute has it: some logs keep integers as floats."""
    return int(value) if kind == "integer" and isinstance(value, float) and value.is_integer() else value
