"""The Trainer that calls a callback, which Transformers does not hand to it, found on the stack.

A callback is given arguments, state and control; the loss of an epoch, the other callbacks and the checkpoint that a
training goes on from are known to the Trainer alone.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

MAX_FRAMES = 30
_LOOP = "_inner_training_loop"


def find_trainer() -> Any | None:
    """The Trainer in whose hook this is called; `None` outside of any."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - nobody hands it on
    for _ in range(MAX_FRAMES):
        if frame is None:
            return None
        if _is_of_transformers(frame) and hasattr(frame.f_locals.get("self"), "callback_handler"):
            return frame.f_locals["self"]
        frame = frame.f_back
    return None


def find_in_loop(name: str) -> Any | None:
    """A variable of the training loop that this is called in; `None` where there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - likewise
    for _ in range(MAX_FRAMES):
        if frame is None:
            return None
        if frame.f_code.co_name == _LOOP and _is_of_transformers(frame):
            return frame.f_locals.get(name)
        frame = frame.f_back
    return None


def _is_of_transformers(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("transformers.")
