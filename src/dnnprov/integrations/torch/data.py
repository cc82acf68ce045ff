"""The data set behind a DataLoader as a row of iTrainingData: shapes, types, classes, a hash of what lies in memory.

What a data set shows is read, never a sample: that would cost what loading it costs, and draw random numbers. Hashing
is done in the background, and only up to a budget of bytes.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.data_arrays import MAX_CLASSES, array_values, class_counts, hash_values, is_array
from dnnprov.integrations.torch.loaders import num_batches, num_samples
from dnnprov.integrations.torch.transforms import base_datasets
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run_task import RunTask


def record_data(task: RunTask, loader: Any) -> None:
    """Record what a training is fed from; the hash and the counts follow in the background."""
    dataset = loader.dataset
    row = {"role": "training", "data_set": type(dataset).__name__, **_sizes(loader)}
    parts = base_datasets(dataset)
    arrays = next((found for one in parts if (found := arrays_of(one))), {})
    row.update(array_values(arrays))
    root = next((place for one in parts if (place := _root(one)) is not None), None)
    if root is not None:
        row["root"] = root
    task.run.recorder.submit(lambda: _record(task, row, parts, arrays))


def arrays_of(dataset: Any) -> dict[str, Any]:
    """The tensors and arrays that a data set holds, by name: of a TensorDataset and of torchvision's small ones."""
    held = _vars(dataset)
    tensors = held.get("tensors")
    if isinstance(tensors, list | tuple) and all(is_array(one) for one in tensors):
        names = ("inputs", "targets") if len(tensors) == 2 else tuple(f"tensor_{n}" for n in range(1, len(tensors) + 1))
        return dict(zip(names, tensors, strict=True))
    found = {"inputs": held.get("data"), "targets": held.get("targets", held.get("labels"))}
    return {name: array for name, array in found.items() if is_array(array)}


def _record(task: RunTask, row: dict[str, Any], parts: list[Any], arrays: Mapping[str, Any]) -> None:
    with suppress(Exception):  # the data set is the user's, and may raise anything
        row.update(_classes(parts, arrays))
    with suppress(Exception):
        row.update(_files(parts))
    if arrays:
        with suppress(Exception):
            row.update(hash_values(arrays))
    task.record("iTrainingData", "used", [row])


def _sizes(loader: Any) -> dict[str, Any]:
    found = {"num_samples": num_samples(loader), "num_batches": num_batches(loader)}
    return {name: value for name, value in found.items() if value is not None}


def _classes(parts: list[Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Names and counts of the classes, where a data set shows `classes` or `targets`."""
    found: dict[str, Any] = {}
    names = next((one for part in parts if (one := _vars(part).get("classes"))), None)
    if isinstance(names, list | tuple) and len(names) <= MAX_CLASSES:
        found["classes"] = json_text([str(name) for name in names])
        found["num_classes"] = len(names)
    labels = arrays.get("targets")
    if labels is None:
        labels = next((one for part in parts if (one := _vars(part).get("targets")) is not None), None)
    if labels is not None and (counts := class_counts(labels)):
        found["class_counts"] = json_text(counts)
        found.setdefault("num_classes", len(counts))
    return found


def _files(parts: list[Any]) -> dict[str, Any]:
    """How many files a data set reads, and a digest over their names; `samples` or `imgs`, as ImageFolder has."""
    for part in parts:
        held = _vars(part)
        given = held.get("samples") or held.get("imgs") or held.get("files")
        if isinstance(given, list | tuple) and given:
            paths = [str(one[0] if isinstance(one, list | tuple) else one) for one in given]
            if isinstance(given[0], str | os.PathLike) or isinstance(given[0][0], str | os.PathLike):
                digest = hashlib.sha256("\n".join(sorted(paths)).encode("utf-8", "backslashreplace"))
                return {"num_files": len(paths), "first_file": paths[0], "file_names_sha256": digest.hexdigest()}
    return {}


def _root(dataset: Any) -> str | None:
    root = _vars(dataset).get("root")
    return str(Path(root).absolute()) if isinstance(root, str | os.PathLike) else None


def _vars(thing: Any) -> Mapping[str, Any]:
    """What an object holds, without running any code of its own."""
    try:
        held: Mapping[str, Any] = vars(thing)
    except TypeError:  # it has no dictionary
        held = {}
    return held
