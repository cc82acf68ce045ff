"""Provenance of deep-learning training: record it, and ask it while the training still runs.

What is public stands in `__all__` and, beside it, `open` and the modules that are called like the framework they
record, which `from dnnprov import *` must not put in the place of the user's own. Importing this package loads no
framework, no pandas and no database driver; each name is loaded when it is first used. Once the program has imported
Keras, `dnnprov.keras` follows, so that a model read from a file is known for what it is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.when_imported import prepare_when_imported

if TYPE_CHECKING:
    from dnnprov import accelerate as accelerate
    from dnnprov import jax as jax
    from dnnprov import keras as keras
    from dnnprov import keras_tuner as keras_tuner
    from dnnprov import lightning as lightning
    from dnnprov import optuna as optuna
    from dnnprov import ray as ray
    from dnnprov import sklearn as sklearn
    from dnnprov import torch as torch
    from dnnprov import transformers as transformers
    from dnnprov.analysis.history import History as History
    from dnnprov.analysis.history import open_history as open  # noqa: A004, F401 - as dnnprov.open, what people expect
    from dnnprov.analysis.result import Result as Result
    from dnnprov.capture.adaptation import Change as Change
    from dnnprov.capture.current_runs import active_run as active_run
    from dnnprov.capture.run import Run as Run
    from dnnprov.capture.run_task import RunTask as RunTask
    from dnnprov.capture.start import start_run as start_run
    from dnnprov.dataflow.attribute import Attribute as Attribute
    from dnnprov.dataflow.attribute import AttributeType as AttributeType
    from dnnprov.dataflow.data_set import DataSet as DataSet
    from dnnprov.dataflow.dataflow import Dataflow as Dataflow
    from dnnprov.dataflow.dependency import Dependency as Dependency
    from dnnprov.dataflow.element import Element as Element
    from dnnprov.dataflow.file import File as File
    from dnnprov.dataflow.program import Program as Program
    from dnnprov.dataflow.set import Set as Set
    from dnnprov.dataflow.set import SetType as SetType
    from dnnprov.dataflow.task import Task as Task
    from dnnprov.dataflow.task import TaskStatus as TaskStatus
    from dnnprov.dataflow.transformation import Transformation as Transformation
    from dnnprov.errors import DnnprovError as DnnprovError
    from dnnprov.export.exporting import export_provenance as export_provenance
    from dnnprov.integrations.autologging import autolog as autolog

__version__ = "0.1.0"

_HOMES = {
    "Attribute": ("dnnprov.dataflow.attribute", "Attribute"),
    "AttributeType": ("dnnprov.dataflow.attribute", "AttributeType"),
    "Change": ("dnnprov.capture.adaptation", "Change"),
    "DataSet": ("dnnprov.dataflow.data_set", "DataSet"),
    "Dataflow": ("dnnprov.dataflow.dataflow", "Dataflow"),
    "Dependency": ("dnnprov.dataflow.dependency", "Dependency"),
    "DnnprovError": ("dnnprov.errors", "DnnprovError"),
    "Element": ("dnnprov.dataflow.element", "Element"),
    "File": ("dnnprov.dataflow.file", "File"),
    "History": ("dnnprov.analysis.history", "History"),
    "Program": ("dnnprov.dataflow.program", "Program"),
    "Result": ("dnnprov.analysis.result", "Result"),
    "Run": ("dnnprov.capture.run", "Run"),
    "RunTask": ("dnnprov.capture.run_task", "RunTask"),
    "Set": ("dnnprov.dataflow.set", "Set"),
    "SetType": ("dnnprov.dataflow.set", "SetType"),
    "Task": ("dnnprov.dataflow.task", "Task"),
    "TaskStatus": ("dnnprov.dataflow.task", "TaskStatus"),
    "Transformation": ("dnnprov.dataflow.transformation", "Transformation"),
    "accelerate": ("dnnprov.accelerate", ""),
    "active_run": ("dnnprov.capture.current_runs", "active_run"),
    "autolog": ("dnnprov.integrations.autologging", "autolog"),
    "export_provenance": ("dnnprov.export.exporting", "export_provenance"),
    "jax": ("dnnprov.jax", ""),
    "keras": ("dnnprov.keras", ""),
    "keras_tuner": ("dnnprov.keras_tuner", ""),
    "lightning": ("dnnprov.lightning", ""),
    "open": ("dnnprov.analysis.history", "open_history"),
    "optuna": ("dnnprov.optuna", ""),
    "ray": ("dnnprov.ray", ""),
    "sklearn": ("dnnprov.sklearn", ""),
    "start_run": ("dnnprov.capture.start", "start_run"),
    "torch": ("dnnprov.torch", ""),
    "transformers": ("dnnprov.transformers", ""),
}

__all__ = [
    "Attribute",
    "AttributeType",
    "Change",
    "DataSet",
    "Dataflow",
    "Dependency",
    "DnnprovError",
    "Element",
    "File",
    "History",
    "Program",
    "Result",
    "Run",
    "RunTask",
    "Set",
    "SetType",
    "Task",
    "TaskStatus",
    "Transformation",
    "__version__",
    "active_run",
    "autolog",
    "export_provenance",
    "start_run",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dnnprov' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    module = importlib.import_module(home[0])
    value = getattr(module, home[1]) if home[1] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])


prepare_when_imported("keras", "dnnprov.keras")
