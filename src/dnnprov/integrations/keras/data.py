"""What a `fit` is fed from: arrays, a DataLoader of PyTorch, a `PyDataset`, a `tf.data.Dataset`.

What such a thing holds is read, never a sample: drawing one would cost what loading it costs, and take it from a stream
that may not come again. So of a `PyDataset` there are the arrays that it holds under usual names, of a `tf.data` the
tensors that it was made from and the steps it goes through. What a generator gives nobody knows before it does.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from dnnprov.integrations.data_arrays import is_array, named_arrays, record_arrays
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run_task import RunTask

_INPUTS = ("x", "inputs", "data", "images", "features", "x_set", "x_data", "x_train")
_TARGETS = ("y", "targets", "labels", "y_set", "y_data", "y_train")
"""What people call the arrays that a data set of theirs holds, in any case."""

_MAX_STEPS = 64


def record_data(task: RunTask, arguments: Mapping[str, Any], num_samples: int | None = None) -> None:
    """Record what a `fit` was given; hash and counts follow in the background.

    Args:
        task: the training.
        arguments: of the `fit`, by name.
        num_samples: how many samples there are, where it is known.
    """
    data = arguments.get("x")
    if data is None:
        return
    if is_loader(data):
        from dnnprov.integrations.torch.data import record_data as record_loader  # noqa: PLC0415 - imports PyTorch

        record_loader(task, data)
    elif isinstance(data, keras.utils.PyDataset):
        held = {name.lstrip("_").lower(): value for name, value in vars(data).items()}
        inputs, targets = (_first(held, names) for names in (_INPUTS, _TARGETS))
        record_arrays(task, inputs, targets, num_samples, {"data_set": type(data).__name__})
    elif _is_tf_data(data):
        steps = _steps(data)
        inputs, targets = _sources(steps[0])
        row = {"data_set": "Dataset", "pipeline": json_text([_step_name(one) for one in steps]), **_spec_values(data)}
        record_arrays(task, _in_memory(inputs), _in_memory(targets), num_samples, row)
    else:
        row = {"data_set": type(data).__name__}
        record_arrays(task, _in_memory(data), _in_memory(arguments.get("y")), num_samples, row)


def feeding_values(data: Any) -> dict[str, Any]:
    """How something that makes its batches itself feeds a training, which `fit` is not told and does not change."""
    if is_loader(data):
        from dnnprov.integrations.torch.loaders import loader_values  # noqa: PLC0415 - imports PyTorch

        return {"shuffle": None, **loader_values(data)[0]}
    if _is_tf_data(data):
        return {"shuffle": any(_step_name(one) == "Shuffle" for one in _steps(data))}
    return {"shuffle": None} if hasattr(data, "__next__") else {}


def batch_size_of(data: Any) -> int | None:
    """The size of the batches that such a thing makes, as far as it says so."""
    size = getattr(data, "batch_size", None)
    if size is None and _is_tf_data(data):
        with suppress(Exception):  # what these steps hold is not promised
            size = next(int(one._batch_size) for one in reversed(_steps(data)) if "Batch" in _step_name(one))  # noqa: SLF001
    return size if type(size) is int else None


def loader_filters(data: Any) -> list[Mapping[str, Any]]:
    """The transforms of what a DataLoader loads, as rows of oFilters."""
    if not is_loader(data):
        return []
    from dnnprov.integrations.torch.transforms import filter_rows  # noqa: PLC0415 - imports PyTorch

    return filter_rows(data.dataset)


def is_loader(data: Any) -> bool:
    """Whether something is a DataLoader of PyTorch."""
    return _is_of("torch", "utils.data.DataLoader", data)


def _is_tf_data(data: Any) -> bool:
    return _is_of("tensorflow", "data.Dataset", data)


def _steps(data: Any) -> list[Any]:
    """What a `tf.data` goes through, its source first; of several sources, where they come together first."""
    found = [data]
    with suppress(Exception):  # not promised by TensorFlow, so it may be gone one day
        while len(found) < _MAX_STEPS and len(inputs := found[0]._inputs()) == 1:  # noqa: SLF001
            found.insert(0, inputs[0])
    return found


def _step_name(step: Any) -> str:
    """As its method is called: Map, Shuffle, Batch."""
    return type(step).__name__.lstrip("_").removesuffix("V2").removesuffix("V1").removesuffix("Dataset")


def _sources(source: Any) -> tuple[Any, Any]:
    """The tensors that a `tf.data` was made from, inputs and targets."""
    with suppress(Exception):  # likewise
        inner = source._inputs()  # noqa: SLF001
        if len(inner) == 2 and _step_name(source) == "Zip":
            (inputs, _), (targets, _) = (_sources(one) for one in inner)
            return inputs, targets
        if _step_name(source) == "TensorSlice":
            return _pair(sys.modules["tensorflow"].nest.pack_sequence_as(source.element_spec, source._tensors))  # noqa: SLF001
    return None, None


def _spec_values(data: Any) -> dict[str, Any]:
    """Shapes and types of what a `tf.data` gives, None for a size that is not known before."""
    found: dict[str, Any] = {}
    with suppress(Exception):  # a structure of the user's own
        for name, spec in zip(("inputs", "targets"), _pair(data.element_spec), strict=True):
            if hasattr(spec, "shape") and spec.shape.rank is not None:
                found[f"{name}_shape"] = json_text(spec.shape.as_list())
                found[f"{name}_dtype"] = spec.dtype.name
    return found


def _pair(elements: Any) -> tuple[Any, Any]:
    """Inputs and targets of an element, as `fit` takes them."""
    if isinstance(elements, tuple):
        return elements[0], elements[1] if len(elements) > 1 else None
    return elements, None


def _first(held: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first arrays that are held under one of some names."""
    given = (_in_memory(held[name]) for name in names if name in held)
    return next((one for one in given if named_arrays("held", one)), None)


def _in_memory(data: Any) -> Any:
    """Tensors of TensorFlow and JAX as arrays, where they lie in main memory, without a copy; all else as it is."""
    return keras.tree.map_structure(_viewed, data) if isinstance(data, dict | list | tuple) else _viewed(data)


def _viewed(tensor: Any) -> Any:
    if is_array(tensor) or not hasattr(tensor, "dtype"):
        return tensor
    with suppress(Exception):  # of a type that NumPy has not, or deleted
        if _is_of("tensorflow", "Tensor", tensor) and "CPU" in tensor.device:
            return np.asarray(memoryview(tensor))
        if _is_of("jax", "Array", tensor) and all(one.platform == "cpu" for one in tensor.devices()):
            return np.asarray(tensor)
    return tensor


def _is_of(module: str, name: str, thing: Any) -> bool:
    """Whether a thing is of a class of a module, which it can only be where that is imported."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is not None and isinstance(thing, found)
