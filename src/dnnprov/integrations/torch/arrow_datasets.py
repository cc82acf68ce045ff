"""A data set of Hugging Face `datasets`: its columns, classes and fingerprint, and the files that it lies in.

Its fingerprint is a hash of what it was loaded from and of everything that was done to it since, so that two runs with
the same one saw the same data. No sample is drawn: only the column of the labels is read, as it lies there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dnnprov.integrations.data_arrays import MAX_CLASSES, MAX_COUNTED, class_counts
from dnnprov.model.values import json_text, plain_text

MODULE = "datasets."
LABELS = ("label", "labels", "label_ids")
"""What the Trainer takes for the column of the classes."""


def arrow_values(dataset: Any) -> dict[str, Any]:
    """What such a data set tells of itself; nothing of any other one."""
    if not type(dataset).__module__.startswith(MODULE):
        return {}
    found: dict[str, Any] = {}
    with suppress(Exception):  # versions differ in what they hold
        found["fingerprint"] = plain_text(dataset._fingerprint)  # noqa: SLF001 - it is told nowhere else
    with suppress(Exception):
        found["split"] = plain_text(dataset.split) if dataset.split is not None else None
    with suppress(Exception):
        found["columns"] = json_text({str(name): _type_of(feature) for name, feature in dataset.features.items()})
    with suppress(Exception):
        found.update(_classes(dataset))
    return {name: value for name, value in found.items() if value is not None}


def arrow_files(dataset: Any) -> list[str]:
    """The files that such a data set lies in; none for one in memory."""
    if not type(dataset).__module__.startswith(MODULE):
        return []
    return sorted({str(one["filename"]) for one in dataset.cache_files})


def _classes(dataset: Any) -> dict[str, Any]:
    name = next((one for one in LABELS if one in dataset.features), None)
    if name is None:
        return {}
    found: dict[str, Any] = {}
    names = getattr(dataset.features[name], "names", None)
    if isinstance(names, list) and len(names) <= MAX_CLASSES:
        found = {"classes": json_text([plain_text(one) for one in names]), "num_classes": len(names)}
    if len(dataset) <= MAX_COUNTED and (counts := class_counts(dataset.with_format("numpy")[name][:])):
        found["class_counts"] = json_text(counts)
        found.setdefault("num_classes", len(counts))
    return found


def _type_of(feature: Any) -> str:
    """A column's type: `int64`, `List(int64)`, `ClassLabel`."""
    if hasattr(feature, "names"):
        return type(feature).__name__
    inner = getattr(feature, "feature", None)
    if inner is not None:
        return f"{type(feature).__name__}({_type_of(inner)})"
    return str(getattr(feature, "dtype", type(feature).__name__))
