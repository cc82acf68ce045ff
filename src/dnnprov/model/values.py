"""Values as they travel in a journal: what a user hands in becomes a JSON scalar, and nothing is lost on the way.

JSON has no NaN and no infinity, so a value that is not finite travels as `null`, with its name in a field beside
it (`non_finite`: `{"loss": "NaN"}`). The database keeps the same two parts.
"""

from __future__ import annotations

import json
import math
import struct
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, SupportsFloat, TypeAlias

from dnnprov.model.signals import came_from_handler
from dnnprov.model.tensors import is_tensor, read_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

Scalar: TypeAlias = int | float | str | bool | None
"""What a journal carries and a database column holds."""

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
"""The integers that both database engines hold; one beyond is kept as text."""

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Name in a journal, in the database and in JSON answers -> the float it stands for."""

MAX_DESCRIPTION = 1 << 20
"""Characters of a text that an object is described by which has no value of its own; longer ones are cut."""


def non_finite_name(value: float) -> str | None:
    """The name of a float that is not finite, `None` for one that is."""
    if math.isfinite(value):
        return None
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def utc_text(moment: datetime | date) -> str:
    """ISO 8601 in UTC with a Z; a time without zone counts as local time, a date stays a date."""
    if not isinstance(moment, datetime):
        return moment.isoformat()
    convert = getattr(moment, "to_pydatetime", None)  # of pandas' times, which know no local one
    standard: datetime = moment if convert is None else convert(warn=False)
    try:
        return standard.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError):  # of the first year or the last, in another zone no time any more
        return moment.isoformat()


def json_text(value: object) -> str:
    """A list or mapping as the text that a column holds; NaN and infinities by their names, as Python reads them."""
    return json.dumps(_json_ready(value), ensure_ascii=False)


def plain_value(value: object) -> Scalar:
    """The JSON scalar for anything a user may log.

    NumPy and framework scalars become Python numbers (a narrow float its shortest decimal), a 0-d tensor is read
    from its device (which waits for it), times become ISO 8601, durations seconds; an integer beyond 64 bits, bytes,
    paths, lists and anything else become text. A value whose own conversion raises becomes a text that says so.
    """
    try:
        return _plain(value)
    except Exception as error:  # user objects may raise anything; recording must not (P1)
        if came_from_handler(error):
            raise
        return f"<{type(value).__name__}: not readable, {type(error).__name__}>"


def _plain(value: object) -> Scalar:  # noqa: C901, PLR0911, PLR0912 - one line a kind of value
    if value is None or isinstance(value, bool | str):
        return _encodable(value) if isinstance(value, str) else value
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, int):
        return int(value) if MIN_INTEGER <= value <= MAX_INTEGER else _digits(int(value))
    if isinstance(value, type):
        return _described(value)
    if type(value).__name__ == "NAType":  # pandas', which answers no question about itself
        return None
    if isinstance(value, float):
        return float(value)
    if is_tensor(value):
        return _plain(read_tensor(value))
    if isinstance(value, datetime | date):
        return utc_text(value) if value == value else None  # noqa: PLR0124 - pandas' NaT is a datetime, and no time
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | Fraction):
        return _plain_exact(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "base64:" + _base64(bytes(value))
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _encodable(json_text(value))
    if isinstance(value, SupportsFloat) and not hasattr(value, "__len__"):
        return float(value)
    return _described(value)


def _plain_exact(value: Decimal | Fraction) -> Scalar:
    if isinstance(value, Decimal) and not value.is_finite():
        return math.nan if value.is_nan() else float(value)
    try:
        as_float = float(value)
    except OverflowError:
        return str(value)
    return as_float if math.isfinite(as_float) and type(value)(repr(as_float)) == value else str(value)


def _json_ready(value: object) -> object:
    if isinstance(value, dict):
        named = {str(plain_value(key)): _json_ready(item) for key, item in value.items()}
        return (
            named
            if len(named) == len(value)
            else [[_json_ready(key), _json_ready(item)] for key, item in value.items()]
        )
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_json_ready(item) for item in value), key=repr)
    held = read_tensor(value) if not isinstance(value, type) and is_tensor(value) else value
    return _json_ready(held) if isinstance(held, list) else plain_value(held)


def _digits(value: int) -> str:
    """An integer beyond 64 bits as text: decimal, or hexadecimal where it is so long that Python refuses the other."""
    try:
        return str(value)
    except ValueError:
        return hex(value)


def _described(value: object) -> str:
    text = str(value)
    if len(text) > MAX_DESCRIPTION:
        text = f"{text[:MAX_DESCRIPTION]}... ({len(text)} characters)"
    return _encodable(text)


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


are_plain = frozenset({int, float, str, bool, type(None)}).issuperset
"""Whether values of these types, each exactly one of JSON's, go into a journal as they are."""


def plain_text(value: object) -> str:
    """What names and describes something, as text, whatever the user gave."""
    plain = plain_value(value)
    return plain if isinstance(plain, str) else str(plain)


def text_or_none(value: object) -> str | None:
    """As `plain_text`; `None` stays."""
    return None if value is None else plain_text(value)


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """All values as JSON scalars.

    Where values come in, before any lock is held: to read one may run code of the user's, or wait for a device.
    """
    return {name: plain_value(value) for name, value in values.items()}


def same_value(one: object, other: object) -> bool:
    """Whether two values are equal; NaN is the same as NaN here.

    Example:
        >>> same_value(float("nan"), float("nan")), same_value(1, 1.0), same_value(None, 0)
        (True, True, False)
    """
    return one == other or (one != one and other != other)  # noqa: PLR0124 - what NaN is known by


def same_in_single_precision(one: object, other: object) -> bool:
    """Whether two numbers are one to a framework that holds them in 32 bits.

    Example:
        >>> same_in_single_precision(0.0031622776601683794, 0.0031622776), same_in_single_precision(0.1, 0.2)
        (True, False)
    """
    if not isinstance(one, float) or not isinstance(other, float):
        return False
    try:
        return struct.pack("f", one) == struct.pack("f", other)
    except OverflowError:
        return False


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


def nearest_floats(values: dict[str, Any]) -> dict[str, Any]:
    """The values of metrics, which are numbers: exact ones as the nearest float, where elsewhere they become text.

    Example:
        >>> nearest_floats({"loss": Fraction(1, 3), "note": "x"})
        {'loss': 0.3333333333333333, 'note': 'x'}
    """
    found = dict(values)
    for name, value in values.items():
        if isinstance(value, Decimal | Fraction):
            with suppress(ArithmeticError, ValueError):  # too large for a float, or a NaN that signals
                as_float = float(value)
                found[name] = as_float if math.isfinite(as_float) else value
    return found


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
        while key in plain:  # another name is written the same: of a lone surrogate and of its escape, say
            key += "_"
        special = non_finite_name(scalar) if isinstance(scalar, float) else None
        plain[key] = None if special else scalar
        if special:
            non_finite[key] = special
    return plain, non_finite or None
