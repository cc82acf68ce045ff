"""What the samples of a Trainer went through: its tokenizer or image processor, transforms, and what makes batches."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.torch.transforms import filter_rows
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_PROCESSOR = (
    "name_or_path",
    "vocab_size",
    "model_max_length",
    "padding_side",
    "truncation_side",
    "do_lower_case",
    "do_resize",
    "do_rescale",
    "do_normalize",
    "size",
    "image_mean",
    "image_std",
    "sampling_rate",
    "feature_size",
)
_NO_LIMIT = 10**18
"""A tokenizer without a greatest length says a number beyond this."""

_PLAIN = (bool, int, float, str, list, tuple, dict)


def preprocessing_rows(dataset: Any, processor: Any, collator: Any) -> list[Mapping[str, Any]]:
    """Rows of oFilters, in the order in which a sample goes through them.

    Args:
        dataset: that is trained on; `None` where it is not known.
        processor: tokenizer, image processor or the like that the Trainer was given.
        collator: that makes batches of samples; the one that only puts them together changes nothing.
    """
    rows: list[Mapping[str, Any]] = []
    if processor is not None:
        rows.append(_row(processor, {name: _value(processor, name) for name in _OF_PROCESSOR}))
    if dataset is not None:
        rows += filter_rows(dataset)
        function = _on_the_fly(dataset)
        if function is not None:
            rows.append({"filter_name": str(getattr(function, "__name__", type(function).__name__))})
    if collator is not None and not hasattr(collator, "__name__"):  # a function, as the one that comes by itself
        fields = dataclasses.fields(collator) if dataclasses.is_dataclass(collator) else ()
        rows.append(_row(collator, {field.name: _value(collator, field.name) for field in fields}))
    elif collator is not None and collator.__name__ != "default_data_collator":
        rows.append({"filter_name": str(collator.__name__)})
    return rows


def _on_the_fly(dataset: Any) -> Any:
    """The function that `set_transform` or `with_transform` of Hugging Face `datasets` was given."""
    if getattr(dataset, "_format_type", None) == "custom":
        return (getattr(dataset, "_format_kwargs", None) or {}).get("transform")
    return None


def _row(thing: Any, held: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"filter_name": type(thing).__name__}
    told = {name: value for name, value in held.items() if type(value) in _PLAIN and value not in ("", [], {})}
    parameters = {name: value for name, value in told.items() if not (type(value) is int and value > _NO_LIMIT)}
    if parameters:
        row["parameters"] = json_text(parameters)
    return row


def _value(thing: Any, name: str) -> Any:
    with suppress(Exception):  # a property may raise anything
        return getattr(thing, name, None)
    return None
