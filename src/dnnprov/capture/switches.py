"""Environment variables that switch something on or off."""

from __future__ import annotations

import os

_OFF = frozenset({"", "0", "false", "no", "off"})


def is_switched_on(variable: str, *, default: bool) -> bool:
    """Whether a variable says yes; any text but 0, false, no and off (in any case) does."""
    value = os.environ.get(variable)
    return default if value is None else value.strip().lower() not in _OFF
