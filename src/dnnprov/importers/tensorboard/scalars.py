"""What a value in an event file is."""

from __future__ import annotations

import struct
from typing import Any

_NUMBERS: dict[int, tuple[str, str]] = {
    1: ("float_val", "f"),
    2: ("double_val", "d"),
    3: ("int_val", "i"),
    4: ("int_val", "B"),
    9: ("int64_val", "q"),
    10: ("bool_val", "?"),
    19: ("half_val", "e"),
}
"""DataType of TensorFlow (`framework/types.proto`) -> the field of a tensor, and how `struct` unpacks its content."""

_HALF = 19


def number_of(value: Any) -> float | None:
    """The number that a value with a tensor is, wherever the tensor keeps it; `None` where it is something else."""
    tensor = value.tensor
    known = _NUMBERS.get(tensor.dtype)
    if known is None:
        return None
    field, code = known
    values = getattr(tensor, field)
    if tensor.tensor_content:
        if len(tensor.tensor_content) != struct.calcsize(code):
            return None
        values = struct.unpack(f"<{code}", tensor.tensor_content)
    elif tensor.dtype == _HALF and len(values) == 1:  # its bits, as an integer
        values = struct.unpack("<e", struct.pack("<H", values[0]))
    return float(values[0]) if len(values) == 1 else None


def what_else(value: Any, plugin: str) -> str:
    """What a value is that is no number, in a word."""
    for field, word in (("image", "picture"), ("histo", "histogram"), ("audio", "sound")):
        if value.HasField(field):
            return word
    return {"images": "picture", "histograms": "histogram", "text": "text", "audio": "sound"}.get(plugin, "tensor")
