"""The data set behind a DataLoader as a row of iTrainingData: shapes, types, classes, a hash of what lies in memory.

What a data set shows is read, never a sample: that would cost what loading it costs, and draw random numbers. Arrays
and files are hashed in the background, and only up to a budget of bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.data_arrays import (
    MAX_CLASSES,
    MAX_HASHED_BYTES,
    array_values,
    class_counts,
    hash_values,
    hashed_for,
    is_array,
)
from dnnprov.integrations.torch.arrow_datasets import arrow_files, arrow_values
from dnnprov.integrations.torch.loaders import num_batches, num_samples
from dnnprov.integrations.torch.transforms import base_datasets
from dnnprov.model.values import json_text, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run_task import RunTask

MAX_HASHED_FILES = 20_000
_CHUNK = 1 << 20


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
        row.update(arrow_values(parts[-1]))
    paths: list[str] = []
    with suppress(Exception):
        paths = _files(parts)
        row.update(_names(paths))
    with suppress(Exception):  # of what is no array: a file may be gone, or not be readable
        row.update(hashed_for(task.run, lambda: hash_values(arrays) if arrays else hash_files(paths)))
    task.record("iTrainingData", "used", [row])


def _sizes(loader: Any) -> dict[str, Any]:
    found = {"num_samples": num_samples(loader), "num_batches": num_batches(loader)}
    return {name: value for name, value in found.items() if value is not None}


def _classes(parts: list[Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Names and counts of the classes, where a data set shows `classes` or `targets`."""
    found: dict[str, Any] = {}
    names = next((one for part in parts if (one := _vars(part).get("classes"))), None)
    if isinstance(names, list | tuple) and len(names) <= MAX_CLASSES:
        found["classes"] = json_text([plain_text(name) for name in names])
        found["num_classes"] = len(names)
    labels = arrays.get("targets")
    if labels is None:
        labels = next((one for part in parts if (one := _vars(part).get("targets")) is not None), None)
    if labels is not None and (counts := class_counts(labels)):
        found["class_counts"] = json_text(counts)
        found.setdefault("num_classes", len(counts))
    return found


def _files(parts: list[Any]) -> list[str]:
    """The files that a data set reads, sorted; `samples` or `imgs`, as ImageFolder has, or `files`."""
    for part in parts:
        held = _vars(part)
        if found := arrow_files(part):
            return found
        given = held.get("samples") or held.get("imgs") or held.get("files")
        if isinstance(given, list | tuple) and given:
            first = given[0][0] if isinstance(given[0], list | tuple) else given[0]
            if isinstance(first, str | os.PathLike):
                return sorted(str(one[0] if isinstance(one, list | tuple) else one) for one in given)
    return []


def _names(paths: list[str]) -> dict[str, Any]:
    """How many files there are, and a digest over their names."""
    if not paths:
        return {}
    digest = hashlib.sha256("\n".join(paths).encode("utf-8", "backslashreplace"))
    return {"num_files": len(paths), "first_file": paths[0], "file_names_sha256": digest.hexdigest()}


def hash_files(paths: list[str]) -> dict[str, Any]:
    """A hash over the sizes and bytes of files, in order, wherever they lie; up to the budget, and then of how many.

    Raises:
        OSError: one is not there, or not readable.
    """
    if not paths:
        return {}
    whole, num_bytes, num_files = hashlib.sha256(), 0, 0
    for path in paths[:MAX_HASHED_FILES]:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            return {}  # a pipe or a device would be read for ever
        if num_bytes + found.st_size > MAX_HASHED_BYTES:
            break
        whole.update(b"%d\n" % found.st_size)
        with Path(path).open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                whole.update(chunk)
        num_bytes, num_files = num_bytes + found.st_size, num_files + 1
    if num_files == len(paths):
        return {"sha256": whole.hexdigest(), "num_bytes": num_bytes}
    left_out = {"num_bytes_hashed": num_bytes, "num_files_hashed": num_files}
    return {"sha256": whole.hexdigest(), **left_out} if num_files else left_out


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
