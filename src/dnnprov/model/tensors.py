"""What arrays, tensors and their scalars hold, as values of plain Python: of NumPy, PyTorch, JAX, TensorFlow, Keras.

None of them is imported: they are known by what they can do, as tensors of frameworks to come will be.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LISTED = 10_000
"""Values of an array that are listed; a larger one is summed up, as it prints itself."""


class _NarrowFloat(NamedTuple):
    """A type of floats narrower than Python's.

    Attributes:
        code: in `struct`; empty for the upper half of a float32.
        sure_digits: decimals of so many digits are all told apart, so that the shortest is found at once.
        max_digits: so many tell all its numbers apart.
        smallest_normal: numbers closer to zero have fewer digits.
    """

    code: str
    sure_digits: int
    max_digits: int
    smallest_normal: float


_NARROW_FLOATS = {
    "float32": _NarrowFloat("f", 6, 9, 2.0**-126),
    "float16": _NarrowFloat("e", 3, 5, 2.0**-14),
    "bfloat16": _NarrowFloat("", 2, 4, 2.0**-126),
}

_SECONDS = {"ns": 1e-9, "ps": 1e-12, "fs": 1e-15, "as": 1e-18}
"""Units of NumPy's that are too short for Python's `timedelta`."""


def is_tensor(value: object) -> bool:
    """Whether a value is an array, a tensor, a variable of a framework, or a scalar of one of these."""
    return hasattr(value, "dtype") and (hasattr(value, "item") or hasattr(value, "numpy"))


def read_tensor(value: Any) -> object:
    """What it holds: one value, or lists of values; of a large one the text that it prints itself as.

    Reading waits for the device that the tensor is on.
    """
    if not hasattr(value, "item"):
        held = getattr(value, "value", None)
        if is_tensor(held):  # Keras' variables
            return read_tensor(held)
        value = value.numpy()  # TensorFlow's tensors
        if isinstance(value, bytes):  # a text, to TensorFlow
            return value.decode("utf-8", "backslashreplace")
    dtype = _type_name(value.dtype)
    size = _size(value)
    if size > MAX_LISTED:
        return f"{type(value).__name__} of shape {tuple(value.shape)}, {dtype}: {value}"
    if dtype.startswith("datetime64"):
        return _converted(value.astype("str").tolist(), _moment)
    if size == 1:
        return None if _is_masked(value) else _read_scalar(value.item(), value, dtype)
    return _converted(value.tolist(), lambda number: shortest_float(number, dtype))


def _is_masked(value: Any) -> bool:
    """Whether NumPy's masked array hides its only value, which `item` would tell all the same."""
    mask = getattr(value, "mask", False)
    return hasattr(mask, "all") and bool(mask.all())


def shortest_float(value: Any, dtype: str) -> Any:
    """The float with the fewest decimal digits that is the same number in a narrower type.

    Args:
        value: the number, as Python widened it: 0.0010000000474974513 for a float32 of 0.001. What is no float is left.
        dtype: its type, by NumPy's name: `"float32"`, `"float16"` or `"bfloat16"`; any other leaves the value alone.

    Example:
        >>> shortest_float(0.0010000000474974513, "float32"), shortest_float(0.10009765625, "bfloat16")
        (0.001, 0.1)
    """
    narrow = _NARROW_FLOATS.get(dtype)
    if narrow is None or not isinstance(value, float) or not math.isfinite(value):
        return value
    first = narrow.sure_digits if abs(value) >= narrow.smallest_normal else 1
    try:
        held = _packed(value, narrow.code)
        for digits in range(first, narrow.max_digits + 1):
            candidate = float(f"{value:.{digits}g}")
            if _packed(candidate, narrow.code) == held:
                return candidate
    except OverflowError:
        pass
    return value


def _packed(value: float, code: str) -> bytes:
    if code:
        return struct.pack(code, value)
    (bits,) = struct.unpack("I", struct.pack("f", value))  # a bfloat16 is the upper half of a float32, rounded to even
    return struct.pack("H", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)


def _read_scalar(held: Any, value: Any, dtype: str) -> object:
    if type(held) is type(value):  # NumPy's longdouble, which has no Python type
        as_float = float(held)
        is_beyond = held != as_float and (math.isinf(as_float) or as_float == 0)
        return str(held) if is_beyond else as_float
    if dtype.startswith("timedelta64") and isinstance(held, int):
        unit = dtype.partition("[")[2].rstrip("]")
        return held * _SECONDS[unit] if unit in _SECONDS else str(value)
    return shortest_float(held, dtype)


def _moment(text: str) -> str | None:
    """A moment of NumPy's, which are of UTC, to the digit that it has."""
    if text == "NaT":
        return None
    return f"{text}Z" if "T" in text else text


def _converted(values: Any, convert: Callable[[Any], Any]) -> Any:
    return [_converted(value, convert) for value in values] if isinstance(values, list) else convert(values)


@lru_cache(maxsize=64)
def _type_name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _size(value: Any) -> int:
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    return math.prod(size) if isinstance(size, tuple) else int(size)  # torch's size() is a shape
