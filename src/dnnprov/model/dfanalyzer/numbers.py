"""Numbers as scripts for DfAnalyzer write them: a value of its own for NaN, and spans of time as text."""

from __future__ import annotations

import math
import re
from typing import Any

from dnnprov.model.positional import number_of

NOT_A_NUMBER = -9999999
"""What the scripts of Keras-Prov and DLProv write for NaN, which their database does not take."""

_CLOCK = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def seconds_in(text: str) -> float | None:
    """The seconds of a span of time as Python writes it; `None` for any other text.

    Example:
        >>> seconds_in("0:00:11.5"), seconds_in("1 day, 0:00:01"), seconds_in("11.5")
        (11.5, 86401.0, None)
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def script_number(value: Any) -> Any:
    """The number that a script means; what is none stays as it is.

    Example:
        >>> script_number("0.5"), script_number(-9999999), script_number("0:00:11.5"), script_number("fast")
        (0.5, nan, 11.5, 'fast')
    """
    number = number_of(value)
    if isinstance(number, str):
        seconds = seconds_in(number)
        return number if seconds is None else seconds
    return math.nan if number == NOT_A_NUMBER else number
