"""Values as they travel in a journal: what a user hands in becomes a JSON scalar, and nothing is lost on the way.

JSON has no NaN and no infinity, so a value that is not finite travels as `null`, with its name in a field beside
it (`non_finite`: `{"loss": "NaN"}`). The database keeps the same two parts.
"""

from __future__ import annotations

import json
import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, SupportsFloat, TypeAlias

Scalar: TypeAlias = int | float | str | bool | None
"""What a journal carries and a database column holds."""

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
"""The integers that both database engines hold; one beyond is kept as text."""

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Name in a journal, in the database and in JSON answers -> the float it stands for."""

_NARROW_FLOATS = {"float32": "f", "float16": "e"}


def non_finite_name(value: float) -> str | None:
    """The name of a float that is not finite, `None` for one that is."""
    if math.isfinite(value):
        return None
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def shortest_float(value: float, dtype: str) -> float:
    """The float with the fewest decimal digits that is the same number in a narrower type.

    Args:
        value: the number, as Python widened it: 0.0010000000474974513 for a float32 of 0.001.
        dtype: its type, by NumPy's name: `"float32"` or `"float16"`; any other leaves the value alone.

    Example:
        >>> shortest_float(0.0010000000474974513, "float32")
        0.001
    """
    code = _NARROW_FLOATS.get(dtype)
    if code is None or not math.isfinite(value):
        return value
    try:
        narrow = struct.pack(code, value)
        for digits in range(1, 10):
            candidate = float(f"{value:.{digits}g}")
            if struct.pack(code, candidate) == narrow:
                return candidate
    except OverflowError:
        pass
    return value


def utc_text(moment: datetime | date) -> str:
    """ISO 8601 in UTC with a Z; a time without zone counts as local time, a date stays a date."""
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_text(value: object) -> str:
    """A list or mapping as the text that a column holds; NaN and infinities by their names."""
    return json.dumps(value, ensure_ascii=False, default=plain_value)


def plain_value(value: object) -> Scalar:
    """The JSON scalar for anything a user may log.

    NumPy and framework scalars become Python numbers (a narrow float its shortest decimal), a 0-d tensor is read
    from its device (which waits for it), times become ISO 8601, an integer beyond 64 bits, bytes, paths, lists and
    anything else become text. A value whose own conversion raises becomes a text that says so.
    """
    try:
        return _plain(value)
    except Exception as error:  # noqa: BLE001 - user objects may raise anything; recording must not (P1)
        return f"<{type(value).__name__}: not readable, {type(error).__name__}>"


def _plain(value: object) -> Scalar:  # noqa: C901, PLR0911 - one line a kind of value
    if value is None or isinstance(value, bool | str):
        return _encodable(value) if isinstance(value, str) else value
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, int):
        return int(value) if MIN_INTEGER <= value <= MAX_INTEGER else str(int(value))
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return _plain_array(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, datetime | date):
        return utc_text(value)
    if isinstance(value, Decimal | Fraction):
        return _plain_exact(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "base64:" + _base64(bytes(value))
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _encodable(json_text(_json_ready(value)))
    if isinstance(value, SupportsFloat) and not hasattr(value, "__len__"):
        return float(value)
    return _encodable(str(value))


def _plain_array(value: Any) -> Scalar:
    """A NumPy scalar, a 0-d or one-element array or tensor as a number; a bigger one as text."""
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    if isinstance(size, tuple):  # torch's size() is a shape
        size = math.prod(size)
    if size != 1:
        return _encodable(str(value))
    number = value.item()
    if type(number) is type(value):  # NumPy's longdouble, which has no Python type
        return float(number)
    if isinstance(number, float):
        dtype = str(value.dtype).rpartition(".")[2]
        return float(str(value)) if dtype == "bfloat16" and "(" not in str(value) else shortest_float(number, dtype)
    return number.isoformat() if hasattr(number, "isoformat") else _plain(number)


def _plain_exact(value: Decimal | Fraction) -> Scalar:
    as_float = float(value)
    if isinstance(value, Decimal) and not value.is_finite():
        return as_float
    return as_float if type(value)(repr(as_float)) == value else str(value)


def _json_ready(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_json_ready(item) for item in value), key=repr)
    return plain_value(value)


def _base64(data: bytes) -> str:
    import base64  # noqa: PLC0415 - rare, and importing dnnprov stays cheap

    return base64.b64encode(data).decode("ascii")


def _encodable(text: str) -> str:
    """Plain text that UTF-8 can carry: lone surrogates (from undecodable file names) are written out as escapes."""
    exact = text if type(text) is str else str.__str__(text)  # of a subclass, NumPy's str_ for one, the text alone
    try:
        exact.encode("utf-8")
    except UnicodeEncodeError:
        return exact.encode("utf-8", "backslashreplace").decode("utf-8")
    return exact


_PLAIN_TYPES = frozenset({int, float, str, bool, type(None)})


def is_plain(values: dict[str, Any]) -> bool:
    """Whether all values are JSON scalars already, of exactly these types."""
    return _PLAIN_TYPES.issuperset(map(type, values.values()))


def same_value(one: object, other: object) -> bool:
    """Whether two values are equal; NaN is the same as NaN here.

    Example:
        >>> same_value(float("nan"), float("nan")), same_value(1, 1.0), same_value(None, 0)
        (True, True, False)
    """
    return one == other or (one != one and other != other)  # noqa: PLR0124 - what NaN is known by


def number_or_none(value: object) -> int | float | None:
    """A step or epoch as a finite number of 64 bits, a whole one as an integer; `None` for what is none.

    Example:
        >>> number_or_none(True), number_or_none(3.0), number_or_none(0.5), number_or_none("ten")
        (1, 3, 0.5, None)
    """
    plain = plain_value(value)
    if isinstance(plain, str):
        try:
            plain = float(plain)
        except ValueError:
            return None
    if plain is None or (isinstance(plain, float) and not math.isfinite(plain)):
        return None
    whole = int(plain)
    if not MIN_INTEGER <= whole <= MAX_INTEGER:
        return None
    return whole if whole == plain else plain


def split_non_finite(values: dict[str, Any]) -> tuple[dict[str, Scalar], dict[str, str] | None]:
    """Plain finite values, and the names of those that are not finite (or `None` where all are).

    Example:
        >>> split_non_finite({"loss": float("nan"), "epoch": 3})
        ({'loss': None, 'epoch': 3}, {'loss': 'NaN'})
    """
    plain: dict[str, Scalar] = {}
    non_finite: dict[str, str] = {}
    for name, value in values.items():
        scalar = plain_value(value)
        key = _encodable(str(name))
        special = non_finite_name(scalar) if isinstance(scalar, float) else None
        plain[key] = None if special else scalar
        if special:
            non_finite[key] = special
    return plain, non_finite or None
