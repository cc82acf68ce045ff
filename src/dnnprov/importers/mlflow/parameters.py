"""Hyperparameters from MLflow's params, which are texts under the names that loops and autologging give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.importers.logged_names import parameter_name, parameter_value
from dnnprov.importers.told_training import number_in
from dnnprov.model.training import SETS

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "opt_name": "optimizer_name",
    "optim": "optimizer_name",
    "opt_learning_rate": "learning_rate",
    "optimizer_learning_rate": "learning_rate",
    "opt_momentum": "momentum",
    "optimizer_momentum": "momentum",
    "opt_decay": "decay",
    "optimizer_decay": "decay",
    "num_train_epochs": "num_epochs",
    "max_epochs": "num_epochs",
    "per_device_train_batch_size": "batch_size",
    "train_batch_size": "batch_size",
}
"""What autologging of Keras (`optimizer_`, and `opt_` on TensorFlow), of Lightning and of transformers logs."""

_WORDS = {"None": None, "True": True, "False": False}
"""MLflow keeps `str()` of a value."""


def hyperparameters(params: Mapping[str, str]) -> dict[str, Any]:
    """Values by name; a known name that means an attribute of iTrainingModel becomes it, unless that is there too.

    Example:
        >>> hyperparameters({"lr": "1e-3", "epochs": "20.0", "optim": "adamw", "seed": "None", "shuffle": "True"})
        {'learning_rate': 0.001, 'num_epochs': 20, 'optimizer_name': 'adamw', 'seed': None, 'shuffle': True}
    """
    found: dict[str, Any] = {}
    for name, text in params.items():
        meant = _NAMES.get(name.lower()) or parameter_name(name)
        if meant != name and (meant in params or meant in found):
            meant = name
        found[meant] = _WORDS[text] if text in _WORDS else number_in(text)
    kinds = SETS["itrainingmodel"].attributes
    return {name: parameter_value(value, kinds.get(name)) for name, value in found.items()}
