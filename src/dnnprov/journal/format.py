"""The format of a segment: JSON Lines, one event a line, in UTF-8.

What all versions have in common; the third has `ElementAmended` besides:

- The first event is `SegmentOpened`; `SegmentClosed`, where it comes, is the last.
- A line is a JSON object with the fields of `dnnprov.model.events`, those at their default left out.
- An empty line means nothing: one is written before the first event after a write that came out short, so that the
  torn line before it ends.
- Numbers that are not finite are `null` in `values` and `rows`, their names stand in `non_finite`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dnnprov.errors import JournalError
from dnnprov.model.events import (
    AnyEvent,
    ElementAmended,
    ElementsRecorded,
    Event,
    HyperparameterAdapted,
    MetricsRecorded,
    ParametersSet,
)
from dnnprov.model.values import plain_value, split_non_finite

_encode_lines = msgspec.json.Encoder(enc_hook=plain_value).encode_lines
_NULL = b'":null'
"""How a line shows that a value is `None` or not finite; a text may hold it as well, which does no harm."""

_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """The line of an event that has its number and time already.

    The values of an event are JSON scalars (`dnnprov.model.values`), so that encoding runs no code but ours. It is a
    single pass in C; only where the line may hide a loss (a `null`, which a NaN becomes too), or cannot be made, are
    values looked at one by one.
    """
    try:
        line = _encode_lines([event])  # of a tuple, msgspec 0.22 never lets go
    except Exception:  # noqa: BLE001 - a lone surrogate, an integer of thousands of digits, what else there may be
        return _encode_lines([_with_names(event)])
    return line if line.find(_NULL) < 0 else _encode_lines([_with_names(event)])  # `in` would take twice as long


def encode_all(events: list[Event]) -> bytes:
    """The lines of events, as `encode` makes each, in one pass over all where none has to be looked at."""
    try:
        lines = _encode_lines(events)
    except Exception:  # noqa: BLE001 - as above
        return b"".join(map(encode, events))
    return lines if lines.find(_NULL) < 0 else b"".join(map(encode, events))


def _with_names(event: Event) -> Event:
    """The event with non-finite values named beside, and every text one that UTF-8 can carry."""
    if isinstance(event, MetricsRecorded | ParametersSet | ElementAmended):
        event.values, event.non_finite = split_non_finite(event.values)
    elif isinstance(event, ElementsRecorded):
        pairs = [split_non_finite(row) for row in event.rows]
        event.rows = [row for row, _ in pairs]
        event.non_finite = [names or {} for _, names in pairs] if any(names for _, names in pairs) else None
    elif isinstance(event, HyperparameterAdapted):
        event.old_value, event.new_value = _named(event.old_value), _named(event.new_value)
    for name in event.__struct_fields__:
        setattr(event, name, _with_plain_text(getattr(event, name)))
    return event


def _with_plain_text(field: Any) -> Any:
    if isinstance(field, str):
        return plain_value(field)
    if isinstance(field, list):
        return [_with_plain_text(item) for item in field]
    if isinstance(field, dict):
        return {_with_plain_text(key): _with_plain_text(item) for key, item in field.items()}
    return field


def _named(value: Any) -> Any:
    """A value outside a mapping: a non-finite one travels as its name."""
    _, non_finite = split_non_finite({"value": value})
    return non_finite["value"] if non_finite else plain_value(value)


def decode(line: bytes) -> AnyEvent:
    """The event of one line.

    Raises:
        JournalError: the line is no event of this format.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"not an event: {error}; the line begins {line[:60]!r}") from None


def decode_lines(content: bytes) -> list[AnyEvent] | None:
    """The events of whole lines, in less than half the time that one by one takes; `None` where any is no event."""
    try:
        events = _decoder.decode_lines(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return events if len(events) == content.count(b"\n") else None  # a line holds one event, and an event one line
