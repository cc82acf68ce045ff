"""The arrays that a loop trains on, as a row of iTrainingData with the hash that every framework gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from dnnprov.integrations.data_arrays import MAX_HASHED_BYTES, array_values, record_arrays

if TYPE_CHECKING:
    from dnnprov.capture.run_task import RunTask


def record_data(task: RunTask, inputs: Any, targets: Any) -> None:
    """Record arrays of NumPy or JAX; of those that lie on another device, or are large there, shape and type only.

    Args:
        task: the training.
        inputs: an array, or several in a list, tuple or mapping.
        targets: likewise; `None` where there are none.
    """
    read_inputs, read_targets = _read(inputs), _read(targets)
    if read_inputs is not None and (read_targets is not None or targets is None):
        record_arrays(task, read_inputs, read_targets, _num_samples(read_inputs))
        return
    arrays = {name: one for name, one in (("inputs", inputs), ("targets", targets)) if hasattr(one, "shape")}
    row = {"role": "training", "data_set": type(inputs).__name__, **array_values(arrays)}
    number = _num_samples(inputs)
    task.uses("iTrainingData", **row, **({} if number is None else {"num_samples": number}))


def _read(data: Any) -> Any:
    """The data with arrays of NumPy in the place of JAX's, as copies, since the program may give theirs away."""
    if isinstance(data, jax.Array):
        is_here = all(device.platform == "cpu" for device in data.devices())
        return np.array(data) if is_here and data.nbytes <= MAX_HASHED_BYTES else None
    if isinstance(data, dict):
        return _all({name: _read(one) for name, one in data.items()})
    if isinstance(data, list | tuple) and any(isinstance(one, jax.Array) for one in data):
        return _all(dict(enumerate((_read(one) for one in data), 1)))
    return data


def _all(read: dict[Any, Any]) -> dict[Any, Any] | None:
    return None if any(one is None for one in read.values()) else read


def _num_samples(data: Any) -> int | None:
    if isinstance(data, dict):
        data = next(iter(data.values()), None)
    elif isinstance(data, list | tuple) and data and hasattr(data[0], "shape"):
        data = data[0]
    shape = getattr(data, "shape", None)
    return int(shape[0]) if shape else None
