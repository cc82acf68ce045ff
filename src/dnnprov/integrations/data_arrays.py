"""What a training is fed from, where it lies in memory: arrays as values of a row of iTrainingData.

The same arrays have the same hash under every framework, so that runs of several can be asked whether they saw the same
data. Only the bytes that are there are read: nothing is moved from a device, and no sample is drawn.
"""

from __future__ import annotations

import hashlib
import sys
import weakref
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask

MAX_HASHED_BYTES = 256 << 20
MAX_HASHED_OF_RUN = 1 << 30
"""A program that calls `fit` a thousand times, on the same arrays mostly, hashes no more than this."""
MAX_COUNTED = 1_000_000
MAX_CLASSES = 1000
_CHUNK = 1 << 22
_BYTES_OF_ITEM = 8
_hashed: weakref.WeakKeyDictionary[Run, int] = weakref.WeakKeyDictionary()


def record_arrays(
    task: RunTask,
    inputs: Any,
    targets: Any,
    num_samples: int | None = None,
    known: Mapping[str, Any] | None = None,
) -> None:
    """Record the arrays that a training is given; the hash and the counts follow in the background.

    Args:
        task: the training.
        inputs: an array, or several in a list, tuple or mapping.
        targets: likewise; `None` where there are none.
        num_samples: how many samples there are, where it is known.
        known: more for the row, such as what the arrays are held by, or the shapes of what cannot be read. Without
            it, nothing is recorded of what is no array.
    """
    arrays = {**named_arrays("inputs", inputs), **named_arrays("targets", targets)}
    if known is None and not any(name.startswith("inputs") for name in arrays):
        return
    row = {"role": "training", "data_set": type(inputs).__name__, **(known or {}), **array_values(arrays)}
    if num_samples is not None:
        row["num_samples"] = num_samples
    task.run.recorder.submit(lambda: _record(task, row, arrays))


def is_array(value: Any) -> bool:
    """Whether a value is an array of NumPy or a tensor of PyTorch."""
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        return True
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, getattr(torch, "Tensor", ()))


def array_values(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Shape and type of each array, by its name."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        found[f"{name}_shape"] = json_text([int(size) for size in array.shape])
        found[f"{name}_dtype"] = str(array.dtype).removeprefix("torch.")
    return found


def class_counts(labels: Any) -> dict[str, int]:
    """How often each class is among labels; empty where they are no classes, or too many."""
    if "float" in str(getattr(labels, "dtype", "")) or len(labels) > MAX_COUNTED:
        return {}
    if str(getattr(labels, "device", "cpu")) != "cpu":
        return {}
    if hasattr(labels, "shape") and tuple(labels.shape) == (len(labels), 1):
        labels = labels.reshape(-1)
    if getattr(labels, "ndim", 1) != 1:
        return {}
    labels = labels.tolist() if hasattr(labels, "tolist") else labels
    counts = Counter(one for one in labels if isinstance(one, int | str))
    return {str(name): counts[name] for name in sorted(counts, key=str)} if len(counts) <= MAX_CLASSES else {}


def hash_values(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """A hash over the bytes of all arrays, in order, up to the budget; none where one lies elsewhere or in pieces."""
    whole, left, size = hashlib.sha256(), MAX_HASHED_BYTES, 0
    for array in arrays.values():
        data = _bytes_of(array)
        if data is None:
            return {}
        size += len(data)
        for begin in range(0, min(left, len(data)), _CHUNK):
            whole.update(data[begin : min(begin + _CHUNK, left)])
        left = max(left - len(data), 0)
    found: dict[str, Any] = {"sha256": whole.hexdigest(), "num_bytes": size}
    if size > MAX_HASHED_BYTES:
        found["num_bytes_hashed"] = MAX_HASHED_BYTES
    return found


def hashed_for(run: Run, hashing: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the hashing of some data gives; nothing, once a run has hashed all that it may.

    Args:
        run: that uses the data.
        hashing: gives values with `num_bytes`, and `num_bytes_hashed` where that is less.
    """
    before = _hashed.get(run, 0)
    if before >= MAX_HASHED_OF_RUN:
        return {}
    found = hashing()
    _hashed[run] = before + found.get("num_bytes_hashed", found.get("num_bytes", 0))
    return found


def _record(task: RunTask, row: dict[str, Any], arrays: Mapping[str, Any]) -> None:
    _update(row, lambda: _classes(arrays.get("targets")))
    if arrays:
        _update(row, lambda: hashed_for(task.run, lambda: hash_values(arrays)))
    task.record("iTrainingData", "used", [row])


def _update(row: dict[str, Any], further: Callable[[], Mapping[str, Any]]) -> None:
    with suppress(Exception):  # the arrays are the user's, and may raise anything
        row.update(further())


def _classes(labels: Any) -> dict[str, Any]:
    counts = {} if labels is None else class_counts(labels)
    return {"class_counts": json_text(counts), "num_classes": len(counts)} if counts else {}


def named_arrays(name: str, data: Any) -> dict[str, Any]:
    """The arrays in what was given, by name: `inputs`, or `inputs_1`, `inputs_2`... of several."""
    if type(data).__module__.startswith("pandas") and hasattr(data, "to_numpy"):
        if data.size * _BYTES_OF_ITEM > MAX_HASHED_BYTES:  # to_numpy may copy all of it
            return {}
        data = data.to_numpy()
    if is_array(data):
        return {name: data}
    if isinstance(data, dict):
        return {f"{name}_{key}": one for key, one in data.items() if is_array(one)}
    if isinstance(data, list | tuple) and data and all(is_array(one) for one in data):
        return {f"{name}_{number}": one for number, one in enumerate(data, 1)}
    return {}


def _bytes_of(array: Any) -> memoryview | None:
    """The bytes of an array in the order of its items, a copy only of small ones; `None` where it cannot be read."""
    if hasattr(array, "is_contiguous"):
        torch = sys.modules["torch"]
        if array.device.type != "cpu" or (not array.is_contiguous() and array.nbytes > MAX_HASHED_BYTES):
            return None
        return memoryview(array.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    if array.dtype.hasobject or (not array.flags.c_contiguous and array.nbytes > MAX_HASHED_BYTES):
        return None
    return memoryview(array.tobytes() if not array.flags.c_contiguous else array.reshape(-1).view("uint8"))
