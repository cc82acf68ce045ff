"""Says something to the user in the middle of a training, which must not end it."""

from __future__ import annotations

import contextlib
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_BETWEEN = frozenset({"dnnprov", "contextlib"})
"""Packages whose frames stand between a warning and the line of the user's that led to it."""


def warn_user(message: str) -> None:
    """Say something through `warnings`, at the line of the user's code that led to it."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `warnings` itself does
    level = 2
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    text = f"dnnprov: {message}"
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=level)
    except Exception:  # noqa: BLE001 - warnings may be errors, or go to a function of the user's; neither may end a training
        with contextlib.suppress(Exception):
            print(text, file=sys.stderr)  # noqa: T201 - the only other way to say it
